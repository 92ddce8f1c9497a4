/* net/mirrors_read.c - one file of registries.conf: its [[registry]] and [[registry.mirror]], all else passed over. */
#include "net/mirrors_parts.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "codec/toml.h"

enum { SEEN_PREFIX = 1, SEEN_LOCATION = 2, SEEN_INSECURE = 4, SEEN_BLOCKED = 8, SEEN_BY_DIGEST = 16, SEEN_USE = 32 };

typedef struct reading {
    mlr_mirrors *to;
    const char *file;
    size_t file_at;                    /* how many entries there were before */
    mlr_mirrors_entry entry;           /* the [[registry]] that is being read; file NULL: none */
    mlr_mirror *mirror;                /* of it, or NULL: its own pairs are read */
    bool is_elsewhere;                 /* in a table of something else */
    bool by_digest;                    /* mirror-by-digest-only */
    bool any_use;                      /* a mirror has a pull-from-mirror */
    unsigned seen;                     /* SEEN_* in the table that is being read */
} reading;

static int fault(const reading *r, unsigned line, const char *what, mlreg_error **err)
{
    return mlr_error_set(err, MLREG_EPROTO, "%s, line %u: %s", r->file, line, what);
}

/* ---- pairs ---- */

static int once(reading *r, const mlr_toml_item *i, unsigned bit, mlreg_error **err)
{
    if (r->seen & bit)
        return mlr_error_set(err, MLREG_EPROTO, "%s, line %u: '%s' is there twice", r->file, i->line, i->key);
    r->seen |= bit;
    return 0;
}

static int take_text(reading *r, const mlr_toml_item *i, unsigned bit, char **to, mlreg_error **err)
{
    if (i->kind != MLR_TOML_STRING)
        return mlr_error_set(err, MLREG_EPROTO, "%s, line %u: '%s' is no string", r->file, i->line, i->key);
    if ((*to = r->seen & bit ? *to : mlr_strdup(i->text)) == NULL)
        return mlr_error_nomem(err);
    return once(r, i, bit, err);
}

static int take_truth(reading *r, const mlr_toml_item *i, unsigned bit, bool *to, mlreg_error **err)
{
    if (i->kind != MLR_TOML_TRUE && i->kind != MLR_TOML_FALSE)
        return mlr_error_set(err, MLREG_EPROTO, "%s, line %u: '%s' is neither true nor false", r->file, i->line, i->key);
    *to = i->kind == MLR_TOML_TRUE;
    return once(r, i, bit, err);
}

static int take_use(reading *r, const mlr_toml_item *i, mlr_mirror_use *to, mlreg_error **err)
{
    static const char names[][12] = {"all", "digest-only", "tag-only"};

    r->any_use = true;
    for (unsigned n = 0; i->kind == MLR_TOML_STRING && n < 3; n++)
        if (strcmp(i->text, names[n]) == 0) {
            *to = (mlr_mirror_use)n;
            return once(r, i, SEEN_USE, err);
        }
    return fault(r, i->line, "'pull-from-mirror' is neither \"all\" nor \"digest-only\" nor \"tag-only\"", err);
}

static int take_for_mirror(reading *r, const mlr_toml_item *i, mlreg_error **err)
{
    if (strcmp(i->key, "location") == 0)
        return take_text(r, i, SEEN_LOCATION, &r->mirror->location, err);
    if (strcmp(i->key, "insecure") == 0)
        return take_truth(r, i, SEEN_INSECURE, &r->mirror->insecure, err);
    return strcmp(i->key, "pull-from-mirror") == 0 ? take_use(r, i, &r->mirror->use, err) : 0;
}

static int take_for_entry(reading *r, const mlr_toml_item *i, mlreg_error **err)
{
    mlr_mirrors_entry *e = &r->entry;

    if (strcmp(i->key, "prefix") == 0)
        return take_text(r, i, SEEN_PREFIX, &e->prefix, err);
    if (strcmp(i->key, "location") == 0)
        return take_text(r, i, SEEN_LOCATION, &e->location, err);
    if (strcmp(i->key, "insecure") == 0)
        return take_truth(r, i, SEEN_INSECURE, &e->insecure, err);
    if (strcmp(i->key, "blocked") == 0)
        return take_truth(r, i, SEEN_BLOCKED, &e->blocked, err);
    if (strcmp(i->key, "mirror-by-digest-only") == 0)
        return take_truth(r, i, SEEN_BY_DIGEST, &r->by_digest, err);
    if (strcmp(i->key, "pull-from-mirror") == 0)
        return fault(r, i->line, "'pull-from-mirror' is said of a mirror, in its [[registry.mirror]]", err);
    if (strncmp(i->key, "mirror", 6) == 0 && (i->key[6] == '\0' || i->key[6] == '.'))
        return fault(r, i->line, "a mirror is written as a table of its own, [[registry.mirror]]", err);
    return 0;
}

