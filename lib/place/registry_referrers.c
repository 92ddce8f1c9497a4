/* place/registry_referrers.c - what refers to a manifest: the referrers API, and the tag that stands in for it. */
#include "place/registry.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "place/registry_pages.h"

#define CANDIDATES_MAX 10000   /* of one subject */
#define NOTE_TRIES     4       /* others may change the list at the same time */
#define NOTE_PAUSE_MS  200     /* at most, between them */

/* ---- the API ---- */

/* What servers without the API say: old Quay 400, Harbor 2.7 401, Artifactory 406 (PROTOCOL.md §6). */
static bool has_no_api(int rc, int status)
{
    static const int statuses[] = {400, 401, 404, 405, 406, 501};

    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if (status == statuses[i])
            return true;
    /* a front page, or a proxy's, in place of an index */
    return rc == MLREG_EAUTH || (rc == MLREG_EPROTO && status == 200);
}

static int add_candidate(mlr_list *out, const mlr_descriptor *d, mlreg_error **err)
{
    if (out->n == CANDIDATES_MAX)
        return mlr_error_set(err, MLREG_ELIMIT, "more than %d manifests are said to refer to one", CANDIDATES_MAX);
    return mlr_list_add(out, NULL, d, err);
}

static int add_page(const mlr_json *page, mlr_list *out, mlreg_error **err)
{
    const mlr_json *list = mlr_json_get(page, "manifests");
    int             rc = 0;

    if (mlr_json_type_of(list) != MLR_JSON_ARRAY)
        return mlr_error_set(err, MLREG_EPROTO, "the list of referrers is no index");
    for (const mlr_json *v = mlr_json_first(list); v != NULL && rc == 0; v = mlr_json_next(v)) {
        mlr_descriptor d = {0};
        mlreg_error   *why = NULL;

        rc = mlr_descriptor_read(v, "referrer", &d, &why);
        if (rc == MLREG_ENOTSUP)
            rc = 0;                      /* a digest that is not sha256: nobody here could check what it names */
        else if (rc < 0)
            mlr_error_move(err, &why);
        else
            rc = add_candidate(out, &d, err);
        mlr_error_done(why);
        mlr_descriptor_done(&d);
    }
    return rc;
}

/* 1: listed; 0: this registry has no such API. */
static int from_api(mlr_registry *g, const char *repo, const mlr_digest *subject, mlr_op *op, mlr_list *out,
                    mlreg_error **err)
{
    mlr_ask      ask;
    mlr_pages    pages = {g, &ask, NULL, 0, 0};
    mlr_json    *page = NULL;
    mlreg_error *why = NULL;
    size_t       added = 0;
    int          rc;

    if ((rc = mlr_ask_init(&ask, g, "GET", repo, "referrers", subject->text, MLR_MAY_PULL, err)) < 0)
        goto out;
    mlr_ask_header(&ask, "Accept", MLR_TYPE_INDEX);
    while ((rc = mlr_pages_next(&pages, op, &page, &why)) > 0) {
        rc = add_page(page, out, &why);
        mlr_json_free(page);
        if (rc < 0)
            break;
        added = pages.n;
    }
    if (rc < 0 && added == 0 && has_no_api(rc, pages.status)) {
        mlr_hostfacts_learn(&g->facts, MLR_FACT_NO_REFERRERS);
        rc = 0;
    } else if (rc < 0) {
        mlr_error_move(err, &why);
    } else {
        mlr_hostfacts_forget(&g->facts, MLR_FACT_NO_REFERRERS);
        mlr_hostfacts_learn(&g->facts, MLR_FACT_HAS_REFERRERS);
        rc = 1;
    }
out:
    mlr_error_done(why);
    mlr_pages_done(&pages);
    mlr_ask_done(&ask);
    return rc;
}

/* ---- the fallback tag: an index of the referrers, kept by those who push them ---- */

