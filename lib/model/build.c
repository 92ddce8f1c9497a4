/* model/build.c - one manifest in the making: what is added to it before it is committed. */
#include "model/build_parts.h"

#include "base/alloc.h"
#include "base/error.h"
#include "model/tree.h"

#define MAX_LAYERS 65536

int mlr_build_new(mlr_place *to, int32_t kind, const char *artifact_type, mlr_build **out, mlreg_error **err)
{
    mlr_build *b;

    if (kind != MLREG_BUILD_ARTIFACT)
        return mlr_error_set(err, MLREG_EINVAL, "%d is no kind of manifest that can be built", (int)kind);
    if (to->read_only)
        return mlr_error_set(err, MLREG_EDENIED, "%s was opened for reading only", to->name);
    if ((b = mlr_alloc(sizeof *b)) == NULL)
        return mlr_error_nomem(err);
    b->to = to;
    if (artifact_type != NULL && (b->artifact_type = mlr_strdup(artifact_type)) == NULL) {
        mlr_free(b);
        return mlr_error_nomem(err);
    }
    *out = b;
    return 0;
}

int mlr_build_still_open(const mlr_build *b, mlreg_error **err)
{
    return b->committed ? mlr_error_set(err, MLREG_ESTATE, "the builder was committed already; make a new one") : 0;
}

int mlr_build_config(mlr_build *b, const char *media_type, const void *data, size_t len, mlreg_error **err)
{
    char *type, *copy;
    int rc = mlr_build_still_open(b, err);

    if (rc < 0)
        return rc;
    if (len > MLR_BUILD_CONFIG_MAX_BYTES)
        return mlr_error_set(err, MLREG_ELIMIT, "a config of %zu bytes is over %u", len, MLR_BUILD_CONFIG_MAX_BYTES);
    type = mlr_strdup(media_type);
    copy = mlr_strndup(data, len);
    if (type == NULL || copy == NULL) {
        mlr_free(type);
        mlr_free(copy);
        return mlr_error_nomem(err);
    }
    mlr_free(b->config_type);
    mlr_free(b->config);
    b->config_type = type;
    b->config = copy;
    b->config_bytes = len;
    return 0;
}

int mlr_build_subject(mlr_build *b, const char *digest, mlreg_error **err)
{
    int rc = mlr_build_still_open(b, err);

    return rc < 0 ? rc : mlr_digest_parse(digest, &b->subject, err);
}

int mlr_build_annotation(mlr_build *b, const char *key, const char *value, mlreg_error **err)
{
    int rc = mlr_build_still_open(b, err);

    if (rc < 0)
        return rc;
    if (key[0] == '\0')
        return mlr_error_set(err, MLREG_EINVAL, "an annotation needs a key");
    return mlr_descriptor_annotate(&b->notes, key, value, err);
}

/* ---- adding ---- */

static void layer_done(struct mlr_build_layer *l)
{
    if (l->path == NULL && l->source.release != NULL)
        l->source.release(l->source.user);
    mlr_free(l->path);
    mlr_free(l->title);
    mlr_free(l->media_type);
    mlr_facts_done(&l->facts);
    mlr_descriptor_done(&l->descriptor);
}

/* Takes `l` with all it holds, on failure too. */
static int add(mlr_build *b, struct mlr_build_layer l, mlreg_error **err)
{
    int rc = 0;

    if (l.title == NULL)
        rc = mlr_error_nomem(err);
    else if (b->n >= MAX_LAYERS)
        rc = mlr_error_set(err, MLREG_ELIMIT, "over %d layers in one manifest", MAX_LAYERS);
    else if (b->n == b->cap && mlr_grow(&b->layers, &b->cap, b->n, sizeof *b->layers) < 0)
        rc = mlr_error_nomem(err);
    else
        rc = mlr_titles_add(&b->titles, l.title, err);
    if (rc < 0) {
        layer_done(&l);
        return rc;
    }
    b->layers[b->n++] = l;
    return 0;
}

static int media_type_of(const mlreg_layer_options *o, char **out, mlreg_error **err)
{
    *out = NULL;
    if (o == NULL || o->media_type == NULL)
        return 0;
    *out = mlr_strdup(o->media_type);
    return *out == NULL ? mlr_error_nomem(err) : 0;
}

static int add_path(mlr_build *b, const mlreg_layer_options *o, const char *path, const char *title, mlreg_error **err)
{
    struct mlr_build_layer l = { .of = b };
    int rc = media_type_of(o, &l.media_type, err);

    if (rc < 0)
        return rc;
    if ((l.path = mlr_strdup(path)) == NULL) {
        mlr_free(l.media_type);
        return mlr_error_nomem(err);
    }
    l.title = mlr_strdup(title);
    return add(b, l, err);
}

int mlr_build_add_tree(mlr_build *b, const mlreg_layer_options *o, const char *dir, mlr_op *op, mlreg_error **err)
{
    mlr_tree t = { 0 };
    int rc = mlr_build_still_open(b, err);

    if (rc < 0 || (rc = mlr_tree_read(dir, o != NULL ? o->title : NULL, op, &t, err)) < 0)
        return mlr_error_subject(err, rc, dir);
    for (size_t i = 0; i < t.n && rc == 0; i++)
        rc = add_path(b, o, t.items[i].path, t.items[i].title, err);
    mlr_tree_done(&t);
    return rc;
}

int mlr_build_add_file(mlr_build *b, const mlreg_layer_options *o, const char *path, mlr_op *op, mlreg_error **err)
{
    const char *slash = strrchr(path, '/');
    mlr_reader *r = NULL;
    int rc = mlr_build_still_open(b, err);

    (void)op;
    if (rc < 0 || (rc = mlr_reader_open_file(path, &r, err)) < 0) /* said now, not at commit */
        return rc;
    mlr_reader_free(r);
    return add_path(b, o, path, o != NULL && o->title != NULL ? o->title : slash != NULL ? slash + 1 : path, err);
}

int mlr_build_add_source(mlr_build *b, const mlreg_layer_options *o, const mlreg_source *src, mlr_op *op, mlreg_error **err)
{
    struct mlr_build_layer l = { .of = b, .source = *src };
    int rc = mlr_build_still_open(b, err);

    (void)op;
    if (rc == 0 && (o == NULL || o->title == NULL))
        rc = mlr_error_set(err, MLREG_EINVAL, "bytes from a source need a title: the file they become");
    if (rc == 0)
        rc = media_type_of(o, &l.media_type, err);
    if (rc < 0) {
        layer_done(&l);
        return rc;
    }
    l.title = mlr_strdup(o->title);
    return add(b, l, err);
}

void mlr_build_free(mlr_build *b)
{
    if (b == NULL)
        return;
    for (size_t i = 0; i < b->n; i++)
        layer_done(&b->layers[i]);
    mlr_free(b->layers);
    mlr_titles_done(&b->titles);
    mlr_descriptor_done(&b->notes);
    mlr_free(b->artifact_type);
    mlr_free(b->config_type);
    mlr_free(b->config);
    mlr_free(b);
}
