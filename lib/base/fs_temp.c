/* base/fs_temp.c - files in the making: no name until they are whole and synced, nothing left if they never are. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/fs_call.h"

#define NAME_TRIES    8       /* 36^16 names: a second collision means something else is wrong */
#define PROC_FD_BYTES 32

/* A file without a name gets its first one through /proc: linkat by descriptor alone needs a capability. */
static void proc_path(int fd, char out[PROC_FD_BYTES])
{
    snprintf(out, PROC_FD_BYTES, "/proc/self/fd/%d", fd);
}

static char *random_path(const char *dir)
{
    char name[17];

    mlr_random_name(name);
    return mlr_asprintf("%s/.tmp-%s", dir, name);
}

/* ---- opening ---- */

/* 0 and a descriptor; 0 and -1 where it takes a name, or where the way out to a name (/proc) is missing. */
static int open_nameless(const char *dir, unsigned mode, int *fd, mlreg_error **err)
{
    char proc[PROC_FD_BYTES];
    int  errnum, opened = -1;

    *fd = -1;
    MLR_FS_TRY(errnum, MLR_FS_OPEN, dir, opened = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, (mode_t)mode));
    /* EISDIR and ENOENT are what kernels say that know no O_TMPFILE; if it is true, the next open says so too. */
    if (errnum == EOPNOTSUPP || errnum == EISDIR || errnum == ENOENT || errnum == EINVAL)
        return 0;
    if (errnum != 0)
        return mlr_fs_failed(err, errnum, "make a file in", dir);
    proc_path(opened, proc);
    if (access(proc, F_OK) < 0)
        mlr_fs_close(opened);
    else
        *fd = opened;
    return 0;
}

static int open_named(mlr_temp *t, const char *dir, unsigned mode, mlreg_error **err)
{
    for (int try = 1;; try++) {
        char *path = random_path(dir);
        int   errnum, fd = -1;

        if (path == NULL)
            return mlr_error_nomem(err);
        MLR_FS_TRY(errnum, MLR_FS_OPEN, path, fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode));
        if (errnum == 0) {
            t->fd = fd;
            t->path = path;
            return 0;
        }
        mlr_free(path);
        if (errnum != EEXIST || try == NAME_TRIES)
            return mlr_fs_failed(err, errnum, "make a file in", dir);
    }
}

int mlr_temp_open(mlr_temp *t, const char *dir, unsigned mode, mlreg_error **err)
{
    mlr_temp made = MLR_TEMP_INIT;
    int      rc;

    if ((made.dir = mlr_strdup(dir)) == NULL)
        return mlr_error_nomem(err);
    rc = open_nameless(dir, mode, &made.fd, err);
    if (rc == 0 && made.fd < 0)
        rc = open_named(&made, dir, mode, err);
    if (rc < 0)
        mlr_temp_done(&made);
    else
        *t = made;
    return rc;
}

/* ---- publishing ---- */

static int cannot_name(mlreg_error **err, int errnum, const char *path)
{
    return mlr_fs_failed(err, errnum, "create", path);
}

static int link_nameless(int fd, const char *path)
{
    char proc[PROC_FD_BYTES];
    int  errnum;

    proc_path(fd, proc);
    MLR_FS_TRY(errnum, MLR_FS_LINK, path, linkat(AT_FDCWD, proc, AT_FDCWD, path, AT_SYMLINK_FOLLOW));
    return errnum;
}

/* Gives the nameless file a temporary name, which a rename can start from. */
static int name_temporarily(mlr_temp *t)
{
    for (int try = 1;; try++) {
        char *path = random_path(t->dir);
        int   errnum;

        if (path == NULL)
            return ENOMEM;
        errnum = link_nameless(t->fd, path);
        if (errnum == 0) {
            t->path = path;
            return 0;
        }
        mlr_free(path);
        if (errnum != EEXIST || try == NAME_TRIES)
            return errnum;
    }
}

/* For the next three: 0 or an errno; t->path is NULL once the file has its final name only. */

static void forget_name(mlr_temp *t)
{
    mlr_free(t->path);
    t->path = NULL;
}

static int rename_over(mlr_temp *t, const char *path)
{
    int errnum;

    MLR_FS_TRY(errnum, MLR_FS_RENAME, path, rename(t->path, path));
    if (errnum == 0)
        forget_name(t);
    return errnum;
}

static int rename_unless_there(mlr_temp *t, const char *path)
{
    int errnum;

    MLR_FS_TRY(errnum, MLR_FS_RENAME, path, renameat2(AT_FDCWD, t->path, AT_FDCWD, path, RENAME_NOREPLACE));
    if (errnum == EINVAL || errnum == ENOSYS) {          /* NFS has no such rename, but it has links */
        MLR_FS_TRY(errnum, MLR_FS_LINK, path, link(t->path, path));
        if (errnum == 0)
            unlink(t->path);                             /* the file is published; a second name does no harm */
    }
    if (errnum == 0)
        forget_name(t);
    return errnum;
}

static int give_name(mlr_temp *t, const char *path, bool replace)
{
    int errnum;

    if (t->path == NULL) {
        errnum = link_nameless(t->fd, path);             /* at once, if nothing is in the way */
        if (errnum != EEXIST || !replace)
            return errnum;
        if ((errnum = name_temporarily(t)) != 0)
            return errnum;
    }
    return replace ? rename_over(t, path) : rename_unless_there(t, path);
}

int mlr_temp_publish(mlr_temp *t, const char *path, bool replace, mlreg_error **err)
{
    char *dir = mlr_path_dir(path);
    int   dir_fd = -1, errnum, rc;

    if (dir == NULL)
        return mlr_error_nomem(err);
    MLR_FS_TRY(errnum, MLR_FS_SYNC, path, fsync(t->fd));
    if (errnum != 0) {
        rc = mlr_fs_failed(err, errnum, "sync", path);
        goto out;
    }
    /* Opened before the name is given, so that afterwards nothing but the sync itself can fail. */
    if ((rc = mlr_fs_open(dir, O_RDONLY | O_DIRECTORY, 0, &dir_fd, err)) < 0)
        goto out;
    if ((errnum = give_name(t, path, replace)) != 0) {
        rc = cannot_name(err, errnum, path);
        goto out;
    }
    rc = mlr_fs_sync_dir_fd(dir_fd, dir, err);
out:
    mlr_fs_close(dir_fd);
    mlr_free(dir);
    return rc;
}

void mlr_temp_done(mlr_temp *t)
{
    mlr_fs_close(t->fd);
    if (t->path != NULL)
        unlink(t->path);     /* past the seam: nobody learns of its failure, so there is no path through it to test */
    mlr_free(t->path);
    mlr_free(t->dir);
    *t = (mlr_temp)MLR_TEMP_INIT;
}
