/* place/fetch_flow.c - chunks on their way through: written where they belong, then hashed in turn. */
#include <assert.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "codec/together.h"
#include "codec/xxh.h"
#include "place/fetch_parts.h"

#define HASHED_AT_ONCE (MLR_FETCH_CHUNKS / 2)       /* chunks */

/* ---- put ---- */

/* In turn: to be hashed while it is hot. True if it was; else it waits in the file. */
static bool hand_on(mlr_fetch_state *f, mlr_chunk *c)
{
    if (c->offset != f->handed)
        return false;
    f->handed += c->len;
    c->next = NULL;
    if (f->first == NULL)
        f->first = c;
    else
        f->last->next = c;
    f->last = c;
    return true;
}

/* It is in the file. 1: and on its way to be hashed. */
static int note(mlr_fetch_state *f, mlr_chunk *c, uint64_t sum, mlreg_error **err)
{
    size_t i = (size_t)(c->offset / MLR_SLAB_BYTES);
    bool   is_handed;
    int    rc;

    pthread_mutex_lock(&f->lock);
    if (f->slabs.slabs[i].there == 0)
        f->begun[f->n_begun++] = (uint32_t)i;
    mlr_slabs_put(&f->slabs, c->offset, c->len);
    f->sums[i] = mlr_xxh3_join(f->sums[i], sum);
    is_handed = hand_on(f, c);
    pthread_cond_broadcast(&f->changed);
    rc = mlr_fetch_note(f, false, err);
    pthread_mutex_unlock(&f->lock);
    return rc < 0 ? rc : is_handed;
}

static int put(mlr_fetch_state *f, mlr_chunk *c, mlr_op *op, mlreg_error **err)
{
    uint64_t sum = f->partial != NULL ? mlr_xxh3(c->data, c->len) : 0, from_us = mlr_clock_us();
    int      rc = mlr_fs_write_at(f->fd, c->offset, c->data, c->len, f->name, err);

    if (rc < 0)
        return rc;
    mlr_fs_write_behind(f->fd, c->offset, c->len);      /* or the sync at the end would find all of it waiting */
    mlr_op_spent(op, MLR_N_US_WRITTEN, from_us);
    if ((rc = note(f, c, sum, err)) != 0)
        return rc < 0 ? rc : 0;
    return mlr_queue_put(f->empty, c, op, err);
}

int mlr_fetch_put(void *fetch, mlr_op *op, mlreg_error **err)
{
    mlr_fetch_state *f = fetch;
    mlreg_error     *why = NULL;
    void            *c;
    int              rc;

    (void)err;
    while ((rc = mlr_queue_take(f->full, &c, op, &why)) > 0)
        if ((rc = put(f, c, op, &why)) < 0)
            break;
    if (rc < 0)
        mlr_fetch_fail(f, rc, &why);
    return 0;
}

/* ---- hash ---- */

static void hash(mlr_fetch_state *f, const mlr_sha256_piece *pieces, size_t n)
{
    uint64_t from_us = mlr_clock_us();

    mlr_sha256_pieces_together(&f->hash, pieces, n);
    mlr_op_spent(f->op, MLR_N_US_HASHED, from_us);
}

/* Several at a time, so that those of other blobs can go beside them; the others are left, to be filled meanwhile. */
static size_t take_in_turn(mlr_fetch_state *f, mlr_chunk *chunks[], mlr_sha256_piece pieces[])
{
    size_t n = 0;

    for (; n < HASHED_AT_ONCE && f->first != NULL; n++) {
        chunks[n] = f->first;
        pieces[n] = (mlr_sha256_piece){ f->first->data, f->first->len };
        f->first = f->first->next;
        if (chunks[n]->offset / MLR_SLAB_BYTES != (chunks[n]->offset + chunks[n]->len) / MLR_SLAB_BYTES)
            return n + 1;                           /* the state at a slab's end is worth keeping */
    }
    return n;
}

static int hash_next(mlr_fetch_state *f, mlr_op *op, mlreg_error **err)
{
    mlr_chunk       *chunks[HASHED_AT_ONCE];
    mlr_sha256_piece pieces[HASHED_AT_ONCE];
    size_t           n = take_in_turn(f, chunks, pieces);
    uint64_t         len = 0;
    int              rc = 0;

    pthread_mutex_unlock(&f->lock);
    hash(f, pieces, n);
    for (size_t i = 0; i < n; i++) {
        int put = mlr_queue_put(f->empty, chunks[i], op, rc == 0 ? err : NULL);

        rc = rc == 0 ? put : rc;
        len += pieces[i].len;
    }
    pthread_mutex_lock(&f->lock);
    f->hashed += len;
    return rc;
}

/* What came before its turn. */
static int hash_from_file(mlr_fetch_state *f, void *room, uint64_t there, mlreg_error **err)
{
    size_t   len = there < MLR_CHUNK_BYTES ? (size_t)there : MLR_CHUNK_BYTES;
    uint64_t at = f->hashed;
    int64_t  n;

    f->handed = at + len;
    pthread_mutex_unlock(&f->lock);
    n = mlr_fs_read_at(f->fd, at, room, len, f->name, err);
    if (n == (int64_t)len)
        hash(f, &(mlr_sha256_piece){ room, len }, 1);
    else if (n >= 0)
        n = mlr_error_set(err, MLREG_EIO, "%s changed while it was written", f->name);
    pthread_mutex_lock(&f->lock);
    f->hashed += len;
    return n < 0 ? (int)n : 0;
}

static int hash_some(mlr_fetch_state *f, void *room, mlr_op *op, mlreg_error **err)
{
    uint64_t there;

    if (f->first != NULL)
        return hash_next(f, op, err);
    assert(f->handed == f->hashed);
    if ((there = mlr_slabs_there(&f->slabs, f->hashed)) > 0)
        return hash_from_file(f, room, there, err);
    return mlr_work_wait(&f->changed, &f->lock, op, err);
}

static int hash_all(mlr_fetch_state *f, void *room, mlr_op *op, mlreg_error **err)
{
    int rc = 0;

    pthread_mutex_lock(&f->lock);
    while (rc == 0 && f->hashed < f->slabs.bytes)
        if ((rc = hash_some(f, room, op, err)) == 0 && f->hashed % MLR_SLAB_BYTES == 0) {
            f->midstate = f->hash;
            pthread_cond_broadcast(&f->nearer);
        }
    f->is_done = rc == 0;
    pthread_cond_broadcast(&f->changed);
    pthread_cond_broadcast(&f->news);
    pthread_mutex_unlock(&f->lock);
    return rc;
}

int mlr_fetch_hash(void *fetch, mlr_op *op, mlreg_error **err)
{
    mlr_fetch_state *f = fetch;
    mlreg_error     *why = NULL;
    void            *room = mlr_alloc(MLR_CHUNK_BYTES);
    int              rc;

    (void)err;
    mlr_sha256_together_join();
    rc = room != NULL ? hash_all(f, room, op, &why) : mlr_error_nomem(&why);
    mlr_sha256_together_leave();
    mlr_free(room);
    if (rc < 0)
        mlr_fetch_fail(f, rc, &why);
    return 0;
}
