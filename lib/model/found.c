/* model/found.c - the files that were found in an image so far, sorted so that all that lies below a path stands together. */
#include "model/found.h"

#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "model/rootfs_parts.h"

int mlr_found_add(mlr_found *f, const char *path, uint64_t bytes, const char *format, size_t layer, mlreg_error **err)
{
    const size_t len = strlen(path);
    char *copy;

    if (len > MLR_FOUND_MAX_BYTES - f->bytes)
        return mlr_error_set(err, MLREG_ELIMIT, "the files that were found have over %zu MiB of names", MLR_FOUND_MAX_BYTES >> 20);
    copy = mlr_strdup(path);
    if (copy == NULL || mlr_grow(&f->items, &f->cap, f->n, sizeof *f->items) < 0) {
        mlr_free(copy);
        return mlr_error_nomem(err);
    }
    f->items[f->n] = (mlr_found_file){ copy, bytes, format, layer, f->n, 0 };
    f->n++;
    f->bytes += len;
    return 0;
}

static void forget(mlr_found *f, mlr_found_file *file)
{
    f->bytes -= strlen(file->path);
    mlr_free(file->path);
}

/* ---- hiding ---- */

/* The first of earlier layers that is `path`, or comes behind it. */
static size_t first_from(const mlr_found *f, const char *path)
{
    size_t low = 0, high = f->below;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (mlr_rootfs_order(f->items[middle].path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Where the next one is that may still be seen. */
static size_t hide(mlr_found *f, size_t i)
{
    if (f->items[i].hidden == 0) {
        f->items[i].hidden = i + 1;
        f->n_hidden++;
    }
    return f->items[i].hidden;
}

void mlr_found_hide(mlr_found *f, const char *path, bool itself, bool inside)
{
    size_t i = first_from(f, path), first;

    if (i < f->below && strcmp(f->items[i].path, path) == 0) {
        if (itself)
            hide(f, i);
        i++;
    }
    first = i;
    while (inside && i < f->below && mlr_rootfs_is_below(f->items[i].path, path))
        i = hide(f, i);
    if (i > first)
        f->items[first].hidden = i;
}

/* ---- the end of a layer ---- */

static int by_path(const void *a, const void *b)
{
    const mlr_found_file *x = a, *y = b;
    int order = mlr_rootfs_order(x->path, y->path);

    return order != 0 ? order : (x->turn > y->turn) - (x->turn < y->turn);
}

/* What the layer itself has, in order, each name once. */
static void sort_own(mlr_found *f)
{
    size_t n = f->below;

    if (f->n > f->below)
        qsort(f->items + f->below, f->n - f->below, sizeof *f->items, by_path);
    for (size_t i = f->below; i < f->n; i++) {
        if (n > f->below && strcmp(f->items[n - 1].path, f->items[i].path) == 0)
            forget(f, &f->items[--n]);
        f->items[n++] = f->items[i];
    }
    f->n = n;
}

/* Both halves, without what is hidden, into `to`. */
static size_t merge(mlr_found *f, mlr_found_file *to)
{
    size_t n = 0, i = 0, own = f->below;

    while (i < f->below || own < f->n) {
        const bool is_old = own == f->n || (i < f->below && mlr_rootfs_order(f->items[i].path, f->items[own].path) < 0);
        mlr_found_file *next = &f->items[is_old ? i++ : own++];

        if (next->hidden > 0)
            forget(f, next);
        else
            to[n++] = *next;
    }
    return n;
}

int mlr_found_settle(mlr_found *f, mlreg_error **err)
{
    mlr_found_file *all;
    size_t n;

    if (f->n == f->below && f->n_hidden == 0)
        return 0;
    sort_own(f);
    if ((all = mlr_alloc_array(f->n, sizeof *all)) == NULL)
        return mlr_error_nomem(err);
    n = merge(f, all);
    mlr_free(f->items);
    *f = (mlr_found){ .items = all, .n = n, .cap = f->n, .below = n, .bytes = f->bytes };
    return 0;
}

void mlr_found_done(mlr_found *f)
{
    for (size_t i = 0; i < f->n; i++)
        mlr_free(f->items[i].path);
    mlr_free(f->items);
    *f = (mlr_found){ 0 };
}
