/* api/builder.c - the builder handle: one manifest in the making. */
#include "api/door.h"

#include "base/alloc.h"
#include "base/error.h"

struct mlreg_builder {
    mlreg_session *session;
    mlr_build *build;
    mlreg_session **others; size_t n_others, cap_others;   /* kept open: bases and layers are in them */
};

int mlreg_builder_new(mlreg_session *to, int32_t kind, const char *artifact_type, mlreg_builder **out, mlreg_error **err)
{
    mlreg_builder *b;
    int rc;

    if ((rc = mlr_door_session(to, err)) < 0 || (rc = mlr_door_needs(out, "out", err)) < 0)
        return rc;
    if ((b = mlr_alloc(sizeof *b)) == NULL)
        return mlr_error_nomem(err);
    if ((rc = mlr_build_new(to->place, kind, artifact_type, &b->build, err)) < 0) {
        mlr_free(b);
        return rc;
    }
    b->session = mlr_session_ref(to);
    *out = b;
    return 0;
}

static int door(const mlreg_builder *b, const void *input, const char *what, mlreg_error **err)
{
    int rc = mlr_door_needs(b, "the builder", err);

    if (rc < 0 || (rc = mlr_door_session(b->session, err)) < 0)
        return rc;
    return mlr_door_needs(input, what, err);
}

int mlreg_builder_set_config(mlreg_builder *b, const char *media_type, const void *data, size_t len, mlreg_error **err)
{
    int rc;

    if ((rc = door(b, media_type, "media_type", err)) < 0 || (rc = mlr_door_needs(data, "data", err)) < 0)
        return rc;
    return mlr_build_config(b->build, media_type, data, len, err);
}

int mlreg_builder_set_subject(mlreg_builder *b, const char *digest, mlreg_error **err)
{
    int rc = door(b, digest, "digest", err);

    return rc < 0 ? rc : mlr_build_subject(b->build, digest, err);
}

int mlreg_builder_set_annotation(mlreg_builder *b, const char *key, const char *value, mlreg_error **err)
{
    int rc;

    if ((rc = door(b, key, "key", err)) < 0 || (rc = mlr_door_needs(value, "value", err)) < 0)
        return rc;
    return mlr_build_annotation(b->build, key, value, err);
}

/* ---- images ---- */

static int check_texts(const char *const *texts, size_t n, const char *what, mlreg_error **err)
{
    int rc = n > 0 ? mlr_door_needs(texts, what, err) : 0;

    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = mlr_door_needs(texts[i], what, err);
    return rc;
}

static int image_options(const mlreg_image_options *opts, mlreg_image_options *o, mlreg_error **err)
{
    int rc = mlr_door_options(o, sizeof *o, sizeof *o, 0, opts, "mlreg_image_options", err);

    if (rc < 0 || (rc = check_texts(o->env, o->n_env, "env", err)) < 0 || (rc = check_texts(o->labels, o->n_labels, "labels", err)) < 0 ||
        (rc = check_texts(o->ports, o->n_ports, "ports", err)) < 0 ||
        (rc = check_texts(o->entrypoint, o->n_entrypoint, "entrypoint", err)) < 0)
        return rc;
    return check_texts(o->cmd, o->n_cmd, "cmd", err);
}

int mlreg_builder_set_image(mlreg_builder *b, const mlreg_image_options *opts, mlreg_error **err)
{
    mlreg_image_options o;
    int rc;

    if ((rc = door(b, opts, "opts", err)) < 0 || (rc = image_options(opts, &o, err)) < 0)
        return rc;
    return mlr_build_set_image(b->build, &o, err);
}

/* What is taken from elsewhere is read at commit: until the builder goes, its place stays open. */
static int keep_open(mlreg_builder *b, mlreg_session *s, mlreg_error **err)
{
    for (size_t i = 0; i < b->n_others; i++)
        if (b->others[i] == s)
            return 0;
    if (mlr_grow(&b->others, &b->cap_others, b->n_others, sizeof *b->others) < 0)
        return mlr_error_nomem(err);
    b->others[b->n_others++] = mlr_session_ref(s);
    return 0;
}

int mlreg_builder_set_base(mlreg_builder *b, mlreg_artifact *base, mlreg_error **err)
{
    const char *config = "";
    size_t len = 0;
    int rc;

    if ((rc = door(b, base, "the base", err)) < 0 || (rc = mlr_door_session(base->session, err)) < 0 || (rc = keep_open(b, base->session, err)) < 0)
        return rc;
    if (base->manifest->config != NULL && (rc = mlreg_artifact_config(base, NULL, &config, &len, err)) < 0)
        return rc;
    return mlr_build_set_base(b->build, base->session->place, base->repo, base->manifest, config, len, err);
}

/* ---- layers ---- */

typedef int (*add_fn)(mlr_build *b, const mlreg_layer_options *o, const char *path, mlr_op *op, mlreg_error **err);

#define LAYER_FLAGS (MLREG_LAYER_TAR | MLREG_LAYER_GZIP | MLREG_LAYER_ZSTD | MLREG_LAYER_EACH)

static int layer_options(const mlreg_layer_options *opts, mlreg_layer_options *o, mlreg_error **err)
{
    return mlr_door_options(o, sizeof *o, sizeof *o, LAYER_FLAGS, opts, "mlreg_layer_options", err);
}

