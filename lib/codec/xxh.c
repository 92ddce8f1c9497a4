/* codec/xxh.c - XXH3 with 64 bits; the only room that knows xxHash. */
#include "codec/xxh.h"

#include <xxhash.h>

uint64_t mlr_xxh3(const void *data, size_t len)
{
    return XXH3_64bits(data, len);
}

uint64_t mlr_xxh3_join(uint64_t before, uint64_t next)
{
    uint64_t both[2] = { before, next };

    return XXH3_64bits(both, sizeof both);
}
