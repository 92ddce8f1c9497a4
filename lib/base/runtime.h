/* base/runtime.h - what sessions share: threads, connections, memory and bandwidth, each a budget. */
#ifndef MLR_BASE_RUNTIME_H
#define MLR_BASE_RUNTIME_H
#include <mlreg.h>
#include <pthread.h>
#include <stdbool.h>
#include "base/op.h"

typedef struct mlreg_runtime mlr_runtime;      /* counted references; any thread */
typedef struct mlr_limits {
    uint32_t threads;          /* of work, per group; MLREG_NONE as uint32: inline */
    uint32_t connections;      /* open at once, over all hosts */
    uint64_t memory_bytes;     /* for slabs in flight */
    uint64_t bytes_per_s;      /* received and sent together; MLREG_NONE: no limit */
    uint32_t waiters;          /* threads of a group that mostly waits for a network. Set by mlr_runtime_new: as many as
                                * connections, or as `threads` if that was given */
} mlr_limits;                  /* a field of 0 is the default: min(cores, 8) but at least 4; 100; 32 MiB; no limit */

/* Below, a NULL runtime is one without limits, except in mlr_runtime_limits. Waits are first come, first served. */
int  mlr_runtime_new(const mlr_limits *limits, mlr_runtime **out, mlreg_error **err);
mlr_runtime *mlr_runtime_ref(mlr_runtime *rt);
bool mlr_runtime_is_ours(const mlr_runtime *rt);               /* not made before a fork(): its locks may be held for ever here */
void mlr_runtime_unref(mlr_runtime *rt);        /* NULL is fine */
const mlr_limits *mlr_runtime_limits(const mlr_runtime *rt);   /* defaults filled in */
/* Waits, unless this thread holds one already: what it copies from one registry to another needs both, and threads that
 * each held one and waited for a second would wait for each other. 0; ECANCELLED; ENOMEM. Given back in the name of the
 * thread that took it, by any. */
int  mlr_runtime_connection_take(mlr_runtime *rt, mlr_op *op, mlreg_error **err);
bool mlr_runtime_connection_spare(mlr_runtime *rt);            /* one more could be had now, and nobody waits for it: a hint */
void mlr_runtime_connection_give(mlr_runtime *rt, pthread_t taker);
int  mlr_runtime_memory_take(mlr_runtime *rt, uint64_t bytes, mlr_op *op, mlreg_error **err); /* waits its turn; more than the whole budget is granted alone. Take at once all that a job needs, and before its connection: two that hold some and wait for more wait for ever */
bool mlr_runtime_memory_try(mlr_runtime *rt, uint64_t bytes);  /* takes it if it is to be had at once */
void mlr_runtime_memory_give(mlr_runtime *rt, uint64_t bytes);
int  mlr_runtime_pace(mlr_runtime *rt, uint64_t bytes, mlr_op *op, mlreg_error **err);        /* sleeps off what exceeds the rate */
#endif
