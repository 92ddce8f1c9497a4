/* codec/gguf.h - the header of a GGUF file, versions 2 and 3: metadata and tensor places. */
#ifndef MLR_CODEC_GGUF_H
#define MLR_CODEC_GGUF_H
#include "codec/tensors.h"
/* Strings up to 64 KiB, numbers and booleans become metadata ("general.architecture"); arrays are passed over with
 * their limits checked. A tensor of a type that we do not know ("type 200") reaches to where the next begins. EPROTO, naming
 * the file and what does not add up; ELIMIT for a header of over 100,000,000 bytes or over 1,000,000 keys or tensors;
 * ENOTSUP for versions but 2 and 3 and for big-endian files. Reads only the header, in pieces of bounded memory. */
int mlr_gguf_read(mlr_reader *r, mlr_op *op, mlr_tensors **out, mlreg_error **err);
#endif
