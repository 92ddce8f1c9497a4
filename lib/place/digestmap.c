/* place/digestmap.c - digests, each with a number: open addressing, seeded. */
#include "place/digestmap.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "codec/xxh.h"

#define FIRST_SLOTS 64

static size_t start_of(const mlr_digestmap *m, const mlr_digest *d)
{
    char keyed[sizeof(m->seed) + MLR_DIGEST_HEX];
    memcpy(keyed, &m->seed, sizeof(m->seed));
    memcpy(keyed + sizeof(m->seed), mlr_digest_hex(d), MLR_DIGEST_HEX);
    return (size_t)mlr_xxh3(keyed, sizeof(keyed)) & (m->cap - 1);
}

/* Where `d` is, or where it would go: half of the slots are always free. */
static struct mlr_digestmap_slot *slot_of(const mlr_digestmap *m, const mlr_digest *d)
{
    size_t i = start_of(m, d);
    while (m->slots[i].digest.text[0] != 0 && !mlr_digest_equal(&m->slots[i].digest, d))
        i = (i + 1) & (m->cap - 1);
    return &m->slots[i];
}

uint64_t *mlr_digestmap_find(const mlr_digestmap *m, const mlr_digest *d)
{
    struct mlr_digestmap_slot *slot = m->cap > 0 ? slot_of(m, d) : NULL;
    return slot != NULL && slot->digest.text[0] != 0 ? &slot->n : NULL;
}

static int grow(mlr_digestmap *m, mlreg_error **err)
{
    mlr_digestmap bigger = { NULL, m->used, m->cap > 0 ? m->cap * 2 : FIRST_SLOTS, m->seed };

    if (m->cap == 0)
        mlr_random(&bigger.seed, sizeof(bigger.seed));
    if (m->cap > SIZE_MAX / 2 || (bigger.slots = mlr_alloc_array(bigger.cap, sizeof(*bigger.slots))) == NULL)
        return mlr_error_nomem(err);
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].digest.text[0] != 0)
            *slot_of(&bigger, &m->slots[i].digest) = m->slots[i];
    mlr_free(m->slots);
    *m = bigger;
    return 0;
}

uint64_t *mlr_digestmap_add(mlr_digestmap *m, const mlr_digest *d, mlreg_error **err)
{
    struct mlr_digestmap_slot *slot;

    if (m->used * 2 >= m->cap && grow(m, err) < 0)
        return NULL;
    slot = slot_of(m, d);
    if (slot->digest.text[0] == 0) {
        slot->digest = *d;
        m->used++;
    }
    return &slot->n;
}

void mlr_digestmap_done(mlr_digestmap *m)
{
    mlr_free(m->slots);
    *m = (mlr_digestmap)MLR_DIGESTMAP_INIT;
}
