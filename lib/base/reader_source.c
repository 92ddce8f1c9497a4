/* base/reader_source.c - bytes that come from the caller's own code, which is asked on its own thread and not believed. */
#include "base/reader.h"

#include "base/alloc.h"
#include "base/error.h"

struct source_reader {
    mlr_reader reader;
    mlreg_source source;
};

/* One call of read_at, on its way to the caller's thread and back. */
struct question {
    const mlreg_source *source;
    uint64_t offset;
    void *buf;
    size_t len;
    int64_t answer;
};

static int ask(void *arg, mlreg_error **err)
{
    struct question *q = arg;

    (void)err;
    q->answer = q->source->read_at(q->source->user, q->offset, q->buf, q->len);
    return 0;
}

static const char *meaning_of(int64_t code)
{
    switch (code) {
#define MLREG_X(name, value, text) case value: return text;
        MLREG_ERROR_MAP(MLREG_X)
#undef MLREG_X
    default:
        return NULL;
    }
}

static int check_answer(const struct question *q, uint64_t bytes, mlreg_error **err)
{
    unsigned long long at = q->offset;

    if (q->answer < 0 && meaning_of(q->answer) != NULL)
        return mlr_error_set(err, (int)q->answer, "the source said \"%s\" at byte %llu", meaning_of(q->answer), at);
    if (q->answer < 0)
        return mlr_error_set(err, MLREG_EIO, "the source failed at byte %llu with %lld, which is no code of the library",
                at, (long long)q->answer);
    if (q->answer == 0)
        return mlr_error_set(err, MLREG_EIO, "the source ended at byte %llu, but has %llu by its own account", at,
                (unsigned long long)bytes);
    if ((uint64_t)q->answer > q->len)
        return mlr_error_set(err, MLREG_EINVAL, "the source claims to have read %lld bytes at byte %llu, into room for %zu",
                (long long)q->answer, at, q->len);
    return 0;
}

static int64_t source_read_at(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    struct question q = { &((struct source_reader *)r)->source, offset, buf, len, 0 };
    int rc;

    if ((rc = mlr_op_on_caller(op, ask, &q, err)) < 0 || (rc = check_answer(&q, r->bytes, err)) < 0)
        return rc;
    return q.answer;
}

static void source_free(mlr_reader *r)
{
    mlr_free(r);
}

static const mlr_reader_ops source_ops = { .read_at = source_read_at, .free = source_free };

int mlr_reader_from_source(const mlreg_source *source, mlr_op *op, mlr_reader **out, mlreg_error **err)
{
    struct source_reader *s;

    (void)op;                                   /* each read brings its own */
    if (source->read_at == NULL)
        return mlr_error_set(err, MLREG_EINVAL, "the source has no read_at");
    if ((s = mlr_alloc(sizeof *s)) == NULL)
        return mlr_error_nomem(err);
    s->source = *source;
    s->reader = (mlr_reader){ &source_ops, source->bytes, -1, false, "the source" };
    *out = &s->reader;
    return 0;
}
