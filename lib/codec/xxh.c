/* codec/xxh.c - XXH3 with 64 bits; the only room that knows xxHash. */
#include "codec/xxh.h"

#include <xxhash.h>

uint64_t mlr_xxh3(const void *data, size_t len)
{
    return XXH3_64bits(data, len);
}
