/* codec/gguf_types.h - ggml's tensor types: their names, and how many bytes hold how many elements. */
#ifndef MLR_CODEC_GGUF_TYPES_H
#define MLR_CODEC_GGUF_TYPES_H
#include <stdint.h>
typedef struct mlr_gguf_type { char name[8]; uint16_t block, block_bytes; } mlr_gguf_type;
const mlr_gguf_type *mlr_gguf_type_of(uint32_t id);    /* NULL: not in the table, newer than it or long gone */
#endif
