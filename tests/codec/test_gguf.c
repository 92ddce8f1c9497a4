/* tests/codec/test_gguf.c - GGUF headers: good ones as they are, others refused with the reason. */
#include "codec/gguf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bed/failing_alloc.h"
#include "codec/tensor_file.h"

/* ---- a GGUF file in the making ---- */

enum { U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 };
enum { GGML_F32 = 0, GGML_Q4_0 = 2, GGML_Q4_K = 12, GGML_I8 = 24, GGML_NEWER = 200 };

typedef struct making { uint8_t *bytes; size_t len, cap; } making;

static void put(making *m, const void *bytes, size_t len)
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

static void number(making *m, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        put(m, &(uint8_t){(uint8_t)(v >> 8 * i)}, 1);
}

static void text(making *m, const char *s)
{
    number(m, strlen(s), 8);
    put(m, s, strlen(s));
}

static void start(making *m, uint32_t version, uint64_t n_tensors, uint64_t n_keys)
{
    *m = (making){.bytes = NULL};
    put(m, "GGUF", 4);
    number(m, version, 4);
    number(m, n_tensors, 8);
    number(m, n_keys, 8);
}

static void key(making *m, const char *name, uint32_t type)
{
    text(m, name);
    number(m, type, 4);
}

static void tensor(making *m, const char *name, size_t rank, const uint64_t *innermost_first, uint32_t type,
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
static void finish(making *m, size_t alignment, size_t data_bytes)
{
    while (m->len % alignment != 0)
        number(m, 0, 1);
    while (data_bytes-- > 0)
        number(m, 0xDA, 1);
}

static int read_made(const making *m, mlr_tensors **out, mlreg_error **err)
{
    return tensor_file_read(mlr_gguf_read, m->bytes, m->len, out, err);
}

static void assert_refused_and_free(making *m, int code, const char *reason)
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
static making sample(uint64_t offset, size_t data_bytes)
{
    making m;

    start(&m, 3, 1, 1);
    key(&m, "general.architecture", STRING);
    text(&m, "llama");
    tensor(&m, "w", 2, (const uint64_t[]){3, 2}, GGML_F32, offset);
    finish(&m, 32, data_bytes);
    return m;
}

/* ---- good files ---- */

static void test_gguf__reads_names_shapes_and_places(void **state)
{
    making            m;
    mlr_tensors      *t = NULL;
    const mlr_tensor *x;
    size_t            data_at;

    (void)state;
    start(&m, 3, 3, 1);
    key(&m, "general.architecture", STRING);
    text(&m, "llama");
    tensor(&m, "q", 2, (const uint64_t[]){64, 3}, GGML_Q4_0, 64);
    tensor(&m, "s", 0, NULL, GGML_F32, 0);
    tensor(&m, "k", 3, (const uint64_t[]){256, 1, 2}, GGML_Q4_K, 192);
    finish(&m, 32, 0);
    data_at = m.len;
    finish(&m, 32, 192 + 288);
    assert_int_equal(read_made(&m, &t, NULL), 0);
    assert_int_equal(mlr_tensors_count(t), 3);
    x = mlr_tensors_at(t, 0);
    assert_string_equal(x->name, "s");
    assert_int_equal(x->rank, 0);
    assert_int_equal(x->begin, data_at);
    assert_int_equal(x->end, data_at + 4);
    x = mlr_tensors_at(t, 1);
    assert_string_equal(x->dtype, "Q4_0");
    assert_int_equal(x->shape[0], 3);
    assert_int_equal(x->shape[1], 64);
    assert_int_equal(x->begin, data_at + 64);
    assert_int_equal(x->end, data_at + 64 + 3 * 2 * 18);
    x = mlr_tensors_at(t, 2);
    assert_string_equal(x->dtype, "Q4_K");
    assert_int_equal(x->shape[0], 2);
    assert_int_equal(x->shape[2], 256);
    assert_int_equal(x->end, data_at + 192 + 288);
    assert_string_equal(mlr_tensors_metadata(t, "general.architecture"), "llama");
    mlr_tensors_free(t);
    free(m.bytes);
}

static void test_gguf__reads_version_2(void **state)
{
    making       m = sample(0, 24);
    mlr_tensors *t = NULL;

    (void)state;
    m.bytes[4] = 2;
    assert_int_equal(read_made(&m, &t, NULL), 0);
    assert_int_equal(mlr_tensors_count(t), 1);
    mlr_tensors_free(t);
    free(m.bytes);
}

static void test_gguf__a_vocabulary_without_tensors_needs_no_padding(void **state)
{
    making       m;
    mlr_tensors *t = NULL;

    (void)state;
    start(&m, 3, 0, 1);
    key(&m, "a", U8);
    number(&m, 7, 1);
    assert_int_equal(read_made(&m, &t, NULL), 0);
    assert_int_equal(mlr_tensors_count(t), 0);
    assert_string_equal(mlr_tensors_metadata(t, "a"), "7");
    mlr_tensors_free(t);
    free(m.bytes);
}

static void test_gguf__writes_every_number_as_decimal_text(void **state)
{
    static const struct { uint32_t type, bytes; uint64_t bits; const char *text; } cases[] = {
        {U8, 1, 255, "255"}, {I8, 1, 255, "-1"}, {U16, 2, 65535, "65535"}, {I16, 2, 32768, "-32768"},
        {U32, 4, 4294967295, "4294967295"}, {I32, 4, 2147483648, "-2147483648"},
        {U64, 8, UINT64_MAX, "18446744073709551615"},
        {I64, 8, 1ull << 63, "-9223372036854775808"}, {BOOL, 1, 0, "false"}, {BOOL, 1, 1, "true"},
        {F32, 4, 0x3F800000, "1"}, {F32, 4, 0x3727C5AC, "1e-05"}, {F32, 4, 0x461C4000, "1e+04"},
        {F32, 4, 0x3DCCCCCD, "0.1"}, {F32, 4, 0xFF800000, "-inf"},
        {F64, 8, 0x3FD5555555555555, "0.3333333333333333"}, {F64, 8, 0xC000000000000000, "-2"},
    };
    size_t       n = sizeof cases / sizeof cases[0];
    making       m;
    mlr_tensors *t = NULL;

    (void)state;
    start(&m, 3, 0, n);
    for (size_t i = 0; i < n; i++) {
        key(&m, (const char[]){(char)('a' + i), '\0'}, cases[i].type);
        number(&m, cases[i].bits, cases[i].bytes);
    }
    assert_int_equal(read_made(&m, &t, NULL), 0);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(mlr_tensors_metadata(t, (const char[]){(char)('a' + i), '\0'}), cases[i].text);
    mlr_tensors_free(t);
    free(m.bytes);
}

static void test_gguf__passes_over_arrays(void **state)
{
    making       m;
    mlr_tensors *t = NULL;

    (void)state;
    start(&m, 3, 0, 4);
    key(&m, "words", ARRAY);
    number(&m, STRING, 4);
    number(&m, 20000, 8);
    for (int i = 0; i < 20000; i++)                    /* more than the cursor's window holds */
        text(&m, i % 3 == 0 ? "" : "token");
    key(&m, "scores", ARRAY);
    number(&m, F32, 4);
    number(&m, 30000, 8);
    finish(&m, 1, 120000);
    key(&m, "nested", ARRAY);
    number(&m, ARRAY, 4);
    number(&m, 2, 8);
    for (int i = 0; i < 2; i++) {
        number(&m, U16, 4);
        number(&m, 1, 8);
        number(&m, 5, 2);
    }
    key(&m, "last", U32);
    number(&m, 1234567, 4);
    assert_int_equal(read_made(&m, &t, NULL), 0);
    assert_null(mlr_tensors_metadata(t, "words"));
    assert_null(mlr_tensors_metadata(t, "scores"));
    assert_null(mlr_tensors_metadata(t, "nested"));
    assert_string_equal(mlr_tensors_metadata(t, "last"), "1234567");
    mlr_tensors_free(t);
    free(m.bytes);
}

static void test_gguf__keeps_strings_that_are_short_and_plain(void **state)
{
    making       m;
    mlr_tensors *t = NULL;
    char        *longest = malloc((64 << 10) + 2);

    (void)state;
    assert_non_null(longest);
    memset(longest, 'x', (64 << 10) + 1);
    longest[(64 << 10) + 1] = '\0';
    start(&m, 3, 0, 5);
    key(&m, "too long", STRING);
    text(&m, longest);
    key(&m, "longest", STRING);
    text(&m, longest + 1);
    key(&m, "empty", STRING);
    text(&m, "");
    key(&m, "zero", STRING);
    number(&m, 3, 8);
    put(&m, "a\0b", 3);
    key(&m, "latin", STRING);
    text(&m, "\xE9");
    assert_int_equal(read_made(&m, &t, NULL), 0);
    assert_null(mlr_tensors_metadata(t, "too long"));
    assert_string_equal(mlr_tensors_metadata(t, "longest"), longest + 1);
    assert_string_equal(mlr_tensors_metadata(t, "empty"), "");
    assert_null(mlr_tensors_metadata(t, "zero"));
    assert_null(mlr_tensors_metadata(t, "latin"));
    mlr_tensors_free(t);
    free(m.bytes);
    free(longest);
}

static void test_gguf__follows_the_alignment_it_names(void **state)
{
    making       m;
    mlr_tensors *t = NULL;

    (void)state;
    start(&m, 3, 1, 1);
    key(&m, "general.alignment", U32);
    number(&m, 4096, 4);
    tensor(&m, "w", 1, (const uint64_t[]){1}, GGML_F32, 4096);
    finish(&m, 4096, 4096 + 4);
    assert_int_equal(read_made(&m, &t, NULL), 0);
    assert_int_equal(mlr_tensors_at(t, 0)->begin, 8192);
    assert_int_equal(mlr_tensors_at(t, 0)->end, m.len);
    mlr_tensors_free(t);
    free(m.bytes);
}

static void test_gguf__a_tensor_of_a_newer_type_reaches_to_the_next(void **state)
{
    making       m;
    mlr_tensors *t = NULL;

    (void)state;
    start(&m, 3, 4, 0);
    tensor(&m, "last", 1, (const uint64_t[]){1000}, GGML_NEWER, 96);
    tensor(&m, "first", 1, (const uint64_t[]){1000}, GGML_NEWER, 0);
    tensor(&m, "known", 1, (const uint64_t[]){8}, GGML_F32, 64);
    tensor(&m, "nothing", 1, (const uint64_t[]){0}, GGML_F32, 0);
    finish(&m, 32, 0);
    size_t data_at = m.len;
    finish(&m, 32, 300);
    assert_int_equal(read_made(&m, &t, NULL), 0);
    assert_string_equal(mlr_tensors_at(t, 1)->name, "first");
    assert_string_equal(mlr_tensors_at(t, 1)->dtype, "type 200");
    assert_int_equal(mlr_tensors_at(t, 1)->begin, data_at);
    assert_int_equal(mlr_tensors_at(t, 1)->end, data_at + 64);
    assert_string_equal(mlr_tensors_at(t, 3)->name, "last");
    assert_int_equal(mlr_tensors_at(t, 3)->end, m.len);
    mlr_tensors_free(t);
    free(m.bytes);
}

/* ---- bad files ---- */

static void test_gguf__refuses_other_versions_and_byte_orders(void **state)
{
    static const struct { uint32_t version; const char *reason; } cases[] = {
        {1, "version 1"}, {4, "version 4"}, {0, "version 0"}, {0x03000000, "big-endian"}, {0x02000000, "big-endian"},
    };
    making m;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        start(&m, cases[i].version, 0, 0);
        assert_refused_and_free(&m, MLREG_ENOTSUP, cases[i].reason);
    }
    start(&m, 3, 0, 0);
    m.bytes[0] = 'g';
    assert_refused_and_free(&m, MLREG_EPROTO, "no GGUF file");
}

