/* place/gc.c - mark and sweep over a place on disk: everything is read before anything is removed. */
#include "place/gc.h"

#include <dirent.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "place/absent.h"
#include "place/blobdir.h"
#include "place/disk.h"
#include "place/partdir.h"

#define GATE_WAIT_MS     60000
#define GRACE_DEFAULT_MS (60u * 60 * 1000)
#define PARTIAL_MS       (24u * 60 * 60 * 1000) /* nothing is received for a day without being written to */
#define TEMPORARY        ".tmp-"

/* A file that goes. */
typedef struct victim {
    char    *name;  /* from the root of the place */
    bool     is_last; /* no other name keeps its content: it counts */
    uint64_t bytes;
} victim;

typedef struct sweep {
    const mlr_disk *disk;
    mlr_op         *op;
    uint64_t        grace_ms;
    int64_t         now_ms;
    mlr_digestmap   held;     /* in flight, in any process */
    mlr_digestmap   named;    /* by a manifest of any repository */
    mlr_digestmap   unlinked; /* how many links to a file of the pool are among the victims */
    victim         *victims;
    size_t          n, cap;
} sweep;

static bool is_older(const struct stat *st, int64_t now_ms, uint64_t ms)
{
    const struct timespec *t = st->st_ctim.tv_sec > st->st_mtim.tv_sec ? &st->st_ctim : &st->st_mtim;
    int64_t                at_ms = (int64_t)t->tv_sec * 1000 + t->tv_nsec / 1000000;
    return ms == 0 || (now_ms > at_ms && (uint64_t)(now_ms - at_ms) > ms);
}

static int condemn(sweep *s, const mlr_folder *f, const char *name, bool is_last, uint64_t bytes, mlreg_error **err)
{
    char *from_root = f->below[0] != 0 ? mlr_path_join(f->below, name) : mlr_strdup(name);

    if (from_root == NULL || mlr_grow(&s->victims, &s->cap, s->n, sizeof(*s->victims)) < 0) {
        mlr_free(from_root);
        return mlr_error_nomem(err);
    }
    s->victims[s->n++] = (victim){ from_root, is_last, bytes };
    return 0;
}

/* ---- marking ---- */

typedef struct marking {
    sweep             *s;
    const mlr_repodir *repo;
    mlr_digestmap      named; /* in this repository */
} marking;

static int mark(void *user, const mlr_descriptor *d, const mlr_manifest *by, mlreg_error **err)
{
    marking *m = user;
    (void)by;
    if (mlr_digestmap_add(&m->named, &d->digest, err) == NULL)
        return MLREG_ENOMEM;
    return mlr_digestmap_add(&m->s->named, &d->digest, err) == NULL ? MLREG_ENOMEM : 0;
}

/* What an unreadable manifest names, nobody knows. But a child that never came with its index names nothing. What failed just
 * now need not be broken. */
static int stop(void *user, const mlr_descriptor *d, const mlr_manifest *by, const mlreg_error *why, mlreg_error **err)
{
    const marking *m = user;
    int            rc;

    if (by != NULL && why->code == MLREG_ENOTFOUND)
        return 0;
    rc = mlr_error_set(err, why->code == MLREG_EIO ? MLREG_EIO : MLREG_EPROTO,
                       "nothing was removed: in %s, manifest %s cannot be read: %s", m->repo->own.path, d->digest.text,
                       why->message);
    return rc == MLREG_EIO ? rc : mlr_error_hint(err, rc, "fsck names everything that is broken");
}

static int mark_all(marking *m, mlreg_error **err)
{
    const mlr_walk w = { mlr_repodir_fetch, (void *)m->repo, mark, stop, m, false };
    mlr_indexfile  file = mlr_repodir_index(m->repo);
    mlr_index     *x = NULL;
    mlreg_error   *why = NULL;
    int            rc = mlr_indexfile_read(&file, m->s->op, &x, &why);

    if (rc == MLREG_ENOTFOUND)
        rc = 0; /* begun, but never finished: it names nothing */
    else if (rc < 0)
        mlr_error_move(err, &why);
    else
        rc = mlr_walk_index(&w, x, m->s->op, err);
    mlr_error_done(why);
    mlr_index_free(x);
    return rc;
}

/* ---- choosing what goes ---- */

