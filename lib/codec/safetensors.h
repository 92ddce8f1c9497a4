/* codec/safetensors.h - the header of a safetensors file, believed only as far as it adds up. */
#ifndef MLR_CODEC_SAFETENSORS_H
#define MLR_CODEC_SAFETENSORS_H
#include "codec/tensors.h"
/* EPROTO, naming the file and what does not add up: header longer than the file or 100,000,000 bytes, no object,
 * duplicate names, unknown dtype, offsets that overlap, leave holes, disagree with shape and dtype, or do not end at
 * the file's end. ELIMIT for more dimensions than MLR_TENSOR_MAX_RANK. */
int mlr_safetensors_read(mlr_reader *r, mlr_op *op, mlr_tensors **out, mlreg_error **err);
#endif