static void test_gguf__refuses_places_outside_the_file(void **state)
{
    making m = sample(0, 23);

    (void)state;
    assert_refused_and_free(&m, MLREG_EPROTO, "tensor \"w\": lies outside the file");
    m = sample(32, 24);
    assert_refused_and_free(&m, MLREG_EPROTO, "lies outside");
    m = sample(UINT64_MAX - 31, 24);
    assert_refused_and_free(&m, MLREG_EPROTO, "lies outside");
    start(&m, 3, 1, 0);
    tensor(&m, "w", 1, (const uint64_t[]){31}, GGML_I8, UINT64_MAX - 31);    /* ends at the last number there is */
    finish(&m, 32, 64);
    assert_refused_and_free(&m, MLREG_EPROTO, "lies outside");
    m = sample(1ull << 63, 24);
    assert_refused_and_free(&m, MLREG_EPROTO, "lies outside");
    m = sample(8, 64);
    assert_refused_and_free(&m, MLREG_EPROTO, "not aligned");
    start(&m, 3, 1, 0);
    tensor(&m, "w", 1, (const uint64_t[]){0}, GGML_F32, 0);    /* empty, but the data would begin behind the end */
    assert_refused_and_free(&m, MLREG_EPROTO, "lies outside");
    start(&m, 3, 1, 0);
    tensor(&m, "w", 1, (const uint64_t[]){1}, GGML_NEWER, 64);
    finish(&m, 32, 32);
    assert_refused_and_free(&m, MLREG_EPROTO, "lies outside");
}

