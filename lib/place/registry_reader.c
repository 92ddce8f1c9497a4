/* place/registry_reader.c - a blob of a registry as it arrives: one answer while that lasts, then asked for again. */
#include "place/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "place/registry_ask.h"

#define SKIP_MAX_BYTES (256u << 10)   /* read over rather than asked anew */

/* Keeps one answer open while reads follow each other. Any jump, and any break, asks the registry again, never where it
 * redirected to: such addresses expire (PROTOCOL.md §5). */
typedef struct blob_reader {
    mlr_reader    reader;
    mlr_registry *g;
    mlr_ask       ask;
    char          range[64];
    mlr_exchange *x;          /* NULL: none open */
    uint64_t      at;         /* the offset of the next byte that x gives … */
    uint64_t      end;        /* … and of the first that it does not */
    uint64_t      last;       /* where the last read ended: reading on from here is worth a long answer */
    uint64_t      since;      /* where this run of reads began, or was last resumed */
    mlr_retry     retry;      /* of what breaks off and of asking for the rest; the client does not repeat that */
    char          retry_after[MLR_RETRY_AFTER_MAX];
    char          name[MLR_DIGEST_TEXT + 8];
} blob_reader;

static void hang_up(blob_reader *b)
{
    mlr_exchange_free(b->x);
    b->x = NULL;
}

/* "bytes 5-9/10"; a size of '*' is none: UINT64_MAX. */
static bool read_content_range(const char *text, uint64_t *first, uint64_t *last, uint64_t *size)
{
    int used = 0;

    if (text == NULL || sscanf(text, "bytes %" SCNu64 "-%" SCNu64 "/%n", first, last, &used) != 2 || used == 0)
        return false;
    if (strcmp(text + used, "*") == 0) {
        *size = UINT64_MAX;
        return true;
    }
    return sscanf(text + used, "%" SCNu64, size) == 1;
}

/* A 206 must be what was asked for: from `offset`, of a blob of our size (THREATS.md A4). */
static int check_part(blob_reader *b, uint64_t offset, uint64_t end, mlreg_error **err)
{
    const char *text = mlr_exchange_header(b->x, "Content-Range", 0);
    uint64_t    first, last, size, length;

    if (!read_content_range(text, &first, &last, &size) || first != offset || last < first || last >= end ||
        (size != b->reader.bytes && size != UINT64_MAX))
        return mlr_error_set(err, MLREG_EPROTO,
                             "%s was asked for from byte %" PRIu64 " of %" PRIu64 " on and came as '%.80s'", b->name,
                             offset, b->reader.bytes, text != NULL ? text : "no range");
    if (mlr_exchange_length(b->x, &length) && length != last - first + 1)
        return mlr_error_set(err, MLREG_EPROTO, "%s: %" PRIu64 " bytes are said to follow and to be '%.80s'", b->name,
                             length, text);
    b->at = first;
    b->end = last + 1;
    return 0;
}

static int check_whole(blob_reader *b, mlreg_error **err)
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
static int send_request(blob_reader *b, uint64_t offset, uint64_t end, bool whole, mlr_op *op, mlreg_error **err)
{
    hang_up(b);
    snprintf(b->range, sizeof b->range, "bytes=%" PRIu64 "-%" PRIu64, offset, end - 1);
    b->ask.call.request.n_headers = whole ? 0 : 1;
    return mlr_ask_begin(&b->ask, b->g, op, &b->x, err);
}

/* Opens an answer that holds the byte at `offset`, at its beginning or later on. Closed ranges, as some servers refuse
 * open ones; a server that will not (416) or cannot (200) serve them gives everything from the start. */
static int ask_from(blob_reader *b, uint64_t offset, uint64_t end, mlr_op *op, mlreg_error **err)
{
    bool whole = offset == 0 && end == b->reader.bytes;
    int  rc = send_request(b, offset, end, whole, op, err);

    if (rc == 416 && !whole)
        rc = send_request(b, offset, end, whole = true, op, err);
    if (rc < 0)
        return rc;
    if (rc != 200 && (rc != 206 || whole)) {
        mlr_ask_retry_after(b->x, b->retry_after);
        return mlr_ask_refused(&b->ask, b->g, b->x, op, err);
    }
    if (rc == 200 && !whole) {
        mlr_hostfacts_learn(&b->g->facts, MLR_FACT_NO_RANGE);
        b->g->place.can &= ~(uint32_t)MLREG_CAN_RANGE;
    }
    if (mlr_ask_unencoded(b->x, b->name, err) < 0)
        return MLREG_EPROTO;
    return rc == 206 ? check_part(b, offset, end, err) : check_whole(b, err);
}

