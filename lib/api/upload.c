/* api/upload.c - the upload handle: one blob that comes in pieces. */
#include "api/door.h"

#include "base/alloc.h"
#include "base/error.h"

struct mlreg_upload {
    mlreg_session *session;
    char          *repo;
    mlr_incoming  *incoming;
    bool           committed;
};

static int make(mlreg_session *s, const char *repo, mlr_incoming *in, mlreg_upload **out, mlreg_error **err)
{
    mlreg_upload *u = mlr_alloc(sizeof *u);

    if (u == NULL || (u->repo = mlr_strdup(repo)) == NULL) {
        mlr_free(u);
        return mlr_error_nomem(err);
    }
    u->session = mlr_session_ref(s);
    u->incoming = in;
    *out = u;
    return 0;
}

int mlreg_upload_open(mlreg_session *s, const char *repo, const char *id, mlreg_op *remote, mlreg_upload **out, mlreg_error **err)
{
    mlr_incoming *in = NULL;
    mlr_op *op = NULL;
    int rc;

    if ((rc = mlr_door_session(s, err)) < 0 || (rc = mlr_door_needs(repo, "repo", err)) < 0 || (rc = mlr_door_needs(out, "out", err)) < 0 ||
        (rc = mlr_door_begin(remote, &op, err)) < 0)
        return rc;
    if ((rc = mlr_place_incoming(s->place, repo, id, op, &in, err)) == 0 && (rc = make(s, repo, in, out, err)) < 0)
        mlr_incoming_free(in);
    mlr_op_end(op);
    return rc;
}

const char *mlreg_upload_id(const mlreg_upload *u)
{
    return u != NULL ? mlr_incoming_id(u->incoming) : NULL;
}

uint64_t mlreg_upload_bytes(const mlreg_upload *u)
{
    return u != NULL ? mlr_incoming_bytes(u->incoming) : 0;
}

static int usable(const mlreg_upload *u, mlreg_error **err)
{
    int rc = mlr_door_needs(u, "the upload", err);

    if (rc == 0 && (rc = mlr_door_session(u->session, err)) == 0 && u->committed)
        rc = mlr_error_set(err, MLREG_ESTATE, "this upload was committed");
    return rc;
}

int mlreg_upload_write(mlreg_upload *u, const void *data, size_t len, mlreg_error **err)
{
    int rc = usable(u, err);

    if (rc == 0 && len > 0 && (rc = mlr_door_needs(data, "data", err)) == 0)
        rc = mlr_incoming_write(u->incoming, data, len, err);
    return rc;
}

int mlreg_upload_keep(mlreg_upload *u, mlreg_error **err)
{
    int rc = usable(u, err);

    return rc == 0 ? mlr_incoming_keep(u->incoming, err) : rc;
}

int mlreg_upload_commit(mlreg_upload *u, const char *digest, mlreg_op *remote, mlreg_error **err)
{
    mlr_digest d;
    mlr_op *op = NULL;
    int rc;

    if ((rc = usable(u, err)) < 0 || (rc = mlr_door_needs(digest, "digest", err)) < 0 || (rc = mlr_digest_parse(digest, &d, err)) < 0 ||
        (rc = mlr_door_begin(remote, &op, err)) < 0)
        return rc;
    rc = mlr_place_arrive(u->session->place, u->repo, u->incoming, &d, op, err);
    u->committed = rc != MLREG_EDIGEST; /* a failure to publish has taken the file */
    mlr_op_end(op);
    return mlr_error_subject(err, rc, digest);
}

void mlreg_upload_cancel(mlreg_upload *u)
{
    if (u != NULL)
        mlr_incoming_spoil(u->incoming);
}

void mlreg_upload_free(mlreg_upload *u)
{
    if (u == NULL)
        return;
    mlr_incoming_free(u->incoming);
    mlreg_session_free(u->session);
    mlr_free(u->repo);
    mlr_free(u);
}
