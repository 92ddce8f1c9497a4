/* place/intake.h - bytes on their way in: read, written and hashed in one pass, each on a thread of its own. */
#ifndef MLR_PLACE_INTAKE_H
#define MLR_PLACE_INTAKE_H
#include "base/reader.h"
#include "base/runtime.h"
#include "codec/digest.h"

/* Where the bytes of one blob go, in order; from one thread, which may be another than the caller's. */
typedef int (*mlr_intake_fn)(void *user, uint64_t offset, const void *data, size_t len, mlreg_error **err);
/* Reads all of `r`, hands each slab to `put` once (NULL: hash only) and gives the digest. EIO when the source is shorter or
 * longer than it said or changed meanwhile; else what the reader or `put` failed with first. Memory: at most 8 slabs of
 * 256 KiB out of the runtime's budget; blobs up to 1 MiB use one, on this thread, and so does everything where no thread
 * is to be had. Counts nothing: a byte that is read again would count twice. */
int mlr_intake(mlr_runtime *rt, mlr_reader *r, mlr_intake_fn put, void *user, mlr_op *op, mlr_digest *out,
        mlreg_error **err);
#endif
