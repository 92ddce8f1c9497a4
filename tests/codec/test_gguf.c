/* tests/codec/test_gguf.c - GGUF headers: good ones as they are, and damaged ones without harm. */
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
        cmocka_unit_test(test_gguf__survives_every_damage),
        cmocka_unit_test(test_gguf__out_of_memory_leaves_nothing),
    };
    return cmocka_run_group_tests_name("codec/gguf", tests, NULL, NULL);
}
