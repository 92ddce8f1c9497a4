/* model/layer.c - one layer's bytes as a stream: in order and verified, or by range where something vouches for it. */
#include "model/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/work.h"
#include "model/counted.h"
#include "place/intake.h"

#define IN_MEMORY_BYTES (4u << 20) /* up to here a layer from afar is kept in memory, beyond in an unlinked file */

struct mlr_layer {
    uint64_t begin, bytes, position;   /* of the stream within the layer */
    mlr_digest digest;
    char *name;
    int fd;                            /* verified bytes on disk, or -1 */
    char *memory;                      /* verified bytes in memory, or NULL */
    mlr_reader *live;                  /* a reader for one at a time, or NULL: as it arrives, or of verified bytes elsewhere */
    bool is_busy;                      /* someone reads from it */
    pthread_mutex_t lock;              /* guards is_busy */
    pthread_cond_t freed;
    mlr_sha256 sum;                    /* of an unverified pass that began at 0 and never jumped … */
    uint64_t summed;                   /* … up to here; MLREG_NONE: it jumped */
    bool is_wrong;                     /* a whole pass had the wrong digest: nothing more is handed out before the next */
};

static int put_in_memory(void *user, uint64_t offset, const void *data, size_t len, mlreg_error **err)
{
    (void)err;
    memcpy((char *)user + offset, data, len);
    return 0;
}

static int put_in_file(void *user, uint64_t offset, const void *data, size_t len, mlreg_error **err)
{
    return mlr_fs_write_at(*(int *)user, offset, data, len, MLR_TEMP_SCRATCH, err);
}

static int take_in(mlr_layer *l, mlr_runtime *rt, mlr_reader *r, mlr_op *op, mlr_digest *got, mlreg_error **err)
{
    int rc;

    if (r->bytes <= IN_MEMORY_BYTES) {
        if ((l->memory = mlr_alloc(r->bytes + 1)) == NULL)
            return mlr_error_nomem(err);
        return mlr_intake(rt, r, put_in_memory, l->memory, op, got, err);
    }
    if ((rc = mlr_temp_scratch(r->bytes, &l->fd, err)) < 0)
        return rc;
    return mlr_intake(rt, r, put_in_file, &l->fd, op, got, err);
}

static int take_and_check(mlr_layer *l, mlr_place *p, mlr_reader *r, mlr_op *op, mlreg_error **err)
{
    mlr_digest got;
    int rc = take_in(l, p->rt, r, op, &got, err);

    return rc < 0 ? rc : mlr_error_at(err, mlr_digest_check(&got, &l->digest, l->name, err), p->name);
}

static void drop(mlr_layer *l)
{
    mlr_fs_close(l->fd);
    mlr_free(l->memory);
    l->fd = -1;
    l->memory = NULL;
}

/* Brings the whole layer here and checks it, before anyone reads a byte. Takes the reader. */
static int bring(mlr_layer *l, mlr_place *p, const mlr_blob *b, mlr_reader **r, mlr_op *op, mlreg_error **err)
{
    mlr_reader *counted = NULL;
    mlreg_error *why = NULL;
    uint64_t from_ms = mlr_clock_ms();
    int rc = mlr_counted_new(*r, p->name, &counted, err);

    if (rc < 0)
        return rc;
    *r = NULL;
    mlr_op_count(op, MLR_N_BLOBS_TOTAL, 1);
    mlr_op_count(op, MLR_N_BYTES_TOTAL, (int64_t)counted->bytes);
    do {
        drop(l);
        if (counted != NULL || (rc = mlr_counted_open(p, b, op, &counted, &why)) == 0)
            rc = take_and_check(l, p, counted, op, &why);
    } while (mlr_counted_again(p, b, rc, &counted, op, &why));
    if (rc == 0)
        mlr_op_blob_done(op, l->name, b->bytes, from_ms);
    mlr_error_move(err, &why);
    mlr_reader_free(counted);
    return rc;
}