/* "sha256-<hex>" */
static void tag_of(const mlr_digest *subject, char out[MLR_DIGEST_TEXT + 1])
{
    memcpy(out, subject->text, sizeof subject->text);
    *strchr(out, ':') = '-';
}

/* *out stays NULL where there is none. GitLab resolves the tag to the subject itself: none, too. */
static int read_tag(mlr_registry *g, const char *repo, const mlr_digest *subject, mlr_op *op, mlr_manifest **out,
                    char **etag, mlreg_error **err)
{
    char          tag[MLR_DIGEST_TEXT + 1];
    mlr_manifest *m = NULL;
    mlreg_error  *why = NULL;
    char         *version = NULL;
    int           rc;

    tag_of(subject, tag);
    rc = mlr_registry_get(g, repo, tag, NULL, op, &m, &version, &why);
    if (rc == MLREG_ENOTFOUND)
        rc = 0;
    else if (rc < 0)
        mlr_error_move(err, &why);
    else if (mlr_digest_equal(&m->self.digest, subject))
        rc = 0;
    else if (!m->is_index)
        rc = mlr_error_set(err, MLREG_EPROTO, "tag %s of %s should list the referrers of %s and is no index", tag,
                           repo, subject->text);
    else {
        *out = m;
        m = NULL;
        if (etag != NULL) {
            *etag = version;
            version = NULL;
        }
    }
    mlr_error_done(why);
    mlr_free(version);
    mlr_manifest_free(m);
    return rc;
}

static int from_tag(mlr_registry *g, const char *repo, const mlr_digest *subject, mlr_op *op, mlr_list *out,
                    mlreg_error **err)
{
    mlr_manifest *m = NULL;
    int           rc = read_tag(g, repo, subject, op, &m, NULL, err);

    for (size_t i = 0; rc == 0 && m != NULL && i < m->n_children; i++)
        rc = add_candidate(out, &m->children[i], err);
    mlr_manifest_free(m);
    return rc;
}

int mlr_registry_referrers(mlr_place *p, const char *repo, const mlr_digest *subject, mlr_op *op, mlr_list *out,
                           mlreg_error **err)
{
    mlr_registry *g = (mlr_registry *)p;
    int           rc = from_api(g, repo, subject, op, out, err);

    if (rc == 0)
        rc = from_tag(g, repo, subject, op, out, err);
    return rc < 0 ? rc : 0;
}

/* ---- keeping the tag ---- */

static bool lists(const mlr_manifest *index, const mlr_digest *digest)
{
    for (size_t i = 0; index != NULL && i < index->n_children; i++)
        if (mlr_digest_equal(&index->children[i].digest, digest))
            return true;
    return false;
}

/* The `manifests` of the new index: the old ones byte for byte, without `entry`, which is last if it is to be there. */
static void put_entries(mlr_json_out *o, const mlr_manifest *old, const mlr_descriptor *entry, bool there)
{
    mlr_json_open(o, "manifests", '[');
    for (size_t i = 0; old != NULL && i < old->n_children; i++)
        if (!mlr_digest_equal(&old->children[i].digest, &entry->digest))
            mlr_descriptor_put(o, NULL, &old->children[i]);
    if (there)
        mlr_descriptor_put(o, NULL, entry);
    mlr_json_close(o, ']');
}

/* Every member of the old index but `manifests` is kept as it is. */
static void put_members(mlr_json_out *o, const mlr_json *root)
{
    for (const mlr_json *v = mlr_json_first_member(root); v != NULL; v = mlr_json_next(v)) {
        size_t      len;
        const char *raw = mlr_json_raw(v, &len);

        if (strcmp(mlr_json_key(v), "manifests") != 0)
            mlr_json_put_raw(o, mlr_json_key(v), raw, len);
    }
}

