/* model/variant_choose.c - which entry of an index a machine gets, and a word about each that it does not. */
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "model/variant.h"

#define MAX_DEPTH       8            /* of indexes within indexes */
#define MAX_LOOKED_INTO 1000         /* indexes and others, in all: a registry may let them branch without end */
#define LIST_MAX_BYTES  3000
#define LIST_MAX        16           /* variants that an error lists */

/* ---- in order ---- */

static int better_first(const void *a, const void *b)
{
    const mlr_candidate *x = a, *y = b;

    if (x->fits != y->fits)
        return x->fits ? -1 : 1;
    for (size_t i = 0; x->fits && i < sizeof x->rank / sizeof *x->rank; i++)
        if (x->rank[i] != y->rank[i])
            return x->rank[i] > y->rank[i] ? -1 : 1;
    return x->variant.entry < y->variant.entry ? -1 : x->variant.entry > y->variant.entry; /* as they stand in the index */
}

void mlr_candidates_free(mlr_candidate *all, size_t n)
{
    for (size_t i = 0; all != NULL && i < n; i++)
        mlr_variant_done(&all[i].variant);
    mlr_free(all);
}

int mlr_choose(const mlr_manifest *index, const mlr_wish *w, mlr_candidate **out, mlreg_error **err)
{
    mlr_candidate *all = mlr_alloc_array(index->n_children, sizeof *all);
    int rc = all != NULL ? 0 : mlr_error_nomem(err);

    for (size_t i = 0; i < index->n_children && rc == 0; i++)
        if ((rc = mlr_variant_read(&index->children[i], &all[i].variant, err)) == 0)
            mlr_variant_judge(w, &all[i]);
    if (rc < 0) {
        mlr_candidates_free(all, index->n_children);
        return rc;
    }
    if (index->n_children > 0)
        qsort(all, index->n_children, sizeof *all, better_first);
    *out = all;
    return 0;
}

/* ---- what to say ---- */

static const char *name_of(const mlr_variant *v)
{
    return v->name != NULL ? v->name : v->entry->platform != NULL ? v->entry->platform : v->entry->digest.text;
}

static int describe_machine(const mlr_wish *w, mlr_buf *out, mlreg_error **err)
{
    const mlr_host *h = w->host;
    int rc;

    if (w->platform != NULL)
        return mlr_buf_printf(out, err, "%.100s", w->platform);
    rc = mlr_buf_printf(out, err, "this machine (%s/%s%s%s", h->os, h->arch, h->arch_variant != NULL ? "/" : "", h->arch_variant != NULL ? h->arch_variant : "");
    for (size_t i = 0; i < h->n && i < 2 && rc == 0; i++)
        rc = mlr_buf_printf(out, err, ", %.20s %.20s", h->accelerators[i].kind, h->accelerators[i].compute != NULL ? h->accelerators[i].compute : "");
    return rc < 0 ? rc : mlr_buf_puts(out, h->n > 0 ? ")" : ", no accelerator)", err);
}

/* "no variant of … fits this machine (linux/amd64, no accelerator): cuda needs cuda, and no such device is here; arm is for linux/arm64". */
static int nothing_fits(const mlr_manifest *index, const mlr_wish *w, const mlr_candidate *all, mlreg_error **err)
{
    mlr_buf text = MLR_BUF_INIT(2 * LIST_MAX_BYTES);
    size_t n = index->n_children;
    int rc = describe_machine(w, &text, err);

    for (size_t i = 0; i < n && i < LIST_MAX && rc == 0 && text.len < LIST_MAX_BYTES; i++)
        rc = mlr_buf_printf(&text, err, "%s%.80s %s", i > 0 ? "; " : ": ", name_of(&all[i].variant), all[i].fits ? "holds nothing that does" : all[i].why);
    if (rc == 0)
        rc = mlr_error_set(err, MLREG_ENOTSUP, "none of the %zu variants fits %s", n, text.data);
    mlr_buf_done(&text);
    for (size_t i = 0; i < w->host->n_notes; i++)
        mlr_error_hint(err, rc, "%s", w->host->notes[i]);
    return mlr_error_hint(err, rc, "choose one by its name or platform, or have one made for this machine");
}

