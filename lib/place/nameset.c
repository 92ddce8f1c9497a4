/* place/nameset.c - which names were seen already: a table with open addressing, at most half full. */
#include "place/nameset.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "codec/xxh.h"

#define FIRST_SLOTS 64  /* a power of two, as every later size */
#define KEYED_BYTES 256

/* By a seed, as in digestmap. Names are shorter; of longer ones the beginning decides. */
static size_t start_of(const mlr_nameset *s, const char *name)
{
    char   keyed[sizeof s->seed + KEYED_BYTES];
    size_t len = strnlen(name, KEYED_BYTES);

    memcpy(keyed, &s->seed, sizeof s->seed);
    memcpy(keyed + sizeof s->seed, name, len);
    return (size_t)mlr_xxh3(keyed, sizeof s->seed + len) & (s->cap - 1);
}

/* The slot that holds `name`, or the free one where it belongs. */
static const char **slot_of(const mlr_nameset *s, const char *name)
{
    size_t i = start_of(s, name);

    while (s->slots[i] != NULL && strcmp(s->slots[i], name) != 0)
        i = (i + 1) & (s->cap - 1);
    return &s->slots[i];
}

static int grow(mlr_nameset *s, mlreg_error **err)
{
    mlr_nameset bigger = {NULL, s->n, s->cap > 0 ? s->cap * 2 : FIRST_SLOTS, s->seed};

    if (s->cap == 0)
        mlr_random(&bigger.seed, sizeof bigger.seed);
    if ((bigger.slots = mlr_alloc_array(bigger.cap, sizeof *bigger.slots)) == NULL)
        return mlr_error_nomem(err);
    for (size_t i = 0; i < s->cap; i++)
        if (s->slots[i] != NULL)
            *slot_of(&bigger, s->slots[i]) = s->slots[i];
    mlr_free(s->slots);
    *s = bigger;
    return 0;
}

bool mlr_nameset_has(const mlr_nameset *s, const char *name)
{
    return s->cap > 0 && *slot_of(s, name) != NULL;
}

int mlr_nameset_put(mlr_nameset *s, const char *name, mlreg_error **err)
{
    int rc = s->n * 2 >= s->cap ? grow(s, err) : 0;

    if (rc == 0) {
        *slot_of(s, name) = name;
        s->n++;
    }
    return rc;
}

void mlr_nameset_done(mlr_nameset *s)
{
    mlr_free(s->slots);
    *s = (mlr_nameset){NULL, 0, 0, 0};
}
