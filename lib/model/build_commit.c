/* model/build_commit.c - a builder's bytes where they go: layers side by side, then config, manifest and tags. */
#include "model/build_parts.h"

#include <sys/stat.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/work.h"
#include "model/counted.h"
#include "model/kinds.h"
#include "model/modelpack.h"

#define HEAD_BYTES 512

/* ---- commit: the layers ---- */

static int open_layer(struct mlr_build_layer *l, mlr_op *op, mlr_reader **out, bool *executable, mlreg_error **err)
{
    struct stat st;
    int rc;

    *executable = false;
    if (l->path == NULL)
        return mlr_reader_from_source(&l->source, op, out, err);
    if ((rc = mlr_reader_open_file(l->path, out, err)) == 0)
        *executable = (*out)->fd >= 0 && fstat((*out)->fd, &st) == 0 && (st.st_mode & S_IXUSR) != 0;
    return rc;
}

static int look(struct mlr_build_layer *l, mlr_reader *r, mlr_op *op, mlreg_error **err)
{
    uint8_t head[HEAD_BYTES];
    int64_t n = mlr_reader_read_at(r, 0, head, sizeof head, op, err);

    if (n < 0)
        return (int)n;
    if (l->media_type == NULL &&
        (l->media_type = mlr_strdup(mlr_kind_media_type(mlr_kind_of(l->title, head, (size_t)n, r->bytes)))) == NULL)
        return mlr_error_nomem(err);
    return l->of->artifact_type != NULL || l->of->config != NULL ? 0 : mlr_facts_read(l->title, r, op, &l->facts, err);
}

static int move(struct mlr_build_layer *l, mlr_reader *inner, mlr_digest *digest, mlr_op *op, mlreg_error **err)
{
    mlr_reader *r = NULL;
    int rc = mlr_counted_new(inner, &r, err);

    if (rc < 0) {
        mlr_reader_free(inner);
        return rc;
    }
    if ((rc = mlr_place_blob_take(l->of->to, l->of->repo, r, op, digest, err)) == 0)
        mlr_counted_rest(r, op);
    mlr_reader_free(r);
    return rc;
}

static int write_layer(void *arg, mlr_op *op, mlreg_error **err)
{
    struct mlr_build_layer *l = arg;
    mlr_reader *r = NULL;
    mlr_digest digest;
    bool executable;
    uint64_t bytes;
    int rc = mlr_op_check(op, err);

    if (rc < 0 || (rc = open_layer(l, op, &r, &executable, err)) < 0)
        goto out;
    bytes = r->bytes;
    mlr_op_count(op, MLR_N_BYTES_TOTAL, (int64_t)bytes);
    if ((rc = look(l, r, op, err)) < 0) {
        mlr_reader_free(r);
        goto out;
    }
    if ((rc = move(l, r, &digest, op, err)) < 0 ||
        (rc = mlr_descriptor_make(l->media_type, &digest, bytes, &l->descriptor, err)) < 0)
        goto out;
    rc = mlr_modelpack_annotate(&l->descriptor, l->title, executable, err);
    mlr_op_count(op, MLR_N_BLOBS_DONE, 1);
out:
    return mlr_error_subject(err, rc, l->path != NULL ? l->path : l->title);
}

static int write_layers(mlr_build *b, mlr_op *op, mlreg_error **err)
{
    mlr_group *g = NULL;
    int rc = mlr_group_new(b->to->rt, op, mlr_runtime_limits(b->to->rt)->threads, &g, err);

    mlr_op_count(op, MLR_N_BLOBS_TOTAL, (int64_t)b->n);
    for (size_t i = 0; i < b->n && rc == 0; i++)
        rc = mlr_group_add(g, write_layer, &b->layers[i], err);
    if (rc == 0)
        rc = mlr_group_wait(g, err);
    mlr_group_free(g);
    return rc;
}

/* ---- commit: config and manifest ---- */