static int absent(const mlr_variant *v, int rc, mlreg_error **why, mlreg_error **err)
{
    if (rc != MLREG_ENOTFOUND) {
        mlr_error_move(err, why);
        return rc;
    }
    mlr_error_done(*why);
    *why = NULL;
    mlr_error_set(err, rc, "variant %.80s is the one that fits, but its manifest %s is not there", name_of(v), v->entry->digest.text);
    mlr_error_subject(err, rc, v->entry->digest.text);
    return mlr_error_hint(err, rc, "the index came without it, or it was removed: bring it from where the index came from, or choose another variant by name");
}

/* ---- choosing ---- */

typedef struct chooser { const mlr_whereabouts *where; mlr_digestmap *path; mlr_op *op; unsigned looked_into; } chooser;

static int choose(chooser *c, const mlr_manifest *index, const mlr_wish *w, unsigned depth, mlr_manifest **out, mlreg_error **err);

/* What is within an index is one of its own variants; the name that was asked for has been looked at outside. */
static int take_inner(chooser *c, const mlr_variant *v, const mlr_manifest *m, const mlr_wish *w, unsigned depth, mlr_manifest **out, mlreg_error **err)
{
    mlr_wish inner = *w;

    if (v->name != NULL)
        inner.name = NULL;
    return choose(c, m, &inner, depth + 1, out, err);
}

static int take(chooser *c, const mlr_variant *v, const mlr_wish *w, unsigned depth, mlr_manifest **out, mlreg_error **err)
{
    mlr_manifest *m = NULL;
    mlreg_error *why = NULL;
    int rc;

    if (c->looked_into++ >= MAX_LOOKED_INTO)
        return mlr_error_set(err, MLREG_ELIMIT, "none of the first %d entries of its nested indexes fits", MAX_LOOKED_INTO);
    rc = mlr_variant_manifest(c->where, &v->entry->digest, c->op, &m, &why);

    if (rc < 0)
        return absent(v, rc, &why, err);
    if (m->is_index) {
        rc = take_inner(c, v, m, w, depth, out, err);
        mlr_manifest_free(m);
    } else {
        *out = m;
    }
    if (rc == 0 && c->path != NULL && mlr_digestmap_add(c->path, &v->entry->digest, err) == NULL) {
        mlr_manifest_free(*out);
        rc = MLREG_ENOMEM;
    }
    return rc;
}

/* An index that says nothing of itself may hold anything, also what has the name that is asked for. */
static bool may_hold(const mlr_candidate *c)
{
    return mlr_manifest_type_is_index(c->variant.entry->media_type) && c->variant.name == NULL && c->variant.entry->platform == NULL;
}

static bool is_eligible(const mlr_candidate *c)
{
    return mlr_manifest_type_known(c->variant.entry->media_type) && (c->fits || may_hold(c));
}

static int choose(chooser *c, const mlr_manifest *index, const mlr_wish *w, unsigned depth, mlr_manifest **out, mlreg_error **err)
{
    mlr_candidate *all = NULL;
    mlreg_error *why = NULL;
    int rc;

    if (depth > MAX_DEPTH)
        return mlr_error_set(err, MLREG_ELIMIT, "%s: indexes are nested over %d deep", index->self.digest.text, MAX_DEPTH);
    if ((rc = mlr_choose(index, w, &all, err)) < 0)
        return rc;
    rc = MLREG_ENOTSUP;
    for (size_t i = 0; i < index->n_children && rc == MLREG_ENOTSUP; i++) {
        if (!is_eligible(&all[i]))
            continue;
        mlr_error_done(why);
        why = NULL;
        rc = take(c, &all[i].variant, w, depth, out, &why);
    }
    if (rc == MLREG_ENOTSUP) {
        mlr_error_done(why);
        why = NULL;
        rc = nothing_fits(index, w, all, &why);
    }
    mlr_error_move(err, &why);
    mlr_candidates_free(all, index->n_children);
    return rc;
}

