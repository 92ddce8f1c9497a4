/* place/registry_manifest.c - manifests of a registry: found, read, written under tags that do not move by accident. */
#include "place/registry.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "place/registry_ask.h"

#define MANY_PARTS 64    /* a registry may look for each before it answers, in minutes rather than seconds */

/* Without all four a registry may say that a manifest of another type is not there (PROTOCOL.md §2). */
static const char accept[] =
    MLR_TYPE_MANIFEST ", " MLR_TYPE_INDEX ", " MLR_TYPE_DOCKER_MANIFEST ", " MLR_TYPE_DOCKER_LIST;

/* The media type without its parameters; NULL in *out where there is none. */
static int bare_type(const mlr_exchange *x, char **out, mlreg_error **err)
{
    const char *value = mlr_exchange_header(x, "Content-Type", 0);

    *out = NULL;
    if (value == NULL || value[0] == '\0')
        return 0;
    *out = mlr_strndup(value, strcspn(value, "; \t"));
    return *out != NULL ? 0 : mlr_error_nomem(err);
}

/* docker-registry 2 empties a link in its folder before it writes it anew, as it does whenever somebody pushes the blob
 * again. Who puts or gets a manifest in that moment hears of a wrong digest: there is none, for all of ours are made of
 * the bytes. 1: ask again; else the call's last word, and its error. */
static int judge(mlr_retry *retry, int rc, mlreg_error **why, mlr_op *op, mlreg_error **err)
{
    const char *code = rc < 0 && *why != NULL ? (*why)->registry_code : NULL;
    bool        is_torn = code != NULL && strcmp(code, "DIGEST_INVALID") == 0;
    int         next = is_torn ? mlr_retry_again(retry, NULL, op, err) : 0;

    if (next == 0)
        mlr_error_move(err, why);
    mlr_error_done(*why);
    *why = NULL;
    return next != 0 ? next : rc;
}

/* ---- reading ---- */

/* GET of a manifest; *x as mlr_ask_fetch leaves it. */
static int fetch_once(mlr_registry *g, const char *repo, const char *word, mlr_op *op, mlr_buf *body, mlr_exchange **x,
                      mlreg_error **err)
{
    mlr_ask ask;
    int     rc = mlr_ask_init(&ask, g, "GET", repo, "manifests", word, MLR_MAY_PULL, err);

    if (rc < 0)
        goto out;
    mlr_ask_header(&ask, "Accept", accept);
    rc = mlr_ask_fetch(&ask, g, op, body, x, err);
    if (rc > 0)
        rc = rc == 200 ? 0 : mlr_ask_refused(&ask, g, *x, op, err);
out:
    mlr_ask_done(&ask);
    return rc;
}

static int fetch(mlr_registry *g, const char *repo, const char *word, mlr_op *op, mlr_buf *body, mlr_exchange **x,
                 mlreg_error **err)
{
    mlr_retry    retry = mlr_registry_retry(g);
    mlreg_error *why = NULL;
    int          rc;

    do {
        mlr_exchange_free(*x);
        *x = NULL;
        rc = fetch_once(g, repo, word, op, body, x, &why);
    } while ((rc = judge(&retry, rc, &why, op, err)) == 1);
    return rc;
}

int mlr_registry_manifest_read(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_buf *out, char **media_type,
                               mlreg_error **err)
{
    mlr_exchange *x = NULL;
    int           rc = fetch((mlr_registry *)p, r->repo, mlr_ref_word(r), op, out, &x, err);

    if (rc == 0)
        rc = bare_type(x, media_type, err);
    mlr_exchange_free(x);
    return rc;
}

static int copy_etag(const mlr_exchange *x, char **etag, mlreg_error **err)
{
    const char *value = mlr_exchange_header(x, "ETag", 0);

    *etag = NULL;
    if (value != NULL && (*etag = mlr_strdup(value)) == NULL)
        return mlr_error_nomem(err);
    return 0;
}

