/* manifests.c - manifests and indexes: read, put byte for byte, deleted. distribution-spec 1.1, "Pulling/Pushing manifests". */
#include "serve.h"
#include "../mlreg/shown.h"

#include <string.h>

bool manifest_is_here(const server *s, const full_name *name, const char *digest)
{
    mlreg_artifact *a = NULL;
    bool is = mlreg_session_resolve(s->store, name->text, NULL, NULL, &a, NULL) == 0 && (digest == NULL || strcmp(digest_of(a), digest) == 0);

    mlreg_artifact_free(a);
    return is;
}

void manifest_answer(request *r, const mlreg_artifact *a)
{
    if (!answer_unchanged(r, digest_of(a))) {
        const mlreg_descriptor *self = mlreg_artifact_at(a, MLREG_PART_SELF, 0);
        char etag[REF_MAX_BYTES + 3];
        const header headers[] = { { "Docker-Content-Digest", digest_of(a) }, { "ETag", etag }, { NULL, NULL } };
        text t = { NULL, 0, 0, false };
        size_t len;
        const char *json = mlreg_artifact_json(a, &len);

        snprintf(etag, sizeof etag, "\"%s\"", digest_of(a));
        text_add(&t, json, len);
        answer_text(r, MHD_HTTP_OK, mlreg_descriptor_media_type(self), &t, headers);
    }
}

void manifest_end(request *r)
{
    mlreg_artifact *a = NULL;
    mlreg_error *err = NULL;

    if (upstream_answers_manifest(r))
        return;
    if (mlreg_session_resolve(r->s->store, name_of(r->repo, r->ref).text, NULL, NULL, &a, &err) < 0)
        answer_failure(r, err, "MANIFEST_UNKNOWN");
    else
        manifest_answer(r, a);
    mlreg_artifact_free(a);
}

/* ---- put ---- */

void manifest_body(request *r, const char *data, size_t len)
{
    if (r->body.len + len > MANIFEST_MAX_BYTES)
        answer_error(r, MHD_HTTP_CONTENT_TOO_LARGE, "SIZE_INVALID", "a manifest has at most 4 MiB", NULL);
    else
        text_add(&r->body, data, len);
}

/* Without parameters; NULL for none. */
static const char *media_type(const request *r, char room[256])
{
    const char *type = request_header(r, "Content-Type");
    size_t len = type != NULL ? strcspn(type, "; \t") : 0;

    if (len == 0 || len >= 256)
        return NULL;
    memcpy(room, type, len);
    room[len] = '\0';
    return room;
}

int manifest_keep_old(server *s, const char *repo, const full_name *tag, char old[REF_MAX_BYTES], mlreg_error **err)
{
    mlreg_artifact *a = NULL;
    const char *json;
    size_t len;
    int rc = mlreg_session_resolve(s->store, tag->text, NULL, NULL, &a, NULL);

    old[0] = '\0';
    if (rc < 0)
        return rc == MLREG_ENOTFOUND ? 0 : mlreg_session_resolve(s->store, tag->text, NULL, NULL, &a, err);
    snprintf(old, REF_MAX_BYTES, "%s", digest_of(a));
    json = mlreg_artifact_json(a, &len);
    rc = mlreg_session_put(s->store, name_of(repo, old).text, NULL, json, len, NULL, NULL, NULL, err);
    mlreg_artifact_free(a);
    return rc;
}

static int put(request *r, const char *type, const mlreg_copy_options *o, mlreg_artifact **out, mlreg_error **err)
{
    return mlreg_session_put(r->s->store, name_of(r->repo, r->ref).text, type, r->body.data != NULL ? r->body.data : "", r->body.len, o, NULL, out, err);
}

/* First as if the tag were free; then off what it names now, which others may change meanwhile. */
static int put_moving(request *r, const char *type, mlreg_artifact **out, mlreg_error **err)
{
    enum { TRIES = 100 };
    const full_name name = name_of(r->repo, r->ref);
    mlreg_error *why = NULL;
    int rc = put(r, type, NULL, out, &why);

    for (int i = 0; i < TRIES && (rc == MLREG_EEXISTS || (rc == MLREG_ENOTFOUND && i > 0)); i++) {
        mlreg_copy_options o;
        char old[REF_MAX_BYTES];

        MLREG_INIT(o);
        mlreg_error_free(why);
        why = NULL;
        if ((rc = manifest_keep_old(r->s, r->repo, &name, old, &why)) < 0)
            continue;
        o.flags = old[0] != '\0' ? MLREG_COPY_MOVE_TAG : 0;
        o.expect_digest = old[0] != '\0' ? old : NULL;
        rc = put(r, type, &o, out, &why);
    }
    *err = why;
    return rc;
}

static void answer_put(request *r, const mlreg_artifact *a)
{
    const mlreg_descriptor *subject = mlreg_artifact_at(a, MLREG_PART_SUBJECT, 0);
    char where[NAME_MAX_BYTES + REF_MAX_BYTES + 32];
    const header headers[] = { { "Location", where }, { "Docker-Content-Digest", digest_of(a) },
        { "OCI-Subject", mlreg_descriptor_digest(subject) }, { NULL, NULL } };

    snprintf(where, sizeof where, "/v2/%s/manifests/%s", r->repo, digest_of(a));
    answer_empty(r, MHD_HTTP_CREATED, headers);
}

void manifest_put_end(request *r)
{
    mlreg_artifact *a = NULL;
    mlreg_error *err = NULL;
    char room[256];
    int rc;

    if (r->status != 0)
        return;
    if ((rc = put_moving(r, media_type(r, room), &a, &err)) == 0)
        answer_put(r, a);
    else if (rc == MLREG_EINVAL && is_digest(r->ref))
        answer_error(r, MHD_HTTP_BAD_REQUEST, "DIGEST_INVALID", mlreg_error_message(err), NULL);
    else if (rc == MLREG_ENOTFOUND)
        answer_error(r, MHD_HTTP_BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN", mlreg_error_message(err), NULL);
    if (rc < 0)
        answer_failure(r, err, "MANIFEST_BLOB_UNKNOWN");
    mlreg_artifact_free(a);
}

void manifest_delete_end(request *r)
{
    const full_name name = name_of(r->repo, r->ref);
    mlreg_error *err = NULL;
    char old[REF_MAX_BYTES];

    /* A tag that goes leaves its manifest. */
    if ((!is_digest(r->ref) && manifest_keep_old(r->s, r->repo, &name, old, &err) < 0) || mlreg_session_delete(r->s->store, name.text, NULL, &err) < 0)
        answer_failure(r, err, "MANIFEST_UNKNOWN");
    else
        answer_empty(r, MHD_HTTP_ACCEPTED, NULL);
}
