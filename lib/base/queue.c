/* base/queue.c - pointers handed from thread to thread, first in, first out. */
#include "base/work.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/error.h"

struct mlr_queue {
    pthread_mutex_t lock;        /* guards all below */
    pthread_cond_t put, taken;
    size_t room, n, next;        /* `n` items from items[next] on, around the end */
    bool is_closed;
    void *items[];
};

int mlr_queue_new(size_t room, mlr_queue **out, mlreg_error **err)
{
    mlr_queue *q = NULL;

    assert(room > 0);
    if (room <= (SIZE_MAX - sizeof *q) / sizeof q->items[0])
        q = mlr_alloc(sizeof *q + room * sizeof q->items[0]);
    if (q == NULL)
        return mlr_error_nomem(err);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->put, NULL);
    pthread_cond_init(&q->taken, NULL);
    q->room = room;
    *out = q;
    return 0;
}

int mlr_queue_put(mlr_queue *q, void *item, mlr_op *op, mlreg_error **err)
{
    int rc = 0;

    pthread_mutex_lock(&q->lock);
    while (rc == 0 && q->n == q->room && !q->is_closed)
        rc = mlr_work_wait(&q->taken, &q->lock, op, err);
    if (rc == 0 && q->is_closed)
        rc = mlr_error_set(err, MLREG_ESTATE, "the queue is closed");
    if (rc == 0) {
        q->items[(q->next + q->n++) % q->room] = item;
        pthread_cond_broadcast(&q->put);
    }
    pthread_mutex_unlock(&q->lock);
    return rc;
}

int mlr_queue_take(mlr_queue *q, void **item, mlr_op *op, mlreg_error **err)
{
    int rc = 0;

    pthread_mutex_lock(&q->lock);
    while (rc == 0 && q->n == 0 && !q->is_closed)
        rc = mlr_work_wait(&q->put, &q->lock, op, err);
    if (rc == 0 && q->n > 0) {
        *item = q->items[q->next];
        q->next = (q->next + 1) % q->room;
        q->n--;
        rc = 1;
        pthread_cond_broadcast(&q->taken);
    }
    pthread_mutex_unlock(&q->lock);
    return rc;
}

void mlr_queue_close(mlr_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->is_closed = true;
    pthread_cond_broadcast(&q->put);
    pthread_cond_broadcast(&q->taken);
    pthread_mutex_unlock(&q->lock);
}

void mlr_queue_free(mlr_queue *q)
{
    if (q == NULL)
        return;
    pthread_cond_destroy(&q->taken);
    pthread_cond_destroy(&q->put);
    pthread_mutex_destroy(&q->lock);
    mlr_free(q);
}
