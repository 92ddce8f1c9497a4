/* place/index_change.c - the list of manifests of one repository is changed, by the rule for tags. */
#include "place/index_parts.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "place/digestmap.h"

static void cut(mlr_index *x, size_t i)
{
    mlr_descriptor_done(&x->entries[i]);
    x->n--;
    memmove(&x->entries[i], &x->entries[i + 1], (x->n - i) * sizeof(*x->entries));
}

static int check_rule(const char *tag, const mlr_descriptor *now, const mlr_tag_rule *rule, const mlr_digest *wanted,
                      mlreg_error **err)
{
    int rc;
    if (rule->expect.text[0] != 0 && now == NULL)
        return mlr_error_set(err, MLREG_ENOTFOUND, "tag '%s' is not there; it was expected at %s", tag,
                             rule->expect.text);
    if (now == NULL)
        return 0;
    if (rule->expect.text[0] != 0 && !mlr_digest_equal(&now->digest, &rule->expect)) {
        rc = mlr_error_set(err, MLREG_EEXISTS, "tag '%s' is at %s, not at %s as expected", tag, now->digest.text,
                           rule->expect.text);
        return mlr_error_hint(err, rc, "someone else moved it: look at what is there now, then decide again");
    }
    if (rule->move)
        return 0;
    rc = mlr_error_set(err, MLREG_EEXISTS, "tag '%s' names %s already, not %s", tag, now->digest.text, wanted->text);
    return mlr_error_hint(err, rc, "move the tag explicitly, or choose another one");
}

static int make_entry(const char *tag, const mlr_manifest *m, mlr_descriptor *out, mlreg_error **err)
{
    mlr_descriptor d;
    int            rc = mlr_descriptor_make(m->self.media_type, &m->self.digest, m->self.bytes, &d, err);

    if (rc < 0)
        return rc;
    if (tag != NULL)
        rc = mlr_descriptor_annotate(&d, MLR_INDEX_REF_NAME, tag, err);
    if (rc == 0 && m->absent != NULL)
        rc = mlr_descriptor_annotate(&d, MLR_INDEX_ABSENT, m->absent, err);
    if (rc == 0 && m->self.artifact_type != NULL && (d.artifact_type = mlr_strdup(m->self.artifact_type)) == NULL)
        rc = mlr_error_nomem(err);
    if (rc < 0)
        mlr_descriptor_done(&d);
    else
        *out = d;
    return rc;
}

static bool has_untagged(const mlr_index *x, const mlr_digest *d)
{
    for (size_t i = 0; i < x->n; i++)
        if (mlr_digest_equal(&x->entries[i].digest, d) && mlr_index_ref_name(&x->entries[i]) == NULL)
            return true;
    return false;
}

static bool drop_untagged(mlr_index *x, const mlr_digestmap *children)
{
    size_t before = x->n;
    for (size_t i = x->n; i-- > 0;)
        if (mlr_index_is_used(&x->entries[i]) && mlr_index_ref_name(&x->entries[i]) == NULL &&
            mlr_digestmap_find(children, &x->entries[i].digest) != NULL)
            cut(x, i);
    return x->n < before;
}

static int collect_children(const mlr_manifest *m, mlr_digestmap *out, mlreg_error **err)
{
    for (size_t i = 0; i < m->n_children; i++)
        if (mlr_digestmap_add(out, &m->children[i].digest, err) == NULL)
            return MLREG_ENOMEM;
    return 0;
}

/* The entry goes where the tag stood, and any double of the tag goes. */
static void place_entry(mlr_index *x, const char *tag, mlr_descriptor *entry)
{
    size_t at = x->n;
    for (size_t i = x->n; tag != NULL && i-- > 0;) {
        const char *name = mlr_index_ref_name(&x->entries[i]);
        if (name != NULL && strcmp(name, tag) == 0) {
            cut(x, i);
            at = i;
        }
    }
    memmove(&x->entries[at + 1], &x->entries[at], (x->n - at) * sizeof(*x->entries));
    x->entries[at] = *entry;
    x->n++;
}

static bool is_there(const mlr_index *x, const char *tag, const mlr_digest *d)
{
    const mlr_descriptor *now = tag != NULL ? mlr_index_by_tag(x, tag) : NULL;
    return tag == NULL ? has_untagged(x, d) : now != NULL && mlr_digest_equal(&now->digest, d);
}

/* What arrived since is no longer absent. All entries of the index say the same. 1: changed. */
static int note_absent(mlr_index *x, const mlr_manifest *m, mlreg_error **err)
{
    int changed = 0, rc;

    for (size_t i = 0; m->is_index && i < x->n; i++) {
        mlr_descriptor *d = &x->entries[i];
        const char     *now = mlr_digest_equal(&d->digest, &m->self.digest) ? mlr_descriptor_annotation(d, MLR_INDEX_ABSENT) : m->absent;
        if (now == m->absent || (now != NULL && m->absent != NULL && strcmp(now, m->absent) == 0))
            continue;
        if ((rc = mlr_descriptor_annotate(d, MLR_INDEX_ABSENT, m->absent, err)) < 0)
            return rc;
        changed = 1;
    }
    return changed;
}

static int put_new(mlr_index *x, const char *tag, const mlr_tag_rule *rule, const mlr_manifest *m, mlreg_error **err)
{
    mlr_descriptor entry;
    int            rc;

    if (tag != NULL && (rc = check_rule(tag, mlr_index_by_tag(x, tag), rule, &m->self.digest, err)) < 0)
        return rc;
    if (mlr_grow(&x->entries, &x->cap, x->n, sizeof(*x->entries)) < 0)
        return mlr_error_nomem(err);
    if ((rc = make_entry(tag, m, &entry, err)) == 0)
        place_entry(x, tag, &entry);
    return rc;
}

int mlr_index_put(mlr_index *x, const char *tag, const mlr_tag_rule *rule, const mlr_manifest *m, mlreg_error **err)
{
    mlr_digestmap children = MLR_DIGESTMAP_INIT;
    bool          there = is_there(x, tag, &m->self.digest);
    int           rc;

    if ((rc = collect_children(m, &children, err)) == 0 && (there || (rc = put_new(x, tag, rule, m, err)) == 0) &&
        (rc = note_absent(x, m, err)) >= 0)
        rc = drop_untagged(x, &children) || !there || rc == 1;
    mlr_digestmap_done(&children);
    return rc;
}

size_t mlr_index_remove(mlr_index *x, const char *tag, const mlr_digest *d)
{
    size_t before = x->n;
    for (size_t i = x->n; i-- > 0;) {
        const char *name = mlr_index_ref_name(&x->entries[i]);
        if (!mlr_index_is_used(&x->entries[i]) || (tag != NULL && (name == NULL || strcmp(name, tag) != 0)) ||
            (d->text[0] != 0 && !mlr_digest_equal(&x->entries[i].digest, d)))
            continue;
        cut(x, i);
    }
    return before - x->n;
}
