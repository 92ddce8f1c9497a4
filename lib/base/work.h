/* base/work.h - tasks on threads: the only room that starts threads or waits for them. */
#ifndef MLR_BASE_WORK_H
#define MLR_BASE_WORK_H
#include <mlreg.h>
#include <pthread.h>
#include "base/op.h"
#include "base/runtime.h"

/* A group runs tasks on at most `width` threads of its own (all signals blocked), in the order they were added. The
 * first failure cancels the others and is what wait returns; a task that was cancelled by that never replaces it. What
 * had not begun by then is left out. Where the runtime allows fewer threads, or the system gives none, fewer or the one
 * that waits do the work: whoever talks with tasks through a queue must see first that they have threads to run on. */
typedef struct mlr_group mlr_group;
typedef int (*mlr_task_fn)(void *arg, mlr_op *op, mlreg_error **err);
int  mlr_group_new(mlr_runtime *rt, mlr_op *op, unsigned width, mlr_group **out, mlreg_error **err); /* 0: inline, at wait */
/* For tasks that wait for others more than they work: the runtime's waiters are the most, not its threads. It begins with 16 threads, and
 * has all of them once most tasks take as long as a round trip to somewhere far. */
int  mlr_group_new_waiting(mlr_runtime *rt, mlr_op *op, unsigned width, mlr_group **out, mlreg_error **err);
int  mlr_group_add(mlr_group *g, mlr_task_fn fn, void *arg, mlreg_error **err);  /* any thread, tasks included; `arg` outlives wait */
int  mlr_group_wait(mlr_group *g, mlreg_error **err);   /* meanwhile does the caller's progress and errands; then add may be used again */
unsigned mlr_group_threads(mlr_group *g);               /* it has at this moment; 0: what was added waits for mlr_group_wait */
mlr_op *mlr_group_op(mlr_group *g);                     /* what its tasks get: for work beside them that is to end with them */
void mlr_group_free(mlr_group *g);                      /* cancels and joins what still runs; NULL is fine */

/* Pointers handed from thread to thread, at most `room` at a time. */
typedef struct mlr_queue mlr_queue;
int  mlr_queue_new(size_t room, mlr_queue **out, mlreg_error **err);
int  mlr_queue_put(mlr_queue *q, void *item, mlr_op *op, mlreg_error **err);    /* waits for room; ECANCELLED; ESTATE once closed */
int  mlr_queue_take(mlr_queue *q, void **item, mlr_op *op, mlreg_error **err);  /* 1; 0 closed and empty; ECANCELLED */
void mlr_queue_close(mlr_queue *q);                     /* no more puts; takes drain it */
void mlr_queue_free(mlr_queue *q);                      /* NULL is fine; items are not its own */

/* Waits once, to be called in a loop until the condition is true: 0 means "look again", often for no reason, or ECANCELLED.
 * The mutex is held on entry and return, and let go meanwhile, also to do the caller's progress and errands. Woken by
 * broadcast and by cancel. With a NULL op a plain wait. */
int  mlr_work_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, mlr_op *op, mlreg_error **err);
int  mlr_work_wait_ms(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t ms, mlr_op *op, mlreg_error **err); /* likewise, `ms` at most */

/* The seam: what starts a thread, as pthread_create does. NULL: the system. */
typedef int (*mlr_thread_start)(pthread_t *thread, void *(*run)(void *), void *arg);
void mlr_work_use(mlr_thread_start start);
#endif
