/* place/upload.c - blobs on their way into a registry: one session at a time; any doubt begins a new one at byte 0. */
#include "place/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "place/intake.h"
#include "place/registry_ask.h"
#include "place/upload_source.h"

#define ASK_FIRST_BYTES (1u << 20)   /* a smaller blob is sent as fast as it is asked for, and hashed faster */
#define REFUSALS_MAX    3            /* of whole blobs, whichever way they were sent */
/* More than buffers on the way hold: a server that took these has not stalled, and may think about them for minutes. */
#define MOVED_BYTES     (16u << 20)

/* One blob on its way. A session is only ever used once: what a registry kept of a broken one is not believed, since
 * some append and some forget (PROTOCOL.md §4). */
typedef struct upload {
    mlr_registry     *g;
    const char       *repo;
    mlr_digest        digest;        /* "" while it is not known */
    mlr_upload_source source;
    mlr_op           *op;
    bool              streamed;      /* POST, PATCH, PUT in place of POST and PUT */
    char             *location;      /* of the session, as the registry last named it; NULL: none was begun */
    int               status;        /* of the answer that refused it; 0: none did */
    char              retry_after[MLR_RETRY_AFTER_MAX];
    mlr_retry         retry;
    unsigned          refusals;      /* of whole blobs; the first of them is what is told in the end: */
    mlreg_error      *first;
    int               first_rc;
} upload;

static void upload_init(upload *u, mlr_registry *g, const char *repo, const mlr_digest *digest, mlr_reader *r,
                        mlr_op *op)
{
    *u = (upload){.g = g, .repo = repo, .op = op, .retry = mlr_registry_retry(g)};
    if (digest != NULL)
        u->digest = *digest;
    mlr_upload_source_init(&u->source, r, digest);
}

static void upload_done(upload *u)
{
    mlr_error_done(u->first);
    mlr_free(u->location);
}

/* ---- one session ---- */

/* Where the session goes on: the answer's Location, resolved against the URL that was asked and otherwise as it is. */
static int take_location(upload *u, const char *asked, const mlr_exchange *x, mlreg_error **err)
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
        rc = mlr_error_set(err, MLREG_EPROTO, "the Location given for an upload is no URL: '%.200s'", text);
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
static int step(upload *u, const char *method, const char *url, bool with_body, mlr_exchange **x, mlreg_error **err)
{
    const char *name = u->digest.text[0] != '\0' ? u->digest.text : u->source.reader.name;
    mlr_ask     ask;
    int         rc = mlr_ask_init(&ask, u->g, method, u->repo, "blobs/uploads/", NULL, MLR_MAY_PUSH, err);

    if (rc < 0)
        goto out;
    snprintf(ask.what, sizeof ask.what, "%s for %s", name, u->repo);
    if (url != NULL)
        ask.call.request.url = url;
    ask.call.request.commit = url != NULL && u->source.reader.bytes >= MOVED_BYTES;
    if (with_body) {
        mlr_ask_header(&ask, "Content-Type", "application/octet-stream");
        ask.call.request.source = &u->source.reader;
        ask.call.request.source_bytes = u->source.reader.bytes;
    }
    if ((rc = mlr_ask_begin(&ask, u->g, u->op, x, err)) < 0)
        goto out;
    if (!mlr_ask_written(rc)) {
        u->status = rc;
        mlr_ask_retry_after(*x, u->retry_after);
        rc = mlr_ask_refused(&ask, u->g, *x, u->op, err);
    } else {
        rc = strcmp(method, "PUT") != 0 ? take_location(u, ask.call.request.url, *x, err) : 0;
    }
out:
    mlr_ask_done(&ask);
    return rc;
}

static int begin_session(upload *u, mlreg_error **err)
{
    mlr_exchange *x = NULL;
    int           rc;

    mlr_free(u->location);
    u->location = NULL;
    u->status = 0;
    u->retry_after[0] = '\0';
    rc = step(u, "POST", NULL, false, &x, err);
    mlr_exchange_free(x);
    return rc;
}

/* What the registry says it holds must be what was sent; without a word on it the digest will tell. */
static int check_held(upload *u, const mlr_exchange *x, mlreg_error **err)
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

static int send_patch(upload *u, mlreg_error **err)
{
    mlr_exchange *x = NULL;
    int           rc = step(u, "PATCH", u->location, true, &x, err);

    if (rc == 0)
        rc = check_held(u, x, err);
    mlr_exchange_free(x);
    return rc;
}

