/* place/fsck.c - everything on a place's disk is read; what is broken is named and, if asked for, mended. */
#include "place/fsck.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "place/absent.h"
#include "place/blobdir.h"
#include "place/fsck_parts.h"

#define DIR_MODE       0755
#define LINE_MAX_BYTES 2048

/* Names of files are whatever bytes somebody chose. */
static void make_one_line(char *line)
{
    uint32_t c;
    char    *to = line;

    for (size_t n, left = strlen(line); left > 0; line += n, left -= n) {
        bool is_text = (n = mlr_utf8_next(line, left, &c)) > 0 && !mlr_utf8_is_control(c);

        n = n > 0 ? n : 1;
        memmove(to, is_text ? line : "?", is_text ? n : 1);
        to += is_text ? n : 1;
    }
    *to = 0;
}

int mlr_fsck_report(mlr_check *c, const char *where, mlreg_error **err, const char *format, ...)
{
    char    line[LINE_MAX_BYTES];
    size_t  len = (size_t)snprintf(line, sizeof(line), "%.600s: ", where);
    va_list args;

    va_start(args, format);
    vsnprintf(line + len, sizeof(line) - len, format, args);
    va_end(args);
    make_one_line(line);
    return mlr_list_add(c->problems, line, NULL, err);
}

bool mlr_fsck_is_fatal(int rc)
{
    return rc == MLREG_ENOMEM || rc == MLREG_ECANCELLED;
}

int mlr_fsck_managed(int rc, mlreg_error **why, mlreg_error **err)
{
    if (mlr_fsck_is_fatal(rc)) {
        mlr_error_move(err, why);
        return rc;
    }
    mlr_error_done(*why);
    *why = NULL;
    return rc >= 0;
}

/* ---- what is named ---- */

/* 1: mended; 0: there is nothing to mend it with, or it failed. */
static int link_again(mlr_repo_check *k, const mlr_descriptor *d, mlreg_error **err)
{
    mlreg_error *why = NULL;
    int          rc = mlr_blobdir_link(k->r.pool, &k->r.own, &d->digest, d->bytes, MLR_FSCK_SHARED_MODE, &why);
    return mlr_fsck_managed(rc, &why, err);
}

/* 1: it is not here because it need not be, and where it is is recorded. */
static int is_absent_by_design(const mlr_repo_check *k, const mlr_digest *d, mlreg_error **err)
{
    mlr_absent where = { NULL, NULL, NULL };
    int        rc = k->c->disk->pool.path != NULL ? mlr_absent_read(&k->c->disk->pool, d, &where, err) : 0;

    mlr_absent_done(&where);
    return rc;
}

static int missing(mlr_repo_check *k, const mlr_descriptor *d, const mlr_manifest *by, mlreg_error **err)
{
    uint64_t *reported = mlr_digestmap_add(&k->reported, &d->digest, err);
    bool      in_pool = mlr_fsck_is_sound(k->c, &d->digest);
    int       rc = 0;

    if (by != NULL && by->is_index && mlr_index_lacks(k->index, &d->digest)) /* a variant that was never brought */
        return reported == NULL ? MLREG_ENOMEM : 0;
    if (reported == NULL || (*reported)++ > 0)
        return reported == NULL ? MLREG_ENOMEM : 0;
    if (!in_pool && (rc = is_absent_by_design(k, &d->digest, err)) != 0)
        return rc < 0 ? rc : 0;
    if (in_pool && k->c->repair && (rc = link_again(k, d, err)) < 0)
        return rc;
    return mlr_fsck_report(k->c, k->shown, err, "blob %s, named by %s, is missing%s", d->digest.text,
                           by != NULL ? by->self.digest.text : MLR_INDEXFILE,
                           rc == 1 ? ": linked again" : in_pool ? ", but the store has it" : "");
}

static int check_named(void *user, const mlr_descriptor *d, const mlr_manifest *by, mlreg_error **err)
{
    mlr_repo_check *k = user;
    mlreg_error    *why = NULL;
    struct stat     st;
    int             rc;

    if (d->media_type == NULL || d->n_urls > 0) /* found in a text that we do not understand, or to be had elsewhere */
        return 0;
    rc = mlr_blobdir_look(&k->r.own, &d->digest, &st, &why);
    if (rc < 0) /* a link or FIFO has been told by now */
        return mlr_fsck_managed(rc, &why, err);
    if (rc == 0)
        return missing(k, d, by, err);
    if ((uint64_t)st.st_size == d->bytes)
        return 0;
    return mlr_fsck_report(k->c, k->shown, err, "blob %s has %lld bytes; %s says %llu", d->digest.text,
                           (long long)st.st_size, by != NULL ? by->self.digest.text : MLR_INDEXFILE,
                           (unsigned long long)d->bytes);
}

