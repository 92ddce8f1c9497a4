/* place/gc.h - taking away content that nothing names. */
#ifndef MLR_PLACE_GC_H
#define MLR_PLACE_GC_H
#include "place/place.h"

int mlr_gc_run(mlr_place *p, const mlreg_gc_options *o, mlr_op *op, mlreg_gc_report *out, mlreg_error **err);   /* of a place on disk */
#endif
