/* place/registry_remove.c - removing tags and manifests, also where a registry can only delete by digest. */
#include "place/registry.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "place/registry_ask.h"

#define EMPTY_DIGEST "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"   /* of "{}" */
#define EMPTY_DESCRIPTOR "{\"mediaType\":\"" MLR_TYPE_EMPTY "\",\"digest\":\"" EMPTY_DIGEST "\",\"size\":2}"

/* DELETE of a manifest by tag or digest: the status. */
static int delete(mlr_registry *g, const char *repo, const char *word, mlr_op *op, mlr_ask *a, mlr_exchange **x,
                  mlreg_error **err)
{
    int rc = mlr_ask_init(a, g, "DELETE", repo, "manifests", word, MLR_MAY_DELETE, err);

    if (rc < 0)
        return rc;
    a->call.again = true;
    return mlr_ask_begin(a, g, op, x, err);
}

/* Deletes and takes every refusal for a failure. 405 means that nobody may delete here. */
static int delete_or_fail(mlr_registry *g, const char *repo, const char *word, mlr_op *op, mlreg_error **err)
{
    mlr_exchange *x = NULL;
    mlr_ask       ask;
    int           rc = delete(g, repo, word, op, &ask, &x, err);

    if (rc >= 0)
        rc = mlr_ask_written(rc) ? 0 : mlr_ask_refused(&ask, g, x, op, err);
    if (rc == MLREG_ENOTSUP) {
        g->place.can &= ~(uint32_t)MLREG_CAN_DELETE;
        mlr_error_hint(err, rc, "this registry is set up not to delete; who runs it can change that");
    }
    mlr_exchange_free(x);
    mlr_ask_done(&ask);
    return rc;
}

/* ---- by digest ---- */

/* Read first: a referrer has to be taken out of its subject's list, where the registry keeps none. What is no manifest,
 * or one that nobody here reads, can be removed too. */
static int remove_manifest(mlr_registry *g, const char *repo, const mlr_digest *digest, mlr_op *op, mlreg_error **err)
{
    mlr_manifest *m = NULL;
    mlreg_error  *why = NULL;
    int           rc = mlr_registry_get(g, repo, digest->text, digest, op, &m, NULL, &why);

    if (rc == MLREG_EPROTO || rc == MLREG_EDIGEST || rc == MLREG_ELIMIT || rc == MLREG_ENOTSUP)
        rc = 0;
    else if (rc < 0)
        mlr_error_move(err, &why);
    if (rc == 0 && (rc = delete_or_fail(g, repo, digest->text, op, err)) == 0 && m != NULL && m->subject != NULL)
        rc = mlr_referrers_unnote(g, repo, m, op, err);
    mlr_error_done(why);
    mlr_manifest_free(m);
    return rc;
}

/* ---- by tag ---- */

/* A manifest that nothing else is: what is deleted with it is nobody's. */
static int make_stand_in(mlr_manifest **out, mlreg_error **err)
{
    mlr_buf json = MLR_BUF_INIT(4096);
    char    name[17];
    int     rc;

    mlr_random_name(name);
    rc = mlr_buf_printf(&json, err,
                        "{\"schemaVersion\":2,\"mediaType\":\"" MLR_TYPE_MANIFEST "\","
                        "\"artifactType\":\"application/vnd.mlreg.removed.v1\",\"config\":" EMPTY_DESCRIPTOR ","
                        "\"layers\":[" EMPTY_DESCRIPTOR "],\"annotations\":{\"org.mlreg.removed\":\"%s\"}}",
                        name);
    if (rc == 0)
        rc = mlr_manifest_parse(json.data, json.len, MLR_TYPE_MANIFEST, out, err);
    mlr_buf_done(&json);
    return rc;
}

static int put_empty_blob(mlr_registry *g, const char *repo, mlr_op *op, mlreg_error **err)
{
    mlr_blob    blob = {repo, {EMPTY_DIGEST}, 2, MLR_TYPE_EMPTY};
    mlr_reader *r = NULL;
    int         rc = mlr_reader_from_memory("{}", 2, "the empty blob", &r, err);

    if (rc == 0)
        rc = mlr_registry_blob_write(&g->place, &blob, r, op, err);
    mlr_reader_free(r);
    return rc;
}

