/* place/partial.c - a blob in the making that outlives its process. */
#include "place/partial_parts.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "place/slabs.h"

#define MODE 0755                 /* until it is published; the directory is private */

/* ---- one at a time ---- */

static int name_files(mlr_partial *p, const char *dir)
{
    const char *hex = mlr_digest_hex(&p->digest);

    p->dir = mlr_strdup(dir);
    p->path = mlr_path_join(dir, hex);
    p->journal_path = mlr_asprintf("%s/%s" MLR_PARTIAL_JOURNAL_EXT, dir, hex);
    p->lock_path = mlr_asprintf("%s/%s" MLR_PARTIAL_LOCK_EXT, dir, hex);
    return p->dir != NULL && p->path != NULL && p->journal_path != NULL && p->lock_path != NULL ? 0 : MLREG_ENOMEM;
}

/* Locks are taken through links, which is right for paths that the host names. No name in here is one. */
static int clear_lock(const mlr_partial *p, mlreg_error **err)
{
    struct stat st;

    return mlr_fs_stat(p->lock_path, &st, NULL) == 0 && S_ISLNK(st.st_mode) ? mlr_fs_unlink(p->lock_path, err) : 0;
}

int mlr_partial_lock_within(const char *dir, const mlr_digest *d, uint64_t bytes, uint64_t wait_ms, mlr_op *op, mlr_partial **out,
                            mlreg_error **err)
{
    mlr_partial *p = mlr_alloc(sizeof *p);
    int          rc;

    if (p == NULL)
        return mlr_error_nomem(err);
    p->digest = *d;
    p->bytes = bytes;
    p->n = (size_t)((bytes + MLR_SLAB_BYTES - 1) / MLR_SLAB_BYTES);
    p->fd = p->journal = -1;
    p->lock = (mlr_lock)MLR_LOCK_INIT;
    mlr_sha256_init(&p->midstate);
    if (name_files(p, dir) < 0)
        rc = mlr_error_nomem(err);
    else if ((rc = clear_lock(p, err)) == 0)
        rc = mlr_lock_take(&p->lock, p->lock_path, true, wait_ms, op, err);
    if (rc < 0)
        mlr_partial_free(p);
    else
        *out = p;
    return rc;
}

int mlr_partial_lock(const char *dir, const mlr_digest *d, uint64_t bytes, mlr_op *op, mlr_partial **out, mlreg_error **err)
{
    return mlr_partial_lock_within(dir, d, bytes, UINT64_MAX, op, out, err);
}

/* Removed before the lock goes: whoever waits for it sees that it lost its name, and makes a new one. */
static void unlock(mlr_partial *p)
{
    if (p->lock.fd < 0 && p->lock.lease == NULL)
        return;
    if (p->lock.owner == (int)getpid())
        mlr_fs_unlink(p->lock_path, NULL);
    mlr_lock_drop(&p->lock);
}

/* ---- what is there ---- */

static bool is_own(const struct stat *st)
{
    return S_ISREG(st->st_mode) && st->st_nlink == 1;
}

/* A file of our own and of one name; whatever else stands there makes way. What is one, and for which there were but too many files open,
 * stays. */
static int open_own(const char *path, unsigned mode, int *fd, struct stat *st, mlreg_error **err)
{
    const int    flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
    mlreg_error *why = NULL;
    int          rc = mlr_fs_open(path, flags, mode, fd, &why);

    if (rc < 0 && rc != MLREG_EDENIED && mlr_fs_stat(path, st, NULL) == 0 && is_own(st)) {
        mlr_error_move(err, &why);
        return rc;
    }
    mlr_error_done(why);
    if (rc == 0 && (rc = mlr_fs_stat_fd(*fd, path, st, err)) < 0)
        return rc;
    if (rc == 0 && is_own(st))
        return 0;
    mlr_fs_close(*fd);
    *fd = -1;
    if ((rc = mlr_fs_unlink(path, err)) < 0 || (rc = mlr_fs_open(path, flags | O_EXCL, mode, fd, err)) < 0)
        return rc;
    return mlr_fs_stat_fd(*fd, path, st, err);
}

static int open_files(mlr_partial *p, struct stat *st, mlreg_error **err)
{
    struct stat journal;
    int         rc = open_own(p->path, MODE, &p->fd, st, err);

    if (rc < 0)
        return rc;
    p->any = st->st_size > 0;
    return open_own(p->journal_path, 0600, &p->journal, &journal, err);
}

