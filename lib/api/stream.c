/* api/stream.c - the stream handle: one layer's bytes. */
#include "api/door.h"

#include "base/alloc.h"
#include "base/error.h"

struct mlreg_stream {
    mlreg_session *session;
    mlr_layer *layer;
    mlreg_op *remote;          /* steers every read too; NULL: nobody */
};

static int layer_at(const mlreg_artifact *a, size_t i, mlr_blob *out, mlreg_error **err)
{
    int rc;

    if ((rc = mlr_door_needs(a, "the artifact", err)) < 0 || (rc = mlr_door_session(a->session, err)) < 0)
        return rc;
    if (i >= a->manifest->n_layers)
        return mlr_error_set(err, MLREG_EINVAL, "%s has %zu layers, and no layer %zu", a->manifest->self.digest.text, a->manifest->n_layers, i);
    const mlr_descriptor *d = &a->manifest->layers[i];
    *out = (mlr_blob){ a->repo, d->digest, d->bytes, d->media_type };
    return 0;
}

static int open_layer(const mlreg_artifact *a, const mlr_blob *b, const mlreg_stream_options *o, mlreg_op *remote, mlr_layer **out, mlreg_error **err)
{
    mlr_layer_open how = { .offset = o->offset, .bytes = o->bytes, .unverified = (o->flags & MLREG_STREAM_UNVERIFIED) != 0 };
    mlr_op *op = NULL;
    int rc = mlr_door_begin(remote, &op, err);

    if (rc < 0)
        return rc;
    rc = (o->flags & MLREG_STREAM_FILE) != 0 ? mlr_layer_open_file(a->session->place, b, &how, op, out, err) : mlr_layer_open_at(a->session->place, b, &how, op, out, err);
    mlr_op_end(op);
    return mlr_error_subject(err, rc, b->digest.text);
}

int mlreg_stream_open(mlreg_artifact *a, size_t layer, const mlreg_stream_options *opts, mlreg_op *remote, mlreg_stream **out, mlreg_error **err)
{
    mlreg_stream_options o;
    mlreg_stream *s;
    mlr_blob b;
    int rc;

    if ((rc = mlr_door_needs(out, "out", err)) < 0 || (rc = layer_at(a, layer, &b, err)) < 0 ||
        (rc = mlr_door_options(&o, sizeof o, sizeof o, MLREG_STREAM_UNVERIFIED | MLREG_STREAM_FILE, opts, "mlreg_stream_options", err)) < 0)
        return rc;
    if ((s = mlr_alloc(sizeof *s)) == NULL)
        return mlr_error_nomem(err);
    if ((rc = open_layer(a, &b, &o, remote, &s->layer, err)) < 0) {
        mlr_free(s);
        return rc;
    }
    s->session = mlr_session_ref(a->session);
    s->remote = remote != NULL ? mlr_remote_ref(remote) : NULL;
    *out = s;
    return 0;
}

static int begin(const mlreg_stream *s, const void *buf, size_t len, mlr_op **op, mlreg_error **err)
{
    int rc;

    if ((rc = mlr_door_needs(s, "the stream", err)) < 0 || (rc = mlr_door_session(s->session, err)) < 0 ||
        (len > 0 && (rc = mlr_door_needs(buf, "buf", err)) < 0))
        return rc;
    return mlr_door_begin(s->remote, op, err);
}

int64_t mlreg_stream_read(mlreg_stream *s, void *buf, size_t len, mlreg_error **err)
{
    mlr_op *op = NULL;
    int64_t n = begin(s, buf, len, &op, err);

    if (n == 0)
        n = mlr_layer_read(s->layer, buf, len, op, err);
    mlr_op_end(op);
    return n;
}

int64_t mlreg_stream_read_at(mlreg_stream *s, uint64_t offset, void *buf, size_t len, mlreg_error **err)
{
    mlr_op *op = NULL;
    int64_t n = begin(s, buf, len, &op, err);

    if (n == 0)
        n = mlr_layer_read_at(s->layer, offset, buf, len, op, err);
    mlr_op_end(op);
    return n;
}

int mlreg_stream_seek(mlreg_stream *s, uint64_t offset, mlreg_error **err)
{
    int rc = mlr_door_needs(s, "the stream", err);

    if (rc == 0)
        rc = mlr_door_session(s->session, err);
    return rc < 0 ? rc : mlr_layer_seek(s->layer, offset, err);
}

uint64_t mlreg_stream_bytes(const mlreg_stream *s)
{
    return s != NULL ? mlr_layer_bytes(s->layer) : 0;
}

void mlreg_stream_free(mlreg_stream *s)
{
    if (s == NULL)
        return;
    mlr_layer_free(s->layer);
    mlreg_session_free(s->session);
    mlr_remote_free(s->remote);
    mlr_free(s);
}

int mlreg_artifact_open_fd(const mlreg_artifact *a, size_t layer, int *fd, mlreg_error **err)
{
    mlr_blob b;
    int rc;

    if ((rc = mlr_door_needs(fd, "fd", err)) < 0 || (rc = layer_at(a, layer, &b, err)) < 0)
        return rc;
    return mlr_error_subject(err, mlr_layer_fd(a->session->place, &b, NULL, fd, err), b.digest.text);
}

int mlreg_artifact_file_range(const mlreg_artifact *a, size_t layer, mlreg_op *remote, uint64_t *offset, uint64_t *bytes, mlreg_error **err)
{
    const mlreg_stream_options headers_only = { .flags = MLREG_STREAM_UNVERIFIED | MLREG_STREAM_FILE };
    mlr_layer *l = NULL;
    mlr_blob b;
    int rc;

    if ((rc = mlr_door_needs(offset, "offset", err)) < 0 || (rc = mlr_door_needs(bytes, "bytes", err)) < 0 || (rc = layer_at(a, layer, &b, err)) < 0 ||
        (rc = open_layer(a, &b, &headers_only, remote, &l, err)) < 0)
        return rc;
    *offset = mlr_layer_begin(l);
    *bytes = mlr_layer_bytes(l);
    mlr_layer_free(l);
    return 0;
}
