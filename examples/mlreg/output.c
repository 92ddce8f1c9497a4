/* output.c - data on stdout: texts for people, JSON for programs. */
#include "cli.h"

#include <string.h>

void print_text(const char *text)
{
    write_text(stdout, text != NULL ? text : "-");
}

/* Stray bytes, as a path may have them, become U+FFFD: JSON is UTF-8. */
void json_string(const char *text)
{
    if (text == NULL) {
        printf("null");
        return;
    }
    putchar('"');
    for (const unsigned char *s = (const unsigned char *)text; *s != '\0';) {
        size_t n = utf8_length((const char *)s);

        if (n == 0)
            printf("\\ufffd");
        else if (*s == '"' || *s == '\\')
            printf("\\%c", *s);
        else if (*s < 0x20 || *s == 0x7f)
            printf("\\u%04x", *s);
        else
            fwrite(s, 1, n, stdout);
        s += n > 0 ? n : 1;
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