/* 1: a blob's name. */
static int read_name(const mlr_dir_entry *e, mlr_digest *out)
{
    char text[MLR_DIGEST_TEXT + 1] = "sha256:";

    if (e->type != DT_REG || strlen(e->name) != MLR_DIGEST_HEX)
        return 0;
    strcat(text, e->name);
    return mlr_digest_parse(text, out, NULL) == 0;
}

/* 1: unnamed, not in flight, old enough. 0: stays, or has gone meanwhile. */
static int may_go(sweep *s, const mlr_folder *f, const mlr_digest *d, const mlr_digestmap *named, struct stat *st,
                  mlreg_error **err)
{
    int rc;
    if (mlr_digestmap_find(named, d) != NULL || mlr_digestmap_find(&s->held, d) != NULL)
        return 0;
    rc = mlr_blobdir_look(f, d, st, err);
    return rc == 1 ? is_older(st, s->now_ms, s->grace_ms) : rc;
}

/* A file that the pool holds too is only a name less; it counts with the pool's. */
static int choose_from_repository(sweep *s, const mlr_repodir *r, const mlr_digest *d, const struct stat *st,
                                  mlreg_error **err)
{
    mlr_blobname name = mlr_blobdir_name(d);
    struct stat  pooled;
    uint64_t    *links;
    int          rc = r->pool != NULL ? mlr_blobdir_look(r->pool, d, &pooled, err) : 0;
    bool         shared = rc == 1 && pooled.st_ino == st->st_ino && pooled.st_dev == st->st_dev;

    if (rc < 0)
        return rc;
    if (shared) {
        if ((links = mlr_digestmap_add(&s->unlinked, d, err)) == NULL)
            return MLREG_ENOMEM;
        ++*links;
    }
    return condemn(s, &r->own, name.text, !shared, (uint64_t)st->st_size, err);
}

/* The pool's file goes when no repository's is left, not even one that we know nothing of. */
static int choose_from_pool(sweep *s, const mlr_digest *d, const struct stat *st, mlreg_error **err)
{
    mlr_blobname    name = mlr_blobdir_name(d);
    const uint64_t *unlinked = mlr_digestmap_find(&s->unlinked, d);
    uint64_t        links = (uint64_t)st->st_nlink - (unlinked != NULL ? *unlinked : 0);
    return links > 1 ? 0 : condemn(s, &s->disk->pool, name.text, true, (uint64_t)st->st_size, err);
}

static bool is_temporary(const mlr_dir_entry *e)
{
    return e->type == DT_REG && strncmp(e->name, TEMPORARY, strlen(TEMPORARY)) == 0 && !mlr_inflight_is_notes(e->name);
}

/* What a process that was killed left half-written. */
static int choose_leftovers(sweep *s, const mlr_folder *f, const char *dir, mlreg_error **err)
{
    mlr_dir_list names = { NULL, 0, 0 };
    int          rc = mlr_folder_list(f, dir, &names, err);

    for (size_t i = 0; rc == 0 && i < names.n; i++) {
        struct stat st;
        char       *name;
        if (!is_temporary(&names.items[i]))
            continue;
        name = dir[0] != 0 ? mlr_path_join(dir, names.items[i].name) : mlr_strdup(names.items[i].name);
        rc = name != NULL ? mlr_folder_look(f, name, &st, err) : mlr_error_nomem(err);
        if (rc == 1)
            rc = is_older(&st, s->now_ms, PARTIAL_MS) ? condemn(s, f, name, false, 0, err) : 0;
        mlr_free(name);
    }
    mlr_dir_list_done(&names);
    return rc;
}

static int choose_blobs(sweep *s, const mlr_folder *f, const mlr_repodir *r, const mlr_digestmap *named,
                        mlreg_error **err)
{
    mlr_dir_list names = { NULL, 0, 0 };
    int          rc = mlr_folder_list(f, MLR_BLOBDIR, &names, err);

    for (size_t i = 0; rc == 0 && i < names.n; i++) {
        mlr_digest  d;
        struct stat st;
        if ((rc = mlr_op_check(s->op, err)) < 0 || !read_name(&names.items[i], &d) ||
            (rc = may_go(s, f, &d, named, &st, err)) != 1)
            continue;
        rc = r != NULL ? choose_from_repository(s, r, &d, &st, err) : choose_from_pool(s, &d, &st, err);
    }
    mlr_dir_list_done(&names);
    return rc;
}