static int fail_range(const char *name, uint64_t bytes, uint64_t offset, mlreg_error **err)
{
    return mlr_error_set(err, MLREG_EINVAL, "%s has %llu bytes: a range from %llu on goes past its end", name, (unsigned long long)bytes, (unsigned long long)offset);
}

static int set_range(mlr_layer *l, const mlr_blob *b, const mlr_layer_open *o, mlreg_error **err)
{
    if (o->offset > b->bytes || o->bytes > b->bytes - o->offset)
        return fail_range(b->digest.text, b->bytes, o->offset, err);
    l->begin = o->offset;
    l->bytes = o->bytes != 0 ? o->bytes : b->bytes - o->offset;
    l->digest = b->digest;
    l->name = mlr_strdup(b->digest.text);
    return l->name == NULL ? mlr_error_nomem(err) : 0;
}

static int take_reader(mlr_layer *l, mlr_place *p, const mlr_blob *b, mlr_reader **r, const mlr_layer_open *o, mlr_op *op, mlreg_error **err)
{
    if ((*r)->trusted && (*r)->fd >= 0) {
        l->fd = fcntl((*r)->fd, F_DUPFD_CLOEXEC, 0);
        return l->fd < 0 ? mlr_error_errno(err, errno, "%s", l->name) : 0;
    }
    if ((*r)->trusted || o->unverified) {
        l->live = *r;
        *r = NULL;
        return 0;
    }
    return bring(l, p, b, r, op, err);
}

int mlr_layer_open_at(mlr_place *p, const mlr_blob *b, const mlr_layer_open *o, mlr_op *op, mlr_layer **out, mlreg_error **err)
{
    mlr_layer *l = mlr_alloc(sizeof *l);
    mlr_reader *r = NULL;
    int rc;

    if (l == NULL)
        return mlr_error_nomem(err);
    l->fd = -1;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->freed, NULL);
    if ((rc = set_range(l, b, o, err)) == 0 && (rc = mlr_place_blob_open(p, b, op, &r, err)) == 0)
        rc = take_reader(l, p, b, &r, o, op, err);
    mlr_reader_free(r);
    if (rc < 0)
        mlr_layer_free(l);
    else
        *out = l;
    return rc;
}

/* ---- reading ---- */

/* Waits for its turn, answering cancels and progress meanwhile. */
static int take_turn(mlr_layer *l, mlr_op *op, mlreg_error **err)
{
    int rc = 0;

    pthread_mutex_lock(&l->lock);
    while (l->is_busy && rc == 0)
        rc = mlr_work_wait(&l->freed, &l->lock, op, err);
    if (rc == 0)
        l->is_busy = true;
    pthread_mutex_unlock(&l->lock);
    return rc;
}

static void give_turn(mlr_layer *l)
{
    pthread_mutex_lock(&l->lock);
    l->is_busy = false;
    pthread_cond_broadcast(&l->freed);
    pthread_mutex_unlock(&l->lock);
}

static int64_t read_live(mlr_layer *l, uint64_t at, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    int64_t n = take_turn(l, op, err);

    if (n < 0)
        return n;
    n = mlr_reader_read_at(l->live, at, buf, len, op, err);
    give_turn(l);
    return n;
}

/* The stored file was checked when it came; that it is shorter now is somebody's doing, and no end of the layer. */
static int64_t read_file(mlr_layer *l, uint64_t at, void *buf, size_t len, mlreg_error **err)
{
    int64_t n = mlr_fs_read_at(l->fd, at, buf, len, l->name, err);

    if (n >= 0 && (uint64_t)n < len) {
        int rc = mlr_error_set(err, MLREG_EIO, "%s has lost its end, from byte %llu on", l->name, (unsigned long long)at + (unsigned long long)n);

        return mlr_error_hint(err, rc, "the stored file was changed: fsck finds such, and a new copy brings it back");
    }
    return n;
}

