/* base/beneath.c - opening and making files below a directory, through no link and never outside it. */
#include "base/beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/fs_call.h"

#define OPEN_RETRIES 8     /* openat2 says EAGAIN where a rename elsewhere disturbs it */
#define DIR_FLAGS    (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* One component of a path, as a string of its own. */
typedef struct component {
    char text[MLR_BENEATH_NAME_MAX_BYTES + 1];
} component;

/* ---- errors ---- */

static int through_link(mlreg_error **err, const char *path)
{
    int rc = mlr_error_set(err, MLREG_EDENIED, "%s leads through a symbolic link", path);

    mlr_error_subject(err, rc, path);
    return mlr_error_hint(err, rc, "links are not followed here: remove the link, or put a directory in its place");
}

/* ELOOP is how the kernel says that O_NOFOLLOW or RESOLVE_NO_SYMLINKS met a link. */
static int failed(mlreg_error **err, int errnum, const char *verb, const char *path)
{
    return errnum == ELOOP ? through_link(err, path) : mlr_fs_failed(err, errnum, verb, path);
}

/* ---- components ---- */

static const char *last_component(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

/* Takes the component at *path and moves past it and its slash. */
static void take_component(const char **path, component *out)
{
    size_t len = strcspn(*path, "/");

    memcpy(out->text, *path, len);       /* mlr_beneath_check_form has bounded it */
    out->text[len] = '\0';
    *path += len + ((*path)[len] == '/');
}

/* ---- walking ---- */

/* With O_DIRECTORY or O_PATH the kernel does not say ELOOP of a link: it says ENOTDIR, or opens the link itself. */
static bool is_link(int dir, const char *name, const char *path)
{
    struct stat st;
    int         errnum;

    MLR_FS_TRY(errnum, MLR_FS_STAT, path, fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW));
    return errnum == 0 && S_ISLNK(st.st_mode);
}

/* Opens `name` in `dir`, which is no path. 0 or an errno, ELOOP for any link. `path` is for the seam. */
static int open_entry(int dir, const char *name, int flags, unsigned mode, const char *path, int *fd)
{
    int errnum, opened = -1;

    MLR_FS_TRY(errnum, MLR_FS_OPEN, path,
               opened = openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC, (mode_t)mode));
    if (errnum == ENOTDIR && is_link(dir, name, path))
        return ELOOP;
    if (errnum == 0 && (flags & O_PATH)) {
        struct stat st;

        MLR_FS_TRY(errnum, MLR_FS_STAT, path, fstat(opened, &st));
        if (errnum == 0 && S_ISLNK(st.st_mode))
            errnum = ELOOP;
        if (errnum != 0)
            mlr_fs_close(opened);
    }
    if (errnum == 0)
        *fd = opened;
    return errnum;
}

static int make_entry(int dir, const char *name, unsigned mode, const char *path)
{
    int errnum;

    MLR_FS_TRY(errnum, MLR_FS_MKDIR, path, mkdirat(dir, name, (mode_t)mode));
    return errnum == EEXIST ? 0 : errnum;
}

/* A directory below `dir`; made where it is missing if `make` says so. */
static int enter(int dir, const char *name, bool make, unsigned mode, const char *path, int *fd)
{
    int errnum = open_entry(dir, name, DIR_FLAGS, 0, path, fd);

    if (errnum != ENOENT || !make)
        return errnum;
    if ((errnum = make_entry(dir, name, mode, path)) != 0)
        return errnum;
    return open_entry(dir, name, DIR_FLAGS, 0, path, fd);
}

/* Opens the directory that the part of `path` before `end` names; `root` itself if that part is empty. */
static int walk(int root, const char *path, const char *end, bool make, unsigned mode, int *fd)
{
    const char *at = path;
    int         errnum, dir = -1, next = -1;

    errnum = open_entry(root, ".", DIR_FLAGS, 0, path, &dir);
    while (errnum == 0 && at < end) {
        component name;

        take_component(&at, &name);
        if ((errnum = enter(dir, name.text, make, mode, path, &next)) == 0) {
            mlr_fs_close(dir);
            dir = next;
        }
    }
    if (errnum != 0)
        mlr_fs_close(dir);
    else
        *fd = dir;
    return errnum;
}

static int walk_open(int root, const char *path, int flags, unsigned mode, int *fd)
{
    const char *last = last_component(path);
    int         dir = -1, errnum;

    if ((errnum = walk(root, path, last, false, 0, &dir)) != 0)
        return errnum;
    errnum = open_entry(dir, last, flags, mode, path, fd);
    mlr_fs_close(dir);
    return errnum;
}

