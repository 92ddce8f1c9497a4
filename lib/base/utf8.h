/* base/utf8.h - taking UTF-8 text apart, strictly: names and messages that strangers wrote. */
#ifndef MLR_BASE_UTF8_H
#define MLR_BASE_UTF8_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads the character at `s`: the number of its bytes (1 to 4) and its code point, or 0 where the bytes are no
 * well-formed UTF-8 (overlong forms, surrogates and what ends too early included) or `len` is 0. */
size_t mlr_utf8_next(const char *s, size_t len, uint32_t *code_point);
bool   mlr_utf8_valid(const char *s, size_t len);
/* Characters that move the cursor, break the line or reorder the text around them: C0, DEL, C1, U+2028, U+2029 and
 * the bidirectional controls. A terminal must not get them from a stranger. */
bool   mlr_utf8_is_control(uint32_t code_point);
#endif
