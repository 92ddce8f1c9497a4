/* codec/pack.h - bytes on their way into gzip or zstd. */
#ifndef MLR_CODEC_PACK_H
#define MLR_CODEC_PACK_H
#include "base/reader.h"
#include "codec/digest.h"

typedef enum mlr_pack { MLR_PACK_NONE, MLR_PACK_GZIP, MLR_PACK_ZSTD } mlr_pack;
const char *mlr_pack_suffix(mlr_pack p);       /* of a media type: "", "+gzip", "+zstd" */
/* Packs all of `r` into the empty file `fd`, and gives the digest of what went in. No time and no name goes into it; what comes out
 * still depends on the version of zlib or zstd. ENOTSUP without libarchive, or where that has no zstd. */
int mlr_pack_into(mlr_reader *r, mlr_pack how, int fd, mlr_op *op, mlr_digest *plain, mlreg_error **err);
#endif
