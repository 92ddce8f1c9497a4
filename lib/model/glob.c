/* model/glob.c - patterns that choose files: '*' and '?' within a component, '**' across. */
#include "model/glob.h"

#include <string.h>

/* A star is remembered with the place it was tried at, and tried one further on a mismatch; a later star replaces an
 * earlier one of the same kind, so there is a try for each place at most, and two for each pair of places. */
struct star { const char *pattern, *path; bool by_component; };

static bool retry(struct star *s, bool across, const char **p, const char **t)
{
    const char *slash = s->pattern != NULL && s->by_component ? strchr(s->path, '/') : NULL;

    if (s->pattern == NULL || *s->path == '\0' || (!across && *s->path == '/') || (s->by_component && slash == NULL))
        return false;
    s->path = s->by_component ? slash + 1 : s->path + 1;
    *p = s->pattern;
    *t = s->path;
    return true;
}

/* What stands behind "**" and a slash begins a component; at the pattern's end there is nothing that could. */
static bool is_by_component(const char *pattern, const char *stars)
{
    return stars[2] == '/' && stars[3] != '\0' && (stars == pattern || stars[-1] == '/');
}

static bool whole(const char *pattern, const char *t)
{
    struct star one = { 0 }, two = { 0 };
    const char *p = pattern;

    while (*t || *p) {
        if (p[0] == '*' && p[1] == '*') {
            bool by_component = is_by_component(pattern, p);

            p += by_component || (p[2] == '/' && p[3] == '\0') ? 3 : 2;
            two = (struct star){ p, t, by_component };
            one = (struct star){ 0 };
        } else if (*p == '*') {
            one = (struct star){ ++p, t, false };
        } else if (*t && *p && ((*p == '?' && *t != '/') || *p == *t)) {
            p++, t++;
        } else if (!retry(&one, false, &p, &t)) {
            one = (struct star){ 0 };
            if (!retry(&two, true, &p, &t))
                return false;
        }
    }
    return true;
}

bool mlr_glob_match(const char *pattern, const char *path)
{
    const char *last = strrchr(path, '/');

    if (strchr(pattern, '/') == NULL && last != NULL)
        path = last + 1;
    return whole(pattern, path);
}

static bool any(const char *const *patterns, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++)
        if (mlr_glob_match(patterns[i], path))
            return true;
    return false;
}

bool mlr_glob_selected(const mlr_checkout *how, const char *path)
{
    if (how->n_include > 0 && !any(how->include, how->n_include, path))
        return false;
    return !any(how->exclude, how->n_exclude, path);
}
