/* output.c - data on stdout: sizes and texts for people, JSON for programs. */
#include "cli.h"

#include <string.h>

const char *human(uint64_t bytes, char out[32])
{
    static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB" };
    double x = (double)bytes;
    size_t unit = 0;

    while (x >= 999.5 && unit < 5) {
        x /= 1000;
        unit++;
    }
    snprintf(out, 32, unit == 0 || x >= 99.5 ? "%.0f %s" : "%.1f %s", x, units[unit]);
    return out;
}

uint64_t artifact_bytes(const mlreg_artifact *a)
{
    uint64_t sum = mlreg_descriptor_bytes(mlreg_artifact_at(a, MLREG_PART_CONFIG, 0));

    for (size_t i = 0; i < mlreg_artifact_count(a, MLREG_PART_LAYER); i++)
        sum += mlreg_descriptor_bytes(mlreg_artifact_at(a, MLREG_PART_LAYER, i));
    return sum;
}

/* The length of the UTF-8 sequence at `s`, which ends in a zero byte; 0 if it is none. */
static int utf8_length(const unsigned char *s)
{
    int n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

    for (int i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;                      /* overlong, a surrogate, past the last code point */
    return n;
}

/* Control characters, of both ranges, and stray bytes become '?'. */
void write_text(FILE *to, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    while (*s != '\0') {
        int n = utf8_length(s);

        if (n == 0 || *s < 0x20 || *s == 0x7f || (*s == 0xc2 && s[1] < 0xa0))
            putc('?', to);
        else
            fwrite(s, 1, (size_t)n, to);
        s += n > 0 ? n : 1;
    }
}

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
        int n = utf8_length(s);

        if (n == 0)
            printf("\\ufffd");
        else if (*s == '"' || *s == '\\')
            printf("\\%c", *s);
        else if (*s < 0x20 || *s == 0x7f)
            printf("\\u%04x", *s);
        else
            fwrite(s, 1, (size_t)n, stdout);
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
