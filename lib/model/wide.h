/* model/wide.h - a group for many blobs at once: the large few at a time, the small over as many connections as they are worth. */
#ifndef MLR_MODEL_WIDE_H
#define MLR_MODEL_WIDE_H
#include "base/work.h"

/* What waits for a network answers to latency, not to work: a thousand small layers over four connections wait for it a thousand times.
 * So where one end is far, small blobs get a thread and a connection for each ten of them, as the runtime allows; how many large ones
 * move at once stays as elsewhere, for more would only be slower each. */
typedef struct mlr_wide mlr_wide;
int  mlr_wide_new(mlr_runtime *rt, mlr_op *op, size_t n_tasks, bool far, mlr_wide **out, mlreg_error **err);
mlr_group *mlr_wide_group(mlr_wide *w);        /* to add tasks to and to wait for */
/* Around the work of a task, once its size is known: waits while too many large ones are at work. 0 or ECANCELLED. */
int  mlr_wide_enter(mlr_wide *w, uint64_t bytes, mlr_op *op, mlreg_error **err);
void mlr_wide_leave(mlr_wide *w, uint64_t bytes);   /* if enter gave 0 */
void mlr_wide_free(mlr_wide *w);               /* NULL is fine */
#endif
