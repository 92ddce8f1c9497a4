/* net/hostfacts.h - what is known about a registry: ways of uploading and asking that it refuses, and how large a layer may be. */
#ifndef MLR_NET_HOSTFACTS_H
#define MLR_NET_HOSTFACTS_H
#include <stdbool.h>
#include <stdint.h>
#include "net/url.h"

enum { MLR_FACT_NO_STREAMED_PATCH = 1 << 0, MLR_FACT_NO_REFERRERS = 1 << 1, MLR_FACT_HAS_REFERRERS = 1 << 2,
    MLR_FACT_NO_RANGE = 1 << 3, MLR_FACT_NO_MOUNT = 1 << 4, MLR_FACT_NO_MONOLITHIC = 1 << 5 };

/* Facts choose the way that is tried first and what is refused before it is begun; none switches a check off, and what an answer says
 * overrides them. They begin with the table of known hosts, are noted in the user's private folder with the day they were learnt, and
 * are tried anew after a month (a limit of size, which nothing else could disprove, after a day). Loopback is not noted: behind the
 * same port is another server tomorrow. */
typedef struct mlr_hostfacts {
    uint32_t bits;               /* atomic, as the next */
    uint64_t max_layer;          /* bytes of the largest layer that is taken; 0: not known */
    char *dir, *name;            /* of the notes; NULL: there are none */
    uint64_t origin;             /* whose they are */
} mlr_hostfacts;
/* All zero is empty, too. `dir` NULL: the user's own. Never fails: then nothing is noted. */
void mlr_hostfacts_open(mlr_hostfacts *f, const mlr_url *origin, const char *dir);
void mlr_hostfacts_done(mlr_hostfacts *f);
void mlr_hostfacts_learn(mlr_hostfacts *f, uint32_t facts);
void mlr_hostfacts_forget(mlr_hostfacts *f, uint32_t facts);
bool mlr_hostfacts_know(const mlr_hostfacts *f, uint32_t fact);
void mlr_hostfacts_too_large(mlr_hostfacts *f, uint64_t bytes);      /* a layer of that size was refused for it */
uint64_t mlr_hostfacts_max_layer(const mlr_hostfacts *f);           /* UINT64_MAX: not known */
#endif