/* Reads over what lies before `offset`. */
static int skip_to(blob_reader *b, uint64_t offset, mlr_op *op, mlreg_error **err)
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

/* Makes x stand at `offset`. What is read on from where the last read ended is asked for to its end, a jump for `len`
 * bytes only, so that single ranges cost what they are and leave the connection usable. */
static int stand_at(blob_reader *b, uint64_t offset, size_t len, mlr_op *op, mlreg_error **err)
{
    uint64_t left = b->reader.bytes - offset;
    int      rc = 0;

    if (b->x == NULL || offset < b->at || offset >= b->end || offset - b->at > SKIP_MAX_BYTES)
        rc = ask_from(b, offset, offset == b->last || len >= left ? b->reader.bytes : offset + len, op, err);
    return rc < 0 ? rc : skip_to(b, offset, op, err);
}

/* At the end of an answer: nothing may follow, and then its connection is free for the next. What else goes wrong here
 * does not matter, the bytes are there. */
static int finish(blob_reader *b, mlr_op *op, mlreg_error **err)
{
    char more;

    if (mlr_exchange_read(b->x, &more, 1, op, NULL) > 0)
        return mlr_error_set(err, MLREG_EPROTO, "%s goes on behind its %" PRIu64 " bytes", b->name, b->end);
    hang_up(b);
    return 0;
}

static int64_t try_read(blob_reader *b, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
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

/* Whether to ask again after a read failed with `n`: 1; 0; ECANCELLED. Time without progress began with that read. */
static int resume(blob_reader *b, int n, uint64_t offset, uint64_t began_ms, mlr_op *op, mlreg_error **err)
{
    int again;

    hang_up(b);
    if (!mlr_retry_code(n))
        return 0;
    if (b->retry.used == 0)
        b->retry.began_ms = began_ms;
    again = mlr_retry_again(&b->retry, b->retry_after[0] != '\0' ? b->retry_after : NULL, op, err);
    b->retry_after[0] = '\0';
    if (again == 1)
        mlr_op_count(op, MLR_N_BYTES_RESUMED, (int64_t)(offset - b->since));
    b->since = b->last = offset;
    return again;
}

static int64_t read_blob(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    blob_reader *b = (blob_reader *)r;
    uint64_t     began_ms = mlr_clock_ms();
    int64_t      n;
    int          again;

    if (offset >= r->bytes || len == 0)
        return 0;
    if (offset != b->last)
        b->since = offset;
    do {
        mlreg_error *why = NULL;

        n = try_read(b, offset, buf, len, op, &why);
        again = n < 0 ? resume(b, (int)n, offset, began_ms, op, err) : 0;
        if (n < 0 && again == 0)
            mlr_error_move(err, &why);
        mlr_error_done(why);
    } while (again == 1);
    if (again < 0 || n < 0)
        return again < 0 ? again : n;
    mlr_retry_progress(&b->retry, (uint64_t)n);
    b->last = offset + (uint64_t)n;
    return n;
}

static void free_reader(mlr_reader *r)
{
    blob_reader *b = (blob_reader *)r;

    hang_up(b);
    mlr_ask_done(&b->ask);
    mlr_free(b);
}

static const mlr_reader_ops reader_ops = {read_blob, free_reader, NULL};

/* An empty blob is only looked for: at its end there is nothing to ask. */
static int open_empty(mlr_registry *g, const mlr_blob *blob, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_registry_blob_has(&g->place, blob, op, err);

    if (rc == 0)
        rc = mlr_error_set(err, MLREG_ENOTFOUND, "blob %s of %s is not there", blob->digest.text, blob->repo);
    return rc < 0 ? rc : 0;
}

int mlr_registry_blob_open(mlr_place *p, const mlr_blob *blob, mlr_op *op, mlr_reader **out, mlreg_error **err)
{
    mlr_registry *g = (mlr_registry *)p;
    blob_reader  *b = mlr_alloc(sizeof *b);
    int           rc;

    if (b == NULL)
        return mlr_error_nomem(err);
    b->reader = (mlr_reader){&reader_ops, blob->bytes, -1, false, b->name};
    b->g = g;
    b->retry = mlr_registry_retry(g);
    snprintf(b->name, sizeof b->name, "blob %s", blob->digest.text);
    if ((rc = mlr_ask_init(&b->ask, g, "GET", blob->repo, "blobs", blob->digest.text, MLR_MAY_PULL, err)) == 0) {
        mlr_ask_header(&b->ask, "Range", b->range);
        rc = blob->bytes > 0 ? ask_from(b, 0, blob->bytes, op, err) : open_empty(g, blob, op, err);
        b->ask.call.again = false;
    }
    if (rc < 0) {
        free_reader(&b->reader);
        return rc;
    }
    *out = &b->reader;
    return 0;
}
