/* base/fs.c - file calls one by one: the seam before each, EINTR and partial transfers behind it, errors with names. */
#include "base/fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs_call.h"

static mlr_fs_hook hook;
static void       *hook_user;
static size_t    (*shorten)(size_t asked);

void mlr_fs_use(mlr_fs_hook new_hook, void *user)
{
    hook = new_hook;
    hook_user = user;
}

void mlr_fs_use_short(size_t (*most)(size_t asked))
{
    shorten = most;
}

size_t mlr_fs_length(size_t asked)
{
    return shorten != NULL ? shorten(asked) : asked;
}

int mlr_fs_fault(mlr_fs_call call, const char *name)
{
    return hook != NULL ? hook(call, name, hook_user) : 0;
}

int mlr_fs_failed(mlreg_error **err, int errnum, const char *verb, const char *path)
{
    return mlr_error_subject(err, mlr_error_errno(err, errnum, "cannot %s %s", verb, path), path);
}

/* ---- opening and looking ---- */

int mlr_fs_open(const char *path, int flags, unsigned mode, int *fd, mlreg_error **err)
{
    return mlr_fs_openat(AT_FDCWD, path, flags, mode, fd, err);
}

int mlr_fs_openat(int dir, const char *path, int flags, unsigned mode, int *fd, mlreg_error **err)
{
    int errnum, opened = -1;

    MLR_FS_TRY(errnum, MLR_FS_OPEN, path, opened = openat(dir, path, flags | O_CLOEXEC, (mode_t)mode));
    if (errnum != 0)
        return mlr_fs_failed(err, errnum, "open", path);
    *fd = opened;
    return 0;
}

void mlr_fs_close(int fd)
{
    if (fd >= 0)
        close(fd);                      /* not again after EINTR: Linux has closed it, and the number may be reused */
}

int mlr_fs_stat(const char *path, struct stat *out, mlreg_error **err)
{
    struct stat st;
    int         errnum;

    MLR_FS_TRY(errnum, MLR_FS_STAT, path, lstat(path, &st));
    if (errnum != 0)
        return mlr_fs_failed(err, errnum, "look at", path);
    *out = st;
    return 0;
}

int mlr_fs_stat_fd(int fd, const char *name, struct stat *out, mlreg_error **err)
{
    struct stat st;
    int         errnum;

    MLR_FS_TRY(errnum, MLR_FS_STAT, name, fstat(fd, &st));
    if (errnum != 0)
        return mlr_fs_failed(err, errnum, "look at", name);
    *out = st;
    return 0;
}

bool mlr_fs_exists(const char *path)
{
    struct stat st;
    int         errnum;

    MLR_FS_TRY(errnum, MLR_FS_STAT, path, lstat(path, &st));
    return errnum != ENOENT && errnum != ENOTDIR;
}

/* ---- bytes ---- */

int64_t mlr_fs_read_at(int fd, uint64_t offset, void *buf, size_t len, const char *name, mlreg_error **err)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = 0;
        int     errnum;

        MLR_FS_TRY(errnum, MLR_FS_READ, name,
                   n = pread(fd, (char *)buf + done, mlr_fs_length(len - done), (off_t)(offset + done)));
        if (errnum != 0)
            return mlr_fs_failed(err, errnum, "read", name);
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (int64_t)done;
}

int mlr_fs_write_at(int fd, uint64_t offset, const void *buf, size_t len, const char *name, mlreg_error **err)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = 0;
        int     errnum;

        MLR_FS_TRY(errnum, MLR_FS_WRITE, name,
                   n = pwrite(fd, (const char *)buf + done, mlr_fs_length(len - done), (off_t)(offset + done)));
        if (errnum == 0 && n == 0)
            errnum = EIO;               /* no progress and no reason: never spin on it */
        if (errnum != 0)
            return mlr_fs_failed(err, errnum, "write", name);
        done += (size_t)n;
    }
    return 0;
}

int mlr_fs_sync(int fd, const char *name, mlreg_error **err)
{
    int errnum;

    MLR_FS_TRY(errnum, MLR_FS_SYNC, name, fdatasync(fd));
    return errnum == 0 ? 0 : mlr_fs_failed(err, errnum, "sync", name);
}

int mlr_fs_set_mode(int fd, unsigned mode, const char *name, mlreg_error **err)
{
    int errnum;

    MLR_FS_TRY(errnum, MLR_FS_WRITE, name, fchmod(fd, (mode_t)mode));
    return errnum == 0 ? 0 : mlr_fs_failed(err, errnum, "change", name);
}

