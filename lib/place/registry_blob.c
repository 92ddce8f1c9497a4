/* place/registry_blob.c - blobs of a registry: whether they are there, and taking them from another repository. */
#include "place/registry.h"

#include "base/alloc.h"
#include "base/error.h"
#include "place/registry_ask.h"

int mlr_registry_blob_look(mlr_registry *g, const mlr_blob *b, bool again, mlr_op *op, mlreg_error **err)
{
    mlr_exchange *x = NULL;
    mlr_ask       ask;
    uint64_t      bytes;
    int           rc = mlr_ask_init(&ask, g, "HEAD", b->repo, "blobs", b->digest.text, MLR_MAY_PULL, err);

    ask.call.again = again;
    ask.call.request.stored_bytes = b->bytes;
    if (rc == 0)
        rc = mlr_ask_begin(&ask, g, op, &x, err);
    if (rc == 404)
        rc = 0;
    else if (rc == 200)
        rc = !mlr_exchange_length(x, &bytes) || bytes == b->bytes;   /* of another size it is of no use: upload it */
    else if (rc > 0)
        rc = mlr_ask_refused(&ask, g, x, op, err);
    mlr_exchange_free(x);
    mlr_ask_done(&ask);
    return rc;
}

int mlr_registry_blob_has(mlr_place *p, const mlr_blob *b, mlr_op *op, mlreg_error **err)
{
    return mlr_registry_blob_look((mlr_registry *)p, b, true, op, err);
}

/* POST …/blobs/uploads/?mount=D&from=M, with the right to read there as well. */
static int ask_to_mount(mlr_ask *a, mlr_registry *g, const mlr_blob *b, const char *from_repo, mlreg_error **err)
{
    char *from = mlr_registry_repo(g, from_repo), *both;
    int   rc = mlr_ask_init(a, g, "POST", b->repo, "blobs/uploads/", NULL, MLR_MAY_PUSH, err);

    if (rc < 0)
        goto out;
    if (from == NULL || (both = mlr_asprintf("%s repository:%s:" MLR_MAY_PULL, a->scope, from)) == NULL) {
        rc = mlr_error_nomem(err);
        goto out;
    }
    mlr_free(a->scope);
    a->call.scope = a->scope = both;
    if ((rc = mlr_ask_query(a, "mount", b->digest.text, err)) == 0)
        rc = mlr_ask_query(a, "from", from, err);
out:
    mlr_free(from);
    return rc;
}

int mlr_registry_mount(mlr_place *p, const mlr_blob *b, const char *from_repo, mlr_op *op, mlreg_error **err)
{
    mlr_registry *g = (mlr_registry *)p;
    mlr_exchange *x = NULL;
    mlreg_error  *why = NULL;
    mlr_ask       ask;
    int           rc;

    if ((rc = ask_to_mount(&ask, g, b, from_repo, err)) < 0)
        goto out;
    rc = mlr_ask_begin(&ask, g, op, &x, &why);
    /* What stands in the way of a mount may let an upload pass; 202 began one, which the registry forgets in time. */
    if (rc >= 0 || rc == MLREG_EAUTH || rc == MLREG_EDENIED)
        rc = rc == 201;
    else
        mlr_error_move(err, &why);
out:
    mlr_error_done(why);
    mlr_exchange_free(x);
    mlr_ask_done(&ask);
    return rc;
}
