/* model/build_base.c - blobs that are somewhere already: a base's layers, and those of other artifacts. */
#include "model/build_parts.h"

#include <string.h>
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "model/carry.h"
#include "model/modelpack.h"

struct mlr_build_base { mlr_build *of; const mlr_reuse *layer; };

/* `leave`: where the place keeps records of what is elsewhere, that is enough. */
static int bring(mlr_build *b, const mlr_reuse *r, const mlr_descriptor *as, bool leave, mlr_op *op, mlreg_error **err)
{
    const mlr_blob from = { r->repo, r->layer.digest, r->layer.bytes, r->layer.media_type };
    const char *title = mlr_descriptor_title(as);
    mlr_blob to = from;
    uint64_t from_ms;
    int rc = mlr_wide_enter(b->wide, to.bytes, op, err);

    if (rc < 0)
        return rc;
    from_ms = mlr_clock_ms();
    to.repo = b->repo;
    to.media_type = as->media_type;
    mlr_op_count(op, MLR_N_BYTES_TOTAL, (int64_t)to.bytes);
    if (leave && mlr_descriptor_is_foreign(&r->layer))
        rc = mlr_carry_leave_foreign(r->from, &from, r->layer.urls[0], b->to, &to, op, err);
    else if ((rc = leave ? mlr_carry_leave(r->from, &from, b->to, &to, op, err) : 0) == 0)
        rc = mlr_carry(r->from, &from, b->to, &to, op, err);
    if (rc >= 0)
        mlr_op_blob_done(op, title != NULL ? title : to.digest.text, to.bytes, from_ms);
    mlr_wide_leave(b->wide, to.bytes);
    return rc < 0 ? rc : 0;
}

/* ---- layers of others ---- */

/* As a file of a model is named, or as its tar is. */
static int annotate(struct mlr_build_layer *l, mlreg_error **err)
{
    unsigned mode;
    int rc;

    if (strstr(l->media_type, ".tar") != NULL)
        return mlr_build_annotate_tar(l, err);
    if ((rc = mlr_modelpack_mode(&l->reuse.layer, &mode, err)) < 0)
        return rc;
    return mlr_modelpack_annotate(&l->descriptor, l->title, mode == 0755, err);
}

int mlr_build_write_reused(struct mlr_build_layer *l, mlr_op *op, mlreg_error **err)
{
    const mlr_descriptor *d = &l->reuse.layer;
    int rc = mlr_descriptor_make(l->media_type, &d->digest, d->bytes, &l->descriptor, err);

    if (rc < 0 || (rc = annotate(l, err)) < 0)
        return rc;
    return bring(l->of, &l->reuse, &l->descriptor, false, op, err);
}

/* ---- the base's ---- */

static int write_base(void *arg, mlr_op *op, mlreg_error **err)
{
    const struct mlr_build_base *t = arg;

    return mlr_error_subject(err, bring(t->of, t->layer, &t->layer->layer, true, op, err), t->layer->layer.digest.text);
}

int mlr_build_add_base_tasks(mlr_build *b, mlreg_error **err)
{
    size_t n = mlr_build_n_base(b);
    int rc = 0;

    if (n > 0 && (b->base = mlr_alloc_array(n, sizeof *b->base)) == NULL)
        return mlr_error_nomem(err);
    for (size_t i = 0; i < n && rc == 0; i++) {
        b->base[i] = (struct mlr_build_base){ b, mlr_image_base_layer(b->image, i) };
        rc = mlr_group_add(mlr_wide_group(b->wide), write_base, &b->base[i], err);
    }
    return rc;
}
