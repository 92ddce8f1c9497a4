/* model/build_index.c - an index in the making: its entries, each with what it needs of a machine, plain ones first. */
#include "model/build_index.h"

#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "model/build_parts.h"
#include "model/copy.h"
#include "model/variant.h"

#define CONFIG_MAX_BYTES (16u << 20)
#define MAX_CHILDREN     1000        /* docker and others read them all */

struct child {
    mlr_place *from; char *repo;     /* where it is now; the place is its caller's to keep open */
    mlr_descriptor entry;
    mlr_descriptor config;           /* that tells its platform; no media type: nothing to be asked */
    bool is_kept;                    /* stood in the index that this one began with */
    bool is_plain;
};
struct mlr_build_index {
    struct child *children; size_t n, cap;
    char *base; size_t base_bytes;   /* the index it began with, for members that are not ours; NULL: none */
    mlr_digest base_digest;
    char *base_absent;               /* what that one lacks */
};

int mlr_build_index_new(mlr_build *b, mlreg_error **err)
{
    return (b->index = mlr_alloc(sizeof *b->index)) == NULL ? mlr_error_nomem(err) : 0;
}

static void child_done(struct child *c)
{
    mlr_free(c->repo);
    mlr_descriptor_done(&c->entry);
    mlr_descriptor_done(&c->config);
}

void mlr_build_index_free(struct mlr_build_index *x)
{
    for (size_t i = 0; x != NULL && i < x->n; i++)
        child_done(&x->children[i]);
    if (x == NULL)
        return;
    mlr_free(x->children);
    mlr_free(x->base);
    mlr_free(x->base_absent);
    mlr_free(x);
}

size_t mlr_build_index_count(const struct mlr_build_index *x)
{
    return x->n;
}

static int check_kind(const mlr_build *b, mlreg_error **err)
{
    int rc = mlr_build_still_open(b, err);

    return rc == 0 && b->index == NULL ? mlr_error_set(err, MLREG_ESTATE, "only an index has entries: begin with MLREG_BUILD_INDEX") : rc;
}

/* ---- what is added and taken away ---- */

/* Takes `c` over, on failure too. */
static int keep(struct mlr_build_index *x, struct child *c, mlreg_error **err)
{
    int rc = 0;

    if (x->n >= MAX_CHILDREN)
        rc = mlr_error_set(err, MLREG_ELIMIT, "an index of over %d entries", MAX_CHILDREN);
    else if (mlr_grow(&x->children, &x->cap, x->n, sizeof *x->children) < 0)
        rc = mlr_error_nomem(err);
    if (rc < 0)
        child_done(c);
    else
        x->children[x->n++] = *c;
    return rc;
}

static int start(struct child *c, mlr_place *from, const char *repo, mlreg_error **err)
{
    c->from = from;
    return (c->repo = mlr_strdup(repo)) == NULL ? mlr_error_nomem(err) : 0;
}

static int keep_entry(mlr_build *b, mlr_place *from, const char *repo, const mlr_descriptor *d, mlreg_error **err)
{
    struct child c = { .is_kept = true };
    int rc;

    if ((rc = start(&c, from, repo, err)) < 0 || (rc = mlr_descriptor_copy(d, &c.entry, err)) < 0) {
        child_done(&c);
        return rc;
    }
    return keep(b->index, &c, err);
}

static int keep_base(mlr_build *b, const mlr_manifest *m, mlreg_error **err)
{
    struct mlr_build_index *x = b->index;
    int rc = 0;

    if ((x->base = mlr_strndup(m->json, m->json_bytes)) == NULL || (m->absent != NULL && (x->base_absent = mlr_strdup(m->absent)) == NULL))
        return mlr_error_nomem(err);
    x->base_bytes = m->json_bytes;
    x->base_digest = m->self.digest;
    for (size_t i = 0; i < m->self.n_annotations && rc == 0; i++)
        if (mlr_descriptor_annotation(&b->notes, m->self.annotations[i].key) == NULL)
            rc = mlr_descriptor_annotate(&b->notes, m->self.annotations[i].key, m->self.annotations[i].value, err);
    return rc;
}

int mlr_build_add_children_of(mlr_build *b, mlr_place *from, const char *repo, const mlr_manifest *m, mlreg_error **err)
{
    int rc = check_kind(b, err);

    if (rc < 0)
        return rc;
    if (!m->is_index)
        return mlr_error_set(err, MLREG_EINVAL, "%s is no index", m->self.digest.text);
    if (b->index->base != NULL || b->index->n > 0)
        return mlr_error_set(err, MLREG_ESTATE, "an index begins with another one before anything is added to it, and with one only");
    rc = keep_base(b, m, err);
    for (size_t i = 0; i < m->n_children && rc == 0; i++)
        rc = keep_entry(b, from, repo, &m->children[i], err);
    return rc;
}

