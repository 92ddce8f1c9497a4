/* net/mirrors.c - where to read instead: the entry of registries.conf that fits, and the places that it names. */
#include "net/mirrors_parts.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "net/url.h"

void mlr_mirrors_free(mlr_mirrors *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->n; i++)
        mlr_mirrors_entry_done(&m->items[i]);
    mlr_free(m->items);
    mlr_free(m);
}

/* ---- which entry ---- */

/* What a name may go on with behind a prefix. A bare host's prefix is not that of its ports. */
static bool is_boundary(char c, bool in_host)
{
    return c == '\0' || c == '/' || (!in_host && (c == ':' || c == '@'));
}

/* "*.example.com", or what more may stand behind it: how much of `name` ends there, or 0. The '*' is of the host. */
static size_t match_subdomain(const char *prefix, const char *name)
{
    const char *suffix = prefix + 1, *host_end = name + strcspn(name, ":/");
    size_t      len = strlen(suffix);

    for (const char *at = strstr(name + 1, suffix); at != NULL && at < host_end; at = strstr(at + 1, suffix))
        if (is_boundary(at[len], false))
            return (size_t)(at - name) + len;
    return 0;
}

/* How much of "host/repo:tag" the prefix stands for, or 0. */
static size_t match(const char *prefix, const char *name)
{
    size_t len = strlen(prefix);

    if (strncmp(prefix, "*.", 2) == 0)
        return match_subdomain(prefix, name);
    return strncmp(name, prefix, len) == 0 && is_boundary(name[len], strchr(prefix, '/') == NULL) ? len : 0;
}

/* The longest prefix counts, as it is written; of equals the one without a '*', else the last file's first. */
static bool is_closer(const mlr_mirrors_entry *e, const mlr_mirrors_entry *than)
{
    size_t a = strlen(e->prefix), b = strlen(than->prefix);
    bool   is_wild = e->prefix[0] == '*', was_wild = than->prefix[0] == '*';

    if (a != b)
        return a > b;
    return is_wild != was_wild ? was_wild : e->file_at > than->file_at;
}

static const mlr_mirrors_entry *find(const mlr_mirrors *m, const char *name, size_t *matched)
{
    const mlr_mirrors_entry *best = NULL;

    for (size_t i = 0; i < m->n; i++) {
        const mlr_mirrors_entry *e = &m->items[i];
        size_t                   n = match(e->prefix, name);

        if (n > 0 && (best == NULL || is_closer(e, best))) {
            best = e;
            *matched = n;
        }
    }
    return best;
}

/* ---- what it names ---- */

/* The rule of mlreg_name_parse: this machine is spoken to by http, all others by https. */
static int url_of(const char *host, size_t len, char **out, bool *is_here)
{
    char   *text = mlr_asprintf("https://%.*s", (int)len, host);
    mlr_url u = {NULL, NULL, 0, NULL};
    int     rc = text != NULL ? mlr_url_parse(text, &u, NULL) : MLREG_ENOMEM;

    *is_here = rc == 0 && mlr_url_is_loopback(&u);
    mlr_url_done(&u);
    if (rc == 0 && *is_here) {
        mlr_free(text);
        text = mlr_asprintf("http://%.*s", (int)len, host);
    }
    *out = text;
    return rc == 0 && text == NULL ? MLREG_ENOMEM : rc;
}

/* `url` is taken over; NULL: the registry itself. */
static int add(mlr_sources *s, char *url, const char *repo, bool plain_http, mlreg_error **err)
{
    mlr_source *more = mlr_realloc_array(s->items, s->n + 1, sizeof *more);
    char       *copy = mlr_strdup(repo);

    if (more != NULL)
        s->items = more;
    if (more == NULL || copy == NULL) {
        mlr_free(url);
        mlr_free(copy);
        return mlr_error_nomem(err);
    }
    s->items[s->n++] = (mlr_source){url, copy, plain_http};
    return 0;
}

static int no_repository(const mlr_mirrors_entry *e, const char *name, mlreg_error **err)
{
    return mlr_error_set(err, MLREG_EPROTO, "%s, line %u: the [[registry]] that begins here makes a repository of %s", e->file, e->line, name);
}

