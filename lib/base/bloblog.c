/* base/bloblog.c - which blobs a call is done with, and how long each took. */
#include "base/bloblog.h"

#include "base/alloc.h"

void mlr_bloblog_init(mlr_bloblog *l)
{
    *l = (mlr_bloblog){ .items = NULL };
    pthread_mutex_init(&l->lock, NULL);
}

void mlr_bloblog_done(mlr_bloblog *l)
{
    for (size_t i = 0; i < l->n; i++)
        mlr_free((char *)l->items[i].name);
    mlr_free(l->items);
    pthread_mutex_destroy(&l->lock);
}

void mlr_bloblog_add(mlr_bloblog *l, const char *name, uint64_t bytes, uint64_t began_ms, uint64_t elapsed_ms)
{
    mlreg_blob_stats it = { .bytes = bytes, .began_ms = began_ms, .elapsed_ms = elapsed_ms };

    pthread_mutex_lock(&l->lock);
    if (l->n < MLR_BLOBLOG_MOST && mlr_grow(&l->items, &l->cap, l->n, sizeof *l->items) == 0 && (it.name = mlr_strdup(name)) != NULL)
        l->items[l->n++] = it;
    pthread_mutex_unlock(&l->lock);
}

bool mlr_bloblog_at(mlr_bloblog *l, size_t i, mlreg_blob_stats *out)
{
    bool known;

    pthread_mutex_lock(&l->lock);
    if ((known = i < l->n)) {
        uint32_t size = out->size;

        *out = l->items[i];
        out->size = size;
    }
    pthread_mutex_unlock(&l->lock);
    return known;
}
