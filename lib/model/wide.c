/* model/wide.c - a group for many blobs at once: the large few at a time, the small over as many connections as they are worth. */
#include "model/wide.h"

#include "base/alloc.h"
#include "base/error.h"

#define LARGE_BYTES (1u << 20)
#define WORTH_ONE   10           /* blobs that a connection must have ahead of it to be opened */
#define LARGE_WIDE  8            /* large ones at once from or to far away: their hashes go side by side, whatever the cores */

struct mlr_wide {
    mlr_group *group;
    unsigned most_large;         /* at a time */
    pthread_mutex_t lock;        /* guards the next */
    pthread_cond_t left;
    unsigned n_large;
};

/* More would only be slower each, and take the memory that their connections need. */
static unsigned most_large(const mlr_limits *l, bool far)
{
    if (!far || l->threads >= LARGE_WIDE)
        return l->threads;
    return l->waiters < LARGE_WIDE ? l->waiters : LARGE_WIDE;
}

static unsigned width_for(const mlr_limits *l, size_t n_tasks, bool far)
{
    size_t wanted = n_tasks / WORTH_ONE;

    if (!far || l->threads == (uint32_t)MLREG_NONE)
        return l->threads;
    if (wanted < most_large(l, far))
        return most_large(l, far);
    return wanted < l->waiters ? (unsigned)wanted : l->waiters;
}

int mlr_wide_new(mlr_runtime *rt, mlr_op *op, size_t n_tasks, bool far, mlr_wide **out, mlreg_error **err)
{
    const mlr_limits *l = mlr_runtime_limits(rt);
    mlr_wide *w = mlr_alloc(sizeof *w);
    int rc;

    if (w == NULL)
        return mlr_error_nomem(err);
    w->most_large = most_large(l, far);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->left, NULL);
    if ((rc = mlr_group_new_waiting(rt, op, width_for(l, n_tasks, far), &w->group, err)) < 0)
        mlr_wide_free(w);
    else
        *out = w;
    return rc;
}

mlr_group *mlr_wide_group(mlr_wide *w)
{
    return w->group;
}

int mlr_wide_enter(mlr_wide *w, uint64_t bytes, mlr_op *op, mlreg_error **err)
{
    int rc = 0;

    if (bytes < LARGE_BYTES)
        return 0;
    pthread_mutex_lock(&w->lock);
    while (rc == 0 && w->n_large >= w->most_large)
        rc = mlr_work_wait(&w->left, &w->lock, op, err);
    if (rc == 0)
        w->n_large++;
    pthread_mutex_unlock(&w->lock);
    return rc;
}

void mlr_wide_leave(mlr_wide *w, uint64_t bytes)
{
    if (bytes < LARGE_BYTES)
        return;
    pthread_mutex_lock(&w->lock);
    w->n_large--;
    pthread_cond_broadcast(&w->left);
    pthread_mutex_unlock(&w->lock);
}

void mlr_wide_free(mlr_wide *w)
{
    if (w == NULL)
        return;
    mlr_group_free(w->group);
    pthread_cond_destroy(&w->left);
    pthread_mutex_destroy(&w->lock);
    mlr_free(w);
}
