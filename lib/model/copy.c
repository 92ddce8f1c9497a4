/* model/copy.c - an artifact and all it names from one place to another: the one verb behind pull, push, promote and export. */
#include "model/copy_parts.h"

#include "base/alloc.h"
#include "base/error.h"
#include "model/tagrule.h"
#include "model/variant.h"

static bool leaves_any(const mlr_copying *c)
{
    for (size_t i = 0; i < c->n_blobs; i++)
        if (mlr_copy_is_left(&c->blobs[i]))
            return true;
    return false;
}

/* The one that was asked for goes last and takes the tag along; all others go by digest. */
static int put_manifests(mlr_copying *c, const mlr_manifest *top, const mlr_ref *as, mlr_op *op, mlreg_error **err)
{
    int rc = 0;

    for (size_t i = 0; i < c->n_manifests && rc == 0; i++) {
        const mlr_manifest *m = c->manifests[i];
        mlr_ref by_digest = { .repo = (char *)c->to_repo, .digest = m->self.digest };

        if (m != top)
            rc = mlr_place_manifest_write(c->to, &by_digest, &c->how->rule, m, op, err);
    }
    if (rc == 0)
        rc = mlr_place_manifest_write(c->to, as, &c->how->rule, top, op, err);
    return rc == MLREG_EPROTO && leaves_any(c) ? mlr_error_hint(err, rc, "it may want the layers that are not to be distributed: MLREG_COPY_FOREIGN brings them") : rc;
}

static void copy_done(mlr_copying *c, const mlr_manifest *kept)
{
    for (size_t i = 0; i < c->n_manifests; i++)
        if (c->manifests[i] != kept)
            mlr_manifest_free(c->manifests[i]);
    for (size_t i = 0; i < c->n_blobs; i++)
        mlr_free(c->blobs[i].name);
    mlr_manifest_free(c->chosen);
    mlr_digestmap_done(&c->seen);
    mlr_digestmap_done(&c->path);
    mlr_buf_done(&c->absent);
    mlr_free(c->manifests);
    mlr_free(c->blobs);
}

/* The name in `to`: what `as` leaves open is r's. A digest that was asked for must be the one that arrived. */
static int name_target(const mlr_ref *r, const mlr_ref *as, const mlr_manifest *top, bool is_narrowed, mlr_ref *out, mlreg_error **err)
{
    mlr_ref mixed = *as;

    if (as->tag == NULL && as->digest.text[0] == '\0') {
        mixed.tag = r->tag;
        if (!is_narrowed)
            mixed.digest = r->digest;
    }
    if (mixed.digest.text[0] != '\0' && !mlr_digest_equal(&mixed.digest, &top->self.digest))
        return mlr_error_set(err, MLREG_EINVAL, "%s cannot become %s: a digest names one content only", top->self.digest.text, mixed.digest.text);
    mixed.digest = top->self.digest;
    return mlr_ref_copy(&mixed, out, err);
}

/* One entry of an index: where the other place takes indexes in part, the way to it; elsewhere that manifest in the index's stead. 1: the latter. */
static int narrow(mlr_copying *c, mlr_manifest **top, mlr_op *op, mlreg_error **err)
{
    const mlr_whereabouts where = { c->from, c->from_repo, c->to, c->to_repo };
    int rc;

    if (c->how->wish == NULL || !c->how->wish->any || !(*top)->is_index)
        return 0;
    if ((rc = mlr_variant_of_index(&where, *top, c->how->wish, op, &c->path, &c->chosen, err)) < 0 || c->to->holds_parts)
        return rc;
    mlr_manifest_free(*top);
    *top = c->chosen;
    c->chosen = NULL;
    return 1;
}

int mlr_copy_run(mlr_place *from, const mlr_ref *r, mlr_place *to, const mlr_ref *as, const mlr_copy *how, mlr_op *op,
        mlr_manifest **out, mlreg_error **err)
{
    mlr_copying c = { .from = from, .to = to, .from_repo = r->repo, .to_repo = as->repo, .how = how, .absent = MLR_BUF_INIT(MLR_MANIFEST_MAX_BYTES) };
    mlr_manifest *top = NULL;
    mlr_ref target = { 0 };
    int rc;

    if ((rc = mlr_place_check_writable(to, err)) < 0 || (rc = mlr_place_manifest(from, r, op, &top, err)) < 0)
        return rc;
    if ((rc = narrow(&c, &top, op, err)) < 0 || (rc = name_target(r, as, top, rc == 1, &target, err)) < 0 ||
        (rc = mlr_tagrule_check(to, target.repo, target.tag, &how->rule, &top->self.digest, op, err)) < 0) {
        mlr_manifest_free(top);
        goto out;
    }
    if ((rc = mlr_copy_add_tree(&c, top, 0, op, err)) < 0 || (rc = mlr_copy_move_blobs(&c, op, err)) < 0 ||
        (rc = put_manifests(&c, top, &target, op, err)) < 0)
        goto out;
    if (out != NULL)
        *out = top;
out:
    copy_done(&c, rc == 0 && out != NULL ? top : NULL);
    mlr_ref_done(&target);
    return rc;
}
