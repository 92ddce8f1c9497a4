/* place/inflight.h - content that a session has in flight, noted where gc of any process sees it and leaves it alone. */
#ifndef MLR_PLACE_INFLIGHT_H
#define MLR_PLACE_INFLIGHT_H
#include "base/lock.h"
#include "place/digestmap.h"

/* Two things work together. The gate: a writer passes it (shared) for the moment in which it looks whether content is there, or puts it
 * there, and notes it; gc holds it (exclusive) from reading the notes to the last removal. The notes: a file of digests for each session
 * that writes, locked as long as the session lives; one whose lock is free belonged to a process that has died. */
typedef struct mlr_inflight mlr_inflight;      /* of one open place; any thread */
/* `dir` is where the notes are kept, `gate` the path of a file or directory to lock. Nothing is written before the first hold. */
int  mlr_inflight_new(const char *dir, const char *gate, mlr_inflight **out, mlreg_error **err);
void mlr_inflight_free(mlr_inflight *l);       /* and with it all that was held; NULL is fine */
int  mlr_inflight_enter(mlr_inflight *l, mlr_op *op, mlr_lock *gate, mlreg_error **err);   /* EBUSY after a minute */
/* Inside the gate. In the name of a repository ("" in a layout of its own), for its manifests protect what they name in it alone; as often as
 * released: two copies may need the same content. */
int  mlr_inflight_hold(mlr_inflight *l, const char *repo, const mlr_digest *d, mlreg_error **err);
int  mlr_inflight_release(mlr_inflight *l, const char *repo, const mlr_digest *d, mlreg_error **err);      /* not held is fine */

/* For gc, with the gate held: all that anybody holds, into `out`. Notes of the dead are removed. */
int  mlr_inflight_collect(const char *dir, mlr_op *op, mlr_digestmap *out, mlreg_error **err);
bool mlr_inflight_is_notes(const char *name);  /* whether a file in `dir` is one of these: the others leave it alone */
#endif
