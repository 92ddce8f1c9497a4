/* codec/sha256_sodium.c - the SHA-256 kernel for every processor: libsodium's, fed whole blocks. */
#include "codec/sha256_kernels.h"

#include <sodium.h>
#include <string.h>

/* libsodium's SHA-256 is plain C with no state outside the struct, so it needs no sodium_init(). */
bool mlr_sha256_sodium_usable(void)
{
    return true;
}

/* A fresh state stands at a block's boundary, so whole blocks are folded at once and none is held back; its own count
 * of bytes is of no use to us, for the length is added in sha256.c. */
void mlr_sha256_sodium_blocks(uint32_t *const h[], const uint8_t *const data[], size_t n_blocks)
{
    crypto_hash_sha256_state s;

    crypto_hash_sha256_init(&s);
    memcpy(s.state, h[0], sizeof s.state);
    crypto_hash_sha256_update(&s, data[0], (unsigned long long)n_blocks * 64);
    memcpy(h[0], s.state, sizeof s.state);
}
