/* model/build_index_put.c - the text of an index: plain entries first, and what stood around them in the one that it began with. */
#include "model/build_index_parts.h"

#include <string.h>

static void put_entries(mlr_json_out *o, const struct mlr_build_index *x)
{
    mlr_json_open(o, "manifests", '[');
    for (int plain = 1; plain >= 0; plain--)
        for (size_t i = 0; i < x->n; i++)
            if (x->children[i].is_plain == plain)
                mlr_descriptor_put(o, NULL, &x->children[i].entry);
    mlr_json_close(o, ']');
}

/* Members of the index it began with that this one says nothing of, as they stood. */
static void put_others(mlr_json_out *o, const mlr_build *b, const mlr_json *base, bool has_subject)
{
    static const char ours[][14] = { "schemaVersion", "mediaType", "manifests", "annotations" };

    for (const mlr_json *v = mlr_json_first_member(base); v != NULL; v = mlr_json_next(v)) {
        const char *key = mlr_json_key(v), *raw;
        bool is_ours = (b->artifact_type != NULL && strcmp(key, "artifactType") == 0) || (has_subject && strcmp(key, "subject") == 0);
        size_t len;

        for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
            is_ours = is_ours || strcmp(key, ours[i]) == 0;
        raw = mlr_json_raw(v, &len);
        if (!is_ours)
            mlr_json_put_raw(o, key, raw, len);
    }
}

int mlr_build_index_put(const mlr_build *b, const mlr_descriptor *subject, mlr_buf *out, mlreg_error **err)
{
    const struct mlr_build_index *x = b->index;
    mlr_json *base = NULL;
    mlr_json_out o;
    int rc = x->base != NULL ? mlr_json_parse(x->base, x->base_bytes, "index", &base, err) : 0;

    if (rc < 0)
        return rc;
    mlr_json_begin(&o, out, err);
    mlr_json_open(&o, NULL, '{');
    mlr_json_put_u64(&o, "schemaVersion", 2);
    mlr_json_put_string(&o, "mediaType", MLR_TYPE_INDEX);
    mlr_json_put_string(&o, "artifactType", b->artifact_type);
    put_entries(&o, x);
    if (subject->media_type != NULL)
        mlr_descriptor_put(&o, "subject", subject);
    put_others(&o, b, base, subject->media_type != NULL);
    mlr_build_put_annotations(&o, b);
    mlr_json_close(&o, '}');
    mlr_json_free(base);
    return mlr_json_end(&o);
}
