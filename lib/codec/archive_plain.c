/* codec/archive_plain.c - the bytes inside gzip, zstd or nothing, out of libarchive, with an eye on bombs. */
#include "codec/archive_plain.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define IN_BYTES         (256u << 10)             /* asked of the reader at once */
#define SKIPPED_MAX      64                       /* frames before the first with data; pzstd writes one */
#define RATIO_FROM_BYTES ((uint64_t)64 << 20)     /* less than this is no bomb, however small it was */

struct mlr_plain {
    mlr_reader        *reader;
    mlr_op            *op;
    mlr_archive_limits limits;
    struct archive    *from;                      /* NULL: nothing is packed, and the reader's bytes are the tar's */
    bool               ended;
    uint64_t           taken, given;              /* bytes from the reader; bytes that came out */
    int                rc;                        /* what the reader failed with, and its error: libarchive only */
    mlreg_error       *cause;                     /* knows that it did */
    uint8_t            in[IN_BYTES];
};

int mlr_plain_broken(struct archive *a, const char *name, mlreg_error **err)
{
    const char *why = archive_error_string(a);

    if (archive_errno(a) == ENOMEM)
        return mlr_error_nomem(err);
    return mlr_error_set(err, MLREG_EPROTO, "%s cannot be unpacked: %s", name, why != NULL ? why : "damaged archive");
}

static int broken(mlr_plain *p, mlreg_error **err)
{
    if (p->rc == 0)
        return mlr_plain_broken(p->from, p->reader->name, err);
    mlr_error_move(err, &p->cause);
    return p->rc;
}

/* libarchive's source: the reader. */
static la_ssize_t fill(struct archive *from, void *user, const void **out)
{
    mlr_plain *p = user;
    int64_t    n = mlr_reader_read_at(p->reader, p->taken, p->in, sizeof p->in, p->op, &p->cause);

    (void)from;
    if (n < 0) {
        p->rc = (int)n;
        return ARCHIVE_FATAL;
    }
    p->taken += (uint64_t)n;
    *out = p->in;
    return (la_ssize_t)n;
}

/* Behind the frames that zstd skips (RFC 8878 §3.1.2), and what stands there: its first bytes, how many of them, or a code. */
static int64_t first_bytes(mlr_plain *p, uint64_t *at, uint8_t head[8], mlreg_error **err)
{
    int64_t n = 0;

    for (int i = 0; i < SKIPPED_MAX; i++) {
        n = mlr_reader_read_at(p->reader, *at, head, 8, p->op, err);
        if (n < 8 || (head[0] & 0xf0) != 0x50 || memcmp(head + 1, "\x2a\x4d\x18", 3) != 0)
            return n;
        *at += 8 + ((uint64_t)head[4] | (uint64_t)head[5] << 8 | (uint64_t)head[6] << 16 | (uint64_t)head[7] << 24);
    }
    return n;
}

/* By its first bytes, which no other filter gets a look at. NULL: it is not packed. libarchive knows no frames to be skipped
 * before the first that is not. */
static int find_packing(mlr_plain *p, const char **out, mlreg_error **err)
{
    static const uint8_t gzip[] = {0x1f, 0x8b}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
    uint8_t              head[8] = {0};
    uint64_t             at = 0;
    int64_t              n = first_bytes(p, &at, head, err);

    if (n < 0)
        return (int)n;
    *out = NULL;
    if (n >= 2 && at == 0 && memcmp(head, gzip, sizeof gzip) == 0)
        *out = "gzip";
    if (n >= 4 && memcmp(head, zstd, sizeof zstd) == 0) {
        *out = "zstd";
        p->taken = at;
    }
    return 0;
}

static int choose_filter(mlr_plain *p, const char *name, mlreg_error **err)
{
    int r = strcmp(name, "gzip") == 0 ? archive_read_support_filter_gzip(p->from) : archive_read_support_filter_zstd(p->from);

    if (r == ARCHIVE_OK)
        return 0;
    if (r == ARCHIVE_FATAL)
        return mlr_error_nomem(err);
    /* A warning means that libarchive would start a program for it, and this library starts none. */
    return mlr_error_set(err, MLREG_ENOTSUP, "%s cannot be unpacked: this libarchive was built without %s",
                         p->reader->name, name);
}

