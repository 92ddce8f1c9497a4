/* model/variant_fit_parts.h - what the files of the room variant_fit share: how a candidate is compared, and why it is none. */
#ifndef MLR_MODEL_VARIANT_FIT_PARTS_H
#define MLR_MODEL_VARIANT_FIT_PARTS_H
#include "model/variant.h"

/* What a candidate is compared by, from the left. */
enum { MLR_BY_NAME_ALONE, MLR_BY_ACCELERATOR, MLR_BY_WISHED_PRECISION, MLR_BY_COMPUTE, MLR_BY_RUNTIME, MLR_BY_PLATFORM, MLR_BY_CPU, MLR_BY_PRECISION, MLR_BY_MEMORY };

/* Notes why `c` does not fit, and is false. The first reason is enough for a line; all of them would hide it. */
bool     mlr_fit_lacks(mlr_candidate *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
size_t   mlr_fit_word(const char **at);                          /* of a list: goes to the next word, and gives its length; 0: none */
bool     mlr_fit_is_same(const char *a, size_t a_len, const char *b, size_t b_len);
uint64_t mlr_fit_version(const char *text);                      /* "8.6" is 8006: for comparing */
/* Another architecture's features and devices are not this machine's. */
bool     mlr_fit_is_elsewhere(const mlr_wish *w);
bool     mlr_fit_platform(const mlr_wish *w, mlr_candidate *c);
bool     mlr_fit_accelerator(const mlr_wish *w, mlr_candidate *c);   /* and memory: the devices', or the machine's */
#endif
