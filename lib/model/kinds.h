/* model/kinds.h - what a file is to a model: weight, weight.config, doc, code or dataset, by content and name. */
#ifndef MLR_MODEL_KINDS_H
#define MLR_MODEL_KINDS_H
#include "base/reader.h"
typedef enum mlr_file_kind {
    MLR_KIND_WEIGHT, MLR_KIND_CONFIG, MLR_KIND_DOC, MLR_KIND_CODE, MLR_KIND_DATASET
} mlr_file_kind;
/* `head`: the first bytes of the file, at most 512. Content decides where it has a signature; the name where it has
 * none. What may be either (JSON, text, pictures, arrays) is a dataset below a folder "data", "dataset" or "datasets".
 * A file that neither decides is a dataset there; elsewhere its size does: code below 1 MiB, from there on a weight, or
 * a dataset if it is text. */
mlr_file_kind mlr_kind_of(const char *path, const uint8_t *head, size_t head_bytes, uint64_t file_bytes);
const char *mlr_kind_media_type(mlr_file_kind kind);           /* ModelPack v0.0.7, raw */
/* "safetensors", "gguf", "onnx", "pytorch", …; NULL: none, or none that we know. */
const char *mlr_kind_format(const char *path, const uint8_t *head, size_t head_bytes);
#endif
