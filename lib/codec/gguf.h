/* codec/gguf.h - the header of a GGUF file, versions 2 and 3: metadata and tensor places. */
#ifndef MLR_CODEC_GGUF_H
#define MLR_CODEC_GGUF_H
#include "codec/tensors.h"
/* Strings, numbers and booleans become metadata ("general.architecture"); arrays are passed over with their limits checked. EPROTO, naming
 * the file and what does not add up; ELIMIT for a header of over 100,000,000 bytes or over 1,000,000 keys or tensors; ENOTSUP for version 1
 * and for big-endian files. Reads only the header, in pieces of bounded memory. */
int mlr_gguf_read(mlr_reader *r, mlr_op *op, mlr_tensors **out, mlreg_error **err);
#endif
