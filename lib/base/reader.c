/* base/reader.c - bytes of known length that can be read again from any offset: files and memory. */
#include "base/reader.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"

/* What is asked of a kind at once, so that a cancel is noticed within a long read. */
#define PIECE_MAX_BYTES ((size_t)4 << 20)

static size_t at_most(size_t len, uint64_t most)
{
    return len < most ? len : (size_t)most;
}

int64_t mlr_reader_read_at(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    size_t got = 0;
    int64_t n;
    int rc;

    if (offset >= r->bytes)
        return 0;
    len = at_most(len, r->bytes - offset);
    while (got < len) {
        if ((rc = mlr_op_check(op, err)) < 0)
            return rc;
        n = r->ops->read_at(r, offset + got, (char *)buf + got, at_most(len - got, PIECE_MAX_BYTES), op, err);
        if (n < 0)
            return n;
        if (n == 0) {
            rc = mlr_error_set(err, MLREG_EIO, "%s changed while it was read: it ends at byte %llu, not at %llu", r->name,
                    (unsigned long long)(offset + got), (unsigned long long)r->bytes);
            return mlr_error_subject(err, rc, r->name);
        }
        assert((uint64_t)n <= len - got);
        got += (size_t)n;
    }
    return (int64_t)got;
}

void mlr_reader_free(mlr_reader *r)
{
    if (r != NULL)
        r->ops->free(r);
}

/* ---- bytes that are far away ---- */

bool mlr_reader_has_twins(const mlr_reader *r)
{
    return r->ops->twin != NULL;
}

int mlr_reader_twin(mlr_reader *r, mlr_reader **out, mlreg_error **err)
{
    if (r->ops->twin == NULL)
        return mlr_error_set(err, MLREG_ENOTSUP, "%s is read in one piece", r->name);
    return r->ops->twin(r, out, err);
}

void mlr_reader_until(mlr_reader *r, uint64_t end)
{
    if (r->ops->until != NULL)
        r->ops->until(r, end);
}

void mlr_reader_had(mlr_reader *r, uint64_t bytes, mlr_op *op)
{
    if (r->ops->had != NULL)
        r->ops->had(r, bytes, op);
}

/* ---- a file ---- */

struct file_reader {
    mlr_reader reader;
    char *name;
    struct stat seen;            /* at opening */
};

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* The ctime of stored blobs says nothing: it moves whenever another repository links to one. */
static bool is_same_file(const struct stat *a, const struct stat *b, bool trusted)
{
    return a->st_size == b->st_size && a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
           is_same_time(&a->st_mtim, &b->st_mtim) && (trusted || is_same_time(&a->st_ctim, &b->st_ctim));
}

static int check_same(mlr_reader *r, mlreg_error **err)
{
    const struct file_reader *f = (const struct file_reader *)r;
    struct stat now;
    int rc;

    if ((rc = mlr_fs_stat_fd(r->fd, r->name, &now, err)) < 0 || is_same_file(&f->seen, &now, r->trusted))
        return rc;
    rc = mlr_error_set(err, MLREG_EIO, "%s changed while it was read", r->name);
    (void)mlr_error_hint(err, rc, "try again once nothing writes to it any more");
    return mlr_error_subject(err, rc, r->name);
}

/* Whoever reads to the end has bytes that belong together. */
static int64_t file_read_at(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    int64_t n = mlr_fs_read_at(r->fd, offset, buf, len, r->name, err);
    int rc = 0;

    (void)op;
    if (n > 0 && offset + (uint64_t)n == r->bytes)
        rc = check_same(r, err);
    return rc < 0 ? rc : n;
}

static void file_free(mlr_reader *r)
{
    struct file_reader *f = (struct file_reader *)r;

    mlr_fs_close(r->fd);
    mlr_free(f->name);
    mlr_free(f);
}

static const mlr_reader_ops file_ops = { .read_at = file_read_at, .free = file_free, .unchanged = check_same };

int mlr_reader_unchanged(mlr_reader *r, mlreg_error **err)
{
    return r->ops->unchanged != NULL ? r->ops->unchanged(r, err) : 0;
}

static const char *kind_of(mode_t mode)
{
    if (S_ISDIR(mode))
        return "a directory";
    if (S_ISFIFO(mode))
        return "a FIFO";
    if (S_ISSOCK(mode))
        return "a socket";
    return "a device";
}

static int check_regular(const struct stat *st, const char *name, mlreg_error **err)
{
    int rc;

    if (S_ISREG(st->st_mode))
        return 0;
    rc = mlr_error_set(err, MLREG_EINVAL, "%s is %s, not a regular file", name, kind_of(st->st_mode));
    (void)mlr_error_hint(err, rc, "copy what it holds into a file first, or give the library a source");
    return mlr_error_subject(err, rc, name);
}

int mlr_reader_from_fd(int fd, const char *name, bool trusted, mlr_reader **out, mlreg_error **err)
{
    struct file_reader *f = NULL;
    struct stat st;
    int rc;

    if ((rc = mlr_fs_stat_fd(fd, name, &st, err)) < 0 || (rc = check_regular(&st, name, err)) < 0)
        return rc;
    if ((f = mlr_alloc(sizeof *f)) == NULL || (f->name = mlr_strdup(name)) == NULL) {
        mlr_free(f);
        return mlr_error_nomem(err);
    }
    f->seen = st;
    f->reader = (mlr_reader){ &file_ops, (uint64_t)st.st_size, fd, trusted, f->name };
    *out = &f->reader;
    return 0;
}

int mlr_reader_open_file(const char *path, mlr_reader **out, mlreg_error **err)
{
    int fd, rc;

    /* Neither a FIFO without a writer may hold us up, nor a terminal become ours. */
    if ((rc = mlr_fs_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd, err)) < 0)
        return rc;
    if ((rc = mlr_reader_from_fd(fd, path, false, out, err)) < 0)
        mlr_fs_close(fd);
    return rc;
}

/* ---- memory ---- */

struct memory_reader {
    mlr_reader reader;
    const char *data;
    char *name;
};

static int64_t memory_read_at(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    (void)op;
    (void)err;
    memcpy(buf, ((struct memory_reader *)r)->data + offset, len);
    return (int64_t)len;
}

static void memory_free(mlr_reader *r)
{
    mlr_free(((struct memory_reader *)r)->name);
    mlr_free(r);
}

static const mlr_reader_ops memory_ops = { .read_at = memory_read_at, .free = memory_free };

int mlr_reader_from_memory(const void *data, size_t len, const char *name, mlr_reader **out, mlreg_error **err)
{
    struct memory_reader *m = mlr_alloc(sizeof *m);

    if (m == NULL || (m->name = mlr_strdup(name)) == NULL) {
        mlr_free(m);
        return mlr_error_nomem(err);
    }
    m->data = data;
    m->reader = (mlr_reader){ &memory_ops, len, -1, false, m->name };
    *out = &m->reader;
    return 0;
}
