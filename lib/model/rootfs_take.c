/* model/rootfs_take.c - an image's layers, brought and laid over each other: those that are asked for, and of these as few as will do. */
#include "model/rootfs_parts.h"

#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "model/counted.h"
#include "model/foreign.h"
#include "model/modelpack.h"
#include "model/unpack.h"
#include "place/absent.h"

#define LOOKED_AT_MAX 64u      /* layers, each an open file until it is laid; what is not looked at is taken */

/* A layer; once it is brought, its bytes, and if they are read where they are, the reader that is told how far. */
struct part { bool needed, brought; mlr_unpack bytes; mlr_reader *counted; };
struct taking { const mlr_rootfs_source *from; mlr_rootfs_work *work; struct part *parts; };

/* ---- which ---- */

static bool is_listed(const mlr_rootfs_source *s, const mlr_descriptor *layer)
{
    for (size_t i = 0; i < s->n_layers; i++)
        if (strcmp(s->layers[i], layer->digest.text) == 0)
            return true;
    return s->n_layers == 0;
}

/* The path of its one file, for those that name it. */
static bool is_named(const mlr_descriptor *layer, mlr_rootfs_name *path)
{
    const char *named = mlr_descriptor_annotation(layer, MLR_FILEPATH_KEY);

    return named != NULL && mlr_rootfs_clean(named, path, NULL) == 0;
}

/* A layer that names its one file need not come where another one is asked for. Of all others it is not known. */
static bool may_hold(const struct taking *t, const mlr_descriptor *layer)
{
    const char *only = t->work->only.text;
    mlr_rootfs_name path;

    return only[0] == '\0' || !is_named(layer, &path) || mlr_rootfs_is_below(path.text, only) || mlr_rootfs_is_below(only, path.text);
}

/* One file below a folder does not decide what else there is in it. */
static bool may_settle(const struct taking *t, const mlr_descriptor *layer)
{
    mlr_rootfs_name path;

    return !is_named(layer, &path) || mlr_rootfs_is_below(t->work->only.text, path.text);
}

static void need(struct taking *t, size_t i, bool needed)
{
    const mlr_descriptor *d = &t->from->manifest->layers[i];
    const int sign = needed ? 1 : -1;

    if (t->parts[i].needed == needed)
        return;
    t->parts[i].needed = needed;
    mlr_op_count(t->work->op, MLR_N_BLOBS_TOTAL, sign);
    mlr_op_count(t->work->op, MLR_N_BYTES_TOTAL, sign * (int64_t)d->bytes);
}

/* ---- one of them ---- */

static int at_layer(const struct taking *t, size_t i, int rc, mlreg_error **err)
{
    const mlr_descriptor *d = &t->from->manifest->layers[i];

    if (rc != MLREG_EIO && rc != MLREG_EDENIED)
        mlr_error_at(err, rc, t->from->place->name);
    mlr_absent_hint(d, "MLREG_UNPACK_FOREIGN", rc, err);
    return mlr_error_subject(err, rc, d->digest.text);
}

struct landing { struct taking *of; size_t layer; };

static int land(void *user, mlr_reader **r, mlr_op *op, mlreg_error **err)
{
    const struct landing *l = user;
    struct taking *t = l->of;
    const mlr_ground ground = { t->work->root, t->from->dir };

    return mlr_unpack_bring(&t->parts[l->layer].bytes, t->from->place->rt, r, &t->from->manifest->layers[l->layer], &ground, op, err);
}

/* Its place closes before the layer is laid: were it verified already, it is not read there. */
static int land_copy(void *user, mlr_reader **r, mlr_op *op, mlreg_error **err)
{
    (*r)->trusted = false;
    return land(user, r, op, err);
}

/* One that was not found, from where it is instead, if it is asked for: rc then. */
static int bring_foreign(struct taking *t, size_t i, const mlr_blob *b, int rc, mlreg_error **why)
{
    const mlr_descriptor *d = &t->from->manifest->layers[i];
    struct landing l = { t, i };

    if (rc != MLREG_ENOTFOUND || !t->from->foreign || !mlr_descriptor_is_foreign(d))
        return rc;
    mlr_error_done(*why);
    *why = NULL;
    return mlr_foreign_bring(t->from->place, b, d, t->from->place->rt, land_copy, &l, t->work->op, why);
}