static int make_config(mlr_build *b, mlr_buf *out, mlreg_error **err)
{
    mlr_facts all = { 0 };
    mlr_descriptor *layers;
    int rc = 0;

    if ((layers = mlr_alloc_array(b->n, sizeof *layers)) == NULL)
        return mlr_error_nomem(err);
    for (size_t i = 0; i < b->n && rc == 0; i++) {
        layers[i] = b->layers[i].descriptor; /* borrowed */
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
    return b->n > 0 ? 0 : write_small(b, MLR_TYPE_EMPTY, "{}", 2, op, out, err);
}

static int find_subject(mlr_build *b, mlr_op *op, mlr_descriptor *out, mlreg_error **err)
{
    mlr_ref r = { .repo = (char *)b->repo, .digest = b->subject };

    if (b->subject.text[0] == '\0')
        return 0;
    return mlr_error_subject(err, mlr_place_resolve(b->to, &r, op, out, err), b->subject.text);
}

static void put_annotations(mlr_json_out *o, const mlr_descriptor *notes)
{
    if (notes->n_annotations == 0)
        return;
    mlr_json_open(o, "annotations", '{');
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
    mlr_json_put_string(&o, "artifactType", b->artifact_type != NULL ? b->artifact_type : MLR_MODELPACK_ARTIFACT);
    mlr_descriptor_put(&o, "config", config);
    mlr_json_open(&o, "layers", '[');
    for (size_t i = 0; i < b->n; i++)
        mlr_descriptor_put(&o, NULL, &b->layers[i].descriptor);
    if (b->n == 0)
        mlr_descriptor_put(&o, NULL, empty);
    mlr_json_close(&o, ']');
    if (subject->media_type != NULL)
        mlr_descriptor_put(&o, "subject", subject);
    put_annotations(&o, &b->notes);
    mlr_json_close(&o, '}');
    return mlr_json_end(&o);
}

static int make_manifest(mlr_build *b, mlr_op *op, mlr_manifest **out, mlreg_error **err)
{
    mlr_buf json = MLR_BUF_INIT(MLR_MANIFEST_MAX_BYTES);
    mlr_descriptor config = { 0 }, empty = { 0 }, subject = { 0 };
    int rc;

    if ((rc = find_subject(b, op, &subject, err)) == 0 && (rc = write_config(b, op, &config, err)) == 0 &&
        (rc = write_empty(b, op, &empty, err)) == 0 && (rc = put_manifest(b, &config, &empty, &subject, &json, err)) == 0)
        rc = mlr_manifest_parse(json.data, json.len, MLR_TYPE_MANIFEST, out, err);
    mlr_descriptor_done(&config);
    mlr_descriptor_done(&empty);
    mlr_descriptor_done(&subject);
    mlr_buf_done(&json);
    return rc;
}

static int write_tags(mlr_build *b, const mlr_ref *ref, const mlr_tag_rule *rule, const char *const *also, size_t n_also,
        const mlr_manifest *m, mlr_op *op, mlreg_error **err)
{
    mlr_ref r = { .repo = ref->repo, .tag = ref->tag, .digest = m->self.digest };
    int rc = mlr_place_manifest_write(b->to, &r, rule, m, op, err);

    for (size_t i = 0; i < n_also && rc == 0; i++) {
        r.tag = (char *)also[i];
        if ((rc = mlr_ref_check_tag(also[i], err)) == 0)
            rc = mlr_place_manifest_write(b->to, &r, rule, m, op, err);
    }
    return rc;
}

int mlr_build_commit(mlr_build *b, const mlr_ref *ref, const mlr_tag_rule *rule, const char *const *also, size_t n_also,
        mlr_op *op, mlr_manifest **out, mlreg_error **err)
{
    mlr_manifest *m = NULL;
    int rc = mlr_build_still_open(b, err);

    if (rc < 0)
        return rc;
    if (b->n == 0 && b->config == NULL)
        return mlr_error_set(err, MLREG_EINVAL, "nothing to build: no layer was added and no config set");
    if (ref->digest.text[0] != '\0')
        return mlr_error_set(err, MLREG_EINVAL, "the digest of what is built cannot be chosen; name a tag");
    for (size_t i = 0; i < n_also; i++)
        if ((rc = mlr_ref_check_tag(also[i], err)) < 0)
            return rc;
    if ((rc = mlr_titles_check(&b->titles, err)) < 0)
        return rc;
    b->committed = true;
    b->repo = ref->repo;
    if ((rc = write_layers(b, op, err)) == 0 && (rc = make_manifest(b, op, &m, err)) == 0)
        rc = write_tags(b, ref, rule, also, n_also, m, op, err);
    if (rc == 0 && out != NULL)
        *out = m;
    else
        mlr_manifest_free(m);
    return rc;
}
