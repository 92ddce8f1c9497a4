/* tests/codec/test_gguf_refused.c - GGUF headers that do not add up, or are too much: refused with the reason. */
#include "codec/gguf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bed/failing_alloc.h"
#include "codec/gguf_bed.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests_name("codec/gguf_refused", tests, NULL, NULL);
}
