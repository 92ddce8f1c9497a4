/* model/build_parts.h - what a builder is made of; for build*.c alone. */
#ifndef MLR_MODEL_BUILD_PARTS_H
#define MLR_MODEL_BUILD_PARTS_H
#include "codec/archive_pack.h"
#include "model/below.h"
#include "model/build.h"
#include "model/build_index.h"
#include "model/facts.h"
#include "model/image.h"
#include "model/pip.h"
#include "model/tarlayer.h"
#include "model/titles.h"
#include "model/wide.h"
#include "place/digests.h"

#define MLR_BUILD_CONFIG_MAX_BYTES (16u << 20)

struct mlr_build_layer {
    mlr_build *of;
    char *path;                      /* of a file; NULL: `source` */
    mlreg_source source;
    char *title, *media_type;        /* media_type NULL: by kind */
    mlr_tarlayer *tar;               /* what it becomes instead of the file alone; NULL: nothing else */
    mlr_digest key;                  /* that the tar is remembered by; "": it is not */
    mlr_pack pack;                   /* of the tar */
    mlr_pip *pip;                    /* what the tar is to hold; NULL: something else */
    mlr_reuse reuse;                 /* instead of all these: what an artifact has */
    bool adapts;                     /* what it becomes depends on the base: it is not remembered by what it is made from */
    bool is_tree, is_blob;           /* what is in the tar: a folder; a file that an artifact has */
    char *made_by;                   /* for an image's history */
    mlr_facts facts;                 /* the rest is found out at commit */
    mlr_descriptor descriptor;
    mlr_digest diff_id;              /* of an image's layer */
};
struct mlr_build {
    mlr_place *to;
    int32_t kind;                    /* MLREG_BUILD_* */
    mlr_image *image;                /* of an image, else NULL */
    int64_t epoch_s;                 /* the time of what is in tars and images */
    char *artifact_type;             /* NULL: ModelPack, or an image */
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
    struct mlr_build_base *base;     /* tasks, one for each layer of the base */
    mlr_below *below;                /* what the base has; NULL: nobody knows */
    const char **paths;              /* of the layers, for it */
    int64_t began_ms;                /* before any file was read */
    bool committed;
};
/* Takes `l` with all it holds, on failure too. */
int mlr_build_add(mlr_build *b, struct mlr_build_layer l, mlreg_error **err);
/* Of options: the media type, and how a tar is packed. */
int mlr_build_begin_layer(mlr_build *b, const mlreg_layer_options *o, struct mlr_build_layer *l, mlreg_error **err);
void mlr_build_layer_done(struct mlr_build_layer *l);
bool mlr_build_wants_tar(const mlr_build *b, const mlreg_layer_options *o);   /* by its kind, or by the options */
char *mlr_build_path_inside(const char *path);                       /* "/models/" is "models", as it is written in a tar; NULL: out of memory */
/* Around what `l` holds, at the path that its title says. The title becomes a relative path. */
int mlr_build_wrap_file(struct mlr_build_layer *l, mlreg_error **err);
int mlr_build_wrap_source(struct mlr_build_layer *l, mlreg_error **err);
int mlr_build_wrap_tree(mlr_build *b, const mlreg_layer_options *o, const char *dir, mlr_op *op, mlreg_error **err);
/* Before anything is sent: nothing takes the place of what is of another kind in the base, as far as its layers are on this machine. */
int mlr_build_check_base(mlr_build *b, mlr_op *op, mlreg_error **err);
int mlr_build_settle(struct mlr_build_layer *l, mlreg_error **err);       /* the same of its tar, where that is made later */
int mlr_build_write_layers(mlr_build *b, mlr_op *op, mlreg_error **err);   /* and fills in facts and descriptors */
int mlr_build_write_tar(struct mlr_build_layer *l, mlr_op *op, mlreg_error **err);   /* one of them */
int mlr_build_write_pip(struct mlr_build_layer *l, mlr_op *op, mlreg_error **err);
/* By its key, where it has one, for which `digests` may know what came of it: 1: it is there, and described. */
int mlr_build_tar_is_there(struct mlr_build_layer *l, mlr_op *op, mlreg_error **err);
int mlr_build_check_image(const mlr_build *b, mlreg_error **err);    /* still open, and of an image */
int mlr_build_annotate_tar(struct mlr_build_layer *l, mlreg_error **err);            /* with the file that is alone in it */
int mlr_build_write_reused(struct mlr_build_layer *l, mlr_op *op, mlreg_error **err);
int mlr_build_add_base_tasks(mlr_build *b, mlreg_error **err);       /* for the group of `wide` */
int mlr_build_open_raw(struct mlr_build_layer *l, mlr_op *op, mlr_reader **out, bool *executable, mlreg_error **err);
int mlr_build_look(struct mlr_build_layer *l, mlr_reader *r, mlr_op *op, mlreg_error **err);   /* its media type and facts */
/* What has this digest, as far as is remembered: not read where it is there already. 1; 0: it has another. */
int mlr_build_move_known(struct mlr_build_layer *l, mlr_reader *r, const mlr_digest *digest, mlr_op *op, mlreg_error **err);
size_t mlr_build_n_base(const mlr_build *b);                        /* layers of an image's base */
void mlr_build_release_sources(mlr_build *b);                       /* each once, however often this is called */
void mlr_build_put_annotations(mlr_json_out *o, const mlr_build *b);
int mlr_build_still_open(const mlr_build *b, mlreg_error **err);   /* ESTATE once committed */
int mlr_build_takes_content(const mlr_build *b, mlreg_error **err);      /* likewise of an index, which has entries only */
#endif
