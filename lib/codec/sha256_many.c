/* codec/sha256_many.c - SHA-256 of many streams in one call: which of them go side by side, and how far. */
#include "codec/sha256_parts.h"

#define BLOCK   64u
#define HELD    (2 * MLR_SHA256_SIDE_BY_SIDE)       /* streams in view at a time; more change nothing but the sorting */
#define TURN    64u                                 /* blocks, before another stream has its turn */

typedef struct stream {
    uint32_t      *h;
    const uint8_t *data;
    size_t         n_blocks;                        /* left */
} stream;

/* They are nearly in order: those that had their turn have equally less. */
static void sort_longest_first(stream s[], size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const stream moved = s[i];
        size_t at = i;

        for (; at > 0 && s[at - 1].n_blocks < moved.n_blocks; at--)
            s[at] = s[at - 1];
        s[at] = moved;
    }
}

/* The longest go first, so that none is left alone at the end. Where all are at work, they go on until one ends. */
static void fold_longest(stream s[], size_t n)
{
    const size_t lanes = mlr_sha256_lanes(n), shortest = s[lanes - 1].n_blocks;
    const size_t n_blocks = lanes < n && shortest > TURN ? TURN : shortest;
    uint32_t *h[MLR_SHA256_SIDE_BY_SIDE] = {NULL};
    const uint8_t *data[MLR_SHA256_SIDE_BY_SIDE] = {NULL};

    for (size_t i = 0; i < lanes; i++) {
        h[i] = s[i].h;
        data[i] = s[i].data;
        s[i].data += n_blocks * BLOCK;
        s[i].n_blocks -= n_blocks;
    }
    mlr_sha256_fold(h, data, n_blocks, lanes);
}

static size_t drop_finished(stream s[], size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++)
        if (s[i].n_blocks > 0)
            s[kept++] = s[i];
    return kept;
}

void mlr_sha256_update_many(mlr_sha256 *const s[], const void *const data[], const size_t len[], size_t n)
{
    stream held[HELD];
    size_t n_held = 0, next = 0;

    do {
        for (; n_held < HELD && next < n; next++) {
            const uint8_t *blocks = data[next];
            size_t n_blocks = mlr_sha256_take(s[next], &blocks, len[next]);

            if (n_blocks > 0)
                held[n_held++] = (stream){s[next]->h, blocks, n_blocks};
        }
        if (n_held == 0)
            return;
        sort_longest_first(held, n_held);
        fold_longest(held, n_held);
        n_held = drop_finished(held, n_held);
    } while (n_held > 0 || next < n);
}
