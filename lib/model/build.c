/* model/build.c - one manifest in the making: what is added to it before it is committed. */
#include "model/build_parts.h"

#include <string.h>
#include "base/alloc.h"
#include "base/epoch.h"
#include "base/error.h"
#include "codec/tarhead.h"
#include "model/tree.h"

#define LAYER_BYTES 330 /* that a layer takes in the manifest at least, but for its file's name, which is there twice */

static int keep_type(char **out, const char *type, const char *what, mlreg_error **err)
{
    int rc;

    if (type == NULL)
        return 0;
    if ((rc = mlr_descriptor_check_type(type, what, err)) < 0)
        return rc;
    return (*out = mlr_strdup(type)) == NULL ? mlr_error_nomem(err) : 0;
}

int mlr_build_new(mlr_place *to, int32_t kind, const char *artifact_type, mlr_build **out, mlreg_error **err)
{
    mlr_build *b;
    int rc;

    if (kind != MLREG_BUILD_ARTIFACT && kind != MLREG_BUILD_IMAGE && kind != MLREG_BUILD_INDEX)
        return mlr_error_set(err, MLREG_EINVAL, "%d is no kind of manifest that can be built", (int)kind);
    if ((rc = mlr_place_check_writable(to, err)) < 0)
        return rc;
    if ((b = mlr_alloc(sizeof *b)) == NULL)
        return mlr_error_nomem(err);
    b->to = to;
    b->kind = kind;
    if ((rc = keep_type(&b->artifact_type, artifact_type, "artifact type", err)) == 0)
        rc = mlr_epoch(MLR_TAR_MAX_TIME_S, &b->epoch_s, err);
    if (rc == 0 && kind == MLREG_BUILD_IMAGE)
        rc = mlr_image_new(&b->image, err);
    if (rc == 0 && kind == MLREG_BUILD_INDEX)
        rc = mlr_build_index_new(b, err);
    if (rc < 0)
        mlr_build_free(b);
    else
        *out = b;
    return rc;
}

int mlr_build_still_open(const mlr_build *b, mlreg_error **err)
{
    return b->committed ? mlr_error_set(err, MLREG_ESTATE, "the builder was committed already; make a new one") : 0;
}

/* An index has entries, and neither config nor layers. */
int mlr_build_takes_content(const mlr_build *b, mlreg_error **err)
{
    int rc = mlr_build_still_open(b, err);

    return rc == 0 && b->index != NULL ? mlr_error_set(err, MLREG_ESTATE, "an index holds no content of its own: build an artifact, and add that to it") : rc;
}

