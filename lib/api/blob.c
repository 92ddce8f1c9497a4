/* api/blob.c - content by digest: what a registry is asked for, one blob and one manifest at a time. */
#include "api/door.h"

#include "base/error.h"

/* The handles and texts that all of these take. */
static int begin(const mlreg_session *s, const char *repo, const char *digest, mlreg_op *remote, mlr_op **op, mlr_digest *out, mlreg_error **err)
{
    int rc;

    if ((rc = mlr_door_session(s, err)) < 0 || (rc = mlr_door_needs(repo, "repo", err)) < 0 || (rc = mlr_door_needs(digest, "digest", err)) < 0 ||
        (rc = mlr_digest_parse(digest, out, err)) < 0)
        return rc;
    return mlr_door_begin(remote, op, err);
}

/* The size that a repository's blob has. */
static int size_of(mlr_place *p, const char *repo, const mlr_digest *d, mlr_op *op, uint64_t *bytes, mlreg_error **err)
{
    mlr_reader *r = NULL;
    int rc = mlr_place_blob_find(p, repo, d, op, &r, err);

    if (rc == 0)
        *bytes = r->bytes;
    mlr_reader_free(r);
    return rc;
}

static int gone(const mlr_digest *d, mlreg_error **err)
{
    return mlr_error_set(err, MLREG_ENOTFOUND, "blob %s is not there", d->text);
}

int mlreg_session_blob(mlreg_session *s, const char *repo, const char *digest, mlreg_op *remote, uint64_t *bytes, mlreg_error **err)
{
    mlr_op *op = NULL;
    mlr_blob b = { repo, { "" }, 0, NULL };
    int rc = begin(s, repo, digest, remote, &op, &b.digest, err);

    if (rc == 0 && (rc = size_of(s->place, repo, &b.digest, op, &b.bytes, err)) == 0 && (rc = mlr_place_blob_has(s->place, &b, op, err)) >= 0)
        rc = rc == 1 ? 0 : gone(&b.digest, err);
    if (rc == 0 && bytes != NULL)
        *bytes = b.bytes;
    mlr_op_end(op);
    return mlr_error_subject(err, rc, digest);
}

int mlreg_session_blob_fd(mlreg_session *s, const char *repo, const char *digest, mlreg_op *remote, int *fd, uint64_t *bytes, mlreg_error **err)
{
    mlr_op *op = NULL;
    mlr_blob b = { repo, { "" }, 0, NULL };
    int rc;

    if ((rc = mlr_door_needs(fd, "fd", err)) < 0 || (rc = begin(s, repo, digest, remote, &op, &b.digest, err)) < 0)
        return rc;
    if ((rc = size_of(s->place, repo, &b.digest, op, &b.bytes, err)) == 0)
        rc = mlr_layer_fd(s->place, &b, op, fd, err);
    if (rc == 0 && bytes != NULL)
        *bytes = b.bytes;
    mlr_op_end(op);
    return mlr_error_subject(err, rc, digest);
}

int mlreg_session_mount(mlreg_session *s, const char *repo, const char *digest, const char *from, mlreg_op *remote, mlreg_error **err)
{
    mlr_op *op = NULL;
    mlr_blob b = { repo, { "" }, 0, NULL };
    int rc;

    if ((rc = mlr_door_needs(from, "from", err)) < 0 || (rc = begin(s, repo, digest, remote, &op, &b.digest, err)) < 0)
        return rc;
    if ((rc = size_of(s->place, from, &b.digest, op, &b.bytes, err)) == 0 && (s->place->can & MLREG_CAN_MOUNT) == 0)
        rc = mlr_error_set(err, MLREG_ENOTSUP, "a %s cannot mount blobs", s->place->ops->kind);
    else if (rc == 0 && (rc = mlr_place_mount(s->place, &b, from, op, err)) >= 0)
        rc = rc == 1 ? 0 : gone(&b.digest, err);
    mlr_op_end(op);
    return mlr_error_subject(err, rc, digest);
}

int mlreg_session_release(mlreg_session *s, const char *repo, const char *digest, mlreg_error **err)
{
    mlr_digest d;
    int rc;

    if ((rc = mlr_door_session(s, err)) < 0 || (rc = mlr_door_needs(repo, "repo", err)) < 0 || (rc = mlr_door_needs(digest, "digest", err)) < 0 ||
        (rc = mlr_digest_parse(digest, &d, err)) < 0)
        return rc;
    return mlr_error_subject(err, mlr_place_release(s->place, repo, &d, err), digest);
}

/* ---- manifests ---- */

static int put(mlreg_session *s, const mlr_ref *r, const mlr_tag_rule *rule, mlr_manifest *m, mlr_op *op, mlreg_artifact **out, mlreg_error **err)
{
    int rc = mlr_place_manifest_write(s->place, r, rule, m, op, err);

    if (rc == 0 && out != NULL)
        return mlr_artifact_new(s, r->repo, m, out, err);
    mlr_manifest_free(rc == 0 ? m : NULL);
    return rc;
}

int mlreg_session_put(mlreg_session *s, const char *ref, const char *media_type, const void *json, size_t len, const mlreg_copy_options *opts,
        mlreg_op *remote, mlreg_artifact **out, mlreg_error **err)
{
    mlreg_copy_options o;
    mlr_tag_rule rule;
    mlr_manifest *m = NULL;
    mlr_op *op = NULL;
    mlr_ref r = { 0 };
    int rc;

    if ((rc = mlr_door_session(s, err)) < 0 || (rc = mlr_door_needs(ref, "ref", err)) < 0 || (rc = mlr_door_needs(json, "json", err)) < 0 ||
        (rc = mlr_door_options(&o, sizeof o, offsetof(mlreg_copy_options, variant), MLREG_COPY_MOVE_TAG, opts, "mlreg_copy_options", err)) < 0 ||
        (rc = mlr_door_tag_rule(o.flags, o.expect_digest, &rule, err)) < 0)
        return rc;
    if (o.variant != NULL)
        return mlr_error_set(err, MLREG_EINVAL, "mlreg_copy_options: a variant of what is put byte for byte");
    if ((rc = mlr_door_begin(remote, &op, err)) < 0)
        return rc;
    if ((rc = mlr_place_ref(s->place, ref, &r, err)) == 0 && (rc = mlr_manifest_parse(json, len, media_type, &m, err)) == 0 &&
        (rc = put(s, &r, &rule, m, op, out, err)) < 0)
        mlr_manifest_free(m);
    mlr_ref_done(&r);
    mlr_op_end(op);
    return mlr_error_subject(err, rc, ref);
}
