/* tests/bench/sha256.c - GB/s of each SHA-256 kernel that this processor can use, one thread: of one stream with data in
 * cache and not, and of several streams side by side. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "codec/sha256.h"

#define ROUND_BYTES  ((size_t)128 << 20)
#define STREAM_BYTES ((size_t)256 << 10)            /* of each stream in one call, as a reader's buffers are */
#define ROUNDS 3

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double gb_per_s_since(double start, size_t bytes)
{
    return (double)bytes / (now_s() - start) / 1e9;
}

static double one_stream(const uint8_t *data, size_t size)
{
    double start = now_s();
    mlr_sha256 s;

    mlr_sha256_init(&s);
    for (size_t done = 0; done < ROUND_BYTES; done += size)
        mlr_sha256_update(&s, data, size);
    return gb_per_s_since(start, ROUND_BYTES);
}

static double streams(const uint8_t *data, size_t n)
{
    mlr_sha256 states[MLR_SHA256_SIDE_BY_SIDE], *s[MLR_SHA256_SIDE_BY_SIDE] = {NULL};
    const void *pieces[MLR_SHA256_SIDE_BY_SIDE] = {NULL};
    size_t lens[MLR_SHA256_SIDE_BY_SIDE] = {0}, done = 0;
    double start;

    for (size_t i = 0; i < n; i++) {
        s[i] = &states[i];
        mlr_sha256_init(s[i]);
        pieces[i] = data + i * STREAM_BYTES;
        lens[i] = STREAM_BYTES;
    }
    for (start = now_s(); done < ROUND_BYTES; done += n * STREAM_BYTES)
        mlr_sha256_update_many(s, pieces, lens, n);
    return gb_per_s_since(start, done);
}

/* The best of some rounds over the same bytes: what the kernel can do, whatever else runs here. */
static void print_best(double (*measure)(const uint8_t *data, size_t n), const uint8_t *data, size_t n)
{
    double best = 0;

    for (int round = 0; round < ROUNDS; round++) {
        double rate = measure(data, n);

        best = rate > best ? rate : best;
    }
    printf(" %8.2f", best);
    fflush(stdout);
}

static void print_row(const mlr_sha256_kernel *k, const uint8_t *data)
{
    static const size_t sizes[] = {(size_t)16 << 10, (size_t)256 << 10, ROUND_BYTES}, numbers[] = {2, 3, 4, 8, 16};

    mlr_sha256_use(k);
    printf("%-12s", k == NULL ? "chosen" : k->name);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        print_best(one_stream, data, sizes[i]);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && (k == NULL || k->lanes > 1); i++)
        print_best(streams, data, numbers[i]);
    printf("\n");
}

int main(void)
{
    size_t n;
    const mlr_sha256_kernel *k = mlr_sha256_kernels(&n);
    uint8_t *data = malloc(ROUND_BYTES);

    if (data == NULL)
        return 1;
    memset(data, 0x5a, ROUND_BYTES);                /* touched before the clock runs */
    printf("%-12s %8s %8s %8s %8s %8s %8s %8s %8s   GB/s: one stream in pieces, several in pieces of 256 KiB\n", "kernel",
           "16 KiB", "256 KiB", "128 MiB", "2", "3", "4", "8", "16");
    for (size_t i = 0; i < n; i++)
        if (k[i].usable())
            print_row(&k[i], data);
        else
            printf("%-12s not on this processor\n", k[i].name);
    print_row(NULL, data);
    for (size_t i = 1; i <= MLR_SHA256_SIDE_BY_SIDE; i *= 2)
        printf("%zu: %s\n", i, mlr_sha256_in_use(i));
    free(data);
    return 0;
}
