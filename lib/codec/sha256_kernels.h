/* codec/sha256_kernels.h - what sha256_choose.c chooses from: the kernels live in files of their own. */
#ifndef MLR_CODEC_SHA256_KERNELS_H
#define MLR_CODEC_SHA256_KERNELS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern const uint32_t mlr_sha256_constants[64] __attribute__((aligned(16)));

#if defined(__x86_64__) || defined(__i386__)
#define MLR_SHA256_X86 1
bool mlr_sha256_x86_usable(void);
bool mlr_sha256_x86_many_usable(void);
void mlr_sha256_x86_blocks(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks);
void mlr_sha256_x86_x2_blocks(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks);
void mlr_sha256_x86_x3_blocks(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks);
#endif

#if defined(__x86_64__)                /* 32-bit x86 has too few registers for these to pay */
#define MLR_SHA256_AVX 1
bool mlr_sha256_avx512_usable(void);
bool mlr_sha256_avx512_x16_usable(void);
bool mlr_sha256_avx2_usable(void);
void mlr_sha256_avx512_blocks(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks);
void mlr_sha256_avx512_x8_blocks(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks);
void mlr_sha256_avx512_x16_blocks(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks);
void mlr_sha256_avx2_blocks(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks);
void mlr_sha256_avx2_x8_blocks(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks);
#endif

#if defined(__aarch64__) && defined(__linux__)
#define MLR_SHA256_ARM 1
bool mlr_sha256_arm_usable(void);
void mlr_sha256_arm_blocks(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks);
void mlr_sha256_arm_x2_blocks(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks);
#endif

bool mlr_sha256_sodium_usable(void);
void mlr_sha256_sodium_blocks(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks);
#endif
