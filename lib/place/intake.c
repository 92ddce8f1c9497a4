/* place/intake.c - bytes on their way in: read, written and hashed in one pass, each on a thread of its own. */
#include "place/intake.h"

#include <stdbool.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/work.h"
#include "codec/together.h"

#define SLAB_BYTES ((size_t)256 << 10)    /* small enough to be in cache still when the next thread takes it */
#define SLABS_MAX 8                       /* in flight: one thread may be ahead of the others by so much */
#define ALONE_BYTES ((size_t)1 << 20)     /* up to so many are done sooner than a thread is started */

struct slab {
    uint64_t offset;
    size_t len;
    uint8_t *data;
    bool is_put;
};

struct intake {
    mlr_reader *reader;
    mlr_intake_fn put;
    void *user;
    uint8_t *room;                       /* of all slabs */
    struct slab slabs[SLABS_MAX];
    size_t n_slabs, slab_bytes;
    mlr_queue *empty, *full, *put_ones;  /* slabs on their way to be filled, put, and hashed */
    bool has_putter;                     /* or whoever hashes a slab puts it first */
    mlr_sha256 hash;
};

static uint64_t room_bytes(const struct intake *in)
{
    return (uint64_t)in->n_slabs * in->slab_bytes;
}

static void plan(struct intake *in, uint64_t bytes)
{
    in->n_slabs = bytes > ALONE_BYTES ? SLABS_MAX : 1;
    in->slab_bytes = bytes < SLAB_BYTES ? (size_t)bytes : SLAB_BYTES;
}

static int make_room(struct intake *in, mlreg_error **err)
{
    if ((in->room = mlr_realloc_array(NULL, in->n_slabs, in->slab_bytes)) == NULL)
        return mlr_error_nomem(err);
    for (size_t i = 0; i < in->n_slabs; i++)
        in->slabs[i].data = in->room + i * in->slab_bytes;
    return 0;
}

static int fill(struct intake *in, struct slab *s, uint64_t offset, mlr_op *op, mlreg_error **err)
{
    int64_t n = mlr_reader_read_at(in->reader, offset, s->data, in->slab_bytes, op, err);

    if (n < 0)
        return (int)n;
    s->offset = offset;
    s->len = (size_t)n;
    s->is_put = in->put == NULL;
    return 0;
}

static int put_slab(struct intake *in, struct slab *s, mlr_op *op, mlreg_error **err)
{
    uint64_t from_us = mlr_clock_us();
    int rc = in->put(in->user, s->offset, s->data, s->len, err);

    mlr_op_spent(op, MLR_N_US_WRITTEN, from_us);
    s->is_put = true;
    return rc;
}

static int digest(struct intake *in, struct slab *s, mlr_op *op, mlreg_error **err)
{
    uint64_t from_us;
    int rc;

    if ((rc = mlr_op_check(op, err)) < 0 || (!s->is_put && (rc = put_slab(in, s, op, err)) < 0))
        return rc;
    from_us = mlr_clock_us();
    mlr_sha256_update_together(&in->hash, s->data, s->len);
    mlr_op_spent(op, MLR_N_US_HASHED, from_us);
    return 0;
}

static int in_turn(struct intake *in, mlr_op *op, mlreg_error **err)
{
    struct slab *s = &in->slabs[0];
    int rc;

    for (uint64_t at = 0; at < in->reader->bytes; at += s->len)
        if ((rc = fill(in, s, at, op, err)) < 0 || (rc = digest(in, s, op, err)) < 0)
            return rc;
    return 0;
}

static int digest_all(void *arg, mlr_op *op, mlreg_error **err)
{
    struct intake *in = arg;
    void *slab;
    int rc;

    while ((rc = mlr_queue_take(in->put_ones, &slab, op, err)) > 0)
        if ((rc = digest(in, slab, op, err)) < 0 || (rc = mlr_queue_put(in->empty, slab, op, err)) < 0)
            break;
    return rc;
}

