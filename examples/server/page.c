/* page.c - the page for people: what is here, how large, and how to pull it. No script, nothing from elsewhere. */
#include "serve.h"

#include <string.h>

static const char head[] =
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>mlreg</title><style>"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #ddd;overflow-wrap:anywhere}"
    "code,pre{font-family:ui-monospace,monospace;background:#f4f4f4;padding:.1rem .3rem}pre{padding:.6rem;overflow-x:auto}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#111}code,pre{background:#222}td,th{border-color:#333}a{color:#8bf}}"
    "</style></head><body><h1><a href=\"/\">mlreg</a></h1>";
static const char foot[] = "</body></html>\n";

static void put_size(text *t, uint64_t bytes)
{
    static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
    double n = (double)bytes;
    size_t i = 0;

    for (; n >= 1000 && i < 4; i++)
        n /= 1000;
    text_printf(t, i == 0 ? "%.0f %s" : "%.1f %s", n, units[i]);
}

static uint64_t bytes_of(const mlreg_artifact *a)
{
    uint64_t n = mlreg_descriptor_bytes(mlreg_artifact_at(a, MLREG_PART_CONFIG, 0));

    for (size_t i = 0; i < mlreg_artifact_count(a, MLREG_PART_LAYER); i++)
        n += mlreg_descriptor_bytes(mlreg_artifact_at(a, MLREG_PART_LAYER, i));
    return n;
}

static const char *host_of(const request *r)
{
    const char *host = request_header(r, "Host");

    return host != NULL ? host : "this-host";
}

/* ---- one tag ---- */

static void put_parts(text *t, const mlreg_artifact *a, int part, const char *title)
{
    size_t n = mlreg_artifact_count(a, part);

    if (n == 0)
        return;
    text_printf(t, "<h3>%s</h3><table><tr><th>name<th>size<th>media type<th>digest</tr>", title);
    for (size_t i = 0; i < n; i++) {
        const mlreg_descriptor *d = mlreg_artifact_at(a, part, i);
        const char *name = mlreg_descriptor_title(d) != NULL ? mlreg_descriptor_title(d) : mlreg_descriptor_platform(d);
        text_put(t, "<tr><td>");
        text_html(t, name);
        text_put(t, "<td>");
        put_size(t, mlreg_descriptor_bytes(d));
        text_put(t, "<td>");
        text_html(t, mlreg_descriptor_media_type(d));
        text_put(t, "<td><code>");
        text_html(t, mlreg_descriptor_digest(d));
        text_put(t, "</code></tr>");
    }
    text_put(t, "</table>");
}

/* Annotations say where it comes from, among other things. */
static void put_annotations(text *t, const mlreg_artifact *a)
{
    const mlreg_descriptor *self = mlreg_artifact_at(a, MLREG_PART_SELF, 0);
    const char *key, *value;

    if (mlreg_descriptor_annotation_at(self, 0, &key, &value) < 0)
        return;
    text_put(t, "<h3>Annotations</h3><table>");
    for (size_t i = 0; mlreg_descriptor_annotation_at(self, i, &key, &value) == 0; i++) {
        text_put(t, "<tr><th>");
        text_html(t, key);
        text_put(t, "<td>");
        text_html(t, value);
        text_put(t, "</tr>");
    }
    text_put(t, "</table>");
}

static void put_tag(text *t, const request *r, const char *repo, const char *tag)
{
    mlreg_artifact *a = NULL;
    char name[NAME_MAX_BYTES + REF_MAX_BYTES + 2];

    snprintf(name, sizeof name, "%s:%s", repo, tag);
    text_put(t, "<h2>");
    text_html(t, name);
    text_put(t, "</h2>");
    if (mlreg_session_resolve(r->s->store, name, NULL, NULL, &a, NULL) < 0) {
        text_put(t, "<p>It is not there.</p>");
        return;
    }
    text_put(t, "<pre>mlreg pull ");
    text_html(t, host_of(r));
    text_put(t, "/");
    text_html(t, name);
    text_put(t, "\nmlreg pull ");
    text_html(t, host_of(r));
    text_put(t, "/");
    text_html(t, repo);
    text_put(t, "@");
    text_html(t, mlreg_descriptor_digest(mlreg_artifact_at(a, MLREG_PART_SELF, 0)));
    text_put(t, "</pre>");
    put_parts(t, a, MLREG_PART_LAYER, "Layers");
    put_parts(t, a, MLREG_PART_CHILD, "Variants");
    put_parts(t, a, MLREG_PART_SUBJECT, "Refers to");
    put_annotations(t, a);
    mlreg_artifact_free(a);
}

/* ---- all of them ---- */

static void put_row(text *t, const request *r, const char *repo, const char *tag)
{
    mlreg_artifact *a = NULL;
    char name[NAME_MAX_BYTES + REF_MAX_BYTES + 2];

    snprintf(name, sizeof name, "%s:%s", repo, tag);
    if (mlreg_session_resolve(r->s->store, name, NULL, NULL, &a, NULL) < 0)
        return;
    text_put(t, "<tr><td><a href=\"/?repo=");
    text_html(t, repo);
    text_put(t, "&amp;tag=");
    text_html(t, tag);
    text_put(t, "\">");
    text_html(t, name);
    text_put(t, "</a><td>");
    put_size(t, bytes_of(a));
    text_printf(t, "<td>%zu<td><code>", mlreg_artifact_count(a, MLREG_PART_LAYER) + mlreg_artifact_count(a, MLREG_PART_CHILD));
    text_html(t, mlreg_descriptor_digest(mlreg_artifact_at(a, MLREG_PART_SELF, 0)));
    text_put(t, "</code></tr>");
    mlreg_artifact_free(a);
}

static void put_repository(text *t, const request *r, const char *repo)
{
    mlreg_list *tags = NULL;

    if (access_may(r, repo, MAY_READ) && mlreg_session_tags(r->s->store, repo, NULL, &tags, NULL) == 0)
        for (size_t i = 0; i < mlreg_list_count(tags); i++)
            put_row(t, r, repo, mlreg_list_name(tags, i));
    mlreg_list_free(tags);
}

static void put_all(text *t, const request *r)
{
    mlreg_list *repos = NULL;

    mlreg_session_repositories(r->s->store, NULL, &repos, NULL);
    text_put(t, "<table><tr><th>artifact<th>size<th>parts<th>digest</tr>");
    for (size_t i = 0; i < mlreg_list_count(repos); i++)
        put_repository(t, r, mlreg_list_name(repos, i));
    text_put(t, "</table>");
    if (mlreg_list_count(repos) == 0) {
        text_put(t, "<p>Nothing is here yet:</p><pre>mlreg push ./my-model ");
        text_html(t, host_of(r));
        text_put(t, "/my-model:v1</pre>");
    }
    mlreg_list_free(repos);
}

void page_end(request *r)
{
    static const header headers[] = { { "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'" }, { "Cache-Control", "no-store" }, { NULL, NULL } };
    const char *repo = request_argument(r, "repo"), *tag = request_argument(r, "tag");
    text t = { NULL, 0, 0, false };

    text_put(&t, head);
    if (repo != NULL && tag != NULL && strlen(repo) <= NAME_MAX_BYTES && strlen(tag) < REF_MAX_BYTES && access_may(r, repo, MAY_READ))
        put_tag(&t, r, repo, tag);
    else
        put_all(&t, r);
    text_put(&t, foot);
    answer_text(r, MHD_HTTP_OK, "text/html; charset=utf-8", &t, headers);
}
