/* model/unpack.h - a layer that is an archive of files, unpacked beneath a folder. */
#ifndef MLR_MODEL_UNPACK_H
#define MLR_MODEL_UNPACK_H
#include "model/checkout.h"

/* By media type: a model's ".tar", ".tar+gzip", ".tar+zstd"; an image layer without a title; or one that oras marked for unpacking. A titled image layer is a plain
 * file: oras gives that type to whatever it pushes. */
bool mlr_unpack_is_archive(const mlr_descriptor *layer);
/* The digest is checked before the first byte is decoded, and every name before the first file is written. Files and directories only: a link or device is EDENIED. */
int mlr_unpack(mlr_runtime *rt, mlr_reader *r, const mlr_descriptor *layer, int root, const mlr_checkout *how, mlr_op *op, mlreg_error **err);
#endif
