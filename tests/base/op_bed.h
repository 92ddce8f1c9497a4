/* tests/base/op_bed.h - what the tests of calls in progress and of their errands share. Include after cmocka.h. */
#ifndef TESTS_BASE_OP_BED_H
#define TESTS_BASE_OP_BED_H
#include <pthread.h>
#include <stdint.h>
#include <time.h>
#include "base/op.h"

#define FOREVER_MS 600000        /* a wait that ends only because something ends it */
#define SOON_MS 20000            /* generous: far from FOREVER_MS, even under a sanitizer on a busy machine */

static inline uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static inline void nap_ms(unsigned ms)
{
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

    nanosleep(&t, NULL);
}

struct calls {
    int       n, answer, depth, deepest;
    mlr_op   *op;                /* to look at from inside */
    pthread_t on;
};

static inline int count_call(mlreg_op *remote, void *user)
{
    struct calls *c = user;

    (void)remote;
    c->n++;
    c->on = pthread_self();
    if (++c->depth > c->deepest)
        c->deepest = c->depth;
    (void)mlr_op_check(c->op, NULL);
    c->depth--;
    return c->answer;
}
#endif
