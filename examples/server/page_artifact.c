/* page_artifact.c - one artifact on the page: how to pull it, what is in it, where it comes from and what came of it. */
#include "page.h"
#include "../mlreg/shown.h"

#include <string.h>

#define VARIANT_NAME "io.github.libmlreg.variant.name"

static bool is_here(const request *r, const char *repo, const char *digest)
{
    const full_name name = name_of(repo, digest);

    return manifest_is_here(r->s, &name, NULL);
}

static bool looks_like_digest(const char *s)
{
    size_t n = 0;

    if (strncmp(s, "sha256:", 7) != 0)
        return false;
    for (s += 7; (*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'f'); s++)
        n++;
    return n == 64 && *s == '\0';
}

/* What strangers wrote: a digest in this repository and a web address can be followed, all else is text. */
static void put_value(text *t, const request *r, const char *repo, const char *value)
{
    if (looks_like_digest(value) && is_here(r, repo, value)) {
        page_put_link(t, repo, value, value);
    } else if (strncmp(value, "https://", 8) == 0 || strncmp(value, "http://", 7) == 0) {
        text_put(t, "<a rel=\"noreferrer noopener\" href=\"");
        text_html(t, value);
        text_put(t, "\">");
        text_html(t, value);
        text_put(t, "</a>");
    } else {
        text_html(t, value);
    }
}

static void put_row(text *t, const request *r, const char *repo, const char *name, const char *value)
{
    text_put(t, "<tr><th>");
    text_html(t, name);
    text_put(t, "<td>");
    put_value(t, r, repo, value);
    text_put(t, "</tr>");
}

/* ---- what is in it ---- */

static const char *name_of_part(const mlreg_descriptor *d)
{
    const char *title = mlreg_descriptor_title(d), *variant = mlreg_descriptor_annotation(d, VARIANT_NAME);

    return title != NULL ? title : variant != NULL ? variant : mlreg_descriptor_platform(d);
}

static void put_parts(text *t, const request *r, const char *repo, const mlreg_artifact *a, int part, const char *title)
{
    size_t n = mlreg_artifact_count(a, part);

    if (n == 0)
        return;
    text_printf(t, "<h3>%s</h3><table><tr><th>name<th>size<th>media type<th>digest</tr>", title);
    for (size_t i = 0; i < n; i++) {
        const mlreg_descriptor *d = mlreg_artifact_at(a, part, i);
        text_put(t, "<tr><td>");
        text_html(t, name_of_part(d));
        text_put(t, "<td>");
        page_put_size(t, mlreg_descriptor_bytes(d));
        text_put(t, "<td>");
        text_html(t, mlreg_descriptor_media_type(d));
        text_put(t, "<td><code>");
        if (part == MLREG_PART_CHILD)
            put_value(t, r, repo, mlreg_descriptor_digest(d));
        else
            text_html(t, mlreg_descriptor_digest(d));
        text_put(t, "</code></tr>");
    }
    text_put(t, "</table>");
}

/* ---- where it comes from: OCI image-spec 1.1, "Pre-Defined Annotation Keys" ---- */

static const struct { const char *key, *shown; } origins[] = {
    { "org.opencontainers.image.base.name", "made on" },
    { "org.opencontainers.image.base.digest", "made on, exactly" },
    { "org.opencontainers.image.source", "source" },
    { "org.opencontainers.image.revision", "revision of the source" },
    { "org.opencontainers.image.version", "version" },
    { "org.opencontainers.image.created", "made" },
    { "org.opencontainers.image.authors", "made by" },
    { "org.opencontainers.image.licenses", "licence" },
    { NULL, NULL },
};

static bool is_origin(const char *key)
{
    size_t i = 0;

    while (origins[i].key != NULL && strcmp(origins[i].key, key) != 0)
        i++;
    return origins[i].key != NULL;
}

