/* tests/codec/gguf_bed.h - a GGUF file in the making. Include after cmocka.h. */
#ifndef GGUF_BED_H
#define GGUF_BED_H
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "codec/gguf.h"
#include "codec/tensor_file.h"

enum { U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 };
enum { GGML_F32 = 0, GGML_Q4_0 = 2, GGML_Q4_K = 12, GGML_I8 = 24, GGML_NEWER = 200 };

typedef struct making { uint8_t *bytes; size_t len, cap; } making;

static inline void put(making *m, const void *bytes, size_t len)
{
    if (m->len + len > m->cap) {
        m->cap = (m->len + len) * 2;
        m->bytes = realloc(m->bytes, m->cap);
        assert_non_null(m->bytes);
    }
    if (len > 0)
        memcpy(m->bytes + m->len, bytes, len);
    m->len += len;
}

static inline void number(making *m, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        put(m, &(uint8_t){(uint8_t)(v >> 8 * i)}, 1);
}

static inline void text(making *m, const char *s)
{
    number(m, strlen(s), 8);
    put(m, s, strlen(s));
}

static inline void start(making *m, uint32_t version, uint64_t n_tensors, uint64_t n_keys)
{
    *m = (making){.bytes = NULL};
    put(m, "GGUF", 4);
    number(m, version, 4);
    number(m, n_tensors, 8);
    number(m, n_keys, 8);
}

static inline void key(making *m, const char *name, uint32_t type)
{
    text(m, name);
    number(m, type, 4);
}

static inline void tensor(making *m, const char *name, size_t rank, const uint64_t *innermost_first, uint32_t type,
                   uint64_t offset)
{
    text(m, name);
    number(m, rank, 4);
    for (size_t i = 0; i < rank; i++)
        number(m, innermost_first[i], 8);
    number(m, type, 4);
    number(m, offset, 8);
}

/* Pads to the alignment, then adds the data. */
static inline void finish(making *m, size_t alignment, size_t data_bytes)
{
    while (m->len % alignment != 0)
        number(m, 0, 1);
    while (data_bytes-- > 0)
        number(m, 0xDA, 1);
}

static inline int read_made(const making *m, mlr_tensors **out, mlreg_error **err)
{
    return tensor_file_read(mlr_gguf_read, m->bytes, m->len, out, err);
}

static inline void assert_refused_and_free(making *m, int code, const char *reason)
{
    mlr_tensors *t = NULL;
    mlreg_error *err = NULL;
    int          rc = read_made(m, &t, &err);

    if (rc != code)
        fail_msg("%d, not %d for \"%s\"", rc, code, reason);
    assert_null(t);
    if (strstr(err->message, reason) == NULL || strncmp(err->message, "m.bin: ", 7) != 0)
        fail_msg("\"%s\" does not say \"%s\"", err->message, reason);
    mlr_error_done(err);
    free(m->bytes);
}

/* One F32 tensor "w" of 2 by 3 elements, 24 bytes, at `offset`; one key before it. */
static inline making sample(uint64_t offset, size_t data_bytes)
{
    making m;

    start(&m, 3, 1, 1);
    key(&m, "general.architecture", STRING);
    text(&m, "llama");
    tensor(&m, "w", 2, (const uint64_t[]){3, 2}, GGML_F32, offset);
    finish(&m, 32, data_bytes);
    return m;
}
#endif
