/* base/fs_list.c - what a directory holds: bounded, sorted, with types. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/fs_call.h"

static int by_name(const void *a, const void *b)
{
    return strcmp(((const mlr_dir_entry *)a)->name, ((const mlr_dir_entry *)b)->name);
}

static unsigned char type_of_mode(mode_t mode)
{
    return (unsigned char)IFTODT(mode);
}

/* The type where the file system does not tell it by itself. 1: known; 0: the entry has vanished meanwhile. */
static int find_type(DIR *dir, const char *name, const struct dirent *entry, unsigned char *type, mlreg_error **err)
{
    struct stat st;
    int         errnum, rc;

    *type = entry->d_type;
    if (*type != DT_UNKNOWN)
        return 1;
    MLR_FS_TRY(errnum, MLR_FS_STAT, entry->d_name, fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW));
    if (errnum == ENOENT)
        return 0;
    if (errnum != 0) {
        rc = mlr_error_errno(err, errnum, "cannot look at %s/%s", name, entry->d_name);
        return mlr_error_subject(err, rc, name);
    }
    *type = type_of_mode(st.st_mode);
    return 1;
}

static int add(mlr_dir_list *l, const char *name, unsigned char type, mlreg_error **err)
{
    char *copy;

    if (mlr_grow(&l->items, &l->cap, l->n, sizeof *l->items) < 0 || (copy = mlr_strdup(name)) == NULL)
        return mlr_error_nomem(err);
    l->items[l->n++] = (mlr_dir_entry){copy, type};
    return 0;
}

/* The next entry, or NULL at the end and on failure (*errnum != 0). */
static struct dirent *next_entry(DIR *dir, const char *name, int *errnum)
{
    struct dirent *entry = NULL;

    do {
        if ((*errnum = mlr_fs_fault(MLR_FS_LIST, name)) == 0) {
            errno = 0;
            entry = readdir(dir);
            *errnum = entry == NULL ? errno : 0;
        }
    } while (*errnum == EINTR);
    return *errnum == 0 ? entry : NULL;
}

static int collect(DIR *dir, const char *name, size_t max_entries, mlr_dir_list *l, mlreg_error **err)
{
    const struct dirent *entry;
    int                  errnum, rc;

    while ((entry = next_entry(dir, name, &errnum)) != NULL) {
        unsigned char type;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if ((rc = find_type(dir, name, entry, &type, err)) < 0)
            return rc;
        if (rc == 0)
            continue;
        if (l->n == max_entries) {
            rc = mlr_error_set(err, MLREG_ELIMIT, "%s holds more than the %zu entries allowed", name, max_entries);
            return mlr_error_subject(err, rc, name);
        }
        if ((rc = add(l, entry->d_name, type, err)) < 0)
            return rc;
    }
    return errnum == 0 ? 0 : mlr_fs_failed(err, errnum, "list", name);
}

int mlr_fs_list(int dir_fd, const char *name, size_t max_entries, mlr_dir_list *out, mlreg_error **err)
{
    mlr_dir_list l = {NULL, 0, 0};
    DIR         *dir = NULL;
    int          fd = -1, errnum, rc;

    /* A descriptor of its own: the caller's keeps its position, and may be one that cannot be read from (O_PATH). */
    MLR_FS_TRY(errnum, MLR_FS_OPEN, name, fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (errnum != 0)
        return mlr_fs_failed(err, errnum, "list", name);
    if ((dir = fdopendir(fd)) == NULL) {
        rc = mlr_fs_failed(err, errno, "list", name);
        mlr_fs_close(fd);
        return rc;
    }
    rc = collect(dir, name, max_entries, &l, err);
    closedir(dir);
    if (rc < 0) {
        mlr_dir_list_done(&l);
        return rc;
    }
    if (l.n > 0)
        qsort(l.items, l.n, sizeof *l.items, by_name);
    *out = l;
    return 0;
}

int mlr_fs_list_path(const char *path, size_t max_entries, mlr_dir_list *out, mlreg_error **err)
{
    int fd, rc;

    if ((rc = mlr_fs_open(path, O_PATH | O_DIRECTORY, 0, &fd, err)) < 0)
        return rc;
    rc = mlr_fs_list(fd, path, max_entries, out, err);
    mlr_fs_close(fd);
    return rc;
}

void mlr_dir_list_done(mlr_dir_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        mlr_free(l->items[i].name);
    mlr_free(l->items);
    *l = (mlr_dir_list){NULL, 0, 0};
}