int mlr_variant_manifest(const mlr_whereabouts *where, const mlr_digest *d, mlr_op *op, mlr_manifest **out, mlreg_error **err)
{
    mlr_ref near = { .repo = (char *)where->near_repo, .digest = *d }, far = { .repo = (char *)where->repo, .digest = *d };

    if (where->place->far && where->near != NULL && !where->near->far && mlr_place_manifest(where->near, &near, op, out, NULL) == 0)
        return 0;
    return mlr_place_manifest(where->place, &far, op, out, err);
}

int mlr_variant_of_index(const mlr_whereabouts *where, const mlr_manifest *index, const mlr_wish *w, mlr_op *op, mlr_digestmap *path, mlr_manifest **chosen, mlreg_error **err)
{
    chooser c = { where, path, op, 0 };

    return mlr_error_at(err, choose(&c, index, w, 0, chosen, err), where->place->name);
}

int mlr_variant_resolve(mlr_place *p, const mlr_ref *r, const mlr_wish *w, mlr_op *op, mlr_manifest **out, mlreg_error **err)
{
    const mlr_whereabouts where = { .place = p, .repo = r->repo };
    mlr_manifest *m = NULL;
    int rc = mlr_place_manifest(p, r, op, &m, err);

    if (rc < 0)
        return rc;
    if (!m->is_index || !w->any) {
        *out = m;
        return 0;
    }
    rc = mlr_variant_of_index(&where, m, w, op, NULL, out, err);
    mlr_manifest_free(m);
    return rc;
}

/* ---- listing ---- */

/* Looked at only where that asks nobody. 1: it is not there. */
static int is_absent(mlr_place *p, const char *repo, const mlr_descriptor *d, mlr_op *op)
{
    mlr_ref r = { .repo = (char *)repo, .digest = d->digest };
    mlr_manifest *m = NULL;
    int rc = p->far || !mlr_manifest_type_known(d->media_type) ? 0 : mlr_place_manifest(p, &r, op, &m, NULL);

    mlr_manifest_free(m);
    return rc == MLREG_ENOTFOUND;
}

static int add_to_list(mlr_place *p, const char *repo, const mlr_candidate *c, bool is_chosen, mlr_op *op, mlr_list *out, mlreg_error **err)
{
    mlr_descriptor d = { 0 };
    char *word = mlr_asprintf("%s%s%s", is_chosen ? "chosen" : c->fits ? "fits" : "no", c->why[0] != '\0' ? ": " : "", c->why);
    int rc = word != NULL ? mlr_descriptor_copy(c->variant.entry, &d, err) : mlr_error_nomem(err);

    if (rc == 0 && (rc = mlr_descriptor_annotate(&d, MLR_VARIANT_PREFIX "fit", word, err)) == 0 && is_absent(p, repo, &d, op))
        rc = mlr_descriptor_annotate(&d, MLR_VARIANT_PREFIX "absent", "true", err);
    if (rc == 0)
        rc = mlr_list_add(out, c->variant.name != NULL ? c->variant.name : "", &d, err);
    mlr_descriptor_done(&d);
    mlr_free(word);
    return rc;
}

int mlr_variant_list(mlr_place *p, const mlr_ref *r, const mlr_wish *w, mlr_op *op, mlr_list **out, mlreg_error **err)
{
    mlr_candidate *all = NULL;
    mlr_manifest *m = NULL;
    mlr_list *list = NULL;
    int rc;

    if ((rc = mlr_place_manifest(p, r, op, &m, err)) < 0)
        return rc;
    if ((rc = mlr_list_new(&list, err)) == 0 && m->is_index && (rc = mlr_choose(m, w, &all, err)) == 0)
        for (size_t i = 0; i < m->n_children && rc == 0; i++)
            rc = add_to_list(p, r->repo, &all[i], i == 0 && all[i].fits, op, list, err);
    if (rc == 0)
        *out = list;
    else
        mlr_list_free(list);
    mlr_candidates_free(all, m->n_children);
    mlr_manifest_free(m);
    return rc;
}
