/* codec/sha256.c - SHA-256 over any pieces: keeps the odd bytes, adds the length, saves and takes up again. */
#include "codec/sha256.h"

#include <string.h>

#include "codec/sha256_parts.h"

#define BLOCK 64u
#define LENGTH_AT (BLOCK - 8)                       /* where the last block holds the length in bits */
#define BYTES_MAX (UINT64_MAX / 8)                  /* more has no length in bits (FIPS 180-4, §5.1.1) */

static void put_be32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void put_be64(uint8_t *p, uint64_t v)
{
    put_be32(p, (uint32_t)(v >> 32));
    put_be32(p + 4, (uint32_t)v);
}

static uint32_t get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t get_be64(const uint8_t *p)
{
    return (uint64_t)get_be32(p) << 32 | get_be32(p + 4);
}

void mlr_sha256_init(mlr_sha256 *s)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

    memset(s, 0, sizeof *s);
    memcpy(s->h, start, sizeof start);
}

static void fold_one(mlr_sha256 *s, const uint8_t *data, size_t n_blocks)
{
    mlr_sha256_fold((uint32_t *[]){s->h}, &data, n_blocks, 1);
}

size_t mlr_sha256_take(mlr_sha256 *s, const uint8_t **data, size_t len)
{
    size_t waiting = s->bytes % BLOCK;

    if (len == 0)                                   /* *data may be NULL then */
        return 0;
    s->bytes += len;
    if (waiting > 0) {
        size_t take = len < BLOCK - waiting ? len : BLOCK - waiting;

        memcpy(s->tail + waiting, *data, take);
        if (waiting + take < BLOCK)
            return 0;
        fold_one(s, s->tail, 1);
        *data += take;
        len -= take;
    }
    memcpy(s->tail, *data + len / BLOCK * BLOCK, len % BLOCK);
    return len / BLOCK;
}

void mlr_sha256_update(mlr_sha256 *s, const void *data, size_t len)
{
    const uint8_t *blocks = data;
    size_t n_blocks = mlr_sha256_take(s, &blocks, len);

    if (n_blocks > 0)
        fold_one(s, blocks, n_blocks);
}

void mlr_sha256_final(mlr_sha256 *s, uint8_t out[32])
{
    size_t waiting = s->bytes % BLOCK;

    s->tail[waiting++] = 0x80;
    if (waiting > LENGTH_AT) {
        memset(s->tail + waiting, 0, BLOCK - waiting);
        fold_one(s, s->tail, 1);
        waiting = 0;
    }
    memset(s->tail + waiting, 0, LENGTH_AT - waiting);
    put_be64(s->tail + LENGTH_AT, s->bytes * 8);
    fold_one(s, s->tail, 1);
    for (int i = 0; i < 8; i++)
        put_be32(out + 4 * i, s->h[i]);
}

/* Bytes of the tail that wait for nothing are saved as zeros, so that equal states are saved alike. */
void mlr_sha256_save(const mlr_sha256 *s, uint8_t out[MLR_SHA256_SAVED_BYTES])
{
    memset(out, 0, MLR_SHA256_SAVED_BYTES);
    for (int i = 0; i < 8; i++)
        put_be32(out + 4 * i, s->h[i]);
    put_be64(out + 32, s->bytes);
    memcpy(out + 40, s->tail, s->bytes % BLOCK);
}

bool mlr_sha256_restore(mlr_sha256 *s, const uint8_t in[MLR_SHA256_SAVED_BYTES])
{
    uint64_t bytes = get_be64(in + 32);

    if (bytes > BYTES_MAX)
        return false;
    for (size_t i = bytes % BLOCK; i < BLOCK; i++)
        if (in[40 + i] != 0)
            return false;
    for (int i = 0; i < 8; i++)
        s->h[i] = get_be32(in + 4 * i);
    s->bytes = bytes;
    memcpy(s->tail, in + 40, BLOCK);
    return true;
}
