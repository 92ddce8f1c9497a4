/* model/variant_fit_platform.c - whether a variant is for this machine's system and architecture, and at which level of it. */
#include "model/variant_fit_parts.h"

#include <stdlib.h>
#include <string.h>

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
    static const char same[][2][8] = { { "x86_64", "amd64" }, { "x86-64", "amd64" }, { "aarch64", "arm64" } };

    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (strlen(same[i][0]) == *len && strncmp(same[i][0], arch, *len) == 0) {
            *len = strlen(same[i][1]);
            return same[i][1];
        }
    return arch;
}

/* The number in "v8"; what has none is the least of its kind. */
static unsigned long level(const char *arch, size_t arch_len, const char *variant)
{
    if (variant != NULL && variant[0] == 'v')
        return strtoul(variant + 1, NULL, 10);
    return mlr_fit_is_same(arch, arch_len, "arm64", 5) ? 8 : mlr_fit_is_same(arch, arch_len, "arm", 3) ? 7 : 1;
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

bool mlr_fit_is_elsewhere(const mlr_wish *w)
{
    platform p = wanted(w);

    return !mlr_fit_is_same(p.os, p.os_len, w->host->os, strlen(w->host->os)) || !mlr_fit_is_same(p.arch, p.arch_len, w->host->arch, strlen(w->host->arch));
}

bool mlr_fit_platform(const mlr_wish *w, mlr_candidate *c)
{
    const char *text = c->variant.entry->platform;
    platform p, want = wanted(w);

    if (text == NULL)
        return true;
    p = split(text);
    p.arch = arch_name(p.arch, &p.arch_len);
    c->rank[MLR_BY_PLATFORM] = 1 + (p.variant[0] != '\0' ? level(p.arch, p.arch_len, p.variant) : 0);
    if (mlr_fit_is_same(p.os, p.os_len, "unknown", 7))
        return mlr_fit_lacks(c, "is no variant, but something about one");
    if (!mlr_fit_is_same(p.os, p.os_len, want.os, want.os_len) || !mlr_fit_is_same(p.arch, p.arch_len, want.arch, want.arch_len))
        return mlr_fit_lacks(c, "is for %.60s", text);
    if (w->platform != NULL && want.variant[0] == '\0')
        return true;
    if (level(p.arch, p.arch_len, p.variant) > level(want.arch, want.arch_len, want.variant))
        return mlr_fit_lacks(c, "is for %.60s, a higher level than %s", text, want.variant[0] != '\0' ? want.variant : "this machine's");
    return true;
}
