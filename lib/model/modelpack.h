/* model/modelpack.h - the CNCF ModelPack v0.0.7: config and layer annotations as its specification has them. */
#ifndef MLR_MODEL_MODELPACK_H
#define MLR_MODEL_MODELPACK_H
#include "model/facts.h"
#include "place/descriptor.h"

#define MLR_MODELPACK_ARTIFACT "application/vnd.cncf.model.manifest.v1+json"
#define MLR_MODELPACK_CONFIG   "application/vnd.cncf.model.config.v1+json"
#define MLR_TITLE_KEY    "org.opencontainers.image.title"
#define MLR_FILEPATH_KEY "org.cncf.model.filepath"
/* The config's JSON. It holds no time and no owner, so that the same files give the same digest. */
int mlr_modelpack_config(const mlr_facts *f, const mlr_descriptor *layers, size_t n_layers, mlr_buf *out, mlreg_error **err);
/* Names a raw layer's file: for oras by title, for modctl by filepath, with its mode. */
int mlr_modelpack_annotate(mlr_descriptor *layer, const char *title, bool executable, mlreg_error **err);
/* The same of a tar with one file in it: the file is called by filepath, the tar by title, for whoever stores layers as they are. */
int mlr_modelpack_annotate_tar(mlr_descriptor *layer, const char *title, mlreg_error **err);
/* A layer's file's mode: of what is kept in an annotation only "may be executed" is believed. */
int mlr_modelpack_mode(const mlr_descriptor *layer, unsigned *out, mlreg_error **err);
#endif