static void test_gguf__refuses_tensors_that_overlap(void **state)
{
    making m;

    (void)state;
    start(&m, 3, 2, 0);
    tensor(&m, "a", 1, (const uint64_t[]){9}, GGML_F32, 0);
    tensor(&m, "b", 1, (const uint64_t[]){1}, GGML_F32, 32);
    finish(&m, 32, 64);
    assert_refused_and_free(&m, MLREG_EPROTO, "tensor \"a\": overlaps");
}

static void test_gguf__refuses_names_that_are_there_twice(void **state)
{
    making m;

    (void)state;
    start(&m, 3, 2, 0);
    tensor(&m, "a", 1, (const uint64_t[]){1}, GGML_F32, 0);
    tensor(&m, "a", 1, (const uint64_t[]){1}, GGML_F32, 32);
    finish(&m, 32, 64);
    assert_refused_and_free(&m, MLREG_EPROTO, "two tensors are named \"a\"");
    start(&m, 3, 0, 2);
    for (int i = 0; i < 2; i++) {
        key(&m, "k", ARRAY);
        number(&m, U8, 4);
        number(&m, 0, 8);
    }
    assert_refused_and_free(&m, MLREG_EPROTO, "metadata \"k\" is there twice");
}

static void test_gguf__refuses_shapes_that_wrap_around(void **state)
{
    static const uint64_t shapes[][2] = {{1ull << 32, 1ull << 32}, {UINT64_MAX, 2}, {1ull << 62, 1}, {UINT64_MAX, 1}};
    making m;

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        start(&m, 3, 1, 0);
        tensor(&m, "w", 2, shapes[i], GGML_F32, 0);
        finish(&m, 32, 64);
        assert_refused_and_free(&m, MLREG_EPROTO, "more bytes than any file");
    }
}

