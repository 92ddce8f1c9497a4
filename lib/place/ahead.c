/* place/ahead.c - the digests of large files, found by hashing many of them side by side while they are already being sent. */
#include "place/ahead.h"

#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/work.h"

#define LANES      MLR_SHA256_SIDE_BY_SIDE
#define LANE_BYTES ((size_t)256 << 10)        /* read at once of each file: all lanes stay in the cache */
#define THREADS_PER_HASHER 4                  /* the others of a call send what is hashed */

enum state { WAITING, DONE, NEVER };

struct file {
    enum state state;
    struct stat seen;            /* while it was hashed */
    mlr_digest digest;
};

struct mlr_ahead {
    mlr_runtime *rt;
    const char *const *paths;
    size_t n;
    uint64_t least;
    mlr_digests *known;
    mlr_group *group;
    pthread_mutex_t lock;        /* guards the rest */
    pthread_cond_t changed;
    size_t next;                 /* path that nobody has begun */
    struct file *files;
};

/* One file being hashed. */
struct lane {
    size_t i;
    mlr_reader *reader;          /* NULL: free */
    uint64_t at;
    struct stat seen;
    mlr_sha256 hash;
    uint8_t *data;
    size_t len;
};

struct lanes {
    struct lane at[LANES];
    uint8_t *room;
};

static void settle(mlr_ahead *a, size_t i, enum state state, const struct stat *seen, const mlr_digest *digest)
{
    pthread_mutex_lock(&a->lock);
    a->files[i].state = state;
    if (state == DONE) {
        a->files[i].seen = *seen;
        a->files[i].digest = *digest;
    }
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

static bool next_path(mlr_ahead *a, size_t *i)
{
    bool more;

    pthread_mutex_lock(&a->lock);
    if ((more = a->next < a->n))
        *i = a->next++;
    pthread_mutex_unlock(&a->lock);
    return more;
}

/* False: there is nothing to hash here. */
static bool open_lane(mlr_ahead *a, size_t i, struct lane *l)
{
    mlr_digest digest;

    if (a->paths[i] == NULL || mlr_reader_open_file(a->paths[i], &l->reader, NULL) < 0)
        return false;
    l->i = i;
    l->at = 0;
    mlr_sha256_init(&l->hash);
    if (l->reader->bytes >= a->least && !mlr_digests_find(a->known, l->reader, &digest) &&
        mlr_fs_stat_fd(l->reader->fd, l->reader->name, &l->seen, NULL) == 0)
        return true;
    mlr_reader_free(l->reader);
    l->reader = NULL;
    return false;
}

static void fill_lane(mlr_ahead *a, struct lane *l)
{
    size_t i;

    while (l->reader == NULL && next_path(a, &i))
        if (!open_lane(a, i, l))
            settle(a, i, NEVER, NULL, NULL);
}

static void close_lane(mlr_ahead *a, struct lane *l, bool whole)
{
    mlr_digest digest;

    whole = whole && mlr_reader_unchanged(l->reader, NULL) == 0;
    if (whole)
        mlr_digest_final(&l->hash, &digest);
    settle(a, l->i, whole ? DONE : NEVER, &l->seen, &digest);
    mlr_reader_free(l->reader);
    l->reader = NULL;
}

static int read_lane(mlr_ahead *a, struct lane *l, mlr_op *op, mlreg_error **err)
{
    mlreg_error *why = NULL;
    int64_t n = mlr_reader_read_at(l->reader, l->at, l->data, LANE_BYTES, op, &why);

    l->len = n > 0 ? (size_t)n : 0;
    if (n == MLREG_ECANCELLED) {
        mlr_error_move(err, &why);
        return MLREG_ECANCELLED;
    }
    mlr_error_done(why);
    if (n < 0)
        close_lane(a, l, false);             /* whoever sends it will say why it cannot be read */
    return 0;
}

/* One piece of every file. 1; 0: there are no more. */
static int turn(mlr_ahead *a, struct lanes *all, mlr_op *op, mlreg_error **err)
{
    mlr_sha256 *states[LANES];
    const void *data[LANES];
    size_t len[LANES], n = 0;
    uint64_t from_us;
    int rc;

    for (struct lane *l = all->at; l < all->at + LANES; l++) {
        fill_lane(a, l);
        if (l->reader == NULL)
            continue;
        if ((rc = read_lane(a, l, op, err)) < 0)
            return rc;
        if (l->reader == NULL)
            continue;
        states[n] = &l->hash;
        data[n] = l->data;
        len[n++] = l->len;
    }
    from_us = mlr_clock_us();
    mlr_sha256_update_many(states, data, len, n);
    mlr_op_spent(op, MLR_N_US_HASHED, from_us);
    for (struct lane *l = all->at; l < all->at + LANES; l++)
        if (l->reader != NULL && (l->at += l->len) == l->reader->bytes)
            close_lane(a, l, true);
    return n > 0;
}

static int hash_all(void *arg, mlr_op *op, mlreg_error **err)
{
    mlr_ahead *a = arg;
    struct lanes all = { .room = mlr_realloc_array(NULL, LANES, LANE_BYTES) };
    int rc = all.room != NULL ? 1 : mlr_error_nomem(err);

    for (size_t i = 0; i < LANES && rc == 1; i++)
        all.at[i].data = all.room + i * LANE_BYTES;
    while (rc == 1 && (rc = mlr_op_check(op, err)) == 0)
        rc = turn(a, &all, op, err);
    for (size_t i = 0; i < LANES; i++)
        if (all.at[i].reader != NULL)
            close_lane(a, &all.at[i], false);
    mlr_free(all.room);
    return rc;
}

/* Nobody waits for ever, whatever became of the threads. */
static int hash_until_the_end(void *arg, mlr_op *op, mlreg_error **err)
{
    mlr_ahead *a = arg;
    int rc = hash_all(a, op, err);
    size_t i;

    while (rc < 0 && next_path(a, &i))
        settle(a, i, NEVER, NULL, NULL);
    return rc;
}

int mlr_ahead_new(mlr_runtime *rt, mlr_op *op, const char *const *paths, size_t n, uint64_t least, mlr_digests *known, mlr_ahead **out,
        mlreg_error **err)
{
    uint32_t threads = mlr_runtime_limits(rt)->threads;
    unsigned width = threads == (uint32_t)MLREG_NONE ? 0 : threads < THREADS_PER_HASHER ? 1 : threads / THREADS_PER_HASHER;
    mlr_ahead *a = mlr_alloc(sizeof *a);
    int rc;

    *out = NULL;
    if (a == NULL || (a->files = mlr_alloc_array(n, sizeof *a->files)) == NULL) {
        mlr_free(a);
        return mlr_error_nomem(err);
    }
    a->rt = rt;
    a->paths = paths;
    a->n = n;
    a->least = least;
    a->known = known;
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->changed, NULL);
    rc = mlr_group_new(rt, op, width, &a->group, err);
    for (unsigned i = 0; rc == 0 && i < width; i++)
        rc = mlr_group_add(a->group, hash_until_the_end, a, err);
    if (rc == 0 && mlr_group_threads(a->group) > 0)
        *out = a;
    else
        mlr_ahead_free(a);
    return rc;
}

