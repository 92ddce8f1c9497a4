/* place/upload_source.c - a blob's bytes as they are sent: hashed on their way unless they are known to be good. */
#include "place/upload_source.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"

#define SKIP_BYTES  ((size_t)256 << 10)
#define MUCH_BYTES  (4u << 20)      /* less is sent sooner than it is asked about and dropped */

static bool is_hashed(const mlr_upload_source *s)
{
    return !s->is_good;
}

static void begin_anew(mlr_upload_source *s)
{
    mlr_sha256_init(&s->hash);
    s->at = 0;
}

static int check(const mlr_upload_source *s, mlreg_error **err)
{
    mlr_sha256 hash = s->hash;
    mlr_digest got;

    if (s->at < s->reader.bytes || s->want.text[0] == '\0' || !is_hashed(s))
        return 0;
    mlr_digest_final(&hash, &got);
    return mlr_digest_check(&got, &s->want, s->reader.name, err);
}

/* EEXISTS: the other end has all of it. */
static int look_ahead(mlr_upload_source *s, mlr_op *op, mlreg_error **err)
{
    mlr_digest d;
    int        rc;

    if (s->ahead == NULL || s->has_asked || s->reader.bytes - s->at < MUCH_BYTES ||
        (rc = mlr_ahead_digest(s->ahead, s->from, false, op, &d, err)) == 0)
        return 0;
    if (rc < 0)
        return rc;
    s->has_asked = true;
    if (!s->is_there(s->user, &d))
        return 0;
    s->found = d;
    return mlr_error_set(err, MLREG_EEXISTS, "%s is there already", s->reader.name);
}

static int64_t read_source(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    mlr_upload_source *s = (mlr_upload_source *)r;
    int64_t            n;
    int                rc;

    if (offset == 0)
        begin_anew(s);
    if (offset != s->at)
        return mlr_error_set(err, MLREG_ESTATE, "%s was to be sent from byte %" PRIu64 " on, %" PRIu64 " were read",
                             r->name,
                             offset, s->at);
    if ((rc = look_ahead(s, op, err)) < 0)
        return rc;
    if ((n = mlr_reader_read_at(s->from, offset, buf, len, op, err)) <= 0)
        return n;
    if (is_hashed(s)) {
        uint64_t from_us = mlr_clock_us();

        mlr_sha256_update(&s->hash, buf, (size_t)n);
        mlr_op_spent(op, MLR_N_US_HASHED, from_us);
    }
    s->at += (uint64_t)n;
    return (rc = check(s, err)) < 0 ? rc : n;
}

int mlr_upload_source_skip(mlr_upload_source *s, uint64_t offset, mlr_op *op, mlreg_error **err)
{
    char   *piece;
    int64_t n = 0;

    begin_anew(s);
    if (s->is_good) {
        s->at = offset;
        return 0;
    }
    if ((piece = mlr_realloc_array(NULL, SKIP_BYTES, 1)) == NULL)
        return mlr_error_nomem(err);
    while (n >= 0 && s->at < offset) {
        uint64_t left = offset - s->at;

        n = read_source(&s->reader, s->at, piece, left < SKIP_BYTES ? (size_t)left : SKIP_BYTES, op, err);
    }
    mlr_free(piece);
    return n < 0 ? (int)n : 0;
}

static void free_nothing(mlr_reader *r)
{
    (void)r;
}

static const mlr_reader_ops source_ops = {.read_at = read_source, .free = free_nothing};

void mlr_upload_source_init(mlr_upload_source *s, mlr_reader *from, const mlr_digest *want)
{
    *s = (mlr_upload_source){.reader = {&source_ops, from->bytes, -1, false, from->name}, .from = from};
    if (want != NULL)
        s->want = *want;
    s->is_good = want != NULL && from->trusted;
    mlr_sha256_init(&s->hash);
}

void mlr_upload_source_ahead(mlr_upload_source *s, const mlr_ahead_file *ahead, bool (*is_there)(void *user, const mlr_digest *d), void *user)
{
    s->ahead = ahead;
    s->is_good = ahead != NULL;
    s->is_there = is_there;
    s->user = user;
}

bool mlr_upload_source_digest(const mlr_upload_source *s, mlr_digest *out)
{
    mlr_sha256 hash = s->hash;

    if (s->at < s->reader.bytes || s->is_good)
        return false;
    mlr_digest_final(&hash, out);
    return true;
}
