/* model/copy.c - an artifact and all it names from one place to another: the one verb behind pull, push, promote and export. */
#include "model/copy.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/work.h"
#include "model/carry.h"
#include "model/tagrule.h"
#include "model/variant.h"
#include "model/wide.h"
#include "place/digestmap.h"
#include "place/gather.h"

#define MAX_DEPTH     8     /* of indexes within indexes, and of referrers of referrers */
#define MAX_MANIFESTS 10000 /* in one copy */

struct copy;
struct blob {
    struct copy *copy;
    mlr_blob     from, to;      /* the same content under both repositories' names */
    const mlr_descriptor *foreign; /* of a layer that is not to be distributed; else NULL */
    char        *name;          /* for messages: the file, else the digest */
};
struct copy {
    mlr_place  *from, *to;
    const char *from_repo, *to_repo;
    const mlr_copy *how;
    mlr_manifest **manifests;   /* children stand before the index that names them */
    size_t n_manifests, cap_manifests;
    mlr_digestmap seen;         /* of these */
    mlr_digestmap path;         /* of an index only what is in it comes along; empty: everything */
    mlr_manifest *chosen;       /* the end of that path; NULL once it is among the manifests */
    mlr_buf absent;             /* what does not, and is not there either */
    struct blob *blobs;
    size_t n_blobs, cap_blobs;
    mlr_wide *wide;             /* while blobs move */
    atomic_size_t n_small;      /* of those that have not come yet */
};

/* ---- one blob ---- */

static bool one_repository(const struct copy *c)
{
    return c->from->identity == c->to->identity && strcmp(c->from_repo, c->to_repo) == 0;
}

static bool is_small(const struct blob *b)
{
    return b->to.bytes <= MLR_GATHER_MOST_BYTES;
}

/* Small ones wait to be published with others, but none for the large ones that are still on their way: it may be wanted before. */
static int publish_last_small(struct copy *c, mlr_op *op, mlreg_error **err)
{
    int rc = 0;

    if (atomic_fetch_sub(&c->n_small, 1) == 1 && (rc = mlr_place_gather_begin(c->to, op, err)) == 0)
        rc = mlr_place_gather_end(c->to, op, err);
    return rc;
}

static bool is_left(const struct blob *b)
{
    return b->foreign != NULL && !b->copy->how->foreign;
}

static int carry(const struct blob *b, mlr_op *op, mlreg_error **err)
{
    mlr_place *from = b->copy->from, *to = b->copy->to;

    if (is_left(b))
        return mlr_carry_leave_foreign(from, &b->from, b->foreign->urls[0], to, &b->to, op, err);
    return b->foreign != NULL ? mlr_carry_foreign(from, &b->from, b->foreign, to, &b->to, op, err) : mlr_carry(from, &b->from, to, &b->to, op, err);
}

static int copy_blob(void *arg, mlr_op *op, mlreg_error **err)
{
    struct blob *b = arg;
    uint64_t from_ms;
    int rc = mlr_wide_enter(b->copy->wide, b->to.bytes, op, err);

    if (rc < 0)
        return mlr_error_subject(err, rc, b->name);
    from_ms = mlr_clock_ms();
    rc = carry(b, op, err);
    if (rc == 0 && is_small(b))
        rc = publish_last_small(b->copy, op, err);
    if (rc == 0)
        mlr_op_blob_done(op, b->name, b->to.bytes, from_ms);
    mlr_wide_leave(b->copy->wide, b->to.bytes);
    return mlr_error_subject(err, rc, b->name);
}

/* ---- what there is to copy ---- */

