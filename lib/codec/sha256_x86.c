/* codec/sha256_x86.c - the SHA-256 kernels for x86 processors with the SHA extensions, of one, two and three streams. */
#include "codec/sha256_kernels.h"

#ifdef MLR_SHA256_X86
#include <immintrin.h>

/* Only the functions marked so may use these instructions: the rest of the library runs on any x86. */
#define SHA_NI __attribute__((target("sha,sse4.1,ssse3")))
#define INLINE SHA_NI __attribute__((always_inline)) static inline

/* The instructions want the state as two rows, (a b e f) and (c d g h). */
struct stream {
    __m128i abef, cdgh, w[4];                       /* w: the last 16 words of the message */
};

INLINE void load_state(struct stream *s, const uint32_t h[8])
{
    __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)h), 0xb1);
    __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)(h + 4)), 0x1b);

    s->abef = _mm_alignr_epi8(cdab, efgh, 8);
    s->cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
}

INLINE void store_state(const struct stream *s, uint32_t h[8])
{
    __m128i feba = _mm_shuffle_epi32(s->abef, 0x1b), dchg = _mm_shuffle_epi32(s->cdgh, 0xb1);

    _mm_storeu_si128((__m128i *)(void *)h, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(void *)(h + 4), _mm_alignr_epi8(dchg, feba, 8));
}

INLINE __m128i load_words(const uint8_t *p)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);

    return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)p), big_endian);
}

/* Four rounds of each of `n` streams with their words w[i]: while one waits for its result, the next has its turn. */
INLINE void four_rounds(struct stream s[], int n, int i, const uint32_t *k)
{
    for (int j = 0; j < n; j++) {
        __m128i w = _mm_add_epi32(s[j].w[i], _mm_load_si128((const __m128i *)(const void *)k));

        s[j].cdgh = _mm_sha256rnds2_epu32(s[j].cdgh, s[j].abef, w);
        s[j].abef = _mm_sha256rnds2_epu32(s[j].abef, s[j].cdgh, _mm_shuffle_epi32(w, 0x0e));
    }
}

/* The four words that come 16 after those in w[i], in their place. */
INLINE void next_words(struct stream s[], int n, int i)
{
    for (int j = 0; j < n; j++) {
        __m128i *w = s[j].w, w3 = w[(i + 3) % 4], minus_7 = _mm_alignr_epi8(w3, w[(i + 2) % 4], 4);

        w[i] = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(w[i], w[(i + 1) % 4]), minus_7), w3);
    }
}

INLINE void fold_block(struct stream s[], int n)
{
    const uint32_t *k = mlr_sha256_constants;

    for (int i = 0; i < 3; i++, k += 16) {
        four_rounds(s, n, 0, k);
        next_words(s, n, 0);
        four_rounds(s, n, 1, k + 4);
        next_words(s, n, 1);
        four_rounds(s, n, 2, k + 8);
        next_words(s, n, 2);
        four_rounds(s, n, 3, k + 12);
        next_words(s, n, 3);
    }
    four_rounds(s, n, 0, k);
    four_rounds(s, n, 1, k + 4);
    four_rounds(s, n, 2, k + 8);
    four_rounds(s, n, 3, k + 12);
}

INLINE void fold_blocks(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks, int n)
{
    struct stream s[3];
    __m128i abef[3], cdgh[3];

    for (int j = 0; j < n; j++)
        load_state(&s[j], h[j]);
    for (size_t at = 0; at < n_blocks * 64; at += 64) {
        for (int j = 0; j < n; j++) {
            abef[j] = s[j].abef;
            cdgh[j] = s[j].cdgh;
            for (int i = 0; i < 4; i++)
                s[j].w[i] = load_words(data[j] + at + 16 * i);
        }
        fold_block(s, n);
        for (int j = 0; j < n; j++) {
            s[j].abef = _mm_add_epi32(s[j].abef, abef[j]);
            s[j].cdgh = _mm_add_epi32(s[j].cdgh, cdgh[j]);
        }
    }
    for (int j = 0; j < n; j++)
        store_state(&s[j], h[j]);
}

SHA_NI void mlr_sha256_x86_blocks(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks)
{
    fold_blocks(h, data, n_blocks, 1);
}

SHA_NI void mlr_sha256_x86_x2_blocks(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks)
{
    fold_blocks(h, data, n_blocks, 2);
}

SHA_NI void mlr_sha256_x86_x3_blocks(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks)
{
    fold_blocks(h, data, n_blocks, 3);
}
#endif