/* What would be missed if it were passed over: the list written in another way, and the format before this one. */
static int check_elsewhere(const reading *r, const mlr_toml_item *i, mlreg_error **err)
{
    bool is_list = i->kind == MLR_TOML_ARRAY && i->n > 0 && strcmp(i->key, "registries") == 0;

    if (i->table[0] == '\0' && strncmp(i->key, "registry", 8) == 0 && (i->key[8] == '\0' || i->key[8] == '.'))
        return fault(r, i->line, "a registry is written as a table of its own, [[registry]]", err);
    if (is_list && (strcmp(i->table, "registries.block") == 0 || strcmp(i->table, "registries.insecure") == 0))
        return fault(r, i->line, "this is the old format, version 1: write 'blocked' and 'insecure' into a [[registry]]",
                     err);
    return 0;
}

/* ---- tables ---- */

static int keep(reading *r, mlreg_error **err)
{
    mlr_mirrors *m = r->to;

    if (mlr_grow(&m->items, &m->cap, m->n, sizeof *m->items) < 0)
        return mlr_error_nomem(err);
    m->items[m->n++] = r->entry;
    r->entry = (mlr_mirrors_entry){0};
    return 0;
}

static int end_entry(reading *r, mlreg_error **err)
{
    int rc;

    if (r->entry.file == NULL)
        return 0;
    if (r->by_digest && r->any_use)
        return fault(r, r->entry.line, "mirror-by-digest-only and pull-from-mirror exclude each other", err);
    for (size_t i = 0; r->by_digest && i < r->entry.n; i++)
        r->entry.mirrors[i].use = MLR_MIRROR_DIGESTS;
    return (rc = mlr_mirrors_check(&r->entry, err)) < 0 ? rc : keep(r, err);
}

static int begin_entry(reading *r, unsigned line, mlreg_error **err)
{
    int rc = end_entry(r, err);

    if (rc < 0)
        return rc;
    r->entry.line = line;
    r->entry.file_at = r->file_at;
    r->entry.file = mlr_strdup(r->file);
    r->mirror = NULL;
    r->seen = 0;
    r->by_digest = r->any_use = r->is_elsewhere = false;
    return r->entry.file != NULL ? 0 : mlr_error_nomem(err);
}

static int begin_mirror(reading *r, unsigned line, mlreg_error **err)
{
    mlr_mirrors_entry *e = &r->entry;

    if (e->file == NULL)
        return fault(r, line, "a [[registry.mirror]] without a [[registry]] before it", err);
    if (mlr_grow(&e->mirrors, &e->cap, e->n, sizeof *e->mirrors) < 0)
        return mlr_error_nomem(err);
    r->mirror = &e->mirrors[e->n++];
    *r->mirror = (mlr_mirror){0};
    r->seen = 0;
    r->is_elsewhere = false;
    return 0;
}

static int take(reading *r, const mlr_toml_item *i, mlreg_error **err)
{
    bool is_entry = strcmp(i->table, "registry") == 0, is_mirror = strcmp(i->table, "registry.mirror") == 0;

    if (i->kind == MLR_TOML_ELEMENT && is_entry)
        return begin_entry(r, i->line, err);
    if (i->kind == MLR_TOML_ELEMENT && is_mirror)
        return begin_mirror(r, i->line, err);
    if (i->kind == MLR_TOML_TABLE && (is_entry || is_mirror))
        return fault(r, i->line, "this table stands in double brackets: [[registry]], [[registry.mirror]]", err);
    if (i->kind <= MLR_TOML_ELEMENT)
        r->is_elsewhere = true;
    else if (r->is_elsewhere || r->entry.file == NULL)
        return check_elsewhere(r, i, err);
    else
        return r->mirror != NULL ? take_for_mirror(r, i, err) : take_for_entry(r, i, err);
    return 0;
}

int mlr_mirrors_read(mlr_mirrors *m, const char *file, const char *text, size_t len, mlreg_error **err)
{
    reading       r = {.to = m, .file = file, .file_at = m->n};
    mlr_toml      t;
    mlr_toml_item item;
    int           rc = mlr_toml_begin(&t, file, text, len, err);

    while (rc == 0 && (rc = mlr_toml_next(&t, &item, err)) == 1)
        rc = take(&r, &item, err);
    if (rc == 0 && (rc = end_entry(&r, err)) == 0 && m->n > r.file_at)
        rc = mlr_mirrors_check_file(m->items + r.file_at, m->n - r.file_at, err);
    mlr_mirrors_entry_done(&r.entry);
    mlr_toml_done(&t);
    return rc;
}
