/* place/gather.c - small blobs on a place's disk: synced and published many at a time. */
#include "place/gather.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
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
};
struct mlr_gather {
    mlr_disk       *disk;
    pthread_mutex_t lock;        /* guards the next two */
    unsigned        depth;
    struct batch   *now;
    int             fd;          /* of the directory, opened before any of the files: what syncs them all. -1: not yet */
};

int mlr_gather_new(mlr_disk *disk, mlr_gather **out, mlreg_error **err)
{
    mlr_gather *g = mlr_alloc(sizeof *g);

    if (g == NULL)
        return mlr_error_nomem(err);
    g->disk = disk;
    g->fd = -1;
    pthread_mutex_init(&g->lock, NULL);
    *out = g;
    return 0;
}

static void give_claim(const mlr_gather *g, const mlr_digest *d)
{
    if (g->disk->claims != NULL)
        mlr_claims_give(g->disk->claims, d);
}

static void drop(const mlr_gather *g, struct batch *b)
{
    for (size_t i = 0; b != NULL && i < b->n; i++) {
        give_claim(g, &b->blobs[i].digest);
        mlr_temp_done(&b->blobs[i].temp);
        mlr_free(b->blobs[i].repo);
    }
    mlr_free(b);
}

void mlr_gather_free(mlr_gather *g)
{
    if (g == NULL)
        return;
    drop(g, g->now);
    mlr_fs_close(g->fd);
    pthread_mutex_destroy(&g->lock);
    mlr_free(g);
}

/* ---- publishing ---- */

static int sync_all(const mlr_gather *g, const struct batch *b, mlr_op *op, mlreg_error **err)
{
    uint64_t    from_us = mlr_clock_us();
    int         fds[MOST], rc;
    const char *names[MOST];

    for (size_t i = 0; i < b->n; i++) {
        fds[i] = b->blobs[i].temp.fd;
        names[i] = b->blobs[i].digest.text;
    }
    rc = mlr_fs_sync_many(g->fd, fds, names, b->n, err);
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
    for (size_t k = 0; k < n; k++)
        mlr_temp_done(whole[k].temp);
    return rc;
}

/* Takes the batch. */
static int publish(const mlr_gather *g, struct batch *b, mlr_op *op, mlreg_error **err)
{
    int rc = b != NULL ? sync_all(g, b, op, err) : 0;

    for (size_t i = 0; rc == 0 && b != NULL && i < b->n; i++)
        if (b->blobs[i].temp.fd >= 0)
            rc = publish_for(g, b, i, op, err);
    drop(g, b);
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

static struct batch *take(mlr_gather *g)
{
    struct batch *b = g->now;

    g->now = NULL;
    return b;
}

static int publish_all(mlr_gather *g, bool is_end, mlr_op *op, mlreg_error **err)
{
    struct batch *b;

    pthread_mutex_lock(&g->lock);
    g->depth -= is_end;
    b = take(g);
    pthread_mutex_unlock(&g->lock);
    return publish(g, b, op, err);
}

int mlr_gather_end(mlr_gather *g, mlr_op *op, mlreg_error **err)
{
    return publish_all(g, true, op, err);
}

int mlr_gather_flush(mlr_gather *g, mlr_op *op, mlreg_error **err)
{
    return publish_all(g, false, op, err);
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

int mlr_gather_add(mlr_gather *g, const char *repo, const mlr_digest *d, uint64_t bytes, mlr_temp *t, mlr_op *op, mlreg_error **err)
{
    struct batch *full = NULL;
    char         *name = mlr_strdup(repo);
    int           rc = 0;

    pthread_mutex_lock(&g->lock);
    if (g->now == NULL)
        g->now = mlr_alloc(sizeof *g->now);
    if (name == NULL || g->now == NULL) {
        rc = mlr_error_nomem(err);
        mlr_free(name);
        give_claim(g, d);
    } else {
        g->now->blobs[g->now->n++] = (struct waiting){ name, *d, bytes, *t };
        *t = (mlr_temp)MLR_TEMP_INIT;
        if (g->now->n == MOST)
            full = take(g);
    }
    pthread_mutex_unlock(&g->lock);
    return rc < 0 ? rc : publish(g, full, op, err);
}
