/* model/build_image.c - what goes into images: tars around what was added, a base, and layers that others have. */
#include "model/build_parts.h"

#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/text.h"
#include "model/modelpack.h"
#include "model/unpack.h"

bool mlr_build_wants_tar(const mlr_build *b, const mlreg_layer_options *o)
{
    return b->image != NULL || (o != NULL && (o->flags & (MLREG_LAYER_TAR | MLREG_LAYER_GZIP | MLREG_LAYER_ZSTD)) != 0);
}

/* ---- tars ---- */

char *mlr_build_path_inside(const char *path)
{
    const char *from = path + strspn(path, "/");
    size_t len = strlen(from);

    while (len > 0 && from[len - 1] == '/')
        len--;
    if (len == 1 && from[0] == '.')
        len = 0;
    return mlr_strndup(from, len);
}

static int make_relative(struct mlr_build_layer *l, mlreg_error **err)
{
    char *path = mlr_build_path_inside(l->title);

    if (path == NULL)
        return mlr_error_nomem(err);
    mlr_free(l->title);
    l->title = path;
    return 0;
}

static int tell_how(struct mlr_build_layer *l, mlreg_error **err)
{
    l->made_by = mlr_asprintf("mlreg add /%s", l->title);
    return l->made_by == NULL ? mlr_error_nomem(err) : 0;
}

static int begin(struct mlr_build_layer *l, mlreg_error **err)
{
    int rc;

    if ((rc = make_relative(l, err)) < 0 || (rc = tell_how(l, err)) < 0)
        return rc;
    return mlr_tarlayer_new(l->of->epoch_s, &l->tar, err);
}

int mlr_build_wrap_file(struct mlr_build_layer *l, mlreg_error **err)
{
    int rc;

    if ((rc = begin(l, err)) < 0 || (rc = mlr_tarlayer_add_file(l->tar, l->title, l->path, err)) < 0)
        return rc;
    return mlr_tarlayer_plan(l->tar, err);
}

int mlr_build_wrap_source(struct mlr_build_layer *l, mlreg_error **err)
{
    mlr_reader *r = NULL;
    int rc;

    if ((rc = begin(l, err)) < 0 || (rc = mlr_reader_from_source(&l->source, NULL, &r, err)) < 0 ||
        (rc = mlr_tarlayer_add_bytes(l->tar, l->title, r, err)) < 0)
        return rc;
    return mlr_tarlayer_plan(l->tar, err);
}

static int fill_tree(struct mlr_build_layer *l, const char *dir, mlr_op *op, mlreg_error **err)
{
    int rc;

    l->is_tree = true;
    if ((rc = begin(l, err)) < 0 || (rc = mlr_tarlayer_add_tree(l->tar, l->title, dir, op, err)) < 0)
        return rc;
    return mlr_tarlayer_plan(l->tar, err);
}

int mlr_build_wrap_tree(mlr_build *b, const mlreg_layer_options *o, const char *dir, mlr_op *op, mlreg_error **err)
{
    struct mlr_build_layer l = { 0 };
    int rc = mlr_build_begin_layer(b, o, &l, err);

    if (rc == 0 && (l.title = mlr_strdup(o != NULL && o->title != NULL ? o->title : "")) == NULL)
        rc = mlr_error_nomem(err);
    if (rc == 0 && (rc = fill_tree(&l, dir, op, err)) == 0)
        return mlr_build_add(b, l, err);
    mlr_build_layer_done(&l);
    return mlr_error_subject(err, rc, dir);
}

/* ---- what others have ---- */

int mlr_build_check_image(const mlr_build *b, mlreg_error **err)
{
    int rc = mlr_build_still_open(b, err);

    if (rc == 0 && b->image == NULL)
        rc = mlr_error_hint(err, mlr_error_set(err, MLREG_EINVAL, "this builder makes no image"), "begin it with MLREG_BUILD_IMAGE");
    return rc;
}

int mlr_build_set_image(mlr_build *b, const mlreg_image_options *o, mlreg_error **err)
{
    int rc = mlr_build_check_image(b, err);

    return rc < 0 ? rc : mlr_image_set(b->image, o, err);
}

int mlr_build_set_base(mlr_build *b, mlr_place *from, const char *repo, const mlr_manifest *m, const char *config, size_t len, mlreg_error **err)
{
    int rc = mlr_build_check_image(b, err);

    return rc < 0 ? rc : mlr_image_set_base(b->image, from, repo, m, config, len, err);
}

size_t mlr_build_n_base(const mlr_build *b)
{
    return b->image != NULL ? mlr_image_n_base(b->image) : 0;
}