static int add_path(mlreg_builder *b, const mlreg_layer_options *opts, const char *path, add_fn add, mlreg_op *remote, mlreg_error **err)
{
    mlreg_layer_options o;
    mlr_op *op = NULL;
    int rc;

    if ((rc = door(b, path, "path", err)) < 0 || (rc = layer_options(opts, &o, err)) < 0 ||
        (rc = mlr_door_begin(remote, &op, err)) < 0)
        return rc;
    rc = add(b->build, &o, path, op, err);
    mlr_op_end(op);
    return rc;
}

int mlreg_builder_add_tree(mlreg_builder *b, const mlreg_layer_options *opts, const char *dir, mlreg_op *op, mlreg_error **err)
{
    return add_path(b, opts, dir, mlr_build_add_tree, op, err);
}

int mlreg_builder_add_layer_of(mlreg_builder *b, const mlreg_layer_options *opts, mlreg_artifact *from, size_t layer, mlreg_error **err)
{
    const char *config = NULL;
    mlreg_layer_options o;
    size_t len = 0;
    int rc;

    if ((rc = door(b, from, "from", err)) < 0 || (rc = layer_options(opts, &o, err)) < 0 || (rc = mlr_door_session(from->session, err)) < 0 ||
        (rc = keep_open(b, from->session, err)) < 0)
        return rc;
    if (from->manifest->config != NULL && (rc = mlreg_artifact_config(from, NULL, &config, &len, err)) < 0)
        return rc;
    return mlr_build_add_layer_of(b->build, &o, from->session->place, from->repo, from->manifest, layer, config, len, err);
}

int mlreg_builder_add_file(mlreg_builder *b, const mlreg_layer_options *opts, const char *path, mlreg_op *op, mlreg_error **err)
{
    return add_path(b, opts, path, mlr_build_add_file, op, err);
}

/* What can be released is known first, so that it is released whatever is wrong with the rest. */
static int read_source(const mlreg_source *src, mlreg_source *out, mlreg_error **err)
{
    int rc = mlr_door_options(out, sizeof *out, sizeof *out, 0, src, "mlreg_source", err);

    if (rc < 0 && src->size >= sizeof *src && src->size <= MLR_DOOR_LARGEST_BYTES)
        *out = (mlreg_source){ .user = src->user, .release = src->release };
    if (rc == 0 && out->read_at == NULL)
        rc = mlr_error_set(err, MLREG_EINVAL, "mlreg_source: read_at is NULL");
    return rc;
}

static int add_source(mlreg_builder *b, const mlreg_layer_options *opts, mlreg_source *source, mlreg_op *remote, mlreg_error **err)
{
    mlreg_layer_options o;
    mlr_op *op = NULL;
    int rc;

    if ((rc = door(b, source, "the source", err)) < 0 || (rc = layer_options(opts, &o, err)) < 0 ||
        (rc = mlr_door_begin(remote, &op, err)) < 0)
        return rc;
    rc = mlr_build_add_source(b->build, &o, source, op, err);
    source->release = NULL; /* the builder has it, or has called it */
    mlr_op_end(op);
    return rc;
}

int mlreg_builder_add_source(mlreg_builder *b, const mlreg_layer_options *opts, const mlreg_source *src, mlreg_op *remote, mlreg_error **err)
{
    mlreg_source source;
    int rc = mlr_door_needs(src, "the source", err);

    if (rc < 0)
        return rc;
    if ((rc = read_source(src, &source, err)) == 0)
        rc = add_source(b, opts, &source, remote, err);
    if (source.release != NULL)
        source.release(source.user);
    return rc;
}

/* ---- the end ---- */

static int read_options(const mlreg_commit_options *opts, mlreg_commit_options *o, mlr_tag_rule *rule, mlreg_error **err)
{
    int rc = mlr_door_options(o, sizeof *o, sizeof *o, MLREG_COPY_MOVE_TAG, opts, "mlreg_commit_options", err);

    if (rc == 0 && o->n_also > 0)
        rc = mlr_door_needs(o->also, "also", err);
    for (size_t i = 0; rc == 0 && i < o->n_also; i++)
        rc = mlr_door_needs(o->also[i], "also", err);
    return rc < 0 ? rc : mlr_door_tag_rule(o->flags, o->expect_digest, rule, err);
}

int mlreg_builder_commit(mlreg_builder *b, const char *ref, const mlreg_commit_options *opts, mlreg_op *remote, mlreg_artifact **out, mlreg_error **err)
{
    mlreg_commit_options o;
    mlr_tag_rule rule = { 0 };
    mlr_manifest *m = NULL;
    mlr_op *op = NULL;
    mlr_ref r = { 0 };
    int rc;

    if ((rc = door(b, ref, "ref", err)) < 0 || (rc = read_options(opts, &o, &rule, err)) < 0 || (rc = mlr_door_begin(remote, &op, err)) < 0)
        return rc;
    if ((rc = mlr_place_ref(b->session->place, ref, &r, err)) == 0)
        rc = mlr_build_commit(b->build, &r, &rule, o.also, o.n_also, op, out != NULL ? &m : NULL, err);
    if (rc == 0 && out != NULL && (rc = mlr_artifact_new(b->session, r.repo, m, out, err)) < 0)
        mlr_manifest_free(m);
    mlr_ref_done(&r);
    mlr_op_end(op);
    return mlr_error_subject(err, rc, ref);
}

void mlreg_builder_free(mlreg_builder *b)
{
    if (b == NULL)
        return;
    mlr_build_free(b->build);
    for (size_t i = 0; i < b->n_others; i++)
        mlreg_session_free(b->others[i]);
    mlr_free(b->others);
    mlreg_session_free(b->session);
    mlr_free(b);
}
