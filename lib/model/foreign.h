/* model/foreign.h - layers that are not to be distributed, from where they are: for whoever was asked to fetch them all the same. */
#ifndef MLR_MODEL_FOREIGN_H
#define MLR_MODEL_FOREIGN_H
#include "place/place.h"

/* What is done with the bytes, of which nothing is verified yet; *r may be taken over, and is NULL then. */
typedef int (*mlr_foreign_take)(void *user, mlr_reader **r, mlr_op *op, mlreg_error **err);
/* A layer that `from` lacks, from one of its addresses: the first that gives what `take` gives 0 for. Who asks is the registry that named it, `from` or the one
 * in its record, which may have the layer itself after all; else a stranger, whom addresses of this machine and its network are closed to. */
int mlr_foreign_bring(mlr_place *from, const mlr_blob *a, const mlr_descriptor *d, mlr_runtime *rt, mlr_foreign_take take, void *user, mlr_op *op, mlreg_error **err);
/* A reader's bytes fail in the hands of another place: wrong ones are still the doing of where they came from, unless the other end of a line says that they
 * did not arrive. Moves *why to `err`, gives rc. */
int mlr_foreign_blame(const mlr_place *from, int rc, mlreg_error **err, mlreg_error **why);
#endif
