/* codec/sha256.h - SHA-256: the fastest kernel this processor has, with libsodium where none of ours fits. */
#ifndef MLR_CODEC_SHA256_H
#define MLR_CODEC_SHA256_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mlr_sha256 {                   /* copying the struct copies the state */
    uint32_t h[8];
    uint64_t bytes;                           /* taken so far */
    uint8_t  tail[64];                        /* the first bytes % 64 of it are waiting */
} mlr_sha256;
void mlr_sha256_init(mlr_sha256 *s);
void mlr_sha256_update(mlr_sha256 *s, const void *data, size_t len);
/* As mlr_sha256_update(s[i], data[i], len[i]) for each of the n states, all different, but side by side where that is
 * faster. Many streams gain more than few, up to MLR_SHA256_SIDE_BY_SIDE, and pieces of like length more than others. */
#define MLR_SHA256_SIDE_BY_SIDE 16
void mlr_sha256_update_many(mlr_sha256 *const s[], const void *const data[], const size_t len[], size_t n);
void mlr_sha256_final(mlr_sha256 *s, uint8_t out[32]);        /* the state is spent */

#define MLR_SHA256_SAVED_BYTES 104            /* h big-endian, bytes big-endian, tail */
void mlr_sha256_save(const mlr_sha256 *s, uint8_t out[MLR_SHA256_SAVED_BYTES]);
/* False, and *s as before, for what save never writes. */
bool mlr_sha256_restore(mlr_sha256 *s, const uint8_t in[MLR_SHA256_SAVED_BYTES]) __attribute__((warn_unused_result));

/* The table behind the choice; tests walk it. Each kernel folds whole 64-byte blocks into the states of so many streams,
 * and stores the states after it has read all of them: lanes may be given the same stream. */
typedef struct mlr_sha256_kernel {
    const char *name;                         /* "sha-ni", "avx-512 x16", … */
    unsigned    lanes;                        /* streams side by side: so many entries have `h` and `data` */
    unsigned    cycles;                       /* about, for a block of each; by this the choice is made */
    bool (*usable)(void);
    void (*blocks)(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks);
} mlr_sha256_kernel;
const mlr_sha256_kernel *mlr_sha256_kernels(size_t *n);       /* the last is always usable */
void mlr_sha256_use(const mlr_sha256_kernel *k);              /* for tests and benchmarks; NULL: the best */
const char *mlr_sha256_in_use(size_t n_streams);
#endif
