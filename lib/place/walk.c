/* place/walk.c - what an index names, found by reading what it names. */
#include "place/walk.h"

#include <string.h>

#include "base/error.h"
#include "place/digestmap.h"

typedef struct walker {
    const mlr_walk *w;
    mlr_op         *op;
    mlr_digestmap   seen;      /* what was read, by key_of */
} walker;

static int visit(walker *k, const mlr_descriptor *d, const mlr_manifest *by, unsigned depth, mlreg_error **err);

static int broken(walker *k, const mlr_descriptor *d, const mlr_manifest *by, mlreg_error *why, mlreg_error **err)
{
    int rc = why->code;
    if (rc == MLREG_ENOMEM || rc == MLREG_ECANCELLED) {
        mlr_error_move(err, &why);
        return rc;
    }
    rc = k->w->broken != NULL ? k->w->broken(k->w->user, d, by, why, err) : 0;
    mlr_error_done(why);
    return rc;
}

static int name_parts(walker *k, const mlr_manifest *m, unsigned depth, mlreg_error **err)
{
    int rc = m->config != NULL ? k->w->named(k->w->user, m->config, m, err) : 0;
    for (size_t i = 0; rc == 0 && i < m->n_layers; i++)
        rc = k->w->named(k->w->user, &m->layers[i], m, err);
    for (size_t i = 0; rc == 0 && i < m->n_children; i++)
        rc = visit(k, &m->children[i], m, depth + 1, err);
    return rc;
}

static int read_manifest(walker *k, const mlr_descriptor *d, const mlr_manifest *by, unsigned depth, mlreg_error **err)
{
    mlr_buf       bytes = MLR_BUF_INIT(MLR_MANIFEST_MAX_BYTES);
    mlr_manifest *m = NULL;
    mlreg_error  *why = NULL;
    int           rc;

    if (depth > MLR_WALK_MAX_DEPTH)
        rc = mlr_error_set(&why, MLREG_ELIMIT, "indexes are nested more than %d deep", MLR_WALK_MAX_DEPTH);
    else if ((rc = k->w->fetch(k->w->fetch_user, d, k->op, &bytes, &why)) == 0)
        rc = mlr_manifest_parse(bytes.data, bytes.len, d->media_type, &m, &why);
    mlr_buf_done(&bytes);
    rc = rc < 0 ? broken(k, d, by, why, err) : name_parts(k, m, depth, err);
    mlr_manifest_free(m);
    return rc;
}

/* Calls named for each digest in a text that we do not understand. Sizes are not known. */
static int name_digests(walker *k, const char *text, size_t len, mlreg_error **err)
{
    static const char word[] = "sha256:";
    const char *at = text, *end = text + len;
    int         rc = 0;

    while (rc == 0 && len > 0 && (at = memmem(at, (size_t)(end - at), word, strlen(word))) != NULL &&
           end - at >= MLR_DIGEST_TEXT) {
        char           digest[MLR_DIGEST_TEXT + 1] = "";
        mlr_descriptor d = { 0 };
        memcpy(digest, at, MLR_DIGEST_TEXT);
        if (mlr_digest_parse(digest, &d.digest, NULL) == 0)
            rc = k->w->named(k->w->user, &d, NULL, err);
        at++;
    }
    return rc;
}

/* What is not there names nothing. What something names that just cannot be read, nobody knows. */
static int read_unknown(walker *k, const mlr_descriptor *d, const mlr_manifest *by, mlreg_error **err)
{
    mlr_buf      bytes = MLR_BUF_INIT(MLR_MANIFEST_MAX_BYTES);
    mlreg_error *why = NULL;
    int          rc = k->w->fetch(k->w->fetch_user, d, k->op, &bytes, &why);

    if (rc == 0)
        rc = name_digests(k, bytes.data, bytes.len, err);
    else if (rc != MLREG_ENOTFOUND)
        rc = broken(k, d, by, why, err);
    else {
        mlr_error_done(why);
        rc = 0;
    }
    mlr_buf_done(&bytes);
    return rc;
}

/* Whoever names it by a wrong type or size shall not keep others from having it read. */
static mlr_digest key_of(const mlr_descriptor *d)
{
    const char *type = mlr_manifest_type_known(d->media_type) ? d->media_type : "";
    mlr_sha256  s;
    mlr_digest  key;

    mlr_sha256_init(&s);
    mlr_sha256_update(&s, d->digest.text, MLR_DIGEST_TEXT);
    mlr_sha256_update(&s, &d->bytes, sizeof(d->bytes));
    mlr_sha256_update(&s, type, strlen(type));
    mlr_digest_final(&s, &key);
    return key;
}

static int visit(walker *k, const mlr_descriptor *d, const mlr_manifest *by, unsigned depth, mlreg_error **err)
{
    bool       is_known = mlr_manifest_type_known(d->media_type);
    mlr_digest key;
    uint64_t  *seen;
    int        rc;

    if ((rc = mlr_op_check(k->op, err)) < 0 || (rc = k->w->named(k->w->user, d, by, err)) != 0)
        return rc;
    if ((k->w->indexes_only && !mlr_manifest_type_is_index(d->media_type)) || (!is_known && d->bytes > MLR_MANIFEST_MAX_BYTES))
        return 0;
    key = key_of(d);
    if ((seen = mlr_digestmap_add(&k->seen, &key, err)) == NULL)
        return MLREG_ENOMEM;
    if ((*seen)++ > 0)
        return 0;
    return is_known ? read_manifest(k, d, by, depth, err) : read_unknown(k, d, by, err);
}

/* An entry that cannot be read may name, by another algorithm, what names content by ours: nobody can tell. */
static int visit_unreadable(walker *k, const mlr_descriptor *d, mlreg_error **err)
{
    mlreg_error *why = NULL;
    mlr_error_set(&why, MLREG_ENOTSUP, "index.json has an entry that cannot be read: %.200s", d->raw);
    return broken(k, d, NULL, why, err);
}

int mlr_walk_index(const mlr_walk *w, const mlr_index *x, mlr_op *op, mlreg_error **err)
{
    walker k = { w, op, MLR_DIGESTMAP_INIT };
    int    rc = 0;

    for (size_t i = 0; rc == 0 && i < x->n; i++)
        rc = x->entries[i].digest.text[0] != 0 ? visit(&k, &x->entries[i], NULL, 0, err)
                                               : visit_unreadable(&k, &x->entries[i], err);
    mlr_digestmap_done(&k.seen);
    return rc;
}
