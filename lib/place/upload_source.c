/* place/upload_source.c - a blob's bytes as they are sent: hashed on their way unless they are known to be good. */
#include "place/upload_source.h"

#include <inttypes.h>

#include "base/error.h"

static bool is_hashed(const mlr_upload_source *s)
{
    return s->want.text[0] == '\0' || !s->from->trusted;
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
    if ((n = mlr_reader_read_at(s->from, offset, buf, len, op, err)) <= 0)
        return n;
    if (is_hashed(s))
        mlr_sha256_update(&s->hash, buf, (size_t)n);
    s->at += (uint64_t)n;
    return (rc = check(s, err)) < 0 ? rc : n;
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
    mlr_sha256_init(&s->hash);
}

bool mlr_upload_source_digest(const mlr_upload_source *s, mlr_digest *out)
{
    mlr_sha256 hash = s->hash;

    if (s->at < s->reader.bytes)
        return false;
    mlr_digest_final(&hash, out);
    return true;
}
