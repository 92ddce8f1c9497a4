/* base/text.h - what text begins with and ends in. */
#ifndef MLR_BASE_TEXT_H
#define MLR_BASE_TEXT_H
#include <stdbool.h>
#include <stddef.h>

bool mlr_text_begins(const char *s, const char *with);
bool mlr_text_ends_in(const char *s, size_t len, const char *end);   /* of `len` bytes; the bare ending does, too */
bool mlr_text_has_extension(const char *s, const char *end);         /* ends in it, and something stands before */
#endif
