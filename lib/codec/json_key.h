/* codec/json_key.h - the keys of an object in the making: found twice, or twice but for case. */
#ifndef MLR_CODEC_JSON_KEY_H
#define MLR_CODEC_JSON_KEY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mlr_json_key_mark {
    uint64_t    hash;
    const char *at;            /* behind the opening quote; the closing one ends it */
} mlr_json_key_mark;

/* `at` is checked text: escapes and UTF-8 are sound, and a quote ends it. Folding makes keys equal that some parser
 * matches without regard to case: ASCII letters, and the two that Go counts as 's' and 'k'. */
mlr_json_key_mark mlr_json_key_of(const char *at, bool fold);
/* Sorts `keys`, of which there is one at least; gives the clash whose second key comes first in the text, or NULL.
 * O(n log n), whatever the keys. */
const char *mlr_json_key_clash(mlr_json_key_mark *keys, size_t n, bool fold, bool *differ_by_case);
#endif
