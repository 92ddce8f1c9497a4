/* model/build.h - one manifest in the making: layers by kind, config filled from the files, committed once. */
#ifndef MLR_MODEL_BUILD_H
#define MLR_MODEL_BUILD_H
#include "place/place.h"

typedef struct mlr_build mlr_build;
/* kind: MLREG_BUILD_*. artifact_type NULL: ModelPack for artifacts, none for images. */
int  mlr_build_new(mlr_place *to, int32_t kind, const char *artifact_type, mlr_build **out, mlreg_error **err);
int  mlr_build_config(mlr_build *b, const char *media_type, const void *data, size_t len, mlreg_error **err);
int  mlr_build_subject(mlr_build *b, const char *digest, mlreg_error **err);
int  mlr_build_annotation(mlr_build *b, const char *key, const char *value, mlreg_error **err);
int  mlr_build_add_tree(mlr_build *b, const mlreg_layer_options *o, const char *dir, mlr_op *op, mlreg_error **err);
int  mlr_build_add_file(mlr_build *b, const mlreg_layer_options *o, const char *path, mlr_op *op, mlreg_error **err);
int  mlr_build_add_source(mlr_build *b, const mlreg_layer_options *o, const mlreg_source *src, mlr_op *op, mlreg_error **err); /* src->release is called once, by free at the latest */
int  mlr_build_set_image(mlr_build *b, const mlreg_image_options *o, mlreg_error **err);
/* `from` outlives the builder, here and below; `config`: the bytes of the base's config. */
int  mlr_build_set_base(mlr_build *b, mlr_place *from, const char *repo, const mlr_manifest *m, const char *config, size_t len, mlreg_error **err);
/* config: of what the layer is of, NULL where it has none. */
int  mlr_build_add_layer_of(mlr_build *b, const mlreg_layer_options *o, mlr_place *from, const char *repo, const mlr_manifest *m, size_t layer, const char *config, size_t len, mlreg_error **err);
/* Blobs first, then the manifest, then the tags (ref's and `also`'s). */
int  mlr_build_commit(mlr_build *b, const mlr_ref *ref, const mlr_tag_rule *rule, const char *const *also, size_t n_also, mlr_op *op, mlr_manifest **out, mlreg_error **err);
void mlr_build_free(mlr_build *b);
#endif
