/* place/place_parts.h - what every call on a place is checked for; for place*.c alone. */
#ifndef MLR_PLACE_PLACE_PARTS_H
#define MLR_PLACE_PLACE_PARTS_H
#include "place/place.h"

int mlr_place_check_repo(const char *repo, mlreg_error **err);                /* "" is the one of a layout */
int mlr_place_cannot(mlr_place *p, const char *what, mlreg_error **err);      /* ENOTSUP: "a registry cannot …" */
#endif
