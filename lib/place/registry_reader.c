/* place/registry_reader.c - a blob of a registry as it arrives: one answer while that lasts, then asked for again. */
#include "place/registry.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "place/registry_ask.h"
#include "place/registry_range.h"

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
    uint64_t      until;      /* reads are planned to there; 0: nobody said */
    uint64_t      since;      /* where this run of reads began, or was last resumed */
    bool          is_elsewhere;  /* at a stranger's address, whose ways are not the registry's */
    bool          is_twin;    /* of ranges alone, and once: there is another that gets the bytes however it can */
    mlr_retry     retry;      /* of what breaks off and of asking for the rest; the client does not repeat that */
    char          retry_after[MLR_RETRY_AFTER_MAX];
    char          name[MLR_DIGEST_TEXT + 8];
    mlr_blob      blob;       /* for twins; the repository's name is the caller's */
} blob_reader;

static void hang_up(blob_reader *b)
{
    mlr_exchange_free(b->x);
    b->x = NULL;
}

static int take_part(blob_reader *b, uint64_t offset, uint64_t end, mlreg_error **err)
{
    int rc = mlr_range_check(b->x, b->name, b->reader.bytes, offset, &end, err);

    if (rc == 0) {
        b->at = offset;
        b->end = end;
    }
    return rc;
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

static void learn_no_ranges(mlr_registry *g)
{
    mlr_hostfacts_learn(&g->facts, MLR_FACT_NO_RANGE);
    g->place.can &= ~(uint32_t)MLREG_CAN_RANGE;
}

static int no_ranges(blob_reader *b, mlreg_error **err)
{
    learn_no_ranges(b->g);
    hang_up(b);
    return mlr_error_set(err, MLREG_ENOTSUP, "%s gives no ranges of blobs", b->g->place.name);
}

/* Opens an answer that holds the byte at `offset`, at its beginning or later on. Closed ranges, as some servers refuse
 * open ones; a server that will not (416) or cannot (200) serve them gives everything from the start. */
static int ask_from(blob_reader *b, uint64_t offset, uint64_t end, mlr_op *op, mlreg_error **err)
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

/* To where an answer that begins at `offset` should go. What is read on from where the last read ended is asked for to its
 * end, a jump as far as was planned, or for `len` bytes only, so that single ranges cost what they are and leave the
 * connection usable. */
static uint64_t end_for(const blob_reader *b, uint64_t offset, size_t len)
{
    if (len >= b->reader.bytes - offset)
        return b->reader.bytes;
    if (b->until > offset + len)
        return b->until;
    return offset == b->last && b->until == 0 ? b->reader.bytes : offset + len;
}

/* Makes x stand at `offset`. */
static int stand_at(blob_reader *b, uint64_t offset, size_t len, mlr_op *op, mlreg_error **err)
{
    int rc = 0;

    if (b->x == NULL || offset < b->at || offset >= b->end || offset - b->at > SKIP_MAX_BYTES)
        rc = ask_from(b, offset, end_for(b, offset, len), op, err);
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

static void plan_until(mlr_reader *r, uint64_t end)
{
    ((blob_reader *)r)->until = end < r->bytes ? end : r->bytes;
}

static int twin_of(mlr_reader *r, mlr_reader **out, mlreg_error **err);

static const mlr_reader_ops reader_ops = {.read_at = read_blob, .free = free_reader, .twin = twin_of, .until = plan_until};

/* `url`: where else than in the registry, or NULL. */
static int new_reader(mlr_registry *g, const mlr_blob *blob, const char *url, blob_reader **out, mlreg_error **err)
{
    blob_reader *b = mlr_alloc(sizeof *b);
    int          rc;

    if (b == NULL)
        return mlr_error_nomem(err);
    b->reader = (mlr_reader){&reader_ops, blob->bytes, -1, false, b->name};
    b->g = g;
    b->blob = *blob;
    b->retry = mlr_registry_retry(g);
    snprintf(b->name, sizeof b->name, "blob %s", blob->digest.text);
    rc = url != NULL ? mlr_ask_address(&b->ask, url, err) : mlr_ask_init(&b->ask, g, "GET", blob->repo, "blobs", blob->digest.text, MLR_MAY_PULL, err);
    if (rc < 0) {
        free_reader(&b->reader);
        return rc;
    }
    mlr_ask_header(&b->ask, "Range", b->range);
    b->ask.call.again = false;
    *out = b;
    return 0;
}

static int twin_of(mlr_reader *r, mlr_reader **out, mlreg_error **err)
{
    const blob_reader *b = (const blob_reader *)r;
    blob_reader       *twin = NULL;
    int                rc;

    if (mlr_hostfacts_know(&b->g->facts, MLR_FACT_NO_RANGE))
        return mlr_error_set(err, MLREG_ENOTSUP, "%s gives no ranges of blobs", b->g->place.name);
    if ((rc = new_reader(b->g, &b->blob, NULL, &twin, err)) < 0)
        return rc;
    twin->is_twin = true;
    twin->retry.max = 0;
    *out = &twin->reader;
    return 0;
}

/* An empty blob is only looked for: at its end there is nothing to ask. */
static int open_empty(mlr_registry *g, const mlr_blob *blob, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_registry_blob_has(&g->place, blob, op, err);

    if (rc == 0)
        rc = mlr_error_set(err, MLREG_ENOTFOUND, "blob %s of %s is not there", blob->digest.text, blob->repo);
    return rc < 0 ? rc : 0;
}

int mlr_registry_blob_later(mlr_place *p, const mlr_blob *blob, mlr_reader **out, mlreg_error **err)
{
    blob_reader *b = NULL;
    int          rc = new_reader((mlr_registry *)p, blob, NULL, &b, err);

    if (rc == 0)
        *out = &b->reader;
    return rc;
}

/* It is read in order, by whoever wants all of it. */
int mlr_registry_blob_at(mlr_place *p, const mlr_blob *blob, const char *url, mlr_reader **out, mlreg_error **err)
{
    static const mlr_reader_ops ops = {.read_at = read_blob, .free = free_reader};
    blob_reader *b = NULL;
    int          rc = new_reader((mlr_registry *)p, blob, url, &b, err);

    if (rc < 0)
        return rc;
    b->reader.ops = &ops;
    b->is_elsewhere = true;
    *out = &b->reader;
    return 0;
}

int mlr_registry_blob_open(mlr_place *p, const mlr_blob *blob, mlr_op *op, mlr_reader **out, mlreg_error **err)
{
    mlr_registry *g = (mlr_registry *)p;
    blob_reader  *b = NULL;
    int           rc = new_reader(g, blob, NULL, &b, err);

    if (rc < 0)
        return rc;
    b->ask.call.again = true;
    rc = blob->bytes > 0 ? ask_from(b, 0, blob->bytes, op, err) : open_empty(g, blob, op, err);
    b->ask.call.again = false;
    if (rc < 0)
        free_reader(&b->reader);
    else
        *out = &b->reader;
    return rc;
}