static int send_put(upload *u, bool with_body, mlreg_error **err)
{
    mlr_exchange *x = NULL;
    char         *url = mlr_url_add_query(u->location, "digest", u->digest.text);
    int           rc = url != NULL ? step(u, "PUT", url, with_body, &x, err) : mlr_error_nomem(err);

    mlr_exchange_free(x);
    mlr_free(url);
    return rc;
}

/* One session with all bytes: POST and PUT, or POST, one PATCH and PUT for registries that want it so. */
static int send_all(upload *u, mlreg_error **err)
{
    int rc = begin_session(u, err);

    if (rc == 0 && u->streamed && u->source.reader.bytes > 0)
        rc = send_patch(u, err);
    return rc < 0 ? rc : send_put(u, !u->streamed && u->source.reader.bytes > 0, err);
}

/* ---- what a failure means ---- */

/* Whether an answer may be about the way in which the blob was sent. */
static bool is_refusal(int status)
{
    static const int statuses[] = {400, 404, 405, 411, 415, 416, 501};

    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if (status == statuses[i])
            return true;
    return false;
}

/* These leave no doubt that it was; the others may also mean that the session was lost. */
static bool is_about_the_way(int status)
{
    return status == 405 || status == 411 || status == 415 || status == 501;
}

/* Whether the blob may be there all the same, or a new session may fare better. What the source failed with, lacking
 * rights, too large a blob and a session that may not begin are final. */
static bool is_doubt(const upload *u, int rc)
{
    if (u->status == 0)
        return mlr_retry_code(rc);
    return mlr_retry_status(u->status) || (u->location != NULL && (is_refusal(u->status) || u->status >= 500));
}

static int is_there(upload *u, mlreg_error **err)
{
    mlr_blob     b = {u->repo, u->digest, u->source.reader.bytes, NULL};
    mlreg_error *why = NULL;
    int          rc = mlr_registry_blob_look(u->g, &b, false, u->op, &why);

    if (rc == MLREG_ECANCELLED || rc == MLREG_ENOMEM)
        mlr_error_move(err, &why);
    else if (rc < 0)
        rc = 0;                          /* nobody can tell: send it again */
    mlr_error_done(why);
    return rc;
}

static void learn(mlr_registry *g, bool streamed)
{
    mlr_hostfacts_forget(&g->facts, streamed ? MLR_FACT_NO_STREAMED_PATCH : MLR_FACT_NO_MONOLITHIC);
    mlr_hostfacts_learn(&g->facts, streamed ? MLR_FACT_NO_MONOLITHIC : MLR_FACT_NO_STREAMED_PATCH);
}

/* Bytes that were not hashed on their way, because they had been when they were stored: still the same? */
static int check_source(upload *u, mlreg_error **err)
{
    mlr_digest got;
    int        rc = mlr_intake(u->g->place.rt, u->source.from, NULL, NULL, u->op, &got, err);

    return rc < 0 ? rc : mlr_digest_check(&got, &u->digest, u->source.reader.name, err);
}

enum { GIVE_UP = 0, TRY_AGAIN = 1, ARRIVED = 2 };   /* the first two as mlr_retry_again says them */

/* After a refusal: once more in the same way if the session may just have been lost, else in the other. */
static int judge_refusal(upload *u, int rc, mlreg_error **why)
{
    if (u->refusals++ == 0) {
        mlr_error_move(&u->first, why);
        u->first_rc = rc;
    }
    if (u->refusals == REFUSALS_MAX)
        return GIVE_UP;
    mlr_op_count(u->op, MLR_N_RETRIES, 1);
    if (u->refusals > 1 || is_about_the_way(u->status))
        u->streamed = !u->streamed;
    return TRY_AGAIN;
}

/* What to do after a try that failed with `rc` and *why; negative: what looking or waiting failed with. */
static int judge(upload *u, int rc, mlreg_error **why, mlreg_error **err)
{
    int there;

    if (!is_doubt(u, rc))
        return GIVE_UP;
    if ((there = is_there(u, err)) != 0)
        return there < 0 ? there : ARRIVED;
    if (is_refusal(u->status))
        return judge_refusal(u, rc, why);
    if (u->source.at >= MOVED_BYTES)
        u->retry.began_ms = mlr_clock_ms();
    return mlr_retry_again(&u->retry, u->retry_after[0] != '\0' ? u->retry_after : NULL, u->op, err);
}

