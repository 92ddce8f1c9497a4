/* codec/arm_sums.c - a program for another processor: prints the SHA-256 of many pieces of its input with each kernel.
 *
 *     arm_sums LENGTH… <DATA
 *
 * Piece i is the LENGTH bytes from byte i on. Lines: "best NAME-OF-1 NAME-OF-2 …", then for each kernel but libsodium's,
 * which is not here, its name, a colon and the sums: of the pieces one by one, and once more of all in one call. */
#include <stdio.h>
#include <stdlib.h>

#include "codec/sha256_kernels.h"
#include "codec/sha256.h"

#define DATA_MAX   (1u << 20)
#define PIECES_MAX 1000

static uint8_t data[DATA_MAX];
static mlr_sha256 states[PIECES_MAX];
static mlr_sha256 *all[PIECES_MAX];
static const void *pieces[PIECES_MAX];
static size_t lens[PIECES_MAX];

bool mlr_sha256_sodium_usable(void)
{
    return true;
}

void mlr_sha256_sodium_blocks(uint32_t *const h[], const uint8_t *const bytes[], size_t n_blocks)
{
    (void)h;
    (void)bytes;
    (void)n_blocks;
    abort();
}

static void start(size_t n)
{
    for (size_t i = 0; i < n; i++)
        mlr_sha256_init(all[i]);
}

static void print_sums(size_t n)
{
    uint8_t sum[32];

    for (size_t i = 0; i < n; i++) {
        mlr_sha256_final(all[i], sum);
        printf(" ");
        for (int j = 0; j < 32; j++)
            printf("%02x", sum[j]);
    }
}

static void print_all(const mlr_sha256_kernel *k, size_t n)
{
    mlr_sha256_use(k);
    printf("%s:", k->name);
    start(n);
    for (size_t i = 0; i < n; i++)
        mlr_sha256_update(all[i], pieces[i], lens[i]);
    print_sums(n);
    start(n);
    mlr_sha256_update_many(all, pieces, lens, n);
    print_sums(n);
    printf("\n");
}

int main(int argc, char **argv)
{
    const size_t n = (size_t)argc - 1, n_data = fread(data, 1, sizeof data, stdin);
    size_t n_kernels;
    const mlr_sha256_kernel *k = mlr_sha256_kernels(&n_kernels);

    for (size_t i = 0; i < n && i < PIECES_MAX; i++) {
        all[i] = &states[i];
        pieces[i] = data + i;
        lens[i] = strtoul(argv[1 + i], NULL, 10);
        if (i + lens[i] > n_data)
            return 2;
    }
    printf("best %s, %s\n", mlr_sha256_in_use(1), mlr_sha256_in_use(2));
    for (size_t i = 0; i + 1 < n_kernels; i++)
        if (k[i].usable())
            print_all(&k[i], n);
    return 0;
}
