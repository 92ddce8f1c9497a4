/* model/copy_tree.c - what there is to copy: manifests from the one that was asked for down, and the blobs that they name. */
#include "model/copy_parts.h"

#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "model/variant.h"

#define MAX_DEPTH     8     /* of indexes within indexes, and of referrers of referrers */
#define MAX_MANIFESTS 10000 /* in one copy */
#define MAX_BYTES     ((uint64_t)128 << 20) /* of these: all are kept until the last has come */

static bool one_repository(const mlr_copying *c)
{
    return c->from->identity == c->to->identity && strcmp(c->from_repo, c->to_repo) == 0;
}

static int add_blob(mlr_copying *c, const mlr_descriptor *d, mlreg_error **err)
{
    const char *title = mlr_descriptor_title(d);
    mlr_copy_blob b = { .copy = c };

    if (c->n_blobs == c->cap_blobs && mlr_grow(&c->blobs, &c->cap_blobs, c->n_blobs, sizeof *c->blobs) < 0)
        return mlr_error_nomem(err);
    b.from = (mlr_blob){ c->from_repo, d->digest, d->bytes, d->media_type };
    b.to = b.from;
    b.to.repo = c->to_repo;
    b.name = mlr_strdup(title != NULL ? title : d->digest.text);
    if (b.name == NULL)
        return mlr_error_nomem(err);
    c->blobs[c->n_blobs++] = b;
    return 0;
}

static int add_blobs_of(mlr_copying *c, const mlr_manifest *m, mlreg_error **err)
{
    int rc = m->config != NULL ? add_blob(c, m->config, err) : 0;

    for (size_t i = 0; i < m->n_layers && rc == 0; i++)
        if ((rc = add_blob(c, &m->layers[i], err)) == 0 && mlr_descriptor_is_foreign(&m->layers[i]))
            c->blobs[c->n_blobs - 1].foreign = &m->layers[i];
    return rc;
}

static int bring_manifest(mlr_copying *c, const mlr_digest *d, mlr_op *op, mlr_manifest **out, mlreg_error **err)
{
    const mlr_whereabouts where = { c->from, c->from_repo, c->to, c->to_repo };

    if (c->chosen == NULL || !mlr_digest_equal(d, &c->chosen->self.digest))
        return mlr_variant_manifest(&where, d, op, out, err);
    *out = c->chosen;
    c->chosen = NULL;
    return 0;
}

static int add_by_descriptor(mlr_copying *c, const mlr_descriptor *d, unsigned depth, mlr_op *op, mlreg_error **err)
{
    mlr_manifest *m = NULL;
    int rc;

    if (mlr_digestmap_find(&c->seen, &d->digest) != NULL)
        return 0;
    if (!mlr_manifest_type_known(d->media_type)) /* OCI lets an index name anything: what is no manifest is carried as a blob */
        return add_blob(c, d, err);
    if ((rc = bring_manifest(c, &d->digest, op, &m, err)) < 0)
        return mlr_error_subject(err, rc, d->digest.text);
    return mlr_copy_add_tree(c, m, depth, op, err);
}

static int add_referrers_of(mlr_copying *c, const mlr_manifest *m, unsigned depth, mlr_op *op, mlreg_error **err)
{
    mlr_list *l = NULL;
    int rc = mlr_place_referrers(c->from, c->from_repo, &m->self.digest, NULL, op, &l, err);

    for (size_t i = 0; rc == 0 && i < l->n; i++)
        rc = add_by_descriptor(c, l->items[i].descriptor, depth + 1, op, err);
    mlr_list_free(l);
    return rc;
}

/* One that does not come along may be there from an earlier copy. */
static int leave_out(mlr_copying *c, const mlr_digest *d, mlr_op *op, mlreg_error **err)
{
    mlr_ref r = { .repo = (char *)c->to_repo, .digest = *d };
    mlr_manifest *m = NULL;
    int rc = mlr_place_manifest(c->to, &r, op, &m, NULL);

    mlr_manifest_free(m);
    return rc == 0 ? 0 : mlr_buf_printf(&c->absent, err, "%s%s", c->absent.len > 0 ? " " : "", d->text);
}

static int refuse_part(const mlr_copying *c, const mlr_manifest *m, const mlr_digest *d, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_ENOTFOUND, "index %s is here in part only: its entry %s was never brought", m->self.digest.text, d->text);

    mlr_error_hint(err, rc, "bring all variants from where it came from first, or copy one of those that are here");
    mlr_error_subject(err, rc, d->text);
    return mlr_error_at(err, rc, c->from->name);
}

/* What `from` lacks stays lacking where the other place can say so, unless all were asked for. */
static int add_child(mlr_copying *c, const mlr_manifest *m, const mlr_descriptor *d, unsigned depth, mlr_op *op, mlreg_error **err)
{
    bool is_off_path = c->path.used > 0 && mlr_digestmap_find(&c->path, &d->digest) == NULL;

    if (is_off_path || (mlr_manifest_lacks(m, &d->digest) && c->to->holds_parts && !c->how->all))
        return leave_out(c, &d->digest, op, err);
    return mlr_manifest_lacks(m, &d->digest) ? refuse_part(c, m, &d->digest, err) : add_by_descriptor(c, d, depth, op, err);
}

static int add_children_of(mlr_copying *c, mlr_manifest *m, unsigned depth, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_op_check(op, err);

    if (rc == 0 && (depth > MAX_DEPTH || c->n_manifests >= MAX_MANIFESTS))
        rc = mlr_error_set(err, MLREG_ELIMIT, "%s: over %d levels or %d manifests", m->self.digest.text, MAX_DEPTH, MAX_MANIFESTS);
    if (rc == 0 && (c->manifest_bytes += m->json_bytes) > MAX_BYTES)
        rc = mlr_error_set(err, MLREG_ELIMIT, "%s: over %u MiB of manifests in one copy", m->self.digest.text, (unsigned)(MAX_BYTES >> 20));
    for (size_t i = 0; i < m->n_children && rc == 0; i++)
        rc = add_child(c, m, &m->children[i], depth + 1, op, err);
    return rc == 0 && m->is_index ? mlr_manifest_set_absent(m, c->absent.data, err) : rc;
}

static int keep_manifest(mlr_copying *c, mlr_manifest *m, mlreg_error **err)
{
    if (mlr_grow(&c->manifests, &c->cap_manifests, c->n_manifests, sizeof *c->manifests) < 0)
        return mlr_error_nomem(err);
    if (mlr_digestmap_add(&c->seen, &m->self.digest, err) == NULL)
        return MLREG_ENOMEM;
    c->manifests[c->n_manifests++] = m;
    return 0;
}

int mlr_copy_add_tree(mlr_copying *c, mlr_manifest *m, unsigned depth, mlr_op *op, mlreg_error **err)
{
    int rc;

    if ((rc = add_children_of(c, m, depth, op, err)) < 0 || (rc = keep_manifest(c, m, err)) < 0) {
        mlr_manifest_free(m);
        return rc;
    }
    if (!one_repository(c))
        rc = add_blobs_of(c, m, err);
    return rc == 0 && c->how->referrers ? add_referrers_of(c, m, depth, op, err) : rc;
}