static int bring(struct taking *t, size_t i, mlreg_error **err)
{
    const mlr_descriptor *d = &t->from->manifest->layers[i];
    struct landing l = { t, i };
    mlr_place *from = t->from->place;
    mlr_blob b = { t->from->repo, d->digest, d->bytes, d->media_type };
    struct part *p = &t->parts[i];
    mlreg_error *why = NULL;
    int rc;

    if (p->brought)
        return 0;
    do {
        mlr_unpack_done(&p->bytes);
        if ((rc = mlr_counted_open(from, &b, t->work->op, &p->counted, &why)) == 0)
            rc = land(&l, &p->counted, t->work->op, &why);
    } while (mlr_counted_again(from, &b, rc, &p->counted, t->work->op, &why));
    if (rc < 0) {
        mlr_reader_free(p->counted);
        p->counted = NULL;
        rc = bring_foreign(t, i, &b, rc, &why);
    }
    p->brought = rc == 0;
    mlr_error_move(err, &why);
    return at_layer(t, i, rc, err);
}

static void drop(struct part *p)
{
    mlr_unpack_done(&p->bytes);
    p->brought = false;
}

static int lay(struct taking *t, size_t i, mlreg_error **err)
{
    struct part *p = &t->parts[i];
    int rc = bring(t, i, err);

    if (rc < 0)
        return rc;
    if ((rc = mlr_rootfs_layer(t->work, p->bytes.bytes, &t->from->diff_ids[i], err)) == 0) {
        if (p->counted != NULL)
            mlr_counted_rest(p->counted, t->work->op);
        mlr_op_count(t->work->op, MLR_N_BLOBS_DONE, 1);
    }
    drop(p);
    return at_layer(t, i, rc, err);
}

/* ---- all of them ---- */

static bool any_below(const struct taking *t, size_t i)
{
    while (i-- > 0)
        if (t->parts[i].needed)
            return true;
    return false;
}

/* From the top down: what lies below a layer that decides what is at the path need not come. */
static int settle(struct taking *t, mlreg_error **err)
{
    size_t looked_at = 0;
    int rc = 0;

    for (size_t i = t->from->manifest->n_layers; i-- > 0 && rc == 0 && looked_at < LOOKED_AT_MAX && any_below(t, i);) {
        if (!t->parts[i].needed || !may_settle(t, &t->from->manifest->layers[i]))
            continue;
        looked_at++;
        if ((rc = bring(t, i, err)) == 0)
            rc = at_layer(t, i, mlr_rootfs_settles(t->work, t->parts[i].bytes.bytes, err), err);
        for (size_t k = 0; k < i && rc == 1; k++)
            need(t, k, false);
    }
    return rc < 0 ? rc : 0;
}

static int take(struct taking *t, mlreg_error **err)
{
    const mlr_descriptor *layers = t->from->manifest->layers;
    const size_t n = t->from->manifest->n_layers;
    int rc;

    for (size_t i = 0; i < n; i++)
        need(t, i, is_listed(t->from, &layers[i]) && may_hold(t, &layers[i]));
    rc = t->work->only.text[0] != '\0' ? settle(t, err) : 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = t->parts[i].needed ? lay(t, i, err) : 0;
    return rc;
}

/* Each that is listed must be there. */
static int check_list(const mlr_rootfs_source *s, mlreg_error **err)
{
    for (size_t k = 0; k < s->n_layers; k++) {
        size_t i = 0;
        int rc;

        while (i < s->manifest->n_layers && strcmp(s->manifest->layers[i].digest.text, s->layers[k]) != 0)
            i++;
        if (i < s->manifest->n_layers)
            continue;
        rc = mlr_error_set(err, MLREG_EINVAL, "%s has no layer \"%s\"", s->manifest->self.digest.text, s->layers[k]);
        return mlr_error_hint(err, rc, "name layers by their whole digest, as mlreg inspect shows it");
    }
    return 0;
}

int mlr_rootfs_take(const mlr_rootfs_source *from, mlr_rootfs_work *w, mlreg_error **err)
{
    struct taking t = { from, w, mlr_alloc_array(from->manifest->n_layers, sizeof *t.parts) };
    int rc = t.parts != NULL ? check_list(from, err) : mlr_error_nomem(err);

    for (size_t i = 0; t.parts != NULL && i < from->manifest->n_layers; i++)
        t.parts[i].bytes = (mlr_unpack)MLR_UNPACK_INIT;
    if (rc == 0)
        rc = take(&t, err);
    for (size_t i = 0; t.parts != NULL && i < from->manifest->n_layers; i++)
        drop(&t.parts[i]);
    mlr_free(t.parts);
    return rc;
}
