/* base/inside_make.c - a folder that serves as a root: making, marking and removing single entries. */
#include "base/inside.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/fs_call.h"

#define ENTRIES_MAX ((size_t)4 << 20)      /* in one folder */
#define DIR_FLAGS   (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static int said(int errnum, const char *verb, const char *path, mlreg_error **err)
{
    return errnum == 0 ? 0 : mlr_fs_failed(err, errnum, verb, path);
}

int mlr_inside_stat(int dir, const char *name, const char *path, struct stat *out, mlreg_error **err)
{
    int errnum;

    MLR_FS_TRY(errnum, MLR_FS_STAT, path, fstatat(dir, name, out, AT_SYMLINK_NOFOLLOW));
    return errnum == 0 ? 1 : errnum == ENOENT ? 0 : mlr_fs_failed(err, errnum, "look at", path);
}

int mlr_inside_open_dir(int dir, const char *name, const char *path, int *fd, mlreg_error **err)
{
    int errnum, opened = -1;

    MLR_FS_TRY(errnum, MLR_FS_OPEN, path, opened = openat(dir, name, DIR_FLAGS));
    if (errnum == 0)
        *fd = opened;
    return said(errnum, "open", path, err);
}

/* ---- making ---- */

int mlr_inside_make_dir(int dir, const char *name, const char *path, mlreg_error **err)
{
    int errnum;

    MLR_FS_TRY(errnum, MLR_FS_MKDIR, path, mkdirat(dir, name, 0700));
    return said(errnum == EEXIST ? 0 : errnum, "make the folder", path, err);
}

int mlr_inside_make_file(int dir, const char *name, const char *path, int *fd, mlreg_error **err)
{
    int errnum, opened = -1;

    MLR_FS_TRY(errnum, MLR_FS_OPEN, path, opened = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (errnum == 0)
        *fd = opened;
    return said(errnum, "make", path, err);
}

int mlr_inside_make_fifo(int dir, const char *name, const char *path, mlreg_error **err)
{
    int errnum;

    MLR_FS_TRY(errnum, MLR_FS_OPEN, path, mkfifoat(dir, name, 0600));
    return said(errnum, "make the FIFO", path, err);
}

int mlr_inside_make_symlink(int dir, const char *name, const char *target, const char *path, mlreg_error **err)
{
    int errnum;

    MLR_FS_TRY(errnum, MLR_FS_LINK, path, symlinkat(target, dir, name));
    return said(errnum, "make the link", path, err);
}

int mlr_inside_make_link(int from_dir, const char *from, int dir, const char *name, const char *path, mlreg_error **err)
{
    int errnum;

    MLR_FS_TRY(errnum, MLR_FS_LINK, path, linkat(from_dir, from, dir, name, 0));
    return said(errnum, "make the hard link", path, err);
}

int mlr_inside_rename(int from_dir, const char *from, int dir, const char *name, const char *path, mlreg_error **err)
{
    int errnum;

    MLR_FS_TRY(errnum, MLR_FS_RENAME, path, renameat(from_dir, from, dir, name));
    return said(errnum, "put in place", path, err);
}

int mlr_inside_sync(int dir, const char *path, mlreg_error **err)
{
    int errnum;

    MLR_FS_TRY(errnum, MLR_FS_SYNC, path, syncfs(dir));
    return said(errnum, "sync", path, err);
}

/* ---- marking ---- */

int mlr_inside_mark_fd(int fd, const mlr_inside_marks *m, const char *path, mlreg_error **err)
{
    struct timespec times[2] = { { .tv_sec = m->mtime_s }, { .tv_sec = m->mtime_s } };
    int             errnum = 0;

    if (m->owned)
        MLR_FS_TRY(errnum, MLR_FS_WRITE, path, fchown(fd, m->uid, m->gid));
    if (errnum == 0)
        MLR_FS_TRY(errnum, MLR_FS_WRITE, path, fchmod(fd, m->mode));
    if (errnum == 0)
        MLR_FS_TRY(errnum, MLR_FS_WRITE, path, futimens(fd, times));
    return said(errnum, "set owner, mode and time of", path, err);
}

int mlr_inside_mark_name(int dir, const char *name, const mlr_inside_marks *m, const char *path, mlreg_error **err)
{
    struct timespec times[2] = { { .tv_sec = m->mtime_s }, { .tv_sec = m->mtime_s } };
    struct stat     st;
    int             errnum = 0, rc = mlr_inside_stat(dir, name, path, &st, err);

    if (rc < 0)
        return rc;
    if (m->owned)
        MLR_FS_TRY(errnum, MLR_FS_WRITE, path, fchownat(dir, name, m->uid, m->gid, AT_SYMLINK_NOFOLLOW));
    if (errnum == 0 && !S_ISLNK(st.st_mode))
        MLR_FS_TRY(errnum, MLR_FS_WRITE, path, fchmodat(dir, name, m->mode, 0));
    if (errnum == 0)
        MLR_FS_TRY(errnum, MLR_FS_WRITE, path, utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW));
    return said(errnum, "set owner, mode and time of", path, err);
}