/* Puts a stand-in under `word` (NULL: its digest alone) and deletes it again. *put (may be NULL): it was put. */
static int put_and_delete(mlr_registry *g, const char *repo, const char *word, bool *put, mlr_op *op, mlreg_error **err)
{
    mlr_manifest *m = NULL;
    int           rc;

    if ((rc = make_stand_in(&m, err)) < 0)
        return rc;
    if (word == NULL)
        word = m->self.digest.text;
    if ((rc = mlr_registry_put(g, repo, word, m, NULL, NULL, op, err)) == 0) {
        if (put != NULL)
            *put = true;
        rc = delete_or_fail(g, repo, m->self.digest.text, op, err);
    }
    mlr_manifest_free(m);
    return rc;
}

/* Puts stand-ins under `word` until one was there when it was to be deleted. docker-registry 2 fails with 500 where other
 * tags go meanwhile, after the stand-in and before the tag; asked again, it knows neither. */
static int put_and_surely_delete(mlr_registry *g, const char *repo, const char *word, bool *put, mlr_op *op,
                                 mlreg_error **err)
{
    mlr_retry retry = mlr_registry_retry(g);
    int       rc, next;

    do {
        mlreg_error *why = NULL;

        rc = put_and_delete(g, repo, word, put, op, &why);
        next = rc == MLREG_ENOTFOUND ? mlr_retry_again(&retry, NULL, op, err) : 0;
        if (next == 0)
            mlr_error_move(err, &why);
        mlr_error_done(why);
    } while (next == 1);
    return next < 0 ? next : rc;
}

/* The way out where tags cannot be deleted but manifests can: a stand-in takes the tag and is deleted with it. Tried
 * without the tag first, because a registry that then refuses the second half would leave the stand-in in its place. */
static int displace_tag(mlr_registry *g, const char *repo, const char *tag, mlr_op *op, mlreg_error **err)
{
    mlr_manifest *before = NULL;
    bool          moved = false;
    int           rc;

    if ((rc = mlr_registry_get(g, repo, tag, NULL, op, &before, NULL, err)) < 0 ||
        (rc = put_empty_blob(g, repo, op, err)) < 0 || (rc = put_and_surely_delete(g, repo, NULL, NULL, op, err)) < 0)
        goto out;
    rc = put_and_surely_delete(g, repo, tag, &moved, op, err);
    if (rc < 0 && moved)                     /* as it was, cancelled or not; the first cause stays */
        mlr_registry_put(g, repo, tag, before, NULL, NULL, NULL, NULL);
out:
    mlr_manifest_free(before);
    return rc;
}

static bool knows_no_tags(int status)
{
    return status == 400 || status == 405 || status == 501;
}

static int remove_tag(mlr_registry *g, const char *repo, const char *tag, mlr_op *op, mlreg_error **err)
{
    mlr_exchange *x = NULL;
    mlr_ask       ask;
    int           rc = delete(g, repo, tag, op, &ask, &x, err);

    if (rc >= 0 && knows_no_tags(rc))
        rc = displace_tag(g, repo, tag, op, err);
    else if (rc >= 0)
        rc = mlr_ask_written(rc) ? 0 : mlr_ask_refused(&ask, g, x, op, err);
    mlr_exchange_free(x);
    mlr_ask_done(&ask);
    return rc;
}

/* A tag with a digest goes only if it is there. */
static int check_is_at(mlr_registry *g, const mlr_ref *r, mlr_op *op, mlreg_error **err)
{
    mlr_ref        tag = {r->repo, r->tag, {""}};
    mlr_descriptor now = {0};
    int            rc = mlr_registry_resolve(&g->place, &tag, op, &now, err);

    if (rc == 0 && !mlr_digest_equal(&now.digest, &r->digest))
        rc = mlr_error_set(err, MLREG_ENOTFOUND, "tag '%s' of %s is at %s, not at %s", r->tag, r->repo, now.digest.text,
                           r->digest.text);
    mlr_descriptor_done(&now);
    return rc;
}

int mlr_registry_remove(mlr_place *p, const mlr_ref *r, mlr_op *op, mlreg_error **err)
{
    mlr_registry *g = (mlr_registry *)p;
    int           rc;

    if (r->tag == NULL)
        return remove_manifest(g, r->repo, &r->digest, op, err);
    if (r->digest.text[0] != '\0' && (rc = check_is_at(g, r, op, err)) < 0)
        return rc;
    return remove_tag(g, r->repo, r->tag, op, err);
}