static void test_gguf__refuses_rows_of_broken_blocks(void **state)
{
    making m;

    (void)state;
    start(&m, 3, 1, 0);
    tensor(&m, "w", 2, (const uint64_t[]){16, 2}, GGML_Q4_0, 0);
    finish(&m, 32, 64);
    assert_refused_and_free(&m, MLREG_EPROTO, "whole number of blocks");
    start(&m, 3, 1, 0);
    tensor(&m, "w", 0, NULL, GGML_Q4_0, 0);
    finish(&m, 32, 64);
    assert_refused_and_free(&m, MLREG_EPROTO, "whole number of blocks");
}

static void test_gguf__refuses_values_it_cannot_know(void **state)
{
    making m;

    (void)state;
    start(&m, 3, 0, 1);
    key(&m, "k", 13);
    assert_refused_and_free(&m, MLREG_EPROTO, "metadata \"k\": a value of an unknown type");
    start(&m, 3, 0, 1);
    key(&m, "k", ARRAY);
    number(&m, 13, 4);
    number(&m, 0, 8);
    assert_refused_and_free(&m, MLREG_EPROTO, "an array of an unknown type");
    start(&m, 3, 0, 1);
    key(&m, "k", BOOL);
    number(&m, 2, 1);
    assert_refused_and_free(&m, MLREG_EPROTO, "neither true nor false");
}

