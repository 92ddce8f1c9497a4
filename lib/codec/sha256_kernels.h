/* codec/sha256_kernels.h - what sha256.c chooses from: each kernel lives in a file of its own. */
#ifndef MLR_CODEC_SHA256_KERNELS_H
#define MLR_CODEC_SHA256_KERNELS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__) || defined(__i386__)
#define MLR_SHA256_X86 1
bool mlr_sha256_x86_usable(void);
void mlr_sha256_x86_blocks(uint32_t h[8], const uint8_t *data, size_t n_blocks);
#endif

bool mlr_sha256_sodium_usable(void);
void mlr_sha256_sodium_blocks(uint32_t h[8], const uint8_t *data, size_t n_blocks);
#endif
