/* net/auth_bed.h - scripts that can be read: in them ' stands for a quote and ^ for an escaped quote within a string. */
#ifndef MLR_TESTS_NET_AUTH_BED_H
#define MLR_TESTS_NET_AUTH_BED_H
#include "net/creds_bed.h"
#include "net/http_bed.h"

/* Good until the next call. */
static inline const char *script(const char *text)
{
    static char out[65536];
    size_t      n = 0;

    for (; *text != '\0' && n + 3 < sizeof out; text++) {
        if (*text == '^')
            out[n++] = '\\';
        out[n++] = *text == '\'' || *text == '^' ? '"' : *text;
    }
    out[n] = '\0';
    return out;
}

/* The i-th request as evil.py noted it must hold (or not) these words, which may use the same signs. */
static inline void assert_logged(struct http_bed *b, size_t i, const char *words)
{
    char *line = bed_log_line(&b->evil, i);

    if (line == NULL || strstr(line, script(words)) == NULL)
        fail_msg("request %zu has no %s: %s", i, script(words), line != NULL ? line : "(no such request)");
    free(line);
}

static inline void assert_not_logged(struct http_bed *b, size_t i, const char *words)
{
    char *line = bed_log_line(&b->evil, i);

    assert_non_null(line);
    if (strstr(line, script(words)) != NULL)
        fail_msg("request %zu has %s: %s", i, script(words), line);
    free(line);
}
#endif
