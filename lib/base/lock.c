/* base/lock.c - locks that hold between processes and go with the process that held them. */
#include "base/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/fs_call.h"
#include "base/holder.h"
#include "base/lease.h"

#define POLL_FIRST_MS      2
#define POLL_MAX_MS        64       /* of a local lock */
#define POLL_LEASE_MAX_MS  1000     /* each try is some messages to a server */
#define REPLACED_TRIES     16

static const mlr_lease_times lease_times = MLR_LEASE_TIMES;

/* ---- advisory locks ---- */

static int no_lock_file(mlreg_error **err, const char *path)
{
    int rc = mlr_error_set(err, MLREG_EINVAL, "%s is neither a file nor a directory: it cannot be locked", path);

    return mlr_error_subject(err, rc, path);
}

/* 0 or an errno. Never waits for the other end of a FIFO. */
static int open_with(const char *path, int flags, int *fd)
{
    int errnum, opened = -1;

    MLR_FS_TRY(errnum, MLR_FS_OPEN, path,
               opened = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600));
    if (errnum == 0)
        *fd = opened;
    return errnum;
}

/* A shared lock needs no right to write where the file is there already. */
static int open_lock(const char *path, bool exclusive, int *fd, struct stat *st, mlreg_error **err)
{
    int errnum = exclusive ? ENOENT : open_with(path, O_RDONLY, fd), rc = 0;

    if (errnum == ENOENT)
        errnum = open_with(path, O_RDWR | O_CREAT, fd);
    if (errnum == EISDIR)
        errnum = open_with(path, O_RDONLY | O_DIRECTORY, fd);
    if (errnum == ENXIO)
        return no_lock_file(err, path);
    if (errnum != 0)
        return mlr_fs_failed(err, errnum, "open the lock", path);
    MLR_FS_TRY(errnum, MLR_FS_STAT, path, fstat(*fd, st));
    if (errnum != 0)
        rc = mlr_fs_failed(err, errnum, "look at the lock", path);
    else if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
        rc = no_lock_file(err, path);
    if (rc < 0) {
        mlr_fs_close(*fd);
        *fd = -1;
    }
    return rc;
}

/* What one attempt found. */
typedef enum attempt { TAKEN, HELD, REPLACED, NO_LOCKS_HERE } attempt;

/* Whoever locks a file that has lost its name excludes nobody. */
static int check_name(const char *path, const struct stat *locked, attempt *found, mlreg_error **err)
{
    struct stat st;
    int         errnum;

    MLR_FS_TRY(errnum, MLR_FS_STAT, path, stat(path, &st));
    if (errnum != 0 && errnum != ENOENT)
        return mlr_fs_failed(err, errnum, "look at the lock", path);
    *found = errnum == 0 && st.st_dev == locked->st_dev && st.st_ino == locked->st_ino ? TAKEN : REPLACED;
    return 0;
}

/* 0 and *found, or an error. */
static int attempt_flock(mlr_lock *l, const char *path, bool exclusive, attempt *found,
                         char holder[MLR_HOLDER_BYTES], mlreg_error **err)
{
    struct stat st;
    int         fd = -1, errnum, rc;

    if ((rc = open_lock(path, exclusive, &fd, &st, err)) < 0)
        return rc;
    MLR_FS_TRY(errnum, MLR_FS_LOCK, path, flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB));
    if (errnum == 0)
        rc = check_name(path, &st, found, err);
    else if (errnum == EWOULDBLOCK)
        *found = HELD;
    else if (errnum == ENOLCK || errnum == EOPNOTSUPP || errnum == ENOSYS)
        *found = NO_LOCKS_HERE;
    else
        rc = mlr_fs_failed(err, errnum, "lock", path);
    if (rc == 0 && *found == HELD)
        mlr_holder_read(fd, holder);
    if (rc < 0 || *found != TAKEN) {
        mlr_fs_close(fd);
        return rc;
    }
    l->fd = fd;
    l->names_holder = exclusive && S_ISREG(st.st_mode) && mlr_holder_write(fd);
    return 0;
}

int mlr_lock_try_dir(int fd, const char *path, mlreg_error **err)
{
    int errnum;

    MLR_FS_TRY(errnum, MLR_FS_LOCK, path, flock(fd, LOCK_EX | LOCK_NB));
    if (errnum == EWOULDBLOCK || errnum == ENOLCK || errnum == EOPNOTSUPP || errnum == ENOSYS)
        return 0;
    return errnum == 0 ? 1 : mlr_fs_failed(err, errnum, "lock", path);
}

