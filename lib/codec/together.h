/* codec/together.h - SHA-256 of several threads at once, in fewer passes: whoever comes while others hash joins the next pass. */
#ifndef MLR_CODEC_TOGETHER_H
#define MLR_CODEC_TOGETHER_H
#include "codec/sha256.h"

/* As mlr_sha256_update. With as many cores as threads each does its own; else a thread takes along what others wait with, side by
 * side (mlr_sha256_update_many). Worth it for pieces of 16 KiB and more. Any thread; waits for hashing only. */
void mlr_sha256_update_together(mlr_sha256 *s, const void *data, size_t len);
#endif
