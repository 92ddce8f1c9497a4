/* place/gc.c - mark and sweep over a place on disk: everything is read before anything is removed. */
#include "place/gc.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "place/absent.h"
#include "place/blobdir.h"
#include "place/gc_parts.h"
#include "place/partdir.h"
#include "place/partial.h"

#define GATE_WAIT_MS     60000
#define GRACE_DEFAULT_MS (60u * 60 * 1000)

/* ---- records of what is absent ---- */

static int remove_record(void *user, const mlr_digest *d, const char *name, mlreg_error **err)
{
    const mlr_sweep *s = user;
    struct stat      st;
    int              rc;

    if (mlr_digestmap_find(&s->named, d) != NULL || (rc = mlr_folder_look(&s->disk->pool, name, &st, err)) == 0 ||
        (rc == 1 && !mlr_gc_is_older(&st, s->now_ms, s->grace_ms)))
        return 0;
    return rc < 0 ? rc : mlr_folder_remove(&s->disk->pool, name, err);
}

/* ---- blobs in the making ---- */

/* Written to a long time ago, or, where nothing is to be spared, at any time; a lock alone is of no use to anybody. Whether somebody has it
 * in hand is found out by taking it away. */
static int remove_if_old(const mlr_sweep *s, const char *name, const mlr_digest *d, mlreg_error **err)
{
    uint64_t    spared_ms = s->grace_ms == 0 || mlr_partial_is_lock_alone(s->disk->receiving, name) ? 0 : MLR_GC_PARTIAL_MS;
    char       *below = mlr_path_join("partial", name);
    struct stat st;
    int         rc = below != NULL ? mlr_folder_look(&s->disk->pool, below, &st, err) : mlr_error_nomem(err);

    mlr_free(below);
    if (rc == 1 && (spared_ms == 0 || mlr_gc_is_older(&st, s->now_ms, spared_ms)))
        rc = mlr_partial_remove(s->disk->receiving, d, s->op, err);
    return rc < 0 ? rc : 0;
}

static int remove_partials(const mlr_sweep *s, mlreg_error **err)
{
    mlr_dir_list names = { NULL, 0, 0 };
    mlr_digest   d;
    int          rc = mlr_folder_list(&s->disk->pool, "partial", &names, err);

    for (size_t i = 0; rc == 0 && i < names.n; i++)
        if (mlr_partial_is_part(names.items[i].name, &d))
            rc = remove_if_old(s, names.items[i].name, &d, err);
    mlr_dir_list_done(&names);
    return rc;
}

/* ---- removing ---- */

/* The gate is looked at before each: nobody knows how long this process stood still since the last. */
static int remove_all(const mlr_sweep *s, mlr_lock *gate, bool dry_run, mlreg_gc_report *out, mlreg_error **err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < s->n; i++) {
        const mlr_victim *v = &s->victims[i];
        if (!dry_run && (rc = mlr_op_check(s->op, err)) == 0 && (rc = mlr_lock_check(gate, err)) == 0)
            rc = mlr_folder_remove(&s->disk->root, v->name, err);
        if (rc < 0)
            break;
        out->blobs += v->is_last;
        out->bytes += v->is_last ? v->bytes : 0;
    }
    return rc;
}

static void sweep_done(mlr_sweep *s)
{
    for (size_t i = 0; i < s->n; i++)
        mlr_free(s->victims[i].name);
    mlr_free(s->victims);
    mlr_digestmap_done(&s->held);
    mlr_digestmap_done(&s->named);
    mlr_digestmap_done(&s->unlinked);
}

/* A layout's gate is its directory of blobs. */
static int close_gate(const mlr_disk *disk, mlr_op *op, mlr_lock *gate, mlreg_error **err)
{
    int rc = disk->pool.path == NULL ? mlr_blobdir_make(&disk->root, 0755, err) : 0;

    if (rc == 0)
        rc = mlr_lock_take(gate, disk->gate, true, GATE_WAIT_MS, op, err);
    if (rc == MLREG_EBUSY)
        mlr_error_hint(err, rc, "copies, an fsck or another gc are at work here: try again later");
    return rc;
}

int mlr_gc_run(mlr_place *p, const mlreg_gc_options *o, mlr_op *op, mlreg_gc_report *out, mlreg_error **err)
{
    const mlr_disk *disk = (const mlr_disk *)p;
    uint64_t        asked_ms = o != NULL ? o->grace_ms : 0;
    uint64_t        grace_ms = asked_ms == 0 ? GRACE_DEFAULT_MS : asked_ms == MLREG_NONE ? 0 : asked_ms;
    mlr_sweep           s = { .disk = disk, .op = op, .grace_ms = grace_ms, .now_ms = mlr_clock_wall_ms() };
    mlreg_gc_report done = { 0 };
    mlr_lock        gate = MLR_LOCK_INIT;
    bool            dry_run = o != NULL && (o->flags & MLREG_GC_DRY_RUN);
    int             rc;

    if ((rc = close_gate(disk, op, &gate, err)) == 0 &&
        (rc = mlr_inflight_collect(disk->notes, op, &s.held, err)) == 0 && (rc = mlr_gc_choose(&s, err)) == 0 &&
        (rc = remove_all(&s, &gate, dry_run, &done, err)) == 0)
        rc = mlr_lock_check(&gate, err);
    if (rc == 0 && !dry_run && disk->receiving != NULL && (rc = remove_partials(&s, err)) == 0)
        rc = mlr_absent_each(&disk->pool, remove_record, &s, err);
    if (rc == 0 && !dry_run && disk->receiving == NULL)
        mlr_partdir_tidy(disk->top, s.grace_ms == 0 ? 0 : MLR_PARTDIR_OLD_MS, NULL, op);
    mlr_lock_drop(&gate);
    sweep_done(&s);
    if (rc == 0) {
        out->blobs = done.blobs;
        out->bytes = done.bytes;
    }
    return rc;
}
