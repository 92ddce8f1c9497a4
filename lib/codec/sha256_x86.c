/* codec/sha256_x86.c - the SHA-256 kernel for x86 processors with the SHA extensions. */
#include "codec/sha256_kernels.h"

#ifdef MLR_SHA256_X86
#include <cpuid.h>
#include <immintrin.h>

/* Only the functions marked so may use these instructions: the rest of the library runs on any x86. */
#define SHA_NI __attribute__((target("sha,sse4.1,ssse3")))

/* Asked of the processor itself: clang 14 has no __builtin_cpu_supports("sha"). */
bool mlr_sha256_x86_usable(void)
{
    unsigned a, b, c, d;

    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSSE3) || !(c & bit_SSE4_1))
        return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

SHA_NI static inline __m128i load_words(const uint8_t *p)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);

    return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)p), big_endian);
}

/* Four rounds with the message words `w`. The instructions want the state as two rows, (a b e f) and (c d g h). */
SHA_NI static inline void four_rounds(__m128i *abef, __m128i *cdgh, __m128i w, const uint32_t *k)
{
    w = _mm_add_epi32(w, _mm_load_si128((const __m128i *)(const void *)k));
    *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, w);
    *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32(w, 0x0e));
}

/* The four message words that come 16 after those in `w0`; w1 to w3 are those between. */
SHA_NI static inline __m128i next_words(__m128i w0, __m128i w1, __m128i w2, __m128i w3)
{
    __m128i minus_7 = _mm_alignr_epi8(w3, w2, 4);

    return _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), minus_7), w3);
}

SHA_NI static inline void fold_block(__m128i *abef, __m128i *cdgh, const uint8_t *data)
{
    __m128i w0 = load_words(data), w1 = load_words(data + 16), w2 = load_words(data + 32), w3 = load_words(data + 48);
    const uint32_t *k = mlr_sha256_constants;

    for (int i = 0; i < 3; i++, k += 16) {
        four_rounds(abef, cdgh, w0, k);
        w0 = next_words(w0, w1, w2, w3);
        four_rounds(abef, cdgh, w1, k + 4);
        w1 = next_words(w1, w2, w3, w0);
        four_rounds(abef, cdgh, w2, k + 8);
        w2 = next_words(w2, w3, w0, w1);
        four_rounds(abef, cdgh, w3, k + 12);
        w3 = next_words(w3, w0, w1, w2);
    }
    four_rounds(abef, cdgh, w0, k);
    four_rounds(abef, cdgh, w1, k + 4);
    four_rounds(abef, cdgh, w2, k + 8);
    four_rounds(abef, cdgh, w3, k + 12);
}

SHA_NI void mlr_sha256_x86_blocks(uint32_t h[8], const uint8_t *data, size_t n_blocks)
{
    __m128i *out = (__m128i *)(void *)h;
    __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128(out), 0xb1);
    __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128(out + 1), 0x1b);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
    __m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);

    for (; n_blocks > 0; n_blocks--, data += 64) {
        __m128i abef_before = abef, cdgh_before = cdgh;

        fold_block(&abef, &cdgh, data);
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    __m128i feba = _mm_shuffle_epi32(abef, 0x1b);
    __m128i dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128(out, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128(out + 1, _mm_alignr_epi8(dchg, feba, 8));
}
#endif
