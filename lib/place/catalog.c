/* place/catalog.c - what a repository answers about its manifests. */
#include "place/catalog.h"

#include <string.h>

#include "base/error.h"

typedef struct search {
    const mlr_digest *wanted;
    mlr_descriptor   *out;
} search;

static int take_if_wanted(void *user, const mlr_descriptor *d, const mlr_manifest *by, mlreg_error **err)
{
    search *s = user;
    int     rc;

    (void)by;
    if (!mlr_manifest_type_known(d->media_type) || !mlr_digest_equal(&d->digest, s->wanted))
        return 0;
    rc = mlr_descriptor_copy(d, s->out, err);
    return rc < 0 ? rc : 1;
}

/* 1, 0: whether an index names it somewhere. */
static int find_child(const mlr_catalog *c, const mlr_digest *d, mlr_op *op, mlr_descriptor *out, mlreg_error **err)
{
    search         s = { d, out };
    const mlr_walk w = { .fetch = c->fetch, .fetch_user = c->user, .named = take_if_wanted, .user = &s,
                         .indexes_only = true };
    return mlr_walk_index(&w, c->index, op, err);
}

static int not_there(const mlr_ref *r, mlreg_error **err)
{
    if (r->digest.text[0] != 0)
        return mlr_error_set(err, MLREG_ENOTFOUND, "manifest %s is not there", r->digest.text);
    return mlr_error_set(err, MLREG_ENOTFOUND, "tag '%s' is not there", r->tag);
}

int mlr_catalog_resolve(const mlr_catalog *c, const mlr_ref *r, mlr_op *op, mlr_descriptor *out, mlreg_error **err)
{
    bool                  by_digest = r->digest.text[0] != 0;
    const mlr_descriptor *entry =
        by_digest ? mlr_index_by_digest(c->index, &r->digest) : mlr_index_by_tag(c->index, r->tag);
    int                   rc;

    if (entry != NULL)
        return mlr_descriptor_copy(entry, out, err);
    rc = by_digest ? find_child(c, &r->digest, op, out, err) : 0;
    return rc == 1 ? 0 : rc < 0 ? rc : not_there(r, err);
}

int mlr_catalog_remove(mlr_catalog *c, const mlr_ref *r, mlr_op *op, mlreg_error **err)
{
    mlr_descriptor child = { 0 };
    int            rc;

    if (mlr_index_remove(c->index, r->tag, &r->digest) > 0)
        return 0;
    if (r->tag != NULL)
        return mlr_error_set(err, MLREG_ENOTFOUND, "tag '%s' is not there%s%s", r->tag,
                             r->digest.text[0] != 0 ? " at " : "", r->digest.text);
    if ((rc = find_child(c, &r->digest, op, &child, err)) <= 0)
        return rc < 0 ? rc : not_there(r, err);
    mlr_descriptor_done(&child);
    rc = mlr_error_set(err, MLREG_ENOTSUP, "manifest %s is part of an index and goes with it", r->digest.text);
    return mlr_error_hint(err, rc, "remove the index");
}

typedef struct gathering {
    const mlr_catalog *catalog;
    const mlr_digest  *subject;
    mlr_op            *op;
    mlr_list          *out;
} gathering;

/* What cannot be read refers to nothing. A manifest that has the subject has its digest's text. */
static int add_if_refers(void *user, const mlr_descriptor *d, const mlr_manifest *by, mlreg_error **err)
{
    gathering *g = user;
    mlr_buf    bytes = MLR_BUF_INIT(MLR_MANIFEST_MAX_BYTES);
    int        rc;

    (void)by;
    if (!mlr_manifest_type_known(d->media_type))
        return 0;
    rc = g->catalog->fetch(g->catalog->user, d, g->op, &bytes, NULL);
    if (rc == 0 && strstr(bytes.data, g->subject->text) != NULL)
        rc = mlr_list_add(g->out, NULL, d, err);
    else
        rc = rc == MLREG_ENOMEM ? mlr_error_nomem(err) : 0;
    mlr_buf_done(&bytes);
    return rc;
}

int mlr_catalog_referrers(const mlr_catalog *c, const mlr_digest *subject, mlr_op *op, mlr_list *out, mlreg_error **err)
{
    gathering      g = { c, subject, op, out };
    const mlr_walk w = { .fetch = c->fetch, .fetch_user = c->user, .named = add_if_refers, .user = &g, .indexes_only = true };

    return mlr_walk_index(&w, c->index, op, err);
}

static int check_part(const mlr_descriptor *d, const char *what, mlr_catalog_has has, void *user, mlreg_error **err)
{
    int rc = has(user, d, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    rc = mlr_error_set(err, MLREG_ENOTFOUND, "the manifest names %s %s of %llu bytes, which is not there", what,
                       d->digest.text, (unsigned long long)d->bytes);
    return mlr_error_hint(err, rc, "write what a manifest names before the manifest");
}

int mlr_catalog_complete(const mlr_manifest *m, mlr_catalog_has has, void *user, mlreg_error **err)
{
    int rc = m->config != NULL ? check_part(m->config, "config", has, user, err) : 0;
    for (size_t i = 0; rc == 0 && i < m->n_layers; i++)
        if (m->layers[i].n_urls == 0)
            rc = check_part(&m->layers[i], "layer", has, user, err);
    for (size_t i = 0; rc == 0 && i < m->n_children; i++)
        if (!mlr_manifest_lacks(m, &m->children[i].digest))
            rc = check_part(&m->children[i], "manifest", has, user, err);
    return rc;
}
