/* codec/sha256_avx512_x8.c - the SHA-256 kernel of 8 streams for x86 processors with AVX-512. */
#include "codec/sha256_kernels.h"

#ifdef MLR_SHA256_AVX
#include <immintrin.h>
#include <string.h>

#define LANES  8
#define TARGET __attribute__((target("avx512f,avx512vl,avx2")))
#define INLINE TARGET __attribute__((always_inline)) static inline

typedef __m256i vec;

#define ADD             _mm256_add_epi32
#define XOR3(a, b, c)   _mm256_ternarylogic_epi32(a, b, c, 0x96)
#define CHOOSE(e, f, g) _mm256_ternarylogic_epi32(e, f, g, 0xca)
#define MOST(a, b, c)   _mm256_ternarylogic_epi32(a, b, c, 0xe8)
#define ROTATED         _mm256_ror_epi32
#define SHIFTED         _mm256_srli_epi32

#include "codec/sha256_lanes_avx2.h"
#include "codec/sha256_lanes.h"

TARGET void mlr_sha256_avx512_x8_blocks(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks)
{
    fold_lanes(h, data, n_blocks);
}
#endif