static void test_gguf__refuses_an_alignment_that_is_none(void **state)
{
    static const struct { uint32_t type, bytes; uint64_t value; const char *reason; } cases[] = {
        {U32, 4, 0, "no power of two"}, {U32, 4, 48, "no power of two"}, {U64, 8, 64, "no 32-bit number"},
        {STRING, 8, 0, "no 32-bit number"}, {ARRAY, 12, 0, "no 32-bit number"},
    };
    making m;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        start(&m, 3, 0, 1);
        key(&m, "general.alignment", cases[i].type);
        number(&m, cases[i].value, 8);
        number(&m, 0, 4);
        assert_refused_and_free(&m, MLREG_EPROTO, cases[i].reason);
    }
}

static void test_gguf__refuses_names_that_are_no_text(void **state)
{
    making m;

    (void)state;
    start(&m, 3, 0, 1);
    key(&m, "\xFF", U8);
    number(&m, 0, 1);
    assert_refused_and_free(&m, MLREG_EPROTO, "metadata key is no UTF-8");
    start(&m, 3, 1, 0);
    number(&m, 3, 8);
    put(&m, "a\0b", 3);
    assert_refused_and_free(&m, MLREG_EPROTO, "tensor is no UTF-8");
}

/* ---- limits ---- */

static void test_gguf__counts_have_a_limit(void **state)
{
    making m;

    (void)state;
    start(&m, 3, 1000001, 0);
    assert_refused_and_free(&m, MLREG_ELIMIT, "more than 1000000");
    start(&m, 3, 0, UINT64_MAX);
    assert_refused_and_free(&m, MLREG_ELIMIT, "more than 1000000");
    start(&m, 3, 1000000, 1000000);
    assert_refused_and_free(&m, MLREG_EPROTO, "ends inside its header");
}

static void test_gguf__names_have_a_limit(void **state)
{
    making       m;
    mlr_tensors *t = NULL;

    (void)state;
    start(&m, 3, 0, 1);
    number(&m, 65535, 8);
    for (int i = 0; i < 65535; i++)
        put(&m, "k", 1);
    number(&m, U8, 4);
    number(&m, 0, 1);
    assert_int_equal(read_made(&m, &t, NULL), 0);
    mlr_tensors_free(t);
    free(m.bytes);
    start(&m, 3, 0, 1);
    number(&m, 65536, 8);
    assert_refused_and_free(&m, MLREG_ELIMIT, "longer than 65535 bytes");
}

static making nested_arrays(int depth)
{
    making m;

    start(&m, 3, 0, 1);
    key(&m, "k", ARRAY);
    for (int i = 1; i < depth; i++) {
        number(&m, ARRAY, 4);
        number(&m, 1, 8);
    }
    number(&m, U8, 4);
    number(&m, 0, 8);
    return m;
}

static void test_gguf__nesting_has_a_limit(void **state)
{
    making       m = nested_arrays(4);
    mlr_tensors *t = NULL;

    (void)state;
    assert_int_equal(read_made(&m, &t, NULL), 0);
    mlr_tensors_free(t);
    free(m.bytes);
    m = nested_arrays(5);
    assert_refused_and_free(&m, MLREG_ELIMIT, "nested more than 4 deep");
}

