/* codec/archive_plain.h - the bytes inside a compression, or inside none, each counted before anybody sees it. */
#ifndef MLR_CODEC_ARCHIVE_PLAIN_H
#define MLR_CODEC_ARCHIVE_PLAIN_H
#include "codec/archive.h"

struct archive;
typedef struct mlr_plain mlr_plain;
/* `limits` without a 0 in it; of them `bytes` and `ratio` count here. The reader must outlive it. */
int  mlr_plain_open(mlr_reader *r, const mlr_archive_limits *limits, mlr_op *op, mlr_plain **out, mlreg_error **err);
/* The next bytes, borrowed until the next call: how many, 0 at the end. EPROTO broken; ELIMIT bomb; what the reader
 * fails with. After a failure it must not be called again. */
int64_t mlr_plain_next(mlr_plain *p, const void **block, mlreg_error **err);
bool mlr_plain_is_bare(const mlr_plain *p);      /* nothing is packed; then: */
uint64_t mlr_plain_pass(mlr_plain *p, uint64_t n);   /* passes over so many of the next bytes, or what there is; to be counted */
/* Counts bytes that came out elsewhere, of a hole: 0 or ELIMIT. */
int  mlr_plain_count(mlr_plain *p, uint64_t n, mlreg_error **err);
void mlr_plain_free(mlr_plain *p);               /* NULL is fine */

/* EPROTO "<name> cannot be unpacked: …" with libarchive's reason; ENOMEM where that is it. */
int  mlr_plain_broken(struct archive *a, const char *name, mlreg_error **err);
#endif
