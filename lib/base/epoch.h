/* base/epoch.h - SOURCE_DATE_EPOCH: the one time that goes into what is built, so that the same inputs give the same bytes. */
#ifndef MLR_BASE_EPOCH_H
#define MLR_BASE_EPOCH_H
#include <mlreg.h>

/* Seconds since 1970, 0 where the variable is not set. EINVAL for what is no number, or more than `max`. */
int mlr_epoch(int64_t max, int64_t *out, mlreg_error **err);
#endif
