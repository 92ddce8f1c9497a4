/* codec/sha256_parts.h - what the files of this room share: taking pieces apart, folding with the chosen kernel. */
#ifndef MLR_CODEC_SHA256_PARTS_H
#define MLR_CODEC_SHA256_PARTS_H
#include "codec/sha256.h"

/* Counts the bytes at *data, folds the block that waited for them, if they fill it, and keeps the odd ones at the end. The
 * whole blocks between are left to the caller: their number is returned, and *data is moved to them. */
size_t mlr_sha256_take(mlr_sha256 *s, const uint8_t **data, size_t len);

/* With so many streams at hand, at least one, that many are best folded at once. */
size_t mlr_sha256_lanes(size_t n_streams);
/* Folds n_blocks of each stream, of which there are as many as mlr_sha256_lanes says, or one. */
void mlr_sha256_fold(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks, size_t n_streams);
#endif