/* ---- in one call ---- */

static int kernel_open(int root, const char *path, int flags, unsigned mode, int *fd)
{
    /* Without O_NOFOLLOW: with it and O_PATH or O_DIRECTORY a last link would not be ELOOP. */
    struct open_how how = {
        .flags = (uint64_t)(unsigned)((flags & ~O_NOFOLLOW) | O_CLOEXEC),
        .mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? mode : 0,   /* else EINVAL */
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    int  errnum;
    long opened = -1;

    for (int try = 0; try < OPEN_RETRIES; try++) {
        MLR_FS_TRY(errnum, MLR_FS_OPEN_BENEATH, path, opened = syscall(SYS_openat2, root, path, &how, sizeof how));
        if (errnum != EAGAIN)
            break;
    }
    if (errnum == 0)
        *fd = (int)opened;
    return errnum;
}

/* ENOSYS before Linux 5.6; EPERM from system call filters that do not know it (a true one comes back from the walk);
 * ENAMETOOLONG where all components are short enough, but not their sum. */
static int open_beneath(int root, const char *path, int flags, unsigned mode, int *fd)
{
    int errnum = kernel_open(root, path, flags, mode, fd);

    if (errnum != ENOSYS && errnum != EPERM && errnum != ENAMETOOLONG)
        return errnum;
    return walk_open(root, path, flags, mode, fd);
}

/* Opens the directory that the part of `path` before `end` names: in one call if it is there. */
static int open_dir(int root, const char *path, const char *end, bool make, unsigned mode, int *fd)
{
    char   dir[MLR_BENEATH_PATH_MAX_BYTES + 1];
    size_t len = (size_t)(end - path);
    int    errnum;

    if (len > 0) {
        memcpy(dir, path, len);
        dir[len - (path[len - 1] == '/')] = '\0';
        dir[len] = '\0';
        if ((errnum = open_beneath(root, dir, DIR_FLAGS, 0, fd)) != ENOENT || !make)
            return errnum;
    }
    return walk(root, path, end, make, mode, fd);
}

/* ---- the room's calls ---- */

int mlr_beneath_open(int root, const char *path, int flags, unsigned mode, int *fd, mlreg_error **err)
{
    int errnum, rc;

    if ((rc = mlr_beneath_check_form(path, err)) < 0)
        return rc;
    errnum = open_beneath(root, path, flags, mode, fd);
    return errnum == 0 ? 0 : failed(err, errnum, "open", path);
}

int mlr_beneath_look(int root, const char *path, struct stat *out, mlreg_error **err)
{
    int errnum, rc, fd = -1;

    if ((rc = mlr_beneath_check_form(path, err)) < 0)
        return rc;
    if ((errnum = open_beneath(root, path, O_PATH, 0, &fd)) == 0)
        MLR_FS_TRY(errnum, MLR_FS_STAT, path, fstat(fd, out));
    mlr_fs_close(fd);
    if (errnum != 0 && errnum != ENOENT)
        return failed(err, errnum, "look at", path);
    return errnum == 0;
}

int mlr_beneath_mkdirs(int root, const char *path, unsigned mode, mlreg_error **err)
{
    int errnum, rc, fd = -1;

    if ((rc = mlr_beneath_check_form(path, err)) < 0)
        return rc;
    errnum = open_dir(root, path, path + strlen(path), true, mode, &fd);
    mlr_fs_close(fd);
    return errnum == 0 ? 0 : failed(err, errnum, "make the directory", path);
}

int mlr_beneath_parent(int root, const char *path, unsigned mode, int *dir_fd, const char **last, mlreg_error **err)
{
    const char *name = last_component(path);
    int         errnum, rc, fd = -1;

    if ((rc = mlr_beneath_check_form(path, err)) < 0)
        return rc;
    if ((errnum = open_dir(root, path, name, true, mode, &fd)) != 0)
        return failed(err, errnum, "open the directory of", path);
    *dir_fd = fd;
    *last = name;
    return 0;
}

int mlr_beneath_unlink(int root, const char *path, mlreg_error **err)
{
    const char *last = last_component(path);
    int         errnum, rc, dir = -1;

    if ((rc = mlr_beneath_check_form(path, err)) < 0)
        return rc;
    if ((errnum = open_dir(root, path, last, false, 0, &dir)) == 0)
        MLR_FS_TRY(errnum, MLR_FS_UNLINK, path, unlinkat(dir, last, 0));
    mlr_fs_close(dir);
    return errnum == 0 || errnum == ENOENT ? 0 : failed(err, errnum, "remove", path);
}
