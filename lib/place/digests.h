/* place/digests.h - the digest memory: what SHA-256 a file of this machine had when it was last read to its end. */
#ifndef MLR_PLACE_DIGESTS_H
#define MLR_PLACE_DIGESTS_H
#include "base/reader.h"
#include "codec/digest.h"

/* A file is known by device, inode, size, mtime and ctime. What was younger than 2 s when its reading began is not remembered, for a
 * later write within one tick of the clock would not show; neither is anything on a network file system. What is remembered decides
 * what to skip and how to name it, never what is believed of bytes that are sent.
 *
 * The memory is a file of fixed size at most, of records that each carry a check: torn by two writers, by a power cut or by a flipped
 * bit, one is as good as missing. So nothing is locked, nothing is synced, and no failure here is anybody else's. */
typedef struct mlr_digests mlr_digests;        /* any thread */
mlr_digests *mlr_digests_new(const char *dir); /* NULL: there is none, which the others take for an empty one. `dir` need not exist; NULL: the user's own */
void mlr_digests_free(mlr_digests *d);
#define MLR_DIGESTS_FILE "digests"             /* in `dir` */

/* Of plain files only (fd, not trusted); others are never known. */
bool mlr_digests_find(mlr_digests *d, const mlr_reader *r, mlr_digest *out);
/* `began_ms`: by mlr_clock_wall_ms, before the first byte was read that the digest is of. */
void mlr_digests_keep(mlr_digests *d, mlr_reader *r, int64_t began_ms, const mlr_digest *digest);
void mlr_digests_forget(mlr_digests *d, const mlr_reader *r);
#endif
