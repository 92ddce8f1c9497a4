/* place/fsck.h - reading everything, naming what is broken, mending what can be mended. */
#ifndef MLR_PLACE_FSCK_H
#define MLR_PLACE_FSCK_H
#include "place/place.h"

int mlr_fsck_run(mlr_place *p, uint32_t flags, mlr_op *op, mlr_list *problems, mlreg_error **err);   /* of a place on disk */
#endif
