/* base/op.h - one call in progress: cancellation, progress, statistics, errands for the caller's thread. */
#ifndef MLR_BASE_OP_H
#define MLR_BASE_OP_H
#include <mlreg.h>
#include <pthread.h>
#include <stdbool.h>

/* The remote control that the public mlreg_op handle is. Counters and flag are atomic. */
int  mlr_remote_new(mlreg_op **out, mlreg_error **err);
void mlr_remote_cancel(mlreg_op *remote);
void mlr_remote_on_progress(mlreg_op *remote, mlreg_progress_fn fn, void *user, uint32_t interval_ms);
void mlr_remote_stats(const mlreg_op *remote, mlreg_stats *out);   /* every field but `size` */
bool mlr_remote_blob_at(mlreg_op *remote, size_t i, mlreg_blob_stats *out);   /* likewise; false past the last */
mlreg_op *mlr_remote_ref(mlreg_op *remote);                         /* counted: a stream keeps its op alive */
bool mlr_remote_is_ours(const mlreg_op *remote);                   /* not made before a fork(): its locks may be held for ever here */
void mlr_remote_free(mlreg_op *remote);                             /* one reference; NULL is fine */

/* One public call, on the thread that made it; or a group of tasks inside one. Any function takes NULL for "nobody
 * watches, nothing cancels". */
typedef struct mlr_op mlr_op;
int  mlr_op_begin(mlreg_op *remote, mlr_op **out, mlreg_error **err);   /* remote may be NULL; its counts add up. ESTATE: made before a fork() */
void mlr_op_end(mlr_op *op);                                            /* a last progress call unless cancelled, then gone; of a child: just gone */
int  mlr_op_child(mlr_op *parent, mlr_op **out, mlreg_error **err);     /* cancelled with its parent, or alone; gone before it */
void mlr_op_cancel(mlr_op *op);                                         /* and wakes every wait below it */
bool mlr_op_cancelled(const mlr_op *op);
/* 0 or ECANCELLED. On the caller's thread it also does what is due: progress, errands. To be called before each
 * request, chunk and wait. */
int  mlr_op_check(mlr_op *op, mlreg_error **err);
int  mlr_op_sleep(mlr_op *op, uint64_t ms, mlreg_error **err);          /* 0 after the time; ECANCELLED at once */

/* Runs fn(arg) on the thread that made the public call and waits for it: how callbacks of the user are reached from
 * workers. Its return value comes back; ECANCELLED if the call ends first. */
typedef int (*mlr_errand_fn)(void *arg, mlreg_error **err);
int  mlr_op_on_caller(mlr_op *op, mlr_errand_fn fn, void *arg, mlreg_error **err);
/* The same without waiting, for what is only told: it has run when mlr_op_end returns, also if the call is cancelled. `arg` is of
 * mlr_alloc, and taken over. */
void mlr_op_post(mlr_op *op, mlr_errand_fn fn, void *arg);

typedef enum mlr_counter { MLR_N_BLOBS_DONE, MLR_N_BLOBS_TOTAL, MLR_N_REQUESTS, MLR_N_RETRIES, MLR_N_BYTES_DONE,
    MLR_N_BYTES_TOTAL, MLR_N_BYTES_NETWORK, MLR_N_BYTES_REUSED, MLR_N_BYTES_RESUMED,
    MLR_N_US_WAITED, MLR_N_US_MOVED, MLR_N_US_HASHED, MLR_N_US_WRITTEN, MLR_N_US_SYNCED,   /* by all threads together */
    MLR_N_COUNTERS } mlr_counter;
void mlr_op_count(mlr_op *op, mlr_counter what, int64_t n);             /* n < 0 takes back */
void mlr_op_spent(mlr_op *op, mlr_counter what, uint64_t since_us);     /* on this thread, since that time of mlr_clock_us */
void mlr_op_blob_done(mlr_op *op, const char *name, uint64_t bytes, uint64_t since_ms);   /* counts and notes it; it began at that time of mlr_clock_ms */

/* For base/work alone, which does all the waiting. Begin notes that this thread is about to wait on w->cond, so that a
 * cancel or an errand wakes it, and tells for how many ms at most; 0: do not wait, mlr_op_check has something to do. */
typedef struct mlr_op_wait {
    pthread_cond_t *cond;
    const mlr_op *served;                       /* the call whose caller waits here, or NULL */
    struct mlr_op_wait *next;
} mlr_op_wait;
uint64_t mlr_op_wait_begin(mlr_op *op, mlr_op_wait *w);
void mlr_op_wait_end(mlr_op *op, mlr_op_wait *w);
void mlr_op_rearm(mlr_op *child);                       /* takes back its own cancel, once nothing of it runs any more */
#endif
