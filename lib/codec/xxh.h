/* codec/xxh.h - XXH3: fast checks of our own notes about bytes; never a proof against a stranger. */
#ifndef MLR_CODEC_XXH_H
#define MLR_CODEC_XXH_H
#include <stddef.h>
#include <stdint.h>
uint64_t mlr_xxh3(const void *data, size_t len);
uint64_t mlr_xxh3_join(uint64_t before, uint64_t next);   /* of pieces in turn, from 0 on: the sum of all from the sums of each */
#endif
