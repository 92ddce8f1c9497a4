/* place/repoblobs.c - the blobs of one repository on disk. */
#include "place/repoblobs.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "place/blobdir.h"
#include "place/fetch.h"
#include "place/gather.h"
#include "place/partdir.h"

#define DIR_MODE    0755
#define SHARED_MODE 0444 /* one file for all repositories: nobody shall write into it */
#define OWN_MODE    0644
#define SHARED_LEAST_BYTES (1u << 20)  /* what is smaller is fetched sooner than waited for */

static unsigned mode_of(const mlr_repodir *r)
{
    return r->pool != NULL ? SHARED_MODE : OWN_MODE;
}

static int reused(uint64_t bytes, mlr_op *op)
{
    mlr_op_count(op, MLR_N_BYTES_REUSED, (int64_t)bytes);
    return 0;
}

/* Inside the gate, content that is held cannot go away: so hold it first, look then. `look` gives 1, 0 or a failure. */
typedef int (*look_fn)(const mlr_repodir *r, const mlr_digest *d, uint64_t bytes, mlreg_error **err);

static int hold_and_look(const mlr_repodir *r, const mlr_digest *d, uint64_t bytes, look_fn look, mlr_op *op,
                         mlreg_error **err)
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

static int look_in_own(const mlr_repodir *r, const mlr_digest *d, uint64_t bytes, mlreg_error **err)
{
    return mlr_blobdir_has(&r->own, d, bytes, err);
}

static int link_from_pool(const mlr_repodir *r, const mlr_digest *d, uint64_t bytes, mlreg_error **err)
{
    int rc = mlr_blobdir_has(r->pool, d, bytes, err);
    if (rc != 1)
        return rc;
    rc = mlr_blobdir_link(r->pool, &r->own, d, bytes, SHARED_MODE, err);
    return rc < 0 ? rc : 1;
}

/* Without the gate: what is not there need not be held, which for a thousand small ones costs more than the look. */
static int take_from_pool(const mlr_repodir *r, const mlr_digest *d, uint64_t bytes, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_blobdir_has(r->pool, d, bytes, err);
    return rc == 1 ? hold_and_look(r, d, bytes, link_from_pool, op, err) : rc;
}

