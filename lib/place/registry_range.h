/* place/registry_range.h - a part of a blob, held against what was asked for. */
#ifndef MLR_PLACE_REGISTRY_RANGE_H
#define MLR_PLACE_REGISTRY_RANGE_H
#include "net/http.h"

/* A 206 must be what was asked for: from `offset`, to `*end` at most, of a blob of `bytes` (THREATS.md A4). 0 and where it ends;
 * EPROTO. */
int mlr_range_check(const mlr_exchange *x, const char *name, uint64_t bytes, uint64_t offset, uint64_t *end,
        mlreg_error **err);
#endif
