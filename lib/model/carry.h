/* model/carry.h - one blob from one place to another, by the cheapest way there is. */
#ifndef MLR_MODEL_CARRY_H
#define MLR_MODEL_CARRY_H
#include "place/place.h"

/* There already, mounted, or moved: 0, and counted. `a` and `b` are the same content under both repositories' names. Wrong bytes are the
 * doing of `from`. */
int mlr_carry(mlr_place *from, const mlr_blob *a, mlr_place *to, const mlr_blob *b, mlr_op *op, mlreg_error **err);
#endif