static int put_all(void *arg, mlr_op *op, mlreg_error **err)
{
    struct intake *in = arg;
    void *slab;
    int rc;

    while ((rc = mlr_queue_take(in->full, &slab, op, err)) > 0)
        if ((rc = put_slab(in, slab, op, err)) < 0 || (rc = mlr_queue_put(in->put_ones, slab, op, err)) < 0)
            return rc;
    if (rc == 0)
        mlr_queue_close(in->put_ones);
    return rc;
}

static int fill_all(struct intake *in, mlr_op *op, mlreg_error **err)
{
    mlr_queue *next = in->has_putter ? in->full : in->put_ones;
    struct slab *s;
    void *slab;
    int rc;

    for (size_t i = 0; i < in->n_slabs; i++)
        if ((rc = mlr_queue_put(in->empty, &in->slabs[i], op, err)) < 0)
            return rc;
    for (uint64_t at = 0; at < in->reader->bytes; at += s->len) {
        if ((rc = mlr_queue_take(in->empty, &slab, op, err)) < 0)
            return rc;
        s = slab;
        if ((rc = fill(in, s, at, op, err)) < 0 || (rc = mlr_queue_put(next, s, op, err)) < 0)
            return rc;
    }
    mlr_queue_close(next);
    return 0;
}

/* Whoever fails first, this thread or those of `g`, is the one to be believed. */
static int side_by_side(struct intake *in, mlr_group *g, mlreg_error **err)
{
    mlreg_error *mine = NULL;
    int rc = fill_all(in, mlr_group_op(g), &mine), theirs;

    if (rc == 0)
        return mlr_group_wait(g, err);
    if (mlr_op_cancelled(mlr_group_op(g)) && (theirs = mlr_group_wait(g, err)) < 0)
        rc = theirs;
    else
        mlr_error_move(err, &mine);
    mlr_error_done(mine);
    return rc;
}

/* A task that has no thread must not be waited for: one thread puts and hashes, none leaves both to the caller's. */
static int on_threads(mlr_runtime *rt, struct intake *in, mlr_op *op, mlreg_error **err)
{
    mlr_group *g = NULL;
    unsigned n_threads = 0;
    int rc;

    if ((rc = mlr_queue_new(SLABS_MAX, &in->empty, err)) < 0 || (rc = mlr_queue_new(SLABS_MAX, &in->full, err)) < 0 ||
        (rc = mlr_queue_new(SLABS_MAX, &in->put_ones, err)) < 0 || (rc = mlr_group_new(rt, op, 2, &g, err)) < 0 ||
        (rc = mlr_group_add(g, digest_all, in, err)) < 0 ||
        (in->put != NULL && (rc = mlr_group_add(g, put_all, in, err)) < 0))
        goto out;
    n_threads = mlr_group_threads(g);
    in->has_putter = in->put != NULL && n_threads > 1;
    if (!in->has_putter)
        mlr_queue_close(in->full);
    if (n_threads > 0)
        rc = side_by_side(in, g, err);
out:
    mlr_group_free(g);
    mlr_queue_free(in->put_ones);
    mlr_queue_free(in->full);
    mlr_queue_free(in->empty);
    return rc == 0 && n_threads == 0 ? in_turn(in, op, err) : rc;
}

int mlr_intake(mlr_runtime *rt, mlr_reader *r, mlr_intake_fn put, void *user, mlr_op *op, mlr_digest *out,
        mlreg_error **err)
{
    struct intake in = { .reader = r, .put = put, .user = user };
    int rc;

    plan(&in, r->bytes);
    if ((rc = mlr_runtime_memory_take(rt, room_bytes(&in), op, err)) < 0)
        return rc;
    mlr_sha256_init(&in.hash);
    if ((rc = make_room(&in, err)) == 0 &&
        (rc = in.n_slabs > 1 ? on_threads(rt, &in, op, err) : in_turn(&in, op, err)) == 0 &&
        (rc = mlr_reader_unchanged(r, err)) == 0)
        mlr_digest_final(&in.hash, out);
    mlr_free(in.room);
    mlr_runtime_memory_give(rt, room_bytes(&in));
    return rc;
}