/* What was said of it later: signatures, evaluations, runs that used it. */
static void put_referrers(text *t, const request *r, const char *repo, const char *digest)
{
    mlreg_list *l = NULL;

    if (mlreg_session_referrers(r->s->store, name_of(repo, digest).text, NULL, NULL, &l, NULL) < 0)
        return;
    for (size_t i = 0; i < mlreg_list_count(l); i++) {
        const mlreg_descriptor *d = mlreg_list_descriptor(l, i);
        const char *type = mlreg_descriptor_artifact_type(d);
        text_put(t, "<tr><th>referred to by<td>");
        text_html(t, type != NULL ? type : mlreg_descriptor_media_type(d));
        text_put(t, " ");
        put_value(t, r, repo, mlreg_descriptor_digest(d));
        text_put(t, "</tr>");
    }
    mlreg_list_free(l);
}

static void put_lineage(text *t, const request *r, const char *repo, const mlreg_artifact *a)
{
    const mlreg_descriptor *self = mlreg_artifact_at(a, MLREG_PART_SELF, 0), *subject = mlreg_artifact_at(a, MLREG_PART_SUBJECT, 0);
    text rows = { NULL, 0, 0, false };

    if (mlreg_descriptor_artifact_type(self) != NULL)
        put_row(&rows, r, repo, "kind", mlreg_descriptor_artifact_type(self));
    if (subject != NULL)
        put_row(&rows, r, repo, "refers to", mlreg_descriptor_digest(subject));
    for (size_t i = 0; origins[i].key != NULL; i++)
        if (mlreg_descriptor_annotation(self, origins[i].key) != NULL)
            put_row(&rows, r, repo, origins[i].shown, mlreg_descriptor_annotation(self, origins[i].key));
    put_referrers(&rows, r, repo, mlreg_descriptor_digest(self));
    if (rows.len > 0) {
        text_put(t, "<h3>Lineage</h3><table>");
        text_add(t, rows.data, rows.len);
        text_put(t, "</table>");
    }
    t->failed = t->failed || rows.failed;
    text_done(&rows);
}

/* All the others: what a training run notes of itself is among them. */
static void put_annotations(text *t, const request *r, const char *repo, const mlreg_artifact *a)
{
    const mlreg_descriptor *self = mlreg_artifact_at(a, MLREG_PART_SELF, 0);
    const char *key, *value;
    bool any = false;

    for (size_t i = 0; mlreg_descriptor_annotation_at(self, i, &key, &value) == 0; i++) {
        if (is_origin(key))
            continue;
        text_put(t, any ? "" : "<h3>Annotations</h3><table>");
        put_row(t, r, repo, key, value);
        any = true;
    }
    text_put(t, any ? "</table>" : "");
}

/* ---- all of it ---- */

static void put_command(text *t, const request *r, const full_name *name)
{
    text_put(t, "mlreg pull ");
    page_put_host(t, r);
    text_put(t, "/");
    text_html(t, name->text);
    text_put(t, "\n");
}

void page_put_artifact(text *t, const request *r, const char *repo, const char *ref)
{
    mlreg_artifact *a = NULL;
    full_name name = name_of(repo, ref), exact;

    text_put(t, "<h2>");
    text_html(t, name.text);
    text_put(t, "</h2>");
    if (mlreg_session_resolve(r->s->store, name.text, NULL, NULL, &a, NULL) < 0) {
        text_put(t, "<p>It is not there.</p>");
        return;
    }
    exact = name_of(repo, digest_of(a));
    text_put(t, "<pre>");
    if (!is_digest(ref))
        put_command(t, r, &name);
    put_command(t, r, &exact);
    text_put(t, "</pre>");
    put_parts(t, r, repo, a, MLREG_PART_LAYER, "Layers");
    put_parts(t, r, repo, a, MLREG_PART_CHILD, "Variants");
    put_lineage(t, r, repo, a);
    put_annotations(t, r, repo, a);
    mlreg_artifact_free(a);
}
