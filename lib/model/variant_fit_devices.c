/* model/variant_fit_devices.c - whether a machine's accelerators, and their memory or its own, carry a variant. */
#include "model/variant_fit_parts.h"

#include <stdlib.h>
#include <string.h>

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

static bool is_listed(const char *list, const char *kind)
{
    size_t n;

    for (const char *at = list; (n = mlr_fit_word(&at)) > 0; at += n) {
        const char *known = mlr_variant_known_kind(at, n);

        if (mlr_fit_is_same(known != NULL ? known : at, known != NULL ? strlen(known) : n, kind, strlen(kind)))
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

    for (const char *at = list; a->compute != NULL && (n = mlr_fit_word(&at)) > 0; at += n) {
        bool is_number = *at >= '0' && *at <= '9' && a->compute[0] >= '0' && a->compute[0] <= '9';
        uint64_t asked = mlr_fit_version(at);

        if (is_number && mlr_fit_version(a->compute) >= asked && 1 + asked > best)
            best = 1 + asked;
        if (!is_number && mlr_fit_is_same(at, n, a->compute, strlen(a->compute)))
            best = UINT32_MAX;
    }
    return best;
}

static bool device_fits(mlr_candidate *c, const mlr_accelerator *a)
{
    const mlr_variant *v = &c->variant;
    uint64_t computed = v->compute != NULL ? computes(v->compute, a) : 0;

    if (v->compute != NULL && computed == 0)
        return mlr_fit_lacks(c, "needs compute %.60s, and %.40s has %.20s", v->compute, a->name != NULL ? a->name : a->kind, a->compute != NULL ? a->compute : "nobody knows what");
    if (v->driver != NULL && (a->driver == NULL || compare_versions(a->driver, v->driver) < 0))
        return mlr_fit_lacks(c, "needs driver %.40s, there is %.40s", v->driver, a->driver != NULL ? a->driver : "one of unknown version");
    if (v->runtime != NULL && (a->runtime == NULL || compare_versions(a->runtime, v->runtime) < 0))
        return mlr_fit_lacks(c, "needs runtime %.40s, the driver has %.40s", v->runtime, a->runtime != NULL ? a->runtime : "one of unknown version");
    if (computed > c->rank[MLR_BY_COMPUTE])
        c->rank[MLR_BY_COMPUTE] = computed;
    return true;
}

static bool fits_memory(mlr_candidate *c, uint64_t has, bool is_known, const char *whose)
{
    double need = (double)c->variant.memory_bytes / 1e9;

    if (c->variant.memory_bytes <= has || !is_known)
        return true;
    return mlr_fit_lacks(c, "needs %.1f GB of %s memory, there are %.1f", need, whose, (double)has / 1e9);
}

static bool may_use_devices(const mlr_wish *w)
{
    return (w->accelerator == NULL || strcmp(mlr_variant_kind(w->accelerator, strlen(w->accelerator)), "none") != 0) && !mlr_fit_is_elsewhere(w);
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
        return mlr_fit_lacks(c, "needs %.40s, %s", c->variant.accelerator, may_use_devices(w) ? "and no such device is here" : "which is not to be used");
    memcpy(c->why, before, sizeof before); /* that another device does not fit matters no more */
    c->rank[MLR_BY_ACCELERATOR] = 1;
    return fits_memory(c, memory, is_known, "accelerator");
}

static bool fits_host_memory(const mlr_wish *w, mlr_candidate *c)
{
    uint64_t devices = 0;

    for (size_t i = 0; c->variant.accelerator == NULL && may_use_devices(w) && i < w->host->n; i++)
        devices += w->host->accelerators[i].memory_bytes;
    return fits_memory(c, devices > w->host->memory_bytes ? devices : w->host->memory_bytes, w->host->memory_bytes > 0, "the machine's");
}

bool mlr_fit_accelerator(const mlr_wish *w, mlr_candidate *c)
{
    const char *needs = c->variant.accelerator;
    const char *asked = w->accelerator != NULL ? mlr_variant_kind(w->accelerator, strlen(w->accelerator)) : NULL;
    bool needs_none = needs == NULL || is_listed(needs, "none");

    if (asked != NULL && strcmp(asked, "none") != 0 && (needs == NULL || !is_listed(needs, asked)))
        return mlr_fit_lacks(c, "is not for %.40s", asked);
    return needs_none ? fits_host_memory(w, c) : fits_devices(w, c);
}
