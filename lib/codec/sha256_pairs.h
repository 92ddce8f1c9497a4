/* codec/sha256_pairs.h - SHA-256 without SHA instructions: the words of the next two blocks are made beside the rounds of
 * these two, so that vector and round units never wait for each other. A template: who includes it defines before
 *
 *     INLINE                                      what its functions are
 *     struct state                                a to h in whatever form
 *     eight_rounds(state *, const uint32_t *kw)   with words plus constants kw[0..3] and kw[8..11]
 *     add_state(state *, const state *)
 *     small_sum0(w), small_sum1(w)                sigma 0 and 1 of FIPS 180-4, §4.1.2, of eight words
 */
#define BLOCK        64
#define STEPS        16                     /* of four words each */
#define STEP_WORDS   8                      /* for two blocks, the first block's four before the second's */
#define BLOCK_STEPS  (STEPS / 2)            /* are made while one block is folded, one beside eight rounds */

/* Two blocks; where only one is left, it stands for both. */
typedef struct pair {
    const uint8_t *first, *second;
} pair;

static inline pair pair_at(const uint8_t *data, size_t n_blocks)
{
    return (pair){data, n_blocks > 1 ? data + BLOCK : data};
}

INLINE __m256i load_words(pair p, int step)
{
    const __m256i big_endian = _mm256_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL,
                                                 0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i first = _mm_loadu_si128((const __m128i *)(const void *)(p.first + 16 * step));
    __m128i second = _mm_loadu_si128((const __m128i *)(const void *)(p.second + 16 * step));

    return _mm256_shuffle_epi8(_mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1), big_endian);
}

/* The four words of two blocks that come 16 after those in w0. The last two of the four need the sums of the first two. */
INLINE __m256i next_words(__m256i w0, __m256i w1, __m256i w2, __m256i w3)
{
    __m256i w = _mm256_add_epi32(w0, small_sum0(_mm256_alignr_epi8(w1, w0, 4)));

    w = _mm256_add_epi32(w, _mm256_alignr_epi8(w3, w2, 4));
    w = _mm256_add_epi32(w, _mm256_srli_si256(small_sum1(w3), 8));
    return _mm256_add_epi32(w, _mm256_slli_si256(small_sum1(w), 8));
}

/* `w` holds the last 16 words of both blocks, the oldest first, and moves on by the four of this step, which, plus their
 * constants, go to their place in `kw`. */
INLINE void make_words(__m256i w[4], pair p, int step, uint32_t *kw)
{
    const __m128i *constants = (const __m128i *)(const void *)(mlr_sha256_constants + 4 * step);
    __m256i *out = (__m256i *)(void *)(kw + STEP_WORDS * step);
    __m256i words = step < 4 ? load_words(p, step) : next_words(w[0], w[1], w[2], w[3]);

    w[0] = w[1];
    w[1] = w[2];
    w[2] = w[3];
    w[3] = words;
    _mm256_store_si256(out, _mm256_add_epi32(words, _mm256_broadcastsi128_si256(_mm_load_si128(constants))));
}

/* Folds the block whose words begin at `kw`, and takes the steps from `step` on for the next pair. */
INLINE void fold_block(struct state *s, const uint32_t *kw, __m256i w[4], pair next, int step, uint32_t *next_kw)
{
    struct state before = *s;

    for (const int end = step + BLOCK_STEPS; step < end; step++, kw += 2 * STEP_WORDS) {
        eight_rounds(s, kw);
        make_words(w, next, step, next_kw);
    }
    add_state(s, &before);
}

INLINE void fold_blocks(struct state *s, const uint8_t *data, size_t n_blocks)
{
    uint32_t kw[2][STEPS * STEP_WORDS] __attribute__((aligned(32)));
    const __m256i none = _mm256_setzero_si256();
    __m256i w[4] = {none, none, none, none};
    int now = 0;

    for (int step = 0; n_blocks > 0 && step < STEPS; step++)
        make_words(w, pair_at(data, n_blocks), step, kw[now]);
    while (n_blocks > 0) {
        size_t left = n_blocks > 2 ? n_blocks - 2 : 0;
        pair next = left > 0 ? pair_at(data + 2 * BLOCK, left) : pair_at(data, n_blocks);

        for (int i = 0; i < 2 && (size_t)i < n_blocks; i++)     /* not written twice: the code is large, and is so no slower */
            fold_block(s, kw[now] + i * STEP_WORDS / 2, w, next, i * BLOCK_STEPS, kw[!now]);
        data += 2 * BLOCK;
        n_blocks = left;
        now = !now;
    }
}
