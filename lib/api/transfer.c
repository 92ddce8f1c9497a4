/* api/transfer.c - copying between places, and files into folders. */
#include "api/door.h"

#include "base/error.h"
#include "model/checkout.h"
#include "model/copy.h"

int mlreg_copy(mlreg_session *from, const char *ref, mlreg_session *to, const char *as, const mlreg_copy_options *opts,
        mlreg_op *remote, mlreg_artifact **out, mlreg_error **err)
{
    mlreg_copy_options o;
    mlr_copy how = { 0 };
    mlr_manifest *m = NULL;
    mlr_ref r = { 0 }, target = { 0 };
    mlr_op *op = NULL;
    int rc;

    if ((rc = mlr_door_session(from, err)) < 0 || (rc = mlr_door_session(to, err)) < 0 || (rc = mlr_door_needs(ref, "ref", err)) < 0 ||
        (rc = mlr_door_options(&o, sizeof o, sizeof o, MLREG_COPY_MOVE_TAG | MLREG_COPY_REFERRERS, opts, "mlreg_copy_options", err)) < 0 ||
        (rc = mlr_door_tag_rule(o.flags, o.expect_digest, &how.rule, err)) < 0 || (rc = mlr_door_begin(remote, &op, err)) < 0)
        return rc;
    how.referrers = (o.flags & MLREG_COPY_REFERRERS) != 0;
    if ((rc = mlr_place_ref(from->place, ref, &r, err)) == 0 &&
        (rc = as != NULL ? mlr_place_ref(to->place, as, &target, err) : mlr_ref_copy(&r, &target, err)) == 0)
        rc = mlr_copy_run(from->place, &r, to->place, &target, &how, op, out != NULL ? &m : NULL, err);
    if (rc == 0 && out != NULL && (rc = mlr_artifact_new(to, target.repo, m, out, err)) < 0)
        mlr_manifest_free(m);
    mlr_ref_done(&r);
    mlr_ref_done(&target);
    mlr_op_end(op);
    return mlr_error_subject(err, rc, ref);
}

static int patterns(const char *const *list, size_t n, const char *what, mlreg_error **err)
{
    int rc = n > 0 ? mlr_door_needs(list, what, err) : 0;

    for (size_t i = 0; i < n && rc == 0; i++)
        rc = mlr_door_needs(list[i], what, err);
    return rc;
}

int mlreg_checkout(mlreg_artifact *a, const char *dir, const mlreg_checkout_options *opts, mlreg_op *remote, mlreg_error **err)
{
    mlreg_checkout_options o;
    mlr_op *op = NULL;
    int rc;

    if ((rc = mlr_door_needs(a, "the artifact", err)) < 0 || (rc = mlr_door_session(a->session, err)) < 0 || (rc = mlr_door_needs(dir, "dir", err)) < 0 ||
        (rc = mlr_door_options(&o, sizeof o, sizeof o, 0, opts, "mlreg_checkout_options", err)) < 0 ||
        (rc = patterns(o.include, o.n_include, "an include pattern", err)) < 0 || (rc = patterns(o.exclude, o.n_exclude, "an exclude pattern", err)) < 0 ||
        (rc = mlr_door_begin(remote, &op, err)) < 0)
        return rc;
    mlr_checkout how = { o.include, o.exclude, o.n_include, o.n_exclude };
    rc = mlr_checkout_run(a->session->place, a->repo, a->manifest, dir, &how, op, err);
    mlr_op_end(op);
    return rc;
}
