/* model/weights_bed.h - small safetensors and GGUF files in memory. Include after cmocka.h. */
#ifndef TESTS_MODEL_WEIGHTS_BED_H
#define TESTS_MODEL_WEIGHTS_BED_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct bed_bytes { uint8_t data[65536]; size_t len; } bed_bytes;

static inline void bed_bytes_put(bed_bytes *b, const void *data, size_t len)
{
    assert_true(len <= sizeof b->data - b->len);
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

static inline void bed_bytes_number(bed_bytes *b, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        bed_bytes_put(b, &(uint8_t){ (uint8_t)(v >> 8 * i) }, 1);
}

static inline void bed_bytes_fill(bed_bytes *b, size_t n)
{
    while (n-- > 0)
        bed_bytes_number(b, 0xDA, 1);
}

static inline void bed_safetensors_of(bed_bytes *out, const char *header, size_t data_bytes)
{
    out->len = 0;
    bed_bytes_number(out, strlen(header), 8);
    bed_bytes_put(out, header, strlen(header));
    bed_bytes_fill(out, data_bytes);
}

/* A tensor "a" of `n` elements of `dtype` (`each` bytes), and where `other` is not NULL a "b" of `m` elements of that. */
static inline void bed_safetensors(bed_bytes *out, const char *dtype, size_t each, size_t n, const char *other, size_t other_each, size_t m)
{
    char   header[512], more[256] = "";
    size_t end = n * each;

    if (other != NULL)
        snprintf(more, sizeof more, ",\"b\":{\"dtype\":\"%s\",\"shape\":[%zu],\"data_offsets\":[%zu,%zu]}", other, m, end, end + m * other_each);
    snprintf(header, sizeof header, "{\"a\":{\"dtype\":\"%s\",\"shape\":[%zu],\"data_offsets\":[0,%zu]}%s}", dtype, n, end, more);
    bed_safetensors_of(out, header, end + (other != NULL ? m * other_each : 0));
}

static inline void bed_gguf_text(bed_bytes *b, const char *s)
{
    bed_bytes_number(b, strlen(s), 8);
    bed_bytes_put(b, s, strlen(s));
}

static inline void bed_gguf_string(bed_bytes *b, const char *key, const char *value)
{
    bed_gguf_text(b, key);
    bed_bytes_number(b, 8, 4);
    bed_gguf_text(b, value);
}

/* Version 3: architecture and license, and one Q4_K tensor of 512 parameters, which take 288 bytes. */
static inline void bed_gguf(bed_bytes *out, const char *architecture, const char *license)
{
    out->len = 0;
    bed_bytes_put(out, "GGUF", 4);
    bed_bytes_number(out, 3, 4);
    bed_bytes_number(out, 1, 8);
    bed_bytes_number(out, 2, 8);
    bed_gguf_string(out, "general.architecture", architecture);
    bed_gguf_string(out, "general.license", license);
    bed_gguf_text(out, "w");
    bed_bytes_number(out, 1, 4);
    bed_bytes_number(out, 512, 8);
    bed_bytes_number(out, 12, 4);
    bed_bytes_number(out, 0, 8);
    while (out->len % 32 != 0)
        bed_bytes_number(out, 0, 1);
    bed_bytes_fill(out, 288);
}
#endif
