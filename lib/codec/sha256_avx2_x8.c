/* codec/sha256_avx2_x8.c - the SHA-256 kernel of 8 streams for x86 processors with AVX2. */
#include "codec/sha256_kernels.h"

#ifdef MLR_SHA256_AVX
#include <immintrin.h>
#include <string.h>

#define LANES  8
#define TARGET __attribute__((target("avx2")))
#define INLINE TARGET __attribute__((always_inline)) static inline

typedef __m256i vec;

#define ADD             _mm256_add_epi32
#define XOR             _mm256_xor_si256
#define AND             _mm256_and_si256
#define XOR3(a, b, c)   XOR(XOR(a, b), c)
#define CHOOSE(e, f, g) XOR(g, AND(e, XOR(f, g)))
#define MOST(a, b, c)   XOR(b, AND(XOR(a, b), XOR(b, c)))
#define ROTATED(v, by)  XOR(_mm256_srli_epi32(v, by), _mm256_slli_epi32(v, 32 - (by)))
#define SHIFTED         _mm256_srli_epi32

#include "codec/sha256_lanes_avx2.h"
#include "codec/sha256_lanes.h"

TARGET void mlr_sha256_avx2_x8_blocks(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks)
{
    fold_lanes(h, data, n_blocks);
}
#endif
