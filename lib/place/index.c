/* place/index.c - the list of manifests of one repository: read leniently, written with all in it, and looked into. */
#include "place/index_parts.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

int mlr_index_new(mlr_index **out, mlreg_error **err)
{
    return (*out = mlr_alloc(sizeof(**out))) == NULL ? mlr_error_nomem(err) : 0;
}

void mlr_index_free(mlr_index *x)
{
    if (x == NULL)
        return;
    for (size_t i = 0; i < x->n; i++)
        mlr_descriptor_done(&x->entries[i]);
    mlr_free(x->entries);
    mlr_json_free(x->root);
    mlr_free(x);
}

/* ---- reading and writing ---- */

static int read_entry(const mlr_json *v, mlr_descriptor *out, mlreg_error **err)
{
    const char *raw;
    size_t      len;
    int         rc = mlr_descriptor_read(v, "index.json", out, NULL);

    if (rc == 0)
        return 0;
    if (rc == MLREG_ENOMEM)
        return mlr_error_nomem(err);
    raw = mlr_json_raw(v, &len);
    *out = (mlr_descriptor){ 0 };
    return (out->raw = mlr_strndup(raw, len)) == NULL ? mlr_error_nomem(err) : 0;
}

static int read_entries(mlr_index *x, mlreg_error **err)
{
    const mlr_json *all = mlr_json_get(x->root, "manifests");
    uint64_t        version;
    int             rc;

    if (!mlr_json_u64(mlr_json_get(x->root, "schemaVersion"), &version) || version != 2)
        return mlr_error_set(err, MLREG_EPROTO, "index.json: schemaVersion is not 2");
    if (mlr_json_type_of(all) == MLR_JSON_NULL) /* how Go writes an empty list */
        return 0;
    if (mlr_json_type_of(all) != MLR_JSON_ARRAY)
        return mlr_error_set(err, MLREG_EPROTO, "index.json: no list of manifests");
    x->cap = mlr_json_count(all);
    if ((x->entries = mlr_alloc_array(x->cap, sizeof(*x->entries))) == NULL)
        return mlr_error_nomem(err);
    for (const mlr_json *v = mlr_json_first(all); v != NULL; v = mlr_json_next(v)) {
        if ((rc = read_entry(v, &x->entries[x->n], err)) < 0)
            return rc;
        x->n++;
    }
    return 0;
}

int mlr_index_parse(const char *text, size_t len, mlr_index **out, mlreg_error **err)
{
    mlr_index *x = NULL;
    int        rc;

    if ((rc = mlr_index_new(&x, err)) < 0 || (rc = mlr_json_parse(text, len, "index.json", &x->root, err)) < 0 ||
        (rc = read_entries(x, err)) < 0) {
        mlr_index_free(x);
        return rc;
    }
    *out = x;
    return 0;
}

static void put_entries(mlr_json_out *o, const mlr_index *x)
{
    mlr_json_open(o, "manifests", '[');
    for (size_t i = 0; i < x->n; i++)
        mlr_descriptor_put(o, NULL, &x->entries[i]);
    mlr_json_close(o, ']');
}

int mlr_index_print(const mlr_index *x, mlr_buf *out, mlreg_error **err)
{
    mlr_json_out o;

    mlr_json_begin(&o, out, err);
    mlr_json_open(&o, NULL, '{');
    if (x->root == NULL) {
        mlr_json_put_u64(&o, "schemaVersion", 2);
        mlr_json_put_string(&o, "mediaType", MLR_TYPE_INDEX);
        put_entries(&o, x);
    }
    for (const mlr_json *v = mlr_json_first_member(x->root); v != NULL; v = mlr_json_next(v)) {
        size_t      len;
        const char *raw = mlr_json_raw(v, &len);
        if (strcmp(mlr_json_key(v), "manifests") == 0)
            put_entries(&o, x);
        else
            mlr_json_put_raw(&o, mlr_json_key(v), raw, len);
    }
    mlr_json_close(&o, '}');
    return mlr_json_end(&o);
}

/* ---- looking ---- */

/* NULL: none, or none that the grammar allows. */
static const char *tag_of(const mlr_descriptor *entry)
{
    const char *name = mlr_index_ref_name(entry);
    return name != NULL && mlr_ref_check_tag(name, NULL) == 0 ? name : NULL;
}

const mlr_descriptor *mlr_index_by_tag(const mlr_index *x, const char *tag)
{
    for (size_t i = 0; i < x->n; i++) {
        const char *name = mlr_index_ref_name(&x->entries[i]);
        if (name != NULL && strcmp(name, tag) == 0)
            return &x->entries[i];
    }
    return NULL;
}

const mlr_descriptor *mlr_index_by_digest(const mlr_index *x, const mlr_digest *d)
{
    for (size_t i = 0; i < x->n; i++)
        if (mlr_digest_equal(&x->entries[i].digest, d))
            return &x->entries[i];
    return NULL;
}

bool mlr_index_lacks(const mlr_index *x, const mlr_digest *d)
{
    for (size_t i = 0; i < x->n; i++) {
        const char *absent = mlr_index_is_used(&x->entries[i]) ? mlr_descriptor_annotation(&x->entries[i], MLR_INDEX_ABSENT) : NULL;
        if (absent != NULL && strstr(absent, d->text) != NULL)
            return true;
    }
    return false;
}

int mlr_index_tags(const mlr_index *x, mlr_list *out, mlreg_error **err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < x->n; i++) {
        const char *tag = tag_of(&x->entries[i]);
        if (tag != NULL)
            rc = mlr_list_add(out, tag, NULL, err);
    }
    return rc;
}