static void test_gguf__dimensions_have_a_limit(void **state)
{
    static const uint64_t ones[5] = {1, 1, 1, 1, 1};
    making       m;
    mlr_tensors *t = NULL;

    (void)state;
    start(&m, 3, 1, 0);
    tensor(&m, "w", 4, ones, GGML_F32, 0);
    finish(&m, 32, 4);
    assert_int_equal(read_made(&m, &t, NULL), 0);
    mlr_tensors_free(t);
    free(m.bytes);
    start(&m, 3, 1, 0);
    tensor(&m, "w", 5, ones, GGML_F32, 0);
    finish(&m, 32, 4);
    assert_refused_and_free(&m, MLREG_EPROTO, "more than 4 dimensions");
}

static void test_gguf__lengths_that_no_file_has_are_refused(void **state)
{
    static const uint64_t lengths[] = {64, 1ull << 32, 1ull << 63, UINT64_MAX, UINT64_MAX / 8 + 1};
    making m;

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        start(&m, 3, 0, 1);
        key(&m, "k", STRING);
        number(&m, lengths[i], 8);
        assert_refused_and_free(&m, MLREG_EPROTO, "ends inside its header");
        start(&m, 3, 0, 1);
        key(&m, "k", ARRAY);
        number(&m, U64, 4);
        number(&m, lengths[i], 8);
        assert_refused_and_free(&m, MLREG_EPROTO, "ends inside its header");
        start(&m, 3, 0, 1);
        key(&m, "k", ARRAY);
        number(&m, STRING, 4);
        number(&m, lengths[i], 8);
        assert_refused_and_free(&m, MLREG_EPROTO, "ends inside its header");
    }
}

/* A file that begins with `head` and goes on with zero bytes that nobody stores. */
typedef struct hollow { mlr_reader base; const making *head; } hollow;

static int64_t hollow_read_at(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    const making *head = ((hollow *)(void *)r)->head;

    (void)op;
    (void)err;
    len = offset >= r->bytes ? 0 : r->bytes - offset < len ? (size_t)(r->bytes - offset) : len;
    memset(buf, 0, len);
    if (offset < head->len)
        memcpy(buf, head->bytes + offset, len < head->len - offset ? len : head->len - (size_t)offset);
    return (int64_t)len;
}

static void hollow_free(mlr_reader *r)
{
    (void)r;
}

static const mlr_reader_ops hollow_ops = {.read_at = hollow_read_at, .free = hollow_free};

/* A header of exactly `bytes`, nearly all of it one array. */
static int read_long_header(uint64_t bytes)
{
    making       m;
    hollow       h = {{&hollow_ops, 200000000, -1, false, "hollow"}, &m};
    mlr_tensors *t = NULL;

    start(&m, 3, 0, 1);
    key(&m, "k", ARRAY);
    number(&m, U8, 4);
    number(&m, bytes - (m.len + 8), 8);
    int rc = mlr_gguf_read(&h.base, NULL, &t, NULL);
    mlr_tensors_free(t);
    free(m.bytes);
    return rc;
}

static void test_gguf__the_header_has_a_limit(void **state)
{
    (void)state;
    assert_int_equal(read_long_header(100000000), 0);
    assert_int_equal(read_long_header(100000001), MLREG_ELIMIT);
}

/* ---- damage ---- */

static making rich_sample(void)
{
    making m;

    start(&m, 3, 3, 5);
    key(&m, "general.architecture", STRING);
    text(&m, "llama");
    key(&m, "general.alignment", U32);
    number(&m, 8, 4);
    key(&m, "f", F32);
    number(&m, 0x3F800000, 4);
    key(&m, "words", ARRAY);
    number(&m, STRING, 4);
    number(&m, 2, 8);
    text(&m, "a");
    text(&m, "");
    key(&m, "deep", ARRAY);
    number(&m, ARRAY, 4);
    number(&m, 1, 8);
    number(&m, U16, 4);
    number(&m, 2, 8);
    number(&m, 0, 4);
    tensor(&m, "w", 2, (const uint64_t[]){3, 2}, GGML_F32, 0);
    tensor(&m, "n", 1, (const uint64_t[]){7}, GGML_NEWER, 24);
    tensor(&m, "q", 1, (const uint64_t[]){32}, GGML_Q4_0, 40);
    finish(&m, 8, 58);
    return m;
}

