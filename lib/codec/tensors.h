/* codec/tensors.h - what a tensor file says of itself: names, shapes, types, places, metadata. */
#ifndef MLR_CODEC_TENSORS_H
#define MLR_CODEC_TENSORS_H
#include "base/reader.h"

#define MLR_TENSOR_MAX_RANK 8
typedef struct mlr_tensor {
    const char *name, *dtype;                  /* dtype as the format writes it: "BF16", "Q4_K" */
    uint64_t shape[MLR_TENSOR_MAX_RANK];       /* outermost first, for both formats */
    unsigned rank;
    uint64_t begin, end;                       /* bytes, from the start of the file */
} mlr_tensor;
typedef struct mlr_tensors mlr_tensors;
size_t mlr_tensors_count(const mlr_tensors *t);
const mlr_tensor *mlr_tensors_at(const mlr_tensors *t, size_t i);         /* in file order */
/* Numbers as decimal text; NULL if missing, or an array. */
const char *mlr_tensors_metadata(const mlr_tensors *t, const char *key);
void mlr_tensors_free(mlr_tensors *t);
/* For the readers of formats. */
int mlr_tensors_new(mlr_tensors **out, mlreg_error **err);
int mlr_tensors_add(mlr_tensors *t, const mlr_tensor *x, mlreg_error **err);   /* copies */
/* Copies. A value of NULL: the key is there, but what it says is not kept. */
int mlr_tensors_add_metadata(mlr_tensors *t, const char *key, const char *value, mlreg_error **err);
mlr_tensor *mlr_tensors_edit(mlr_tensors *t, size_t i);                   /* its place, before others see the list */
bool mlr_tensor_elements(const mlr_tensor *x, uint64_t *out);             /* false: more than 2^64 - 1 */
void mlr_tensors_finish(mlr_tensors *t);                                  /* sorts by place */
/* After finish: 0, or EPROTO with the name that two tensors or two metadata keys of `file` share. */
int mlr_tensors_check_names(const mlr_tensors *t, const char *file, mlreg_error **err);
#endif
