/* place/digests.h - the digest memory: what SHA-256 a file of this machine had when it was last read to its end. */
#ifndef MLR_PLACE_DIGESTS_H
#define MLR_PLACE_DIGESTS_H
#include <sys/stat.h>
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

/* Likewise of what is made from files, a tar of them say. It is known by `key`, a digest of all that decides what it becomes. */
bool mlr_digests_find_made(mlr_digests *d, const mlr_digest *key, mlr_digest *out, uint64_t *bytes);
void mlr_digests_keep_made(mlr_digests *d, const mlr_digest *key, const mlr_digest *digest, uint64_t bytes);
void mlr_digests_forget_made(mlr_digests *d, const mlr_digest *key);
/* Whether a file that looked so when its reading began (`at_ms`, by mlr_clock_wall_ms) may be taken for the same as long as it does. */
bool mlr_digests_steady(const struct stat *st, int64_t at_ms);
#endif
