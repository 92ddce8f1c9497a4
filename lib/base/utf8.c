/* base/utf8.c - taking UTF-8 text apart, strictly: names and messages that strangers wrote. */
#include "base/utf8.h"

size_t mlr_utf8_next(const char *s, size_t len, uint32_t *code_point)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};   /* below it the form is overlong */
    const unsigned char  *u = (const unsigned char *)s;
    uint32_t              c;
    size_t                n;

    if (len == 0)
        return 0;
    if (u[0] < 0x80) {
        *code_point = u[0];
        return 1;
    }
    n = u[0] >= 0xf8 ? 0 : u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : u[0] >= 0xc0 ? 2 : 0;
    if (n == 0 || n > len)
        return 0;
    c = u[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((u[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (u[i] & 0x3f);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *code_point = c;
    return n;
}

bool mlr_utf8_valid(const char *s, size_t len)
{
    uint32_t c;

    for (size_t n; len > 0; s += n, len -= n)
        if ((n = mlr_utf8_next(s, len, &c)) == 0)
            return false;
    return true;
}

bool mlr_utf8_is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x061c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}
