/* net/mirrors_check.c - whether an entry of registries.conf says something that can be done. */
#include "net/mirrors_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "net/url.h"

static int fault(const mlr_mirrors_entry *e, const char *what, const char *value, mlreg_error **err)
{
    return mlr_error_set(err, MLREG_EPROTO, "%s, line %u: the [[registry]] that begins here %s%s%s%s", e->file, e->line,
                         what, value != NULL ? " '" : "", value != NULL ? value : "", value != NULL ? "'" : "");
}

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static void trim(char *name)
{
    for (size_t len = name != NULL ? strlen(name) : 0; len > 0 && name[len - 1] == '/'; len--)
        name[len - 1] = '\0';
}

static int check_host(const char *host, size_t len, mlreg_error **err)
{
    char   *url = mlr_asprintf("https://%.*s/", (int)len, host);
    mlr_url u = {NULL, NULL, 0, NULL};
    int     rc = url != NULL ? mlr_url_parse(url, &u, err) : mlr_error_nomem(err);

    if (rc == 0 && strcmp(u.target, "/") != 0)
        rc = MLREG_EINVAL;
    mlr_url_done(&u);
    mlr_free(url);
    return rc;
}

/* "host[:port][/namespace…]", without scheme. */
static int check_location(const mlr_mirrors_entry *e, const char *what, char *location, mlreg_error **err)
{
    size_t host;
    int    rc;

    trim(location);
    if (strstr(location, "://") != NULL)
        return fault(e, "has, with a scheme, the location", location, err);
    host = strcspn(location, "/");
    if ((rc = check_host(location, host, NULL)) == 0 && strcspn(location + host, ":@?# \\") != strlen(location + host))
        rc = MLREG_EINVAL;
    return rc == MLREG_ENOMEM ? mlr_error_nomem(err) : rc < 0 ? fault(e, what, location, err) : 0;
}

static int check_mirrors(const mlr_mirrors_entry *e, mlreg_error **err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < e->n; i++) {
        if (!is_set(e->mirrors[i].location))
            return fault(e, "has a mirror without a location", NULL, err);
        rc = check_location(e, "has a mirror at no location:", e->mirrors[i].location, err);
    }
    return rc;
}

static bool is_wildcard(const char *prefix)
{
    return strncmp(prefix, "*.", 2) == 0;
}

int mlr_mirrors_check(mlr_mirrors_entry *e, mlreg_error **err)
{
    int rc;

    trim(e->prefix);
    if (e->prefix != NULL && strstr(e->prefix, "://") != NULL)
        return fault(e, "has, with a scheme, the prefix", e->prefix, err);
    if (!is_set(e->location)) {
        if (!is_set(e->prefix))
            return fault(e, "has neither a prefix nor a location", NULL, err);
        if (!is_wildcard(e->prefix))
            return fault(e, "has no location, which only a prefix like '*.example.com' does without", NULL, err);
        mlr_free(e->location);
        e->location = NULL;
    } else if ((rc = check_location(e, "has no location:", e->location, err)) < 0) {
        return rc;
    }
    if (!is_set(e->prefix)) {
        mlr_free(e->prefix);
        if ((e->prefix = mlr_strdup(e->location)) == NULL)
            return mlr_error_nomem(err);
    }
    if (strchr(is_wildcard(e->prefix) ? e->prefix + 1 : e->prefix, '*') != NULL)
        return fault(e, "has a prefix with a '*' that is not at its beginning:", e->prefix, err);
    return check_mirrors(e, err);
}

/* ---- all of a file ---- */

static const char *place_of(const mlr_mirrors_entry *e)
{
    return e->location != NULL ? e->location : e->prefix;
}

static int by_place(const void *a, const void *b)
{
    const mlr_mirrors_entry *x = *(const mlr_mirrors_entry *const *)a, *y = *(const mlr_mirrors_entry *const *)b;
    int                      order = strcmp(place_of(x), place_of(y));

    return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

static int check_pair(const mlr_mirrors_entry *first, const mlr_mirrors_entry *e, mlreg_error **err)
{
    bool        about_block = e->blocked != first->blocked, is_so = about_block ? e->blocked : e->insecure;
    const char *what = about_block ? "blocked" : "insecure";

    if (!about_block && e->insecure == first->insecure)
        return 0;
    return mlr_error_set(err, MLREG_EPROTO, "%s, line %u: the [[registry]] that begins here is %s%s, the one of line %u for '%s' is%s", e->file, e->line,
                         is_so ? "" : "not ", what, first->line, place_of(e), is_so ? " not" : "");
}

int mlr_mirrors_check_file(const mlr_mirrors_entry *items, size_t n, mlreg_error **err)
{
    const mlr_mirrors_entry **sorted = mlr_alloc_array(n, sizeof *sorted);
    int                       rc = sorted != NULL ? 0 : mlr_error_nomem(err);

    for (size_t i = 0; rc == 0 && i < n; i++)
        sorted[i] = &items[i];
    if (rc == 0 && n > 1)
        qsort(sorted, n, sizeof *sorted, by_place);
    for (size_t i = 1; rc == 0 && i < n; i++)
        if (strcmp(place_of(sorted[i - 1]), place_of(sorted[i])) == 0)
            rc = check_pair(sorted[i - 1], sorted[i], err);
    mlr_free(sorted);
    return rc;
}

void mlr_mirrors_entry_done(mlr_mirrors_entry *e)
{
    for (size_t i = 0; i < e->n; i++)
        mlr_free(e->mirrors[i].location);
    mlr_free(e->mirrors);
    mlr_free(e->prefix);
    mlr_free(e->location);
    mlr_free(e->file);
    *e = (mlr_mirrors_entry){0};
}
