/* tests/bench/sha256.c - GB/s of each SHA-256 kernel that this processor can use, one thread, data in cache and not. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "codec/sha256.h"

#define ROUND_BYTES ((size_t)256 << 20)
#define ROUNDS 5

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The best of some rounds over the same `size` bytes: what the kernel can do, whatever else runs here. */
static double best_gb_per_s(const uint8_t *data, size_t size)
{
    double best = 0;

    for (int round = 0; round < ROUNDS; round++) {
        uint8_t sum[32];
        double start = now_s(), rate;
        mlr_sha256 s;

        mlr_sha256_init(&s);
        for (size_t done = 0; done < ROUND_BYTES; done += size)
            mlr_sha256_update(&s, data, size);
        mlr_sha256_final(&s, sum);
        rate = (double)ROUND_BYTES / (now_s() - start) / 1e9;
        best = rate > best ? rate : best;
    }
    return best;
}

int main(void)
{
    static const size_t sizes[] = {(size_t)16 << 10, (size_t)256 << 10, ROUND_BYTES};
    size_t n;
    const mlr_sha256_kernel *k = mlr_sha256_kernels(&n);
    uint8_t *data = malloc(ROUND_BYTES);

    if (data == NULL)
        return 1;
    memset(data, 0x5a, ROUND_BYTES);                /* touched before the clock runs */
    printf("%-10s %12s %12s %12s   GB/s\n", "kernel", "16 KiB", "256 KiB", "256 MiB");
    for (size_t i = 0; i < n; i++) {
        if (!k[i].usable()) {
            printf("%-10s not on this processor\n", k[i].name);
            continue;
        }
        mlr_sha256_use(&k[i]);
        printf("%-10s", k[i].name);
        for (size_t j = 0; j < sizeof sizes / sizeof sizes[0]; j++)
            printf(" %12.2f", best_gb_per_s(data, sizes[j]));
        printf("\n");
    }
    free(data);
    return 0;
}