static int add_blob(struct copy *c, const mlr_descriptor *d, mlreg_error **err)
{
    const char *title = mlr_descriptor_title(d);
    struct blob b = { .copy = c };

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

static int add_blobs_of(struct copy *c, const mlr_manifest *m, mlreg_error **err)
{
    int rc = m->config != NULL ? add_blob(c, m->config, err) : 0;

    for (size_t i = 0; i < m->n_layers && rc == 0; i++)
        if ((rc = add_blob(c, &m->layers[i], err)) == 0 && mlr_descriptor_is_foreign(&m->layers[i]))
            c->blobs[c->n_blobs - 1].foreign = &m->layers[i];
    return rc;
}

static int add_tree_of(struct copy *c, mlr_manifest *m, unsigned depth, mlr_op *op, mlreg_error **err);

static int bring_manifest(struct copy *c, const mlr_digest *d, mlr_op *op, mlr_manifest **out, mlreg_error **err)
{
    const mlr_whereabouts where = { c->from, c->from_repo, c->to, c->to_repo };

    if (c->chosen == NULL || !mlr_digest_equal(d, &c->chosen->self.digest))
        return mlr_variant_manifest(&where, d, op, out, err);
    *out = c->chosen;
    c->chosen = NULL;
    return 0;
}

static int add_by_descriptor(struct copy *c, const mlr_descriptor *d, unsigned depth, mlr_op *op, mlreg_error **err)
{
    mlr_manifest *m = NULL;
    int rc;

    if (mlr_digestmap_find(&c->seen, &d->digest) != NULL)
        return 0;
    if (!mlr_manifest_type_known(d->media_type)) /* OCI lets an index name anything: what is no manifest is carried as a blob */
        return add_blob(c, d, err);
    if ((rc = bring_manifest(c, &d->digest, op, &m, err)) < 0)
        return mlr_error_subject(err, rc, d->digest.text);
    return add_tree_of(c, m, depth, op, err);
}

static int add_referrers_of(struct copy *c, const mlr_manifest *m, unsigned depth, mlr_op *op, mlreg_error **err)
{
    mlr_list *l = NULL;
    int rc = mlr_place_referrers(c->from, c->from_repo, &m->self.digest, NULL, op, &l, err);

    for (size_t i = 0; rc == 0 && i < l->n; i++)
        rc = add_by_descriptor(c, l->items[i].descriptor, depth + 1, op, err);
    mlr_list_free(l);
    return rc;
}

/* One that does not come along may be there from an earlier copy. */
static int leave_out(struct copy *c, const mlr_digest *d, mlr_op *op, mlreg_error **err)
{
    mlr_ref r = { .repo = (char *)c->to_repo, .digest = *d };
    mlr_manifest *m = NULL;
    int rc = mlr_place_manifest(c->to, &r, op, &m, NULL);

    mlr_manifest_free(m);
    return rc == 0 ? 0 : mlr_buf_printf(&c->absent, err, "%s%s", c->absent.len > 0 ? " " : "", d->text);
}

static int refuse_part(const struct copy *c, const mlr_manifest *m, const mlr_digest *d, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_ENOTFOUND, "index %s is here in part only: its entry %s was never brought", m->self.digest.text, d->text);

    mlr_error_hint(err, rc, "bring all variants from where it came from first, or copy one of those that are here");
    mlr_error_subject(err, rc, d->text);
    return mlr_error_at(err, rc, c->from->name);
}

/* What `from` lacks stays lacking where the other place can say so, unless all were asked for. */
static int add_child(struct copy *c, const mlr_manifest *m, const mlr_descriptor *d, unsigned depth, mlr_op *op, mlreg_error **err)
{
    bool is_left = c->path.used > 0 && mlr_digestmap_find(&c->path, &d->digest) == NULL;

    if (is_left || (mlr_manifest_lacks(m, &d->digest) && c->to->holds_parts && !c->how->all))
        return leave_out(c, &d->digest, op, err);
    return mlr_manifest_lacks(m, &d->digest) ? refuse_part(c, m, &d->digest, err) : add_by_descriptor(c, d, depth, op, err);
}

static int add_children_of(struct copy *c, mlr_manifest *m, unsigned depth, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_op_check(op, err);

    if (rc == 0 && (depth > MAX_DEPTH || c->n_manifests >= MAX_MANIFESTS))
        rc = mlr_error_set(err, MLREG_ELIMIT, "%s: over %d levels or %d manifests", m->self.digest.text, MAX_DEPTH, MAX_MANIFESTS);
    for (size_t i = 0; i < m->n_children && rc == 0; i++)
        rc = add_child(c, m, &m->children[i], depth + 1, op, err);
    return rc == 0 && m->is_index ? mlr_manifest_set_absent(m, c->absent.data, err) : rc;
}

