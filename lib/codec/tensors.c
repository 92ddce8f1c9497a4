/* codec/tensors.c - what a tensor file says of itself: names, shapes, types, places, metadata. */
#include "codec/tensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

typedef struct pair { char *key, *value; } pair;       /* value NULL: there, but not kept */

struct mlr_tensors {
    mlr_tensor *items;
    size_t      n, cap;
    pair       *metadata;                              /* sorted by key once finished */
    size_t      n_metadata, cap_metadata;
};

int mlr_tensors_new(mlr_tensors **out, mlreg_error **err)
{
    mlr_tensors *t = mlr_alloc(sizeof *t);

    if (t == NULL)
        return mlr_error_nomem(err);
    *out = t;
    return 0;
}

void mlr_tensors_free(mlr_tensors *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->n; i++)
        mlr_free((char *)(uintptr_t)t->items[i].name);  /* holds the dtype too */
    for (size_t i = 0; i < t->n_metadata; i++) {
        mlr_free(t->metadata[i].key);
        mlr_free(t->metadata[i].value);
    }
    mlr_free(t->items);
    mlr_free(t->metadata);
    mlr_free(t);
}

/* ---- filling ---- */

int mlr_tensors_add(mlr_tensors *t, const mlr_tensor *x, mlreg_error **err)
{
    size_t name_bytes = strlen(x->name) + 1, dtype_bytes = strlen(x->dtype) + 1;
    char  *both;

    if (mlr_grow(&t->items, &t->cap, t->n, sizeof *t->items) < 0 ||
        (both = mlr_alloc(name_bytes + dtype_bytes)) == NULL)
        return mlr_error_nomem(err);
    memcpy(both, x->name, name_bytes);
    memcpy(both + name_bytes, x->dtype, dtype_bytes);
    t->items[t->n] = *x;
    t->items[t->n].name = both;
    t->items[t->n].dtype = both + name_bytes;
    t->n++;
    return 0;
}

int mlr_tensors_add_metadata(mlr_tensors *t, const char *key, const char *value, mlreg_error **err)
{
    pair p = {mlr_strdup(key), value != NULL ? mlr_strdup(value) : NULL};

    if (p.key == NULL || (value != NULL && p.value == NULL) ||
        mlr_grow(&t->metadata, &t->cap_metadata, t->n_metadata, sizeof *t->metadata) < 0) {
        mlr_free(p.key);
        mlr_free(p.value);
        return mlr_error_nomem(err);
    }
    t->metadata[t->n_metadata++] = p;
    return 0;
}

mlr_tensor *mlr_tensors_edit(mlr_tensors *t, size_t i)
{
    return i < t->n ? &t->items[i] : NULL;
}

static int by_place(const void *a, const void *b)
{
    const mlr_tensor *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)                              /* empty ones stand before what begins where they do */
        return x->end < y->end ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const pair *)a)->key, ((const pair *)b)->key);
}

void mlr_tensors_finish(mlr_tensors *t)
{
    if (t->n > 1)
        qsort(t->items, t->n, sizeof *t->items, by_place);
    if (t->n_metadata > 1)
        qsort(t->metadata, t->n_metadata, sizeof *t->metadata, by_key);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int mlr_tensors_check_names(const mlr_tensors *t, const char *file, mlreg_error **err)
{
    const char **names = mlr_alloc_array(t->n, sizeof *names);
    int          rc = 0;

    if (names == NULL)
        return mlr_error_nomem(err);
    for (size_t i = 0; i < t->n; i++)
        names[i] = t->items[i].name;
    if (t->n > 1)
        qsort(names, t->n, sizeof *names, by_name);
    for (size_t i = 1; i < t->n && rc == 0; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            rc = mlr_error_set(err, MLREG_EPROTO, "%s: two tensors are named \"%s\"", file, names[i]);
    for (size_t i = 1; i < t->n_metadata && rc == 0; i++)
        if (by_key(&t->metadata[i - 1], &t->metadata[i]) == 0)
            rc = mlr_error_set(err, MLREG_EPROTO, "%s: metadata \"%s\" is there twice", file, t->metadata[i].key);
    mlr_free(names);
    return rc;
}

/* ---- looking ---- */

size_t mlr_tensors_count(const mlr_tensors *t)
{
    return t->n;
}

const mlr_tensor *mlr_tensors_at(const mlr_tensors *t, size_t i)
{
    return i < t->n ? &t->items[i] : NULL;
}

bool mlr_tensor_elements(const mlr_tensor *x, uint64_t *out)
{
    uint64_t n = 1;

    for (unsigned i = 0; i < x->rank; i++)
        if (__builtin_mul_overflow(n, x->shape[i], &n))
            return false;
    *out = n;
    return true;
}

const char *mlr_tensors_metadata(const mlr_tensors *t, const char *key)
{
    const pair  wanted = {(char *)(uintptr_t)key, NULL};
    const pair *found = NULL;

    if (t->n_metadata > 0)
        found = bsearch(&wanted, t->metadata, t->n_metadata, sizeof *t->metadata, by_key);
    return found != NULL ? found->value : NULL;
}
