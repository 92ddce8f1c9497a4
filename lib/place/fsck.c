/* place/fsck.c - everything on a place's disk read and compared with its name; what can be mended is, if asked for. */
#include "place/fsck.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "place/blobdir.h"
#include "place/disk.h"
#include "place/intake.h"

#define GATE_WAIT_MS   60000
#define PRIVATE_MODE   0700
#define DIR_MODE       0755
#define SHARED_MODE    0444
#define LINE_MAX_BYTES 2048

typedef struct check {
    const mlr_disk *disk;
    mlr_op         *op;
    bool            repair;
    mlr_list       *problems;
    mlr_digestmap   sound; /* in the pool: 1 if the content is right */
} check;

typedef struct repo_check {
    check        *c;
    mlr_repodir   r;
    const char   *shown;    /* what lines begin with */
    mlr_digestmap reported; /* as missing */
} repo_check;

static int report(check *c, const char *where, mlreg_error **err, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

static int report(check *c, const char *where, mlreg_error **err, const char *format, ...)
{
    char    line[LINE_MAX_BYTES];
    size_t  len = (size_t)snprintf(line, sizeof(line), "%.600s: ", where);
    va_list args;

    va_start(args, format);
    vsnprintf(line + len, sizeof(line) - len, format, args);
    va_end(args);
    return mlr_list_add(c->problems, line, NULL, err);
}

/* What ends the check, in place of being a problem. */
static bool is_fatal(int rc)
{
    return rc == MLREG_ENOMEM || rc == MLREG_ECANCELLED;
}

/* 1; or what was tried could not be done, which is told in the line: 0. Fatal failures go up. Takes *why. */
static int managed(int rc, mlreg_error **why, mlreg_error **err)
{
    if (is_fatal(rc)) {
        mlr_error_move(err, why);
        return rc;
    }
    mlr_error_done(*why);
    *why = NULL;
    return rc >= 0;
}

/* ---- content ---- */

/* Reads a blob. 1: it is what it is called; 0 and what it is instead, in words. */
static int verify(check *c, const mlr_folder *f, const mlr_digest *d, char *instead, size_t room, mlreg_error **err)
{
    mlr_reader  *r = NULL;
    mlreg_error *why = NULL;
    mlr_digest   got;
    int          rc = mlr_blobdir_open(f, d, true, &r, &why);

    if (rc == 0) {
        mlr_op_count(c->op, MLR_N_BYTES_TOTAL, (int64_t)r->bytes);
        if ((rc = mlr_intake(c->disk->place.rt, r, NULL, NULL, c->op, &got, &why)) == 0)
            mlr_op_count(c->op, MLR_N_BYTES_DONE, (int64_t)r->bytes);
    }
    mlr_reader_free(r);
    if (is_fatal(rc)) {
        mlr_error_move(err, &why);
        return rc;
    }
    if (rc < 0)
        snprintf(instead, room, "cannot be read: %s", why->message);
    else if (!mlr_digest_equal(&got, d))
        snprintf(instead, room, "content is %s", got.text);
    mlr_error_done(why);
    return rc == 0 && mlr_digest_equal(&got, d);
}

/* Out of reach, but not thrown away. */
static int quarantine(const check *c, const mlr_folder *f, const mlr_digest *d, mlreg_error **err)
{
    mlr_blobname name = mlr_blobdir_name(d);
    char        *from = mlr_folder_path(f, name.text), *dir = mlr_folder_path(&c->disk->root, c->disk->quarantine);
    char        *to = dir != NULL ? mlr_path_join(dir, mlr_digest_hex(d)) : NULL;
    int          rc = from != NULL && to != NULL ? 0 : mlr_error_nomem(err);

    if (rc == 0 && (rc = mlr_folder_make(&c->disk->root, c->disk->quarantine, PRIVATE_MODE, err)) == 0)
        rc = mlr_fs_rename(from, to, err);
    if (rc == 0) /* where both are names of one file, rename leaves both */
        rc = mlr_folder_remove(f, name.text, err);
    mlr_free(from);
    mlr_free(dir);
    mlr_free(to);
    return rc;
}

static int is_sound_in_pool(const check *c, const mlr_digest *d)
{
    const uint64_t *sound = mlr_digestmap_find(&c->sound, d);
    return sound != NULL && *sound == 1;
}

/* Bad content in `f`. A good copy in the pool takes its place where there is one. */
static int bad_content(check *c, const char *where, const mlr_folder *f, const mlr_digest *d, uint64_t bytes,
                       const char *instead, mlreg_error **err)
{
    const char  *done = "";
    mlreg_error *why = NULL;
    int          rc = 0;

    if (c->repair) {
        rc = managed(quarantine(c, f, d, &why), &why, err);
        done = rc == 1 ? ": moved to quarantine" : ": cannot be moved to quarantine";
    }
    if (rc == 1 && f != &c->disk->pool && is_sound_in_pool(c, d)) {
        rc = managed(mlr_blobdir_link(&c->disk->pool, f, d, bytes, SHARED_MODE, &why), &why, err);
        if (rc == 1)
            done = ": moved to quarantine, the store's own copy linked in its place";
    }
    return rc < 0 ? rc : report(c, where, err, "blob %s: %s%s", d->text, instead, done);
}

/* 1: the name of a blob. Links and FIFOs among them are problems; other names are nobody's affair. */
static int read_name(check *c, const char *where, const mlr_dir_entry *e, mlr_digest *out, mlreg_error **err)
{
    char text[MLR_DIGEST_TEXT + 1] = "sha256:";
    int  rc;

    if (e->type != DT_REG && e->type != DT_DIR) {
        rc = report(c, where, err, "%s/%.200s is %s, not a regular file", MLR_BLOBDIR, e->name,
                    e->type == DT_LNK ? "a link" : e->type == DT_FIFO ? "a FIFO" : "a device or socket");
        return rc;
    }
    if (e->type != DT_REG || strlen(e->name) != MLR_DIGEST_HEX)
        return 0;
    strcat(text, e->name);
    return mlr_digest_parse(text, out, NULL) == 0;
}

typedef int (*blob_fn)(void *user, const mlr_digest *d, mlreg_error **err);

static int each_blob(check *c, const char *where, const mlr_folder *f, blob_fn fn, void *user, mlreg_error **err)
{
    mlr_dir_list names = { NULL, 0, 0 };
    mlr_digest   d;
    int          rc = mlr_folder_list(f, MLR_BLOBDIR, &names, err);

    for (size_t i = 0; rc >= 0 && i < names.n; i++)
        if ((rc = mlr_op_check(c->op, err)) == 0 && (rc = read_name(c, where, &names.items[i], &d, err)) == 1)
            rc = fn(user, &d, err);
    mlr_dir_list_done(&names);
    return rc;
}

static int check_pooled(void *user, const mlr_digest *d, mlreg_error **err)
{
    check    *c = user;
    char      instead[LINE_MAX_BYTES / 2] = "";
    uint64_t *sound = mlr_digestmap_add(&c->sound, d, err);
    int       rc = sound != NULL ? verify(c, &c->disk->pool, d, instead, sizeof(instead), err) : MLREG_ENOMEM;

    if (rc == 1)
        *sound = 1;
    return rc == 0 ? bad_content(c, "store", &c->disk->pool, d, 0, instead, err) : rc < 0 ? rc : 0;
}

/* A file that the pool holds too has been read already. One of another tool's making is taken into the pool. */
static int check_own(void *user, const mlr_digest *d, mlreg_error **err)
{
    repo_check *k = user;
    check      *c = k->c;
    char        instead[LINE_MAX_BYTES / 2] = "";
    struct stat own, pooled;
    int         rc = mlr_blobdir_look(&k->r.own, d, &own, err), in_pool = 0;

    if (rc == 1 && k->r.pool != NULL)
        in_pool = mlr_blobdir_look(k->r.pool, d, &pooled, err);
    if (rc != 1 || in_pool < 0)
        return in_pool < 0 ? in_pool : rc;
    if (in_pool == 1 && own.st_ino == pooled.st_ino && own.st_dev == pooled.st_dev && is_sound_in_pool(c, d))
        return 0;
    if ((rc = verify(c, &k->r.own, d, instead, sizeof(instead), err)) < 0)
        return rc;
    if (rc == 0)
        return bad_content(c, k->shown, &k->r.own, d, (uint64_t)own.st_size, instead, err);
    if (c->repair && k->r.pool != NULL && in_pool == 0)
        mlr_blobdir_link(&k->r.own, k->r.pool, d, (uint64_t)own.st_size, SHARED_MODE, NULL);
    return 0;
}

/* ---- what is named ---- */

static int missing(repo_check *k, const mlr_descriptor *d, const mlr_manifest *by, mlreg_error **err)
{
    const char  *done = "";
    mlreg_error *why = NULL;
    uint64_t    *reported = mlr_digestmap_add(&k->reported, &d->digest, err);
    int          rc = 0;

    if (reported == NULL || (*reported)++ > 0)
        return reported == NULL ? MLREG_ENOMEM : 0;
    if (is_sound_in_pool(k->c, &d->digest)) {
        done = ", but the store has it";
        if (k->c->repair && (rc = managed(mlr_blobdir_link(k->r.pool, &k->r.own, &d->digest, d->bytes, SHARED_MODE, &why), &why, err)) == 1)
            done = ": linked again";
    }
    return rc < 0 ? rc : report(k->c, k->shown, err, "blob %s, named by %s, is missing%s", d->digest.text,
                                by != NULL ? by->self.digest.text : MLR_INDEXFILE, done);
}

static int check_named(void *user, const mlr_descriptor *d, const mlr_manifest *by, mlreg_error **err)
{
    repo_check *k = user;
    struct stat st;
    int         rc;

    if (d->media_type == NULL || d->n_urls > 0) /* found in a text that we do not understand, or to be had elsewhere */
        return 0;
    rc = mlr_blobdir_look(&k->r.own, &d->digest, &st, NULL);
    if (rc < 0)
        return 0; /* a link or FIFO, and told already */
    if (rc == 0)
        return missing(k, d, by, err);
    if ((uint64_t)st.st_size == d->bytes)
        return 0;
    return report(k->c, k->shown, err, "blob %s has %lld bytes; %s says %llu", d->digest.text, (long long)st.st_size,
                  by != NULL ? by->self.digest.text : MLR_INDEXFILE, (unsigned long long)d->bytes);
}

/* Missing and wrong content have been told by then. */
static int unreadable(void *user, const mlr_descriptor *d, const mlr_manifest *by, const mlreg_error *why, mlreg_error **err)
{
    repo_check *k = user;
    (void)by;
    if (why->code == MLREG_ENOTFOUND || why->code == MLREG_EDIGEST || why->code == MLREG_EIO)
        return 0;
    return report(k->c, k->shown, err, "manifest %s: %s", d->digest.text, why->message);
}

/* ---- the two files ---- */

static int check_version(repo_check *k, const mlr_indexfile *file, mlreg_error **err)
{
    mlreg_error *why = NULL, *failure = NULL;
    const char  *done = "";
    struct stat  st;
    int          rc = mlr_indexfile_check_layout(file, &why), mended = 0;

    if (rc == MLREG_ENOTFOUND && mlr_folder_look(&k->r.own, MLR_INDEXFILE, &st, NULL) != 1)
        rc = 0; /* begun, never finished */
    if (rc < 0 && !is_fatal(rc)) {
        if (k->c->repair && rc != MLREG_ENOTSUP)
            mended = managed(mlr_indexfile_write_layout(file, &failure), &failure, err);
        done = mended == 1 ? ": written anew" : "";
        rc = mended < 0 ? mended : report(k->c, k->shown, err, "%s%s", why->message, done);
    } else if (rc < 0)
        mlr_error_move(err, &why);
    mlr_error_done(why);
    return rc;
}

static int restore_index(repo_check *k, const mlr_indexfile *file, const char **done, mlreg_error **err)
{
    mlreg_error *why = NULL;
    mlr_lock     lock = MLR_LOCK_INIT;
    int          rc = mlr_indexfile_lock(file, k->c->op, &lock, &why);

    if (rc == 0)
        rc = mlr_indexfile_restore(file, &why);
    mlr_lock_drop(&lock);
    *done = rc == 0 ? ": restored as it was last written here" : ": there is nothing to restore it from";
    return managed(rc, &why, err);
}

static int check_index(repo_check *k, mlreg_error **err)
{
    const mlr_walk w = { mlr_repodir_fetch, &k->r, check_named, unreadable, k, false };
    mlr_indexfile  file = mlr_repodir_index(&k->r);
    mlr_index     *x = NULL;
    mlreg_error   *why = NULL;
    const char    *done = "";
    int            rc, restored = 0;

    if ((rc = check_version(k, &file, err)) < 0)
        return rc;
    rc = mlr_indexfile_read(&file, k->c->op, &x, &why);
    if (rc == MLREG_ENOTFOUND || is_fatal(rc)) {
        rc = rc == MLREG_ENOTFOUND ? 0 : rc;
        if (rc < 0)
            mlr_error_move(err, &why);
    } else if (rc < 0) {
        if (k->c->repair)
            restored = restore_index(k, &file, &done, err);
        rc = restored < 0 ? restored : report(k->c, k->shown, err, "%s%s", why->message, done);
        if (rc == 0 && restored == 1)
            rc = mlr_indexfile_read(&file, k->c->op, &x, err);
    }
    if (rc == 0 && x != NULL)
        rc = mlr_walk_index(&w, x, k->c->op, err);
    mlr_error_done(why);
    mlr_index_free(x);
    return rc;
}

/* ---- all of it ---- */

static int check_repository(check *c, const char *name, mlreg_error **err)
{
    repo_check k = { .c = c, .shown = name[0] != 0 ? name : "layout", .reported = MLR_DIGESTMAP_INIT };
    int        rc = c->disk->repository(c->disk, name, &k.r, err);

    if (rc < 0)
        return rc;
    if ((rc = each_blob(c, k.shown, &k.r.own, check_own, &k, err)) == 0)
        rc = check_index(&k, err);
    mlr_digestmap_done(&k.reported);
    mlr_repodir_done(&k.r);
    return rc;
}

/* gc stays out while we read; whoever only adds may go on. */
static int keep_gc_out(const mlr_disk *disk, mlr_op *op, mlr_lock *gate, mlreg_error **err)
{
    int rc = disk->pool.path == NULL ? mlr_blobdir_make(&disk->root, DIR_MODE, err) : 0;
    return rc == 0 ? mlr_inflight_enter(disk->inflight, op, gate, err) : rc;
}

int mlr_fsck_run(mlr_place *p, uint32_t flags, mlr_op *op, mlr_list *problems, mlreg_error **err)
{
    const mlr_disk *disk = (const mlr_disk *)p;
    check           c = { disk, op, (flags & MLREG_FSCK_REPAIR) != 0, problems, MLR_DIGESTMAP_INIT };
    mlr_lock        gate = MLR_LOCK_INIT;
    mlr_list       *names = NULL;
    int             rc;

    if ((rc = mlr_list_new(&names, err)) < 0 ||
        (disk->inflight != NULL && (rc = keep_gc_out(disk, op, &gate, err)) < 0) ||
        (disk->pool.path != NULL && (rc = each_blob(&c, "store", &disk->pool, check_pooled, &c, err)) < 0) ||
        (rc = disk->names(disk, op, names, err)) < 0)
        goto out;
    for (size_t i = 0; rc == 0 && i < names->n; i++)
        rc = check_repository(&c, names->items[i].name, err);
out:
    mlr_lock_drop(&gate);
    mlr_list_free(names);
    mlr_digestmap_done(&c.sound);
    return rc;
}