int64_t mlr_layer_read_at(mlr_layer *l, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_op_check(op, err);

    if (rc < 0)
        return rc;
    if (offset >= l->bytes || len == 0)
        return 0;
    if (len > l->bytes - offset)
        len = (size_t)(l->bytes - offset);
    offset += l->begin;
    if (l->live != NULL)
        return read_live(l, offset, buf, len, op, err);
    if (l->memory == NULL)
        return read_file(l, offset, buf, len, err);
    memcpy(buf, l->memory + offset, len);
    return (int64_t)len;
}

/* ---- in order ---- */

static int say_wrong(mlr_layer *l, mlreg_error **err)
{
    return mlr_error_set(err, MLREG_EDIGEST, "%s did not arrive as it is named; begin again at its start", l->name);
}

/* Of a pass over all that arrives unverified, the last bytes are handed out only if the whole has its digest. */
static int sum_up(mlr_layer *l, const void *buf, size_t len, mlreg_error **err)
{
    mlr_digest got;
    int rc;

    if (l->position == 0) {
        mlr_sha256_init(&l->sum);
        l->summed = 0;
    }
    if (l->summed != l->position) {
        l->summed = MLREG_NONE;
        return 0;
    }
    mlr_sha256_update(&l->sum, buf, len);
    l->summed += len;
    if (l->summed < l->live->bytes)
        return 0;
    mlr_digest_final(&l->sum, &got);
    l->summed = MLREG_NONE;
    rc = mlr_digest_check(&got, &l->digest, l->name, err);
    l->is_wrong = rc < 0;
    return rc;
}

int64_t mlr_layer_read(mlr_layer *l, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    bool is_whole = l->live != NULL && !l->live->trusted && l->begin == 0;
    int64_t n;
    int rc;

    if (l->position == 0)
        l->is_wrong = false;
    if (l->is_wrong)
        return say_wrong(l, err);
    if ((n = mlr_layer_read_at(l, l->position, buf, len, op, err)) <= 0)
        return n;
    if (is_whole && (rc = sum_up(l, buf, (size_t)n, err)) < 0)
        return rc;
    l->position += (uint64_t)n;
    return n;
}

int mlr_layer_seek(mlr_layer *l, uint64_t offset, mlreg_error **err)
{
    if (offset > l->bytes)
        return mlr_error_set(err, MLREG_EINVAL, "offset %llu is past the stream's end at %llu", (unsigned long long)offset, (unsigned long long)l->bytes);
    l->position = offset;
    return 0;
}

int mlr_layer_narrow(mlr_layer *l, uint64_t offset, uint64_t bytes, mlreg_error **err)
{
    if (offset > l->bytes || bytes > l->bytes - offset)
        return fail_range(l->name, l->bytes, offset, err);
    l->begin += offset;
    l->bytes = bytes;
    return 0;
}

uint64_t mlr_layer_begin(const mlr_layer *l)
{
    return l->begin;
}

uint64_t mlr_layer_bytes(const mlr_layer *l)
{
    return l->bytes;
}

void mlr_layer_free(mlr_layer *l)
{
    if (l == NULL)
        return;
    mlr_reader_free(l->live);
    mlr_fs_close(l->fd);
    mlr_free(l->memory);
    mlr_free(l->name);
    pthread_cond_destroy(&l->freed);
    pthread_mutex_destroy(&l->lock);
    mlr_free(l);
}

int mlr_layer_fd(mlr_place *p, const mlr_blob *b, mlr_op *op, int *fd, mlreg_error **err)
{
    mlr_reader *r = NULL;
    int rc = mlr_place_blob_open(p, b, op, &r, err);

    if (rc < 0)
        return rc;
    if (!r->trusted || r->fd < 0) {
        rc = mlr_error_set(err, MLREG_ENOTSUP, "%s is no plain file in %s", b->digest.text, p->name);
        mlr_error_hint(err, rc, "copy the artifact into a store first");
    } else if ((*fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 0)) < 0) {
        rc = mlr_error_errno(err, errno, "%s", b->digest.text);
    }
    mlr_reader_free(r);
    return rc;
}
