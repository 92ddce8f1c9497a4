/* model/build_commit.c - what becomes of a builder: layers, then config and manifest, then the tags. */
#include "model/build_parts.h"

#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "model/modelpack.h"
#include "model/tagrule.h"

#define BASE_DIGEST_KEY "org.opencontainers.image.base.digest"

/* ---- config and manifest ---- */

static int make_image_config(mlr_build *b, mlr_buf *out, mlreg_error **err)
{
    mlr_image_layer *layers = mlr_alloc_array(b->n, sizeof *layers);
    int rc;

    if (layers == NULL)
        return mlr_error_nomem(err);
    for (size_t i = 0; i < b->n; i++)
        layers[i] = (mlr_image_layer){ &b->layers[i].diff_id, b->layers[i].made_by };
    rc = mlr_image_config(b->image, layers, b->n, b->epoch_s, out, err);
    mlr_free(layers);
    return rc;
}

static int make_config(mlr_build *b, mlr_buf *out, mlreg_error **err)
{
    mlr_facts all = { 0 };
    mlr_descriptor *layers;
    int rc = 0;

    if ((layers = mlr_alloc_array(b->n, sizeof *layers)) == NULL)
        return mlr_error_nomem(err);
    for (size_t i = 0; i < b->n && rc == 0; i++) {
        layers[i] = b->layers[i].descriptor; /* borrowed */
        if (b->layers[i].diff_id.text[0] != '\0')
            layers[i].digest = b->layers[i].diff_id;
        rc = mlr_facts_merge(&all, &b->layers[i].facts, err);
    }
    if (rc == 0)
        rc = mlr_modelpack_config(&all, layers, b->n, out, err);
    mlr_facts_done(&all);
    mlr_free(layers);
    return rc;
}

/* The config's bytes and type: given, made, or for other artifacts OCI's empty one. */
static int choose_config(mlr_build *b, mlr_buf *bytes, const char **type, mlreg_error **err)
{
    if (b->config != NULL) {
        *type = b->config_type;
        return mlr_buf_add(bytes, b->config, b->config_bytes, err);
    }
    if (b->image != NULL) {
        *type = MLR_TYPE_IMAGE_CONFIG;
        return make_image_config(b, bytes, err);
    }
    if (b->artifact_type != NULL) {
        *type = MLR_TYPE_EMPTY;
        return mlr_buf_puts(bytes, "{}", err);
    }
    *type = MLR_MODELPACK_CONFIG;
    return make_config(b, bytes, err);
}

static int write_small(mlr_build *b, const char *type, const void *bytes, size_t len, mlr_op *op, mlr_descriptor *out, mlreg_error **err)
{
    mlr_blob blob = { .repo = b->repo, .bytes = len, .media_type = type };
    mlr_reader *r = NULL;
    int rc;

    mlr_digest_of(bytes, len, &blob.digest);
    mlr_op_count(op, MLR_N_BYTES_TOTAL, (int64_t)len);
    if ((rc = mlr_reader_from_memory(bytes, len, "the config", &r, err)) == 0 &&
        (rc = mlr_place_blob_write(b->to, &blob, r, op, err)) == 0) {
        mlr_op_count(op, MLR_N_BYTES_DONE, (int64_t)len);
        rc = mlr_descriptor_make(type, &blob.digest, len, out, err);
    }
    mlr_reader_free(r);
    return rc;
}

static int write_config(mlr_build *b, mlr_op *op, mlr_descriptor *out, mlreg_error **err)
{
    mlr_buf bytes = MLR_BUF_INIT(MLR_BUILD_CONFIG_MAX_BYTES);
    const char *type;
    int rc = choose_config(b, &bytes, &type, err);

    if (rc == 0)
        rc = write_small(b, type, bytes.data, bytes.len, op, out, err);
    mlr_buf_done(&bytes);
    return rc;
}

/* OCI wants one layer at least: for an artifact without content its empty one. */
static int write_empty(mlr_build *b, mlr_op *op, mlr_descriptor *out, mlreg_error **err)
{
    return b->n + mlr_build_n_base(b) > 0 ? 0 : write_small(b, MLR_TYPE_EMPTY, "{}", 2, op, out, err);
}

