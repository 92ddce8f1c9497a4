/* model/frontmatter.h - single values out of the front matter of a README: "---", lines of "key: value", "---". */
#ifndef MLR_MODEL_FRONTMATTER_H
#define MLR_MODEL_FRONTMATTER_H
#include <stdbool.h>
#include <stddef.h>
/* A plain or quoted scalar, or the first of a list, at the top level. False where there is none, or it does not fit. */
bool mlr_frontmatter_get(const char *text, const char *key, char *out, size_t out_bytes);
#endif
