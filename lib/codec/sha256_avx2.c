/* codec/sha256_avx2.c - the SHA-256 kernel for x86 processors with AVX2 and no better help. */
#include "codec/sha256_kernels.h"

#ifdef MLR_SHA256_AVX
#include <immintrin.h>
#include <string.h>

#define TARGET __attribute__((target("avx2,bmi,bmi2")))
#define INLINE TARGET __attribute__((always_inline)) static inline

struct state {
    uint32_t a, b, c, d, e, f, g, h;
};

INLINE uint32_t rotated(uint32_t x, int by)
{
    return x >> by | x << (32 - by);
}

/* One round; `d` and `h` change, and the others move on by name. Maj(a, b, c) is made of a ^ b, which is the next round's
 * b ^ c. */
#define ROUND(a, b, c, d, e, f, g, h, kw)                                                                             \
    do {                                                                                                              \
        h += (kw) + (e & f) + (~e & g) + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25));                           \
        d += h;                                                                                                       \
        ab = a ^ b;                                                                                                   \
        h += (b ^ (ab & bc)) + (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22));                                     \
        bc = ab;                                                                                                      \
    } while (0)

INLINE void eight_rounds(struct state *s, const uint32_t *kw)
{
    uint32_t a = s->a, b = s->b, c = s->c, d = s->d, e = s->e, f = s->f, g = s->g, h = s->h, ab, bc = b ^ c;

    ROUND(a, b, c, d, e, f, g, h, kw[0]);
    ROUND(h, a, b, c, d, e, f, g, kw[1]);
    ROUND(g, h, a, b, c, d, e, f, kw[2]);
    ROUND(f, g, h, a, b, c, d, e, kw[3]);
    ROUND(e, f, g, h, a, b, c, d, kw[8]);
    ROUND(d, e, f, g, h, a, b, c, kw[9]);
    ROUND(c, d, e, f, g, h, a, b, kw[10]);
    ROUND(b, c, d, e, f, g, h, a, kw[11]);
    *s = (struct state){a, b, c, d, e, f, g, h};
}

INLINE void add_state(struct state *s, const struct state *t)
{
    *s = (struct state){s->a + t->a, s->b + t->b, s->c + t->c, s->d + t->d,
                        s->e + t->e, s->f + t->f, s->g + t->g, s->h + t->h};
}

/* Both halves of a rotation, to be joined by xor. */
#define SHIFTED(w, by) _mm256_xor_si256(_mm256_srli_epi32(w, by), _mm256_slli_epi32(w, 32 - (by)))

INLINE __m256i small_sum0(__m256i w)
{
    return _mm256_xor_si256(_mm256_xor_si256(SHIFTED(w, 7), SHIFTED(w, 18)), _mm256_srli_epi32(w, 3));
}

INLINE __m256i small_sum1(__m256i w)
{
    return _mm256_xor_si256(_mm256_xor_si256(SHIFTED(w, 17), SHIFTED(w, 19)), _mm256_srli_epi32(w, 10));
}

#include "codec/sha256_pairs.h"

TARGET void mlr_sha256_avx2_blocks(uint32_t *const states[], const uint8_t *const data[], size_t n_blocks)
{
    uint32_t *h = states[0];
    struct state s = {h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7]};

    fold_blocks(&s, data[0], n_blocks);
    memcpy(h, &s, sizeof s);
}
#endif