/* An insecure place is asked by https first, then by http. */
static int add_place(mlr_sources *s, const mlr_mirrors_entry *e, const char *name, bool insecure, mlreg_error **err)
{
    size_t host = strcspn(name, "/");
    char  *url = NULL, *plain;
    bool   is_here;
    int    rc;

    if (name[host] == '\0' || name[host + 1] == '\0' || strchr(name + host, ':') != NULL)
        return no_repository(e, name, err);
    if ((rc = url_of(name, host, &url, &is_here)) < 0) {
        mlr_free(url);
        return rc == MLREG_ENOMEM ? mlr_error_nomem(err) : no_repository(e, name, err);
    }
    if ((rc = add(s, url, name + host + 1, false, err)) < 0 || !insecure || is_here)
        return rc;
    if ((plain = mlr_asprintf("http://%.*s", (int)host, name)) == NULL)
        return mlr_error_nomem(err);
    return add(s, plain, name + host + 1, true, err);
}

static int add_rewritten(mlr_sources *s, const mlr_mirrors_entry *e, const char *location, const char *rest,
                         bool insecure, mlreg_error **err)
{
    char *name = mlr_asprintf("%s%s", location, rest);
    int   rc = name != NULL ? add_place(s, e, name, insecure, err) : mlr_error_nomem(err);

    mlr_free(name);
    return rc;
}

/* The registry itself goes last: where `location` says, or where it always was. */
static int add_own(mlr_sources *s, const mlr_mirrors_entry *e, const char *name, const char *rest, mlreg_error **err)
{
    size_t before = strlen(name) - strlen(rest);

    if (e->location == NULL || (strlen(e->location) == before && strncmp(e->location, name, before) == 0))
        return add(s, NULL, strchr(name, '/') + 1, false, err);
    return add_rewritten(s, e, e->location, rest, e->insecure, err);
}

/* pull-from-mirror is about what names mean; blobs are what their digest says wherever they come from. */
static bool serves(const mlr_mirror *m, const char *word)
{
    return m->use == MLR_MIRROR_ALL || word[0] == '\0' || (word[0] == ':') == (m->use == MLR_MIRROR_TAGS);
}

static int add_all(mlr_sources *s, const mlr_mirrors_entry *e, const char *name, const char *rest, const char *word,
                   mlreg_error **err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < e->n; i++)
        if (serves(&e->mirrors[i], word))
            rc = add_rewritten(s, e, e->mirrors[i].location, rest, e->mirrors[i].insecure, err);
    return rc < 0 ? rc : add_own(s, e, name, rest, err);
}

static int refuse(const mlr_mirrors_entry *e, const char *name, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_EPOLICY, "%s is blocked by %s, line %u", name, e->file, e->line);

    return mlr_error_hint(err, rc, "whoever looks after that file wants '%s' not to be used", e->prefix);
}

int mlr_mirrors_allow(const mlr_mirrors *m, const char *host, const char *repo, const char *word, mlreg_error **err)
{
    char                    *full = mlr_asprintf("%s/%s%s", host, repo, word);
    const mlr_mirrors_entry *e = NULL;
    size_t                   n = 0;
    int                      rc = full != NULL ? 0 : mlr_error_nomem(err);

    if (rc == 0 && (e = find(m, full, &n)) != NULL && e->blocked)
        rc = refuse(e, full, err);
    mlr_free(full);
    return rc;
}

int mlr_mirrors_choose(const mlr_mirrors *m, const char *host, const char *repo, const char *word, mlr_sources *out,
                       mlreg_error **err)
{
    char                    *name = mlr_asprintf("%s/%s", host, repo), *full = mlr_asprintf("%s/%s%s", host, repo, word);
    const mlr_mirrors_entry *e = NULL;
    mlr_sources              s = {NULL, 0};
    size_t                   n = 0;
    int                      rc = 0;

    if (name == NULL || full == NULL)
        rc = mlr_error_nomem(err);
    else if ((e = find(m, full, &n)) != NULL)
        rc = e->blocked ? refuse(e, name, err) : add_all(&s, e, name, n < strlen(name) ? name + n : "", word, err);
    if (rc < 0)
        mlr_sources_done(&s);
    *out = s;
    mlr_free(name);
    mlr_free(full);
    return rc;
}

void mlr_sources_done(mlr_sources *s)
{
    for (size_t i = 0; i < s->n; i++) {
        mlr_free(s->items[i].url);
        mlr_free(s->items[i].repo);
    }
    mlr_free(s->items);
    *s = (mlr_sources){NULL, 0};
}
