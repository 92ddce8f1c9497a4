/* codec/sha256_avx512.c - the SHA-256 kernel for x86 processors with AVX-512 and no SHA extensions. */
#include "codec/sha256_kernels.h"

#ifdef MLR_SHA256_AVX
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512vl,avx2")))
#define INLINE TARGET __attribute__((always_inline)) static inline

/* Rows of the state, each in the two low lanes: e a, f b, g c, h d. */
struct state {
    __m128i ea, fb, gc, hd;
};

#define XOR3   "$0x96"
#define CHOOSE "$0xca"
#define MOST   "$0xe8"

/* One round; `hd` becomes the new `ea`, and the other rows move up by name. The rotations of both sums are made at once,
 * each lane with its own count, and the functions of three in one instruction, each in its lane. Written out, because a
 * compiler that takes these instructions apart loses a quarter of the speed. */
#define ROUND(ea, fb, gc, hd, kw)                                                                                     \
    __asm__("vprorvd %[by1], %[EA], %[x]\n\t"                                                                         \
            "vprorvd %[by2], %[EA], %[y]\n\t"                                                                         \
            "vprorvd %[by3], %[EA], %[z]\n\t"                                                                         \
            "vpternlogd " XOR3 ", %[y], %[z], %[x]\n\t"                      /* S1(e), S0(a) */                       \
            "vmovdqa32 %[EA], %[y]\n\t"                                                                               \
            "vpternlogd " CHOOSE ", %[GC], %[FB], %[y]%{%[low]%}\n\t"                                                 \
            "vpternlogd " MOST ", %[GC], %[FB], %[y]%{%[high]%}\n\t"         /* Ch(e, f, g), Maj(a, b, c) */          \
            "vpshufd $0xe1, %[HD], %[z]\n\t"                                                                          \
            "vpaddd %[HD], %[z], %[z]%{%[low]%}\n\t"                                                                  \
            "vpaddd %[KW]%{1to4%}, %[z], %[z]\n\t"                           /* h + k + w + d, h + k + w */           \
            "vpaddd %[x], %[y], %[x]\n\t"                                                                             \
            "vpaddd %[x], %[z], %[z]\n\t"                                                                             \
            "vpshufd $0xe0, %[x], %[x]%{%[high]%}%{z%}\n\t"                  /* a takes S1 and Ch, too */             \
            "vpaddd %[x], %[z], %[HD]"                                                                                \
            : [HD] "+v"(hd), [x] "=&v"(x), [y] "=&v"(y), [z] "=&v"(z)                                                 \
            : [EA] "v"(ea), [FB] "v"(fb), [GC] "v"(gc), [KW] "m"(kw), [by1] "v"(by1), [by2] "v"(by2), [by3] "v"(by3), \
              [low] "Yk"(low), [high] "Yk"(high))

INLINE void eight_rounds(struct state *s, const uint32_t *kw)
{
    const __m128i by1 = _mm_set_epi32(0, 0, 2, 6), by2 = _mm_set_epi32(0, 0, 13, 11), by3 = _mm_set_epi32(0, 0, 22, 25);
    const __mmask8 low = 1, high = 2;
    __m128i ea = s->ea, fb = s->fb, gc = s->gc, hd = s->hd, x, y, z;

    ROUND(ea, fb, gc, hd, kw[0]);
    ROUND(hd, ea, fb, gc, kw[1]);
    ROUND(gc, hd, ea, fb, kw[2]);
    ROUND(fb, gc, hd, ea, kw[3]);
    ROUND(ea, fb, gc, hd, kw[8]);
    ROUND(hd, ea, fb, gc, kw[9]);
    ROUND(gc, hd, ea, fb, kw[10]);
    ROUND(fb, gc, hd, ea, kw[11]);
    *s = (struct state){ea, fb, gc, hd};
}

INLINE void add_state(struct state *s, const struct state *t)
{
    s->ea = _mm_add_epi32(s->ea, t->ea);
    s->fb = _mm_add_epi32(s->fb, t->fb);
    s->gc = _mm_add_epi32(s->gc, t->gc);
    s->hd = _mm_add_epi32(s->hd, t->hd);
}

INLINE __m256i small_sum0(__m256i w)
{
    return _mm256_ternarylogic_epi32(_mm256_ror_epi32(w, 7), _mm256_ror_epi32(w, 18), _mm256_srli_epi32(w, 3), 0x96);
}

INLINE __m256i small_sum1(__m256i w)
{
    return _mm256_ternarylogic_epi32(_mm256_ror_epi32(w, 17), _mm256_ror_epi32(w, 19), _mm256_srli_epi32(w, 10), 0x96);
}

#include "codec/sha256_pairs.h"

TARGET static __m128i row(uint32_t low, uint32_t high)
{
    return _mm_set_epi32(0, 0, (int)high, (int)low);
}

TARGET static void put_row(__m128i row, uint32_t *low, uint32_t *high)
{
    *low = (uint32_t)_mm_extract_epi32(row, 0);
    *high = (uint32_t)_mm_extract_epi32(row, 1);
}

TARGET void mlr_sha256_avx512_blocks(uint32_t *const states[], const uint8_t *const data[], size_t n_blocks)
{
    uint32_t *h = states[0];
    struct state s = {row(h[4], h[0]), row(h[5], h[1]), row(h[6], h[2]), row(h[7], h[3])};

    fold_blocks(&s, data[0], n_blocks);
    put_row(s.ea, &h[4], &h[0]);
    put_row(s.fb, &h[5], &h[1]);
    put_row(s.gc, &h[6], &h[2]);
    put_row(s.hd, &h[7], &h[3]);
}
#endif
