/* model/unpack.h - a layer that is an archive of files, unpacked beneath a folder. */
#ifndef MLR_MODEL_UNPACK_H
#define MLR_MODEL_UNPACK_H
#include "model/checkout.h"
#include "model/landing.h"
#include "model/titles.h"

/* By media type: a model's ".tar", ".tar+gzip", ".tar+zstd"; an image layer without a title; or one that oras marked for unpacking. A titled image layer is a plain
 * file: oras gives that type to whatever it pushes. */
bool mlr_unpack_is_archive(const mlr_descriptor *layer);

/* One archive: brought first, so that the digest is checked before a byte is decoded; then its names, so that all are known before a file is written; then its files. */
typedef struct mlr_unpack { mlr_reader *bytes; mlr_temp temp; } mlr_unpack;
#define MLR_UNPACK_INIT { NULL, MLR_TEMP_INIT }
/* Takes `*r`, on success only: what is trusted is `bytes` then; else it went into a nameless file on `ground`'s disk, and `*r` is NULL. */
int  mlr_unpack_bring(mlr_unpack *u, mlr_runtime *rt, mlr_reader **r, const mlr_descriptor *layer, const mlr_ground *ground, mlr_op *op, mlreg_error **err);
/* Files and directories only: EDENIED for links and devices, ENOTSUP for an image's mark that something is removed. */
int  mlr_unpack_names(const mlr_unpack *u, mlr_titles *add_to, mlr_op *op, mlreg_error **err);
/* Files that are there with the same content stay untouched. */
int  mlr_unpack_land(const mlr_unpack *u, const mlr_ground *ground, const mlr_checkout *how, mlr_op *op, mlreg_error **err);
void mlr_unpack_done(mlr_unpack *u);
#endif
