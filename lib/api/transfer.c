/* api/transfer.c - copying between places, and files into folders. */
#include "api/door.h"

#include "base/error.h"
#include "model/checkout.h"
#include "model/copy.h"

static int read_how(const mlreg_copy_options *opts, mlr_copy *how, mlr_wish *w, mlr_host *described, mlreg_error **err)
{
    const uint32_t flags = MLREG_COPY_MOVE_TAG | MLREG_COPY_REFERRERS | MLREG_COPY_ALL_VARIANTS | MLREG_COPY_FOREIGN;
    mlreg_copy_options o;
    int rc;

    if ((rc = mlr_door_options(&o, sizeof o, offsetof(mlreg_copy_options, variant), flags, opts, "mlreg_copy_options", err)) < 0 ||
        (rc = mlr_door_tag_rule(o.flags, o.expect_digest, &how->rule, err)) < 0)
        return rc;
    how->referrers = (o.flags & MLREG_COPY_REFERRERS) != 0;
    how->foreign = (o.flags & MLREG_COPY_FOREIGN) != 0;
    how->all = (o.flags & MLREG_COPY_ALL_VARIANTS) != 0;
    if (o.variant == NULL)
        return 0;
    if (how->all)
        return mlr_error_set(err, MLREG_EINVAL, "mlreg_copy_options: all variants and one of them");
    how->wish = w;
    return mlr_door_wish(o.variant, w, described, err);
}

int mlreg_copy(mlreg_session *from, const char *ref, mlreg_session *to, const char *as, const mlreg_copy_options *opts,
        mlreg_op *remote, mlreg_artifact **out, mlreg_error **err)
{
    mlr_copy how = { 0 };
    mlr_host described = { 0 };
    mlr_wish w;
    mlr_manifest *m = NULL;
    mlr_ref r = { 0 }, target = { 0 };
    mlr_op *op = NULL;
    int rc;

    if ((rc = mlr_door_session(from, err)) < 0 || (rc = mlr_door_session(to, err)) < 0 || (rc = mlr_door_needs(ref, "ref", err)) < 0 ||
        (rc = read_how(opts, &how, &w, &described, err)) < 0 || (rc = mlr_door_begin(remote, &op, err)) < 0) {
        mlr_host_done(&described);
        return rc;
    }
    if ((rc = mlr_place_ref(from->place, ref, &r, err)) == 0 &&
        (rc = as != NULL ? mlr_place_ref(to->place, as, &target, err) : mlr_ref_copy(&r, &target, err)) == 0)
        rc = mlr_copy_run(from->place, &r, to->place, &target, &how, op, out != NULL ? &m : NULL, err);
    if (rc == 0 && out != NULL && (rc = mlr_artifact_new(to, target.repo, m, out, err)) < 0)
        mlr_manifest_free(m);
    mlr_ref_done(&r);
    mlr_ref_done(&target);
    mlr_host_done(&described);
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
