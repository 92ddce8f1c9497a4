/* codec/gguf_parts.h - what the rooms that read a GGUF header share: the file so far, its names, its metadata. */
#ifndef MLR_CODEC_GGUF_PARTS_H
#define MLR_CODEC_GGUF_PARTS_H
#include "base/buf.h"
#include "codec/cursor.h"
#include "codec/tensors.h"

#define MLR_GGUF_NAME_MAX_BYTES 65535          /* of a key or a tensor's name */
#define MLR_GGUF_TEXT_MAX_BYTES (64u << 10)    /* longer strings are passed over: templates and licences, not facts */

typedef struct mlr_gguf {
    mlr_cursor   in;
    const char  *file;
    mlr_buf      name, text;                   /* reused from one to the next */
    uint64_t     n_tensors, n_keys;
    uint32_t     alignment;
    mlr_tensors *tensors;
    mlreg_error **err;
} mlr_gguf;

/* Sets and returns EPROTO: "<file>: <what> "<name>": <rule>". */
int mlr_gguf_broken(const mlr_gguf *g, const char *what, const char *name, const char *rule);
int mlr_gguf_read_name(mlr_gguf *g, const char *of_what);   /* into g->name: UTF-8 without a zero byte */
int mlr_gguf_read_pair(mlr_gguf *g);           /* one key with its value, into the metadata and g->alignment */
#endif
