/* place/repoblobs_fetch.c - a blob that is not in the repository yet: brought once, for all threads and processes that want it. */
#include "place/repoblobs_parts.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "place/blobdir.h"
#include "place/claims.h"
#include "place/fetch.h"
#include "place/gather.h"
#include "place/partdir.h"

#define LARGE_BYTES (1u << 20)   /* worth a file of its own that says who brings it, and where he stopped */
#define WAIT_MS     10000        /* for a small one that somebody claims: he may be stopped */

/* ---- large ones ---- */

/* Into a file that others can go on with if we cannot. */
static int bring_partial(const mlr_repodir *r, mlr_partial *p, const mlr_digest *d, mlr_reader *from, mlr_op *op, mlreg_error **err)
{
    mlr_temp t = MLR_TEMP_INIT;
    int      rc = mlr_fetch_partial(r->rt, from, p, d, op, err);

    if (rc == 0)
        rc = mlr_repoblobs_hold_and_publish(r, d, from->bytes, p, &t, op, err);
    mlr_temp_done(&t);
    return rc;
}

/* One brings it, for all who want it; they wait, and go on where he stopped if he does. */
static int bring_for_all(const mlr_repodir *r, const mlr_digest *d, mlr_reader *from, mlr_op *op, mlreg_error **err)
{
    mlr_partial *p = NULL;
    mlr_digest   got;
    int          rc = mlr_partial_lock(r->receiving, d, from->bytes, op, &p, err);

    if (rc < 0)
        return rc;
    if ((rc = mlr_repoblobs_hold_and_look(r, d, from->bytes, mlr_repoblobs_link_from_pool, op, err)) == 1)
        rc = mlr_repoblobs_reused(from->bytes, op);
    else if (rc == 0 && from->bytes >= MLR_PARTIAL_LEAST_BYTES)
        rc = bring_partial(r, p, d, from, op, err);
    else if (rc == 0)
        rc = mlr_repoblobs_bring(r, d, from, op, &got, err);
    mlr_partial_free(p);
    return rc;
}

/* The same in a layout, which has no place of its own for it. */
static int bring_into_layout(const mlr_repodir *r, const mlr_digest *d, mlr_reader *from, mlr_op *op, mlreg_error **err)
{
    mlr_blobname name = mlr_blobdir_name(d);
    mlr_partdir  part = MLR_PARTDIR_INIT;
    mlr_digest   got;
    char        *shown = mlr_folder_path(&r->own, name.text);
    int          blobs = -1, rc = shown != NULL ? mlr_folder_open(&r->own, MLR_BLOBDIR, O_PATH | O_DIRECTORY, &blobs, err) : mlr_error_nomem(err);

    if (rc == 0) {
        mlr_partdir_tidy(r->own.top, MLR_PARTDIR_OLD_MS, NULL, op);
        rc = mlr_partdir_lock(&part, r->own.top, blobs, shown, d, from->bytes, op, err);
    }
    if (rc == 0)
        rc = mlr_repoblobs_bring(r, d, from, op, &got, err);
    else if (rc == 1 && (rc = mlr_repoblobs_hold_and_look(r, d, from->bytes, mlr_repoblobs_look_in_own, op, err)) == 0)
        rc = bring_partial(r, part.partial, d, from, op, err);
    else if (rc == 1)
        rc = mlr_repoblobs_reused(from->bytes, op);
    mlr_partdir_done(&part);
    mlr_fs_close(blobs);
    mlr_free(shown);
    return rc;
}

/* ---- small ones ---- */

/* 1: somebody else has brought it; 0: it is ours to bring. While another has it, what waits here is published: he may wait for that. */
static int claim(const mlr_repodir *r, const mlr_digest *d, uint64_t bytes, mlr_op *op, mlreg_error **err)
{
    uint64_t from_ms = mlr_clock_ms(), step_ms = 0;

    for (;;) {
        bool is_ours = mlr_claims_take(r->claims, d);
        int  rc = mlr_repoblobs_take_from_pool(r, d, bytes, op, err);

        if (rc != 0 && is_ours)
            mlr_claims_give(r->claims, d);
        if (rc != 0 || is_ours || mlr_clock_ms() - from_ms >= WAIT_MS)
            return rc;
        if ((rc = mlr_gather_flush(r->gather, op, err)) < 0 || (rc = mlr_claims_wait(r->claims, &step_ms, op, err)) < 0)
            return rc;
    }
}

static int bring_claimed(const mlr_repodir *r, const mlr_digest *d, mlr_reader *from, mlr_op *op, mlreg_error **err)
{
    mlr_digest got;
    int        rc = claim(r, d, from->bytes, op, err);

    if (rc != 0)
        return rc < 0 ? rc : mlr_repoblobs_reused(from->bytes, op);
    if ((rc = mlr_repoblobs_bring(r, d, from, op, &got, err)) < 0)
        mlr_claims_give(r->claims, d);
    return rc;
}

/* ---- all ---- */

int mlr_repoblobs_fetch(const mlr_repodir *r, const mlr_digest *d, mlr_reader *from, mlr_op *op, mlreg_error **err)
{
    mlr_digest got;
    bool       is_far = mlr_reader_has_twins(from), is_large = from->bytes >= LARGE_BYTES;
    int        rc;

    if (r->pool == NULL && mlr_partdir_suits(from))
        return bring_into_layout(r, d, from, op, err);
    if (r->claims != NULL && is_far && !is_large)
        return bring_claimed(r, d, from, op, err);
    if (r->pool != NULL && (rc = mlr_repoblobs_take_from_pool(r, d, from->bytes, op, err)) != 0)
        return rc < 0 ? rc : mlr_repoblobs_reused(from->bytes, op);
    if (r->pool != NULL && r->receiving != NULL && is_far && is_large)
        return bring_for_all(r, d, from, op, err);
    return mlr_repoblobs_bring(r, d, from, op, &got, err);
}
