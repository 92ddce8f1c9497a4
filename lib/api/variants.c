/* api/variants.c - finding what a reference names, an index's entry for a machine among it. */
#include "api/door.h"

#include "base/error.h"

int mlr_door_wish(const mlreg_resolve_options *theirs, mlr_wish *out, mlr_host *own, mlreg_error **err)
{
    mlreg_resolve_options o;
    mlr_wish w = { .any = false };
    int rc = mlr_door_options(&o, sizeof o, offsetof(mlreg_resolve_options, platform), MLREG_RESOLVE_VARIANT, theirs, "mlreg_resolve_options", err);

    if (rc < 0)
        return rc;
    w = (mlr_wish){ .platform = o.platform, .name = o.variant, .accelerator = o.accelerator, .precision = o.precision };
    w.any = (o.flags & MLREG_RESOLVE_VARIANT) != 0 || o.platform != NULL || o.variant != NULL || o.accelerator != NULL || o.precision != NULL || o.host != NULL;
    if (o.platform != NULL && (rc = mlr_variant_check_platform(o.platform, err)) < 0)
        return rc;
    if (o.host != NULL && (rc = mlr_host_read(o.host, own, err)) == 0)
        w.host = own;
    else if (rc == 0 && w.any)
        rc = mlr_host_this(&w.host, NULL, err);
    if (rc == 0)
        *out = w;
    return rc;
}

int mlreg_host_json(const char **json, mlreg_error **err)
{
    int rc = mlr_door_needs(json, "json", err);

    return rc < 0 ? rc : mlr_host_this(NULL, json, err);
}

/* ---- asking ---- */

static int door(mlreg_session *s, const char *ref, const void *out, mlreg_error **err)
{
    int rc;

    if ((rc = mlr_door_session(s, err)) < 0 || (rc = mlr_door_needs(ref, "ref", err)) < 0)
        return rc;
    return mlr_door_needs(out, "out", err);
}

static int resolve(mlreg_session *s, const char *ref, const mlr_wish *w, mlr_op *op, mlreg_artifact **out, mlreg_error **err)
{
    mlr_manifest *m = NULL;
    mlr_ref r = { 0 };
    int rc;

    if ((rc = mlr_place_ref(s->place, ref, &r, err)) == 0 && (rc = mlr_variant_resolve(s->place, &r, w, op, &m, err)) == 0)
        rc = mlr_artifact_new(s, r.repo, m, out, err);
    if (rc < 0)
        mlr_manifest_free(m);
    mlr_ref_done(&r);
    return mlr_error_subject(err, rc, ref);
}

int mlreg_session_resolve(mlreg_session *s, const char *ref, const mlreg_resolve_options *opts, mlreg_op *remote,
        mlreg_artifact **out, mlreg_error **err)
{
    mlr_host described = { 0 };
    mlr_op *op = NULL;
    mlr_wish w;
    int rc;

    if ((rc = door(s, ref, out, err)) == 0 && (rc = mlr_door_wish(opts, &w, &described, err)) == 0 && (rc = mlr_door_begin(remote, &op, err)) == 0) {
        rc = resolve(s, ref, &w, op, out, err);
        mlr_op_end(op);
    }
    mlr_host_done(&described);
    return rc;
}

static int list(mlreg_session *s, const char *ref, const mlr_wish *w, mlr_op *op, mlreg_list **out, mlreg_error **err)
{
    mlr_ref r = { 0 };
    int rc = mlr_place_ref(s->place, ref, &r, err);

    if (rc == 0)
        rc = mlr_variant_list(s->place, &r, w, op, out, err);
    mlr_ref_done(&r);
    return mlr_error_subject(err, rc, ref);
}

int mlreg_session_variants(mlreg_session *s, const char *ref, const mlreg_resolve_options *opts, mlreg_op *remote, mlreg_list **out, mlreg_error **err)
{
    mlr_host described = { 0 };
    mlr_op *op = NULL;
    mlr_wish w;
    int rc;

    if ((rc = door(s, ref, out, err)) == 0 && (rc = mlr_door_wish(opts, &w, &described, err)) == 0 &&
        (w.host != NULL || (rc = mlr_host_this(&w.host, NULL, err)) == 0) && (rc = mlr_door_begin(remote, &op, err)) == 0) {
        rc = list(s, ref, &w, op, out, err);
        mlr_op_end(op);
    }
    mlr_host_done(&described);
    return rc;
}
