/* place/descriptor_parts.h - what the files of the room descriptor share. */
#ifndef MLR_PLACE_DESCRIPTOR_PARTS_H
#define MLR_PLACE_DESCRIPTOR_PARTS_H
#include "place/descriptor.h"

int mlr_descriptor_text(const char *s, char **out, mlreg_error **err);   /* a copy; of NULL nothing */
#endif
