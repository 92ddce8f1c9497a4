/* codec/archive.c - tar, plain or compressed, member by member.
 *
 * Two readers of libarchive stand behind each other: archive_plain.c's only decompresses, the one here only understands
 * tar. What passes between them is counted there, so the limits hold whatever the tar reader does: reads, skips, or
 * collects a header without end. */
#include "codec/archive_parts.h"

#include <archive.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define HEADER_MAX_BYTES   ((uint64_t)4 << 20)    /* of one member: a list of holes costs memory 12 times its length */
#define NAME_NOT_CONVERTED EILSEQ                 /* libarchive's code for it, which its header does not name */

static const mlr_archive_limits defaults = {.bytes = (uint64_t)1 << 40, .members = 1000000, .ratio = 1000};

bool mlr_archive_available(void)
{
    return true;
}

/* Fails for good. What pull() failed with goes before what libarchive makes of it. */
static int fail(mlr_archive *a, mlreg_error **err)
{
    if (a->rc == 0)
        return a->rc = mlr_plain_broken(a->tar, a->whole, err);
    mlr_error_move(err, &a->cause);
    return a->rc;
}

/* More of the tar: how many bytes, 0 at the end, or a code. Behind it runs code of others, in its own locale. */
static int64_t more(mlr_archive *a, const void **out, mlreg_error **err)
{
    locale_t ours = uselocale(a->hosts);
    int64_t  n = mlr_plain_next(a->plain, out, err);

    uselocale(ours);
    if (n > 0 && a->sum != NULL)
        mlr_sha256_update(a->sum, *out, (size_t)n);
    if (n > 0 && a->in_header && (a->header_bytes += (uint64_t)n) > HEADER_MAX_BYTES)
        return mlr_error_set(err, MLREG_ELIMIT, "%s has a member with a header of more than %llu bytes", a->whole,
                             (unsigned long long)HEADER_MAX_BYTES);
    return n;
}

/* libarchive's source. */
static la_ssize_t pull(struct archive *tar, void *user, const void **out)
{
    mlr_archive *a = user;
    int64_t      n = a->rc < 0 ? a->rc : more(a, out, &a->cause);

    (void)tar;
    if (n >= 0)
        return (la_ssize_t)n;
    a->rc = (int)n;
    return ARCHIVE_FATAL;
}

/* Likewise, past what nobody wants: how many bytes; 0: they must be read. */
static la_int64_t pass(struct archive *tar, void *user, la_int64_t n)
{
    mlr_archive *a = user;
    uint64_t     passed = a->skims && a->rc == 0 && n > 0 ? mlr_plain_pass(a->plain, (uint64_t)n) : 0;

    (void)tar;
    if (passed > 0)
        a->rc = mlr_plain_count(a->plain, passed, &a->cause);
    return a->rc < 0 ? 0 : (la_int64_t)passed;    /* a failure is told by the next pull */
}

static int open_tar(mlr_archive *a, mlreg_error **err)
{
    if ((a->c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0)) == (locale_t)0 ||
        (a->tar = archive_read_new()) == NULL || archive_read_support_format_tar(a->tar) != ARCHIVE_OK)
        return mlr_error_nomem(err);
    return archive_read_open2(a->tar, a, NULL, pull, pass, NULL) == ARCHIVE_OK ? 0 : fail(a, err);
}

static mlr_archive_limits with_defaults(const mlr_archive_limits *limits)
{
    mlr_archive_limits l = limits != NULL ? *limits : defaults;

    l.bytes = l.bytes > 0 ? l.bytes : defaults.bytes;
    l.members = l.members > 0 ? l.members : defaults.members;
    l.ratio = l.ratio > 0 ? l.ratio : defaults.ratio;
    return l;
}

int mlr_archive_open(mlr_reader *r, const mlr_archive_limits *limits, mlr_op *op, mlr_archive **out, mlreg_error **err)
{
    return mlr_archive_open_summed(r, limits, NULL, op, out, err);
}

int mlr_archive_open_summed(mlr_reader *r, const mlr_archive_limits *limits, mlr_sha256 *sum, mlr_op *op, mlr_archive **out, mlreg_error **err)
{
    mlr_archive *a = mlr_alloc(sizeof *a);
    int          rc;

    if (a == NULL)
        return mlr_error_nomem(err);
    a->whole = r->name;
    a->op = op;
    a->sum = sum;
    a->limits = with_defaults(limits);
    if ((rc = mlr_plain_open(r, &a->limits, op, &a->plain, err)) < 0 || (rc = open_tar(a, err)) < 0)
        goto out;
    *out = a;
    a = NULL;
out:
    mlr_archive_free(a);
    return rc;
}

void mlr_archive_skim(mlr_archive *a)
{
    a->skims = a->sum == NULL && mlr_plain_is_bare(a->plain);
}

void mlr_archive_free(mlr_archive *a)
{
    if (a == NULL)
        return;
    archive_read_free(a->tar);
    mlr_plain_free(a->plain);
    if (a->c_locale != (locale_t)0)
        freelocale(a->c_locale);
    mlr_error_done(a->cause);
    mlr_free(a->name);
    mlr_free(a->link);
    mlr_free(a);
}

