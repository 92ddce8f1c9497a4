/* model/variant_fit.c - whether a variant runs on a machine, what is missing if not, and how well it uses what the machine has. */
#include "model/variant_fit_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- for all of the room ---- */

bool mlr_fit_lacks(mlr_candidate *c, const char *format, ...)
{
    va_list args;

    if (c->why[0] == '\0') {
        va_start(args, format);
        vsnprintf(c->why, sizeof c->why, format, args);
        va_end(args);
    }
    return false;
}

static const char blanks[] = " ,";

size_t mlr_fit_word(const char **at)
{
    *at += strspn(*at, blanks);
    return strcspn(*at, blanks);
}

bool mlr_fit_is_same(const char *a, size_t a_len, const char *b, size_t b_len)
{
    return a_len == b_len && strncmp(a, b, a_len) == 0;
}

uint64_t mlr_fit_version(const char *text)
{
    char *end;
    uint64_t major = strtoul(text, &end, 10);

    return major * 1000 + (*end == '.' ? strtoul(end + 1, NULL, 10) : 0);
}

/* ---- CPU features and precision ---- */

/* "avx-512", "AVX512" and "avx512f" are one, and so are "amx-tile" and "amx_tile": letters and digits count. */
static bool is_feature(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t i = 0, j = 0;

    for (;; i++, j++) {
        while (i < a_len && strchr("-_.", a[i]) != NULL)
            i++;
        while (j < b_len && strchr("-_.", b[j]) != NULL)
            j++;
        if (i >= a_len || j >= b_len)
            return i >= a_len && j >= b_len;
        if ((a[i] | 0x20) != (b[j] | 0x20))
            return false;
    }
}

static bool has_feature(const char *features, const char *name, size_t len)
{
    static const char whole[][2][8] = { { "avx512", "avx512f" }, { "amx", "amxtile" } };
    size_t n;

    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (is_feature(name, len, whole[i][0], strlen(whole[i][0]))) {
            name = whole[i][1];
            len = strlen(name);
        }
    for (const char *at = features; (n = mlr_fit_word(&at)) > 0; at += n)
        if (is_feature(at, n, name, len))
            return true;
    return false;
}

static bool fits_cpu(const mlr_wish *w, mlr_candidate *c)
{
    size_t n;

    for (const char *at = c->variant.cpu != NULL ? c->variant.cpu : ""; (n = mlr_fit_word(&at)) > 0; at += n) {
        if (mlr_fit_is_elsewhere(w) || !has_feature(w->host->cpu, at, n))
            return mlr_fit_lacks(c, "needs the CPU's %.*s", (int)(n < 60 ? n : 60), at);
        c->rank[MLR_BY_CPU]++;
    }
    return true;
}

/* Bits of a weight: the first number in "bf16", "Q4_K_M", "int8". Without a wish more of them are better, for they fit. */
static uint64_t bits(const char *precision)
{
    return precision != NULL ? strtoul(precision + strcspn(precision, "0123456789"), NULL, 10) : 0;
}

static void rank_precision(const mlr_wish *w, mlr_candidate *c)
{
    uint64_t place = 1000;
    size_t n;

    c->rank[MLR_BY_PRECISION] = bits(c->variant.precision);
    for (const char *at = w->precision != NULL ? w->precision : ""; (n = mlr_fit_word(&at)) > 0; at += n, place--)
        if (c->variant.precision != NULL && c->rank[MLR_BY_WISHED_PRECISION] == 0 && is_feature(at, n, c->variant.precision, strlen(c->variant.precision)))
            c->rank[MLR_BY_WISHED_PRECISION] = place;
}

/* ---- all of it ---- */

void mlr_variant_judge(const mlr_wish *w, mlr_candidate *c)
{
    const mlr_variant *v = &c->variant;
    bool runs, is_right_platform;

    memset(c->rank, 0, sizeof c->rank);
    c->why[0] = '\0';
    is_right_platform = mlr_fit_platform(w, c);
    runs = mlr_fit_accelerator(w, c) && is_right_platform;
    runs = fits_cpu(w, c) && runs;
    rank_precision(w, c);
    c->rank[MLR_BY_RUNTIME] = v->runtime != NULL ? mlr_fit_version(v->runtime) : 0;
    c->rank[MLR_BY_MEMORY] = v->memory_bytes;
    c->rank[MLR_BY_NAME_ALONE] = runs;
    c->fits = runs;
    if (w->name == NULL)
        return;
    if (v->name == NULL || strcmp(v->name, w->name) != 0) {
        snprintf(c->why, sizeof c->why, "is not called %.64s", w->name);
        c->fits = false;
    } else {
        c->fits = w->platform == NULL || is_right_platform; /* whoever names it knows why */
    }
}
