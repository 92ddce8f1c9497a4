/* model/build_parts.h - what a builder is made of; for build.c, build_layers.c and build_commit.c alone. */
#ifndef MLR_MODEL_BUILD_PARTS_H
#define MLR_MODEL_BUILD_PARTS_H
#include "model/build.h"
#include "model/build_index.h"
#include "model/facts.h"
#include "model/titles.h"
#include "model/wide.h"
#include "place/digests.h"

#define MLR_BUILD_CONFIG_MAX_BYTES (16u << 20)

struct mlr_build_layer {
    mlr_build *of;
    char *path;                      /* of a file; NULL: `source` */
    mlreg_source source;
    char *title, *media_type;        /* media_type NULL: by kind */
    mlr_facts facts;                 /* the rest is found out at commit */
    mlr_descriptor descriptor;
};
struct mlr_build {
    mlr_place *to;
    char *artifact_type;             /* NULL: ModelPack */
    char *config_type, *config; size_t config_bytes;
    mlr_digest subject;
    mlr_descriptor notes;            /* carries the manifest's annotations */
    struct mlr_build_layer *layers; size_t n, cap;
    struct mlr_build_index *index;   /* NULL: no index, but what has layers */
    mlr_titles titles;
    size_t json_bytes;               /* that the manifest will have at least */
    const char *repo;                /* during commit */
    mlr_wide *wide;                  /* while layers are written, as: */
    mlr_digests *digests;            /* NULL: none */
    mlr_ahead *ahead;                /* NULL: nobody */
    const char **paths;              /* of the layers, for it */
    int64_t began_ms;                /* before any file was read */
    bool committed;
};
int mlr_build_write_layers(mlr_build *b, mlr_op *op, mlreg_error **err);   /* and fills in facts and descriptors */
void mlr_build_release_sources(mlr_build *b);                       /* each once, however often this is called */
void mlr_build_put_annotations(mlr_json_out *o, const mlr_descriptor *notes);
int mlr_build_still_open(const mlr_build *b, mlreg_error **err);   /* ESTATE once committed */
#endif
