/* answer.c - what goes back: a status, headers, a body, or an error as distribution-spec 1.1 writes it. */
#include "serve.h"

#include <stdlib.h>
#include <string.h>

/* The first answer counts; serve.c sends it when it may. */
void answer(request *r, unsigned status, struct MHD_Response *response, const header *headers)
{
    if (response == NULL || r->status != 0) {
        if (response != NULL)
            MHD_destroy_response(response);
        return;
    }
    for (const header *h = headers; h != NULL && h->name != NULL; h++)
        if (h->value != NULL)
            MHD_add_response_header(response, h->name, h->value);
    MHD_add_response_header(response, "Docker-Distribution-API-Version", "registry/2.0");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (atomic_load(&r->s->stopping))
        MHD_add_response_header(response, "Connection", "close");
    r->status = status;
    r->early = response;
}

void answer_empty(request *r, unsigned status, const header *headers)
{
    answer(r, status, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT), headers);
}

void answer_text(request *r, unsigned status, const char *type, text *t, const header *headers)
{
    struct MHD_Response *response;

    if (t->failed) {
        text_done(t);
        answer_empty(r, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL);
        return;
    }
    if (r->status == 0)
        r->bytes_out = t->len;
    response = MHD_create_response_from_buffer(t->len, t->data, t->data != NULL ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (response != NULL)
        MHD_add_response_header(response, "Content-Type", type);
    *t = (text){ NULL, 0, 0, false };
    answer(r, status, response, headers);
}

void answer_error(request *r, unsigned status, const char *code, const char *message, const header *headers)
{
    text t = { NULL, 0, 0, false };

    text_printf(&t, "{\"errors\":[{\"code\":\"%s\",\"message\":", code);
    text_json(&t, message);
    text_put(&t, "}]}\n");
    answer_text(r, status, "application/json", &t, headers);
}

static const struct { int code; unsigned status; const char *name; } failures[] = {
    { MLREG_ENOTFOUND, 404, NULL },
    { MLREG_EDIGEST, 400, "DIGEST_INVALID" },
    { MLREG_EINVAL, 400, "NAME_INVALID" },
    { MLREG_EPROTO, 400, "MANIFEST_INVALID" },
    { MLREG_ELIMIT, 413, "SIZE_INVALID" },
    { MLREG_EEXISTS, 409, "DENIED" },
    { MLREG_EDENIED, 403, "DENIED" },
    { MLREG_ENOTSUP, 405, "UNSUPPORTED" },
    { MLREG_EBUSY, 503, "TOOMANYREQUESTS" },
    { 0, 500, "UNKNOWN" },
};

void answer_failure(request *r, mlreg_error *err, const char *unknown)
{
    static const header again[] = { { "Retry-After", "1" }, { NULL, NULL } };
    size_t i = 0;

    while (failures[i].code != 0 && failures[i].code != mlreg_error_code(err))
        i++;
    if (failures[i].status == 404 && r->why.data != NULL) {
        answer_error(r, MHD_HTTP_BAD_GATEWAY, "UNAVAILABLE", r->why.data, NULL);
    } else if (failures[i].status == 500) { /* what a stranger may read says nothing of our paths */
        log_line(r->s, "error", "%s", mlreg_error_message(err));
        answer_error(r, 500, failures[i].name, mlreg_strerror(mlreg_error_code(err)), NULL);
    } else {
        answer_error(r, failures[i].status, failures[i].name != NULL ? failures[i].name : unknown, mlreg_error_message(err),
            failures[i].status == 503 ? again : NULL);
    }
    mlreg_error_free(err);
}

/* Content never changes under its digest, so the digest is the entity tag. */
bool answer_unchanged(request *r, const char *digest)
{
    const char *has = request_header(r, "If-None-Match");
    char tag[REF_MAX_BYTES + 2];
    header headers[] = { { "ETag", tag }, { "Docker-Content-Digest", digest }, { NULL, NULL } };

    snprintf(tag, sizeof tag, "\"%s\"", digest);
    if (has == NULL || (strcmp(has, "*") != 0 && strstr(has, tag) == NULL))
        return false;
    answer_empty(r, MHD_HTTP_NOT_MODIFIED, headers);
    return true;
}