int mlr_repoblobs_has(const mlr_repodir *r, const mlr_digest *d, uint64_t bytes, mlr_op *op, mlreg_error **err)
{
    int rc = look_in_own(r, d, bytes, err);
    return rc == 1 && r->inflight != NULL ? hold_and_look(r, d, bytes, look_in_own, op, err) : rc;
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
        rc = mlr_blobdir_receive(r->rt, own != NULL ? own : r->receiving, mode_of(r), from, op, t, got, err);
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

static int hold_and_publish(const mlr_repodir *r, const mlr_digest *d, uint64_t bytes, mlr_temp *t, mlr_op *op,
                            mlreg_error **err)
{
    mlr_lock gate = MLR_LOCK_INIT;
    int      rc;

    if ((rc = mlr_inflight_enter(r->inflight, op, &gate, err)) < 0)
        return rc;
    if ((rc = mlr_inflight_hold(r->inflight, r->name, d, err)) == 0 && (rc = publish(r, d, bytes, t, op, err)) < 0)
        mlr_inflight_release(r->inflight, r->name, d, NULL);
    mlr_lock_drop(&gate);
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

/* `want`: the digest that it must have, or NULL: then only now it shows whether it was there. */
static int bring(const mlr_repodir *r, const mlr_digest *want, mlr_reader *from, mlr_op *op, mlr_digest *got,
                 mlreg_error **err)
{
    mlr_temp t = MLR_TEMP_INIT;
    int      rc = receive(r, from, op, &t, got, err);

    if (rc == 0 && want != NULL)
        rc = mlr_digest_check(got, want, from->name, err);
    if (rc == 0 && want == NULL && mlr_blobdir_has(r->pool != NULL ? r->pool : &r->own, got, from->bytes, NULL) == 1)
        reused(from->bytes, op);
    if (rc == 0 && want != NULL && mlr_gather_wants(r->gather, from->bytes))
        rc = mlr_gather_add(r->gather, r->name, got, from->bytes, &t, op, err);
    else if (rc == 0)
        rc = hold_and_publish(r, got, from->bytes, &t, op, err);
    mlr_temp_done(&t);
    return rc;
}

/* ---- from far away ---- */

/* Into a file that others can go on with if we cannot. */
static int bring_partial(const mlr_repodir *r, mlr_partial *p, const mlr_digest *d, mlr_reader *from, mlr_op *op, mlreg_error **err)
{
    mlr_temp t = MLR_TEMP_INIT;
    int      rc = mlr_fetch_partial(r->rt, from, p, d, mode_of(r), &t, op, err);

    if (rc == 0)
        rc = hold_and_publish(r, d, from->bytes, &t, op, err);
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
    if ((rc = hold_and_look(r, d, from->bytes, link_from_pool, op, err)) == 1)
        rc = reused(from->bytes, op);
    else if (rc == 0 && from->bytes >= MLR_PARTIAL_LEAST_BYTES)
        rc = bring_partial(r, p, d, from, op, err);
    else if (rc == 0)
        rc = bring(r, d, from, op, &got, err);
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
        rc = bring(r, d, from, op, &got, err);
    else if (rc == 1 && (rc = hold_and_look(r, d, from->bytes, look_in_own, op, err)) == 0)
        rc = bring_partial(r, part.partial, d, from, op, err);
    else if (rc == 1)
        rc = reused(from->bytes, op);
    mlr_partdir_done(&part);
    mlr_fs_close(blobs);
    mlr_free(shown);
    return rc;
}

static int bring_by_the_best_way(const mlr_repodir *r, const mlr_digest *d, mlr_reader *from, mlr_op *op, mlreg_error **err)
{
    mlr_digest got;

    if (r->pool == NULL && mlr_partdir_suits(from))
        return bring_into_layout(r, d, from, op, err);
    if (r->pool != NULL && r->receiving != NULL && mlr_reader_has_twins(from) && from->bytes >= SHARED_LEAST_BYTES)
        return bring_for_all(r, d, from, op, err);
    return bring(r, d, from, op, &got, err);
}

int mlr_repoblobs_write(const mlr_repodir *r, const mlr_digest *d, mlr_reader *from, mlr_op *op, mlreg_error **err)
{
    int rc;

    if ((rc = mlr_blobdir_make(&r->own, DIR_MODE, err)) < 0)
        return rc;
    rc = mlr_repoblobs_has(r, d, from->bytes, op, err);
    if (rc == 0 && r->pool != NULL)
        rc = take_from_pool(r, d, from->bytes, op, err);
    if (rc != 0)
        return rc < 0 ? rc : reused(from->bytes, op);
    return bring_by_the_best_way(r, d, from, op, err);
}

int mlr_repoblobs_take(const mlr_repodir *r, mlr_reader *from, mlr_op *op, mlr_digest *out, mlreg_error **err)
{
    mlr_digest got;
    int        rc;

    if ((rc = mlr_blobdir_make(&r->own, DIR_MODE, err)) == 0 && (rc = bring(r, NULL, from, op, &got, err)) == 0)
        *out = got;
    return rc;
}

int mlr_repoblobs_arrive(const mlr_repodir *r, mlr_incoming *in, const mlr_digest *d, mlr_op *op, mlreg_error **err)
{
    mlr_temp t = MLR_TEMP_INIT;
    int      rc;

    if ((rc = mlr_blobdir_make(&r->own, DIR_MODE, err)) == 0 &&
        (rc = mlr_incoming_finish(in, d, mode_of(r), &t, err)) == 0)
        rc = hold_and_publish(r, d, mlr_incoming_bytes(in), &t, op, err);
    mlr_temp_done(&t);
    return rc;
}

int mlr_repoblobs_mount(const mlr_repodir *r, const mlr_repodir *from, const mlr_digest *d, uint64_t bytes, mlr_op *op,
                        mlreg_error **err)
{
    int rc = mlr_blobdir_has(&from->own, d, bytes, err);
    if (rc != 1 || (rc = mlr_blobdir_make(&r->own, DIR_MODE, err)) < 0)
        return rc;
    return hold_and_look(r, d, bytes, link_from_pool, op, err);
}

int mlr_repoblobs_put(const mlr_repodir *r, const mlr_digest *d, const void *data, size_t len, mlr_op *op,
                      mlreg_error **err)
{
    mlr_reader *from = NULL;
    mlr_temp    t = MLR_TEMP_INIT;
    mlr_digest  got;
    int         rc = look_in_own(r, d, len, err);

    if (rc != 0)
        return rc < 0 ? rc : 0;
    if ((rc = mlr_reader_from_memory(data, len, d->text, &from, err)) == 0 &&
        (rc = receive(r, from, op, &t, &got, err)) == 0 && (rc = mlr_digest_check(&got, d, d->text, err)) == 0)
        rc = publish(r, d, len, &t, op, err);
    mlr_temp_done(&t);
    mlr_reader_free(from);
    return rc;
}
