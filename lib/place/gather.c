/* place/gather.c - small blobs on a place's disk: synced and published many at a time. */
#include "place/gather.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/work.h"
#include "place/claims.h"
#include "place/disk.h"
#include "place/repoblobs.h"

#define MOST 64                  /* that wait at once: each keeps a descriptor */

struct waiting {
    char      *repo;
    mlr_digest digest;
    uint64_t   bytes;
    mlr_temp   temp;
};
struct batch {
    struct waiting blobs[MOST];
    size_t         n;
    uint64_t       number;       /* in turn as they were made */
    struct batch  *next;
};
struct mlr_gather {
    mlr_disk       *disk;
    pid_t           owner;       /* a forked child must leave the files, and the claims, to its parent */
    pthread_mutex_t lock;        /* guards all below */
    pthread_cond_t  landed;
    unsigned        depth;
    uint64_t        n_made;      /* batches */
    struct batch   *waiting;     /* the first of them is filled as far as it has room */
    struct batch   *flying;      /* somebody publishes them */
    int             fd;          /* of the directory, opened before any of the files: what syncs them all. -1: not yet */
};

int mlr_gather_new(mlr_disk *disk, mlr_gather **out, mlreg_error **err)
{
    mlr_gather *g = mlr_alloc(sizeof *g);

    if (g == NULL)
        return mlr_error_nomem(err);
    g->disk = disk;
    g->owner = getpid();
    g->fd = -1;
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->landed, NULL);
    *out = g;
    return 0;
}

static void give_claim(const mlr_gather *g, const mlr_digest *d)
{
    if (g->disk->claims != NULL)
        mlr_claims_give(g->disk->claims, d);
}

static void forget_name(mlr_temp *t)
{
    mlr_free(t->path);
    t->path = NULL;
}

static void drop(const mlr_gather *g, struct batch *b)
{
    bool is_ours = g->owner == getpid();

    for (size_t i = 0; i < b->n; i++) {
        if (is_ours)
            give_claim(g, &b->blobs[i].digest);
        else
            forget_name(&b->blobs[i].temp);
        mlr_temp_done(&b->blobs[i].temp);
        mlr_free(b->blobs[i].repo);
    }
    mlr_free(b);
}

/* The first one of a list that is not newer than that; NULL: there is none. */
static struct batch *take(struct batch **list, uint64_t number)
{
    struct batch *b;

    while ((b = *list) != NULL && b->number > number)
        list = &b->next;
    if (b != NULL)
        *list = b->next;
    return b;
}

static void put(struct batch **list, struct batch *b)
{
    b->next = *list;
    *list = b;
}

static void drop_all(mlr_gather *g)
{
    struct batch *b;

    while ((b = take(&g->waiting, UINT64_MAX)) != NULL)
        drop(g, b);
}

void mlr_gather_free(mlr_gather *g)
{
    if (g == NULL)
        return;
    drop_all(g);
    mlr_fs_close(g->fd);
    pthread_cond_destroy(&g->landed);
    pthread_mutex_destroy(&g->lock);
    mlr_free(g);
}

/* ---- publishing ---- */

static int sync_all(const mlr_gather *g, const struct batch *b, mlr_op *op, mlreg_error **err)
{
    uint64_t    from_us = mlr_clock_us();
    int         fds[MOST], rc;
    const char *names[MOST];
    size_t      n = 0;

    for (size_t i = 0; i < b->n; i++)
        if (b->blobs[i].temp.fd >= 0) {
            fds[n] = b->blobs[i].temp.fd;
            names[n++] = b->blobs[i].digest.text;
        }
    rc = mlr_fs_sync_many(g->fd, fds, names, n, err);
    mlr_op_spent(op, MLR_N_US_SYNCED, from_us);
    return rc;
}

/* All from `i` on that go into the same repository. */
static int publish_for(const mlr_gather *g, struct batch *b, size_t i, mlr_op *op, mlreg_error **err)
{
    mlr_repoblobs_whole whole[MOST];
    mlr_repodir         r;
    size_t              n = 0;
    int                 rc = g->disk->repository(g->disk, b->blobs[i].repo, &r, err);

    if (rc < 0)
        return rc;
    for (size_t k = i; k < b->n; k++)
        if (b->blobs[k].temp.fd >= 0 && strcmp(b->blobs[k].repo, b->blobs[i].repo) == 0)
            whole[n++] = (mlr_repoblobs_whole){ &b->blobs[k].digest, b->blobs[k].bytes, &b->blobs[k].temp };
    rc = mlr_repoblobs_publish(&r, whole, n, op, err);
    mlr_repodir_done(&r);
    for (size_t k = 0; rc == 0 && k < n; k++)
        mlr_temp_done(whole[k].temp);
    return rc;
}

