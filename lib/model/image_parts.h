/* model/image_parts.h - what is known of an image in the making; for image*.c alone. */
#ifndef MLR_MODEL_IMAGE_PARTS_H
#define MLR_MODEL_IMAGE_PARTS_H
#include "model/image.h"

typedef struct mlr_texts { char **items; size_t n, cap; bool set; } mlr_texts;
struct mlr_image {
    char *platform;                  /* that was asked for; NULL: none */
    char *user, *workdir;            /* NULL: the base's */
    mlr_texts env, labels, ports, entrypoint, cmd;
    mlr_json *base;                  /* its config; NULL: from scratch */
    mlr_digest base_digest;
    mlr_reuse *layers; size_t n_layers;   /* the base's */
};
void mlr_reuses_free(mlr_reuse *all, size_t n);
bool mlr_image_sets(const mlr_texts *t, const char *key, size_t len);   /* "key=…" is one of them */
#endif
