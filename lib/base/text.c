/* base/text.c - what text begins with and ends in. */
#include "base/text.h"

#include <string.h>

bool mlr_text_begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

bool mlr_text_ends_in(const char *s, size_t len, const char *end)
{
    size_t n = strlen(end);

    return len >= n && memcmp(s + len - n, end, n) == 0;
}

bool mlr_text_has_extension(const char *s, const char *end)
{
    size_t len = strlen(s);

    return len > strlen(end) && mlr_text_ends_in(s, len, end);
}
