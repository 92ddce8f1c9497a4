/* codec/sha_ni_plain.h - the kernels for the SHA extensions with the three instructions written in plain C, so that every
 * x86 processor can test how the kernels use them. */
#ifndef SHA_NI_PLAIN_H
#define SHA_NI_PLAIN_H
#include "codec/sha256.h"
#include "codec/sha256_kernels.h"

#ifdef MLR_SHA256_X86
#include <immintrin.h>
#include <string.h>

/* What stands for one instruction of a processor is not looked at by sanitizers, which would take most of a test's time. */
#define INSTRUCTION static __attribute__((no_sanitize("address", "undefined", "thread")))

INSTRUCTION uint32_t sha_ni_rotated(uint32_t x, int by)
{
    return x >> by | x << (32 - by);
}

/* SHA256RNDS2: two rounds; a b e f are the words 3 2 1 0 of `abef`, c d g h those of `cdgh`; the result is the new abef. */
INSTRUCTION __m128i sha_ni_rounds(__m128i cdgh, __m128i abef, __m128i w)
{
    uint32_t x[4], y[4], kw[4];

    memcpy(x, &abef, sizeof x);
    memcpy(y, &cdgh, sizeof y);
    memcpy(kw, &w, sizeof kw);
    for (int i = 0; i < 2; i++) {
        uint32_t a = x[3], b = x[2], e = x[1], f = x[0], c = y[3], d = y[2], g = y[1], h = y[0];
        uint32_t sum1 = sha_ni_rotated(e, 6) ^ sha_ni_rotated(e, 11) ^ sha_ni_rotated(e, 25);
        uint32_t sum0 = sha_ni_rotated(a, 2) ^ sha_ni_rotated(a, 13) ^ sha_ni_rotated(a, 22);
        uint32_t t = h + sum1 + ((e & f) ^ (~e & g)) + kw[i];

        memcpy(x, (uint32_t[]){e, d + t, a, t + sum0 + ((a & b) ^ (a & c) ^ (b & c))}, sizeof x);
        memcpy(y, (uint32_t[]){g, f, c, b}, sizeof y);
    }
    return _mm_loadu_si128((const __m128i *)(const void *)x);
}

/* SHA256MSG1: words 0 to 3 plus sigma 0 of words 1 to 4. */
INSTRUCTION __m128i sha_ni_words1(__m128i w0, __m128i w4)
{
    uint32_t w[8];

    memcpy(w, &w0, 16);
    memcpy(w + 4, &w4, 16);
    for (int i = 0; i < 4; i++)
        w[i] += sha_ni_rotated(w[i + 1], 7) ^ sha_ni_rotated(w[i + 1], 18) ^ w[i + 1] >> 3;
    return _mm_loadu_si128((const __m128i *)(const void *)w);
}

/* SHA256MSG2: adds sigma 1 of the words 2 before; the first two of those are the last two of `w12`. */
INSTRUCTION __m128i sha_ni_words2(__m128i sums, __m128i w12)
{
    uint32_t w[6];

    memcpy(w, (const char *)&w12 + 8, 8);
    memcpy(w + 2, &sums, 16);
    for (int i = 2; i < 6; i++)
        w[i] += sha_ni_rotated(w[i - 2], 17) ^ sha_ni_rotated(w[i - 2], 19) ^ w[i - 2] >> 10;
    return _mm_loadu_si128((const __m128i *)(const void *)(w + 2));
}

#undef _mm_sha256rnds2_epu32
#undef _mm_sha256msg1_epu32
#undef _mm_sha256msg2_epu32
#define _mm_sha256rnds2_epu32     sha_ni_rounds
#define _mm_sha256msg1_epu32      sha_ni_words1
#define _mm_sha256msg2_epu32      sha_ni_words2
#define mlr_sha256_x86_usable      sha_ni_native_usable
#define mlr_sha256_x86_many_usable sha_ni_native_many_usable
#define mlr_sha256_x86_blocks      sha_ni_plain_blocks
#define mlr_sha256_x86_x2_blocks   sha_ni_plain_x2_blocks
#define mlr_sha256_x86_x3_blocks   sha_ni_plain_x3_blocks
#undef MLR_CODEC_SHA256_KERNELS_H                   /* to be declared under these names, too */
#include "codec/sha256_x86.c"
#undef mlr_sha256_x86_usable
#undef mlr_sha256_x86_many_usable
#undef mlr_sha256_x86_blocks
#undef mlr_sha256_x86_x2_blocks
#undef mlr_sha256_x86_x3_blocks

static bool sha_ni_plain_usable(void)
{
    return __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1");
}

static const mlr_sha256_kernel sha_ni_plain[] = {
    {"sha-ni in plain C", 1, 130, sha_ni_plain_usable, sha_ni_plain_blocks},
    {"sha-ni x2 in plain C", 2, 145, sha_ni_plain_usable, sha_ni_plain_x2_blocks},
    {"sha-ni x3 in plain C", 3, 175, sha_ni_plain_usable, sha_ni_plain_x3_blocks},
};
#define N_SHA_NI_PLAIN (sizeof sha_ni_plain / sizeof sha_ni_plain[0])
#else
static const mlr_sha256_kernel sha_ni_plain[1];
#define N_SHA_NI_PLAIN 0u
#endif
#endif