static int choose_in_repository(sweep *s, const char *name, mlreg_error **err)
{
    mlr_repodir r;
    marking     m = { s, &r, MLR_DIGESTMAP_INIT };
    int         rc = s->disk->repository(s->disk, name, &r, err);

    if (rc < 0)
        return rc;
    if ((rc = mark_all(&m, err)) == 0 && (rc = choose_blobs(s, &r.own, &r, &m.named, err)) == 0 &&
        (rc = choose_leftovers(s, &r.own, MLR_BLOBDIR, err)) == 0)
        rc = choose_leftovers(s, &r.own, "", err);
    mlr_digestmap_done(&m.named);
    mlr_repodir_done(&r);
    return rc;
}

static int choose_all(sweep *s, mlreg_error **err)
{
    const mlr_folder *pool = s->disk->pool.path != NULL ? &s->disk->pool : NULL;
    mlr_list         *names = NULL;
    int               rc;

    if ((rc = mlr_list_new(&names, err)) < 0)
        return rc;
    rc = s->disk->names(s->disk, s->op, names, err);
    for (size_t i = 0; rc == 0 && i < names->n; i++)
        rc = choose_in_repository(s, names->items[i].name, err);
    if (rc == 0 && pool != NULL && (rc = choose_blobs(s, pool, NULL, &s->named, err)) == 0 &&
        (rc = choose_leftovers(s, pool, MLR_BLOBDIR, err)) == 0)
        rc = choose_leftovers(s, pool, "partial", err);
    mlr_list_free(names);
    return rc;
}

/* ---- records of what is absent ---- */

static int remove_record(void *user, const mlr_digest *d, const char *name, mlreg_error **err)
{
    const sweep *s = user;
    struct stat  st;
    int          rc;

    if (mlr_digestmap_find(&s->named, d) != NULL || (rc = mlr_folder_look(&s->disk->pool, name, &st, err)) == 0 ||
        (rc == 1 && !is_older(&st, s->now_ms, s->grace_ms)))
        return 0;
    return rc < 0 ? rc : mlr_folder_remove(&s->disk->pool, name, err);
}

/* ---- blobs in the making ---- */

/* Written to a long time ago, or, where nothing is to be spared, at any time; a lock alone is of no use to anybody. Whether somebody has it
 * in hand is found out by taking it away. */
static int remove_if_old(const sweep *s, const char *name, const mlr_digest *d, mlreg_error **err)
{
    uint64_t    spared_ms = s->grace_ms == 0 || mlr_partial_is_lock_alone(s->disk->receiving, name) ? 0 : PARTIAL_MS;
    char       *below = mlr_path_join("partial", name);
    struct stat st;
    int         rc = below != NULL ? mlr_folder_look(&s->disk->pool, below, &st, err) : mlr_error_nomem(err);

    mlr_free(below);
    if (rc == 1 && (spared_ms == 0 || is_older(&st, s->now_ms, spared_ms)))
        rc = mlr_partial_remove(s->disk->receiving, d, s->op, err);
    return rc < 0 ? rc : 0;
}

static int remove_partials(const sweep *s, mlreg_error **err)
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

static int remove_all(const sweep *s, bool dry_run, mlreg_gc_report *out, mlreg_error **err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < s->n; i++) {
        const victim *v = &s->victims[i];
        if (!dry_run && (rc = mlr_op_check(s->op, err)) == 0)
            rc = mlr_folder_remove(&s->disk->root, v->name, err);
        if (rc < 0)
            break;
        out->blobs += v->is_last;
        out->bytes += v->is_last ? v->bytes : 0;
    }
    return rc;
}

static void sweep_done(sweep *s)
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
    sweep           s = { .disk = disk, .op = op, .grace_ms = grace_ms, .now_ms = mlr_clock_wall_ms() };
    mlreg_gc_report done = { 0 };
    mlr_lock        gate = MLR_LOCK_INIT;
    bool            dry_run = o != NULL && (o->flags & MLREG_GC_DRY_RUN);
    int             rc;

    if ((rc = close_gate(disk, op, &gate, err)) == 0 &&
        (rc = mlr_inflight_collect(disk->notes, op, &s.held, err)) == 0 && (rc = choose_all(&s, err)) == 0 &&
        (rc = mlr_lock_check(&gate, err)) == 0)
        rc = remove_all(&s, dry_run, &done, err);
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