int mlr_registry_get(mlr_registry *g, const char *repo, const char *word, const mlr_digest *want, mlr_op *op,
                     mlr_manifest **out, char **etag, mlreg_error **err)
{
    mlr_buf       body = MLR_BUF_INIT(MLR_MANIFEST_MAX_BYTES);
    mlr_exchange *x = NULL;
    mlr_manifest *m = NULL;
    mlr_digest    got;
    char         *type = NULL;
    int           rc;

    if ((rc = fetch(g, repo, word, op, &body, &x, err)) < 0 || (rc = bare_type(x, &type, err)) < 0)
        goto out;
    mlr_digest_of(body.data, body.len, &got);
    if ((want != NULL && (rc = mlr_digest_check(&got, want, "manifest", err)) < 0) ||
        (rc = mlr_manifest_parse(body.data, body.len, type, &m, err)) < 0 ||
        (etag != NULL && (rc = copy_etag(x, etag, err)) < 0))
        goto out;
    *out = m;
    m = NULL;
out:
    mlr_manifest_free(m);
    mlr_free(type);
    mlr_exchange_free(x);
    mlr_buf_done(&body);
    return rc;
}

/* ---- resolving ---- */

/* Takes what the head of the answer says, if it says all: 1; 0 if the body has to be read. The digest is a hint that
 * whatever is fetched by it will be held against. */
static int from_head(const mlr_exchange *x, const mlr_ref *r, mlr_descriptor *out, mlreg_error **err)
{
    const char *text = mlr_exchange_header(x, "Docker-Content-Digest", 0);
    bool        by_digest = r->digest.text[0] != '\0';
    mlr_digest  digest = r->digest;
    uint64_t    bytes = 0;
    char       *type = NULL;
    int         rc;

    if (!by_digest && (text == NULL || mlr_digest_parse(text, &digest, NULL) < 0))
        return 0;
    if (!mlr_exchange_length(x, &bytes) || bytes == 0 || bytes > MLR_MANIFEST_MAX_BYTES)
        return 0;
    if ((rc = bare_type(x, &type, err)) == 0 && type != NULL && mlr_manifest_type_known(type) &&
        (rc = mlr_descriptor_make(type, &digest, bytes, out, err)) == 0)
        rc = 1;
    mlr_free(type);
    return rc;
}

static int from_body(mlr_registry *g, const mlr_ref *r, mlr_op *op, mlr_descriptor *out, mlreg_error **err)
{
    mlr_manifest *m = NULL;
    int           rc = mlr_registry_get(g, r->repo, mlr_ref_word(r), r->digest.text[0] != '\0' ? &r->digest : NULL, op,
                                        &m,
                                        NULL, err);

    if (rc == 0)
        rc = mlr_descriptor_copy(&m->self, out, err);
    mlr_manifest_free(m);
    return rc;
}

/* Servers that know no HEAD, or not here. */
static bool no_head(int status)
{
    return status == 400 || status == 405 || status == 406 || status == 501;
}

int mlr_registry_resolve(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_descriptor *out, mlreg_error **err)
{
    mlr_registry *g = (mlr_registry *)p;
    mlr_exchange *x = NULL;
    mlr_ask       ask;
    int           status, rc;

    if ((rc = mlr_ask_init(&ask, g, "HEAD", r->repo, "manifests", mlr_ref_word(r), MLR_MAY_PULL, err)) < 0)
        goto out;
    mlr_ask_header(&ask, "Accept", accept);
    if ((rc = status = mlr_ask_begin(&ask, g, op, &x, err)) < 0)
        goto out;
    if (status != 200 && !no_head(status))
        rc = mlr_ask_refused(&ask, g, x, op, err);
    else if ((rc = status == 200 ? from_head(x, r, out, err) : 0) == 0)
        rc = from_body(g, r, op, out, err);
out:
    mlr_exchange_free(x);
    mlr_ask_done(&ask);
    return rc < 0 ? rc : 0;
}

/* ---- writing ---- */

static int put_once(mlr_registry *g, const char *repo, const char *word, const mlr_manifest *m, const char *if_match,
                    bool *indexed, mlr_op *op, mlreg_error **err)
{
    mlr_exchange *x = NULL;
    mlr_ask       ask;
    const char   *noted;
    int           rc;

    if ((rc = mlr_ask_init(&ask, g, "PUT", repo, "manifests", word, MLR_MAY_PUSH, err)) < 0)
        goto out;
    mlr_ask_header(&ask, "Content-Type", m->self.media_type);
    if (if_match != NULL)
        mlr_ask_header(&ask, "If-Match", if_match);
    ask.call.request.body = m->json;
    ask.call.request.body_bytes = m->json_bytes;
    ask.call.request.commit = m->n_layers + m->n_children >= MANY_PARTS;
    ask.call.again = true;
    if ((rc = mlr_ask_begin(&ask, g, op, &x, err)) < 0)
        goto out;
    rc = mlr_ask_written(rc) ? 0 : mlr_ask_refused(&ask, g, x, op, err);
    if (rc == 0 && indexed != NULL) {
        noted = mlr_exchange_header(x, "OCI-Subject", 0);
        *indexed = noted != NULL && m->subject != NULL && strcmp(noted, m->subject->digest.text) == 0;
    }
out:
    mlr_exchange_free(x);
    mlr_ask_done(&ask);
    return rc;
}

