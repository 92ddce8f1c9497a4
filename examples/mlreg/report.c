/* report.c - what the program says: errors with their hints, sizes for people, JSON for programs. */
#include "cli.h"

#include <stdarg.h>
#include <string.h>

/* The subject and the place are said only where the message does not name them already. */
static void say_where(const char *what, const char *where, const char *message)
{
    if (where != NULL && where[0] != '\0' && strstr(message, where) == NULL)
        fprintf(stderr, "  %s: %s\n", what, where);
}

int fail(mlreg_error *err, const char *doing)
{
    const char *message = mlreg_error_message(err);

    fprintf(stderr, "mlreg: error: cannot %s: %s\n", doing, message);
    say_where("what", mlreg_error_subject(err), message);
    say_where("where", mlreg_error_place(err), message);
    if (mlreg_error_hint(err) != NULL)
        fprintf(stderr, "  hint: %s\n", mlreg_error_hint(err));
    mlreg_error_free(err);
    return EXIT_FAILED;
}

int fail_usage(const char *hint, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "mlreg: error: ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    if (hint != NULL)
        fprintf(stderr, "  hint: %s\n", hint);
    return EXIT_USAGE;
}

void note(const cli *c, const char *format, ...)
{
    va_list args;

    if (c->quiet)
        return;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
}

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

void print_plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool c1 = c == 0xc2 && i + 1 < len && (unsigned char)text[i + 1] < 0xa0; /* U+0080 to U+009F */

        putchar(c < 0x20 || c == 0x7f || c1 ? '?' : c);
        i += c1;
    }
}

void json_string(const char *text)
{
    if (text == NULL) {
        printf("null");
        return;
    }
    putchar('"');
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            printf("\\%c", *c);
        else if (*c < 0x20)
            printf("\\u%04x", *c);
        else
            putchar(*c);
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

uint64_t artifact_bytes(const mlreg_artifact *a)
{
    uint64_t sum = mlreg_descriptor_bytes(mlreg_artifact_at(a, MLREG_PART_CONFIG, 0));

    for (size_t i = 0; i < mlreg_artifact_count(a, MLREG_PART_LAYER); i++)
        sum += mlreg_descriptor_bytes(mlreg_artifact_at(a, MLREG_PART_LAYER, i));
    return sum;
}

void print_moved(const cli *c, const char *verb, const char *name, const mlreg_artifact *a, const mlreg_stats *s)
{
    const char *digest = mlreg_descriptor_digest(mlreg_artifact_at(a, MLREG_PART_SELF, 0));
    uint64_t moved = s->bytes_done - s->bytes_reused;
    char m[32], r[32];

    if (c->json) {
        printf("{");
        json_field("reference", name, true);
        json_field("digest", digest, false);
        json_number("bytes", s->bytes_done, false);
        json_number("bytes_moved", moved, false);
        json_number("bytes_reused", s->bytes_reused, false);
        json_number("elapsed_ms", s->elapsed_ms, false);
        printf("}\n");
        return;
    }
    printf("%s %s\n  %s\n  moved %s", verb, name, digest, human(moved, m));
    if (s->bytes_reused > 0)
        printf("; %s %s there already", human(s->bytes_reused, r), s->bytes_reused == 1 ? "was" : "were");
    printf("\n");
}
