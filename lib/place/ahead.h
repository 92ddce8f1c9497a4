/* place/ahead.h - the digests of large files, found by hashing many of them side by side while they are already being sent. */
#ifndef MLR_PLACE_AHEAD_H
#define MLR_PLACE_AHEAD_H
#include "base/runtime.h"
#include "place/digests.h"

/* Files are read here once more than by whoever sends them: the second time out of the page cache, and before the last byte has gone
 * it is known whether the other end has it already. Reading and sending agree on a file if it is the same (device, inode, size, mtime,
 * ctime) for both, from opening to end. */
typedef struct mlr_ahead mlr_ahead;            /* any thread; freed after all who ask */
/* Of the files at `paths` (NULL: none there), in that order; those under `least` bytes and those that `known` knows are passed over.
 * 0 with *out NULL where no thread is to be had for it. All pointers outlive it. */
int  mlr_ahead_new(mlr_runtime *rt, mlr_op *op, const char *const *paths, size_t n, uint64_t least, mlr_digests *known, mlr_ahead **out,
        mlreg_error **err);
void mlr_ahead_free(mlr_ahead *a);             /* stops; NULL is fine */

typedef struct mlr_ahead_file { mlr_ahead *of; size_t i; } mlr_ahead_file;   /* the i-th path */
/* 1 with its digest; 0: not yet, or with `wait` never: it was passed over, could not be read, or is another file than `r` (hash it
 * yourself). ECANCELLED. */
int  mlr_ahead_digest(const mlr_ahead_file *f, const mlr_reader *r, bool wait, mlr_op *op, mlr_digest *out, mlreg_error **err);
#endif
