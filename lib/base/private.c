/* base/private.c - a directory for what the library notes for itself, one per user, that nobody else can write in. */
#include "base/private.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"

#define DIR_MODE  0700u
#define FILE_MODE 0600u
#define OTHERS    077u           /* rights that only the owner may have here */

char *mlr_private_dir(const char *variable, const char *home_part)
{
    const char *dir = secure_getenv(variable), *home = secure_getenv("HOME");

    if (dir != NULL && dir[0] == '/')            /* others, says XDG, are to be ignored */
        return mlr_asprintf("%s/mlreg/private", dir);
    return home != NULL && home[0] == '/' ? mlr_asprintf("%s/%s/mlreg/private", home, home_part) : NULL;
}

static int check_ours(const struct stat *st, mode_t kind, const char *path, mlreg_error **err)
{
    if ((st->st_mode & S_IFMT) == kind && st->st_uid == geteuid() && (st->st_mode & OTHERS) == 0)
        return 0;
    return mlr_error_set(err, MLREG_EDENIED, "%s is not this user's alone", path);
}

int mlr_private_make(const char *dir, mlreg_error **err)
{
    struct stat st;
    int rc = mlr_fs_mkdirs(dir, DIR_MODE, err);

    if (rc == 0 && (rc = mlr_fs_stat(dir, &st, err)) == 0)
        rc = check_ours(&st, S_IFDIR, dir, err);
    return rc;
}

static int open_checked(const char *path, int flags, int *fd, mlreg_error **err)
{
    struct stat st;
    int rc = mlr_fs_open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, FILE_MODE, fd, err);

    if (rc < 0)
        return rc;
    if ((rc = mlr_fs_stat_fd(*fd, path, &st, err)) < 0 || (rc = check_ours(&st, S_IFREG, path, err)) < 0) {
        mlr_fs_close(*fd);
        *fd = -1;
    }
    return rc;
}

int mlr_private_open(const char *dir, const char *name, bool create, int *fd, mlreg_error **err)
{
    char *path = mlr_path_join(dir, name);
    struct stat st;
    int rc;

    *fd = -1;
    if (path == NULL)
        return mlr_error_nomem(err);
    rc = create ? mlr_private_make(dir, err) : mlr_fs_stat(dir, &st, err);
    if (rc == 0 && !create)
        rc = check_ours(&st, S_IFDIR, dir, err);
    if (rc == 0)
        rc = open_checked(path, create ? O_RDWR | O_CREAT : O_RDWR, fd, err);
    mlr_free(path);
    return rc;
}
