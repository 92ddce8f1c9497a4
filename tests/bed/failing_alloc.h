/* bed/failing_alloc.h - an allocator whose n-th request fails, once or from then on; for tests of one thread. */
#ifndef BED_FAILING_ALLOC_H
#define BED_FAILING_ALLOC_H
#include <stdbool.h>
#include <stdlib.h>
#include "base/alloc.h"

typedef struct failing_alloc { mlr_allocator as; int left; bool for_good, fired; } failing_alloc;

static inline void *failing_alloc_resize(void *user, void *p, size_t bytes)
{
    failing_alloc *f = user;

    if (f->left > 0 && --f->left == 0) {
        f->fired = true;
        f->left = f->for_good ? 1 : 0;
        return NULL;
    }
    return realloc(p, bytes);
}

static inline void failing_alloc_release(void *user, void *p)
{
    (void)user;
    free(p);
}

/* Until disarmed, `f` stays where it is. The first request is n = 1. */
static inline void failing_alloc_arm(failing_alloc *f, int n, bool for_good)
{
    *f = (failing_alloc){.as = {failing_alloc_resize, failing_alloc_release, f}, .left = n, .for_good = for_good};
    mlr_alloc_use(&f->as);
}

/* Whether a request failed; a loop over n ends when none did. */
static inline bool failing_alloc_disarm(failing_alloc *f)
{
    mlr_alloc_use(NULL);
    return f->fired;
}
#endif
