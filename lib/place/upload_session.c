/* place/upload_session.c - one upload session: begun, filled, ended, and where the registry says it goes on. */
#include "place/upload_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* Where the session goes on: the answer's Location, resolved against the URL that was asked and otherwise as it is. */
static int take_location(mlr_upload *u, const char *asked, const mlr_exchange *x, mlreg_error **err)
{
    const char *text = mlr_exchange_header(x, "Location", 0);
    mlr_url     base = {NULL, NULL, 0, NULL}, at = {NULL, NULL, 0, NULL};
    char       *location = NULL;
    int         rc;

    if (text == NULL)
        return u->location != NULL ? 0 : mlr_error_set(err, MLREG_EPROTO,
                                                       "an upload was begun and no Location given for it");
    if ((rc = mlr_client_absolute(u->g->client, asked, &base, err)) < 0)
        goto out;
    if ((rc = mlr_url_resolve(&base, text, &at, NULL)) == MLREG_ENOMEM) {
        mlr_error_nomem(err);
    } else if (rc < 0) {
        rc = mlr_ask_leads_nowhere("the Location given for an upload", text, err);
    } else if (strcmp(base.scheme, "https") == 0 && strcmp(at.scheme, "https") != 0) {
        rc = mlr_error_set(err, MLREG_EPROTO, "%s wants an upload sent to it over plain http", at.host);
        mlr_error_hint(err, rc, "a proxy in front of the registry may not tell it that it is reached by https "
                                "(X-Forwarded-Proto)");
    } else if ((location = mlr_url_text(&at)) == NULL) {
        rc = mlr_error_nomem(err);
    } else {
        mlr_free(u->location);
        u->location = location;
    }
out:
    mlr_url_done(&base);
    mlr_url_done(&at);
    return rc;
}

/* Sends one request of a session; its answer, as after a write, is in *x. `url` NULL: the request that begins it. */
static int step(mlr_upload *u, const char *method, const char *url, bool with_body, mlr_exchange **x, mlreg_error **err)
{
    const char *name = u->digest.text[0] != '\0' ? u->digest.text : u->source.reader.name;
    char        range[64];
    mlr_ask     ask;
    int         rc = mlr_ask_init(&ask, u->g, method, u->repo, "blobs/uploads/", NULL, MLR_MAY_PUSH, err);

    if (rc < 0)
        goto out;
    snprintf(ask.what, sizeof ask.what, "%s for %s", name, u->repo);
    if (url != NULL)
        ask.call.request.url = url;
    ask.call.request.commit = url != NULL && u->source.reader.bytes >= MLR_UPLOAD_MOVED;
    if (with_body) {
        mlr_ask_header(&ask, "Content-Type", "application/octet-stream");
        ask.call.request.source = &u->source.reader;
        ask.call.request.source_offset = u->from;
        ask.call.request.source_bytes = u->source.reader.bytes - u->from;
        snprintf(range, sizeof range, "%" PRIu64 "-%" PRIu64, u->from, u->source.reader.bytes - 1);
        if (u->from > 0)
            mlr_ask_header(&ask, "Content-Range", range);
    }
    if ((rc = mlr_ask_begin(&ask, u->g, u->op, x, err)) < 0)
        goto out;
    if (!mlr_ask_written(rc)) {
        u->status = rc;
        if (rc == 413)
            mlr_hostfacts_too_large(&u->g->facts, u->source.reader.bytes);
        mlr_ask_retry_after(*x, u->retry_after);
        rc = mlr_ask_refused(&ask, u->g, *x, u->op, err);
    } else {
        rc = strcmp(method, "PUT") != 0 ? take_location(u, ask.call.request.url, *x, err) : 0;
    }
out:
    mlr_ask_done(&ask);
    return rc;
}

/* A Location at another origin is often all that one needs to write there: such a one is not noted. */
static void note(mlr_upload *u)
{
    mlr_url at = {NULL, NULL, 0, NULL}, base = {NULL, NULL, 0, NULL};

    if (mlr_url_parse(u->location, &at, NULL) == 0 && mlr_url_parse(u->g->base, &base, NULL) == 0 &&
        mlr_url_same_origin(&at, &base))
        mlr_resume_note(&u->resume, u->location);
    else
        mlr_resume_forget(&u->resume);
    mlr_url_done(&at);
    mlr_url_done(&base);
}

int mlr_upload_begin(mlr_upload *u, mlreg_error **err)
{
    mlr_exchange *x = NULL;
    int           rc;

    mlr_free(u->location);
    u->location = NULL;
    u->from = 0;
    u->status = 0;
    u->retry_after[0] = '\0';
    if ((rc = step(u, "POST", NULL, false, &x, err)) == MLREG_ENOTFOUND)
        mlr_error_hint(err, rc, "some registries want a repository made before anything is pushed to it: make %s there first",
                       u->repo);
    if (rc == 0)
        note(u);
    mlr_exchange_free(x);
    return rc;
}

int mlr_upload_held(mlr_upload *u, uint64_t *bytes, mlreg_error **err)
{
    mlr_exchange *x = NULL;
    const char   *text;
    uint64_t      last = 0;
    int           rc = step(u, "GET", u->location, false, &x, err);

    *bytes = 0;
    if (rc == 0 && (text = mlr_exchange_header(x, "Range", 0)) != NULL &&
        sscanf(text + strcspn(text, "0123456789"), "0-%" SCNu64, &last) == 1 && last > 0 && last < UINT64_MAX)
        *bytes = last + 1;               /* "0-0" means one byte to some and none to others */
    mlr_exchange_free(x);
    return rc;
}

/* What the registry says it holds must be what was sent; without a word on it the digest will tell. */
static int check_held(mlr_upload *u, const mlr_exchange *x, mlreg_error **err)
{
    const char *text = mlr_exchange_header(x, "Range", 0);
    uint64_t    last;

    if (text == NULL || sscanf(text + strcspn(text, "0123456789"), "0-%" SCNu64, &last) != 1 ||
        last + 1 == u->source.reader.bytes)
        return 0;
    u->status = 416;                     /* what it should have said */
    return mlr_error_set(err, MLREG_EPROTO, "%" PRIu64 " bytes were sent, the registry says that it holds '%.40s'",
                         u->source.reader.bytes, text);
}

int mlr_upload_patch(mlr_upload *u, mlreg_error **err)
{
    mlr_exchange *x = NULL;
    int           rc = step(u, "PATCH", u->location, true, &x, err);

    if (rc == 0)
        rc = check_held(u, x, err);
    mlr_exchange_free(x);
    return rc;
}

int mlr_upload_put(mlr_upload *u, bool with_body, mlreg_error **err)
{
    mlr_exchange *x = NULL;
    char         *url = mlr_url_add_query(u->location, "digest", u->digest.text);
    int           rc = url != NULL ? step(u, "PUT", url, with_body, &x, err) : mlr_error_nomem(err);

    mlr_exchange_free(x);
    mlr_free(url);
    return rc;
}

void mlr_upload_drop(mlr_upload *u)
{
    mlr_exchange *x = NULL;

    if (u->location != NULL)
        (void)step(u, "DELETE", u->location, false, &x, NULL);
    mlr_exchange_free(x);
}
