/* place/repoblobs.c - the blobs of one repository on disk. */
#include "place/repoblobs_parts.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "place/blobdir.h"
#include "place/claims.h"
#include "place/gather.h"

#define DIR_MODE    0755
#define SHARED_MODE 0444 /* one file for all repositories: nobody shall write into it */
#define OWN_MODE    0644

unsigned mlr_repoblobs_mode(const mlr_repodir *r)
{
    return r->pool != NULL ? SHARED_MODE : OWN_MODE;
}

int mlr_repoblobs_reused(uint64_t bytes, mlr_op *op)
{
    mlr_op_count(op, MLR_N_BYTES_REUSED, (int64_t)bytes);
    return 0;
}


int mlr_repoblobs_hold_and_look(const mlr_repodir *r, const mlr_digest *d, uint64_t bytes, mlr_repoblobs_look look,
                                mlr_op *op, mlreg_error **err)
{
    mlr_lock gate = MLR_LOCK_INIT;
    int      rc;

    if ((rc = mlr_inflight_enter(r->inflight, op, &gate, err)) < 0)
        return rc;
    if ((rc = mlr_inflight_hold(r->inflight, r->name, d, err)) == 0 && (rc = look(r, d, bytes, err)) <= 0)
        mlr_inflight_release(r->inflight, r->name, d, NULL);
    mlr_lock_drop(&gate);
    return rc;
}

int mlr_repoblobs_look_in_own(const mlr_repodir *r, const mlr_digest *d, uint64_t bytes, mlreg_error **err)
{
    return mlr_blobdir_has(&r->own, d, bytes, err);
}

int mlr_repoblobs_link_from_pool(const mlr_repodir *r, const mlr_digest *d, uint64_t bytes, mlreg_error **err)
{
    int rc = mlr_blobdir_has(r->pool, d, bytes, err);
    if (rc != 1)
        return rc;
    rc = mlr_blobdir_link(r->pool, &r->own, d, bytes, SHARED_MODE, err);
    return rc < 0 ? rc : 1;
}

/* Without the gate: what is not there need not be held, which for a thousand small ones costs more than the look. */
int mlr_repoblobs_take_from_pool(const mlr_repodir *r, const mlr_digest *d, uint64_t bytes, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_blobdir_has(r->pool, d, bytes, err);
    return rc == 1 ? mlr_repoblobs_hold_and_look(r, d, bytes, mlr_repoblobs_link_from_pool, op, err) : rc;
}

int mlr_repoblobs_has(const mlr_repodir *r, const mlr_digest *d, uint64_t bytes, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_repoblobs_look_in_own(r, d, bytes, err);
    return rc == 1 && r->inflight != NULL ? mlr_repoblobs_hold_and_look(r, d, bytes, mlr_repoblobs_look_in_own, op, err) : rc;
}

/* The pool's files were verified when they came; a file beside them is as another tool left it. */
static bool is_pooled(const mlr_repodir *r, const mlr_digest *d)
{
    struct stat own, pooled;
    return r->pool != NULL && mlr_blobdir_look(&r->own, d, &own, NULL) == 1 &&
           mlr_blobdir_look(r->pool, d, &pooled, NULL) == 1 && own.st_ino == pooled.st_ino &&
           own.st_dev == pooled.st_dev;
}

int mlr_repoblobs_open(const mlr_repodir *r, const mlr_digest *d, mlr_reader **out, mlreg_error **err)
{
    return mlr_blobdir_open(&r->own, d, is_pooled(r, d), out, err);
}

static int receive(const mlr_repodir *r, mlr_reader *from, mlr_op *op, mlr_temp *t, mlr_digest *got, mlreg_error **err)
{
    char *own = r->receiving == NULL ? mlr_folder_path(&r->own, MLR_BLOBDIR) : NULL;
    int   rc = r->receiving != NULL || own != NULL ? 0 : mlr_error_nomem(err);

    if (rc == 0)
        rc = mlr_blobdir_receive(r->rt, own != NULL ? own : r->receiving, mlr_repoblobs_mode(r), from, op, t, got, err);
    mlr_free(own);
    return rc;
}

static int publish(const mlr_repodir *r, const mlr_digest *d, uint64_t bytes, mlr_temp *t, mlr_op *op, mlreg_error **err)
{
    uint64_t from_us = mlr_clock_us();
    int      rc = mlr_blobdir_publish(r->pool != NULL ? r->pool : &r->own, d, bytes, t, err);
    if (rc == 0 && r->pool != NULL)
        rc = mlr_blobdir_link(r->pool, &r->own, d, bytes, SHARED_MODE, err);
    mlr_op_spent(op, MLR_N_US_SYNCED, from_us);
    return rc;
}

static int finish_and_publish(const mlr_repodir *r, const mlr_digest *d, uint64_t bytes, mlr_partial *p, mlr_temp *t, mlr_op *op, mlreg_error **err)
{
    int rc = p != NULL ? mlr_partial_finish(p, mlr_repoblobs_mode(r), t, err) : 0;

    return rc < 0 ? rc : publish(r, d, bytes, t, op, err);
}

int mlr_repoblobs_hold_and_publish(const mlr_repodir *r, const mlr_digest *d, uint64_t bytes, mlr_partial *p, mlr_temp *t, mlr_op *op,
                                   mlreg_error **err)
{
    mlr_lock gate = MLR_LOCK_INIT;
    int      rc;

    if ((rc = mlr_inflight_enter(r->inflight, op, &gate, err)) < 0)
        return rc;
    if ((rc = mlr_inflight_hold(r->inflight, r->name, d, err)) == 0 && (rc = finish_and_publish(r, d, bytes, p, t, op, err)) < 0)
        mlr_inflight_release(r->inflight, r->name, d, NULL);
    mlr_lock_drop(&gate);
    if (r->claims != NULL)
        mlr_claims_give(r->claims, d);
    return rc;
}

