/* model/copy_blobs.c - how the blobs of a copy move: each once, the largest first, small ones published together. */
#include "model/copy_parts.h"

#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/work.h"
#include "model/carry.h"
#include "place/gather.h"

/* ---- one blob ---- */

static bool is_small(const mlr_copy_blob *b)
{
    return b->to.bytes <= MLR_GATHER_MOST_BYTES;
}

/* Small ones wait to be published with others, but none for the large ones that are still on their way: it may be wanted before. */
static int publish_last_small(mlr_copying *c, mlr_op *op, mlreg_error **err)
{
    int rc = 0;

    if (atomic_fetch_sub(&c->n_small, 1) == 1 && (rc = mlr_place_gather_begin(c->to, op, err)) == 0)
        rc = mlr_place_gather_end(c->to, op, err);
    return rc;
}

static int carry(const mlr_copy_blob *b, mlr_op *op, mlreg_error **err)
{
    mlr_place *from = b->copy->from, *to = b->copy->to;

    if (mlr_copy_is_left(b))
        return mlr_carry_leave_foreign(from, &b->from, b->foreign->urls[0], to, &b->to, op, err);
    return b->foreign != NULL ? mlr_carry_foreign(from, &b->from, b->foreign, to, &b->to, op, err) : mlr_carry(from, &b->from, to, &b->to, op, err);
}

static int copy_blob(void *arg, mlr_op *op, mlreg_error **err)
{
    mlr_copy_blob *b = arg;
    uint64_t from_ms;
    int rc = mlr_wide_enter(b->copy->wide, b->to.bytes, op, err);

    if (rc < 0)
        return mlr_error_subject(err, rc, b->name);
    from_ms = mlr_clock_ms();
    rc = carry(b, op, err);
    if (rc == 0 && is_small(b))
        rc = publish_last_small(b->copy, op, err);
    if (rc == 0)
        mlr_op_blob_done(op, b->name, b->to.bytes, from_ms);
    mlr_wide_leave(b->copy->wide, b->to.bytes);
    return mlr_error_subject(err, rc, b->name);
}

/* ---- all of them ---- */

static int larger_first(const void *a, const void *b)
{
    const mlr_copy_blob *x = a, *y = b;

    if (x->to.bytes != y->to.bytes)
        return x->to.bytes < y->to.bytes ? 1 : -1;
    if (mlr_copy_is_left(x) != mlr_copy_is_left(y) && mlr_digest_equal(&x->to.digest, &y->to.digest))
        return mlr_copy_is_left(x) ? 1 : -1;     /* one manifest leaves it, another brings it: it is brought */
    return strcmp(x->to.digest.text, y->to.digest.text);
}

/* A blob that several manifests name moves once; the largest go first, so that no one is left alone at the end. */
static void order_blobs(mlr_copying *c, mlr_op *op)
{
    size_t n = 0;

    if (c->n_blobs > 0)
        qsort(c->blobs, c->n_blobs, sizeof *c->blobs, larger_first);
    for (size_t i = 0; i < c->n_blobs; i++) {
        if (n > 0 && mlr_digest_equal(&c->blobs[n - 1].to.digest, &c->blobs[i].to.digest)) {
            mlr_free(c->blobs[i].name);
            continue;
        }
        c->blobs[n++] = c->blobs[i];
        mlr_op_count(op, MLR_N_BYTES_TOTAL, (int64_t)c->blobs[n - 1].to.bytes);
    }
    c->n_blobs = n;
    mlr_op_count(op, MLR_N_BLOBS_TOTAL, (int64_t)n);
}

static int check_sizes(mlr_copying *c, mlreg_error **err)
{
    int rc = 0;

    for (size_t i = 0; i < c->n_blobs && rc == 0; i++)
        rc = mlr_copy_is_left(&c->blobs[i]) ? 0 : mlr_place_check_size(c->to, c->blobs[i].name, c->blobs[i].to.bytes, err);
    return rc;
}

static int move_all(mlr_copying *c, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_wide_new(c->to->rt, op, c->n_blobs, c->from->far || c->to->far, &c->wide, err);

    for (size_t i = 0; i < c->n_blobs; i++)
        c->n_small += is_small(&c->blobs[i]);
    for (size_t i = 0; i < c->n_blobs && rc == 0; i++)
        rc = mlr_group_add(mlr_wide_group(c->wide), copy_blob, &c->blobs[i], err);
    if (rc == 0)
        rc = mlr_group_wait(mlr_wide_group(c->wide), err);
    mlr_wide_free(c->wide);
    return rc;
}

static int publish_together(mlr_copying *c, mlr_op *op, mlreg_error **err)
{
    mlreg_error *why = NULL;
    int rc = mlr_place_gather_begin(c->to, op, err), end;

    if (rc < 0)
        return rc;
    rc = move_all(c, op, err);
    end = mlr_place_gather_end(c->to, op, &why);
    if (rc == 0)
        mlr_error_move(err, &why);
    mlr_error_done(why);
    return rc < 0 ? rc : end;
}

int mlr_copy_move_blobs(mlr_copying *c, mlr_op *op, mlreg_error **err)
{
    int rc;

    order_blobs(c, op);
    rc = check_sizes(c, err);
    return rc < 0 ? rc : publish_together(c, op, err);
}
