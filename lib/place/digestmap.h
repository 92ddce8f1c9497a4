/* place/digestmap.h - digests, each with a number: sets, counts and indices of content. */
#ifndef MLR_PLACE_DIGESTMAP_H
#define MLR_PLACE_DIGESTMAP_H
#include "codec/digest.h"

typedef struct mlr_digestmap {
    struct mlr_digestmap_slot { mlr_digest digest; uint64_t n; } *slots;   /* digest "": free */
    size_t used, cap;                      /* cap is 0 or a power of two, at least twice `used` */
    uint64_t seed;                         /* so that a stranger's digests cannot all land in one slot */
} mlr_digestmap;
#define MLR_DIGESTMAP_INIT { NULL, 0, 0, 0 }

/* The number of `d`, good until the next add. find: NULL if it is not there. add: 0 for a new one; NULL: out of memory. */
uint64_t *mlr_digestmap_find(const mlr_digestmap *m, const mlr_digest *d);
uint64_t *mlr_digestmap_add(mlr_digestmap *m, const mlr_digest *d, mlreg_error **err);
void mlr_digestmap_done(mlr_digestmap *m);
#endif
