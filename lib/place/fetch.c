/* place/fetch.c - one blob into a file: who does it, how it begins and ends. */
#include <assert.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "codec/together.h"
#include "place/fetch_parts.h"
#include "place/intake.h"
#include "place/partial.h"

#define LEAST_BYTES (2 * MLR_SLAB_BYTES)        /* less is received over one connection before a second one is ready */
#define ROOM_BYTES  (MLR_FETCH_CHUNKS * MLR_CHUNK_BYTES)
#define LOOK_MS     25

void mlr_fetch_fail(mlr_fetch_state *f, int rc, mlreg_error **err)
{
    pthread_mutex_lock(&f->lock);
    if (f->rc == 0) {
        f->rc = rc;
        mlr_error_move(&f->err, err);
    }
    pthread_cond_broadcast(&f->changed);
    pthread_cond_broadcast(&f->nearer);
    pthread_cond_broadcast(&f->news);
    pthread_mutex_unlock(&f->lock);
    mlr_op_cancel(f->op);
    mlr_error_move(NULL, err);
}

/* ---- one connection, in order ---- */

typedef struct sink {
    int         fd;
    const char *name;
    bool        is_large;
} sink;

static int put_in_order(void *user, uint64_t offset, const void *data, size_t len, mlreg_error **err)
{
    const sink *s = user;
    int         rc = mlr_fs_write_at(s->fd, offset, data, len, s->name, err);

    if (rc == 0 && s->is_large)
        mlr_fs_write_behind(s->fd, offset, len);        /* or the sync at the end would find all of it waiting */
    return rc;
}

static int in_order(mlr_runtime *rt, mlr_reader *r, int fd, const char *name, mlr_op *op, mlr_digest *out,
                    mlreg_error **err)
{
    sink s = { fd, name, r->bytes > MLR_CHUNK_BYTES };
    int  rc;

    mlr_sha256_together_join();
    rc = mlr_intake(rt, r, put_in_order, &s, op, out, err);
    mlr_sha256_together_leave();
    return rc;
}

/* ---- several ---- */

static void have_what_is_there(mlr_fetch_state *f)
{
    uint64_t had = 0;

    for (size_t i = 0; i < f->slabs.n; i++) {
        uint32_t there = mlr_partial_there(f->partial, i, &f->sums[i]);

        mlr_slabs_have(&f->slabs, i, there);
        had += there;
        if (there > 0 && there < mlr_slabs_length(&f->slabs, i))
            f->begun[f->n_begun++] = (uint32_t)i;
    }
    mlr_partial_midstate(f->partial, &f->hash);
    f->midstate = f->hash;
    f->handed = f->hashed = f->hash.bytes;
    f->seen.all_bytes -= had;
    mlr_reader_had(f->reader, had, f->op);
    mlr_op_count(f->op, MLR_N_BYTES_RESUMED, (int64_t)had);
}

static int make_queues(mlr_fetch_state *f, mlreg_error **err)
{
    size_t n = sizeof f->chunks / sizeof f->chunks[0];
    int    rc;

    if ((rc = mlr_queue_new(n, &f->empty, err)) < 0 || (rc = mlr_queue_new(n, &f->full, err)) < 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < MLR_FETCH_CHUNKS; i++)
        rc = mlr_fetch_chunk_more(f, err);
    return rc;
}

static unsigned connections_of(const mlr_fetch_state *f)
{
    uint32_t n = f->rt != NULL ? mlr_runtime_limits(f->rt)->connections : MLR_RUNS_MAX;

    return n < MLR_RUNS_MAX ? n : MLR_RUNS_MAX;
}

static int make_parts(mlr_fetch_state *f, mlr_op *op, mlreg_error **err)
{
    int rc;

    if ((rc = mlr_op_child(op, &f->op, err)) < 0 || (rc = mlr_slabs_init(&f->slabs, f->reader->bytes, err)) < 0)
        return rc;
    if ((f->sums = mlr_alloc_array(f->slabs.n, sizeof *f->sums)) == NULL ||
        (f->begun = mlr_alloc_array(f->slabs.n, sizeof *f->begun)) == NULL)
        return mlr_error_nomem(err);
    if ((rc = make_queues(f, err)) < 0 || (rc = mlr_group_new(f->rt, f->op, 2, &f->workers, err)) < 0 ||
        (rc = mlr_group_new(NULL, f->op, connections_of(f), &f->lines_group, err)) < 0)
        return rc;
    mlr_sha256_init(&f->hash);
    f->seen.all_bytes = f->reader->bytes;
    if (f->partial != NULL)
        have_what_is_there(f);
    return 0;
}

/* It failed, but what came stays. */
static void keep_for_later(mlr_fetch_state *f)
{
    pthread_mutex_lock(&f->lock);
    while (mlr_fetch_note(f, true, NULL) == 1)
        continue;
    pthread_mutex_unlock(&f->lock);
}

