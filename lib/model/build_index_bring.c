/* model/build_index_bring.c - the entries of an index come along to where it goes. */
#include "model/build_index_parts.h"

#include <string.h>
#include "base/error.h"
#include "model/copy.h"

static bool is_here(const mlr_build *b, const mlr_build_child *c)
{
    return c->from->identity == b->to->identity && strcmp(c->repo, b->repo) == 0;
}

/* One that was there may have gone meanwhile; what the index that was begun with lacked is lacking still. */
static int check_here(mlr_build *b, const mlr_build_child *c, mlr_buf *absent, mlr_op *op, mlreg_error **err)
{
    mlr_ref r = { .repo = (char *)b->repo, .digest = c->entry.digest };
    mlr_manifest *m = NULL;
    int rc;

    if (b->index->base_absent != NULL && strstr(b->index->base_absent, c->entry.digest.text) != NULL)
        return mlr_buf_printf(absent, err, "%s%s", absent->len > 0 ? " " : "", c->entry.digest.text);
    if ((c->is_kept && b->to->far) || !mlr_manifest_type_known(c->entry.media_type))
        return 0;
    rc = mlr_place_manifest(b->to, &r, op, &m, err);
    mlr_manifest_free(m);
    return rc;
}

static int bring(mlr_build *b, const mlr_build_child *c, mlr_op *op, mlreg_error **err)
{
    const mlr_ref r = { .repo = c->repo, .digest = c->entry.digest }, as = { .repo = (char *)b->repo, .digest = c->entry.digest };
    const mlr_copy plain = { 0 };

    return mlr_copy_run(c->from, &r, b->to, &as, &plain, op, NULL, err);
}

/* A tag that names the index which becomes an entry under that very tag. */
static int check_itself(mlr_build *b, const mlr_build_child *c, const char *tag, mlr_op *op, mlreg_error **err)
{
    mlr_ref r = { .repo = (char *)b->repo, .tag = (char *)tag };
    mlr_descriptor now = { 0 };
    int rc = 0;

    if (tag == NULL || !is_here(b, c) || c->is_kept || !mlr_manifest_type_is_index(c->entry.media_type))
        return 0;
    if (mlr_place_resolve(b->to, &r, op, &now, NULL) == 0 && mlr_digest_equal(&now.digest, &c->entry.digest))
        rc = mlr_build_refuse_itself(&now.digest, err);
    mlr_descriptor_done(&now);
    return rc;
}

int mlr_build_index_bring(mlr_build *b, const char *tag, mlr_manifest *m, mlr_op *op, mlreg_error **err)
{
    struct mlr_build_index *x = b->index;
    mlr_buf absent = MLR_BUF_INIT(MLR_MANIFEST_MAX_BYTES);
    int rc = 0;

    for (size_t i = 0; i < x->n && rc == 0; i++) {
        const mlr_build_child *c = &x->children[i];

        if ((rc = check_itself(b, c, tag, op, err)) == 0)
            rc = is_here(b, c) ? check_here(b, c, &absent, op, err) : bring(b, c, op, err);
        rc = mlr_error_subject(err, rc, c->entry.digest.text);
    }
    if (rc == 0)
        rc = mlr_manifest_set_absent(m, absent.data, err);
    mlr_buf_done(&absent);
    return rc;
}
