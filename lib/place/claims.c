/* place/claims.c - small blobs that somebody is bringing: a table for this process's threads, locked bytes for the others. */
#include "place/claims.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/lock.h"
#include "base/work.h"

#define WAIT_FIRST_MS 4
#define WAIT_MOST_MS  32         /* each look is two system calls, of every thread that waits */
#define NO_FILE       (-2)       /* there is none, and no use in trying again */

struct mlr_claims {
    char           *file;
    pthread_mutex_t lock;        /* guards all below */
    pthread_cond_t  given;
    int             fd;          /* -1: not yet */
    mlr_digest     *taken;       /* by this process: its own locks do not stop it */
    size_t          n, cap;
};

int mlr_claims_new(const char *file, mlr_claims **out, mlreg_error **err)
{
    mlr_claims *c = mlr_alloc(sizeof *c);

    if (c == NULL || (c->file = mlr_strdup(file)) == NULL) {
        mlr_free(c);
        return mlr_error_nomem(err);
    }
    c->fd = -1;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->given, NULL);
    *out = c;
    return 0;
}

void mlr_claims_free(mlr_claims *c)
{
    if (c == NULL)
        return;
    mlr_fs_close(c->fd);
    pthread_cond_destroy(&c->given);
    pthread_mutex_destroy(&c->lock);
    mlr_free(c->taken);
    mlr_free(c->file);
    mlr_free(c);
}

/* A network's locks are a message each, or lie. */
static void open_file(mlr_claims *c)
{
    if (c->fd == -1 && (mlr_fs_is_network(c->file) || mlr_fs_open(c->file, O_RDWR | O_CREAT, 0600, &c->fd, NULL) < 0))
        c->fd = NO_FILE;
}

/* As far as a digest's first bits go: two that agree there are taken for one, and fetched one after the other. */
static uint64_t place_of(const mlr_digest *d)
{
    char first[16] = { 0 };

    memcpy(first, mlr_digest_hex(d), sizeof first - 1);
    return strtoull(first, NULL, 16);
}

static size_t find(const mlr_claims *c, const mlr_digest *d)
{
    size_t i = 0;

    while (i < c->n && !mlr_digest_equal(&c->taken[i], d))
        i++;
    return i;
}

bool mlr_claims_take(mlr_claims *c, const mlr_digest *d)
{
    bool is_ours = false;

    pthread_mutex_lock(&c->lock);
    open_file(c);
    if (find(c, d) == c->n && (c->fd < 0 || mlr_lock_try_byte(c->fd, place_of(d)))) {
        is_ours = true;
        if (mlr_grow(&c->taken, &c->cap, c->n, sizeof *c->taken) == 0)
            c->taken[c->n++] = *d;
        else if (c->fd >= 0)
            mlr_lock_drop_byte(c->fd, place_of(d));      /* it comes twice, at worst */
    }
    pthread_mutex_unlock(&c->lock);
    return is_ours;
}

void mlr_claims_give(mlr_claims *c, const mlr_digest *d)
{
    size_t i;

    pthread_mutex_lock(&c->lock);
    if ((i = find(c, d)) < c->n) {
        c->taken[i] = c->taken[--c->n];
        if (c->fd >= 0)
            mlr_lock_drop_byte(c->fd, place_of(d));
        pthread_cond_broadcast(&c->given);
    }
    pthread_mutex_unlock(&c->lock);
}

int mlr_claims_wait(mlr_claims *c, uint64_t *step_ms, mlr_op *op, mlreg_error **err)
{
    int rc;

    *step_ms = *step_ms == 0 ? WAIT_FIRST_MS : *step_ms * 2 < WAIT_MOST_MS ? *step_ms * 2 : WAIT_MOST_MS;
    pthread_mutex_lock(&c->lock);
    rc = mlr_work_wait_ms(&c->given, &c->lock, *step_ms, op, err);
    pthread_mutex_unlock(&c->lock);
    return rc < 0 ? rc : mlr_op_check(op, err);
}
