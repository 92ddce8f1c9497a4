/* place/registry_answer.c - one answer with a blob's bytes: asked for, checked, and read to its end. */
#include "place/registry_reader_parts.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "place/registry_range.h"

#define SKIP_MAX_BYTES (256u << 10)   /* read over rather than asked anew */

void mlr_answer_hang_up(mlr_blob_reader *b)
{
    mlr_exchange_free(b->x);
    b->x = NULL;
}

static int take_part(mlr_blob_reader *b, uint64_t offset, uint64_t end, mlreg_error **err)
{
    int rc = mlr_range_check(b->x, b->name, b->reader.bytes, offset, &end, err);

    if (rc == 0) {
        b->at = offset;
        b->end = end;
    }
    return rc;
}

static int check_whole(mlr_blob_reader *b, mlreg_error **err)
{
    uint64_t length;

    if (mlr_exchange_length(b->x, &length) && length != b->reader.bytes)
        return mlr_error_set(err, MLREG_EPROTO,
                             "%s has %" PRIu64 " bytes in the registry, %" PRIu64 " by its descriptor", b->name, length,
                             b->reader.bytes);
    b->at = 0;
    b->end = b->reader.bytes;
    return 0;
}

/* Sends one request, for [offset, end) or, with `whole`, for all of it; gives the status. */
static int send_request(mlr_blob_reader *b, uint64_t offset, uint64_t end, bool whole, mlr_op *op, mlreg_error **err)
{
    mlr_answer_hang_up(b);
    snprintf(b->range, sizeof b->range, "bytes=%" PRIu64 "-%" PRIu64, offset, end - 1);
    b->ask.call.request.n_headers = whole ? 0 : 1;
    return mlr_ask_begin(&b->ask, b->g, op, &b->x, err);
}

static void learn_no_ranges(mlr_registry *g)
{
    mlr_hostfacts_learn(&g->facts, MLR_FACT_NO_RANGE);
    g->place.can &= ~(uint32_t)MLREG_CAN_RANGE;
}

static int no_ranges(mlr_blob_reader *b, mlreg_error **err)
{
    learn_no_ranges(b->g);
    mlr_answer_hang_up(b);
    return mlr_error_set(err, MLREG_ENOTSUP, "%s gives no ranges of blobs", b->g->place.name);
}

/* Opens an answer that holds the byte at `offset`, at its beginning or later on. Closed ranges, as some servers refuse
 * open ones; a server that will not (416) or cannot (200) serve them gives everything from the start. */
int mlr_answer_ask(mlr_blob_reader *b, uint64_t offset, uint64_t end, mlr_op *op, mlreg_error **err)
{
    bool whole = offset == 0 && end == b->reader.bytes;
    int  rc = send_request(b, offset, end, whole, op, err);

    if (b->is_twin && (rc == 200 || rc == 416) && !whole)
        return no_ranges(b, err);
    if (rc == 416 && !whole)
        rc = send_request(b, offset, end, whole = true, op, err);
    if (rc < 0)
        return rc;
    if (rc != 200 && (rc != 206 || whole)) {
        mlr_ask_retry_after(b->x, b->retry_after);
        return mlr_ask_refused(&b->ask, b->g, b->x, op, err);
    }
    if (rc == 200 && !whole && !b->is_elsewhere)
        learn_no_ranges(b->g);
    if (mlr_ask_unencoded(b->x, b->name, err) < 0)
        return MLREG_EPROTO;
    return rc == 206 ? take_part(b, offset, end, err) : check_whole(b, err);
}

/* Reads over what lies before `offset`. */
static int skip_to(mlr_blob_reader *b, uint64_t offset, mlr_op *op, mlreg_error **err)
{
    char scrap[16 << 10];

    while (b->at < offset) {
        uint64_t gap = offset - b->at;
        int64_t  n = mlr_exchange_read(b->x, scrap, gap < sizeof scrap ? (size_t)gap : sizeof scrap, op, err);

        if (n <= 0)
            return n < 0 ? (int)n : mlr_error_set(err, MLREG_ENET, "%s broke off", b->name);
        b->at += (uint64_t)n;
    }
    return 0;
}

/* To where an answer that begins at `offset` should go. What is read on from where the last read ended is asked for to its
 * end, a jump as far as was planned, or for `len` bytes only, so that single ranges cost what they are and leave the
 * connection usable. */
static uint64_t end_for(const mlr_blob_reader *b, uint64_t offset, size_t len)
{
    if (len >= b->reader.bytes - offset)
        return b->reader.bytes;
    if (b->until > offset + len)
        return b->until;
    return offset == b->last && b->until == 0 ? b->reader.bytes : offset + len;
}

/* Makes x stand at `offset`. */
static int stand_at(mlr_blob_reader *b, uint64_t offset, size_t len, mlr_op *op, mlreg_error **err)
{
    int rc = 0;

    if (b->x == NULL || offset < b->at || offset >= b->end || offset - b->at > SKIP_MAX_BYTES)
        rc = mlr_answer_ask(b, offset, end_for(b, offset, len), op, err);
    return rc < 0 ? rc : skip_to(b, offset, op, err);
}

/* At the end of an answer: nothing may follow, and then its connection is free for the next. What else goes wrong here
 * does not matter, the bytes are there. */
static int finish(mlr_blob_reader *b, mlr_op *op, mlreg_error **err)
{
    char more;

    if (mlr_exchange_read(b->x, &more, 1, op, NULL) > 0)
        return mlr_error_set(err, MLREG_EPROTO, "%s goes on behind its %" PRIu64 " bytes", b->name, b->end);
    mlr_answer_hang_up(b);
    return 0;
}

int64_t mlr_answer_read(mlr_blob_reader *b, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    int     rc = stand_at(b, offset, len, op, err);
    int64_t n;

    if (rc < 0)
        return rc;
    if (len > b->end - b->at)
        len = (size_t)(b->end - b->at);
    if ((n = mlr_exchange_read(b->x, buf, len, op, err)) == 0)
        return mlr_error_set(err, MLREG_ENET, "%s broke off after %" PRIu64 " of %" PRIu64 " bytes", b->name, b->at,
                             b->reader.bytes);
    if (n < 0)
        return n;
    b->at += (uint64_t)n;
    if (b->at == b->end && (rc = finish(b, op, err)) < 0)
        return rc;
    return n;
}
