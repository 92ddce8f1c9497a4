/* uploads.c - blobs come in: at once, as a stream or in chunks, and go on after a break. distribution-spec 1.1, "Pushing blobs". */
#include "serve.h"

#include <stdlib.h>
#include <string.h>

/* ---- answers ---- */

static void answer_where(request *r, unsigned status)
{
    const char *id = mlreg_upload_id(r->upload);
    uint64_t bytes = mlreg_upload_bytes(r->upload);
    char where[NAME_MAX_BYTES + REF_MAX_BYTES + 32], range[40];
    const header headers[] = { { "Location", where }, { "Range", range }, { "Docker-Upload-UUID", id }, { NULL, NULL } };

    snprintf(where, sizeof where, "/v2/%s/blobs/uploads/%s", r->repo, id);
    snprintf(range, sizeof range, "0-%llu", (unsigned long long)(bytes > 0 ? bytes - 1 : 0));
    if (status == MHD_HTTP_RANGE_NOT_SATISFIABLE)
        answer_error(r, status, "BLOB_UPLOAD_INVALID", "this chunk does not follow the last", headers);
    else
        answer_empty(r, status, headers);
}

static void answer_created(request *r, const char *digest)
{
    char where[NAME_MAX_BYTES + REF_MAX_BYTES + 32];
    const header headers[] = { { "Location", where }, { "Docker-Content-Digest", digest }, { NULL, NULL } };

    snprintf(where, sizeof where, "/v2/%s/blobs/%s", r->repo, digest);
    answer_empty(r, MHD_HTTP_CREATED, headers);
}

static void let_go(request *r)
{
    mlreg_upload_free(r->upload);
    r->upload = NULL;
}

static void fail(request *r, mlreg_error *err)
{
    answer_failure(r, err, "BLOB_UPLOAD_UNKNOWN");
}

/* ---- beginning ---- */

/* A mount that cannot be, for whatever reason, is an upload. */
static bool mount(request *r)
{
    const char *digest = request_argument(r, "mount"), *from = request_argument(r, "from");

    if (digest == NULL || from == NULL || !access_may(r, from, MAY_READ) ||
        mlreg_session_mount(r->s->store, r->repo, digest, from, NULL, NULL) < 0)
        return false;
    holds_add(r->s, r->repo, digest);
    answer_created(r, digest);
    return true;
}

void upload_begin(request *r)
{
    mlreg_error *err = NULL;

    if (!mount(r) && mlreg_upload_open(r->s->store, r->repo, NULL, NULL, &r->upload, &err) < 0)
        fail(r, err);
}

/* "A-B", as the specification writes it, or "bytes A-B/…"; the length is Content-Length's. */
static bool follows(const request *r)
{
    const char *range = request_header(r, "Content-Range"), *length = request_header(r, "Content-Length");
    unsigned long long first, last;

    if (range == NULL)
        return true;
    if (strncmp(range, "bytes ", 6) == 0)
        range += 6;
    if (sscanf(range, "%llu-%llu", &first, &last) != 2 || last < first || first != mlreg_upload_bytes(r->upload))
        return false;
    return length == NULL || strtoull(length, NULL, 10) == last - first + 1;
}

void upload_go_on(request *r)
{
    mlreg_error *err = NULL;

    if (mlreg_upload_open(r->s->store, r->repo, r->ref, NULL, &r->upload, &err) < 0)
        fail(r, err);
    else if (!follows(r))
        answer_where(r, MHD_HTTP_RANGE_NOT_SATISFIABLE);
}

void upload_body(request *r, const char *data, size_t len)
{
    mlreg_error *err = NULL;

    if (r->upload != NULL && r->status == 0 && mlreg_upload_write(r->upload, data, len, &err) < 0)
        fail(r, err);
}

/* ---- ending ---- */

static void finish(request *r, const char *digest)
{
    mlreg_error *err = NULL;

    if (mlreg_upload_commit(r->upload, digest, NULL, &err) == 0) {
        holds_add(r->s, r->repo, digest);
        answer_created(r, digest);
        return;
    }
    if (mlreg_error_code(err) == MLREG_EINVAL || mlreg_error_code(err) == MLREG_ENOTSUP)
        answer_error(r, MHD_HTTP_BAD_REQUEST, "DIGEST_INVALID", mlreg_error_message(err), NULL);
    mlreg_upload_cancel(r->upload); /* wrong bytes are nothing to go on with */
    fail(r, err);
}

static void keep(request *r, unsigned status)
{
    mlreg_error *err = NULL;

    if (mlreg_upload_keep(r->upload, &err) < 0)
        fail(r, err);
    else
        answer_where(r, status);
}

void upload_post_end(request *r)
{
    const char *digest = request_argument(r, "digest");

    if (r->status != 0)
        mlreg_upload_cancel(r->upload); /* nobody was told of it */
    else if (digest != NULL)
        finish(r, digest);
    else
        keep(r, MHD_HTTP_ACCEPTED);
    let_go(r);
}

void upload_patch_end(request *r)
{
    if (r->status == 0)
        keep(r, MHD_HTTP_ACCEPTED);
    let_go(r);
}

void upload_put_end(request *r)
{
    const char *digest = request_argument(r, "digest");

    if (r->status == 0 && digest != NULL)
        finish(r, digest);
    else if (r->status == 0)
        answer_error(r, MHD_HTTP_BAD_REQUEST, "DIGEST_INVALID", "the digest is missing: PUT …?digest=sha256:…", NULL);
    let_go(r);
}

void upload_status_end(request *r)
{
    upload_go_on(r);
    if (r->status == 0)
        answer_where(r, MHD_HTTP_NO_CONTENT);
    let_go(r);
}

void upload_cancel_end(request *r)
{
    upload_go_on(r);
    mlreg_upload_cancel(r->status == 0 ? r->upload : NULL);
    let_go(r);
    answer_empty(r, MHD_HTTP_NO_CONTENT, NULL);
}

void upload_drop(request *r)
{
    if (request_is(r, "POST"))
        mlreg_upload_cancel(r->upload);
    else if (r->upload != NULL)
        mlreg_upload_keep(r->upload, NULL);
    let_go(r);
}
