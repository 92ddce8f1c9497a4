/* codec/pack.c - bytes on their way into gzip or zstd, by libarchive's filters. */
#include "codec/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"

#define SLAB_BYTES (256u << 10)

struct packing {
    mlr_reader *from;
    int fd;
    uint64_t written;
    struct archive *to;
    int rc;                          /* what writing failed with, and its error: libarchive only knows that it did */
    mlreg_error *cause;
};

const char *mlr_pack_suffix(mlr_pack p)
{
    return p == MLR_PACK_GZIP ? "+gzip" : p == MLR_PACK_ZSTD ? "+zstd" : "";
}

static la_ssize_t put(struct archive *a, void *user, const void *data, size_t len)
{
    struct packing *p = user;

    (void)a;
    if ((p->rc = mlr_fs_write_at(p->fd, p->written, data, len, MLR_TEMP_SCRATCH, &p->cause)) < 0)
        return -1;
    p->written += len;
    return (la_ssize_t)len;
}

static int failed(struct packing *p, mlreg_error **err)
{
    const char *why = archive_error_string(p->to);

    if (p->rc == 0)
        return mlr_error_set(err, MLREG_EIO, "%s cannot be packed: %s", p->from->name, why != NULL ? why : "libarchive failed");
    mlr_error_move(err, &p->cause);
    return p->rc;
}

static int choose_filter(struct packing *p, mlr_pack how, mlreg_error **err)
{
    int r = how == MLR_PACK_GZIP ? archive_write_add_filter_gzip(p->to) : archive_write_add_filter_zstd(p->to);

    if (r == ARCHIVE_FATAL)
        return mlr_error_nomem(err);
    if (r != ARCHIVE_OK)             /* it would start a program for it */
        return mlr_error_set(err, MLREG_ENOTSUP, "this libarchive was built without %s", mlr_pack_suffix(how) + 1);
    if (how == MLR_PACK_GZIP && archive_write_set_filter_option(p->to, "gzip", "timestamp", NULL) != ARCHIVE_OK)
        return failed(p, err);
    return 0;
}

static int start(struct packing *p, mlr_pack how, struct archive_entry *whole, mlreg_error **err)
{
    int rc;

    archive_entry_set_filetype(whole, AE_IFREG);
    archive_entry_set_pathname(whole, "data");
    if (archive_write_set_format_raw(p->to) != ARCHIVE_OK || archive_write_set_bytes_per_block(p->to, SLAB_BYTES) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(p->to, 1) != ARCHIVE_OK)
        return failed(p, err);
    if ((rc = choose_filter(p, how, err)) < 0)
        return rc;
    if (archive_write_open(p->to, p, NULL, put, NULL) != ARCHIVE_OK || archive_write_header(p->to, whole) != ARCHIVE_OK)
        return failed(p, err);
    return 0;
}

static int feed(struct packing *p, uint8_t *slab, mlr_op *op, mlr_digest *plain, mlreg_error **err)
{
    mlr_sha256 sum;
    int64_t n;

    mlr_sha256_init(&sum);
    for (uint64_t at = 0; (n = mlr_reader_read_at(p->from, at, slab, SLAB_BYTES, op, err)) > 0; at += (uint64_t)n) {
        mlr_sha256_update(&sum, slab, (size_t)n);
        if (archive_write_data(p->to, slab, (size_t)n) != n)
            return failed(p, err);
    }
    if (n < 0)
        return (int)n;
    mlr_digest_final(&sum, plain);
    return archive_write_close(p->to) == ARCHIVE_OK ? 0 : failed(p, err);
}

int mlr_pack_into(mlr_reader *r, mlr_pack how, int fd, mlr_op *op, mlr_digest *plain, mlreg_error **err)
{
    struct packing p = { .from = r, .fd = fd, .to = archive_write_new() };
    struct archive_entry *whole = archive_entry_new();
    uint8_t *slab = mlr_alloc(SLAB_BYTES);
    int rc;

    if (p.to == NULL || whole == NULL || slab == NULL)
        rc = mlr_error_nomem(err);
    else if ((rc = start(&p, how, whole, err)) == 0)
        rc = feed(&p, slab, op, plain, err);
    mlr_free(slab);
    archive_entry_free(whole);
    archive_write_free(p.to);        /* writes on what it holds: `put` must still be able to */
    mlr_error_done(p.cause);
    return rc;
}
