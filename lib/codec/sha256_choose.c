/* codec/sha256_choose.c - the SHA-256 kernels that there are, and which of them takes how many streams. */
#include <assert.h>
#include <stdatomic.h>

#include "codec/sha256_kernels.h"
#include "codec/sha256_parts.h"

/* The cycles are rounded from measurements: of the SHA extensions on Zen 4, of AVX and libsodium on Cascade Lake; of ARM's
 * on Neoverse N1 they follow from its latencies. */
static const mlr_sha256_kernel kernels[] = {
#ifdef MLR_SHA256_X86
    {"sha-ni", 1, 130, mlr_sha256_x86_usable, mlr_sha256_x86_blocks},
    {"sha-ni x2", 2, 145, mlr_sha256_x86_many_usable, mlr_sha256_x86_x2_blocks},
    {"sha-ni x3", 3, 175, mlr_sha256_x86_many_usable, mlr_sha256_x86_x3_blocks},
#endif
#ifdef MLR_SHA256_AVX
    {"avx-512", 1, 370, mlr_sha256_avx512_usable, mlr_sha256_avx512_blocks},
    {"avx-512 x8", 8, 540, mlr_sha256_avx512_usable, mlr_sha256_avx512_x8_blocks},
    {"avx-512 x16", 16, 920, mlr_sha256_avx512_x16_usable, mlr_sha256_avx512_x16_blocks},
    {"avx2", 1, 480, mlr_sha256_avx2_usable, mlr_sha256_avx2_blocks},
    {"avx2 x8", 8, 1040, mlr_sha256_avx2_usable, mlr_sha256_avx2_x8_blocks},
#endif
#ifdef MLR_SHA256_ARM
    {"armv8", 1, 105, mlr_sha256_arm_usable, mlr_sha256_arm_blocks},
    {"armv8 x2", 2, 130, mlr_sha256_arm_usable, mlr_sha256_arm_x2_blocks},
#endif
    {"sodium", 1, 700, mlr_sha256_sodium_usable, mlr_sha256_sodium_blocks},
};
#define N_KERNELS (sizeof kernels / sizeof kernels[0])

/* By the number of streams at hand; NULL until first used. */
static _Atomic(const mlr_sha256_kernel *) chosen[MLR_SHA256_SIDE_BY_SIDE + 1];

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Lanes that no stream fills are lost: what counts is the time for each stream. */
static bool is_faster(const mlr_sha256_kernel *a, const mlr_sha256_kernel *b, size_t n_streams)
{
    return a->cycles * least(b->lanes, n_streams) < b->cycles * least(a->lanes, n_streams);
}

static const mlr_sha256_kernel *best(size_t n_streams)
{
    const mlr_sha256_kernel *found = &kernels[N_KERNELS - 1];

    for (size_t i = 0; i < N_KERNELS; i++)
        if (is_faster(&kernels[i], found, n_streams) && kernels[i].usable())
            found = &kernels[i];
    return found;
}

static const mlr_sha256_kernel *kernel_for(size_t n_streams)
{
    const size_t n = least(n_streams, MLR_SHA256_SIDE_BY_SIDE);
    const mlr_sha256_kernel *k = atomic_load_explicit(&chosen[n], memory_order_relaxed);

    if (k == NULL) {
        const mlr_sha256_kernel *first = best(n);

        if (atomic_compare_exchange_strong(&chosen[n], &k, first))
            k = first;
    }
    return k;
}

size_t mlr_sha256_lanes(size_t n_streams)
{
    return least(n_streams, kernel_for(n_streams)->lanes);
}

void mlr_sha256_fold(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks, size_t n_streams)
{
    const mlr_sha256_kernel *k = kernel_for(n_streams);
    uint32_t *all_h[MLR_SHA256_SIDE_BY_SIDE];
    const uint8_t *all_data[MLR_SHA256_SIDE_BY_SIDE];

    if (n_streams == k->lanes) {
        k->blocks(h, data, n_blocks);
        return;
    }
    for (size_t i = 0; i < k->lanes; i++) {         /* lanes to spare do the first stream's work once more */
        all_h[i] = h[i < n_streams ? i : 0];
        all_data[i] = data[i < n_streams ? i : 0];
    }
    k->blocks(all_h, all_data, n_blocks);
}

const mlr_sha256_kernel *mlr_sha256_kernels(size_t *n)
{
    *n = N_KERNELS;
    return kernels;
}

void mlr_sha256_use(const mlr_sha256_kernel *k)
{
    assert(k == NULL || (k->usable() && k->lanes <= MLR_SHA256_SIDE_BY_SIDE));
    for (size_t i = 0; i <= MLR_SHA256_SIDE_BY_SIDE; i++)
        atomic_store(&chosen[i], k);
}

const char *mlr_sha256_in_use(size_t n_streams)
{
    return kernel_for(n_streams)->name;
}
