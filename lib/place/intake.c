/* place/intake.c - bytes on their way in: read, hashed and written in one pass, receiving and hashing on two threads. */
#include "place/intake.h"

#include <stdbool.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/work.h"
#include "codec/sha256.h"

#define SLAB_BYTES ((size_t)1 << 20)
#define SLABS_MAX 4                      /* in flight: one side may be ahead of the other by so much */

struct slab {
    uint64_t offset;
    size_t len;
    uint8_t *data;
};

struct intake {
    mlr_reader *reader;
    mlr_intake_fn put;
    void *user;
    uint8_t *room;                       /* of all slabs */
    struct slab slabs[SLABS_MAX];
    size_t n_slabs, slab_bytes;
    mlr_queue *empty, *full;             /* slabs on their way to be filled, and to be hashed */
    mlr_sha256 hash;                     /* this and the next belong to the side that hashes */
};

static uint64_t room_bytes(const struct intake *in)
{
    return (uint64_t)in->n_slabs * in->slab_bytes;
}

/* Slabs as the blob needs them: one of its size, or some of full size. */
static void plan(struct intake *in, uint64_t bytes)
{
    uint64_t n = bytes / SLAB_BYTES + (bytes % SLAB_BYTES > 0 || bytes == 0);

    in->n_slabs = n < SLABS_MAX ? (size_t)n : SLABS_MAX;
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
    return 0;
}

static int digest(struct intake *in, const struct slab *s, mlr_op *op, mlreg_error **err)
{
    int rc;

    if ((rc = mlr_op_check(op, err)) < 0)
        return rc;
    mlr_sha256_update(&in->hash, s->data, s->len);
    if (in->put != NULL && (rc = in->put(in->user, s->offset, s->data, s->len, err)) < 0)
        return rc;
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

/* The task of the second thread. */
static int digest_all(void *arg, mlr_op *op, mlreg_error **err)
{
    struct intake *in = arg;
    void *slab;
    int rc;

    while ((rc = mlr_queue_take(in->full, &slab, op, err)) > 0)
        if ((rc = digest(in, slab, op, err)) < 0 || (rc = mlr_queue_put(in->empty, slab, op, err)) < 0)
            break;
    return rc;
}

static int fill_all(struct intake *in, mlr_op *op, mlreg_error **err)
{
    struct slab *s;
    void *next;
    int rc;

    for (size_t i = 0; i < in->n_slabs; i++)
        if ((rc = mlr_queue_put(in->empty, &in->slabs[i], op, err)) < 0)
            return rc;
    for (uint64_t at = 0; at < in->reader->bytes; at += s->len) {
        if ((rc = mlr_queue_take(in->empty, &next, op, err)) < 0)
            return rc;
        s = next;
        if ((rc = fill(in, s, at, op, err)) < 0 || (rc = mlr_queue_put(in->full, s, op, err)) < 0)
            return rc;
    }
    mlr_queue_close(in->full);
    return 0;
}

/* `g` has its thread; whoever fails first, this one or that, is the one to be believed. */
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

static int on_two_threads(mlr_runtime *rt, struct intake *in, mlr_op *op, mlreg_error **err)
{
    mlr_group *g = NULL;
    bool has_thread = false;
    int rc;

    if ((rc = mlr_queue_new(SLABS_MAX, &in->empty, err)) < 0 || (rc = mlr_queue_new(SLABS_MAX, &in->full, err)) < 0 ||
        (rc = mlr_group_new(rt, op, 1, &g, err)) < 0 || (rc = mlr_group_add(g, digest_all, in, err)) < 0)
        goto out;
    if ((has_thread = mlr_group_threads(g) > 0))
        rc = side_by_side(in, g, err);
out:
    mlr_group_free(g);
    mlr_queue_free(in->full);
    mlr_queue_free(in->empty);
    return rc == 0 && !has_thread ? in_turn(in, op, err) : rc;
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
        (rc = in.n_slabs > 1 ? on_two_threads(rt, &in, op, err) : in_turn(&in, op, err)) == 0 &&
        (rc = mlr_reader_unchanged(r, err)) == 0)
        mlr_digest_final(&in.hash, out);
    mlr_free(in.room);
    mlr_runtime_memory_give(rt, room_bytes(&in));
    return rc;
}
