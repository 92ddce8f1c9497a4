/* model/build_over.c - what an image's new layers put, against what its base has there: nothing is hidden or broken that was not meant. */
#include "model/build_parts.h"

#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/work.h"

/* ---- a clash ---- */

static const char *word_for(mlr_member_kind kind)
{
    switch (kind) {
    case MLR_MEMBER_DIR: return "a directory";
    case MLR_MEMBER_SYMLINK: return "a link";
    case MLR_MEMBER_OTHER: return "a device or pipe";
    default: return "a file";
    }
}

static int refuse(const char *name, mlr_member_kind kind, const mlr_below_found *f, mlreg_error **err)
{
    const int len = (int)f->len;
    const mlr_member_kind made = name[len] == '/' ? MLR_MEMBER_DIR : kind;
    int rc = mlr_error_set(err, MLREG_EINVAL, "/%.*s exists in the base as %s, and the layer makes it %s", len, name, word_for(f->kind), word_for(made));

    mlr_error_subject(err, rc, name);
    if (f->kind == MLR_MEMBER_DIR)
        return mlr_error_hint(err, rc, "all that is in the directory would be hidden: put it into the directory, as in /%.*s/NAME, or at another path", len, name);
    if (f->kind == MLR_MEMBER_SYMLINK)
        return mlr_error_hint(err, rc, "put it where the link leads, which is \"%s\", or at another path", f->link);
    return mlr_error_hint(err, rc, "put it at another path, or choose a base that has no such file");
}

/* A folder that only leads to others is not named where a link of the base leads on: a runtime goes through that. */
static int ask(void *user, const mlr_member *m, bool implied, mlreg_error **err)
{
    mlr_below_found f = { 0 };
    mlr_below_says says = mlr_below_look(user, m->name, m->kind, &f);

    if (says == MLR_BELOW_CLASH || (says == MLR_BELOW_LINK && !implied))
        return refuse(m->name, m->kind, &f, err);
    return says == MLR_BELOW_LINK ? 1 : 0;
}

int mlr_build_settle(struct mlr_build_layer *l, mlreg_error **err)
{
    return l->of->below != NULL ? mlr_tarlayer_settle(l->tar, ask, l->of->below, err) : 0;
}

/* ---- new layers ---- */

/* One that others made: it is taken as it is. */
static int check_entries(mlr_below *below, const mlr_listing *l, mlreg_error **err)
{
    mlr_listing_at at = { 0 };
    int rc = 0;

    while (rc == 0 && mlr_listing_next(l, &at) == 1) {
        const char *slash = strrchr(at.name.text, '/');
        const mlr_member m = { .kind = at.kind, .name = at.name.text };

        if (strncmp(slash != NULL ? slash + 1 : m.name, MLR_WHITEOUT, MLR_WHITEOUT_LEN) != 0)
            rc = ask(below, &m, false, err);
    }
    return rc;
}

/* What pip will install shows later; that it can be where it shall, now. */
static int check_target(struct mlr_build_layer *l, mlreg_error **err)
{
    const mlr_member target = { .kind = MLR_MEMBER_DIR, .name = l->title };
    mlr_below_found f;
    int rc = ask(l->of->below, &target, true, err);

    l->adapts = rc >= 0 && mlr_below_look(l->of->below, l->title, MLR_MEMBER_DIR, &f) != MLR_BELOW_FREE;
    return rc < 0 ? rc : 0;
}

static int check_new(struct mlr_build_layer *l, const mlr_listing *listing, mlreg_error **err)
{
    int rc;

    if (l->reuse.from != NULL)
        rc = listing->known ? check_entries(l->of->below, listing, err) : 0;
    else
        rc = l->tar != NULL ? mlr_build_settle(l, err) : check_target(l, err);
    return mlr_error_subject(err, rc, l->path != NULL ? l->path : l->title);
}

/* ---- all of it ---- */

/* A layer that is somewhere already: of the base, and of others in the image's own. */
struct held { const mlr_reuse *layer; mlr_digest diff_id; mlr_listing listing; };
struct looking { mlr_build *of; struct held *held; size_t n_base, n; };

static int read_one(void *arg, mlr_op *op, mlreg_error **err)
{
    struct held *h = arg;
    const mlr_descriptor *d = &h->layer->layer;
    const mlr_blob b = { h->layer->repo, d->digest, d->bytes, d->media_type };

    return mlr_listing_read(&h->listing, h->layer->from, &b, &h->diff_id, op, err);
}

static int read_all(struct looking *k, mlr_op *op, mlreg_error **err)
{
    mlr_group *g = NULL;
    int rc = mlr_group_new(k->of->to->rt, op, mlr_runtime_limits(k->of->to->rt)->threads, &g, err);

    for (size_t i = 0; i < k->n && rc == 0; i++) {
        k->held[i].layer = i < k->n_base ? mlr_image_base_layer(k->of->image, i) : &k->of->layers[i - k->n_base].reuse;
        if (i < k->n_base)
            rc = mlr_image_base_diff_id(k->of->image, i, &k->held[i].diff_id, err);
        else
            k->held[i].diff_id = k->of->layers[i - k->n_base].diff_id;
        if (rc == 0 && k->held[i].layer->from != NULL)
            rc = mlr_group_add(g, read_one, &k->held[i], err);
    }
    if (rc == 0)
        rc = mlr_group_wait(g, err);
    mlr_group_free(g);
    return rc;
}

/* A base that is too large to be looked at is not looked at. */
static int lay_all(struct looking *k, mlr_op *op, mlreg_error **err)
{
    mlreg_error *why = NULL;
    int rc = mlr_below_new(&k->of->below, &why);

    for (size_t i = 0; i < k->n_base && rc == 0; i++)
        rc = mlr_below_lay(k->of->below, &k->held[i].listing, op, &why);
    if (rc == MLREG_ELIMIT) {
        mlr_below_free(k->of->below);
        k->of->below = NULL;
        rc = 0;
    }
    if (rc < 0)
        mlr_error_move(err, &why);
    mlr_error_done(why);
    return rc;
}

int mlr_build_check_base(mlr_build *b, mlr_op *op, mlreg_error **err)
{
    const size_t n_base = mlr_build_n_base(b);
    struct looking k = { b, mlr_alloc_array(n_base + b->n, sizeof *k.held), n_base, n_base + b->n };
    int rc = 0;

    if (k.held == NULL)
        return mlr_error_nomem(err);
    if (n_base > 0 && b->n > 0 && (rc = read_all(&k, op, err)) == 0)
        rc = lay_all(&k, op, err);
    for (size_t i = 0; i < b->n && rc == 0 && b->below != NULL; i++)
        rc = check_new(&b->layers[i], &k.held[n_base + i].listing, err);
    for (size_t i = 0; i < k.n; i++)
        mlr_listing_done(&k.held[i].listing);
    mlr_free(k.held);
    return rc;
}
