/* base/fs_whole.c - whole files: read into memory, replaced durably, cloned. */
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/fs_call.h"

#define READ_STEP_BYTES  65536u
#define COPY_STEP_BYTES  (1u << 20)
#define RANGE_STEP_BYTES (1u << 30)   /* of one copy_file_range */

/* ---- reading ---- */

static int not_regular(mlreg_error **err, const char *path)
{
    return mlr_error_subject(err, mlr_error_set(err, MLREG_EINVAL, "%s is not a regular file", path), path);
}

/* Opens without waiting for anybody at the other end of a FIFO. */
static int open_regular(const char *path, int *fd, struct stat *st, mlreg_error **err)
{
    int errnum, opened = -1, rc = 0;

    MLR_FS_TRY(errnum, MLR_FS_OPEN, path, opened = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (errnum == ENXIO)                 /* a socket, or a device with nothing behind it */
        return not_regular(err, path);
    if (errnum != 0)
        return mlr_fs_failed(err, errnum, "open", path);
    MLR_FS_TRY(errnum, MLR_FS_STAT, path, fstat(opened, st));
    if (errnum != 0)
        rc = mlr_fs_failed(err, errnum, "look at", path);
    else if (!S_ISREG(st->st_mode))
        rc = not_regular(err, path);
    if (rc < 0)
        mlr_fs_close(opened);
    else
        *fd = opened;
    return rc;
}

static int too_large(mlreg_error **err, const char *path, size_t max)
{
    int rc = mlr_error_set(err, MLREG_ELIMIT, "%s is larger than the %zu bytes allowed for it", path, max);

    return mlr_error_subject(err, rc, path);
}

/* Makes room to read into: at least one byte unless `out` is full. */
static int make_room(mlr_buf *out, uint64_t expected, mlreg_error **err)
{
    size_t room = out->max - out->len;
    size_t want = expected > 0 ? (size_t)(expected < room ? expected : room) : READ_STEP_BYTES;

    return mlr_buf_reserve(out, want < room ? want : room, err);
}

/* The size is only a hint: /proc says 0, and files grow. */
static int read_all(int fd, const char *path, uint64_t expected, mlr_buf *out, mlreg_error **err)
{
    uint64_t at = 0;
    int      rc;

    for (;;) {
        char    beyond;
        size_t  room;
        int64_t n;

        if (out->cap < out->len + 2 && (rc = make_room(out, at < expected ? expected - at : 0, err)) < 0)
            return rc;
        room = out->cap - 1 - out->len;
        room = room < out->max - out->len ? room : out->max - out->len;
        n = mlr_fs_read_at(fd, at, room > 0 ? out->data + out->len : &beyond, room > 0 ? room : 1, path, err);
        if (n <= 0)
            return (int)n;
        if (room == 0)
            return too_large(err, path, out->max);
        out->len += (size_t)n;
        out->data[out->len] = '\0';
        at += (uint64_t)n;
    }
}

int mlr_fs_read_file(const char *path, mlr_buf *out, mlreg_error **err)
{
    struct stat st;
    size_t      before = out->len;
    int         fd = -1, rc;

    if ((rc = open_regular(path, &fd, &st, err)) < 0)
        return rc;
    if ((uint64_t)st.st_size > out->max - out->len)
        rc = too_large(err, path, out->max);
    else if ((rc = make_room(out, (uint64_t)st.st_size + 1, err)) == 0)
        rc = read_all(fd, path, (uint64_t)st.st_size, out, err);
    if (rc < 0 && out->data != NULL) {
        out->len = before;
        out->data[before] = '\0';
    }
    mlr_fs_close(fd);
    return rc;
}

/* ---- writing ---- */

int mlr_fs_write_file(const char *path, const void *data, size_t len, unsigned mode, mlreg_error **err)
{
    mlr_temp t = MLR_TEMP_INIT;
    char    *dir = mlr_path_dir(path);
    int      rc;

    if (dir == NULL)
        return mlr_error_nomem(err);
    if ((rc = mlr_temp_open(&t, dir, mode, err)) == 0 && (rc = mlr_fs_write_at(t.fd, 0, data, len, path, err)) == 0)
        rc = mlr_temp_publish(&t, path, true, err);
    mlr_temp_done(&t);
    mlr_free(dir);
    return rc;
}

/* ---- cloning ---- */

/* What these file systems, or this pair of them, cannot do; the next way may. */
static bool is_unsupported(int errnum)
{
    return errnum == EOPNOTSUPP || errnum == ENOTTY || errnum == EXDEV || errnum == EINVAL || errnum == ENOSYS ||
           errnum == EPERM || errnum == ETXTBSY;
}

static int changed(mlreg_error **err, const char *name)
{
    return mlr_error_subject(err, mlr_error_set(err, MLREG_EIO, "%s changed while it was copied", name), name);
}

/* Copies inside the kernel as far as that goes: *done says how far. 0 too where it cannot. */
static int copy_ranges(int from, int to, uint64_t bytes, uint64_t *done, const char *name, mlreg_error **err)
{
    while (*done < bytes) {
        uint64_t left = bytes - *done;
        off_t    in = (off_t)*done, out = (off_t)*done;
        ssize_t  n = 0;
        int      errnum;

        MLR_FS_TRY(errnum, MLR_FS_WRITE, name,
                   n = copy_file_range(from, &in, to, &out, mlr_fs_length(left < RANGE_STEP_BYTES ? left : RANGE_STEP_BYTES), 0));
        if (is_unsupported(errnum) || (errnum == 0 && n == 0))   /* 0 also where a kernel cannot and does not say so */
            return 0;
        if (errnum != 0)
            return mlr_fs_failed(err, errnum, "copy", name);
        *done += (uint64_t)n;
    }
    return 0;
}

static int copy_bytes(int from, int to, uint64_t bytes, uint64_t done, const char *name, mlreg_error **err)
{
    char *block = done < bytes ? mlr_realloc_array(NULL, COPY_STEP_BYTES, 1) : NULL;
    int   rc = 0;

    if (done < bytes && block == NULL)
        return mlr_error_nomem(err);
    while (rc == 0 && done < bytes) {
        size_t  want = bytes - done < COPY_STEP_BYTES ? (size_t)(bytes - done) : COPY_STEP_BYTES;
        int64_t n = mlr_fs_read_at(from, done, block, want, name, err);

        if (n <= 0)
            rc = n < 0 ? (int)n : changed(err, name);
        else
            rc = mlr_fs_write_at(to, done, block, (size_t)n, name, err);
        done += n > 0 ? (uint64_t)n : 0;
    }
    mlr_free(block);
    return rc;
}

bool mlr_fs_reflink(int from, int to)
{
    return mlr_fs_fault(MLR_FS_WRITE, "reflink") == 0 && ioctl(to, FICLONE, from) == 0;
}

int mlr_fs_clone(int from, int to, uint64_t bytes, const char *name, mlreg_error **err)
{
    struct stat source, copy;
    uint64_t    done = 0;
    int         errnum, rc;

    MLR_FS_TRY(errnum, MLR_FS_WRITE, name, ioctl(to, FICLONE, from));
    if (errnum != 0 && !is_unsupported(errnum))
        return mlr_fs_failed(err, errnum, "clone", name);
    if (errnum != 0) {
        if ((rc = copy_ranges(from, to, bytes, &done, name, err)) < 0 ||
            (rc = copy_bytes(from, to, bytes, done, name, err)) < 0)
            return rc;
    }
    MLR_FS_TRY(errnum, MLR_FS_STAT, name, fstat(from, &source));
    if (errnum == 0)
        MLR_FS_TRY(errnum, MLR_FS_STAT, name, fstat(to, &copy));
    if (errnum != 0)
        return mlr_fs_failed(err, errnum, "look at", name);
    return (uint64_t)source.st_size == bytes && (uint64_t)copy.st_size == bytes ? 0 : changed(err, name);
}