/* A path of its own, or the one that the layer stands for where it was. */
static const char *title_for(const mlreg_layer_options *o, const mlr_descriptor *d)
{
    const char *path = mlr_descriptor_annotation(d, MLR_FILEPATH_KEY);

    if (o != NULL && o->title != NULL)
        return o->title;
    return path != NULL ? path : mlr_descriptor_title(d);
}

/* What is inside: of a plain tar that is the tar; of a packed one only an image's config says it. */
static int find_diff_id(struct mlr_build_layer *l, const mlr_manifest *m, size_t layer, const char *config, size_t len, mlreg_error **err)
{
    const mlr_descriptor *d = &m->layers[layer];
    int rc;

    if (mlr_text_has_extension(d->media_type, ".tar")) {
        l->diff_id = d->digest;
        return 0;
    }
    if (m->config != NULL && mlr_image_config_type(m->config->media_type))
        return mlr_image_diff_id(config, len, m->n_layers, layer, &l->diff_id, err);
    if (l->of->image == NULL)
        return 0;
    rc = mlr_error_set(err, MLREG_EINVAL, "the layer %s is packed, and nobody says what is inside", d->digest.text);
    return mlr_error_hint(err, rc, "check the artifact out and add its files");
}

/* "….layer.v1.tar+gzip" of an image, "….weight.v1.tar+gzip" of a model: the same bytes. NULL: out of memory. */
static char *type_for(const mlr_build *b, const mlr_descriptor *d)
{
    const char *tar = strstr(d->media_type, ".tar");

    if (b->image != NULL && mlr_image_layer_type(d->media_type) != NULL)
        return mlr_strdup(mlr_image_layer_type(d->media_type));
    if (b->image != NULL)
        return mlr_asprintf("application/vnd.oci.image.layer.v1%s", tar != NULL ? tar : "");
    if (b->artifact_type == NULL && mlr_image_layer_type(d->media_type) != NULL && tar != NULL)
        return mlr_asprintf("application/vnd.cncf.model.weight.v1%s", tar);
    return mlr_strdup(d->media_type);
}

static int reuse(struct mlr_build_layer *l, mlr_place *from, const char *repo, const mlr_descriptor *d, mlreg_error **err)
{
    if ((l->media_type == NULL && (l->media_type = type_for(l->of, d)) == NULL) || (l->reuse.repo = mlr_strdup(repo)) == NULL)
        return mlr_error_nomem(err);
    l->reuse.from = from;
    return mlr_descriptor_copy(d, &l->reuse.layer, err);
}

static int wrap(struct mlr_build_layer *l, mlr_place *from, const char *repo, const mlr_descriptor *d, mlreg_error **err)
{
    const mlr_blob b = { repo, d->digest, d->bytes, d->media_type };
    mlr_reader *r = NULL;
    unsigned mode;
    int rc;

    l->is_blob = true;
    if ((rc = begin(l, err)) < 0 || (rc = mlr_modelpack_mode(d, &mode, err)) < 0 || (rc = mlr_place_blob_later(from, &b, NULL, &r, err)) < 0 ||
        (rc = mlr_tarlayer_add_blob(l->tar, l->title, r, &d->digest, mode, err)) < 0)
        return rc;
    return mlr_tarlayer_plan(l->tar, err);
}

static int check_layer(const mlr_manifest *m, size_t layer, mlreg_error **err)
{
    if (layer < m->n_layers)
        return 0;
    return mlr_error_set(err, MLREG_EINVAL, "%s has no layer %zu; it has %zu", m->self.digest.text, layer, m->n_layers);
}

int mlr_build_add_layer_of(mlr_build *b, const mlreg_layer_options *o, mlr_place *from, const char *repo, const mlr_manifest *m, size_t layer,
        const char *config, size_t len, mlreg_error **err)
{
    struct mlr_build_layer l = { 0 };
    const mlr_descriptor *d;
    const char *title;
    int rc = mlr_build_takes_content(b, err);

    if (rc < 0 || (rc = check_layer(m, layer, err)) < 0 || (rc = mlr_build_begin_layer(b, o, &l, err)) < 0)
        return rc;
    d = &m->layers[layer];
    title = title_for(o, d);
    if ((l.title = mlr_strdup(title != NULL ? title : d->digest.text)) == NULL)
        rc = mlr_error_nomem(err);
    else if (!mlr_unpack_is_archive(d) && mlr_build_wants_tar(b, o))
        rc = wrap(&l, from, repo, d, err);
    else if ((rc = reuse(&l, from, repo, d, err)) == 0 && (rc = tell_how(&l, err)) == 0)
        rc = find_diff_id(&l, m, layer, config, len, err);
    if (rc == 0)
        return mlr_build_add(b, l, err);
    mlr_build_layer_done(&l);
    return rc;
}