/* Missing and wrong content have been told by then. */
static int unreadable(void *user, const mlr_descriptor *d, const mlr_manifest *by, const mlreg_error *why,
                      mlreg_error **err)
{
    mlr_repo_check *k = user;
    (void)by;
    if (why->code == MLREG_ENOTFOUND || why->code == MLREG_EDIGEST || why->code == MLREG_EIO)
        return 0;
    return mlr_fsck_report(k->c, k->shown, err, "manifest %s: %s", d->digest.text, why->message);
}

/* ---- the two files ---- */

static int check_version(mlr_repo_check *k, const mlr_indexfile *file, mlreg_error **err)
{
    mlreg_error *why = NULL, *failure = NULL;
    struct stat  st;
    int          rc = mlr_indexfile_check_layout(file, &why), mended = 0;

    if (rc == MLREG_ENOTFOUND && mlr_folder_look(&k->r.own, MLR_INDEXFILE, &st, NULL) != 1 &&
        !mlr_indexfile_has_copy(file))
        rc = 0; /* begun, never finished */
    if (mlr_fsck_is_fatal(rc)) {
        mlr_error_move(err, &why);
    } else if (rc < 0) {
        if (k->c->repair && rc != MLREG_ENOTSUP)
            mended = mlr_fsck_managed(mlr_indexfile_write_layout(file, &failure), &failure, err);
        rc = mended;
        if (rc >= 0)
            rc = mlr_fsck_report(k->c, k->shown, err, "%s%s", why->message, mended == 1 ? ": written anew" : "");
    }
    mlr_error_done(why);
    return rc;
}

static int restore_index(mlr_repo_check *k, const mlr_indexfile *file, mlreg_error **err)
{
    mlreg_error *why = NULL;
    mlr_lock     lock = MLR_LOCK_INIT;
    int          rc = mlr_indexfile_lock(file, k->c->op, &lock, &why);

    if (rc == 0)
        rc = mlr_indexfile_restore(file, &why);
    mlr_lock_drop(&lock);
    return mlr_fsck_managed(rc, &why, err);
}

/* The index cannot be read. 1: now it can. */
static int mend_index(mlr_repo_check *k, const mlr_indexfile *file, const mlreg_error *broken, mlreg_error **err)
{
    bool tried = k->c->repair && (broken->code == MLREG_EPROTO || broken->code == MLREG_ENOTFOUND);
    int  mended = tried ? restore_index(k, file, err) : 0, rc;
    const char *done = mended == 1 ? ": restored as it was last written here"
                       : tried     ? ": there is nothing to restore it from"
                                   : "";

    if (mended < 0)
        return mended;
    rc = mlr_fsck_report(k->c, k->shown, err, "%s%s", broken->message, done);
    return rc < 0 ? rc : mended;
}

/* 1 and the index; 0 where there is none to be checked. */
static int read_index(mlr_repo_check *k, const mlr_indexfile *file, mlr_index **out, mlreg_error **err)
{
    mlreg_error *why = NULL;
    int          rc = mlr_indexfile_read(file, k->c->op, out, &why);

    if (mlr_fsck_is_fatal(rc)) {
        mlr_error_move(err, &why);
        return rc;
    }
    if (rc == MLREG_ENOTFOUND && !mlr_indexfile_has_copy(file))
        rc = 0; /* begun, never finished */
    else if (rc < 0 && (rc = mend_index(k, file, why, err)) == 1)
        rc = mlr_indexfile_read(file, k->c->op, out, err);
    if (rc == 0 && *out != NULL)
        rc = 1;
    mlr_error_done(why);
    return rc;
}

static int check_index(mlr_repo_check *k, mlreg_error **err)
{
    const mlr_walk w = { mlr_repodir_fetch, &k->r, check_named, unreadable, k, false };
    mlr_indexfile  file = mlr_repodir_index(&k->r);
    mlr_index     *x = NULL;
    int            rc;

    if ((rc = check_version(k, &file, err)) == 0 && (rc = read_index(k, &file, &x, err)) == 1) {
        k->index = x;
        rc = mlr_walk_index(&w, x, k->c->op, err);
    }
    k->index = NULL;
    mlr_index_free(x);
    return rc;
}

/* ---- all of it ---- */

static int check_repository(mlr_check *c, const char *name, mlreg_error **err)
{
    mlr_repo_check k = { .c = c, .shown = name[0] != 0 ? name : "layout", .reported = MLR_DIGESTMAP_INIT };
    int            rc = c->disk->repository(c->disk, name, &k.r, err);

    if (rc < 0)
        return rc;
    if ((rc = mlr_fsck_blobs(&k, err)) == 0)
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
    mlr_check       c = { disk, op, (flags & MLREG_FSCK_REPAIR) != 0, problems, MLR_DIGESTMAP_INIT };
    mlr_lock        gate = MLR_LOCK_INIT;
    mlr_list       *names = NULL;
    int             rc;

    if ((rc = mlr_list_new(&names, err)) < 0 ||
        (disk->inflight != NULL && (rc = keep_gc_out(disk, op, &gate, err)) < 0) ||
        (disk->pool.path != NULL && (rc = mlr_fsck_pool(&c, err)) < 0) ||
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
