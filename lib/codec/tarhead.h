/* codec/tarhead.h - what stands before a member's bytes in a tar of our own: ustar, and pax where that says too little. */
#ifndef MLR_CODEC_TARHEAD_H
#define MLR_CODEC_TARHEAD_H
#include "base/buf.h"
#include "codec/archive.h"

/* libarchive writes no record of our choosing into a pax header; padding one is what puts a file's bytes at a page. So headers are
 * made here, and read by libarchive, like anybody's. Owner and group are 0 and have no names. */
#define MLR_TAR_BLOCK_BYTES 512u
#define MLR_TAR_PAGE_BYTES  4096u
#define MLR_TAR_END_BYTES   (2 * MLR_TAR_BLOCK_BYTES)          /* zeros behind the last member */
#define MLR_TAR_MAX_TIME_S  ((INT64_C(1) << 33) - 1)           /* what ustar can say */
/* Adds the headers of a file, directory or symbolic link, for the offset `at` of the tar, a multiple of a block; `aligned`: so long
 * that what comes behind them begins at a page. */
int mlr_tarhead_put(const mlr_member *m, uint64_t at, bool aligned, mlr_buf *out, mlreg_error **err);
uint64_t mlr_tarhead_fill(uint64_t bytes);                     /* zeros behind so many bytes of a member */
#endif