static bool is_image_config(const mlr_descriptor *config)
{
    return config != NULL && mlr_image_config_type(config->media_type);
}

static int make_entry(const mlr_manifest *m, const mlreg_variant_options *o, struct child *c, mlreg_error **err)
{
    int rc;

    if ((rc = mlr_descriptor_make(m->self.media_type, &m->self.digest, m->self.bytes, &c->entry, err)) < 0)
        return rc;
    if (!m->is_index && m->self.artifact_type != NULL && !is_image_config(m->config) && (c->entry.artifact_type = mlr_strdup(m->self.artifact_type)) == NULL)
        return mlr_error_nomem(err);
    if (o->platform != NULL && (c->entry.platform = mlr_strdup(o->platform)) == NULL)
        return mlr_error_nomem(err);
    if (is_image_config(m->config) && (rc = mlr_descriptor_copy(m->config, &c->config, err)) < 0)
        return rc;
    return mlr_variant_annotate(o, &c->entry, err);
}

static int inside_itself(const mlr_digest *d, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_EINVAL, "an index cannot be an entry of itself: %s", d->text);

    return mlr_error_hint(err, rc, "add the artifacts that it lists, or keep it under another tag");
}

int mlr_build_add_child(mlr_build *b, mlr_place *from, const char *repo, const mlr_manifest *m, const mlreg_variant_options *o, mlreg_error **err)
{
    struct child c = { 0 };
    int rc;

    if ((rc = check_kind(b, err)) < 0 || (rc = mlr_variant_check(o, err)) < 0)
        return rc;
    if (mlr_digest_equal(&m->self.digest, &b->index->base_digest))
        return inside_itself(&m->self.digest, err);
    if ((rc = start(&c, from, repo, err)) < 0 || (rc = make_entry(m, o, &c, err)) < 0) {
        child_done(&c);
        return rc;
    }
    return keep(b->index, &c, err);
}

static int no_such(const struct mlr_build_index *x, const char *name, mlreg_error **err)
{
    mlr_buf names = MLR_BUF_INIT(2048);
    int rc = mlr_error_set(err, MLREG_ENOTFOUND, "the index has no variant \"%.100s\"", name);

    for (size_t i = 0; i < x->n; i++) {
        const char *own = mlr_descriptor_annotation(&x->children[i].entry, MLR_VARIANT_PREFIX "name");

        mlr_buf_printf(&names, NULL, "%s%s", i > 0 ? ", " : "", own != NULL ? own : x->children[i].entry.digest.text);
    }
    mlr_error_hint(err, rc, "it has: %s", names.data != NULL ? names.data : "nothing");
    mlr_buf_done(&names);
    return rc;
}

static bool is_called(const struct child *c, const char *name)
{
    const char *own = mlr_descriptor_annotation(&c->entry, MLR_VARIANT_PREFIX "name");

    return (own != NULL && strcmp(own, name) == 0) || strcmp(c->entry.digest.text, name) == 0;
}

int mlr_build_remove_child(mlr_build *b, const char *name, mlreg_error **err)
{
    struct mlr_build_index *x = b->index;
    size_t n = 0;
    int rc = check_kind(b, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < x->n; i++)
        if (is_called(&x->children[i], name))
            child_done(&x->children[i]);
        else
            x->children[n++] = x->children[i];
    if (n == x->n)
        return no_such(x, name, err);
    x->n = n;
    return 0;
}

/* ---- at commit: what is known of each ---- */

static int read_platform(const mlr_json *config, struct child *c, mlreg_error **err)
{
    const char *os = mlr_json_string(mlr_json_get(config, "os")), *arch = mlr_json_string(mlr_json_get(config, "architecture"));
    const char *variant = mlr_json_string(mlr_json_get(config, "variant"));

    if (os == NULL || arch == NULL || os[0] == '\0' || arch[0] == '\0')
        return 0;
    return mlr_descriptor_set_platform(&c->entry, os, arch, variant, err);
}

/* An image says in its config what it runs on. */
static int ask_platform(struct child *c, mlr_op *op, mlreg_error **err)
{
    mlr_blob b = { c->repo, c->config.digest, c->config.bytes, c->config.media_type };
    mlr_buf bytes = MLR_BUF_INIT(CONFIG_MAX_BYTES);
    mlr_json *root = NULL;
    int rc;

    if (c->config.media_type == NULL || c->entry.platform != NULL)
        return 0;
    if ((rc = mlr_place_blob_bytes(c->from, &b, CONFIG_MAX_BYTES, op, &bytes, err)) == 0 &&
        (rc = mlr_json_parse(bytes.data, bytes.len, "config", &root, err)) == 0)
        rc = read_platform(root, c, err);
    mlr_json_free(root);
    mlr_buf_done(&bytes);
    return rc;
}