/* ---- single bytes ---- */

/* 0 or an errno. Of the open file and not of the process, which would lose them with any other opening that it closes. */
static int set_byte(int fd, uint64_t at, short type)
{
    struct flock byte = { .l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)at, .l_len = 1 };
    int          errnum;

    MLR_FS_TRY(errnum, MLR_FS_LOCK, "", fcntl(fd, F_OFD_SETLK, &byte));
    return errnum;
}

bool mlr_lock_try_byte(int fd, uint64_t at)
{
    int errnum = set_byte(fd, at, F_WRLCK);

    return errnum != EAGAIN && errnum != EACCES;
}

void mlr_lock_drop_byte(int fd, uint64_t at)
{
    (void)set_byte(fd, at, F_UNLCK);
}

/* ---- taking ---- */

/* One try of either kind: 1 taken, 0 held by `holder`, or an error. */
static int try_once(mlr_lock *l, const char *path, bool exclusive, bool *use_lease, char holder[MLR_HOLDER_BYTES],
                    mlreg_error **err)
{
    attempt found = REPLACED;
    int     rc = 0;

    for (int i = 0; !*use_lease && rc == 0 && found == REPLACED && i < REPLACED_TRIES; i++) {
        rc = attempt_flock(l, path, exclusive, &found, holder, err);
        *use_lease = rc == 0 && found == NO_LOCKS_HERE;
    }
    if (*use_lease)
        return mlr_lease_try(path, exclusive, &lease_times, &l->lease, holder, err);
    return rc == 0 && found == TAKEN ? 1 : rc;
}

static int busy(mlreg_error **err, const char *path, const char *holder)
{
    int rc = mlr_error_set(err, MLREG_EBUSY, "%s is locked", path);

    mlr_error_subject(err, rc, path);
    return mlr_error_hint(err, rc, "%s holds the lock: wait until it has finished, or stop it", holder);
}

/* Sleeps between half of *step_ms and all of it, so that those who wait do not march in step; then doubles it. */
static int pause_between(uint64_t *step_ms, uint64_t max_step_ms, uint64_t left_ms, mlr_op *op, mlreg_error **err)
{
    uint64_t ms = *step_ms / 2 + mlr_random_below((uint32_t)(*step_ms / 2 + 1));

    *step_ms = *step_ms * 2 < max_step_ms ? *step_ms * 2 : max_step_ms;
    return mlr_op_sleep(op, ms < left_ms ? ms : left_ms, err);
}

int mlr_lock_take(mlr_lock *l, const char *path, bool exclusive, uint64_t wait_ms, mlr_op *op, mlreg_error **err)
{
    uint64_t start_ms = mlr_clock_ms(), step_ms = POLL_FIRST_MS, waited_ms;
    bool     use_lease = mlr_fs_is_network(path);
    int      rc;

    for (;;) {
        char holder[MLR_HOLDER_BYTES] = "another process";

        if ((rc = mlr_op_check(op, err)) < 0 || (rc = try_once(l, path, exclusive, &use_lease, holder, err)) < 0)
            return rc;
        if (rc == 1)
            break;
        if ((waited_ms = mlr_clock_ms() - start_ms) >= wait_ms)
            return busy(err, path, holder);
        if ((rc = pause_between(&step_ms, use_lease ? POLL_LEASE_MAX_MS : POLL_MAX_MS, wait_ms - waited_ms, op, err)) < 0)
            return rc;
    }
    l->owner = (int)getpid();
    return 0;
}

int mlr_lock_check(mlr_lock *l, mlreg_error **err)
{
    return l->lease != NULL ? mlr_lease_check(l->lease, err) : 0;
}

void mlr_lock_drop(mlr_lock *l)
{
    bool is_mine = l->owner == (int)getpid();   /* a forked child has the descriptor, but the lock is its parent's */

    if (l->fd >= 0 && is_mine) {
        if (l->names_holder)
            mlr_holder_clear(l->fd);
        flock(l->fd, LOCK_UN);                  /* closing alone would not do while such a child lives */
    }
    mlr_fs_close(l->fd);
    if (is_mine)
        mlr_lease_drop(l->lease);
    else
        mlr_lease_forget(l->lease);
    *l = (mlr_lock)MLR_LOCK_INIT;
}
