/* codec/together.h - SHA-256 of several threads at once, in fewer passes: whoever comes while others hash joins them. */
#ifndef MLR_CODEC_TOGETHER_H
#define MLR_CODEC_TOGETHER_H
#include "codec/sha256.h"

typedef struct mlr_sha256_piece { const void *data; size_t len; } mlr_sha256_piece;

/* As mlr_sha256_update, of each piece in turn, and mlr_sha256_update_many (n at most MLR_SHA256_SIDE_BY_SIDE). With as many cores as
 * streams each is hashed by its own thread; else one thread takes along what others wait with, side by side, and who comes later takes
 * the lane of who is done. Worth it for pieces of 16 KiB and more. Any thread; waits for hashing only. */
void mlr_sha256_update_together(mlr_sha256 *s, const void *data, size_t len);
void mlr_sha256_pieces_together(mlr_sha256 *s, const mlr_sha256_piece *pieces, size_t n);
void mlr_sha256_update_many_together(mlr_sha256 *const s[], const void *const data[], const size_t len[], size_t n);

/* Between the two a thread will come again and again: others wait for it a moment (2 ms at most), if few wait with them. */
void mlr_sha256_together_join(void);
void mlr_sha256_together_leave(void);
#endif
