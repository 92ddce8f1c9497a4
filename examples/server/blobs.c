/* blobs.c - blobs go out, whole or in part, straight from the file. */
#include "serve.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct span { uint64_t first, bytes; bool is_part; } span;

/* "bytes=A-B", "bytes=A-", "bytes=-N"; what is anything else, or several, is ignored, as RFC 9110, 14.2, allows. False: it cannot be had. */
static bool parse_range(const char *range, uint64_t size, span *out)
{
    uint64_t first = 0, last = size > 0 ? size - 1 : 0;
    char *end = NULL;

    *out = (span){ 0, size, false };
    if (range == NULL || strncmp(range, "bytes=", 6) != 0 || strchr(range, ',') != NULL)
        return true;
    range += 6;
    if (range[0] == '-' && range[1] >= '0' && range[1] <= '9') {
        uint64_t n = strtoull(range + 1, &end, 10);
        first = n < size ? size - n : 0;
        if (n == 0 || size == 0)
            return false;
    } else if (range[0] >= '0' && range[0] <= '9') {
        first = strtoull(range, &end, 10);
        if (*end++ != '-')
            return true;
        if (*end != '\0') {
            uint64_t asked = *end >= '0' && *end <= '9' ? strtoull(end, &end, 10) : 0;
            if (*end != '\0')
                return true;
            if (asked < first)
                return false;
            last = asked < last ? asked : last;
        }
        if (first >= size)
            return false;
    }
    if (end == NULL || *end != '\0')
        return true;
    *out = (span){ first, last - first + 1, true };
    return true;
}

/* A range of something else than what the client has part of would not fit. */
static const char *asked_range(const request *r, const char *etag)
{
    const char *only_if = request_header(r, "If-Range");

    return only_if == NULL || strcmp(only_if, etag) == 0 ? request_header(r, "Range") : NULL;
}

static void send_span(request *r, int fd, uint64_t size)
{
    char etag[REF_MAX_BYTES + 3], range[96];
    span s;
    header headers[] = { { "Content-Type", "application/octet-stream" }, { "Docker-Content-Digest", r->ref }, { "ETag", etag },
        { "Accept-Ranges", "bytes" }, { "Cache-Control", "max-age=31536000, immutable" }, { "Content-Range", NULL }, { NULL, NULL } };

    snprintf(etag, sizeof etag, "\"%s\"", r->ref);
    if (!parse_range(asked_range(r, etag), size, &s)) {
        const header unsatisfiable[] = { { "Content-Range", range }, { NULL, NULL } };
        snprintf(range, sizeof range, "bytes */%llu", (unsigned long long)size);
        close(fd);
        answer_error(r, MHD_HTTP_RANGE_NOT_SATISFIABLE, "RANGE_INVALID", "the blob has no such bytes", unsatisfiable);
        return;
    }
    snprintf(range, sizeof range, "bytes %llu-%llu/%llu", (unsigned long long)s.first, (unsigned long long)(s.first + s.bytes - 1), (unsigned long long)size);
    if (s.is_part)
        headers[5].value = range;
    r->bytes_out = request_is(r, "HEAD") ? 0 : s.bytes;
    answer(r, s.is_part ? MHD_HTTP_PARTIAL_CONTENT : MHD_HTTP_OK, MHD_create_response_from_fd_at_offset64(s.bytes, fd, s.first), headers);
}

static int open_blob(request *r, int *fd, uint64_t *size, mlreg_error **err)
{
    uint64_t seen = 0;
    int rc;

    do {
        mlreg_error_free(*err);
        *err = NULL;
        rc = mlreg_session_blob_fd(r->s->store, r->repo, r->ref, NULL, fd, size, err);
    } while (rc == MLREG_ENOTFOUND && upstream_brings_blob(r, &seen));
    return rc;
}

void blob_end(request *r)
{
    mlreg_error *err = NULL;
    uint64_t size = 0;
    int fd = -1;

    /* Whoever asks by HEAD may be about to push a manifest that names it. */
    if (request_is(r, "HEAD") && access_may(r, r->repo, MAY_WRITE) && mlreg_session_blob(r->s->store, r->repo, r->ref, NULL, &size, NULL) == 0)
        holds_add(r->s, r->repo, r->ref);
    if (open_blob(r, &fd, &size, &err) < 0) {
        if (mlreg_error_code(err) == MLREG_EINVAL)
            answer_error(r, MHD_HTTP_BAD_REQUEST, "DIGEST_INVALID", mlreg_error_message(err), NULL);
        answer_failure(r, err, "BLOB_UNKNOWN");
    } else if (answer_unchanged(r, r->ref)) {
        close(fd);
    } else {
        send_span(r, fd, size);
    }
}

void blob_delete_end(request *r)
{
    answer_error(r, MHD_HTTP_METHOD_NOT_ALLOWED, "UNSUPPORTED", "blobs go when no manifest names them: delete the manifest, then `mlreg gc`", NULL);
}
