/* place/partdir.h - a blob in the making in somebody's folder: in a private one within it, there only as long as it is needed. */
#ifndef MLR_PLACE_PARTDIR_H
#define MLR_PLACE_PARTDIR_H
#include "base/reader.h"
#include "place/manifest.h"
#include "place/partial.h"

#define MLR_PARTDIR        ".mlreg-partial"               /* model/titles.c: no artifact has a file of that name, or in it */
#define MLR_PARTDIR_OLD_MS ((int64_t)24 * 3600 * 1000)    /* after that nobody comes back */

typedef struct mlr_partdir { int top, fd; mlr_partial *partial; } mlr_partdir;
#define MLR_PARTDIR_INIT { -1, -1, NULL }
bool mlr_partdir_suits(const mlr_reader *r);             /* it is large and comes from afar */
/* As mlr_partial_lock, in the open folder `top`, for a file that gets its name in the open folder `to`. 1; 0: it cannot be had here (a link
 * or somebody else's folder is in its place, no right to write, another mount, no /proc), and the blob must come without it.
 * `shown` is how messages call the file; it and `top` are borrowed. */
int  mlr_partdir_lock(mlr_partdir *d, int top, int to, const char *shown, const mlr_digest *digest, uint64_t bytes, mlr_op *op, mlreg_error **err);
/* Once what was made of it has its name, or is given up. The last one takes the private folder with it. */
void mlr_partdir_done(mlr_partdir *d);
/* What lies there older than that, is no layer of `named` (may be NULL) and in nobody's hands goes, and the private folder if it is empty. */
void mlr_partdir_tidy(int top, int64_t older_ms, const mlr_manifest *named, mlr_op *op);
#endif
