/* model/carry.h - one blob from one place to another, by the cheapest way there is. */
#ifndef MLR_MODEL_CARRY_H
#define MLR_MODEL_CARRY_H
#include "place/place.h"

/* A blob that a store leaves where it is: noted there instead of moved. 1; 0: it must be moved after all, for `to` keeps no such records,
 * has it, or nobody else could find `from`. */
int mlr_carry_leave(mlr_place *from, const mlr_blob *a, mlr_place *to, const mlr_blob *b, mlr_op *op, mlreg_error **err);
/* There already, mounted, or moved: 0, and its bytes are counted. `a` and `b` are the same content under both repositories' names. Wrong bytes are the
 * doing of `from`. What `from` lacks by design comes from where it is; to another such store only the record goes. */
int mlr_carry(mlr_place *from, const mlr_blob *a, mlr_place *to, const mlr_blob *b, mlr_op *op, mlreg_error **err);
/* A foreign layer that stays where it is: 0. Where records are kept, one is, with its address. */
int mlr_carry_leave_foreign(mlr_place *from, const mlr_blob *a, const char *url, mlr_place *to, const mlr_blob *b, mlr_op *op, mlreg_error **err);
/* A foreign layer that is wanted all the same: as any other, and where nobody has it, from one of its addresses. */
int mlr_carry_foreign(mlr_place *from, const mlr_blob *a, const mlr_descriptor *d, mlr_place *to, const mlr_blob *b, mlr_op *op, mlreg_error **err);
#endif
