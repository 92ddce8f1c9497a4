/* model/counted.c - a reader that tells the op how far it was read, once for every byte. */
#include "model/counted.h"

#include "base/alloc.h"
#include "base/error.h"

struct counted {
    mlr_reader  base;
    mlr_reader *inner;
    const char *place; /* whose bytes they are, or NULL */
    uint64_t    high;  /* everything below this offset has been counted */
};

static int64_t read_at(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    struct counted *c = (struct counted *)r;
    int64_t n = mlr_reader_read_at(c->inner, offset, buf, len, op, err);

    if (n > 0 && offset + (uint64_t)n > c->high) {
        mlr_op_count(op, MLR_N_BYTES_DONE, (int64_t)(offset + (uint64_t)n - c->high));
        c->high = offset + (uint64_t)n;
    }
    return n < 0 ? mlr_error_at(err, (int)n, c->place) : n;
}

static int unchanged(mlr_reader *r, mlreg_error **err)
{
    const struct counted *c = (struct counted *)r;

    return mlr_error_at(err, mlr_reader_unchanged(c->inner, err), c->place);
}

static void release(mlr_reader *r)
{
    struct counted *c = (struct counted *)r;

    mlr_reader_free(c->inner);
    mlr_free(c);
}

static const mlr_reader_ops counted_ops = { .read_at = read_at, .unchanged = unchanged, .free = release };

int mlr_counted_new(mlr_reader *inner, const char *place, mlr_reader **out, mlreg_error **err)
{
    struct counted *c = mlr_alloc(sizeof *c);

    if (c == NULL)
        return mlr_error_nomem(err);
    c->base = *inner;
    c->base.ops = &counted_ops;
    c->inner = inner;
    c->place = place;
    *out = &c->base;
    return 0;
}

int mlr_counted_open(mlr_place *p, const mlr_blob *b, mlr_op *op, mlr_reader **out, mlreg_error **err)
{
    mlr_reader *inner = NULL;
    int rc = mlr_place_blob_open(p, b, op, &inner, err);

    if (rc == 0 && (rc = mlr_counted_new(inner, p->name, out, err)) < 0)
        mlr_reader_free(inner);
    return rc;
}

void mlr_counted_rest(mlr_reader *counted, mlr_op *op)
{
    struct counted *c = (struct counted *)counted;

    if (c->high < c->base.bytes)
        mlr_op_count(op, MLR_N_BYTES_DONE, (int64_t)(c->base.bytes - c->high));
    c->high = c->base.bytes;
}