int mlr_build_config(mlr_build *b, const char *media_type, const void *data, size_t len, mlreg_error **err)
{
    char *type = NULL, *copy;
    int rc = mlr_build_takes_content(b, err);

    if (rc < 0)
        return rc;
    if (len > MLR_BUILD_CONFIG_MAX_BYTES)
        return mlr_error_set(err, MLREG_ELIMIT, "a config of %zu bytes is over %u", len, MLR_BUILD_CONFIG_MAX_BYTES);
    if ((rc = keep_type(&type, media_type, "media type", err)) < 0)
        return rc;
    if ((copy = mlr_strndup(data, len)) == NULL) {
        mlr_free(type);
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

/* Keys that differ by case only, or text that is no UTF-8: no strict reader would take the manifest. */
static int check_annotation(const mlr_descriptor *others, const char *key, const char *value, mlreg_error **err)
{
    mlr_buf text = MLR_BUF_INIT(MLR_MANIFEST_MAX_BYTES);
    mlr_json *parsed = NULL;
    mlr_json_out o;
    int rc;

    mlr_json_begin(&o, &text, err);
    mlr_json_open(&o, NULL, '{');
    for (size_t i = 0; i < others->n_annotations; i++)
        if (strcmp(others->annotations[i].key, key) != 0)
            mlr_json_put_string(&o, others->annotations[i].key, others->annotations[i].value);
    mlr_json_put_string(&o, key, value);
    mlr_json_close(&o, '}');
    if ((rc = mlr_json_end(&o)) == 0 && (rc = mlr_json_parse(text.data, text.len, "annotations", &parsed, NULL)) < 0)
        rc = rc == MLREG_ENOMEM ? mlr_error_nomem(err)
                                : mlr_error_set(err, MLREG_EINVAL, "annotation \"%s\" differs from another one by case only", key);
    mlr_json_free(parsed);
    mlr_buf_done(&text);
    return rc;
}

int mlr_build_annotation(mlr_build *b, const char *key, const char *value, mlreg_error **err)
{
    int rc = mlr_build_still_open(b, err);

    if (rc < 0)
        return rc;
    if (key[0] == '\0')
        return mlr_error_set(err, MLREG_EINVAL, "an annotation needs a key");
    if ((rc = check_annotation(&b->notes, key, value, err)) < 0)
        return rc;
    return mlr_descriptor_annotate(&b->notes, key, value, err);
}

/* ---- adding ---- */

static void release(struct mlr_build_layer *l)
{
    void (*fn)(void *user) = l->path == NULL ? l->source.release : NULL;

    l->source.release = NULL;
    if (fn != NULL)
        fn(l->source.user);
}

void mlr_build_release_sources(mlr_build *b)
{
    for (size_t i = 0; i < b->n; i++)
        release(&b->layers[i]);
}

void mlr_build_layer_done(struct mlr_build_layer *l)
{
    release(l);
    mlr_tarlayer_free(l->tar);
    mlr_pip_free(l->pip);
    mlr_reuse_done(&l->reuse);
    mlr_free(l->path);
    mlr_free(l->title);
    mlr_free(l->media_type);
    mlr_free(l->made_by);
    mlr_facts_done(&l->facts);
    mlr_descriptor_done(&l->descriptor);
}

static size_t json_bytes_of(const char *title)
{
    return LAYER_BYTES + 2 * strlen(title);
}

/* Said now, not when all the bytes are there and the manifest proves too long. */
static int check_room(const mlr_build *b, const char *title, mlreg_error **err)
{
    int rc;

    if (json_bytes_of(title) <= MLR_MANIFEST_MAX_BYTES - b->json_bytes)
        return 0;
    rc = mlr_error_set(err, MLREG_ELIMIT, "%zu files would make a manifest of over %u bytes, which nobody takes", b->n + 1, MLR_MANIFEST_MAX_BYTES);
    return mlr_error_hint(err, rc, "pack small files into one, or spread them over several artifacts");
}

int mlr_build_add(mlr_build *b, struct mlr_build_layer l, mlreg_error **err)
{
    int rc;

    l.of = b;
    if (l.title == NULL || mlr_grow(&b->layers, &b->cap, b->n, sizeof *b->layers) < 0)
        rc = mlr_error_nomem(err);
    else if ((rc = check_room(b, l.title, err)) == 0 && b->image == NULL)   /* an image's layers may lie over each other */
        rc = mlr_titles_add(&b->titles, l.title, err);
    if (rc < 0) {
        mlr_build_layer_done(&l);
        return rc;
    }
    b->json_bytes += json_bytes_of(l.title);
    b->layers[b->n++] = l;
    return 0;
}

int mlr_build_begin_layer(mlr_build *b, const mlreg_layer_options *o, struct mlr_build_layer *l, mlreg_error **err)
{
    const uint32_t both = MLREG_LAYER_GZIP | MLREG_LAYER_ZSTD, flags = o != NULL ? o->flags : 0;

    l->of = b;
    if ((flags & both) == both)
        return mlr_error_set(err, MLREG_EINVAL, "a layer is packed by gzip or by zstd, not by both");
    l->pack = (flags & MLREG_LAYER_GZIP) != 0 ? MLR_PACK_GZIP : (flags & MLREG_LAYER_ZSTD) != 0 ? MLR_PACK_ZSTD : MLR_PACK_NONE;
    return keep_type(&l->media_type, o != NULL ? o->media_type : NULL, "media type", err);
}

static int add_path(mlr_build *b, const mlreg_layer_options *o, const char *path, const char *title, mlreg_error **err)
{
    struct mlr_build_layer l = { 0 };
    int rc = mlr_build_begin_layer(b, o, &l, err);

    if (rc == 0 && ((l.path = mlr_strdup(path)) == NULL || (l.title = mlr_strdup(title)) == NULL))
        rc = mlr_error_nomem(err);
    if (rc == 0 && mlr_build_wants_tar(b, o))
        rc = mlr_build_wrap_file(&l, err);
    if (rc == 0)
        return mlr_build_add(b, l, err);
    mlr_build_layer_done(&l);
    return rc;
}

/* What a failed add had added so far. */
static void take_back(mlr_build *b, size_t n, size_t json_bytes)
{
    while (b->n > n)
        mlr_build_layer_done(&b->layers[--b->n]);
    mlr_titles_cut(&b->titles, n);
    b->json_bytes = json_bytes;
}

static int add_each(mlr_build *b, const mlreg_layer_options *o, const char *prefix, const char *dir, mlr_op *op, mlreg_error **err)
{
    mlr_tree t = { 0 };
    size_t n = b->n, json_bytes = b->json_bytes;
    int rc = mlr_tree_read(dir, prefix, op, &t, err);

    if (rc < 0)
        return mlr_error_subject(err, rc, dir);
    if (b->image != NULL)            /* whoever has the layers before a change need not get them again */
        rc = mlr_tree_by_kind(&t, op, err);
    for (size_t i = 0; i < t.n && rc == 0; i++)
        rc = add_path(b, o, t.items[i].path, t.items[i].title, err);
    if (rc < 0)
        take_back(b, n, json_bytes);
    mlr_tree_done(&t);
    return rc;
}

int mlr_build_add_tree(mlr_build *b, const mlreg_layer_options *o, const char *dir, mlr_op *op, mlreg_error **err)
{
    const char *title = o != NULL ? o->title : NULL;
    char *inside;
    int rc = mlr_build_takes_content(b, err);

    if (rc < 0)
        return rc;
    if (b->image == NULL)
        return add_each(b, o, title, dir, op, err);
    if (o == NULL || (o->flags & MLREG_LAYER_EACH) == 0)
        return mlr_build_wrap_tree(b, o, dir, op, err);
    if ((inside = mlr_build_path_inside(title != NULL ? title : "")) == NULL)
        return mlr_error_nomem(err);
    rc = add_each(b, o, inside, dir, op, err);
    mlr_free(inside);
    return rc;
}

int mlr_build_add_file(mlr_build *b, const mlreg_layer_options *o, const char *path, mlr_op *op, mlreg_error **err)
{
    const char *slash = strrchr(path, '/');
    mlr_reader *r = NULL;
    int rc = mlr_build_takes_content(b, err);

    (void)op;
    if (rc < 0 || (rc = mlr_reader_open_file(path, &r, err)) < 0) /* said now, not at commit */
        return rc;
    mlr_reader_free(r);
    return add_path(b, o, path, o != NULL && o->title != NULL ? o->title : slash != NULL ? slash + 1 : path, err);
}

int mlr_build_add_source(mlr_build *b, const mlreg_layer_options *o, const mlreg_source *src, mlr_op *op, mlreg_error **err)
{
    struct mlr_build_layer l = { .of = b, .source = *src };
    int rc = mlr_build_takes_content(b, err);

    (void)op;
    if (rc == 0 && (o == NULL || o->title == NULL))
        rc = mlr_error_set(err, MLREG_EINVAL, "bytes from a source need a title: the file they become");
    if (rc == 0 && (rc = mlr_build_begin_layer(b, o, &l, err)) == 0 && (l.title = mlr_strdup(o->title)) == NULL)
        rc = mlr_error_nomem(err);
    if (rc == 0 && mlr_build_wants_tar(b, o))
        rc = mlr_build_wrap_source(&l, err);
    if (rc == 0)
        return mlr_build_add(b, l, err);
    mlr_build_layer_done(&l);
    return rc;
}

void mlr_build_free(mlr_build *b)
{
    if (b == NULL)
        return;
    for (size_t i = 0; i < b->n; i++)
        mlr_build_layer_done(&b->layers[i]);
    mlr_free(b->layers);
    mlr_build_index_free(b->index);
    mlr_below_free(b->below);
    mlr_titles_done(&b->titles);
    mlr_descriptor_done(&b->notes);
    mlr_image_free(b->image);
    mlr_free(b->artifact_type);
    mlr_free(b->config_type);
    mlr_free(b->config);
    mlr_free(b);
}
