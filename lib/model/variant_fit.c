/* model/variant_fit.c - whether a variant runs on a machine, what is missing if not, and how well it uses what the machine has. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "model/variant.h"

/* What a candidate is compared by, from the left. */
enum { BY_NAME_ALONE, BY_ACCELERATOR, BY_WISHED_PRECISION, BY_COMPUTE, BY_RUNTIME, BY_PLATFORM, BY_CPU, BY_PRECISION, BY_MEMORY };

static const char blanks[] = " ,";

static size_t word(const char **at)
{
    *at += strspn(*at, blanks);
    return strcspn(*at, blanks);
}

/* The first reason is enough for a line; all of them would hide it. */
static bool lacks(mlr_candidate *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool lacks(mlr_candidate *c, const char *format, ...)
{
    va_list args;

    if (c->why[0] == '\0') {
        va_start(args, format);
        vsnprintf(c->why, sizeof c->why, format, args);
        va_end(args);
    }
    return false;
}

/* ---- platform ---- */

typedef struct platform { const char *os, *arch, *variant; size_t os_len, arch_len; } platform; /* variant "" if none */

static platform split(const char *text)
{
    platform p = { .os = text, .os_len = strcspn(text, "/") };

    p.arch = text + p.os_len + (text[p.os_len] == '/');
    p.arch_len = strcspn(p.arch, "/");
    p.variant = p.arch + p.arch_len + (p.arch[p.arch_len] == '/');
    return p;
}

static const char *arch_name(const char *arch, size_t *len)
{
    static const char *const same[][2] = { { "x86_64", "amd64" }, { "x86-64", "amd64" }, { "aarch64", "arm64" } };

    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (strlen(same[i][0]) == *len && strncmp(same[i][0], arch, *len) == 0) {
            *len = strlen(same[i][1]);
            return same[i][1];
        }
    return arch;
}

static bool is_same(const char *a, size_t a_len, const char *b, size_t b_len)
{
    return a_len == b_len && strncmp(a, b, a_len) == 0;
}

/* The number in "v8"; what has none is the least of its kind. */
static unsigned long level(const char *arch, size_t arch_len, const char *variant)
{
    if (variant != NULL && variant[0] == 'v')
        return strtoul(variant + 1, NULL, 10);
    return is_same(arch, arch_len, "arm64", 5) ? 8 : is_same(arch, arch_len, "arm", 3) ? 7 : 1;
}

/* What the machine is taken for: itself, or what was asked for in its place. */
static platform wanted(const mlr_wish *w)
{
    platform p;

    if (w->platform != NULL) {
        p = split(w->platform);
        p.arch = arch_name(p.arch, &p.arch_len);
        return p;
    }
    return (platform){ w->host->os, w->host->arch, w->host->arch_variant != NULL ? w->host->arch_variant : "", strlen(w->host->os), strlen(w->host->arch) };
}

/* Another architecture's features and devices are not this machine's. */
static bool is_elsewhere(const mlr_wish *w)
{
    platform p = wanted(w);

    return !is_same(p.os, p.os_len, w->host->os, strlen(w->host->os)) || !is_same(p.arch, p.arch_len, w->host->arch, strlen(w->host->arch));
}

static bool fits_platform(const mlr_wish *w, mlr_candidate *c)
{
    const char *text = c->variant.entry->platform;
    platform p, want = wanted(w);

    if (text == NULL)
        return true;
    p = split(text);
    p.arch = arch_name(p.arch, &p.arch_len);
    c->rank[BY_PLATFORM] = 1 + (p.variant[0] != '\0' ? level(p.arch, p.arch_len, p.variant) : 0);
    if (is_same(p.os, p.os_len, "unknown", 7))
        return lacks(c, "is no variant, but something about one");
    if (!is_same(p.os, p.os_len, want.os, want.os_len) || !is_same(p.arch, p.arch_len, want.arch, want.arch_len))
        return lacks(c, "is for %.60s", text);
    if (w->platform != NULL && want.variant[0] == '\0')
        return true;
    if (level(p.arch, p.arch_len, p.variant) > level(want.arch, want.arch_len, want.variant))
        return lacks(c, "is for %.60s, a higher level than %s", text, want.variant[0] != '\0' ? want.variant : "this machine's");
    return true;
}

/* ---- versions ---- */

static int compare_versions(const char *a, const char *b)
{
    while (*a != '\0' || *b != '\0') {
        char *a_end, *b_end;
        unsigned long x = strtoul(a, &a_end, 10), y = strtoul(b, &b_end, 10);

        if (x != y)
            return x < y ? -1 : 1;
        if (a_end == a && b_end == b)
            return 0;
        a = a_end + (*a_end == '.');
        b = b_end + (*b_end == '.');
    }
    return 0;
}

static uint64_t version_number(const char *text)
{
    char *end;
    uint64_t major = strtoul(text, &end, 10);

    return major * 1000 + (*end == '.' ? strtoul(end + 1, NULL, 10) : 0);
}

/* ---- accelerators ---- */

static bool is_listed(const char *list, const char *kind)
{
    size_t n;

    for (const char *at = list; (n = word(&at)) > 0; at += n) {
        const char *known = mlr_variant_known_kind(at, n);

        if (is_same(known != NULL ? known : at, known != NULL ? strlen(known) : n, kind, strlen(kind)))
            return true;
    }
    return false;
}

static const char *own_kind(const mlr_accelerator *a)
{
    return mlr_variant_kind(a->kind, strlen(a->kind));
}

/* The most demanding number in the list that the device fulfils, or any target in it that is the device's; 0: none is. */
static uint64_t computes(const char *list, const mlr_accelerator *a)
{
    uint64_t best = 0;
    size_t n;

    for (const char *at = list; a->compute != NULL && (n = word(&at)) > 0; at += n) {
        bool is_number = *at >= '0' && *at <= '9' && a->compute[0] >= '0' && a->compute[0] <= '9';
        uint64_t asked = version_number(at);

        if (is_number && version_number(a->compute) >= asked && 1 + asked > best)
            best = 1 + asked;
        if (!is_number && is_same(at, n, a->compute, strlen(a->compute)))
            best = UINT32_MAX;
    }
    return best;
}

static bool device_fits(mlr_candidate *c, const mlr_accelerator *a)
{
    const mlr_variant *v = &c->variant;
    uint64_t computed = v->compute != NULL ? computes(v->compute, a) : 0;

    if (v->compute != NULL && computed == 0)
        return lacks(c, "needs compute %.60s, and %.40s has %.20s", v->compute, a->name != NULL ? a->name : a->kind, a->compute != NULL ? a->compute : "nobody knows what");
    if (v->driver != NULL && (a->driver == NULL || compare_versions(a->driver, v->driver) < 0))
        return lacks(c, "needs driver %.40s, there is %.40s", v->driver, a->driver != NULL ? a->driver : "one of unknown version");
    if (v->runtime != NULL && (a->runtime == NULL || compare_versions(a->runtime, v->runtime) < 0))
        return lacks(c, "needs runtime %.40s, the driver has %.40s", v->runtime, a->runtime != NULL ? a->runtime : "one of unknown version");
    if (computed > c->rank[BY_COMPUTE])
        c->rank[BY_COMPUTE] = computed;
    return true;
}

static bool fits_memory(mlr_candidate *c, uint64_t has, bool is_known, const char *whose)
{
    double need = (double)c->variant.memory_bytes / 1e9;

    if (c->variant.memory_bytes <= has || !is_known)
        return true;
    return lacks(c, "needs %.1f GB of %s memory, there are %.1f", need, whose, (double)has / 1e9);
}

static bool may_use_devices(const mlr_wish *w)
{
    return (w->accelerator == NULL || strcmp(mlr_variant_kind(w->accelerator, strlen(w->accelerator)), "none") != 0) && !is_elsewhere(w);
}

/* All devices that fit serve together; a model is spread over them. */
static bool fits_devices(const mlr_wish *w, mlr_candidate *c)
{
    uint64_t memory = 0;
    bool found = false, is_known = true;
    char before[MLR_WHY_BYTES];

    memcpy(before, c->why, sizeof before);
    for (size_t i = 0; may_use_devices(w) && i < w->host->n; i++) {
        const mlr_accelerator *a = &w->host->accelerators[i];

        if (!is_listed(c->variant.accelerator, own_kind(a)) || !device_fits(c, a))
            continue;
        found = true;
        memory += a->memory_bytes;
        is_known = is_known && a->memory_bytes > 0;
    }
    if (!found)
        return lacks(c, "needs %.40s, %s", c->variant.accelerator, may_use_devices(w) ? "and no such device is here" : "which is not to be used");
    memcpy(c->why, before, sizeof before); /* that another device does not fit matters no more */
    c->rank[BY_ACCELERATOR] = 1;
    return fits_memory(c, memory, is_known, "accelerator");
}

static bool fits_host_memory(const mlr_wish *w, mlr_candidate *c)
{
    uint64_t devices = 0;

    for (size_t i = 0; c->variant.accelerator == NULL && may_use_devices(w) && i < w->host->n; i++)
        devices += w->host->accelerators[i].memory_bytes;
    return fits_memory(c, devices > w->host->memory_bytes ? devices : w->host->memory_bytes, w->host->memory_bytes > 0, "the machine's");
}

static bool fits_accelerator(const mlr_wish *w, mlr_candidate *c)
{
    const char *needs = c->variant.accelerator;
    const char *asked = w->accelerator != NULL ? mlr_variant_kind(w->accelerator, strlen(w->accelerator)) : NULL;
    bool needs_none = needs == NULL || is_listed(needs, "none");

    if (asked != NULL && strcmp(asked, "none") != 0 && (needs == NULL || !is_listed(needs, asked)))
        return lacks(c, "is not for %.40s", asked);
    return needs_none ? fits_host_memory(w, c) : fits_devices(w, c);
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
    static const char *const whole[][2] = { { "avx512", "avx512f" }, { "amx", "amxtile" } };
    size_t n;

    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (is_feature(name, len, whole[i][0], strlen(whole[i][0]))) {
            name = whole[i][1];
            len = strlen(name);
        }
    for (const char *at = features; (n = word(&at)) > 0; at += n)
        if (is_feature(at, n, name, len))
            return true;
    return false;
}

static bool fits_cpu(const mlr_wish *w, mlr_candidate *c)
{
    size_t n;

    for (const char *at = c->variant.cpu != NULL ? c->variant.cpu : ""; (n = word(&at)) > 0; at += n) {
        if (is_elsewhere(w) || !has_feature(w->host->cpu, at, n))
            return lacks(c, "needs the CPU's %.*s", (int)(n < 60 ? n : 60), at);
        c->rank[BY_CPU]++;
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

    c->rank[BY_PRECISION] = bits(c->variant.precision);
    for (const char *at = w->precision != NULL ? w->precision : ""; (n = word(&at)) > 0; at += n, place--)
        if (c->variant.precision != NULL && c->rank[BY_WISHED_PRECISION] == 0 && is_feature(at, n, c->variant.precision, strlen(c->variant.precision)))
            c->rank[BY_WISHED_PRECISION] = place;
}

/* ---- all of it ---- */

void mlr_variant_judge(const mlr_wish *w, mlr_candidate *c)
{
    const mlr_variant *v = &c->variant;
    bool runs, is_right_platform;

    memset(c->rank, 0, sizeof c->rank);
    c->why[0] = '\0';
    is_right_platform = fits_platform(w, c);
    runs = fits_accelerator(w, c) && is_right_platform;
    runs = fits_cpu(w, c) && runs;
    rank_precision(w, c);
    c->rank[BY_RUNTIME] = v->runtime != NULL ? version_number(v->runtime) : 0;
    c->rank[BY_MEMORY] = v->memory_bytes;
    c->rank[BY_NAME_ALONE] = runs;
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