static int keep_manifest(struct copy *c, mlr_manifest *m, mlreg_error **err)
{
    if (mlr_grow(&c->manifests, &c->cap_manifests, c->n_manifests, sizeof *c->manifests) < 0)
        return mlr_error_nomem(err);
    if (mlr_digestmap_add(&c->seen, &m->self.digest, err) == NULL)
        return MLREG_ENOMEM;
    c->manifests[c->n_manifests++] = m;
    return 0;
}

/* Takes `m` over, on failure too. Its children come first in the list, what refers to it behind it. */
static int add_tree_of(struct copy *c, mlr_manifest *m, unsigned depth, mlr_op *op, mlreg_error **err)
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

/* ---- the order of things ---- */

static int larger_first(const void *a, const void *b)
{
    const struct blob *x = a, *y = b;

    if (x->to.bytes != y->to.bytes)
        return x->to.bytes < y->to.bytes ? 1 : -1;
    if (is_left(x) != is_left(y) && mlr_digest_equal(&x->to.digest, &y->to.digest))
        return is_left(x) ? 1 : -1;        /* one manifest leaves it, another brings it: it is brought */
    return strcmp(x->to.digest.text, y->to.digest.text);
}

/* A blob that several manifests name moves once; the largest go first, so that no one is left alone at the end. */
static void order_blobs(struct copy *c, mlr_op *op)
{
    size_t n = 0;

    if (c->n_blobs > 0)
        qsort(c->blobs, c->n_blobs, sizeof *c->blobs, larger_first);
    for (size_t i = 0; i < c->n_blobs; i++) {
        if (n > 0 && mlr_digest_equal(&c->blobs[n - 1].to.digest, &c->blobs[i].to.digest)) {
            mlr_free(c->blobs[i].name);
            continue;
        }
        c->blobs[n++] = c->blobs[i];
        mlr_op_count(op, MLR_N_BYTES_TOTAL, (int64_t)c->blobs[n - 1].to.bytes);
    }
    c->n_blobs = n;
    mlr_op_count(op, MLR_N_BLOBS_TOTAL, (int64_t)n);
}

static int check_sizes(struct copy *c, mlreg_error **err)
{
    int rc = 0;

    for (size_t i = 0; i < c->n_blobs && rc == 0; i++)
        rc = is_left(&c->blobs[i]) ? 0 : mlr_place_check_size(c->to, c->blobs[i].name, c->blobs[i].to.bytes, err);
    return rc;
}

static int move_blobs(struct copy *c, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_wide_new(c->to->rt, op, c->n_blobs, c->from->far || c->to->far, &c->wide, err);

    for (size_t i = 0; i < c->n_blobs; i++)
        c->n_small += is_small(&c->blobs[i]);
    for (size_t i = 0; i < c->n_blobs && rc == 0; i++)
        rc = mlr_group_add(mlr_wide_group(c->wide), copy_blob, &c->blobs[i], err);
    if (rc == 0)
        rc = mlr_group_wait(mlr_wide_group(c->wide), err);
    mlr_wide_free(c->wide);
    return rc;
}

/* What came stays, also if others did not. */
static int copy_blobs(struct copy *c, mlr_op *op, mlreg_error **err)
{
    mlreg_error *why = NULL;
    int rc = mlr_place_gather_begin(c->to, op, err), end;

    if (rc < 0)
        return rc;
    rc = move_blobs(c, op, err);
    end = mlr_place_gather_end(c->to, op, &why);
    if (rc == 0)
        mlr_error_move(err, &why);
    mlr_error_done(why);
    return rc < 0 ? rc : end;
}

static bool leaves_any(const struct copy *c)
{
    for (size_t i = 0; i < c->n_blobs; i++)
        if (is_left(&c->blobs[i]))
            return true;
    return false;
}

/* The one that was asked for goes last and takes the tag along; all others go by digest. */
static int copy_manifests(struct copy *c, const mlr_manifest *top, const mlr_ref *as, mlr_op *op, mlreg_error **err)
{
    int rc = 0;

    for (size_t i = 0; i < c->n_manifests && rc == 0; i++) {
        const mlr_manifest *m = c->manifests[i];
        mlr_ref by_digest = { .repo = (char *)c->to_repo, .digest = m->self.digest };

        if (m != top)
            rc = mlr_place_manifest_write(c->to, &by_digest, &c->how->rule, m, op, err);
    }
    if (rc == 0)
        rc = mlr_place_manifest_write(c->to, as, &c->how->rule, top, op, err);
    return rc == MLREG_EPROTO && leaves_any(c) ? mlr_error_hint(err, rc, "it may want the layers that are not to be distributed: MLREG_COPY_FOREIGN brings them") : rc;
}

