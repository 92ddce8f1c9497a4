/* base/lease.c - locks made of files, for file systems on which advisory locks lie: good for a while, then renewed. */
#include "base/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/fs_call.h"
#include "base/work.h"

#define SHARED_MARK    ".shared-"
#define LIST_MAX       1000000     /* names in the directory of a lease */
#define GUARD_STALE_MS 600000      /* by this host's clock: so far wrong it may be. Guards live for milliseconds. */

struct mlr_lease {
    int             fd;             /* of the lease's file, whatever its name leads to by now */
    char           *file;
    mlr_lease_times times;
    mlr_group      *renewer;
};

/* ---- files ---- */

static int64_t mtime_ms(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
}

static bool is_stale(const struct stat *st, int64_t now_ms, uint64_t stale_ms)
{
    int64_t age_ms = now_ms - mtime_ms(st);

    return age_ms > 0 && (uint64_t)age_ms > stale_ms;
}

/* Makes a file that was not there, with the holder in it. 0 or an errno. *now_ms is the file system's own time. */
static int create(const char *file, int *fd, int64_t *now_ms)
{
    struct stat st;
    int         errnum, made = -1;

    MLR_FS_TRY(errnum, MLR_FS_OPEN, file, made = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (errnum != 0)
        return errnum;
    mlr_holder_write(made);
    MLR_FS_TRY(errnum, MLR_FS_STAT, file, fstat(made, &st));
    if (errnum != 0) {
        unlink(file);
        mlr_fs_close(made);
        return errnum;
    }
    *fd = made;
    *now_ms = mtime_ms(&st);
    return 0;
}

static void discard(const char *file, int *fd)
{
    unlink(file);
    mlr_fs_close(*fd);
    *fd = -1;
}

/* Looks at the file behind a name by opening it: network file systems check then what they remember. */
static int look(const char *file, struct stat *st, char holder[MLR_HOLDER_BYTES])
{
    int errnum, fd = -1;

    MLR_FS_TRY(errnum, MLR_FS_OPEN, file, fd = open(file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (errnum != 0)
        return errnum;
    MLR_FS_TRY(errnum, MLR_FS_STAT, file, fstat(fd, st));
    if (errnum == 0 && holder != NULL)
        mlr_holder_read(fd, holder);
    mlr_fs_close(fd);
    return errnum;
}

/* ---- taking ---- */

static void remove_old_guard(const char *guard)
{
    struct stat st;

    if (look(guard, &st, NULL) == 0 && is_stale(&st, mlr_clock_wall_ms(), GUARD_STALE_MS))
        unlink(guard);
}

/* Puts `guard`, which is ours, in the place of a stale lease. EEXIST: that is not stale. */
static int replace_stale(const char *file, uint64_t stale_ms, const char *guard, int64_t now_ms, char holder[MLR_HOLDER_BYTES])
{
    struct stat st;
    int         errnum = look(file, &st, holder);

    if (errnum == ENOENT || (errnum == 0 && !is_stale(&st, now_ms, stale_ms)))
        return EEXIST;                 /* dropped just now, or alive: in both cases for the next try */
    if (errnum == 0)
        MLR_FS_TRY(errnum, MLR_FS_RENAME, file, rename(guard, file));
    return errnum;
}

/* Only who made the guard file may replace a stale lease, and does so with the guard itself. So of many who find a
 * lease stale one wins, and none replaces the winner's. 0 or an errno; EEXIST: held. */
static int take_over(const char *file, uint64_t stale_ms, int *fd, int64_t *now_ms, char holder[MLR_HOLDER_BYTES])
{
    char *guard = mlr_asprintf("%s.next", file);
    int   errnum;

    if (guard == NULL)
        return ENOMEM;
    errnum = create(guard, fd, now_ms);
    if (errnum == EEXIST) {
        remove_old_guard(guard);
    } else if (errnum == 0 && (errnum = replace_stale(file, stale_ms, guard, *now_ms, holder)) != 0) {
        discard(guard, fd);
    }
    mlr_free(guard);
    return errnum;
}

/* Takes a stale lease away from who sleeps on it, who would find it his own when he wakes up. ENOENT: it is gone. */
static int oust(const char *file, uint64_t stale_ms, char holder[MLR_HOLDER_BYTES])
{
    int64_t now_ms;
    int     fd = -1, errnum = take_over(file, stale_ms, &fd, &now_ms, holder);

    if (errnum == 0) {
        discard(file, &fd);
        errnum = ENOENT;
    }
    return errnum;
}

/* 1: the shared lease in that file is alive. 0: it is not, and is removed. */
static int check_shared(const mlr_lease *l, const char *dir, const char *name, int64_t now_ms,
                        char holder[MLR_HOLDER_BYTES], mlreg_error **err)
{
    char       *file = mlr_path_join(dir, name);
    struct stat st;
    int         errnum, rc = 1;

    if (file == NULL)
        return mlr_error_nomem(err);
    errnum = look(file, &st, holder);
    if (errnum != 0 && errnum != ENOENT) {
        rc = mlr_fs_failed(err, errnum, "look at", file);
    } else if (errnum == ENOENT || is_stale(&st, now_ms, l->times.stale_ms)) {
        unlink(file);
        rc = 0;
    }
    mlr_free(file);
    return rc;
}

/* 1: somebody holds a shared lease on the same path. */
static int find_shared(const mlr_lease *l, int64_t now_ms, char holder[MLR_HOLDER_BYTES], mlreg_error **err)
{
    const char  *slash = strrchr(l->file, '/');
    char        *dir = mlr_path_dir(l->file);
    char        *prefix = mlr_asprintf("%s" SHARED_MARK, slash != NULL ? slash + 1 : l->file);
    mlr_dir_list names = {NULL, 0, 0};
    int          rc;

    if (dir == NULL || prefix == NULL) {
        rc = mlr_error_nomem(err);
        goto out;
    }
    rc = mlr_fs_list_path(dir, LIST_MAX, &names, err);
    for (size_t i = 0; i < names.n && rc == 0; i++)
        if (strncmp(names.items[i].name, prefix, strlen(prefix)) == 0)
            rc = check_shared(l, dir, names.items[i].name, now_ms, holder, err);
out:
    mlr_dir_list_done(&names);
    mlr_free(prefix);
    mlr_free(dir);
    return rc;
}

static int try_exclusive(mlr_lease *l, char holder[MLR_HOLDER_BYTES], mlreg_error **err)
{
    int64_t now_ms = 0;
    int     errnum = create(l->file, &l->fd, &now_ms), rc;

    if (errnum == EEXIST)
        errnum = take_over(l->file, l->times.stale_ms, &l->fd, &now_ms, holder);
    if (errnum == EEXIST)
        return 0;
    if (errnum != 0)
        return mlr_fs_failed(err, errnum, "make the lease", l->file);
    if ((rc = find_shared(l, now_ms, holder, err)) == 0)
        return 1;
    discard(l->file, &l->fd);
    return rc < 0 ? rc : 0;
}

/* First its own file, then a look for the exclusive one; the exclusive holder does it the other way round. So of two
 * at the same time at least one sees the other. */
static int try_shared(mlr_lease *l, const char *exclusive_file, char holder[MLR_HOLDER_BYTES], mlreg_error **err)
{
    struct stat st;
    int64_t     now_ms = 0;
    int         errnum = create(l->file, &l->fd, &now_ms);

    if (errnum != 0)
        return mlr_fs_failed(err, errnum, "make the lease", l->file);
    errnum = look(exclusive_file, &st, holder);
    if (errnum == 0 && is_stale(&st, now_ms, l->times.stale_ms))
        errnum = oust(exclusive_file, l->times.stale_ms, holder);
    if (errnum == ENOENT)
        return 1;
    discard(l->file, &l->fd);
    return errnum == 0 || errnum == EEXIST ? 0 : mlr_fs_failed(err, errnum, "look at", exclusive_file);
}

/* ---- keeping ---- */

static void renew(const mlr_lease *l)
{
    futimens(l->fd, NULL);             /* what fails now is tried again long before the lease is stale */
}

static int keep_renewed(void *arg, mlr_op *op, mlreg_error **err)
{
    const mlr_lease *l = arg;

    while (mlr_op_sleep(op, l->times.renew_ms, err) == 0)
        renew(l);
    return MLREG_ECANCELLED;
}

static int start_renewing(mlr_lease *l, mlreg_error **err)
{
    int rc = mlr_group_new(NULL, NULL, 1, &l->renewer, err);

    return rc == 0 ? mlr_group_add(l->renewer, keep_renewed, l, err) : rc;
}

/* The names of the lease on `path`: the exclusive one, and that of the lease itself. */
static int name_files(mlr_lease *l, const char *path, bool exclusive, char **exclusive_file)
{
    size_t len = strlen(path);
    char   name[17];

    while (len > 1 && path[len - 1] == '/')
        len--;                          /* beside a directory, not in it */
    mlr_random_name(name);
    *exclusive_file = mlr_asprintf("%.*s.lease", (int)len, path);
    if (*exclusive_file != NULL)
        l->file = exclusive ? mlr_strdup(*exclusive_file) : mlr_asprintf("%s" SHARED_MARK "%s", *exclusive_file, name);
    return l->file != NULL ? 0 : -1;
}

int mlr_lease_try(const char *path, bool exclusive, const mlr_lease_times *times, mlr_lease **out,
                  char holder[MLR_HOLDER_BYTES], mlreg_error **err)
{
    mlr_lease *l = mlr_alloc(sizeof *l);
    char      *exclusive_file = NULL;
    int        rc, started;

    snprintf(holder, MLR_HOLDER_BYTES, "another process");
    if (l == NULL)
        return mlr_error_nomem(err);
    l->fd = -1;
    l->times = *times;
    if (name_files(l, path, exclusive, &exclusive_file) < 0)
        rc = mlr_error_nomem(err);
    else
        rc = exclusive ? try_exclusive(l, holder, err) : try_shared(l, exclusive_file, holder, err);
    if (rc == 1 && (started = start_renewing(l, err)) < 0)
        rc = started;
    mlr_free(exclusive_file);
    if (rc == 1)
        *out = l;
    else
        mlr_lease_drop(l);
    return rc;
}

/* Whether the name still leads to our file. */
static bool is_ours(const mlr_lease *l)
{
    struct stat mine, there;

    return fstat(l->fd, &mine) == 0 && look(l->file, &there, NULL) == 0 && mine.st_dev == there.st_dev &&
           mine.st_ino == there.st_ino;
}

int mlr_lease_check(mlr_lease *l, mlreg_error **err)
{
    int rc;

    if (is_ours(l)) {
        renew(l);
        return 0;
    }
    rc = mlr_error_set(err, MLREG_EBUSY, "the lease %s was lost: it had not been renewed in time", l->file);
    mlr_error_subject(err, rc, l->file);
    return mlr_error_hint(err, rc, "this process or its connection to the file system stood still: try again");
}

void mlr_lease_forget(mlr_lease *l)
{
    if (l == NULL)
        return;
    mlr_fs_close(l->fd);
    mlr_free(l->file);
    mlr_free(l);
}

void mlr_lease_drop(mlr_lease *l)
{
    if (l == NULL)
        return;
    mlr_group_free(l->renewer);
    if (l->fd >= 0 && is_ours(l))
        unlink(l->file);
    mlr_lease_forget(l);
}