/* The caller's thread: progress, the journal, the number of connections. */
static int watch(mlr_fetch_state *f, mlr_op *op, mlreg_error **err)
{
    uint64_t looked_ms = mlr_clock_ms();
    int      rc = 0;

    pthread_mutex_lock(&f->lock);
    f->seen.ms = looked_ms;
    mlr_width_init(&f->width, connections_of(f), &f->seen);
    while (rc >= 0 && f->rc == 0 && !f->is_done) {
        if ((rc = mlr_fetch_note(f, false, err)) == 0 && (rc = mlr_fetch_sync(f, err)) == 0)
            rc = mlr_work_wait_ms(&f->news, &f->lock, LOOK_MS, op, err);
        if (rc >= 0 && mlr_clock_ms() - looked_ms >= LOOK_MS) {
            mlr_fetch_width_adjust(f);
            looked_ms = mlr_clock_ms();
        }
    }
    pthread_mutex_unlock(&f->lock);
    return rc < 0 ? rc : 0;
}

/* Both workers run on threads, or nothing has begun. */
static int begin_workers(mlr_fetch_state *f, mlreg_error **err)
{
    int rc;

    if ((rc = mlr_group_add(f->workers, mlr_fetch_put, f, err)) < 0 ||
        (rc = mlr_group_add(f->workers, mlr_fetch_hash, f, err)) < 0 || mlr_group_threads(f->workers) < 2)
        return rc;
    if ((rc = mlr_fetch_lines_begin(f, err)) < 0)
        return rc;
    return mlr_group_threads(f->lines_group) > 0;
}

static int move_all(mlr_fetch_state *f, mlr_op *op, mlreg_error **err)
{
    mlreg_error *why = NULL;
    int          rc = begin_workers(f, &why);

    if (rc == 1)
        rc = watch(f, op, &why) < 0 ? -1 : 1;
    if (why != NULL)
        mlr_fetch_fail(f, why->code, &why);
    mlr_queue_close(f->full);
    if (rc <= 0 || f->rc < 0)
        mlr_op_cancel(f->op);
    mlr_group_wait(f->lines_group, NULL);
    mlr_group_wait(f->workers, NULL);
    if (rc == 0 || f->rc == 0)              /* for want of threads nothing has come; that a worker was stopped then is no failure */
        return rc;
    keep_for_later(f);
    mlr_error_move(err, &f->err);
    return f->rc;
}

static void release(mlr_fetch_state *f)
{
    mlr_group_free(f->lines_group);
    mlr_group_free(f->workers);
    mlr_fetch_width_done(f);
    mlr_queue_free(f->empty);
    mlr_queue_free(f->full);
    mlr_slabs_done(&f->slabs);
    mlr_free(f->begun);
    mlr_free(f->sums);
    if (f->op != NULL)
        mlr_op_end(f->op);
    mlr_error_done(f->err);
    pthread_cond_destroy(&f->news);
    pthread_cond_destroy(&f->nearer);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    mlr_free(f);
}

/* 1: done; 0: there are no threads for it. */
static int side_by_side(mlr_runtime *rt, mlr_reader *r, int fd, const char *name, mlr_partial *p, mlr_op *op,
                        mlr_digest *out, mlreg_error **err)
{
    mlr_fetch_state *f = mlr_alloc(sizeof *f);
    int              rc;

    if (f == NULL)
        return mlr_error_nomem(err);
    f->rt = rt;
    f->reader = r;
    f->fd = fd;
    f->name = name;
    f->partial = p;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    pthread_cond_init(&f->news, NULL);
    pthread_cond_init(&f->nearer, NULL);
    if ((rc = make_parts(f, op, err)) == 0 && (rc = move_all(f, op, err)) == 1 &&
        (rc = mlr_reader_unchanged(r, err)) == 0) {
        mlr_digest_final(&f->hash, out);
        rc = 1;
    }
    release(f);
    return rc;
}

int mlr_fetch(mlr_runtime *rt, mlr_reader *r, int fd, const char *name, mlr_partial *p, mlr_op *op, mlr_digest *out,
              mlreg_error **err)
{
    int rc;

    if (r->bytes < LEAST_BYTES || !mlr_reader_has_twins(r) ||
        (rt != NULL && mlr_runtime_limits(rt)->threads == (uint32_t)MLREG_NONE))
        return in_order(rt, r, fd, name, op, out, err);
    if ((rc = mlr_runtime_memory_take(rt, ROOM_BYTES, op, err)) < 0)
        return rc;
    rc = side_by_side(rt, r, fd, name, p, op, out, err);
    mlr_runtime_memory_give(rt, ROOM_BYTES);
    if (rc == 0)
        return in_order(rt, r, fd, name, op, out, err);
    return rc < 0 ? rc : 0;
}