/* ---- removing ---- */

int mlr_inside_remove_empty(int dir, const char *name, const char *path, mlreg_error **err)
{
    int errnum;

    MLR_FS_TRY(errnum, MLR_FS_UNLINK, path, unlinkat(dir, name, AT_REMOVEDIR));
    return said(errnum == ENOTEMPTY || errnum == EEXIST ? 0 : errnum, "remove", path, err);
}

static int remove_dir(int dir, const char *name, const char *path, mlr_inside_keep keep, void *user, mlreg_error **err)
{
    int errnum, fd = -1, rc;

    if (keep == NULL)                       /* all of it goes: its mode shall not stand in the way */
        MLR_FS_TRY(errnum, MLR_FS_UNLINK, path, fchmodat(dir, name, 0700, 0));
    if ((rc = mlr_inside_open_dir(dir, name, path, &fd, err)) == 0)
        rc = mlr_inside_empty(fd, path, keep, user, err);
    mlr_fs_close(fd);
    if (rc < 0)
        return rc;
    MLR_FS_TRY(errnum, MLR_FS_UNLINK, path, unlinkat(dir, name, AT_REMOVEDIR));
    return said(keep != NULL && (errnum == ENOTEMPTY || errnum == EEXIST) ? 0 : errnum, "remove", path, err);
}

static int remove_entry(int dir, const char *name, bool is_dir, const char *path, mlr_inside_keep keep, void *user, mlreg_error **err)
{
    int errnum;

    if (is_dir)
        return remove_dir(dir, name, path, keep, user, err);
    MLR_FS_TRY(errnum, MLR_FS_UNLINK, path, unlinkat(dir, name, 0));
    return said(errnum, "remove", path, err);
}

/* What is kept is a folder's name only: of what is in it the rest still goes. */
static int remove_unless_kept(int dir, const struct stat *of, const char *name, bool is_dir, const char *path, mlr_inside_keep keep, void *user, mlreg_error **err)
{
    int fd = -1, rc;

    if (keep == NULL || !keep(of, name, user))
        return remove_entry(dir, name, is_dir, path, keep, user, err);
    if (!is_dir)
        return 0;
    if ((rc = mlr_inside_open_dir(dir, name, path, &fd, err)) == 0)
        rc = mlr_inside_empty(fd, path, keep, user, err);
    mlr_fs_close(fd);
    return rc;
}

int mlr_inside_remove(int dir, const char *name, const char *path, mlr_inside_keep keep, void *user, mlreg_error **err)
{
    struct stat of, st;
    int         rc;

    if ((rc = mlr_inside_stat(dir, name, path, &st, err)) <= 0 || (rc = mlr_fs_stat_fd(dir, path, &of, err)) < 0)
        return rc;
    return remove_unless_kept(dir, &of, name, S_ISDIR(st.st_mode), path, keep, user, err);
}

int mlr_inside_empty(int dir, const char *path, mlr_inside_keep keep, void *user, mlreg_error **err)
{
    mlr_dir_list l = { 0 };
    struct stat  of;
    int          rc = mlr_fs_stat_fd(dir, path, &of, err);

    if (rc == 0)
        rc = mlr_fs_list(dir, path, ENTRIES_MAX, &l, err);
    for (size_t i = 0; i < l.n && rc >= 0; i++)
        rc = remove_unless_kept(dir, &of, l.items[i].name, l.items[i].type == DT_DIR, path, keep, user, err);
    mlr_dir_list_done(&l);
    return rc < 0 ? rc : 0;
}