static void copy_done(struct copy *c, const mlr_manifest *kept)
{
    for (size_t i = 0; i < c->n_manifests; i++)
        if (c->manifests[i] != kept)
            mlr_manifest_free(c->manifests[i]);
    for (size_t i = 0; i < c->n_blobs; i++)
        mlr_free(c->blobs[i].name);
    mlr_manifest_free(c->chosen);
    mlr_digestmap_done(&c->seen);
    mlr_digestmap_done(&c->path);
    mlr_buf_done(&c->absent);
    mlr_free(c->manifests);
    mlr_free(c->blobs);
}

/* The name in `to`: what `as` leaves open is r's. A digest that was asked for must be the one that arrived. */
static int name_target(const mlr_ref *r, const mlr_ref *as, const mlr_manifest *top, bool is_narrowed, mlr_ref *out, mlreg_error **err)
{
    mlr_ref mixed = *as;

    if (as->tag == NULL && as->digest.text[0] == '\0') {
        mixed.tag = r->tag;
        if (!is_narrowed)
            mixed.digest = r->digest;
    }
    if (mixed.digest.text[0] != '\0' && !mlr_digest_equal(&mixed.digest, &top->self.digest))
        return mlr_error_set(err, MLREG_EINVAL, "%s cannot become %s: a digest names one content only", top->self.digest.text, mixed.digest.text);
    mixed.digest = top->self.digest;
    return mlr_ref_copy(&mixed, out, err);
}

/* One entry of an index: where the other place takes indexes in part, the way to it; elsewhere that manifest in the index's stead. 1: the latter. */
static int narrow(struct copy *c, mlr_manifest **top, mlr_op *op, mlreg_error **err)
{
    const mlr_whereabouts where = { c->from, c->from_repo, c->to, c->to_repo };
    int rc;

    if (c->how->wish == NULL || !c->how->wish->any || !(*top)->is_index)
        return 0;
    if ((rc = mlr_variant_of_index(&where, *top, c->how->wish, op, &c->path, &c->chosen, err)) < 0 || c->to->holds_parts)
        return rc;
    mlr_manifest_free(*top);
    *top = c->chosen;
    c->chosen = NULL;
    return 1;
}

int mlr_copy_run(mlr_place *from, const mlr_ref *r, mlr_place *to, const mlr_ref *as, const mlr_copy *how, mlr_op *op,
        mlr_manifest **out, mlreg_error **err)
{
    struct copy c = { .from = from, .to = to, .from_repo = r->repo, .to_repo = as->repo, .how = how, .absent = MLR_BUF_INIT(MLR_MANIFEST_MAX_BYTES) };
    mlr_manifest *top = NULL;
    mlr_ref target = { 0 };
    int rc;

    if ((rc = mlr_place_check_writable(to, err)) < 0 || (rc = mlr_place_manifest(from, r, op, &top, err)) < 0)
        return rc;
    if ((rc = narrow(&c, &top, op, err)) < 0 || (rc = name_target(r, as, top, rc == 1, &target, err)) < 0 ||
        (rc = mlr_tagrule_check(to, target.repo, target.tag, &how->rule, &top->self.digest, op, err)) < 0) {
        mlr_manifest_free(top);
        goto out;
    }
    if ((rc = add_tree_of(&c, top, 0, op, err)) < 0)
        goto out;
    order_blobs(&c, op);
    if ((rc = check_sizes(&c, err)) < 0 || (rc = copy_blobs(&c, op, err)) < 0 || (rc = copy_manifests(&c, top, &target, op, err)) < 0)
        goto out;
    if (out != NULL)
        *out = top;
out:
    copy_done(&c, rc == 0 && out != NULL ? top : NULL);
    mlr_ref_done(&target);
    return rc;
}