/* The failure to tell: the source's fault if it is one, else the first refusal, else the last failure. */
static int give_up(upload *u, int rc, mlreg_error **why, mlreg_error **err)
{
    mlreg_error *found = NULL;

    if (u->refusals > 0 && u->source.from->trusted && check_source(u, &found) == MLREG_EDIGEST) {
        mlr_error_move(err, &found);
        return MLREG_EDIGEST;
    }
    mlr_error_done(found);
    mlr_error_move(err, u->refusals > 0 ? &u->first : why);
    return u->refusals > 0 ? u->first_rc : rc;
}

/* Sends until it is there. The first way is the one that this registry took before. */
static int run(upload *u, mlreg_error **err)
{
    bool began = u->streamed = mlr_hostfacts_know(&u->g->facts, MLR_FACT_NO_MONOLITHIC);
    int  rc, next;

    do {
        mlreg_error *why = NULL;

        rc = send_all(u, &why);
        next = rc == 0 ? ARRIVED : judge(u, rc, &why, err);
        if (next == GIVE_UP)
            rc = give_up(u, rc, &why, err);
        mlr_error_done(why);
    } while (next == TRY_AGAIN);
    if (rc == 0 && u->streamed != began)
        learn(u->g, u->streamed);
    return next == ARRIVED ? 0 : next < 0 ? next : rc;
}

/* ---- the operations ---- */

static int check_empty(const mlr_blob *b, const mlr_reader *r, mlreg_error **err)
{
    mlr_digest got;

    mlr_digest_of("", 0, &got);
    return b->bytes > 0 ? 0 : mlr_digest_check(&got, &b->digest, r->name, err);
}

int mlr_registry_blob_write(mlr_place *p, const mlr_blob *b, mlr_reader *r, mlr_op *op, mlreg_error **err)
{
    upload u;
    int    rc = check_empty(b, r, err);

    if (rc == 0 && b->bytes >= ASK_FIRST_BYTES)
        rc = mlr_registry_blob_has(p, b, op, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    upload_init(&u, (mlr_registry *)p, b->repo, &b->digest, r, op);
    rc = run(&u, err);
    upload_done(&u);
    return rc;
}

static int hash_then_write(mlr_place *p, const char *repo, mlr_reader *r, mlr_op *op, mlr_digest *digest,
                           mlreg_error **err)
{
    mlr_blob b = {repo, {""}, r->bytes, NULL};
    int      rc = mlr_intake(p->rt, r, NULL, NULL, op, &b.digest, err);

    if (rc < 0)
        return rc;
    if ((rc = mlr_registry_blob_write(p, &b, r, op, err)) == 0)
        *digest = b.digest;
    return rc;
}

/* The whole blob in one PATCH, hashed on its way, and named at the end. */
static int take_streamed(upload *u, mlreg_error **err)
{
    int rc;

    if ((rc = begin_session(u, err)) < 0)
        return rc;
    if ((rc = send_patch(u, err)) < 0) {
        if (is_refusal(u->status))
            mlr_hostfacts_learn(&u->g->facts, MLR_FACT_NO_STREAMED_PATCH);
        return rc;
    }
    if (!mlr_upload_source_digest(&u->source, &u->digest))
        return mlr_error_set(err, MLREG_EPROTO, "the registry took an upload before all of it was sent");
    return (rc = mlr_reader_unchanged(u->source.from, err)) < 0 ? rc : send_put(u, false, err);
}

int mlr_registry_blob_take(mlr_place *p, const char *repo, mlr_reader *r, mlr_op *op, mlr_digest *digest,
                           mlreg_error **err)
{
    mlr_registry *g = (mlr_registry *)p;
    mlreg_error  *why = NULL;
    upload        u;
    int           rc;

    if (r->bytes < ASK_FIRST_BYTES || mlr_hostfacts_know(&g->facts, MLR_FACT_NO_STREAMED_PATCH))
        return hash_then_write(p, repo, r, op, digest, err);
    upload_init(&u, g, repo, NULL, r, op);
    if ((rc = take_streamed(&u, &why)) == 0) {
        *digest = u.digest;
    } else if (is_doubt(&u, rc)) {
        mlr_op_count(op, MLR_N_RETRIES, 1);
        rc = hash_then_write(p, repo, r, op, digest, err);
    } else {
        mlr_error_move(err, &why);
    }
    mlr_error_done(why);
    upload_done(&u);
    return rc;
}