/* What the place says of it besides (a tag, annotations) is not the subject's own and would make the digest depend on where it is built. */
static int find_subject(mlr_build *b, mlr_op *op, mlr_descriptor *out, mlreg_error **err)
{
    mlr_ref r = { .repo = (char *)b->repo, .digest = b->subject };
    mlr_descriptor found = { 0 };
    int rc;

    if (b->subject.text[0] == '\0')
        return 0;
    if ((rc = mlr_place_resolve(b->to, &r, op, &found, err)) == 0)
        rc = mlr_descriptor_make(found.media_type, &found.digest, found.bytes, out, err);
    mlr_descriptor_done(&found);
    return mlr_error_subject(err, rc, b->subject.text);
}

/* Which base it is made on, as OCI's own annotation says it; not where that was, for the digest shall not depend on it. */
void mlr_build_put_annotations(mlr_json_out *o, const mlr_build *b)
{
    const mlr_digest *base = b->image != NULL ? mlr_image_base_digest(b->image) : NULL;
    const mlr_descriptor *notes = &b->notes;

    if (notes->n_annotations == 0 && base == NULL)
        return;
    mlr_json_open(o, "annotations", '{');
    if (base != NULL && mlr_descriptor_annotation(notes, BASE_DIGEST_KEY) == NULL)
        mlr_json_put_string(o, BASE_DIGEST_KEY, base->text);
    for (size_t i = 0; i < notes->n_annotations; i++)
        mlr_json_put_string(o, notes->annotations[i].key, notes->annotations[i].value);
    mlr_json_close(o, '}');
}

static int put_manifest(const mlr_build *b, const mlr_descriptor *config, const mlr_descriptor *empty, const mlr_descriptor *subject, mlr_buf *out, mlreg_error **err)
{
    mlr_json_out o;

    mlr_json_begin(&o, out, err);
    mlr_json_open(&o, NULL, '{');
    mlr_json_put_u64(&o, "schemaVersion", 2);
    mlr_json_put_string(&o, "mediaType", MLR_TYPE_MANIFEST);
    mlr_json_put_string(&o, "artifactType", b->artifact_type != NULL || b->image != NULL ? b->artifact_type : MLR_MODELPACK_ARTIFACT);
    mlr_descriptor_put(&o, "config", config);
    mlr_json_open(&o, "layers", '[');
    for (size_t i = 0; i < mlr_build_n_base(b); i++)
        mlr_descriptor_put(&o, NULL, &mlr_image_base_layer(b->image, i)->layer);
    for (size_t i = 0; i < b->n; i++)
        mlr_descriptor_put(&o, NULL, &b->layers[i].descriptor);
    if (b->n + mlr_build_n_base(b) == 0)
        mlr_descriptor_put(&o, NULL, empty);
    mlr_json_close(&o, ']');
    if (subject->media_type != NULL)
        mlr_descriptor_put(&o, "subject", subject);
    mlr_build_put_annotations(&o, b);
    mlr_json_close(&o, '}');
    return mlr_json_end(&o);
}

static int make_manifest(mlr_build *b, const mlr_descriptor *subject, mlr_op *op, mlr_manifest **out, mlreg_error **err)
{
    mlr_buf json = MLR_BUF_INIT(MLR_MANIFEST_MAX_BYTES);
    mlr_descriptor config = { 0 }, empty = { 0 };
    int rc;

    if ((rc = write_config(b, op, &config, err)) == 0 && (rc = write_empty(b, op, &empty, err)) == 0 &&
        (rc = put_manifest(b, &config, &empty, subject, &json, err)) == 0)
        rc = mlr_manifest_parse(json.data, json.len, MLR_TYPE_MANIFEST, out, err);
    mlr_descriptor_done(&config);
    mlr_descriptor_done(&empty);
    mlr_buf_done(&json);
    return rc;
}

static int make_index(mlr_build *b, const mlr_descriptor *subject, mlr_manifest **out, mlreg_error **err)
{
    mlr_buf json = MLR_BUF_INIT(MLR_MANIFEST_MAX_BYTES);
    int rc = mlr_build_index_put(b, subject, &json, err);

    if (rc == 0)
        rc = mlr_manifest_parse(json.data, json.len, MLR_TYPE_INDEX, out, err);
    mlr_buf_done(&json);
    return rc;
}

/* ---- tags, and all together ---- */

