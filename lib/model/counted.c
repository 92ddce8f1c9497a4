/* model/counted.c - a reader that tells the op how far it was read, once for every byte. */
#include "model/counted.h"

#include <stdatomic.h>

#include "base/alloc.h"
#include "base/error.h"

struct counted {
    mlr_reader  base;
    mlr_reader *inner;
    const char *place;         /* whose bytes they are, or NULL */
    bool        is_planned;    /* each byte is read once: all that comes counts. Else it may be read again: … */
    uint64_t    high;          /* … everything below this offset has been counted */
    struct counted  *first;    /* itself, or whose twin it is */
    _Atomic uint64_t counted;  /* of the first: by all of them */
    uint64_t    had;           /* of these, there from before */
};

static void count(struct counted *c, uint64_t n, mlr_op *op)
{
    mlr_op_count(op, MLR_N_BYTES_DONE, (int64_t)n);
    atomic_fetch_add(&c->first->counted, n);
}

static int64_t read_at(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    struct counted *c = (struct counted *)r;
    int64_t n = mlr_reader_read_at(c->inner, offset, buf, len, op, err);
    uint64_t end = offset + (uint64_t)n;

    if (n < 0)
        return mlr_error_at(err, (int)n, c->place);
    if (c->is_planned) {
        count(c, (uint64_t)n, op);
    } else if (n > 0 && end > c->high) {
        count(c, end - c->high, op);
        c->high = end;
    }
    return n;
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

static void until(mlr_reader *r, uint64_t end)
{
    struct counted *c = (struct counted *)r;

    c->is_planned = true;
    mlr_reader_until(c->inner, end);
}

static void had(mlr_reader *r, uint64_t bytes, mlr_op *op)
{
    struct counted *c = (struct counted *)r;

    count(c, bytes, op);
    c->had += bytes;
}

static int twin(mlr_reader *r, mlr_reader **out, mlreg_error **err);

static const mlr_reader_ops counted_ops = { .read_at = read_at, .unchanged = unchanged, .free = release, .until = until, .had = had };
static const mlr_reader_ops twin_ops = { .read_at = read_at, .unchanged = unchanged, .free = release, .twin = twin, .until = until, .had = had };

int mlr_counted_new(mlr_reader *inner, const char *place, mlr_reader **out, mlreg_error **err)
{
    struct counted *c = mlr_alloc(sizeof *c);

    if (c == NULL)
        return mlr_error_nomem(err);
    c->base = *inner;
    c->base.ops = mlr_reader_has_twins(inner) ? &twin_ops : &counted_ops;
    c->inner = inner;
    c->place = place;
    c->first = c;
    *out = &c->base;
    return 0;
}

static int twin(mlr_reader *r, mlr_reader **out, mlreg_error **err)
{
    struct counted *c = (struct counted *)r;
    mlr_reader *inner = NULL;
    int rc = mlr_reader_twin(c->inner, &inner, err);

    if (rc == 0 && (rc = mlr_counted_new(inner, c->place, out, err)) < 0)
        mlr_reader_free(inner);
    if (rc == 0)
        ((struct counted *)*out)->first = c->first;
    return rc;
}

int mlr_counted_open(mlr_place *p, const mlr_blob *b, mlr_op *op, mlr_reader **out, mlreg_error **err)
{
    mlr_reader *inner = NULL;
    int rc = mlr_place_blob_later(p, b, op, &inner, err);

    if (rc == 0 && (rc = mlr_counted_new(inner, p->name, out, err)) < 0)
        mlr_reader_free(inner);
    return rc;
}

void mlr_counted_rest(mlr_reader *counted, mlr_op *op)
{
    struct counted *c = (struct counted *)counted;
    uint64_t done = atomic_load(&c->counted);

    if (done < c->base.bytes)
        count(c, c->base.bytes - done, op);
    c->high = c->base.bytes;
}

void mlr_counted_take_back(mlr_reader *counted, mlr_op *op)
{
    struct counted *c = (struct counted *)counted;

    mlr_op_count(op, MLR_N_BYTES_DONE, -(int64_t)atomic_exchange(&c->counted, 0));
    mlr_op_count(op, MLR_N_BYTES_RESUMED, -(int64_t)c->had);
    c->had = 0;
}

/* What the other end of a line found wrong (an HTTP status tells) may have become so on its way there. Where part of it was there
 * from before, that may be what is wrong: it is gone now, and whoever gave the rest is not blamed yet. */
bool mlr_counted_again(mlr_place *p, const mlr_blob *b, int rc, mlr_reader **counted, mlr_op *op, mlreg_error **why)
{
    struct counted *c = (struct counted *)*counted;
    uint64_t had = c != NULL ? c->had : 0;
    bool is_ours = *why == NULL || (*why)->http_status == 0;

    if (rc != MLREG_EDIGEST || !is_ours || mlr_op_cancelled(op) || (had == 0 && mlr_place_blob_wrong(p, b, op) == 0))
        return false;
    if (c != NULL)
        mlr_counted_take_back(*counted, op);
    mlr_reader_free(*counted);
    *counted = NULL;
    mlr_error_done(*why);
    *why = NULL;
    return true;
}
