/* codec/json_key.c - the keys of an object in the making: found twice, or twice but for case. */
#include "codec/json_key.h"

#include <stdlib.h>

#include "base/utf8.h"

#define FNV_OFFSET 0xCBF29CE484222325u
#define FNV_PRIME 0x100000001B3u

static uint32_t hex4(const char *s)
{
    uint32_t v = 0;

    for (int i = 0; i < 4; i++) {
        uint32_t c = (unsigned char)s[i];
        v = v << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return v;
}

/* The character behind a backslash; *s ends up behind it. */
static uint32_t escaped(const char **s)
{
    uint32_t hi, lo;
    char     c = *(*s)++;

    switch (c) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'u': break;
    default: return (unsigned char)c;
    }
    hi = hex4(*s);
    *s += 4;
    if (hi < 0xD800 || hi > 0xDFFF)
        return hi;
    lo = hex4(*s + 2);
    *s += 6;
    return 0x10000 + ((hi - 0xD800) << 10) + (lo - 0xDC00);
}

/* The next character of a key, 0 at its end. No key holds U+0000. */
static uint32_t next_char(const char **s, bool fold)
{
    uint32_t c;

    if (**s == '"')
        return 0;
    if (**s == '\\') {
        ++*s;
        c = escaped(s);
    } else {
        *s += mlr_utf8_next(*s, 4, &c);
    }
    if (!fold)
        return c;
    if (c >= 'A' && c <= 'Z')
        return c + ('a' - 'A');
    return c == 0x17F ? 's' : c == 0x212A ? 'k' : c;
}

mlr_json_key_mark mlr_json_key_of(const char *at, bool fold)
{
    mlr_json_key_mark k = {FNV_OFFSET, at};
    const char       *s = at;

    for (uint32_t c; (c = next_char(&s, fold)) != 0;)
        k.hash = (k.hash ^ c) * FNV_PRIME;
    return k;
}

static int compare_text(const char *a, const char *b, bool fold)
{
    uint32_t ca, cb;

    do {
        ca = next_char(&a, fold);
        cb = next_char(&b, fold);
    } while (ca == cb && ca != 0);
    return (ca > cb) - (ca < cb);
}

/* The hash only makes it fast: keys that share one are told apart by what they say. Equal ones stand as in the text. */
static int compare(const mlr_json_key_mark *a, const mlr_json_key_mark *b, bool fold)
{
    int order = (a->hash > b->hash) - (a->hash < b->hash);

    if (order == 0)
        order = compare_text(a->at, b->at, fold);
    return order != 0 ? order : (a->at > b->at) - (a->at < b->at);
}

static int compare_exact(const void *a, const void *b)
{
    return compare(a, b, false);
}

static int compare_folded(const void *a, const void *b)
{
    return compare(a, b, true);
}

const char *mlr_json_key_clash(mlr_json_key_mark *keys, size_t n, bool fold, bool *differ_by_case)
{
    const char *second = NULL;

    qsort(keys, n, sizeof *keys, fold ? compare_folded : compare_exact);
    for (size_t i = 1; i < n; i++) {
        if (keys[i].hash != keys[i - 1].hash || compare_text(keys[i - 1].at, keys[i].at, fold) != 0)
            continue;
        if (second != NULL && second < keys[i].at)
            continue;
        second = keys[i].at;
        *differ_by_case = compare_text(keys[i - 1].at, keys[i].at, false) != 0;
    }
    return second;
}