struct tags { const mlr_ref *ref; mlr_tag_rule first, others; const char *const *also; size_t n_also; };

/* Before the first of them is put: none shall be, if one of them may not. */
static int check_tags(mlr_build *b, const struct tags *t, const mlr_digest *wanted, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_tagrule_check(b->to, b->repo, t->ref->tag, &t->first, wanted, op, err);

    for (size_t i = 0; i < t->n_also && rc == 0; i++)
        rc = mlr_tagrule_check(b->to, b->repo, t->also[i], &t->others, wanted, op, err);
    return rc;
}

static int write_tags(mlr_build *b, const struct tags *t, const mlr_manifest *m, mlr_op *op, mlreg_error **err)
{
    mlr_ref r = { .repo = t->ref->repo, .tag = t->ref->tag, .digest = m->self.digest };
    int rc = mlr_place_manifest_write(b->to, &r, &t->first, m, op, err);

    for (size_t i = 0; i < t->n_also && rc == 0; i++) {
        r.tag = (char *)t->also[i];
        rc = mlr_place_manifest_write(b->to, &r, &t->others, m, op, err);
    }
    return rc;
}

/* Everything that can be known before the first byte is read. */
static int check(mlr_build *b, const struct tags *t, mlreg_error **err)
{
    int rc = mlr_build_still_open(b, err);

    if (rc < 0)
        return rc;
    if (b->index != NULL && mlr_build_index_count(b->index) == 0)
        return mlr_error_set(err, MLREG_EINVAL, "nothing to build: the index has no entry");
    if (b->index == NULL && b->n + mlr_build_n_base(b) == 0 && b->config == NULL)
        return mlr_error_set(err, MLREG_EINVAL, "nothing to build: no layer was added and no config set");
    if (b->image != NULL && (rc = mlr_image_check(b->image, err)) < 0)
        return rc;
    if (t->ref->digest.text[0] != '\0')
        return mlr_error_set(err, MLREG_EINVAL, "the digest of what is built cannot be chosen; name a tag");
    for (size_t i = 0; i < t->n_also; i++)
        if ((rc = mlr_ref_check_tag(t->also[i], err)) < 0)
            return rc;
    return mlr_titles_check(&b->titles, err);
}

/* The blobs and the text of what is built, or of an index the text alone: it is known before its entries are brought. */
static int make(mlr_build *b, const mlr_descriptor *subject, mlr_op *op, mlr_manifest **out, mlreg_error **err)
{
    int rc;

    if (b->index != NULL)
        return (rc = mlr_build_index_prepare(b, op, err)) < 0 ? rc : make_index(b, subject, out, err);
    if ((rc = mlr_build_check_base(b, op, err)) < 0)
        return rc;
    return (rc = mlr_build_write_layers(b, op, err)) < 0 ? rc : make_manifest(b, subject, op, out, err);
}

static int run(mlr_build *b, const struct tags *t, mlr_op *op, mlr_manifest **out, mlreg_error **err)
{
    mlr_descriptor subject = { 0 };
    mlr_manifest *m = NULL;
    int rc;

    b->committed = true;
    b->repo = t->ref->repo;
    if ((rc = find_subject(b, op, &subject, err)) == 0 && (rc = make(b, &subject, op, &m, err)) == 0 &&
        (rc = check_tags(b, t, &m->self.digest, op, err)) == 0 &&
        (b->index == NULL || (rc = mlr_build_index_bring(b, t->ref->tag, m, op, err)) == 0))
        rc = write_tags(b, t, m, op, err);
    if (rc == 0)
        *out = m;
    else
        mlr_manifest_free(m);
    mlr_descriptor_done(&subject);
    b->repo = NULL;
    return rc;
}

int mlr_build_commit(mlr_build *b, const mlr_ref *ref, const mlr_tag_rule *rule, const char *const *also, size_t n_also,
        mlr_op *op, mlr_manifest **out, mlreg_error **err)
{
    struct tags t = { ref, *rule, { rule->move, { "" } }, also, n_also };
    mlr_manifest *m = NULL;
    int rc;

    if ((rc = check(b, &t, err)) < 0)
        return rc;
    rc = run(b, &t, op, &m, err);
    mlr_build_release_sources(b);
    if (rc == 0 && out != NULL)
        *out = m;
    else
        mlr_manifest_free(m);
    return rc;
}
