/* codec/archive_none.c - what stands in for archive.c in a build without libarchive: a clear refusal. */
#include "codec/archive.h"

#include "base/error.h"

bool mlr_archive_available(void)
{
    return false;
}

int mlr_archive_open_summed(mlr_reader *r, const mlr_archive_limits *limits, mlr_sha256 *sum, mlr_op *op, mlr_archive **out, mlreg_error **err)
{
    (void)sum;
    return mlr_archive_open(r, limits, op, out, err);
}

int mlr_archive_open(mlr_reader *r, const mlr_archive_limits *limits, mlr_op *op, mlr_archive **out, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_ENOTSUP, "%s cannot be unpacked: this libmlreg was built without libarchive",
                           r->name);

    (void)limits;
    (void)op;
    (void)out;
    return mlr_error_hint(err, rc, "install libarchive's development files (Debian: libarchive-dev) and build again");
}

/* Nothing is ever opened here. */
int mlr_archive_next(mlr_archive *a, mlr_member *out, mlreg_error **err)
{
    (void)a;
    (void)out;
    return mlr_error_set(err, MLREG_ENOTSUP, "archives cannot be read without libarchive");
}

int64_t mlr_archive_read(mlr_archive *a, void *buf, size_t len, mlreg_error **err)
{
    (void)a;
    (void)buf;
    (void)len;
    return mlr_error_set(err, MLREG_ENOTSUP, "archives cannot be read without libarchive");
}

void mlr_archive_free(mlr_archive *a)
{
    (void)a;
}

void mlr_archive_skim(mlr_archive *a)
{
    (void)a;
}
