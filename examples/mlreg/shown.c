/* shown.c - how the program and its server show what they have: digests, sizes, and characters that strangers wrote. */
#include "shown.h"

#include <stdio.h>

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

const char *digest_of(const mlreg_artifact *a)
{
    return mlreg_descriptor_digest(mlreg_artifact_at(a, MLREG_PART_SELF, 0));
}

uint64_t artifact_bytes(const mlreg_artifact *a)
{
    uint64_t sum = mlreg_descriptor_bytes(mlreg_artifact_at(a, MLREG_PART_CONFIG, 0));

    for (size_t i = 0; i < mlreg_artifact_count(a, MLREG_PART_LAYER); i++)
        sum += mlreg_descriptor_bytes(mlreg_artifact_at(a, MLREG_PART_LAYER, i));
    return sum;
}

size_t utf8_length(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;                      /* overlong, a surrogate, past the last code point */
    return n;
}

size_t shown_length(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    return *s < 0x20 || *s == 0x7f || (*s == 0xc2 && s[1] < 0xa0) ? 0 : utf8_length(text);
}

void write_text(FILE *to, const char *text)
{
    for (size_t n; *text != '\0'; text += n > 0 ? n : 1) {
        n = shown_length(text);
        fwrite(n > 0 ? text : "?", 1, n > 0 ? n : 1, to);
    }
}
