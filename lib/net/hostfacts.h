/* net/hostfacts.h - what was learnt about a registry in this process: which ways of uploading and asking it refuses. */
#ifndef MLR_NET_HOSTFACTS_H
#define MLR_NET_HOSTFACTS_H
#include <stdbool.h>
#include <stdint.h>
enum { MLR_FACT_NO_STREAMED_PATCH = 1 << 0, MLR_FACT_NO_REFERRERS = 1 << 1, MLR_FACT_HAS_REFERRERS = 1 << 2,
    MLR_FACT_NO_RANGE = 1 << 3, MLR_FACT_NO_MOUNT = 1 << 4, MLR_FACT_NO_MONOLITHIC = 1 << 5 };
typedef struct mlr_hostfacts { uint32_t bits; } mlr_hostfacts;      /* atomic; never switches a check off */
void mlr_hostfacts_learn(mlr_hostfacts *f, uint32_t facts);
void mlr_hostfacts_forget(mlr_hostfacts *f, uint32_t facts);
bool mlr_hostfacts_know(const mlr_hostfacts *f, uint32_t fact);
#endif