static int publish_batch(const mlr_gather *g, struct batch *b, mlr_op *op, mlreg_error **err)
{
    int rc = sync_all(g, b, op, err);

    for (size_t i = 0; rc == 0 && i < b->n; i++)
        if (b->blobs[i].temp.fd >= 0)
            rc = publish_for(g, b, i, op, err);
    return rc;
}

/* Takes the batch. With the lock, which it lets go of meanwhile. A cancel is this caller's alone: others' blobs may be among these. */
static int publish(mlr_gather *g, struct batch *b, mlr_op *op, mlreg_error **err)
{
    struct batch **at = &g->flying;
    int            rc;

    put(&g->flying, b);
    pthread_mutex_unlock(&g->lock);
    rc = publish_batch(g, b, op, err);
    pthread_mutex_lock(&g->lock);
    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
    if (rc == MLREG_ECANCELLED && g->depth > 0)
        put(&g->waiting, b);
    else
        drop(g, b);
    pthread_cond_broadcast(&g->landed);
    return rc;
}

/* ---- waiting ---- */

int mlr_gather_begin(mlr_gather *g, mlreg_error **err)
{
    int rc = 0;

    pthread_mutex_lock(&g->lock);
    if (g->fd < 0)
        rc = mlr_fs_openat(g->disk->top, ".", O_RDONLY | O_DIRECTORY, 0, &g->fd, err);
    g->depth += rc == 0;
    pthread_mutex_unlock(&g->lock);
    return rc;
}

static bool is_any_flying(const mlr_gather *g, uint64_t number)
{
    const struct batch *b = g->flying;

    while (b != NULL && b->number > number)
        b = b->next;
    return b != NULL;
}

/* What others publish at this moment may be this caller's too. */
static int publish_all(mlr_gather *g, bool is_end, mlr_op *op, mlreg_error **err)
{
    struct batch *b;
    uint64_t      last;
    int           rc = 0;

    pthread_mutex_lock(&g->lock);
    g->depth -= is_end;
    last = g->n_made;
    while (rc == 0)
        if ((b = take(&g->waiting, last)) != NULL)
            rc = publish(g, b, op, err);
        else if (is_any_flying(g, last))
            rc = mlr_work_wait(&g->landed, &g->lock, op, err);
        else
            break;
    if (g->depth == 0)
        drop_all(g);
    pthread_mutex_unlock(&g->lock);
    return rc;
}

int mlr_gather_end(mlr_gather *g, mlr_op *op, mlreg_error **err)
{
    return publish_all(g, true, op, err);
}

int mlr_gather_flush(mlr_gather *g, mlr_op *op, mlreg_error **err)
{
    return g != NULL ? publish_all(g, false, op, err) : 0;
}

bool mlr_gather_wants(mlr_gather *g, uint64_t bytes)
{
    bool wants;

    if (g == NULL || bytes > MLR_GATHER_MOST_BYTES)
        return false;
    pthread_mutex_lock(&g->lock);
    wants = g->depth > 0;
    pthread_mutex_unlock(&g->lock);
    return wants;
}

/* One with room. NULL: out of memory. */
static struct batch *filling(mlr_gather *g)
{
    struct batch *b = g->waiting;

    if (b != NULL && b->n < MOST)
        return b;
    if ((b = mlr_alloc(sizeof *b)) != NULL) {
        b->number = ++g->n_made;
        put(&g->waiting, b);
    }
    return b;
}

int mlr_gather_add(mlr_gather *g, const char *repo, const mlr_digest *d, uint64_t bytes, mlr_temp *t, mlr_op *op, mlreg_error **err)
{
    char         *name = mlr_strdup(repo);
    struct batch *b;
    int           rc = 0;

    pthread_mutex_lock(&g->lock);
    if (name == NULL || (b = filling(g)) == NULL) {
        rc = mlr_error_nomem(err);
        mlr_free(name);
        give_claim(g, d);
    } else {
        b->blobs[b->n++] = (struct waiting){ name, *d, bytes, *t };
        *t = (mlr_temp)MLR_TEMP_INIT;
        if (b->n == MOST)
            rc = publish(g, take(&g->waiting, b->number), op, err);
    }
    pthread_mutex_unlock(&g->lock);
    return rc;
}
