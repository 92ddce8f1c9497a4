/* model/image_base.c - the image that another is made on: what is taken over from it, and what is not believed. */
#include "model/image_parts.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"

#define REBUILD "whoever built the image must build it again"

/* ---- types ---- */

static const struct { const char *type, *as; } types[] = {
    { MLR_TYPE_LAYER_TAR, MLR_TYPE_LAYER_TAR },
    { MLR_TYPE_LAYER_TAR "+gzip", MLR_TYPE_LAYER_TAR "+gzip" },
    { MLR_TYPE_LAYER_TAR "+zstd", MLR_TYPE_LAYER_TAR "+zstd" },
    { "application/vnd.docker.image.rootfs.diff.tar", MLR_TYPE_LAYER_TAR },
    { "application/vnd.docker.image.rootfs.diff.tar.gzip", MLR_TYPE_LAYER_TAR "+gzip" },
    { "application/vnd.docker.image.rootfs.diff.tar.zstd", MLR_TYPE_LAYER_TAR "+zstd" },
    { "application/vnd.oci.image.layer.nondistributable.v1.tar", "application/vnd.oci.image.layer.nondistributable.v1.tar" },
    { "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip" },
    { "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd" },
    { "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip" },
};

const char *mlr_image_layer_type(const char *media_type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].type, media_type) == 0)
            return types[i].as;
    return NULL;
}

bool mlr_image_config_type(const char *media_type)
{
    return strcmp(media_type, MLR_TYPE_IMAGE_CONFIG) == 0 || strcmp(media_type, MLR_TYPE_DOCKER_IMAGE_CONFIG) == 0;
}

/* ---- its config ---- */

static int lies(mlreg_error **err, const char *how)
{
    int rc = mlr_error_set(err, MLREG_EPROTO, "the image's config lies about its layers: %s", how);

    return mlr_error_hint(err, rc, REBUILD);
}

/* rootfs.diff_ids: one sound digest for each layer. */
static int check_diff_ids(const mlr_json *config, size_t n_layers, mlreg_error **err)
{
    const mlr_json *ids = mlr_json_get(mlr_json_get(config, "rootfs"), "diff_ids"), *id;
    mlr_digest d;
    char how[96];

    if (mlr_json_count(ids) != n_layers) {
        snprintf(how, sizeof how, "it names %zu of them, the manifest %zu", mlr_json_count(ids), n_layers);
        return lies(err, how);
    }
    for (id = mlr_json_first(ids); id != NULL; id = mlr_json_next(id))
        if (mlr_json_string(id) == NULL || mlr_digest_parse(mlr_json_string(id), &d, NULL) < 0)
            return lies(err, "one of its diff_ids is no digest");
    return 0;
}

/* What is walked member by member must have members. */
static int check_shape(const mlr_json *config, mlreg_error **err)
{
    const mlr_json *run = mlr_json_get(config, "config");
    const struct { const char *name; const mlr_json *value; } objects[] = {
        { "config", run }, { "config.Labels", mlr_json_get(run, "Labels") }, { "config.ExposedPorts", mlr_json_get(run, "ExposedPorts") },
    };

    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
        const mlr_json_type type = mlr_json_type_of(objects[i].value);
        int rc;

        if (type == MLR_JSON_MISSING || type == MLR_JSON_NULL || type == MLR_JSON_OBJECT)
            continue;
        rc = mlr_error_set(err, MLREG_EPROTO, "the image's config is malformed: \"%s\" is no object", objects[i].name);
        return mlr_error_hint(err, rc, REBUILD);
    }
    return 0;
}

static int read_config(const char *text, size_t len, size_t n_layers, mlr_json **out, mlreg_error **err)
{
    mlr_json *j = NULL;
    const mlr_json_rules rules = { .case_matters = true };   /* labels and volumes are names of their own */
    int rc = mlr_json_parse_as(&rules, text, len, "the image's config", &j, err);

    if (rc == 0 && (mlr_json_string(mlr_json_get(j, "os")) == NULL || mlr_json_string(mlr_json_get(j, "architecture")) == NULL))
        rc = mlr_error_set(err, MLREG_EPROTO, "the image's config does not say for which os and architecture it is");
    if (rc == 0 && (rc = check_shape(j, err)) == 0)
        rc = check_diff_ids(j, n_layers, err);
    if (rc == 0)
        *out = j;
    else
        mlr_json_free(j);
    return rc;
}

int mlr_image_diff_ids(const char *config, size_t len, size_t n_layers, mlr_digest *out, mlreg_error **err)
{
    mlr_json *j = NULL;
    const mlr_json *id;
    int rc = read_config(config, len, n_layers, &j, err);

    id = mlr_json_first(mlr_json_get(mlr_json_get(j, "rootfs"), "diff_ids"));
    for (size_t i = 0; i < n_layers && rc == 0; i++, id = mlr_json_next(id))
        rc = mlr_digest_parse(mlr_json_string(id), &out[i], err);
    mlr_json_free(j);
    return rc;
}

int mlr_image_diff_id(const char *config, size_t len, size_t n_layers, size_t i, mlr_digest *out, mlreg_error **err)
{
    mlr_json *j = NULL;
    int rc = read_config(config, len, n_layers, &j, err);

    if (rc == 0)
        rc = mlr_digest_parse(mlr_json_string(mlr_json_at(mlr_json_get(mlr_json_get(j, "rootfs"), "diff_ids"), i)), out, err);
    mlr_json_free(j);
    return rc;
}

