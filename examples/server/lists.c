/* lists.c - tags, the catalogue and referrers. distribution-spec 1.1, "Content discovery". */
#include "serve.h"

#include <stdlib.h>
#include <string.h>

/* ---- pages ---- */

typedef struct page { size_t first, end; bool is_part; } page;   /* is_part: more follow */

/* "n" names at most, those behind "last". */
static page page_of(const request *r, const mlreg_list *l)
{
    const char *n = request_argument(r, "n"), *last = request_argument(r, "last");
    size_t count = mlreg_list_count(l), most = n != NULL && n[0] >= '0' && n[0] <= '9' ? strtoull(n, NULL, 10) : count;
    page p = { 0, 0, false };

    while (last != NULL && p.first < count && strcmp(mlreg_list_name(l, p.first), last) <= 0)
        p.first++;
    p.end = most < count - p.first ? p.first + most : count;
    p.is_part = most > 0 && p.end < count;
    return p;
}

static void put_names(text *t, const char *key, const mlreg_list *l, page p)
{
    text_printf(t, "\"%s\":[", key);
    for (size_t i = p.first; i < p.end; i++) {
        text_put(t, i > p.first ? "," : "");
        text_json(t, mlreg_list_name(l, i));
    }
    text_put(t, "]}\n");
}

static void answer_page(request *r, text *t, const mlreg_list *l, page p)
{
    char link[2 * NAME_MAX_BYTES + 160];
    const header headers[] = { { "Link", link }, { NULL, NULL } };

    if (p.is_part)
        snprintf(link, sizeof link, "<%s?n=%zu&last=%s>; rel=\"next\"", r->url, p.end - p.first, mlreg_list_name(l, p.end - 1));
    answer_text(r, MHD_HTTP_OK, "application/json", t, p.is_part ? headers : NULL);
}

void tags_end(request *r)
{
    mlreg_list *l = NULL;
    mlreg_error *err = NULL;
    text t = { NULL, 0, 0, false };
    page p;

    if (mlreg_session_tags(r->s->store, r->repo, NULL, &l, &err) < 0) {
        answer_failure(r, err, "NAME_UNKNOWN");
        return;
    }
    p = page_of(r, l);
    text_put(&t, "{\"name\":");
    text_json(&t, r->repo);
    text_put(&t, ",");
    put_names(&t, "tags", l, p);
    answer_page(r, &t, l, p);
    mlreg_list_free(l);
}

void catalog_end(request *r)
{
    mlreg_list *l = NULL;
    mlreg_error *err = NULL;
    text t = { NULL, 0, 0, false };
    page p;

    if (!access_may(r, "", MAY_READ)) {
        answer_error(r, MHD_HTTP_FORBIDDEN, "DENIED", "your token is for some repositories only", NULL);
        return;
    }
    if (mlreg_session_repositories(r->s->store, NULL, &l, &err) < 0) {
        answer_failure(r, err, "NAME_UNKNOWN");
        return;
    }
    p = page_of(r, l);
    text_put(&t, "{");
    put_names(&t, "repositories", l, p);
    answer_page(r, &t, l, p);
    mlreg_list_free(l);
}

/* ---- referrers ---- */

static void put_annotations(text *t, const mlreg_descriptor *d)
{
    const char *key, *value;

    for (size_t i = 0; mlreg_descriptor_annotation_at(d, i, &key, &value) == 0; i++) {
        text_put(t, i == 0 ? ",\"annotations\":{" : ",");
        text_json(t, key);
        text_put(t, ":");
        text_json(t, value);
    }
    if (mlreg_descriptor_annotation_at(d, 0, &key, &value) == 0)
        text_put(t, "}");
}

static void put_descriptor(text *t, const mlreg_descriptor *d)
{
    text_put(t, "{\"mediaType\":");
    text_json(t, mlreg_descriptor_media_type(d));
    text_printf(t, ",\"digest\":\"%s\",\"size\":%llu", mlreg_descriptor_digest(d), (unsigned long long)mlreg_descriptor_bytes(d));
    if (mlreg_descriptor_artifact_type(d) != NULL) {
        text_put(t, ",\"artifactType\":");
        text_json(t, mlreg_descriptor_artifact_type(d));
    }
    put_annotations(t, d);
    text_put(t, "}");
}

void referrers_end(request *r)
{
    static const char type[] = "application/vnd.oci.image.index.v1+json";
    const char *wanted = request_argument(r, "artifactType");
    const header headers[] = { { "OCI-Filters-Applied", wanted != NULL ? "artifactType" : NULL }, { NULL, NULL } };
    mlreg_list *l = NULL;
    mlreg_error *err = NULL;
    char name[NAME_MAX_BYTES + REF_MAX_BYTES + 2];
    text t = { NULL, 0, 0, false };
    int rc;

    snprintf(name, sizeof name, "%s@%s", r->repo, r->ref);
    rc = mlreg_session_referrers(r->s->store, name, wanted, NULL, &l, &err);
    if (rc < 0 && rc != MLREG_ENOTFOUND) { /* nothing refers to what is in no repository */
        answer_failure(r, err, "MANIFEST_UNKNOWN");
        return;
    }
    mlreg_error_free(err);
    text_printf(&t, "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":[", type);
    for (size_t i = 0; i < mlreg_list_count(l); i++) {
        text_put(&t, i > 0 ? "," : "");
        put_descriptor(&t, mlreg_list_descriptor(l, i));
    }
    text_put(&t, "]}\n");
    answer_text(r, MHD_HTTP_OK, type, &t, headers);
    mlreg_list_free(l);
}
