/* api/session.c - the session handle: one open place, and what can be asked of it. */
#include "api/door.h"

#include <unistd.h>
#include "base/alloc.h"
#include "base/error.h"

/* ---- opening ---- */

static int open_place(const char *location, const mlreg_session_options *o, mlr_place **out, mlreg_error **err)
{
    mlr_runtime *own = NULL;
    mlr_op *op = NULL;
    int rc;

    if ((rc = mlr_door_runtime(o->runtime, err)) < 0 || (o->runtime == NULL && (rc = mlr_runtime_new(NULL, &own, err)) < 0))
        return rc;
    if ((rc = mlr_op_begin(NULL, &op, err)) == 0)
        rc = mlr_place_open(location, o, own != NULL ? own : o->runtime, op, out, err);
    mlr_op_end(op);
    mlr_runtime_unref(own);
    return rc;
}

int mlreg_session_open(const char *location, const mlreg_session_options *opts, mlreg_session **out, mlreg_error **err)
{
    mlreg_session_options o;
    mlreg_session *s;
    int rc;

    if ((rc = mlr_door_needs(location, "the location", err)) < 0 || (rc = mlr_door_needs(out, "out", err)) < 0 ||
        (rc = mlr_door_options(&o, sizeof o, sizeof o, MLREG_OPEN_CREATE | MLREG_OPEN_READONLY | MLREG_OPEN_PLAIN_HTTP, opts, "mlreg_session_options", err)) < 0 ||
        (rc = mlr_door_reserved(o.reserved, "mlreg_session_options", err)) < 0)
        return rc;
    if ((s = mlr_alloc(sizeof *s)) == NULL)
        return mlr_error_nomem(err);
    if ((rc = open_place(location, &o, &s->place, err)) < 0) {
        mlr_free(s);
        return mlr_error_subject(err, rc, location);
    }
    s->refs = 1;
    s->pid = getpid();
    *out = s;
    return 0;
}

mlreg_session *mlr_session_ref(mlreg_session *s)
{
    __atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
    return s;
}

void mlreg_session_free(mlreg_session *s)
{
    if (s == NULL || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    mlr_place_close(s->place);
    mlr_free(s);
}

uint32_t mlreg_session_capabilities(const mlreg_session *s)
{
    return s != NULL ? s->place->can : 0;
}

/* ---- asking ---- */

int mlreg_session_tags(mlreg_session *s, const char *repo, mlreg_op *remote, mlreg_list **out, mlreg_error **err)
{
    mlr_op *op = NULL;
    int rc;

    if ((rc = mlr_door_session(s, err)) < 0 || (rc = mlr_door_needs(repo, "repo", err)) < 0 || (rc = mlr_door_needs(out, "out", err)) < 0 ||
        (rc = mlr_door_begin(remote, &op, err)) < 0)
        return rc;
    rc = mlr_place_tags(s->place, repo, op, out, err);
    mlr_op_end(op);
    return mlr_error_subject(err, rc, repo);
}

int mlreg_session_repositories(mlreg_session *s, mlreg_op *remote, mlreg_list **out, mlreg_error **err)
{
    mlr_op *op = NULL;
    int rc;

    if ((rc = mlr_door_session(s, err)) < 0 || (rc = mlr_door_needs(out, "out", err)) < 0 || (rc = mlr_door_begin(remote, &op, err)) < 0)
        return rc;
    rc = mlr_place_repositories(s->place, op, out, err);
    mlr_op_end(op);
    return rc;
}

/* A digest needs no resolving: what refers to it may have come first. */
static int find_subject(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_digest *out, mlreg_error **err)
{
    mlr_descriptor d = { 0 };
    int rc = 0;

    if (r->tag == NULL && r->digest.text[0] != 0)
        *out = r->digest;
    else if ((rc = mlr_place_resolve(p, r, op, &d, err)) == 0)
        *out = d.digest;
    mlr_descriptor_done(&d);
    return rc;
}

int mlreg_session_referrers(mlreg_session *s, const char *ref, const char *artifact_type, mlreg_op *remote, mlreg_list **out, mlreg_error **err)
{
    mlr_digest subject;
    mlr_op *op = NULL;
    mlr_ref r = { 0 };
    int rc;

    if ((rc = mlr_door_session(s, err)) < 0 || (rc = mlr_door_needs(ref, "ref", err)) < 0 || (rc = mlr_door_needs(out, "out", err)) < 0 ||
        (rc = mlr_door_begin(remote, &op, err)) < 0)
        return rc;
    if ((rc = mlr_place_ref(s->place, ref, &r, err)) == 0 && (rc = find_subject(s->place, &r, op, &subject, err)) == 0)
        rc = mlr_place_referrers(s->place, r.repo, &subject, artifact_type, op, out, err);
    mlr_ref_done(&r);
    mlr_op_end(op);
    return mlr_error_subject(err, rc, ref);
}

int mlreg_session_delete(mlreg_session *s, const char *ref, mlreg_op *remote, mlreg_error **err)
{
    mlr_op *op = NULL;
    mlr_ref r = { 0 };
    int rc;

    if ((rc = mlr_door_session(s, err)) < 0 || (rc = mlr_door_needs(ref, "ref", err)) < 0 || (rc = mlr_door_begin(remote, &op, err)) < 0)
        return rc;
    if ((rc = mlr_place_ref(s->place, ref, &r, err)) == 0)
        rc = mlr_place_remove(s->place, &r, op, err);
    mlr_ref_done(&r);
    mlr_op_end(op);
    return mlr_error_subject(err, rc, ref);
}
