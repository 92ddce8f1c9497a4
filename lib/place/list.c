/* place/list.c - names and descriptors in a fixed order. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "place/descriptor.h"

int mlr_list_new(mlr_list **out, mlreg_error **err)
{
    return (*out = mlr_alloc(sizeof(**out))) == NULL ? mlr_error_nomem(err) : 0;
}

static void item_done(struct mlr_list_item *item)
{
    if (item->descriptor != NULL)
        mlr_descriptor_done(item->descriptor);
    mlr_free(item->descriptor);
    mlr_free(item->name);
}

int mlr_list_add(mlr_list *l, const char *name, const mlr_descriptor *d, mlreg_error **err)
{
    struct mlr_list_item item = { NULL, NULL };
    int                  rc = 0;

    if (name != NULL && (item.name = mlr_strdup(name)) == NULL)
        rc = mlr_error_nomem(err);
    if (rc == 0 && d != NULL) {
        item.descriptor = mlr_alloc(sizeof(*item.descriptor));
        rc = item.descriptor == NULL ? mlr_error_nomem(err) : mlr_descriptor_copy(d, item.descriptor, err);
    }
    if (rc == 0 && mlr_grow(&l->items, &l->cap, l->n, sizeof(*l->items)) < 0)
        rc = mlr_error_nomem(err);
    if (rc == 0)
        l->items[l->n++] = item;
    else
        item_done(&item);
    return rc;
}

static int compare_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "");
}

static int compare_items(const void *left, const void *right)
{
    const struct mlr_list_item *a = left, *b = right;
    int order = compare_text(a->name, b->name);
    return order != 0 ? order
                      : compare_text(a->descriptor != NULL ? a->descriptor->digest.text : NULL,
                                     b->descriptor != NULL ? b->descriptor->digest.text : NULL);
}

void mlr_list_sort(mlr_list *l)
{
    size_t kept = 0;
    if (l->n == 0)
        return;
    qsort(l->items, l->n, sizeof(*l->items), compare_items);
    for (size_t i = 1; i < l->n; i++) {
        if (compare_items(&l->items[kept], &l->items[i]) == 0)
            item_done(&l->items[i]);
        else
            l->items[++kept] = l->items[i];
    }
    l->n = kept + 1;
}

void mlr_list_free(mlr_list *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; i < l->n; i++)
        item_done(&l->items[i]);
    mlr_free(l->items);
    mlr_free(l);
}
