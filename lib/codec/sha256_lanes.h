/* codec/sha256_lanes.h - SHA-256 of several streams at once: each vector holds the same word of every stream, one a lane. A
 * template: who includes it defines before
 *
 *     LANES                                   a multiple of 4
 *     TARGET, INLINE                          what its functions are
 *     vec                                     LANES words
 *     ADD, XOR3, CHOOSE, MOST                 of whole vectors; the last two are Ch and Maj of FIPS 180-4, §4.1.2
 *     ROTATED(v, by), SHIFTED(v, by)          to the right
 *     FROM_BYTES(v)                           words from bytes
 *     LOW32, HIGH32, LOW64, HIGH64(v, w)      interleaved, in every 16 bytes on their own
 *     ALL(word)                               the word in every lane
 *     quarters(const uint8_t *const p[], size_t at)   16 bytes from p[0] + at, p[4] + at, …
 */
#define BLOCK  64
#define ROUNDS 64
#define ROUNDS_WITH_MORE (ROUNDS - 16)      /* beside these the words of later ones are made */
/* Code of their own for the last rounds makes clang's kernels up to a quarter faster, and gcc's larger and slower. */
#ifdef __clang__
#define ROUNDS_ALIKE ROUNDS_WITH_MORE
#else
#define ROUNDS_ALIKE ROUNDS
#endif

/* In each 16 bytes of the vectors, four streams with four words each become four words of four streams, and back. */
INLINE void turn(vec v[4])
{
    vec low = LOW32(v[0], v[1]), low2 = LOW32(v[2], v[3]), high = HIGH32(v[0], v[1]), high2 = HIGH32(v[2], v[3]);

    v[0] = LOW64(low, low2);
    v[1] = HIGH64(low, low2);
    v[2] = LOW64(high, high2);
    v[3] = HIGH64(high, high2);
}

INLINE void load_words(vec w[4], const uint8_t *const data[LANES], size_t at)
{
    for (int i = 0; i < 4; i++)
        w[i] = FROM_BYTES(quarters(data + i, at));
    turn(w);
}

/* The word that comes 16 after w[0]. */
INLINE void next_word(vec *w)
{
    vec sum0 = XOR3(ROTATED(w[1], 7), ROTATED(w[1], 18), SHIFTED(w[1], 3));
    vec sum1 = XOR3(ROTATED(w[14], 17), ROTATED(w[14], 19), SHIFTED(w[14], 10));

    w[16] = ADD(ADD(w[0], sum0), ADD(w[9], sum1));
}

/* One round; `d` and `h` change, and the others move on by name. */
#define ROUND(a, b, c, d, e, f, g, h, i)                                                                              \
    do {                                                                                                              \
        if (more)                                                                                                     \
            next_word(w + (i));                                                                                       \
        h = ADD(ADD(h, ADD(w[i], ALL(k[i]))),                                                                         \
                ADD(CHOOSE(e, f, g), XOR3(ROTATED(e, 6), ROTATED(e, 11), ROTATED(e, 25))));                           \
        d = ADD(d, h);                                                                                                \
        h = ADD(h, ADD(MOST(a, b, c), XOR3(ROTATED(a, 2), ROTATED(a, 13), ROTATED(a, 22))));                          \
    } while (0)

/* Eight rounds with the words from `w` on and, beside them, the eight words that come 16 later, if there are more. */
INLINE void eight_rounds(vec s[8], vec *w, const uint32_t *k, bool more)
{
    ROUND(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], 0);
    ROUND(s[7], s[0], s[1], s[2], s[3], s[4], s[5], s[6], 1);
    ROUND(s[6], s[7], s[0], s[1], s[2], s[3], s[4], s[5], 2);
    ROUND(s[5], s[6], s[7], s[0], s[1], s[2], s[3], s[4], 3);
    ROUND(s[4], s[5], s[6], s[7], s[0], s[1], s[2], s[3], 4);
    ROUND(s[3], s[4], s[5], s[6], s[7], s[0], s[1], s[2], 5);
    ROUND(s[2], s[3], s[4], s[5], s[6], s[7], s[0], s[1], 6);
    ROUND(s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[0], 7);
}

INLINE void fold_row(vec s[8], const uint8_t *const data[LANES], size_t at)
{
    const uint32_t *k = mlr_sha256_constants;
    vec w[ROUNDS], before[8];

    memcpy(before, s, sizeof before);
    for (int i = 0; i < 16; i += 4)
        load_words(w + i, data, at + 4 * (size_t)i);
    for (int i = 0; i < ROUNDS_ALIKE; i += 8)
        eight_rounds(s, w + i, k + i, i < ROUNDS_WITH_MORE);
    for (int i = ROUNDS_ALIKE; i < ROUNDS; i += 8)
        eight_rounds(s, w + i, k + i, false);
    for (int i = 0; i < 8; i++)
        s[i] = ADD(s[i], before[i]);
}

/* Half the state of every stream, as four vectors. */
INLINE void load_half(vec s[4], uint32_t *const h[LANES], size_t at)
{
    const uint8_t *bytes[LANES];

    for (int lane = 0; lane < LANES; lane++)
        bytes[lane] = (const uint8_t *)h[lane];
    for (int i = 0; i < 4; i++)
        s[i] = quarters(bytes + i, at * sizeof(uint32_t));
    turn(s);
}

INLINE void store_half(vec s[4], uint32_t *const h[LANES], size_t at)
{
    turn(s);
    for (int i = 0; i < 4; i++)
        for (int quarter = 0; quarter < LANES / 4; quarter++)
            memcpy(h[4 * quarter + i] + at, (const char *)&s[i] + 16 * quarter, 16);
}

TARGET static void fold_lanes(uint32_t *const h[LANES], const uint8_t *const data[LANES], size_t n_blocks)
{
    vec s[8];

    load_half(s, h, 0);
    load_half(s + 4, h, 4);
    for (size_t at = 0; at < n_blocks * BLOCK; at += BLOCK)
        fold_row(s, data, at);
    store_half(s, h, 0);
    store_half(s + 4, h, 4);
}