static int look_if_plain(struct child *c, mlreg_error **err)
{
    mlr_variant v = { 0 };
    int rc = mlr_variant_read(&c->entry, &v, err);

    if (rc == 0)
        c->is_plain = mlr_variant_is_plain(&v);
    mlr_variant_done(&v);
    return rc;
}

static bool same(const char *a, const char *b)
{
    return a != NULL && b != NULL ? strcmp(a, b) == 0 : a == b;
}

static int check_double(const struct mlr_build_index *x, size_t i, mlreg_error **err)
{
    const char *name = mlr_descriptor_annotation(&x->children[i].entry, MLR_VARIANT_PREFIX "name"), *platform = x->children[i].entry.platform;
    int rc;

    for (size_t j = 0; j < i && name != NULL; j++) {
        const mlr_descriptor *other = &x->children[j].entry;

        if (!same(name, mlr_descriptor_annotation(other, MLR_VARIANT_PREFIX "name")) || !same(platform, other->platform))
            continue;
        rc = mlr_error_set(err, MLREG_EINVAL, "two variants are called \"%s\"%s%s", name, platform != NULL ? " and are for " : "", platform != NULL ? platform : "");
        return mlr_error_hint(err, rc, "give one another name, or remove the one that is there first");
    }
    return 0;
}

int mlr_build_index_prepare(mlr_build *b, mlr_op *op, mlreg_error **err)
{
    struct mlr_build_index *x = b->index;
    int rc = 0;

    for (size_t i = 0; i < x->n && rc == 0; i++)
        if ((rc = ask_platform(&x->children[i], op, err)) == 0 && (rc = look_if_plain(&x->children[i], err)) == 0)
            rc = check_double(x, i, err);
    return rc;
}

/* ---- the index's text ---- */

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
    static const char *const ours[] = { "schemaVersion", "mediaType", "manifests", "annotations" };

    for (const mlr_json *v = mlr_json_first(base); v != NULL; v = mlr_json_next(v)) {
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

/* ---- the entries come along ---- */

static bool is_here(const mlr_build *b, const struct child *c)
{
    return c->from->identity == b->to->identity && strcmp(c->repo, b->repo) == 0;
}

/* One that was there may have gone meanwhile; what the index that was begun with lacked is lacking still. */
static int check_here(mlr_build *b, const struct child *c, mlr_buf *absent, mlr_op *op, mlreg_error **err)
{
    mlr_ref r = { .repo = (char *)b->repo, .digest = c->entry.digest };
    mlr_manifest *m = NULL;
    int rc;

    if (b->index->base_absent != NULL && strstr(b->index->base_absent, c->entry.digest.text) != NULL)
        return mlr_buf_printf(absent, err, "%s%s", absent->len > 0 ? " " : "", c->entry.digest.text);
    if ((c->is_kept && b->to->far) || !mlr_manifest_type_known(c->entry.media_type))
        return 0;
    rc = mlr_place_manifest(b->to, &r, op, &m, err);
    mlr_manifest_free(m);
    return rc;
}

static int bring(mlr_build *b, const struct child *c, mlr_op *op, mlreg_error **err)
{
    const mlr_ref r = { .repo = c->repo, .digest = c->entry.digest }, as = { .repo = (char *)b->repo, .digest = c->entry.digest };
    const mlr_copy plain = { 0 };

    return mlr_copy_run(c->from, &r, b->to, &as, &plain, op, NULL, err);
}

/* A tag that names the index which becomes an entry under that very tag. */
static int check_itself(mlr_build *b, const struct child *c, const char *tag, mlr_op *op, mlreg_error **err)
{
    mlr_ref r = { .repo = (char *)b->repo, .tag = (char *)tag };
    mlr_descriptor now = { 0 };
    int rc = 0;

    if (tag == NULL || !is_here(b, c) || c->is_kept || !mlr_manifest_type_is_index(c->entry.media_type))
        return 0;
    if (mlr_place_resolve(b->to, &r, op, &now, NULL) == 0 && mlr_digest_equal(&now.digest, &c->entry.digest))
        rc = inside_itself(&now.digest, err);
    mlr_descriptor_done(&now);
    return rc;
}

int mlr_build_index_bring(mlr_build *b, const char *tag, mlr_manifest *m, mlr_op *op, mlreg_error **err)
{
    struct mlr_build_index *x = b->index;
    mlr_buf absent = MLR_BUF_INIT(MLR_MANIFEST_MAX_BYTES);
    int rc = 0;

    for (size_t i = 0; i < x->n && rc == 0; i++) {
        const struct child *c = &x->children[i];

        if ((rc = check_itself(b, c, tag, op, err)) == 0)
            rc = is_here(b, c) ? check_here(b, c, &absent, op, err) : bring(b, c, op, err);
        rc = mlr_error_subject(err, rc, c->entry.digest.text);
    }
    if (rc == 0)
        rc = mlr_manifest_set_absent(m, absent.data, err);
    mlr_buf_done(&absent);
    return rc;
}
