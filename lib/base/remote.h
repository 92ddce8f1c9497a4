/* base/remote.h - what op.c asks of the user's handle; everybody else uses op.h. */
#ifndef MLR_BASE_REMOTE_H
#define MLR_BASE_REMOTE_H
#include "base/op.h"

void mlr_remote_start(mlreg_op *remote);                /* its clock, unless it runs */
bool mlr_remote_cancelled(const mlreg_op *remote);
void mlr_remote_count(mlreg_op *remote, mlr_counter what, int64_t n);
void mlr_remote_blob_done(mlreg_op *remote, const char *name, uint64_t bytes, uint64_t since_ms);

bool mlr_remote_has_progress(const mlreg_op *remote);
uint32_t mlr_remote_interval_ms(const mlreg_op *remote);
void mlr_remote_report(mlreg_op *remote);               /* calls the user, who may cancel by the answer */

/* Who waits below this handle. Between begin and end w->cond is there to be woken. */
void mlr_remote_wait_begin(mlreg_op *remote, mlr_op_wait *w);
void mlr_remote_wait_end(mlreg_op *remote, mlr_op_wait *w);
void mlr_remote_wake(mlreg_op *remote, const mlr_op *served);   /* the caller of that call; NULL: everybody */
#endif
