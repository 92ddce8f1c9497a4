/* base/remote.c - what the user holds of a call: the flag that cancels it, its counts, the way to report progress. */
#include "base/remote.h"

#include <assert.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bloblog.h"
#include "base/clock.h"
#include "base/error.h"

#define INTERVAL_MS 200          /* between progress calls where the user names none */
#define NOT_STARTED UINT64_MAX

/* What the user holds, shared by every op below it. */
struct mlreg_op {
    atomic_uint refs;
    pid_t pid;                   /* of the process that made it */
    atomic_bool cancelled;
    _Atomic int64_t counts[MLR_N_COUNTERS];
    _Atomic uint64_t started_ms;
    mlr_bloblog blobs;
    mlreg_progress_fn progress;  /* this and the next two change only while no call runs */
    void *user;
    uint32_t interval_ms;
    pthread_mutex_t lock;        /* guards `waits`; the last to be taken, nothing is called under it */
    mlr_op_wait *waits;          /* threads that wait somewhere below */
};

int mlr_remote_new(mlreg_op **out, mlreg_error **err)
{
    mlreg_op *remote = mlr_alloc(sizeof *remote);

    if (remote == NULL)
        return mlr_error_nomem(err);
    atomic_init(&remote->refs, 1);
    remote->pid = getpid();
    atomic_init(&remote->started_ms, NOT_STARTED);
    mlr_bloblog_init(&remote->blobs);
    pthread_mutex_init(&remote->lock, NULL);
    *out = remote;
    return 0;
}

mlreg_op *mlr_remote_ref(mlreg_op *remote)
{
    if (remote != NULL)
        atomic_fetch_add(&remote->refs, 1);
    return remote;
}

bool mlr_remote_is_ours(const mlreg_op *remote)
{
    return remote->pid == getpid();
}

void mlr_remote_free(mlreg_op *remote)
{
    if (remote == NULL || atomic_fetch_sub(&remote->refs, 1) > 1)
        return;
    assert(remote->waits == NULL);
    pthread_mutex_destroy(&remote->lock);
    mlr_bloblog_done(&remote->blobs);
    mlr_free(remote);
}

void mlr_remote_wake(mlreg_op *remote, const mlr_op *served)
{
    pthread_mutex_lock(&remote->lock);
    for (mlr_op_wait *w = remote->waits; w != NULL; w = w->next)
        if (served == NULL || w->served == served)
            pthread_cond_broadcast(w->cond);
    pthread_mutex_unlock(&remote->lock);
}

void mlr_remote_cancel(mlreg_op *remote)
{
    if (remote == NULL)
        return;
    atomic_store(&remote->cancelled, true);
    mlr_remote_wake(remote, NULL);
}

void mlr_remote_on_progress(mlreg_op *remote, mlreg_progress_fn fn, void *user, uint32_t interval_ms)
{
    if (remote == NULL)
        return;
    remote->progress = fn;
    remote->user = user;
    remote->interval_ms = interval_ms;
}

static uint64_t count_of(const mlreg_op *remote, mlr_counter what)
{
    int64_t n = atomic_load(&remote->counts[what]);

    return n < 0 ? 0 : (uint64_t)n;
}

static uint32_t small_count_of(const mlreg_op *remote, mlr_counter what)
{
    uint64_t n = count_of(remote, what);

    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

void mlr_remote_stats(const mlreg_op *remote, mlreg_stats *out)
{
    uint64_t started_ms = atomic_load(&remote->started_ms);

    out->blobs_done = small_count_of(remote, MLR_N_BLOBS_DONE);
    out->blobs_total = small_count_of(remote, MLR_N_BLOBS_TOTAL);
    out->requests = small_count_of(remote, MLR_N_REQUESTS);
    out->retries = small_count_of(remote, MLR_N_RETRIES);
    out->reserved = 0;
    out->bytes_done = count_of(remote, MLR_N_BYTES_DONE);
    out->bytes_total = count_of(remote, MLR_N_BYTES_TOTAL);
    out->bytes_network = count_of(remote, MLR_N_BYTES_NETWORK);
    out->bytes_reused = count_of(remote, MLR_N_BYTES_REUSED);
    out->bytes_resumed = count_of(remote, MLR_N_BYTES_RESUMED);
    out->wait_ms = count_of(remote, MLR_N_US_WAITED) / 1000;
    out->network_ms = count_of(remote, MLR_N_US_MOVED) / 1000;
    out->hash_ms = count_of(remote, MLR_N_US_HASHED) / 1000;
    out->write_ms = count_of(remote, MLR_N_US_WRITTEN) / 1000;
    out->sync_ms = count_of(remote, MLR_N_US_SYNCED) / 1000;
    out->elapsed_ms = started_ms == NOT_STARTED ? 0 : mlr_clock_ms() - started_ms;
}

void mlr_remote_blob_done(mlreg_op *remote, const char *name, uint64_t bytes, uint64_t since_ms)
{
    mlr_bloblog_add(&remote->blobs, name, bytes, since_ms - atomic_load(&remote->started_ms), mlr_clock_ms() - since_ms);
}

bool mlr_remote_blob_at(mlreg_op *remote, size_t i, mlreg_blob_stats *out)
{
    return mlr_bloblog_at(&remote->blobs, i, out);
}

void mlr_remote_start(mlreg_op *remote)
{
    uint64_t never = NOT_STARTED;

    atomic_compare_exchange_strong(&remote->started_ms, &never, mlr_clock_ms());
}

bool mlr_remote_cancelled(const mlreg_op *remote)
{
    return atomic_load(&remote->cancelled);
}

bool mlr_remote_has_progress(const mlreg_op *remote)
{
    return remote->progress != NULL;
}

uint32_t mlr_remote_interval_ms(const mlreg_op *remote)
{
    return remote->interval_ms > 0 ? remote->interval_ms : INTERVAL_MS;
}

void mlr_remote_report(mlreg_op *remote)
{
    if (remote->progress != NULL && remote->progress(remote, remote->user) != 0)
        mlr_remote_cancel(remote);
}

void mlr_remote_count(mlreg_op *remote, mlr_counter what, int64_t n)
{
    atomic_fetch_add(&remote->counts[what], n);
}

void mlr_remote_wait_begin(mlreg_op *remote, mlr_op_wait *w)
{
    pthread_mutex_lock(&remote->lock);
    w->next = remote->waits;
    remote->waits = w;
    pthread_mutex_unlock(&remote->lock);
}

void mlr_remote_wait_end(mlreg_op *remote, mlr_op_wait *w)
{
    mlr_op_wait **at;

    pthread_mutex_lock(&remote->lock);
    for (at = &remote->waits; *at != w; at = &(*at)->next)
        ;
    *at = w->next;
    pthread_mutex_unlock(&remote->lock);
}
