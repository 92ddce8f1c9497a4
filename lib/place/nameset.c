/* place/nameset.c - which names were seen already: a table with open addressing, at most half full. */
#include "place/nameset.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "codec/xxh.h"

#define FIRST_SLOTS 64   /* a power of two, as every later size */

/* The slot that holds `name`, or the free one where it belongs. */
static const char **slot_of(const char **slots, size_t cap, const char *name)
{
    size_t i = (size_t)mlr_xxh3(name, strlen(name)) & (cap - 1);

    while (slots[i] != NULL && strcmp(slots[i], name) != 0)
        i = (i + 1) & (cap - 1);
    return &slots[i];
}

static int grow(mlr_nameset *s, mlreg_error **err)
{
    size_t       cap = s->cap > 0 ? s->cap * 2 : FIRST_SLOTS;
    const char **slots = mlr_alloc_array(cap, sizeof *slots);

    if (slots == NULL)
        return mlr_error_nomem(err);
    for (size_t i = 0; i < s->cap; i++)
        if (s->slots[i] != NULL)
            *slot_of(slots, cap, s->slots[i]) = s->slots[i];
    mlr_free(s->slots);
    s->slots = slots;
    s->cap = cap;
    return 0;
}

bool mlr_nameset_has(const mlr_nameset *s, const char *name)
{
    return s->cap > 0 && *slot_of(s->slots, s->cap, name) != NULL;
}

int mlr_nameset_put(mlr_nameset *s, const char *name, mlreg_error **err)
{
    int rc = s->n * 2 >= s->cap ? grow(s, err) : 0;

    if (rc == 0) {
        *slot_of(s->slots, s->cap, name) = name;
        s->n++;
    }
    return rc;
}

void mlr_nameset_done(mlr_nameset *s)
{
    mlr_free(s->slots);
    *s = (mlr_nameset){NULL, 0, 0};
}
