/* base/errands.c - what workers want done on another thread, first come first served. */
#include "base/errands.h"

#include "base/alloc.h"
#include "base/error.h"

#define POSTED_MAX 1000          /* more of them and workers wait after all: the user's callback is slower than they are */

void mlr_errands_init(mlr_errands *all)
{
    pthread_mutex_init(&all->lock, NULL);
    pthread_cond_init(&all->ran, NULL);
    all->first = NULL;
    all->last = &all->first;
    all->n_posted = 0;
    atomic_store(&all->any, false);
}

void mlr_errands_done(mlr_errands *all)
{
    pthread_cond_destroy(&all->ran);
    pthread_mutex_destroy(&all->lock);
}

bool mlr_errands_any(const mlr_errands *all)
{
    return atomic_load(&all->any);
}

void mlr_errands_add(mlr_errands *all, mlr_errand *e)
{
    e->state = MLR_ERRAND_QUEUED;
    e->next = NULL;
    *all->last = e;
    all->last = &e->next;
    all->n_posted += e->is_posted;
    atomic_store(&all->any, true);
}

void mlr_errands_withdraw(mlr_errands *all, mlr_errand *e)
{
    mlr_errand **at = &all->first;

    while (*at != e)
        at = &(*at)->next;
    if ((*at = e->next) == NULL)
        all->last = at;
    atomic_store(&all->any, all->first != NULL);
}

bool mlr_errands_post(mlr_errands *all, mlr_errand_fn fn, void *arg)
{
    mlr_errand *e = mlr_alloc(sizeof *e);
    bool has_room;

    if (e == NULL)
        return false;
    *e = (mlr_errand){ .fn = fn, .arg = arg, .is_posted = true };
    pthread_mutex_lock(&all->lock);
    if ((has_room = all->n_posted < POSTED_MAX))
        mlr_errands_add(all, e);
    pthread_mutex_unlock(&all->lock);
    if (!has_room)
        mlr_free(e);
    return has_room;
}

mlr_errand *mlr_errands_next(mlr_errands *all)
{
    mlr_errand *e;

    if (!mlr_errands_any(all))
        return NULL;
    pthread_mutex_lock(&all->lock);
    if ((e = all->first) != NULL) {
        if ((all->first = e->next) == NULL)
            all->last = &all->first;
        all->n_posted -= e->is_posted;
        e->state = MLR_ERRAND_RUNNING;
    }
    atomic_store(&all->any, all->first != NULL);
    pthread_mutex_unlock(&all->lock);
    return e;
}

void mlr_errands_ran(mlr_errands *all, mlr_errand *e)
{
    if (e->is_posted) {
        mlr_error_done(e->err);
        mlr_free(e->arg);
        mlr_free(e);
        return;
    }
    pthread_mutex_lock(&all->lock);
    e->state = MLR_ERRAND_RAN;
    pthread_cond_broadcast(&all->ran);
    pthread_mutex_unlock(&all->lock);
}