/* ---- its layers ---- */

static int check_manifest(const mlr_manifest *m, mlreg_error **err)
{
    int rc;

    if (m->is_index) {
        rc = mlr_error_set(err, MLREG_EINVAL, "the base %s is an index of several images", m->self.digest.text);
        return mlr_error_hint(err, rc, "resolve one of them, by MLREG_RESOLVE_VARIANT or its digest");
    }
    if (m->config == NULL || !mlr_image_config_type(m->config->media_type)) {
        rc = mlr_error_set(err, MLREG_EINVAL, "the base %s is no image, but %s", m->self.digest.text,
            m->self.artifact_type != NULL ? m->self.artifact_type : "an artifact");
        return mlr_error_hint(err, rc, "files of an artifact are added as layers, not as a base");
    }
    for (size_t i = 0; i < m->n_layers; i++)
        if (mlr_image_layer_type(m->layers[i].media_type) == NULL)
            return mlr_error_set(err, MLREG_EINVAL, "the base has a layer that is no tar, but %s", m->layers[i].media_type);
    return 0;
}

/* Docker's types become OCI's, for the manifest will be OCI's: the bytes are the same. */
static int take_layer(mlr_place *from, const char *repo, const mlr_descriptor *d, mlr_reuse *out, mlreg_error **err)
{
    const char *as = mlr_image_layer_type(d->media_type);
    int rc;

    out->from = from;
    if ((out->repo = mlr_strdup(repo)) == NULL)
        return mlr_error_nomem(err);
    if ((rc = mlr_descriptor_copy(d, &out->layer, err)) == 0 && strcmp(as, d->media_type) != 0)
        rc = mlr_descriptor_retype(&out->layer, as, err);
    return rc;
}

static int take_layers(mlr_place *from, const char *repo, const mlr_manifest *m, mlr_reuse **out, mlreg_error **err)
{
    mlr_reuse *all = mlr_alloc_array(m->n_layers, sizeof *all);
    int rc = all == NULL ? mlr_error_nomem(err) : 0;

    for (size_t i = 0; i < m->n_layers && rc == 0; i++)
        rc = take_layer(from, repo, &m->layers[i], &all[i], err);
    if (rc == 0)
        *out = all;
    else
        mlr_reuses_free(all, m->n_layers);
    return rc;
}

int mlr_image_set_base(mlr_image *i, mlr_place *from, const char *repo, const mlr_manifest *m, const char *config, size_t len, mlreg_error **err)
{
    mlr_json *base = NULL;
    mlr_reuse *layers = NULL;
    int rc;

    if (i->base != NULL)
        return mlr_error_set(err, MLREG_ESTATE, "the image has a base already");
    if ((rc = check_manifest(m, err)) < 0 || (rc = read_config(config, len, m->n_layers, &base, err)) < 0)
        return rc;
    if ((rc = take_layers(from, repo, m, &layers, err)) < 0) {
        mlr_json_free(base);
        return rc;
    }
    i->base = base;
    i->base_digest = m->self.digest;
    i->layers = layers;
    i->n_layers = m->n_layers;
    return 0;
}

size_t mlr_image_n_base(const mlr_image *i)
{
    return i->n_layers;
}

const mlr_reuse *mlr_image_base_layer(const mlr_image *i, size_t n)
{
    return &i->layers[n];
}

int mlr_image_base_diff_id(const mlr_image *i, size_t n, mlr_digest *out, mlreg_error **err)
{
    return mlr_digest_parse(mlr_json_string(mlr_json_at(mlr_json_get(mlr_json_get(i->base, "rootfs"), "diff_ids"), n)), out, err);
}

const mlr_digest *mlr_image_base_digest(const mlr_image *i)
{
    return i->base != NULL ? &i->base_digest : NULL;
}

/* ---- its platform ---- */

static const char *word(const mlr_json *config, const char *key)
{
    const char *text = mlr_json_string(mlr_json_get(config, key));

    return text != NULL ? text : "";
}

int mlr_image_check(const mlr_image *i, mlreg_error **err)
{
    const char *variant = i->base != NULL ? word(i->base, "variant") : "";
    char *whole;
    size_t len;
    int rc = 0;

    if (i->base == NULL || i->platform == NULL)
        return 0;
    whole = mlr_asprintf("%s/%s%s%s", word(i->base, "os"), word(i->base, "architecture"), variant[0] != '\0' ? "/" : "", variant);
    if (whole == NULL)
        return mlr_error_nomem(err);
    len = strlen(i->platform) < strlen(whole) ? strlen(i->platform) : strlen(whole);   /* one may say less than the other */
    if (strncmp(whole, i->platform, len) != 0 || (whole[len] != '\0' && whole[len] != '/') || (i->platform[len] != '\0' && i->platform[len] != '/')) {
        rc = mlr_error_set(err, MLREG_EINVAL, "the base is for %s, the image is to be for %s", whole, i->platform);
        mlr_error_hint(err, rc, "name the base's image for %s", i->platform);
    }
    mlr_free(whole);
    return rc;
}