/* ---- names ---- */

int mlr_fs_sync_dir_fd(int dir_fd, const char *name, mlreg_error **err)
{
    int errnum;

    MLR_FS_TRY(errnum, MLR_FS_SYNC, name, fsync(dir_fd));
    if (errnum == 0 || errnum == EINVAL || errnum == EOPNOTSUPP)   /* some network file systems sync no directories */
        return 0;
    return mlr_fs_failed(err, errnum, "sync the directory", name);
}

int mlr_fs_sync_dir(const char *path, mlreg_error **err)
{
    int fd = -1, rc;

    if ((rc = mlr_fs_open(path, O_RDONLY | O_DIRECTORY, 0, &fd, err)) < 0)
        return rc;
    rc = mlr_fs_sync_dir_fd(fd, path, err);
    mlr_fs_close(fd);
    return rc;
}

/* An error about two paths; the second one is the subject, since it is what the caller wanted to have. */
static int failed_between(mlreg_error **err, int errnum, const char *verb, const char *from, const char *to)
{
    return mlr_error_subject(err, mlr_error_errno(err, errnum, "cannot %s %s to %s", verb, from, to), to);
}

int mlr_fs_rename(const char *from, const char *to, mlreg_error **err)
{
    int errnum;

    MLR_FS_TRY(errnum, MLR_FS_RENAME, to, rename(from, to));
    return errnum == 0 ? 0 : failed_between(err, errnum, "rename", from, to);
}

int mlr_fs_link(const char *from, const char *to, mlreg_error **err)
{
    int errnum;

    MLR_FS_TRY(errnum, MLR_FS_LINK, to, link(from, to));
    return errnum == 0 ? 0 : failed_between(err, errnum, "link", from, to);
}

int mlr_fs_unlink(const char *path, mlreg_error **err)
{
    int errnum;

    MLR_FS_TRY(errnum, MLR_FS_UNLINK, path, unlink(path));
    return errnum == 0 || errnum == ENOENT ? 0 : mlr_fs_failed(err, errnum, "remove", path);
}

static int sync_parent(const char *path, mlreg_error **err)
{
    char *dir = mlr_path_dir(path);
    int   rc = dir != NULL ? mlr_fs_sync_dir(dir, err) : mlr_error_nomem(err);

    mlr_free(dir);
    return rc;
}

static bool is_dir(const char *path)
{
    struct stat st;
    int         errnum;

    MLR_FS_TRY(errnum, MLR_FS_STAT, path, stat(path, &st));   /* through links: the host arranges its own paths */
    return errnum == 0 && S_ISDIR(st.st_mode);
}

static int make_dir(const char *path, unsigned mode, mlreg_error **err)
{
    int errnum, rc;

    MLR_FS_TRY(errnum, MLR_FS_MKDIR, path, mkdir(path, (mode_t)mode));
    if (errnum == EEXIST)
        return is_dir(path) ? 0 : mlr_fs_failed(err, ENOTDIR, "make the directory", path);
    if (errnum != 0)
        return mlr_fs_failed(err, errnum, "make the directory", path);
    if ((rc = sync_parent(path, err)) < 0)
        rmdir(path);                    /* or the next call would take it for durable */
    return rc;
}

int mlr_fs_mkdirs(const char *path, unsigned mode, mlreg_error **err)
{
    char *part;
    int   rc = 0;

    if (is_dir(path))
        return 0;
    if ((part = mlr_strdup(path)) == NULL)
        return mlr_error_nomem(err);
    for (char *end = part; rc == 0 && *end != '\0';) {
        char saved;

        end += strspn(end, "/");
        end += strcspn(end, "/");
        saved = *end;
        *end = '\0';
        rc = make_dir(part, mode, err);
        *end = saved;
    }
    if (rc == 0 && *path == '\0')
        rc = mlr_fs_failed(err, ENOENT, "make the directory", path);
    mlr_free(part);
    return rc;
}

/* ---- paths ---- */

char *mlr_path_join(const char *dir, const char *name)
{
    size_t len = strlen(dir);

    return mlr_asprintf("%s%s%s", dir, len > 0 && dir[len - 1] == '/' ? "" : "/", name);
}

char *mlr_path_dir(const char *path)
{
    size_t len = strlen(path);

    while (len > 1 && path[len - 1] == '/')
        len--;
    while (len > 0 && path[len - 1] != '/')
        len--;
    while (len > 1 && path[len - 1] == '/')
        len--;
    return len > 0 ? mlr_strndup(path, len) : mlr_strdup(".");
}
