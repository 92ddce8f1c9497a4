/* model/foreign.c - layers that are not to be distributed, from where they are. */
#include "model/foreign.h"

#include "base/alloc.h"
#include "base/error.h"
#include "model/counted.h"
#include "place/absent.h"

#define URLS_MAX 16                   /* a manifest can name tens of thousands, each a connection that may take its time to fail */

struct bringing { mlr_place *via; mlr_foreign_take take; void *user; mlr_op *op; };

int mlr_foreign_blame(const mlr_place *from, int rc, mlreg_error **err, mlreg_error **why)
{
    if (rc == MLREG_EDIGEST && *why != NULL && (*why)->http_status == 0) {
        mlr_free((*why)->place);
        (*why)->place = NULL;
        mlr_error_at(why, rc, from->name);
    }
    mlr_error_move(err, why);
    return rc;
}

static int hand_over(const struct bringing *x, mlr_reader *r, mlreg_error **err)
{
    int rc = x->take(x->user, &r, x->op, err);

    if (rc == 0 && r != NULL)
        mlr_counted_rest(r, x->op);
    else if (r != NULL)
        mlr_counted_take_back(r, x->op);
    mlr_reader_free(r);
    return rc;
}

static int from_registry(const struct bringing *x, const mlr_blob *a, mlreg_error **err)
{
    mlr_reader *r = NULL;
    mlreg_error *why = NULL;
    int rc = mlr_counted_open(x->via, a, x->op, &r, &why);

    if (rc == 0)
        rc = hand_over(x, r, &why);
    return mlr_foreign_blame(x->via, rc, err, &why);
}

static int from_url(const struct bringing *x, const mlr_blob *a, const char *url, mlreg_error **err)
{
    mlr_reader *inner = NULL, *r = NULL;
    mlreg_error *why = NULL;
    int rc = mlr_place_blob_at(x->via, a, url, &inner, &why);

    if (rc == 0 && (rc = mlr_counted_new(inner, x->via->name, &r, &why)) < 0)
        mlr_reader_free(inner);
    if (rc == 0)
        rc = hand_over(x, r, &why);
    mlr_error_hint(&why, rc, "the layer is not to be distributed, so it must come from %s", url);
    return mlr_foreign_blame(x->via, rc, err, &why);
}

static int from_urls(const struct bringing *x, const mlr_blob *a, const mlr_descriptor *d, mlreg_error **err)
{
    mlreg_error *why = NULL;
    int rc = MLREG_ENOTFOUND;

    for (size_t i = 0; i < d->n_urls && i < URLS_MAX && rc < 0 && rc != MLREG_ECANCELLED; i++) {
        mlr_error_done(why);
        why = NULL;
        rc = from_url(x, a, d->urls[i], &why);
    }
    mlr_error_move(err, &why);
    return rc;
}

/* Where nobody knows the registry that named it, nobody in particular asks. */
static int from_record(struct bringing *x, mlr_place *from, const mlr_blob *a, const mlr_descriptor *d, mlr_runtime *rt, mlreg_error **err)
{
    mlr_absent where = { NULL, NULL, NULL };
    mlr_blob there = *a;
    int rc;

    if ((rc = mlr_absent_find(from, &a->digest, &where, err)) == 0)
        rc = mlr_absent_at(d->urls[0], &where, err);
    if (rc == 1 && (rc = mlr_absent_open(&where, rt, x->op, &x->via, err)) == 0) {
        there.repo = where.repo;
        if (where.location[0] != '\0' && mlr_place_blob_has(x->via, &there, x->op, NULL) == 1)
            rc = from_registry(x, &there, err);
        else
            rc = from_urls(x, &there, d, err);
    }
    mlr_place_close(x->via);
    mlr_absent_done(&where);
    return rc;
}

int mlr_foreign_bring(mlr_place *from, const mlr_blob *a, const mlr_descriptor *d, mlr_runtime *rt, mlr_foreign_take take, void *user, mlr_op *op, mlreg_error **err)
{
    struct bringing x = { mlr_place_asks(from) ? from : NULL, take, user, op };

    return x.via != NULL ? from_urls(&x, a, d, err) : from_record(&x, from, a, d, rt, err);
}