static int enlist(const mlr_repodir *r, const mlr_repoblobs_whole *b, mlreg_error **err)
{
    const mlr_folder *into = r->pool != NULL ? r->pool : &r->own;
    int               rc;

    if ((rc = mlr_inflight_hold(r->inflight, r->name, b->digest, err)) == 0 &&
        (rc = mlr_blobdir_enlist(into, b->digest, b->bytes, b->temp, err)) == 0 && r->pool != NULL)
        rc = mlr_blobdir_link(r->pool, &r->own, b->digest, b->bytes, SHARED_MODE, err);
    return rc;
}

int mlr_repoblobs_publish(const mlr_repodir *r, const mlr_repoblobs_whole *blobs, size_t n, mlr_op *op, mlreg_error **err)
{
    mlr_lock gate = MLR_LOCK_INIT;
    uint64_t from_us;
    int      rc;

    if ((rc = mlr_inflight_enter(r->inflight, op, &gate, err)) < 0)
        return rc;
    from_us = mlr_clock_us();
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = enlist(r, &blobs[i], err);
    if (rc == 0)
        rc = mlr_folder_sync(r->pool != NULL ? r->pool : &r->own, MLR_BLOBDIR, err);
    mlr_op_spent(op, MLR_N_US_SYNCED, from_us);
    mlr_lock_drop(&gate);
    return rc;
}

int mlr_repoblobs_bring(const mlr_repodir *r, const mlr_digest *want, mlr_reader *from, mlr_op *op, mlr_digest *got,
                        mlreg_error **err)
{
    mlr_temp t = MLR_TEMP_INIT;
    int      rc = receive(r, from, op, &t, got, err);

    if (rc == 0 && want != NULL)
        rc = mlr_digest_check(got, want, from->name, err);
    if (rc == 0 && want == NULL && mlr_blobdir_has(r->pool != NULL ? r->pool : &r->own, got, from->bytes, NULL) == 1)
        mlr_repoblobs_reused(from->bytes, op);
    if (rc == 0 && want != NULL && mlr_gather_wants(r->gather, from->bytes))
        rc = mlr_gather_add(r->gather, r->name, got, from->bytes, &t, op, err);
    else if (rc == 0)
        rc = mlr_repoblobs_hold_and_publish(r, got, from->bytes, NULL, &t, op, err);
    mlr_temp_done(&t);
    return rc;
}

int mlr_repoblobs_write(const mlr_repodir *r, const mlr_digest *d, mlr_reader *from, mlr_op *op, mlreg_error **err)
{
    int rc;

    if ((rc = mlr_blobdir_make(&r->own, DIR_MODE, err)) < 0)
        return rc;
    if ((rc = mlr_repoblobs_has(r, d, from->bytes, op, err)) != 0)
        return rc < 0 ? rc : mlr_repoblobs_reused(from->bytes, op);
    return mlr_repoblobs_fetch(r, d, from, op, err);
}

int mlr_repoblobs_take(const mlr_repodir *r, mlr_reader *from, mlr_op *op, mlr_digest *out, mlreg_error **err)
{
    mlr_digest got;
    int        rc;

    if ((rc = mlr_blobdir_make(&r->own, DIR_MODE, err)) == 0 && (rc = mlr_repoblobs_bring(r, NULL, from, op, &got, err)) == 0)
        *out = got;
    return rc;
}

int mlr_repoblobs_arrive(const mlr_repodir *r, mlr_incoming *in, const mlr_digest *d, mlr_op *op, mlreg_error **err)
{
    mlr_temp t = MLR_TEMP_INIT;
    int      rc;

    if ((rc = mlr_blobdir_make(&r->own, DIR_MODE, err)) == 0 &&
        (rc = mlr_incoming_finish(in, d, mlr_repoblobs_mode(r), &t, err)) == 0)
        rc = mlr_repoblobs_hold_and_publish(r, d, mlr_incoming_bytes(in), NULL, &t, op, err);
    mlr_temp_done(&t);
    return rc;
}

int mlr_repoblobs_mount(const mlr_repodir *r, const mlr_repodir *from, const mlr_digest *d, uint64_t bytes, mlr_op *op,
                        mlreg_error **err)
{
    int rc = mlr_blobdir_has(&from->own, d, bytes, err);
    if (rc != 1 || (rc = mlr_blobdir_make(&r->own, DIR_MODE, err)) < 0)
        return rc;
    return mlr_repoblobs_hold_and_look(r, d, bytes, mlr_repoblobs_link_from_pool, op, err);
}

int mlr_repoblobs_put(const mlr_repodir *r, const mlr_digest *d, const void *data, size_t len, mlr_op *op,
                      mlreg_error **err)
{
    mlr_reader *from = NULL;
    mlr_temp    t = MLR_TEMP_INIT;
    mlr_digest  got;
    int         rc = mlr_repoblobs_look_in_own(r, d, len, err);

    if (rc != 0)
        return rc < 0 ? rc : 0;
    if ((rc = mlr_reader_from_memory(data, len, d->text, &from, err)) == 0 &&
        (rc = receive(r, from, op, &t, &got, err)) == 0 && (rc = mlr_digest_check(&got, d, d->text, err)) == 0)
        rc = publish(r, d, len, &t, op, err);
    mlr_temp_done(&t);
    mlr_reader_free(from);
    return rc;
}