static int make_index(const mlr_manifest *old, const mlr_descriptor *entry, bool there, mlr_manifest **out,
                      mlreg_error **err)
{
    mlr_buf      text = MLR_BUF_INIT(MLR_MANIFEST_MAX_BYTES);
    mlr_json    *root = NULL;
    mlr_json_out o;
    int          rc = 0;

    if (old != NULL && (rc = mlr_json_parse(old->json, old->json_bytes, "list of referrers", &root, err)) < 0)
        return rc;
    mlr_json_begin(&o, &text, err);
    mlr_json_open(&o, NULL, '{');
    if (root != NULL) {
        put_members(&o, root);
    } else {
        mlr_json_put_u64(&o, "schemaVersion", 2);
        mlr_json_put_string(&o, "mediaType", MLR_TYPE_INDEX);
    }
    put_entries(&o, old, entry, there);
    mlr_json_close(&o, '}');
    if ((rc = mlr_json_end(&o)) == 0)
        rc = mlr_manifest_parse(text.data, text.len, old != NULL ? old->self.media_type : MLR_TYPE_INDEX, out, err);
    mlr_json_free(root);
    mlr_buf_done(&text);
    return rc;
}

/* One try: 1 the tag is as it should be; 0 somebody else changed it meanwhile. */
static int try_edit(mlr_registry *g, const char *repo, const mlr_manifest *m, bool there, bool careful, mlr_op *op,
                    mlreg_error **err)
{
    char          tag[MLR_DIGEST_TEXT + 1], *etag = NULL;
    mlr_manifest *old = NULL, *new = NULL;
    mlreg_error  *why = NULL;
    int           rc;

    tag_of(&m->subject->digest, tag);
    if ((rc = read_tag(g, repo, &m->subject->digest, op, &old, &etag, err)) < 0)
        goto out;
    if (lists(old, &m->self.digest) == there) {
        rc = 1;
        goto out;
    }
    if ((rc = make_index(old, &m->self, there, &new, err)) < 0)
        goto out;
    rc = mlr_registry_put(g, repo, tag, new, careful ? etag : NULL, NULL, op, &why);
    if (rc < 0 && why != NULL && why->http_status == 412)
        rc = 0;
    else if (rc < 0)
        mlr_error_move(err, &why);
out:
    mlr_error_done(why);
    mlr_free(etag);
    mlr_manifest_free(old);
    mlr_manifest_free(new);
    return rc;
}

/* Nothing locks the tag, so each write is looked at again; the next try begins with that look. */
static int edit_tag(mlr_registry *g, const char *repo, const mlr_manifest *m, bool there, mlr_op *op, mlreg_error **err)
{
    int rc;

    for (int i = 0; i <= NOTE_TRIES; i++) {
        if ((rc = try_edit(g, repo, m, there, i < NOTE_TRIES - 1, op, err)) != 0)
            return rc < 0 ? rc : 0;
        if (i > 0 && (rc = mlr_op_sleep(op, mlr_random_below(NOTE_PAUSE_MS), err)) < 0)
            return rc;
    }
    rc = mlr_error_set(err, MLREG_EBUSY, "others keep changing the list of what refers to %s", m->subject->digest.text);
    return mlr_error_hint(err, rc, "call again: the manifest itself is there");
}

int mlr_referrers_note(mlr_registry *g, const char *repo, const mlr_manifest *m, bool indexed, mlr_op *op,
                       mlreg_error **err)
{
    mlr_list *seen = NULL;
    int       rc = 0;

    if (indexed && mlr_hostfacts_know(&g->facts, MLR_FACT_HAS_REFERRERS))
        return 0;
    /* OCI-Subject was seen without the API behind it (PROTOCOL.md §6): it is asked once. */
    if (indexed && (rc = mlr_list_new(&seen, err)) == 0)
        rc = from_api(g, repo, &m->subject->digest, op, seen, err);
    mlr_list_free(seen);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    return edit_tag(g, repo, m, true, op, err);
}

int mlr_referrers_unnote(mlr_registry *g, const char *repo, const mlr_manifest *m, mlr_op *op, mlreg_error **err)
{
    return edit_tag(g, repo, m, false, op, err);
}
