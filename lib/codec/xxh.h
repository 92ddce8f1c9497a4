/* codec/xxh.h - XXH3: fast checks of our own notes about bytes; never a proof against a stranger. */
#ifndef MLR_CODEC_XXH_H
#define MLR_CODEC_XXH_H
#include <stddef.h>
#include <stdint.h>
uint64_t mlr_xxh3(const void *data, size_t len);
#endif
