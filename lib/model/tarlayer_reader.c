/* model/tarlayer_reader.c - the bytes of a tar in the making, put together as they are asked for. */
#include "model/tarlayer_parts.h"

#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"

#define HEAD_MAX (4u << 20)

struct tar_reader {
    mlr_reader reader;
    char *name;
    mlr_tarlayer *tar;
    size_t i;                        /* the member that `head` and `file` belong to */
    mlr_buf head;                    /* its headers; empty: not made yet */
    mlr_reader *file;                /* its bytes, where they are a file's; NULL: not open */
    mlr_sha256 sum;                  /* of its bytes, where their digest is known… */
    uint64_t summed;                 /* …up to here */
};

static size_t at_most(size_t len, uint64_t most)
{
    return len < most ? len : (size_t)most;
}

/* The last member that begins at or before `offset`, which is in one. */
static size_t member_at(const mlr_tarlayer *t, uint64_t offset)
{
    size_t low = 0, high = t->n;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (t->items[middle].at <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void leave(struct tar_reader *r)
{
    mlr_reader_free(r->file);
    r->file = NULL;
    mlr_buf_clear(&r->head);
    r->summed = 0;
}

static const struct mlr_tar_item *enter(struct tar_reader *r, uint64_t offset)
{
    size_t i = member_at(r->tar, offset);

    if (i != r->i)
        leave(r);
    r->i = i;
    return &r->tar->items[i];
}

/* ---- a file's bytes ---- */

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int open_file(struct tar_reader *r, const struct mlr_tar_item *item, mlreg_error **err)
{
    struct stat now;
    int rc;

    if (r->file != NULL)
        return 0;
    if ((rc = mlr_reader_open_file(item->path, &r->file, err)) < 0 || (rc = mlr_fs_stat_fd(r->file->fd, item->path, &now, err)) < 0)
        return rc;
    if (is_same(&now, &item->seen))
        return 0;
    rc = mlr_error_set(err, MLREG_EIO, "%s changed since it was added", item->path);
    mlr_error_subject(err, rc, item->path);
    return mlr_error_hint(err, rc, "try again once nothing writes to it any more");
}

/* Bytes of a blob are believed once its last one was read. What is read again is in what the tar's own digest is of. */
static int check(struct tar_reader *r, const struct mlr_tar_item *item, uint64_t offset, const void *data, size_t len, mlreg_error **err)
{
    mlr_digest got;

    if (item->digest.text[0] == '\0' || offset != r->summed)
        return 0;
    if (r->summed == 0)
        mlr_sha256_init(&r->sum);
    mlr_sha256_update(&r->sum, data, len);
    if ((r->summed += len) < item->m.bytes)
        return 0;
    mlr_digest_final(&r->sum, &got);
    return mlr_digest_check(&got, &item->digest, item->bytes->name, err);
}

static int64_t read_data(struct tar_reader *r, const struct mlr_tar_item *item, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    int64_t n;
    int rc;

    if (item->bytes == NULL && (rc = open_file(r, item, err)) < 0)
        return rc;
    n = mlr_reader_read_at(item->bytes != NULL ? item->bytes : r->file, offset, buf, len, op, err);
    return n > 0 && (rc = check(r, item, offset, buf, (size_t)n, err)) < 0 ? rc : n;
}

/* ---- all bytes ---- */

static int64_t read_head(struct tar_reader *r, const struct mlr_tar_item *item, uint64_t offset, void *buf, size_t len, mlreg_error **err)
{
    int rc;

    if (r->head.len == 0 && (rc = mlr_tarhead_put(&item->m, item->at, mlr_tarlayer_aligned(r->tar, item), &r->head, err)) < 0)
        return rc;
    len = at_most(len, r->head.len - offset);
    memcpy(buf, r->head.data + offset, len);
    return (int64_t)len;
}

static int64_t zeros(void *buf, size_t len, uint64_t most)
{
    len = at_most(len, most);
    memset(buf, 0, len);
    return (int64_t)len;
}

static int64_t read_at(mlr_reader *reader, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    struct tar_reader *r = (struct tar_reader *)reader;
    const struct mlr_tar_item *item;
    uint64_t end;

    if (offset >= r->tar->end)
        return zeros(buf, len, reader->bytes - offset);
    item = enter(r, offset);
    end = item->data_at + item->m.bytes;
    if (offset < item->data_at)
        return read_head(r, item, offset - item->at, buf, len, err);
    if (offset < end)
        return read_data(r, item, offset - item->data_at, buf, at_most(len, end - offset), op, err);
    return zeros(buf, len, end + mlr_tarhead_fill(item->m.bytes) - offset);
}

static void release(mlr_reader *reader)
{
    struct tar_reader *r = (struct tar_reader *)reader;

    leave(r);
    mlr_buf_done(&r->head);
    mlr_free(r->name);
    mlr_free(r);
}

static const mlr_reader_ops tar_ops = { .read_at = read_at, .free = release };

int mlr_tarlayer_open(mlr_tarlayer *t, const char *name, mlr_reader **out, mlreg_error **err)
{
    struct tar_reader *r = mlr_alloc(sizeof *r);

    if (r == NULL || (r->name = mlr_strdup(name)) == NULL) {
        mlr_free(r);
        return mlr_error_nomem(err);
    }
    r->head = (mlr_buf)MLR_BUF_INIT(HEAD_MAX);
    r->tar = t;
    r->reader = (mlr_reader){ &tar_ops, mlr_tarlayer_bytes(t), -1, false, r->name };
    *out = &r->reader;
    return 0;
}