int mlr_registry_put(mlr_registry *g, const char *repo, const char *word, const mlr_manifest *m, const char *if_match,
                     bool *indexed, mlr_op *op, mlreg_error **err)
{
    mlr_retry    retry = mlr_registry_retry(g);
    mlreg_error *why = NULL;
    int          rc;

    do
        rc = put_once(g, repo, word, m, if_match, indexed, op, &why);
    while ((rc = judge(&retry, rc, &why, op, err)) == 1);
    return rc;
}

/* The failure to say why a tag was left alone; `is` NULL: it is not there. */
static int tag_differs(const mlr_ref *r, const mlr_digest *is, const mlr_digest *wanted, mlreg_error **err)
{
    int rc;

    if (is == NULL)
        return mlr_error_set(err, MLREG_EEXISTS, "tag '%s' of %s is not there, it was to be moved off %s", r->tag,
                             r->repo, wanted->text);
    rc = mlr_error_set(err, MLREG_EEXISTS, "tag '%s' of %s is at %s and was not moved to %s", r->tag, r->repo, is->text,
                       wanted->text);
    return mlr_error_hint(err, rc, "push under another tag, or ask for the tag to be moved");
}

/* Whether what the tag is said to be at really is `m`: 1; 0 if not, or if that cannot be told. */
static int is_really(mlr_registry *g, const mlr_ref *r, const mlr_manifest *m, mlr_op *op)
{
    mlr_manifest *now = NULL;
    int           rc = mlr_registry_get(g, r->repo, r->tag, &m->self.digest, op, &now, NULL, NULL);

    mlr_manifest_free(now);
    return rc == 0;
}

/* Whether the tag may become `m`: 0; 1 it is that already, byte for byte; EEXISTS. */
static int check_tag(mlr_registry *g, const mlr_ref *r, const mlr_tag_rule *rule, const mlr_manifest *m, mlr_op *op,
                     mlreg_error **err)
{
    bool           any = rule->expect.text[0] == '\0';
    mlr_ref        tag = {r->repo, r->tag, {""}};
    mlr_descriptor now = {0};
    mlreg_error   *why = NULL;
    int            rc;

    if (r->tag == NULL || (rule->move && any))
        return 0;
    rc = mlr_registry_resolve(&g->place, &tag, op, &now, &why);
    if (rc == MLREG_ENOTFOUND)
        rc = any ? 0 : tag_differs(r, NULL, &rule->expect, err);
    else if (rc < 0)
        mlr_error_move(err, &why);
    else if (mlr_digest_equal(&now.digest, &m->self.digest))
        rc = is_really(g, r, m, op);
    else if (!rule->move || !mlr_digest_equal(&now.digest, &rule->expect))
        rc = tag_differs(r, &now.digest, &m->self.digest, err);
    mlr_error_done(why);
    mlr_descriptor_done(&now);
    return rc;
}

int mlr_registry_manifest_write(mlr_place *p, const mlr_ref *r, const mlr_tag_rule *rule, const mlr_manifest *m,
                                mlr_op *op, mlreg_error **err)
{
    mlr_registry *g = (mlr_registry *)p;
    bool          indexed = false;
    int           rc = check_tag(g, r, rule, m, op, err);

    if (rc < 0 || (rc == 1 && m->subject == NULL))
        return rc < 0 ? rc : 0;
    rc = mlr_registry_put(g, r->repo, r->tag != NULL ? r->tag : m->self.digest.text, m, NULL, &indexed, op, err);
    if (rc == 0 && m->subject != NULL)
        rc = mlr_referrers_note(g, r->repo, m, indexed, op, err);
    return rc;
}