static int failed_before(const mlr_archive *a, mlreg_error **err)
{
    return mlr_error_set(err, a->rc, "%s cannot be read on after a failure", a->whole);
}

/* The next stored bytes of the member: 1; 0 at their end, behind which all that is missing is one hole. */
static int next_block(mlr_archive *a, mlreg_error **err)
{
    const void *bytes;
    size_t      n;
    la_int64_t  offset;
    int         r = archive_read_data_block(a->tar, &bytes, &n, &offset);

    a->block_bytes = 0;
    a->block_at = a->bytes;
    if (a->rc < 0 || (r != ARCHIVE_OK && r != ARCHIVE_EOF))
        return fail(a, err);
    if (r == ARCHIVE_EOF)
        return 0;
    if (!a->is_file)                              /* a link may carry a body: nobody wants it */
        return 1;
    if (offset < 0 || (uint64_t)offset < a->at || (uint64_t)offset > a->bytes || n > a->bytes - (uint64_t)offset)
        return a->rc = mlr_error_set(err, MLREG_EPROTO, "%s has a member whose data lies outside of it: \"%.200s\"",
                                     a->whole, a->name);
    a->block = bytes;
    a->block_bytes = n;
    a->block_at = (uint64_t)offset;
    return 1;
}

/* Passes over what the caller left of the current member. */
static int skip_rest(mlr_archive *a, mlreg_error **err)
{
    int rc;

    if (a->skims && archive_read_data_skip(a->tar) != ARCHIVE_OK)
        return fail(a, err);
    if (a->skims)
        return 0;
    while ((rc = next_block(a, err)) > 0)
        a->at = a->block_at + a->block_bytes;
    return rc;
}

/* Behind the last member there may be padding, and must be a sound end of the compressed data. */
static int end(mlr_archive *a, mlreg_error **err)
{
    const void *rest;
    int64_t     n;

    a->ended = true;
    while ((n = more(a, &rest, err)) > 0)
        continue;
    return a->rc = (int)n;
}

/* Reads a header: 1; 0 at the end. In any locale but "C" libarchive would change names on their way, by rules that
 * depend on the host (NFC in UTF-8, letters lost in others); in "C" it finds that it cannot, warns, and gives the bytes
 * as they are. Only this thread's locale changes, and not while code of others runs. */
static int next_header(mlr_archive *a, struct archive_entry **entry, mlreg_error **err)
{
    int r;

    a->in_header = true;
    a->header_bytes = 0;
    a->hosts = uselocale(a->c_locale);
    r = archive_read_next_header(a->tar, entry);
    uselocale(a->hosts);
    a->hosts = (locale_t)0;
    a->in_header = false;
    if (a->rc < 0)                                /* libarchive looks past failures behind the first block of zeros */
        return fail(a, err);
    if (r == ARCHIVE_EOF)
        return end(a, err);
    if (r == ARCHIVE_OK || (r == ARCHIVE_WARN && archive_errno(a->tar) == NAME_NOT_CONVERTED))
        return 1;
    return fail(a, err);
}

int mlr_archive_next(mlr_archive *a, mlr_member *out, mlreg_error **err)
{
    struct archive_entry *entry = NULL;
    int                   rc;

    if (a->rc < 0)
        return failed_before(a, err);
    if (a->ended)
        return 0;
    if ((a->members > 0 && (rc = skip_rest(a, err)) < 0) || (rc = next_header(a, &entry, err)) <= 0)
        return rc;
    if (++a->members > a->limits.members)
        return a->rc = mlr_error_set(err, MLREG_ELIMIT, "%s has more than %llu members", a->whole,
                                     (unsigned long long)a->limits.members);
    rc = mlr_archive_take_member(a, entry, out, err);
    return rc < 0 ? rc : 1;
}

/* At least one byte of the member, from a block or from the hole before it. */
static int64_t read_some(mlr_archive *a, void *buf, size_t len, mlreg_error **err)
{
    size_t n;

    if (a->at < a->block_at) {
        n = a->block_at - a->at < len ? (size_t)(a->block_at - a->at) : len;
        if ((a->rc = mlr_plain_count(a->plain, n, err)) < 0)
            return a->rc;
        memset(buf, 0, n);
    } else {
        size_t before = (size_t)(a->at - a->block_at);

        n = a->block_bytes - before < len ? a->block_bytes - before : len;
        memcpy(buf, a->block + before, n);
    }
    a->at += n;
    return (int64_t)n;
}

int64_t mlr_archive_read(mlr_archive *a, void *buf, size_t len, mlreg_error **err)
{
    size_t done = 0;
    int    rc;

    if (a->rc < 0)
        return failed_before(a, err);
    if ((a->rc = mlr_op_check(a->op, err)) < 0)   /* holes are filled without asking the reader */
        return a->rc;
    while (done < len && a->at < a->bytes) {
        int64_t n;

        while (a->at == a->block_at + a->block_bytes)
            if ((rc = next_block(a, err)) < 0)
                return rc;
        if ((n = read_some(a, (uint8_t *)buf + done, len - done, err)) < 0)
            return n;
        done += (size_t)n;
    }
    return (int64_t)done;
}
