/* base/fs_temp.c - files in the making: no name until they are whole and synced, nothing left if they never are. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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

/* 0 and a descriptor; 0 and none where it takes a name, or where the way out to a name (/proc) is missing. */
static int open_nameless(mlr_temp *t, const char *shown, unsigned mode, mlreg_error **err)
{
    char proc[PROC_FD_BYTES];
    int  errnum, opened = -1;

    MLR_FS_TRY(errnum, MLR_FS_OPEN, shown,
               opened = openat(t->at, t->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, (mode_t)mode));
    /* EISDIR and ENOENT are what kernels say that know no O_TMPFILE; if it is true, the next open says so too. */
    if (errnum == EOPNOTSUPP || errnum == EISDIR || errnum == ENOENT || errnum == EINVAL)
        return 0;
    if (errnum != 0)
        return mlr_fs_failed(err, errnum, "make a file in", shown);
    proc_path(opened, proc);
    if (access(proc, F_OK) < 0)
        mlr_fs_close(opened);
    else
        t->fd = opened;
    return 0;
}

static int open_named(mlr_temp *t, const char *shown, unsigned mode, mlreg_error **err)
{
    for (int try = 1;; try++) {
        char *path = random_path(t->dir);
        int   errnum, fd = -1;

        if (path == NULL)
            return mlr_error_nomem(err);
        MLR_FS_TRY(errnum, MLR_FS_OPEN, path,
                   fd = openat(t->at, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode));
        if (errnum == 0) {
            t->fd = fd;
            t->path = path;
            return 0;
        }
        mlr_free(path);
        if (errnum != EEXIST || try == NAME_TRIES)
            return mlr_fs_failed(err, errnum, "make a file in", shown);
    }
}

static int open_at(mlr_temp *t, int at, const char *dir, const char *shown, unsigned mode, mlreg_error **err)
{
    mlr_temp made = MLR_TEMP_INIT;
    int      rc;

    made.at = at;
    if ((made.dir = mlr_strdup(dir)) == NULL)
        return mlr_error_nomem(err);
    rc = open_nameless(&made, shown, mode, err);
    if (rc == 0 && made.fd < 0)
        rc = open_named(&made, shown, mode, err);
    if (rc < 0)
        mlr_temp_done(&made);
    else
        *t = made;
    return rc;
}

int mlr_temp_open(mlr_temp *t, const char *dir, unsigned mode, mlreg_error **err)
{
    return open_at(t, AT_FDCWD, dir, dir, mode, err);
}

int mlr_temp_open_in(mlr_temp *t, int dir, const char *shown, unsigned mode, mlreg_error **err)
{
    return open_at(t, dir, ".", shown, mode, err);
}

int mlr_temp_adopt(mlr_temp *t, int *fd, const char *path, const char *dir, unsigned mode, mlreg_error **err)
{
    mlr_temp    new = MLR_TEMP_INIT;
    struct stat st;
    int         rc;

    if ((rc = mlr_fs_stat_fd(*fd, path, &st, err)) < 0 || (rc = mlr_fs_set_mode(*fd, st.st_mode & mode & 0777, path, err)) < 0)
        return rc;
    new.path = mlr_strdup(path);
    new.dir = mlr_strdup(dir);
    if (new.path == NULL || new.dir == NULL) {
        mlr_free(new.path);
        mlr_free(new.dir);
        return mlr_error_nomem(err);
    }
    new.fd = *fd;
    *fd = -1;
    *t = new;
    return 0;
}

/* ---- publishing ---- */

static int link_nameless(const mlr_temp *t, const char *path)
{
    char proc[PROC_FD_BYTES];
    int  errnum;

    proc_path(t->fd, proc);
    MLR_FS_TRY(errnum, MLR_FS_LINK, path, linkat(AT_FDCWD, proc, t->at, path, AT_SYMLINK_FOLLOW));
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
        errnum = link_nameless(t, path);
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

    MLR_FS_TRY(errnum, MLR_FS_RENAME, path, renameat(t->at, t->path, t->at, path));
    if (errnum == 0)
        forget_name(t);
    return errnum;
}

static int rename_unless_there(mlr_temp *t, const char *path)
{
    int errnum;

    MLR_FS_TRY(errnum, MLR_FS_RENAME, path, renameat2(t->at, t->path, t->at, path, RENAME_NOREPLACE));
    if (errnum == EINVAL || errnum == ENOSYS) {          /* NFS has no such rename, but it has links */
        MLR_FS_TRY(errnum, MLR_FS_LINK, path, linkat(t->at, t->path, t->at, path, 0));
        if (errnum == 0)
            unlinkat(t->at, t->path, 0);                 /* the file is published; a second name does no harm */
    }
    if (errnum == 0)
        forget_name(t);
    return errnum;
}