void mlr_ahead_free(mlr_ahead *a)
{
    if (a == NULL)
        return;
    mlr_group_free(a->group);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    mlr_free(a->files);
    mlr_free(a);
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_same_file(const struct stat *seen, const mlr_reader *r)
{
    struct stat now;

    return r->fd >= 0 && mlr_fs_stat_fd(r->fd, r->name, &now, NULL) == 0 && now.st_dev == seen->st_dev && now.st_ino == seen->st_ino &&
           now.st_size == seen->st_size && is_same_time(&now.st_mtim, &seen->st_mtim) && is_same_time(&now.st_ctim, &seen->st_ctim);
}

int mlr_ahead_digest(const mlr_ahead_file *f, const mlr_reader *r, bool wait, mlr_op *op, mlr_digest *out, mlreg_error **err)
{
    mlr_ahead *a = f->of;
    struct file file;
    int rc = 0;

    pthread_mutex_lock(&a->lock);
    while (rc == 0 && wait && a->files[f->i].state == WAITING)
        rc = mlr_work_wait(&a->changed, &a->lock, op, err);
    file = a->files[f->i];
    pthread_mutex_unlock(&a->lock);
    if (rc < 0 || file.state != DONE || !is_same_file(&file.seen, r))
        return rc;
    *out = file.digest;
    return 1;
}
