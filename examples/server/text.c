/* text.c - bytes that grow, and the two ways in which strangers' text gets into them. */
#include "serve.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../mlreg/shown.h"

static bool reserve(text *t, size_t more)
{
    size_t cap = t->cap != 0 ? t->cap : 256;
    char *data;

    if (t->failed || t->cap - t->len > more)
        return !t->failed;
    while (cap - t->len <= more)
        cap *= 2;
    if ((data = realloc(t->data, cap)) == NULL) {
        t->failed = true;
        return false;
    }
    t->data = data;
    t->cap = cap;
    return true;
}

void text_add(text *t, const void *data, size_t len)
{
    if (!reserve(t, len))
        return;
    memcpy(t->data + t->len, data, len);
    t->len += len;
    t->data[t->len] = '\0';
}

void text_put(text *t, const char *s)
{
    text_add(t, s, strlen(s));
}

void text_printf(text *t, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 || !reserve(t, (size_t)n))
        return;
    va_start(args, format);
    vsnprintf(t->data + t->len, (size_t)n + 1, format, args);
    va_end(args);
    t->len += (size_t)n;
}

void text_json(text *t, const char *s)
{
    if (s == NULL) {
        text_put(t, "null");
        return;
    }
    text_put(t, "\"");
    while (*s != '\0') {
        size_t n = shown_length(s);
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            text_printf(t, "\\u%04x", (unsigned)*s);
        else if (n == 0)
            text_put(t, "\\ufffd");
        else if (*s == '"' || *s == '\\')
            text_printf(t, "\\%c", *s);
        else
            text_add(t, s, n);
        s += n > 0 ? n : 1;
    }
    text_put(t, "\"");
}

void text_line(text *t, const char *s)
{
    while (*s != '\0') {
        size_t n = shown_length(s);
        text_add(t, n > 0 ? s : "?", n > 0 ? n : 1);
        s += n > 0 ? n : 1;
    }
}

void text_html(text *t, const char *s)
{
    for (; s != NULL && *s != '\0'; s++) {
        if (strchr("&<>\"'", *s) != NULL)
            text_printf(t, "&#%d;", *s);
        else
            text_add(t, s, 1);
    }
}

void text_done(text *t)
{
    free(t->data);
    *t = (text){ NULL, 0, 0, false };
}
