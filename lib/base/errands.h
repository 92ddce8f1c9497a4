/* base/errands.h - what workers want done on another thread, first come first served. For base/op alone. */
#ifndef MLR_BASE_ERRANDS_H
#define MLR_BASE_ERRANDS_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "base/op.h"

/* Lives on the worker's stack, and of its own where nobody waits for it. */
typedef struct mlr_errand {
    mlr_errand_fn fn;
    void *arg;
    mlreg_error *err;
    int rc;
    bool is_posted;              /* nobody waits */
    enum { MLR_ERRAND_QUEUED, MLR_ERRAND_RUNNING, MLR_ERRAND_RAN } state;
    struct mlr_errand *next;
} mlr_errand;
typedef struct mlr_errands {
    pthread_mutex_t lock;        /* guards all but `any` */
    pthread_cond_t ran;
    mlr_errand *first, **last;
    size_t n_posted;
    atomic_bool any;
} mlr_errands;
void mlr_errands_init(mlr_errands *all);
void mlr_errands_done(mlr_errands *all);                     /* none may be left */
bool mlr_errands_any(const mlr_errands *all);

/* With the lock held, by who waits on `ran` for its own. */
void mlr_errands_add(mlr_errands *all, mlr_errand *e);
void mlr_errands_withdraw(mlr_errands *all, mlr_errand *e);  /* one that is queued still */
/* Nobody waits; takes `arg`, of mlr_alloc, over. false: too many are kept, or no memory; `arg` is the caller's still. */
bool mlr_errands_post(mlr_errands *all, mlr_errand_fn fn, void *arg);

/* For the thread that runs them: the next one, which counts as running until it is said that it ran. NULL: none. */
mlr_errand *mlr_errands_next(mlr_errands *all);
void mlr_errands_ran(mlr_errands *all, mlr_errand *e);
#endif
