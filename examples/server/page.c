/* page.c - the page for people: what is here, how large, and how to pull it. No script, nothing from elsewhere. */
#include "page.h"

#include <string.h>

#include "../mlreg/shown.h"

static const char head[] =
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>mlreg</title><style>"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #ddd;overflow-wrap:anywhere}"
    "code,pre{font-family:ui-monospace,monospace;background:#f4f4f4;padding:.1rem .3rem}pre{padding:.6rem;overflow-x:auto}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#111}code,pre{background:#222}td,th{border-color:#333}a{color:#8bf}}"
    "</style></head><body><h1><a href=\"/\">mlreg</a></h1>";
static const char foot[] = "</body></html>\n";

void page_put_size(text *t, uint64_t bytes)
{
    char size[32];

    text_put(t, human(bytes, size));
}

void page_put_host(text *t, const request *r)
{
    const char *host = request_header(r, "Host");

    text_html(t, host != NULL ? host : "this-host");
}

void page_put_link(text *t, const char *repo, const char *ref, const char *shown)
{
    text_put(t, "<a href=\"/?repo=");
    text_html(t, repo);
    text_put(t, "&amp;tag=");
    text_html(t, ref);
    text_put(t, "\">");
    text_html(t, shown);
    text_put(t, "</a>");
}

/* ---- all of them ---- */

static void put_row(text *t, const request *r, const char *repo, const char *tag)
{
    mlreg_artifact *a = NULL;
    full_name name = name_of(repo, tag);

    if (mlreg_session_resolve(r->s->store, name.text, NULL, NULL, &a, NULL) < 0)
        return;
    text_put(t, "<tr><td>");
    page_put_link(t, repo, tag, name.text);
    text_put(t, "<td>");
    page_put_size(t, artifact_bytes(a));
    text_printf(t, "<td>%zu<td><code>", mlreg_artifact_count(a, MLREG_PART_LAYER) + mlreg_artifact_count(a, MLREG_PART_CHILD));
    text_html(t, digest_of(a));
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
        page_put_host(t, r);
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
        page_put_artifact(&t, r, repo, tag);
    else
        put_all(&t, r);
    text_put(&t, foot);
    answer_text(r, MHD_HTTP_OK, "text/html; charset=utf-8", &t, headers);
}
