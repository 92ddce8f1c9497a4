/* codec/json_scan.c - the strings, numbers and words of JSON, one at a time, as strictly as RFC 8259 can be read. */
#include "codec/json_scan.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

static bool take(const char **at, const char *end, char wanted)
{
    if (*at == end || **at != wanted)
        return false;
    ++*at;
    return true;
}

/* ---- strings ---- */

/* The four digits of a \u escape, or -1. */
static long hex4(const char **at, const char *end)
{
    long v = 0;

    if (end - *at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = *(*at)++, letter = (char)(c | 0x20);
        if (c >= '0' && c <= '9')
            v = v * 16 + (c - '0');
        else if (letter >= 'a' && letter <= 'f')
            v = v * 16 + (letter - 'a' + 10);
        else
            return -1;
    }
    return v;
}

static const char *unicode_escape(const char **at, const char *end)
{
    long lead = hex4(at, end), trail;

    if (lead < 0)
        return "\\u without four hexadecimal digits";
    if (lead == 0)
        return "\\u0000 in a string";
    if (lead < 0xD800 || lead > 0xDFFF)
        return NULL;
    if (lead > 0xDBFF || !take(at, end, '\\') || !take(at, end, 'u'))
        return "lone surrogate in a string";
    trail = hex4(at, end);
    return trail < 0xDC00 || trail > 0xDFFF ? "lone surrogate in a string" : NULL;
}

static const char *escape(const char **at, const char *end)
{
    const char *start = (*at)++, *wrong = "unknown escape in a string";

    if (take(at, end, 'u')) {
        wrong = unicode_escape(at, end);
    } else if (*at < end && memchr("\"\\/bfnrt", **at, 8) != NULL) {
        ++*at;
        wrong = NULL;
    }
    if (wrong != NULL)
        *at = start;
    return wrong;
}

const char *mlr_json_scan_string(const char **at, const char *end)
{
    const char *start = (*at)++, *wrong;
    uint32_t    ch;
    size_t      n;

    while (*at < end) {
        if (take(at, end, '"'))
            return NULL;
        if (**at == '\\') {
            if ((wrong = escape(at, end)) != NULL)
                return wrong;
            continue;
        }
        if ((unsigned char)**at < 0x20)
            return "control character in a string";
        if ((n = mlr_utf8_next(*at, (size_t)(end - *at), &ch)) == 0)
            return "bytes that are not UTF-8";
        *at += n;
    }
    *at = start;
    return "a string that does not end";
}

/* ---- numbers and words ---- */

static bool digits(const char **at, const char *end)
{
    const char *start = *at;

    while (*at < end && **at >= '0' && **at <= '9')
        ++*at;
    return *at > start;
}

static const char *number(const char **at, const char *end)
{
    take(at, end, '-');
    if (take(at, end, '0')) {
        if (digits(at, end))
            return "a number that begins with 0";
    } else if (!digits(at, end)) {
        return "a value belongs here";
    }
    if (take(at, end, '.') && !digits(at, end))
        return "a number without digits behind the point";
    if (!take(at, end, 'e') && !take(at, end, 'E'))
        return NULL;
    if (!take(at, end, '-'))
        take(at, end, '+');
    return digits(at, end) ? NULL : "a number without digits in its exponent";
}

const char *mlr_json_scan_number(const char **at, const char *end)
{
    const char *start = *at, *wrong = number(at, end);

    if (wrong != NULL)
        *at = start;
    return wrong;
}

const char *mlr_json_scan_word(const char **at, const char *end, const char *wanted)
{
    size_t len = strlen(wanted);

    if ((size_t)(end - *at) < len || memcmp(*at, wanted, len) != 0)
        return "a value belongs here";
    *at += len;
    return NULL;
}
