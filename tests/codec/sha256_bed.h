/* codec/sha256_bed.h - what the tests of SHA-256 share: random bytes, and every kernel in turn. Wants cmocka.h before it. */
#ifndef SHA256_BED_H
#define SHA256_BED_H
#include <stdlib.h>

#include "codec/sha256.h"
#include "codec/sha_ni_plain.h"

#define SEED 20261123u

static uint32_t chance = SEED;

static uint32_t next_random(void)                   /* xorshift32: the same in every run */
{
    chance ^= chance << 13;
    chance ^= chance >> 17;
    chance ^= chance << 5;
    return chance;
}

static uint8_t *random_bytes(size_t len)
{
    uint8_t *bytes = malloc(len);

    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)next_random();
    return bytes;
}

static void with_kernels(const mlr_sha256_kernel k[], size_t n, void (*check)(void))
{
    for (size_t i = 0; i < n; i++)
        if (k[i].usable()) {
            mlr_sha256_use(&k[i]);
            assert_string_equal(mlr_sha256_in_use(1), k[i].name);
            check();
        }
    mlr_sha256_use(NULL);
}

/* Runs `check` with each kernel that this processor can use or emulate, and with the best for each number of streams. */
static void with_each_kernel(void (*check)(void))
{
    size_t n;
    const mlr_sha256_kernel *k = mlr_sha256_kernels(&n);

    with_kernels(k, n, check);
    with_kernels(sha_ni_plain, N_SHA_NI_PLAIN, check);
    check();
}
#endif
