/* codec/tarfile.h - where in a plain tar of one file that file's bytes lie. */
#ifndef MLR_CODEC_TARFILE_H
#define MLR_CODEC_TARFILE_H
#include "base/reader.h"

/* Folders may stand before it, nothing behind it. Reads the first page or two, and the block behind the file. ENOTSUP: it is packed, holds another number of
 * files, or is no tar; what the reader fails with. */
int mlr_tarfile_find(mlr_reader *r, mlr_op *op, uint64_t *offset, uint64_t *bytes, mlreg_error **err);
#endif