static int start(mlr_plain *p, mlreg_error **err)
{
    struct archive_entry *whole;
    const char           *packing = NULL;
    int                   rc, r;

    if ((rc = find_packing(p, &packing, err)) < 0 || packing == NULL)
        return rc;
    if ((p->from = archive_read_new()) == NULL || archive_read_support_format_raw(p->from) != ARCHIVE_OK ||
        archive_read_support_format_empty(p->from) != ARCHIVE_OK)
        return mlr_error_nomem(err);
    if ((rc = choose_filter(p, packing, err)) < 0)
        return rc;
    if (archive_read_open(p->from, p, NULL, fill, NULL) != ARCHIVE_OK)
        return broken(p, err);
    r = archive_read_next_header(p->from, &whole);
    p->ended = r == ARCHIVE_EOF;
    if (r != ARCHIVE_OK && r != ARCHIVE_EOF)
        return broken(p, err);
    if (archive_filter_count(p->from) > 2)        /* the filter and the source itself */
        return mlr_error_set(err, MLREG_EPROTO, "%s is compressed more than once", p->reader->name);
    return 0;
}

int mlr_plain_open(mlr_reader *r, const mlr_archive_limits *limits, mlr_op *op, mlr_plain **out, mlreg_error **err)
{
    mlr_plain *p = mlr_alloc(sizeof *p);
    int        rc;

    if (p == NULL)
        return mlr_error_nomem(err);
    p->reader = r;
    p->op = op;
    p->limits = *limits;
    if ((rc = start(p, err)) < 0)
        goto out;
    *out = p;
    p = NULL;
out:
    mlr_plain_free(p);
    return rc;
}

void mlr_plain_free(mlr_plain *p)
{
    if (p == NULL)
        return;
    archive_read_free(p->from);
    mlr_error_done(p->cause);
    mlr_free(p);
}

int mlr_plain_count(mlr_plain *p, uint64_t n, mlreg_error **err)
{
    p->given += n;
    if (p->given > p->limits.bytes)
        return mlr_error_set(err, MLREG_ELIMIT, "%s unpacks to more than %llu bytes", p->reader->name,
                             (unsigned long long)p->limits.bytes);
    if (p->given > RATIO_FROM_BYTES && p->given / p->limits.ratio > p->taken)
        return mlr_error_set(err, MLREG_ELIMIT, "%s unpacks to more than %llu times its size", p->reader->name,
                             (unsigned long long)p->limits.ratio);
    return 0;
}

/* ---- what is not packed ---- */

bool mlr_plain_is_bare(const mlr_plain *p)
{
    return p->from == NULL;
}

uint64_t mlr_plain_pass(mlr_plain *p, uint64_t n)
{
    uint64_t left = p->reader->bytes > p->taken ? p->reader->bytes - p->taken : 0;

    n = n < left ? n : left;
    p->taken += n;
    return n;
}

static int64_t next_bare(mlr_plain *p, const void **block, mlreg_error **err)
{
    int64_t n = mlr_reader_read_at(p->reader, p->taken, p->in, sizeof p->in, p->op, err);
    int     rc;

    if (n <= 0)
        return n;
    p->taken += (uint64_t)n;
    *block = p->in;
    return (rc = mlr_plain_count(p, (uint64_t)n, err)) < 0 ? rc : n;
}

/* ---- the bytes ---- */

int64_t mlr_plain_next(mlr_plain *p, const void **block, mlreg_error **err)
{
    size_t     n = 0;
    la_int64_t offset;
    int        rc, r = p->ended ? ARCHIVE_EOF : ARCHIVE_OK;

    if (p->from == NULL)
        return next_bare(p, block, err);
    while (r == ARCHIVE_OK && n == 0)
        r = archive_read_data_block(p->from, block, &n, &offset);
    if (r == ARCHIVE_EOF) {
        p->ended = true;
        return 0;
    }
    if (r != ARCHIVE_OK)
        return broken(p, err);
    /* The op is asked here too: a bomb gives much and takes next to nothing. */
    if ((rc = mlr_op_check(p->op, err)) < 0 || (rc = mlr_plain_count(p, n, err)) < 0)
        return rc;
    return (int64_t)n;
}
