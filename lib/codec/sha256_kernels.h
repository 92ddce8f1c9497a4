/* codec/sha256_kernels.h - what sha256.c chooses from: each kernel lives in a file of its own. */
#ifndef MLR_CODEC_SHA256_KERNELS_H
#define MLR_CODEC_SHA256_KERNELS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern const uint32_t mlr_sha256_constants[64] __attribute__((aligned(16)));

#if defined(__x86_64__) || defined(__i386__)
#define MLR_SHA256_X86 1
bool mlr_sha256_x86_usable(void);
void mlr_sha256_x86_blocks(uint32_t h[8], const uint8_t *data, size_t n_blocks);
#endif

#if defined(__x86_64__)                /* 32-bit x86 has too few registers for these to pay */
#define MLR_SHA256_AVX 1
bool mlr_sha256_avx512_usable(void);
void mlr_sha256_avx512_blocks(uint32_t h[8], const uint8_t *data, size_t n_blocks);
bool mlr_sha256_avx2_usable(void);
void mlr_sha256_avx2_blocks(uint32_t h[8], const uint8_t *data, size_t n_blocks);
#endif

bool mlr_sha256_sodium_usable(void);
void mlr_sha256_sodium_blocks(uint32_t h[8], const uint8_t *data, size_t n_blocks);
#endif
