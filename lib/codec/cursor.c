/* codec/cursor.c - little-endian numbers and strings of a header, in order, through a window of bounded memory. */
#include "codec/cursor.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define WINDOW_BYTES (64u << 10)

int mlr_cursor_init(mlr_cursor *c, mlr_reader *r, uint64_t max_bytes, mlr_op *op, mlreg_error **err)
{
    uint8_t *window = mlr_alloc(WINDOW_BYTES);

    if (window == NULL)
        return mlr_error_nomem(err);
    *c = (mlr_cursor){.reader = r, .op = op, .max_bytes = max_bytes, .window = window};
    return 0;
}

void mlr_cursor_done(mlr_cursor *c)
{
    mlr_free(c->window);
    *c = (mlr_cursor){.reader = NULL};
}

/* Whether `len` more bytes belong to the header at all. */
static int check_room(const mlr_cursor *c, uint64_t len, mlreg_error **err)
{
    const mlr_reader *r = c->reader;

    if (len > r->bytes - c->at)
        return mlr_error_set(err, MLREG_EPROTO, "%s: ends inside its header", r->name);
    if (len > c->max_bytes || c->at > c->max_bytes - len)
        return mlr_error_set(err, MLREG_ELIMIT, "%s: a header of more than %" PRIu64 " bytes", r->name, c->max_bytes);
    return 0;
}

/* Brings the byte at c->at, which the file has, into the window. */
static int fill(mlr_cursor *c, mlreg_error **err)
{
    uint64_t left = c->reader->bytes - c->at;
    int64_t  got;
    int      rc = mlr_op_check(c->op, err);

    if (rc < 0)
        return rc;
    if (left > WINDOW_BYTES)
        left = WINDOW_BYTES;
    got = mlr_reader_read_at(c->reader, c->at, c->window, (size_t)left, c->op, err);
    if (got < 0)
        return (int)got;
    if (got == 0)
        return mlr_error_set(err, MLREG_EIO, "%s: changed while it was read", c->reader->name);
    c->window_at = c->at;
    c->window_bytes = (size_t)got;
    return 0;
}

int mlr_cursor_bytes(mlr_cursor *c, void *out, size_t len, mlreg_error **err)
{
    uint8_t *to = out;
    int      rc = check_room(c, len, err);

    while (rc == 0 && len > 0) {
        uint64_t into = c->at - c->window_at;      /* at never lies before the window */
        if (into >= c->window_bytes) {
            rc = fill(c, err);
            continue;
        }
        size_t n = c->window_bytes - (size_t)into;
        n = n < len ? n : len;
        memcpy(to, c->window + into, n);
        to += n;
        len -= n;
        c->at += n;
    }
    return rc;
}

int mlr_cursor_skip(mlr_cursor *c, uint64_t len, mlreg_error **err)
{
    int rc = check_room(c, len, err);

    if (rc == 0)
        c->at += len;
    return rc;
}

static int little_endian(mlr_cursor *c, size_t bytes, uint64_t *out, mlreg_error **err)
{
    uint8_t  le[8];
    uint64_t v = 0;
    int      rc = mlr_cursor_bytes(c, le, bytes, err);

    if (rc < 0)
        return rc;
    for (size_t i = bytes; i-- > 0;)
        v = v << 8 | le[i];
    *out = v;
    return 0;
}

int mlr_cursor_u32(mlr_cursor *c, uint32_t *out, mlreg_error **err)
{
    uint64_t v;
    int      rc = little_endian(c, 4, &v, err);

    if (rc == 0)
        *out = (uint32_t)v;
    return rc;
}

int mlr_cursor_u64(mlr_cursor *c, uint64_t *out, mlreg_error **err)
{
    return little_endian(c, 8, out, err);
}
