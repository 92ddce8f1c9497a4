/* model/image.h - what an OCI image says of itself: how it is run, what it is made on, and how it came to be. */
#ifndef MLR_MODEL_IMAGE_H
#define MLR_MODEL_IMAGE_H
#include "place/place.h"

#define MLR_TYPE_IMAGE_CONFIG        "application/vnd.oci.image.config.v1+json"
#define MLR_TYPE_DOCKER_IMAGE_CONFIG "application/vnd.docker.container.image.v1+json"
#define MLR_TYPE_LAYER_TAR           "application/vnd.oci.image.layer.v1.tar"

/* A blob that is somewhere already. */
typedef struct mlr_reuse { mlr_place *from; char *repo; mlr_descriptor layer; } mlr_reuse;   /* from: borrowed; NULL: none */
void mlr_reuse_done(mlr_reuse *r);

typedef struct mlr_image mlr_image;
int  mlr_image_new(mlr_image **out, mlreg_error **err);
void mlr_image_free(mlr_image *i);             /* NULL is fine */
int  mlr_image_set(mlr_image *i, const mlreg_image_options *o, mlreg_error **err);   /* what is set there replaces what was set before */
bool mlr_image_has_env(const mlr_image *i, const char *name);   /* as far as it was set */
const char *mlr_image_foreign_platform(const mlr_image *i);     /* NULL: this machine's, or not known yet */
/* The base, by its manifest and the bytes of its config. EINVAL: an index, or no image; EPROTO: a config that lies about its layers. */
int  mlr_image_set_base(mlr_image *i, mlr_place *from, const char *repo, const mlr_manifest *m, const char *config, size_t len, mlreg_error **err);
size_t mlr_image_n_base(const mlr_image *i);
const mlr_reuse *mlr_image_base_layer(const mlr_image *i, size_t n);
int  mlr_image_base_diff_id(const mlr_image *i, size_t n, mlr_digest *out, mlreg_error **err);
const mlr_digest *mlr_image_base_digest(const mlr_image *i);   /* of its manifest; NULL: none */
/* After the last set: EINVAL for a base that is not for the wanted platform. */
int  mlr_image_check(const mlr_image *i, mlreg_error **err);

typedef struct mlr_image_layer { const mlr_digest *diff_id; const char *made_by; } mlr_image_layer;
/* The config's JSON, with these layers on top of the base's. */
int  mlr_image_config(const mlr_image *i, const mlr_image_layer *layers, size_t n, int64_t epoch_s, mlr_buf *out, mlreg_error **err);
/* The OCI type of a layer that an image may have, docker's ones as what they are; NULL: it may not. */
const char *mlr_image_layer_type(const char *media_type);
bool mlr_image_config_type(const char *media_type);
/* All diff_ids of the image with this config, `n_layers` of them: EPROTO where it lies. */
int  mlr_image_diff_ids(const char *config, size_t len, size_t n_layers, mlr_digest *out, mlreg_error **err);
/* The i-th diff_id of the image with this config: EPROTO where it lies. */
int  mlr_image_diff_id(const char *config, size_t len, size_t n_layers, size_t i, mlr_digest *out, mlreg_error **err);
#endif
