/* codec/sha256_arm.c - the SHA-256 kernels for ARMv8 processors with the SHA-2 extension, of one and two streams. */
#include "codec/sha256_kernels.h"

#ifdef MLR_SHA256_ARM
#include <arm_neon.h>
#include <sys/auxv.h>

#define HAS_SHA2 (1ul << 6)                         /* HWCAP_SHA2 of <asm/hwcap.h> */
#define INLINE __attribute__((always_inline)) static inline

bool mlr_sha256_arm_usable(void)
{
    return (getauxval(AT_HWCAP) & HAS_SHA2) != 0;
}

struct stream {
    uint32x4_t abcd, efgh, w[4];                    /* w: the last 16 words of the message */
};

INLINE uint32x4_t load_words(const uint8_t *p)
{
    return vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(p)));
}

/* Four rounds of each of `n` streams with their words w[i]: while one waits for its result, the next has its turn. */
INLINE void four_rounds(struct stream s[], int n, int i, const uint32_t *k)
{
    for (int j = 0; j < n; j++) {
        uint32x4_t w = vaddq_u32(s[j].w[i], vld1q_u32(k)), abcd = s[j].abcd;

        s[j].abcd = vsha256hq_u32(abcd, s[j].efgh, w);
        s[j].efgh = vsha256h2q_u32(s[j].efgh, abcd, w);
    }
}

/* The four words that come 16 after those in w[i], in their place. */
INLINE void next_words(struct stream s[], int n, int i)
{
    for (int j = 0; j < n; j++) {
        uint32x4_t *w = s[j].w;

        w[i] = vsha256su1q_u32(vsha256su0q_u32(w[i], w[(i + 1) % 4]), w[(i + 2) % 4], w[(i + 3) % 4]);
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
    struct stream s[2];
    uint32x4_t abcd[2], efgh[2];

    for (int j = 0; j < n; j++) {
        s[j].abcd = vld1q_u32(h[j]);
        s[j].efgh = vld1q_u32(h[j] + 4);
    }
    for (size_t at = 0; at < n_blocks * 64; at += 64) {
        for (int j = 0; j < n; j++) {
            abcd[j] = s[j].abcd;
            efgh[j] = s[j].efgh;
            for (int i = 0; i < 4; i++)
                s[j].w[i] = load_words(data[j] + at + 16 * i);
        }
        fold_block(s, n);
        for (int j = 0; j < n; j++) {
            s[j].abcd = vaddq_u32(s[j].abcd, abcd[j]);
            s[j].efgh = vaddq_u32(s[j].efgh, efgh[j]);
        }
    }
    for (int j = 0; j < n; j++) {
        vst1q_u32(h[j], s[j].abcd);
        vst1q_u32(h[j] + 4, s[j].efgh);
    }
}

void mlr_sha256_arm_blocks(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks)
{
    fold_blocks(h, data, n_blocks, 1);
}

void mlr_sha256_arm_x2_blocks(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks)
{
    fold_blocks(h, data, n_blocks, 2);
}
#endif