static int give_name(mlr_temp *t, const char *path, bool replace)
{
    int errnum;

    if (t->path == NULL) {
        errnum = link_nameless(t, path);                 /* at once, if nothing is in the way */
        if (errnum != EEXIST || !replace)
            return errnum;
        if ((errnum = name_temporarily(t)) != 0)
            return errnum;
    }
    return replace ? rename_over(t, path) : rename_unless_there(t, path);
}

static int sync_content(const mlr_temp *t, const char *shown, mlreg_error **err)
{
    int errnum;

    MLR_FS_TRY(errnum, MLR_FS_SYNC, shown, fsync(t->fd));
    return errnum != 0 ? mlr_fs_failed(err, errnum, "sync", shown) : 0;
}

int mlr_temp_give_name_in(mlr_temp *t, const char *name, const char *shown, bool replace, mlreg_error **err)
{
    int errnum = give_name(t, name, replace);

    return errnum != 0 ? mlr_fs_failed(err, errnum, "create", shown) : 0;
}

int mlr_temp_give_name(mlr_temp *t, const char *path, bool replace, mlreg_error **err)
{
    return mlr_temp_give_name_in(t, path, path, replace, err);
}

int mlr_temp_publish(mlr_temp *t, const char *path, bool replace, mlreg_error **err)
{
    char *dir = mlr_path_dir(path);
    int   dir_fd = -1, rc;

    if (dir == NULL)
        return mlr_error_nomem(err);
    /* The directory is opened before the name is given, so that afterwards nothing but the sync itself can fail. */
    if ((rc = sync_content(t, path, err)) == 0 && (rc = mlr_fs_open(dir, O_RDONLY | O_DIRECTORY, 0, &dir_fd, err)) == 0 &&
        (rc = mlr_temp_give_name_in(t, path, path, replace, err)) == 0)
        rc = mlr_fs_sync_dir_fd(dir_fd, dir, err);
    mlr_fs_close(dir_fd);
    mlr_free(dir);
    return rc;
}

int mlr_temp_publish_in(mlr_temp *t, const char *name, const char *shown, bool replace, mlreg_error **err)
{
    int rc;

    if ((rc = sync_content(t, shown, err)) < 0 || (rc = mlr_temp_give_name_in(t, name, shown, replace, err)) < 0)
        return rc;
    return mlr_fs_sync_dir_fd(t->at, shown, err);
}

void mlr_temp_done(mlr_temp *t)
{
    mlr_fs_close(t->fd);
    if (t->path != NULL)
        unlinkat(t->at, t->path, 0);     /* past the seam: nobody learns of its failure, so there is no path through it to test */
    mlr_free(t->path);
    mlr_free(t->dir);
    *t = (mlr_temp)MLR_TEMP_INIT;
}

static const char *temporary_dir(void)
{
    const char *dir = getenv("TMPDIR");

    return dir != NULL && dir[0] == '/' ? dir : "/tmp";
}

int mlr_temp_folder(char **path, mlreg_error **err)
{
    char *name = mlr_asprintf("%s/mlreg-XXXXXX", temporary_dir());
    int rc = 0;

    if (name == NULL)
        return mlr_error_nomem(err);
    if (mkdtemp(name) == NULL)
        rc = mlr_error_errno(err, errno, "a temporary folder (in $TMPDIR, else /tmp)");
    if (rc == 0)
        *path = name;
    else
        mlr_free(name);
    return rc;
}

int mlr_temp_scratch(uint64_t bytes, int *fd, mlreg_error **err)
{
    mlr_temp t = MLR_TEMP_INIT;
    int rc = mlr_temp_open(&t, temporary_dir(), 0600, err);

    if (rc == 0 && (rc = mlr_fs_reserve(t.fd, bytes, MLR_TEMP_SCRATCH, err)) == 0 && (*fd = fcntl(t.fd, F_DUPFD_CLOEXEC, 0)) < 0)
        rc = mlr_error_errno(err, errno, MLR_TEMP_SCRATCH);
    mlr_temp_done(&t);                   /* takes its name away, if it had one; the bytes live as long as *fd */
    return rc;
}
