/* place/upload_take.c - blobs whose digest is not known yet: sent while they are hashed, and dropped if they turn out to be there. */
#include "place/upload_parts.h"

#include "base/error.h"
#include "place/intake.h"

/* The digest of all of `r`, from whoever finds it out or else by reading it here. */
static int hash(mlr_registry *g, mlr_reader *r, const mlr_ahead_file *ahead, mlr_op *op, mlr_digest *out, mlreg_error **err)
{
    int rc = ahead != NULL ? mlr_ahead_digest(ahead, r, true, op, out, err) : 0;

    if (rc == 0)
        return mlr_intake(g->place.rt, r, NULL, NULL, op, out, err);
    return rc < 0 ? rc : 0;
}

static int hash_then_write(mlr_registry *g, const char *repo, mlr_reader *r, const mlr_ahead_file *ahead, mlr_op *op,
                           mlr_digest *digest, mlreg_error **err)
{
    mlr_blob b = {repo, {""}, r->bytes, NULL};
    int      rc = hash(g, r, ahead, op, &b.digest, err);

    if (rc < 0)
        return rc;
    if ((rc = mlr_upload_write(g, &b, r, r->fd >= 0, op, err)) == 0)
        *digest = b.digest;
    return rc;
}

/* The digest of what was sent: hashed ahead, or on its way. */
static int learn_digest(mlr_upload *u, mlreg_error **err)
{
    if (u->source.ahead == NULL)
        return mlr_upload_source_digest(&u->source, &u->digest) ? 0
                   : mlr_error_set(err, MLREG_EPROTO, "the registry took an upload before all of it was sent");
    return hash(u->g, u->source.from, u->source.ahead, u->op, &u->digest, err);
}

/* The whole blob in one PATCH, and named at the end. */
static int take_streamed(mlr_upload *u, mlreg_error **err)
{
    int rc = mlr_upload_go_on(u, err);

    if (rc < 0 || (rc == 0 && (rc = mlr_upload_begin(u, err)) < 0))
        return rc;
    if (rc == 0 && (rc = mlr_upload_patch(u, err)) < 0) {
        if (mlr_upload_is_refusal(u->status))
            mlr_hostfacts_learn(&u->g->facts, MLR_FACT_NO_STREAMED_PATCH);
        return rc;
    }
    if ((rc = learn_digest(u, err)) < 0 || (rc = mlr_reader_unchanged(u->source.from, err)) < 0)
        return rc;
    return mlr_upload_put(u, false, err);
}

/* Asked by the source while it is read: is what is being sent there already? */
static bool is_there(void *user, const mlr_digest *digest)
{
    const mlr_upload *u = user;
    const mlr_blob    b = {u->repo, *digest, u->source.reader.bytes, NULL};

    return mlr_registry_blob_look(u->g, &b, false, u->op, NULL) == 1;
}

static int dropped(mlr_upload *u, mlr_digest *digest)
{
    *digest = u->source.found;
    mlr_op_count(u->op, MLR_N_BYTES_REUSED, (int64_t)(u->source.reader.bytes - u->source.at));
    mlr_upload_drop(u);
    return 0;
}

static int take(mlr_registry *g, const char *repo, mlr_reader *r, const mlr_ahead_file *ahead, mlr_op *op, mlr_digest *digest,
                mlreg_error **err)
{
    mlreg_error *why = NULL;
    mlr_upload   u;
    int          rc;

    mlr_upload_init(&u, g, repo, NULL, r, op);
    mlr_upload_source_ahead(&u.source, ahead, is_there, &u);
    if ((rc = take_streamed(&u, &why)) == 0) {
        *digest = u.digest;
    } else if (u.source.found.text[0] != '\0') {
        rc = dropped(&u, digest);
    } else if (mlr_upload_is_doubt(&u, rc)) {
        mlr_op_count(op, MLR_N_RETRIES, 1);
        rc = hash_then_write(g, repo, r, ahead, op, digest, err);
    } else {
        mlr_error_move(err, &why);
    }
    mlr_error_done(why);
    mlr_upload_done(&u, rc);
    return rc;
}

int mlr_registry_blob_take(mlr_place *p, const char *repo, mlr_reader *r, mlr_op *op, mlr_digest *digest, mlreg_error **err)
{
    mlr_registry *g = (mlr_registry *)p;

    if (r->bytes < MLR_UPLOAD_ASK_FIRST || mlr_hostfacts_know(&g->facts, MLR_FACT_NO_STREAMED_PATCH))
        return hash_then_write(g, repo, r, NULL, op, digest, err);
    return take(g, repo, r, NULL, op, digest, err);
}

int mlr_registry_blob_take_ahead(mlr_place *p, const char *repo, mlr_reader *r, const mlr_ahead_file *ahead, mlr_op *op,
                                 mlr_digest *digest, mlreg_error **err)
{
    mlr_registry *g = (mlr_registry *)p;
    mlr_digest    known;
    int           rc = mlr_ahead_digest(ahead, r, false, op, &known, err);

    if (rc < 0)
        return rc;
    if (rc == 1 || r->bytes < MLR_UPLOAD_ASK_FIRST || mlr_hostfacts_know(&g->facts, MLR_FACT_NO_STREAMED_PATCH))
        return hash_then_write(g, repo, r, ahead, op, digest, err);
    return take(g, repo, r, ahead, op, digest, err);
}
