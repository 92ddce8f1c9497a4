/* model/counted.h - a reader that tells the op how far it was read, once for every byte. */
#ifndef MLR_MODEL_COUNTED_H
#define MLR_MODEL_COUNTED_H
#include "place/place.h"

/* Wraps `inner`, which it frees with itself (on success only). Bytes read again, after a broken upload say, count once.
 * What fails carries `place` (borrowed; NULL: none): a reader ends up in the hands of another place, which would else be taken for the cause. */
int mlr_counted_new(mlr_reader *inner, const char *place, mlr_reader **out, mlreg_error **err);
/* The same around a blob of a place. */
int mlr_counted_open(mlr_place *p, const mlr_blob *b, mlr_op *op, mlr_reader **out, mlreg_error **err);
/* After the bytes of a blob were read with the result `rc`: whether they were wrong and the place has others. Then the reader
 * is gone, its bytes count no more, *why is forgotten: open the blob again. */
bool mlr_counted_again(mlr_place *p, const mlr_blob *b, int rc, mlr_reader **counted, mlr_op *op, mlreg_error **why);
/* What came of it was no use, and all of it comes again from elsewhere: none of it counts any more. */
void mlr_counted_take_back(mlr_reader *counted, mlr_op *op);
/* What of the reader's bytes was never read (a place had them already): counted as done, for totals that add up. */
void mlr_counted_rest(mlr_reader *counted, mlr_op *op);
#endif
