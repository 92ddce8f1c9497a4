/* net/hostfacts.c - what was learnt about a registry in this process: which ways of uploading and asking it refuses. */
#include "net/hostfacts.h"

void mlr_hostfacts_learn(mlr_hostfacts *f, uint32_t facts)
{
    __atomic_fetch_or(&f->bits, facts, __ATOMIC_RELAXED);      /* each bit stands alone: nothing is ordered by it */
}

void mlr_hostfacts_forget(mlr_hostfacts *f, uint32_t facts)
{
    __atomic_fetch_and(&f->bits, ~facts, __ATOMIC_RELAXED);
}

bool mlr_hostfacts_know(const mlr_hostfacts *f, uint32_t fact)
{
    return (__atomic_load_n(&f->bits, __ATOMIC_RELAXED) & fact) == fact;
}
