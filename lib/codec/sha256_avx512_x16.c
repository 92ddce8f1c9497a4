/* codec/sha256_avx512_x16.c - the SHA-256 kernel of 16 streams for x86 processors with AVX-512. */
#include "codec/sha256_kernels.h"

#ifdef MLR_SHA256_AVX
#include <immintrin.h>
#include <string.h>

#define LANES  16
#define TARGET __attribute__((target("avx512f,avx512bw")))
#define INLINE TARGET __attribute__((always_inline)) static inline

typedef __m512i vec;

#define ADD             _mm512_add_epi32
#define XOR3(a, b, c)   _mm512_ternarylogic_epi32(a, b, c, 0x96)
#define CHOOSE(e, f, g) _mm512_ternarylogic_epi32(e, f, g, 0xca)
#define MOST(a, b, c)   _mm512_ternarylogic_epi32(a, b, c, 0xe8)
#define ROTATED         _mm512_ror_epi32
#define SHIFTED         _mm512_srli_epi32
#define LOW32           _mm512_unpacklo_epi32
#define HIGH32          _mm512_unpackhi_epi32
#define LOW64           _mm512_unpacklo_epi64
#define HIGH64          _mm512_unpackhi_epi64
#define ALL(word)       _mm512_set1_epi32((int)(word))
#define REVERSED        _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203)     /* bytes in each word */
#define FROM_BYTES(v)   _mm512_shuffle_epi8(v, _mm512_broadcast_i32x4(REVERSED))

INLINE __m128i load16(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

INLINE vec quarters(const uint8_t *const p[], size_t at)
{
    vec v = _mm512_castsi128_si512(load16(p[0] + at));

    v = _mm512_mask_broadcast_i32x4(v, 0x00f0, load16(p[4] + at));
    v = _mm512_mask_broadcast_i32x4(v, 0x0f00, load16(p[8] + at));
    return _mm512_mask_broadcast_i32x4(v, 0xf000, load16(p[12] + at));
}

#include "codec/sha256_lanes.h"

TARGET void mlr_sha256_avx512_x16_blocks(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks)
{
    fold_lanes(h, data, n_blocks);
}
#endif