void mlr_partial_in_folder(mlr_partial *p, const char *shown)
{
    p->shown = shown;
}

int mlr_partial_begin(mlr_partial *p, mlr_op *op, mlreg_error **err)
{
    struct stat st;
    int         rc;

    /* Room on the disk first: a size that is a lie then costs no memory. */
    if ((rc = open_files(p, &st, err)) < 0 || (rc = mlr_fs_reserve(p->fd, p->bytes, mlr_partial_name(p), err)) < 0)
        return rc;
    return mlr_partial_recall(p, &st, op, err);
}

int mlr_partial_fd(const mlr_partial *p)
{
    return p->fd;
}

const char *mlr_partial_name(const mlr_partial *p)
{
    return p->shown != NULL ? p->shown : p->path;
}

uint32_t mlr_partial_there(const mlr_partial *p, size_t i, uint64_t *sum)
{
    *sum = p->sums[i];
    return p->there[i];
}

void mlr_partial_midstate(const mlr_partial *p, mlr_sha256 *out)
{
    *out = p->midstate;
}

uint64_t mlr_partial_hashed(const mlr_partial *p)
{
    return p->midstate.bytes;
}

int mlr_partial_note(mlr_partial *p, const mlr_journal_slab *slabs, size_t n, const mlr_sha256 *midstate, mlreg_error **err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        p->any = true;
        if ((rc = mlr_journal_add_slab(p->journal, &p->end, &slabs[i], p->journal_path, err)) == 0) {
            p->sums[slabs[i].i] = slabs[i].sum;
            p->there[slabs[i].i] = slabs[i].there;
        }
    }
    if (rc == 0 && midstate->bytes > p->midstate.bytes &&
        (rc = mlr_journal_add_state(p->journal, &p->end, midstate, p->journal_path, err)) == 0)
        p->midstate = *midstate;
    return rc;
}

/* What failed once may look well afterwards, for it lies in memory still: so nobody shall go on with it. */
int mlr_partial_sync(mlr_partial *p, mlreg_error **err)
{
    int rc = mlr_fs_sync(p->fd, p->path, err);

    if (rc < 0) {
        p->is_lost = true;
        mlr_fs_unlink(p->journal_path, NULL);
    }
    return rc;
}

/* ---- the end ---- */

static void remove_journal(mlr_partial *p)
{
    char *unfinished = mlr_asprintf("%s" MLR_PARTIAL_NEW_EXT, p->journal_path);

    mlr_fs_close(p->journal);
    p->journal = -1;
    mlr_fs_unlink(p->journal_path, NULL);
    if (unfinished != NULL)
        mlr_fs_unlink(unfinished, NULL);
    mlr_free(unfinished);
}

int mlr_partial_finish(mlr_partial *p, unsigned mode, mlr_temp *out, mlreg_error **err)
{
    int rc = mlr_temp_adopt(out, &p->fd, p->path, p->dir, mode, err);

    if (rc == 0)
        remove_journal(p);
    return rc;
}

void mlr_partial_spoil(mlr_partial *p)
{
    mlr_fs_close(p->fd);
    p->fd = -1;
    mlr_fs_unlink(p->path, NULL);
    remove_journal(p);
}

/* For the next one: how it looks now. He will not read it again then, so it is on the disk, or nothing of it is kept. */
static void keep(mlr_partial *p)
{
    mlr_journal_look look;
    struct stat      st;

    if (mlr_partial_sync(p, NULL) < 0)
        mlr_partial_spoil(p);
    if (p->fd < 0 || mlr_fs_stat_fd(p->fd, p->path, &st, NULL) < 0)
        return;
    mlr_journal_look_of(&st, &look);
    mlr_journal_add_look(p->journal, &p->end, &look, p->journal_path, NULL);
}

void mlr_partial_free(mlr_partial *p)
{
    if (p == NULL)
        return;
    if (p->fd >= 0 && (!p->any || p->is_lost))
        mlr_partial_spoil(p);
    else if (p->fd >= 0 && p->is_recalled)
        keep(p);
    mlr_fs_close(p->fd);
    mlr_fs_close(p->journal);
    unlock(p);
    mlr_free(p->sums);
    mlr_free(p->there);
    mlr_free(p->dir);
    mlr_free(p->path);
    mlr_free(p->journal_path);
    mlr_free(p->lock_path);
    mlr_free(p);
}
