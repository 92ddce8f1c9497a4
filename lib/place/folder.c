/* place/folder.c - a directory below a top that we trust: every way into it is checked for links. */
#include "place/folder.h"

#include <fcntl.h>
#include <string.h>

#include "base/alloc.h"
#include "base/beneath.h"
#include "base/error.h"

#define LIST_MAX_ENTRIES 10000000

int mlr_folder_init(mlr_folder *f, int top, const char *top_path, const char *below, mlreg_error **err)
{
    mlr_folder made = { top, mlr_strdup(below), below[0] != 0 ? mlr_path_join(top_path, below) : mlr_strdup(top_path) };

    if (made.below == NULL || made.path == NULL) {
        mlr_folder_done(&made);
        return mlr_error_nomem(err);
    }
    *f = made;
    return 0;
}

void mlr_folder_done(mlr_folder *f)
{
    mlr_free(f->below);
    mlr_free(f->path);
    *f = (mlr_folder)MLR_FOLDER_INIT;
}

char *mlr_folder_path(const mlr_folder *f, const char *name)
{
    return name[0] != 0 ? mlr_path_join(f->path, name) : mlr_strdup(f->path);
}

/* From the top: "" for the top itself. */
static char *from_top(const mlr_folder *f, const char *name)
{
    if (f->below[0] == 0)
        return mlr_strdup(name);
    return name[0] != 0 ? mlr_path_join(f->below, name) : mlr_strdup(f->below);
}

int mlr_folder_open(const mlr_folder *f, const char *name, int flags, int *fd, mlreg_error **err)
{
    char *path = from_top(f, name);
    int   rc;

    if (path == NULL)
        return mlr_error_nomem(err);
    rc = path[0] != 0 ? mlr_beneath_open(f->top, path, flags, 0, fd, err)
                      : mlr_fs_openat(f->top, ".", flags, 0, fd, err);
    mlr_free(path);
    return rc;
}

int mlr_folder_look(const mlr_folder *f, const char *name, struct stat *out, mlreg_error **err)
{
    char *path = from_top(f, name);
    int   rc;

    if (path == NULL)
        return mlr_error_nomem(err);
    if (path[0] != 0)
        rc = mlr_beneath_look(f->top, path, out, err);
    else if ((rc = mlr_fs_stat_fd(f->top, f->path, out, err)) == 0)
        rc = 1;
    mlr_free(path);
    return rc;
}

/* Every directory from `path` up to the top: what was made in it stays made. */
static int sync_up(const mlr_folder *f, const char *path, mlreg_error **err)
{
    size_t top_len = strlen(f->path) - strlen(f->below);
    char  *dir = mlr_path_dir(path), *next;
    int    rc = dir != NULL ? 0 : mlr_error_nomem(err);

    while (rc == 0 && (rc = mlr_fs_sync_dir(dir, err)) == 0 && strlen(dir) >= top_len && strlen(dir) > strlen("/")) {
        if ((next = mlr_path_dir(dir)) == NULL)
            rc = mlr_error_nomem(err);
        mlr_free(dir);
        dir = next;
    }
    mlr_free(dir);
    return rc;
}

int mlr_folder_make(const mlr_folder *f, const char *name, unsigned mode, mlreg_error **err)
{
    struct stat st;
    char       *below = from_top(f, name), *path = mlr_folder_path(f, name);
    int         rc;

    if (below == NULL || path == NULL)
        rc = mlr_error_nomem(err);
    else if (below[0] == 0)
        rc = 0;
    else if ((rc = mlr_folder_look(f, name, &st, err)) == 0 &&
             (rc = mlr_beneath_mkdirs(f->top, below, mode, err)) == 0)
        rc = sync_up(f, path, err);
    else if (rc == 1)
        rc = S_ISDIR(st.st_mode) ? 0 : mlr_error_set(err, MLREG_EPROTO, "%s is in the way: it is no directory", path);
    mlr_free(below);
    mlr_free(path);
    return rc;
}

/* Opens without waiting for whoever is at the other end of a FIFO. */
static int open_to_read(const mlr_folder *f, const char *name, int *fd, mlreg_error **err)
{
    return mlr_folder_open(f, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, fd, err);
}

int mlr_folder_reader(const mlr_folder *f, const char *name, bool trusted, mlr_reader **out, mlreg_error **err)
{
    char *path = mlr_folder_path(f, name);
    int   fd = -1, rc;

    if (path == NULL)
        return mlr_error_nomem(err);
    if ((rc = open_to_read(f, name, &fd, err)) == 0 && (rc = mlr_reader_from_fd(fd, path, trusted, out, err)) < 0)
        mlr_fs_close(fd);
    mlr_free(path);
    return rc;
}

static int read_whole(int fd, const char *name, mlr_buf *out, mlreg_error **err)
{
    struct stat st;
    int64_t     n;
    int         rc;

    if ((rc = mlr_fs_stat_fd(fd, name, &st, err)) < 0)
        return rc;
    if (!S_ISREG(st.st_mode))
        return mlr_error_set(err, MLREG_EINVAL, "%s is not a regular file", name);
    if ((uint64_t)st.st_size > out->max - out->len)
        return mlr_error_set(err, MLREG_ELIMIT, "%s has %lld bytes, %zu are allowed", name, (long long)st.st_size,
                             out->max);
    if ((rc = mlr_buf_reserve(out, (size_t)st.st_size, err)) < 0)
        return rc;
    if ((n = mlr_fs_read_at(fd, 0, out->data + out->len, (size_t)st.st_size, name, err)) < 0)
        return (int)n;
    out->len += (size_t)n;
    out->data[out->len] = 0;
    return 0;
}

int mlr_folder_read(const mlr_folder *f, const char *name, mlr_buf *out, mlreg_error **err)
{
    char *path = mlr_folder_path(f, name);
    int   fd, rc;

    if (path == NULL)
        return mlr_error_nomem(err);
    if ((rc = open_to_read(f, name, &fd, err)) == 0) {
        rc = read_whole(fd, path, out, err);
        mlr_fs_close(fd);
    }
    mlr_error_subject(err, rc, path);
    mlr_free(path);
    return rc;
}

int mlr_folder_list(const mlr_folder *f, const char *name, mlr_dir_list *out, mlreg_error **err)
{
    mlreg_error *why = NULL;
    char        *path = mlr_folder_path(f, name);
    int          fd, rc;

    if (path == NULL)
        return mlr_error_nomem(err);
    if ((rc = mlr_folder_open(f, name, O_RDONLY | O_DIRECTORY, &fd, &why)) == 0) {
        rc = mlr_fs_list(fd, path, LIST_MAX_ENTRIES, out, &why);
        mlr_fs_close(fd);
    }
    if (rc == MLREG_ENOTFOUND) {
        *out = (mlr_dir_list){ NULL, 0, 0 };
        mlr_error_done(why);
        rc = 0;
    } else if (rc < 0)
        mlr_error_move(err, &why);
    mlr_free(path);
    return rc;
}

int mlr_folder_remove(const mlr_folder *f, const char *name, mlreg_error **err)
{
    char *path = from_top(f, name);
    int   rc;

    if (path == NULL)
        return mlr_error_nomem(err);
    rc = mlr_beneath_unlink(f->top, path, err);
    mlr_free(path);
    return rc;
}

int mlr_folder_sync(const mlr_folder *f, const char *name, mlreg_error **err)
{
    char *path = mlr_folder_path(f, name);
    int   rc = path != NULL ? mlr_fs_sync_dir(path, err) : mlr_error_nomem(err);

    mlr_free(path);
    return rc;
}