static void test_gguf__survives_every_damage(void **state)
{
    making       m = rich_sample();
    mlr_tensors *t = NULL;

    (void)state;
    assert_int_equal(read_made(&m, &t, NULL), 0);
    assert_tensors_sound(t, m.len);
    mlr_tensors_free(t);
    assert_survives_damage(mlr_gguf_read, m.bytes, m.len);
    for (size_t n = 0; n < m.len; n++) {               /* the last tensor's type is known, so no cut goes unnoticed */
        int rc = tensor_file_read(mlr_gguf_read, m.bytes, n, &t, NULL);
        assert_int_equal(rc, MLREG_EPROTO);
    }
    free(m.bytes);
}

static void test_gguf__out_of_memory_leaves_nothing(void **state)
{
    making        m = rich_sample();
    failing_alloc f;
    bool          fired = true;
    mlr_reader   *r = NULL;

    (void)state;
    assert_int_equal(mlr_reader_from_memory(m.bytes, m.len, "m", &r, NULL), 0);
    for (int n = 1; fired; n++) {
        mlr_tensors *t = NULL;
        failing_alloc_arm(&f, n, false);
        int rc = mlr_gguf_read(r, NULL, &t, NULL);
        fired = failing_alloc_disarm(&f);
        assert_int_equal(rc, fired ? MLREG_ENOMEM : 0);
        assert_int_equal(t == NULL, fired);
        mlr_tensors_free(t);
    }
    mlr_reader_free(r);
    free(m.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gguf__reads_names_shapes_and_places),
        cmocka_unit_test(test_gguf__reads_version_2),
        cmocka_unit_test(test_gguf__a_vocabulary_without_tensors_needs_no_padding),
        cmocka_unit_test(test_gguf__writes_every_number_as_decimal_text),
        cmocka_unit_test(test_gguf__passes_over_arrays),
        cmocka_unit_test(test_gguf__keeps_strings_that_are_short_and_plain),
        cmocka_unit_test(test_gguf__follows_the_alignment_it_names),
        cmocka_unit_test(test_gguf__a_tensor_of_a_newer_type_reaches_to_the_next),
        cmocka_unit_test(test_gguf__refuses_other_versions_and_byte_orders),
        cmocka_unit_test(test_gguf__refuses_places_outside_the_file),
        cmocka_unit_test(test_gguf__refuses_tensors_that_overlap),
        cmocka_unit_test(test_gguf__refuses_names_that_are_there_twice),
        cmocka_unit_test(test_gguf__refuses_shapes_that_wrap_around),
        cmocka_unit_test(test_gguf__refuses_rows_of_broken_blocks),
        cmocka_unit_test(test_gguf__refuses_values_it_cannot_know),
        cmocka_unit_test(test_gguf__refuses_an_alignment_that_is_none),
        cmocka_unit_test(test_gguf__refuses_names_that_are_no_text),
        cmocka_unit_test(test_gguf__counts_have_a_limit),
        cmocka_unit_test(test_gguf__names_have_a_limit),
        cmocka_unit_test(test_gguf__nesting_has_a_limit),
        cmocka_unit_test(test_gguf__dimensions_have_a_limit),
        cmocka_unit_test(test_gguf__lengths_that_no_file_has_are_refused),
        cmocka_unit_test(test_gguf__the_header_has_a_limit),
        cmocka_unit_test(test_gguf__survives_every_damage),
        cmocka_unit_test(test_gguf__out_of_memory_leaves_nothing),
    };
    return cmocka_run_group_tests_name("codec/gguf", tests, NULL, NULL);
}
