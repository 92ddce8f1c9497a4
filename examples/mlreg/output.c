/* output.c - data on stdout: texts for people, JSON for programs. */
#include "cli.h"

#include <string.h>

void print_text(const char *text)
{
    write_text(stdout, text != NULL ? text : "-");
}

/* One character within a string, and its length. Stray bytes, as a path may have them, become U+FFFD: JSON is UTF-8; and what a terminal
 * obeys is escaped. */
static size_t json_character(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n = utf8_length(text);

    if (n == 0)
        printf("\\ufffd");
    else if (shown_length(text) == 0)
        printf("\\u%04x", n == 2 ? s[1] : *s);
    else
        fwrite(s, 1, n, stdout);
    return n > 0 ? n : 1;
}

/* Control characters of the lower range stand outside strings alone; there they are blanks. */
void json_raw(const char *text, size_t len)
{
    for (const char *end = text + len; text < end;) {
        if ((unsigned char)*text < 0x20)
            putchar(*text++);
        else
            text += json_character(text);
    }
}

void json_string(const char *text)
{
    if (text == NULL) {
        printf("null");
        return;
    }
    putchar('"');
    while (*text != '\0') {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        text += json_character(text);
    }
    putchar('"');
}

static void json_name(const char *name, bool first)
{
    if (!first)
        putchar(',');
    json_string(name);
    putchar(':');
}

void json_field(const char *name, const char *value, bool first)
{
    json_name(name, first);
    json_string(value);
}

void json_number(const char *name, uint64_t value, bool first)
{
    json_name(name, first);
    printf("%llu", (unsigned long long)value);
}
