/* place/registry_reader.c - a blob of a registry as it arrives: one answer while that lasts, then asked for again. */
#include "place/registry_reader_parts.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"

/* Whether to ask again after a read failed with `n`: 1; 0; ECANCELLED. Time without progress began with that read. */
static int resume(mlr_blob_reader *b, int n, uint64_t offset, uint64_t began_ms, mlr_op *op, mlreg_error **err)
{
    int again;

    mlr_answer_hang_up(b);
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
    mlr_blob_reader *b = (mlr_blob_reader *)r;
    uint64_t         began_ms = mlr_clock_ms();
    int64_t          n;
    int              again;

    if (offset >= r->bytes || len == 0)
        return 0;
    if (offset != b->last)
        b->since = offset;
    do {
        mlreg_error *why = NULL;

        n = mlr_answer_read(b, offset, buf, len, op, &why);
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
    mlr_blob_reader *b = (mlr_blob_reader *)r;

    mlr_answer_hang_up(b);
    mlr_ask_done(&b->ask);
    mlr_free(b);
}

static void plan_until(mlr_reader *r, uint64_t end)
{
    ((mlr_blob_reader *)r)->until = end < r->bytes ? end : r->bytes;
}

static int twin_of(mlr_reader *r, mlr_reader **out, mlreg_error **err);

static const mlr_reader_ops reader_ops = {.read_at = read_blob, .free = free_reader, .twin = twin_of, .until = plan_until};

/* `url`: where else than in the registry, or NULL. */
static int new_reader(mlr_registry *g, const mlr_blob *blob, const char *url, mlr_blob_reader **out, mlreg_error **err)
{
    mlr_blob_reader *b = mlr_alloc(sizeof *b);
    int              rc;

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
    b->ask.call.request.stored_bytes = blob->bytes;
    *out = b;
    return 0;
}

static int twin_of(mlr_reader *r, mlr_reader **out, mlreg_error **err)
{
    const mlr_blob_reader *b = (const mlr_blob_reader *)r;
    mlr_blob_reader       *twin = NULL;
    int                    rc;

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
    mlr_blob_reader *b = NULL;
    int              rc = new_reader((mlr_registry *)p, blob, NULL, &b, err);

    if (rc == 0)
        *out = &b->reader;
    return rc;
}

/* It is read in order, by whoever wants all of it. */
int mlr_registry_blob_at(mlr_place *p, const mlr_blob *blob, const char *url, mlr_reader **out, mlreg_error **err)
{
    static const mlr_reader_ops ops = {.read_at = read_blob, .free = free_reader};
    mlr_blob_reader            *b = NULL;
    int                         rc = new_reader((mlr_registry *)p, blob, url, &b, err);

    if (rc < 0)
        return rc;
    b->reader.ops = &ops;
    b->is_elsewhere = true;
    *out = &b->reader;
    return 0;
}

int mlr_registry_blob_open(mlr_place *p, const mlr_blob *blob, mlr_op *op, mlr_reader **out, mlreg_error **err)
{
    mlr_registry    *g = (mlr_registry *)p;
    mlr_blob_reader *b = NULL;
    int              rc = new_reader(g, blob, NULL, &b, err);

    if (rc < 0)
        return rc;
    b->ask.call.again = true;
    rc = blob->bytes > 0 ? mlr_answer_ask(b, 0, blob->bytes, op, err) : open_empty(g, blob, op, err);
    b->ask.call.again = false;
    if (rc < 0)
        free_reader(&b->reader);
    else
        *out = &b->reader;
    return rc;
}
