/* place/fetch.h - one blob into a file: received, written and hashed at the same time, over as many connections as that is worth. */
#ifndef MLR_PLACE_FETCH_H
#define MLR_PLACE_FETCH_H
#include "base/fs.h"
#include "base/reader.h"
#include "base/runtime.h"
#include "codec/digest.h"

struct mlr_partial;

/* All of `r` into the file, which is empty but for what `p` knows to be there, and its digest. A blob of two slabs or more that can be
 * read over several connections begins with one; others come when they make it faster, and fetch the lowest slabs that nobody has
 * begun. What arrives in turn is hashed while it is hot; what arrives ahead of it is read back later. `p` (may be NULL) hears of
 * every slab. Memory: 2 MiB of the runtime's budget, and 640 KiB for each connection beyond the first, if that is to be had.
 * Codes as mlr_intake. */
int mlr_fetch(mlr_runtime *rt, mlr_reader *r, int fd, const char *name, struct mlr_partial *p, mlr_op *op, mlr_digest *out,
        mlreg_error **err);
/* The same for a blob that this process may not live to end: goes on with `p`, which is locked. Whole and right, it is ready for
 * mlr_partial_finish; of wrong bytes nothing stays. */
int mlr_fetch_partial(mlr_runtime *rt, mlr_reader *r, struct mlr_partial *p, const mlr_digest *d, mlr_op *op, mlreg_error **err);
#endif
