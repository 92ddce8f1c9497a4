/* codec/pack_none.c - what stands in for pack.c in a build without libarchive: a clear refusal. */
#include "codec/pack.h"

#include "base/error.h"

const char *mlr_pack_suffix(mlr_pack p)
{
    return p == MLR_PACK_GZIP ? "+gzip" : p == MLR_PACK_ZSTD ? "+zstd" : "";
}

int mlr_pack_into(mlr_reader *r, mlr_pack how, int fd, mlr_op *op, mlr_digest *plain, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_ENOTSUP, "%s cannot be packed: this libmlreg was built without libarchive", r->name);

    (void)how;
    (void)fd;
    (void)op;
    (void)plain;
    return mlr_error_hint(err, rc, "leave the layer plain, or install libarchive's development files (Debian: libarchive-dev) and build again");
}
