/* place/listings.h - what layers hold, by names and kinds alone, remembered: each is read once. */
#ifndef MLR_PLACE_LISTINGS_H
#define MLR_PLACE_LISTINGS_H
#include <stdbool.h>
#include "base/buf.h"
#include "codec/digest.h"

/* Beside the digest memory, not in a store: bases are in layouts and registries too, and in stores that may only be read. A layer is known by the digest of its
 * plain tar, which whoever keeps a listing has seen. As there a file that is damaged is as good as missing, nothing is locked, and no failure here is anybody
 * else's. The oldest make room for the newest. */
#define MLR_LISTINGS_DIR       "layers"                  /* in the user's own part of the cache */
#define MLR_LISTINGS_MAX       256u                      /* files */
#define MLR_LISTINGS_MAX_BYTES ((size_t)16 << 20)        /* of one; of all together four times that */
bool mlr_listings_find(const mlr_digest *diff_id, mlr_buf *out);   /* into `out`, which is empty */
void mlr_listings_keep(const mlr_digest *diff_id, const mlr_buf *listing);
#endif
