/* tests/codec/test_safetensors.c - safetensors headers: good ones as they are, others refused with the reason. */
#include "codec/safetensors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bed/failing_alloc.h"
#include "codec/tensor_file.h"

/* A file with this header and `data_bytes` of data; the caller frees it. */
static uint8_t *file_of(const char *header, size_t data_bytes, size_t *len)
{
    size_t   n = strlen(header);
    uint8_t *file = calloc(1, 8 + n + data_bytes);

    assert_non_null(file);
    for (int i = 0; i < 8; i++)
        file[i] = (uint8_t)((uint64_t)n >> 8 * i);
    memcpy(file + 8, header, n);
    *len = 8 + n + data_bytes;
    return file;
}

static int read_file(const char *header, size_t data_bytes, mlr_tensors **out, mlreg_error **err)
{
    size_t   len;
    uint8_t *file = file_of(header, data_bytes, &len);
    int      rc = tensor_file_read(mlr_safetensors_read, file, len, out, err);

    free(file);
    return rc;
}

static void assert_refused(const char *header, size_t data_bytes, int code, const char *reason)
{
    mlr_tensors *t = NULL;
    mlreg_error *err = NULL;
    int          rc = read_file(header, data_bytes, &t, &err);

    if (rc != code)
        fail_msg("%d, not %d: %s", rc, code, header);
    assert_null(t);
    if (strstr(err->message, reason) == NULL || strncmp(err->message, "m.bin: ", 7) != 0)
        fail_msg("%s: \"%s\" does not say \"%s\"", header, err->message, reason);
    mlr_error_done(err);
}

static const char good[] =
    "{\"__metadata__\":{\"format\":\"pt\",\"note\":\"\\u00e9\"},"
    "\"b\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[4,16]},"
    "\"a\":{\"shape\":[],\"dtype\":\"F32\",\"data_offsets\":[0,4],\"later\":{\"x\":[]}},"
    "\"none\":{\"dtype\":\"I64\",\"shape\":[0,7],\"data_offsets\":[16,16]},"
    "\"B\":{\"dtype\":\"U8\",\"shape\":[1,2,1],\"data_offsets\":[16,18]}}   ";

static void test_safetensors__reads_names_shapes_and_places(void **state)
{
    mlr_tensors      *t = NULL;
    const mlr_tensor *x;
    size_t            at = 8 + strlen(good);

    (void)state;
    assert_int_equal(read_file(good, 18, &t, NULL), 0);
    assert_int_equal(mlr_tensors_count(t), 4);
    x = mlr_tensors_at(t, 0);
    assert_string_equal(x->name, "a");
    assert_string_equal(x->dtype, "F32");
    assert_int_equal(x->rank, 0);
    assert_int_equal(x->begin, at);
    assert_int_equal(x->end, at + 4);
    x = mlr_tensors_at(t, 1);
    assert_string_equal(x->name, "b");
    assert_int_equal(x->rank, 2);
    assert_int_equal(x->shape[0], 2);
    assert_int_equal(x->shape[1], 3);
    assert_string_equal(mlr_tensors_at(t, 2)->name, "none");
    assert_string_equal(mlr_tensors_at(t, 3)->name, "B");
    assert_int_equal(mlr_tensors_at(t, 3)->end, at + 18);
    assert_string_equal(mlr_tensors_metadata(t, "format"), "pt");
    assert_string_equal(mlr_tensors_metadata(t, "note"), "\xC3\xA9");
    assert_null(mlr_tensors_metadata(t, "a"));
    mlr_tensors_free(t);
}

static void test_safetensors__an_empty_file_of_tensors_is_fine(void **state)
{
    mlr_tensors *t = NULL;

    (void)state;
    assert_int_equal(read_file("{}", 0, &t, NULL), 0);
    assert_int_equal(mlr_tensors_count(t), 0);
    mlr_tensors_free(t);
}

static void test_safetensors__knows_every_dtype(void **state)
{
    static const struct { const char *name; unsigned elements, bytes; } cases[] = {
        {"BOOL", 3, 3}, {"U8", 3, 3}, {"I8", 3, 3}, {"U16", 3, 6}, {"I16", 3, 6}, {"U32", 3, 12}, {"I32", 3, 12},
        {"U64", 3, 24}, {"I64", 3, 24}, {"F16", 3, 6}, {"BF16", 3, 6}, {"F32", 3, 12}, {"F64", 3, 24}, {"C64", 3, 24},
        {"F8_E4M3", 3, 3}, {"F8_E5M2", 3, 3}, {"F8_E8M0", 3, 3}, {"F8_E4M3FNUZ", 3, 3}, {"F8_E5M2FNUZ", 3, 3},
        {"F6_E2M3", 4, 3}, {"F6_E3M2", 8, 6}, {"F4", 6, 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mlr_tensors *t = NULL;
        char         header[200];
        snprintf(header, sizeof header, "{\"x\":{\"dtype\":\"%s\",\"shape\":[%u],\"data_offsets\":[0,%u]}}",
                 cases[i].name, cases[i].elements, cases[i].bytes);
        if (read_file(header, cases[i].bytes, &t, NULL) != 0)
            fail_msg("refused: %s", header);
        mlr_tensors_free(t);
    }
    assert_refused("{\"x\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,2]}}", 2, MLREG_EPROTO, "disagree");
    assert_refused("{\"x\":{\"dtype\":\"f32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, MLREG_EPROTO,
                   "unknown dtype \"f32\"");
}

#define ONE(shape, offsets) "{\"x\":{\"dtype\":\"U8\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define TWO(a, b) "{\"x\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":" a "}," \
                  "\"y\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":" b "}}"

static void test_safetensors__refuses_places_that_do_not_add_up(void **state)
{
    (void)state;
    assert_refused(TWO("[0,2]", "[1,3]"), 4, MLREG_EPROTO, "tensor \"y\": overlaps");
    assert_refused(TWO("[0,2]", "[0,2]"), 2, MLREG_EPROTO, "overlaps");
    assert_refused(TWO("[0,2]", "[3,5]"), 5, MLREG_EPROTO, "tensor \"y\": leaves a hole");
    assert_refused(TWO("[1,3]", "[3,5]"), 5, MLREG_EPROTO, "tensor \"x\": leaves a hole");
    assert_refused(TWO("[0,2]", "[2,4]"), 5, MLREG_EPROTO, "1 bytes at its end");
    assert_refused(TWO("[0,2]", "[2,4]"), 3, MLREG_EPROTO, "outside the file");
    assert_refused("{}", 1, MLREG_EPROTO, "1 bytes at its end");
    assert_refused(ONE("[2]", "[2,0]"), 2, MLREG_EPROTO, "outside the file");
    assert_refused(ONE("[2]", "[0,1]"), 2, MLREG_EPROTO, "disagree");
    assert_refused(ONE("[2]", "[0,18446744073709551615]"), 2, MLREG_EPROTO, "outside the file");
    assert_refused(ONE("[2]", "[18446744073709551615,18446744073709551615]"), 2, MLREG_EPROTO, "outside the file");
}

static void test_safetensors__refuses_shapes_that_wrap_around(void **state)
{
    (void)state;
    assert_refused(ONE("[4294967296,4294967296]", "[0,0]"), 0, MLREG_EPROTO, "more bytes than any file");
    assert_refused(ONE("[18446744073709551615,2]", "[0,2]"), 2, MLREG_EPROTO, "more bytes than any file");
    assert_refused(ONE("[2305843009213693952]", "[0,0]"), 0, MLREG_EPROTO, "more bytes than any file");
    assert_refused(ONE("[18446744073709551616]", "[0,0]"), 0, MLREG_EPROTO, "no size");
}

static void test_safetensors__refuses_members_of_the_wrong_kind(void **state)
{
    (void)state;
    assert_refused("{\"x\":1}", 0, MLREG_EPROTO, "no object");
    assert_refused("{\"x\":{}}", 0, MLREG_EPROTO, "no dtype");
    assert_refused("{\"x\":{\"dtype\":8}}", 0, MLREG_EPROTO, "no dtype");
    assert_refused("{\"x\":{\"dtype\":\"U8\"}}", 0, MLREG_EPROTO, "no shape");
    assert_refused(ONE("{}", "[0,1]"), 1, MLREG_EPROTO, "no shape");
    assert_refused(ONE("[-1]", "[0,1]"), 1, MLREG_EPROTO, "no size");
    assert_refused(ONE("[1.0]", "[0,1]"), 1, MLREG_EPROTO, "no size");
    assert_refused(ONE("[1]", "[0]"), 1, MLREG_EPROTO, "two sizes");
    assert_refused(ONE("[1]", "[0,1,1]"), 1, MLREG_EPROTO, "two sizes");
    assert_refused(ONE("[1]", "[\"0\",1]"), 1, MLREG_EPROTO, "two sizes");
    assert_refused("{\"__metadata__\":[]}", 0, MLREG_EPROTO, "__metadata__ is no object");
    assert_refused("{\"__metadata__\":{\"k\":1}}", 0, MLREG_EPROTO, "\"k\" is no string");
}

static void test_safetensors__refuses_headers_that_are_no_strict_json(void **state)
{
    (void)state;
    assert_refused(TWO("[0,2]", "[2,4]") "x", 4, MLREG_EPROTO, "bytes behind");
    assert_refused("{\"x\":{},\"x\":{}}", 0, MLREG_EPROTO, "duplicate key \"x\"");
    assert_refused("{\"x\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}", 0, MLREG_EPROTO, "duplicate key \"dtype\"");
    assert_refused(" {}", 0, MLREG_EPROTO, "no JSON object");
    assert_refused("[]", 0, MLREG_EPROTO, "no JSON object");
    assert_refused("", 0, MLREG_EPROTO, "no JSON object");
    assert_refused("{\"\\u0000\":{}}", 0, MLREG_EPROTO, "\\u0000");
}

static void test_safetensors__the_rank_has_a_limit(void **state)
{
    mlr_tensors *t = NULL;

    (void)state;
    assert_int_equal(read_file(ONE("[1,1,1,1,1,1,1,1]", "[0,1]"), 1, &t, NULL), 0);
    assert_int_equal(mlr_tensors_at(t, 0)->rank, 8);
    mlr_tensors_free(t);
    assert_refused(ONE("[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1, MLREG_ELIMIT, "9 dimensions");
}

static void test_safetensors__refuses_a_header_longer_than_the_file(void **state)
{
    static const uint8_t lies[][10] = {
        {3, 0, 0, 0, 0, 0, 0, 0, '{', '}'}, {255, 255, 255, 255, 255, 255, 255, 255, '{', '}'},
        {2, 0, 0, 0, 0, 0, 0, 1, '{', '}'},
    };

    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        mlr_tensors *t = NULL;
        assert_int_equal(tensor_file_read(mlr_safetensors_read, lies[i], sizeof lies[i], &t, NULL), MLREG_EPROTO);
        assert_int_equal(tensor_file_read(mlr_safetensors_read, lies[i], 7, &t, NULL), MLREG_EPROTO);
        assert_null(t);
    }
}

/* ---- the limit of the header's size, on a file that is mostly blanks and never in memory ---- */

typedef struct blanks { mlr_reader base; uint64_t header_bytes; } blanks;

static int64_t blanks_read_at(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    uint64_t header_bytes = ((blanks *)(void *)r)->header_bytes;
    uint8_t  start[10] = {0};

    (void)op;
    (void)err;
    len = offset >= r->bytes ? 0 : r->bytes - offset < len ? (size_t)(r->bytes - offset) : len;
    for (int i = 0; i < 8; i++)
        start[i] = (uint8_t)(header_bytes >> 8 * i);
    memcpy(start + 8, "{}", 2);
    memset(buf, ' ', len);
    for (size_t i = 0; i < len && offset + i < sizeof start; i++)
        ((uint8_t *)buf)[i] = start[offset + i];
    return (int64_t)len;
}

static void blanks_free(mlr_reader *r)
{
    (void)r;
}

static const mlr_reader_ops blanks_ops = {.read_at = blanks_read_at, .free = blanks_free};

static int read_blanks(uint64_t header_bytes)
{
    blanks       b = {{&blanks_ops, 8 + header_bytes, -1, false, "blanks"}, header_bytes};
    mlr_tensors *t = NULL;
    int          rc = mlr_safetensors_read(&b.base, NULL, &t, NULL);

    mlr_tensors_free(t);
    return rc;
}

static void test_safetensors__the_header_has_a_limit(void **state)
{
    (void)state;
    assert_int_equal(read_blanks(100000000), 0);
    assert_int_equal(read_blanks(100000001), MLREG_EPROTO);
}

static void test_safetensors__survives_every_damage(void **state)
{
    size_t   len;
    uint8_t *file = file_of(good, 18, &len);

    (void)state;
    assert_survives_damage(mlr_safetensors_read, file, len);
    for (size_t n = 0; n < len; n++) {                 /* here a cut is never acceptable: the cover is exact */
        mlr_tensors *t = NULL;
        assert_int_equal(tensor_file_read(mlr_safetensors_read, file, n, &t, NULL), MLREG_EPROTO);
    }
    free(file);
}

static void test_safetensors__out_of_memory_leaves_nothing(void **state)
{
    failing_alloc f;
    bool          fired = true;
    size_t        len;
    uint8_t      *file = file_of(good, 18, &len);
    mlr_reader   *r = NULL;

    (void)state;
    assert_int_equal(mlr_reader_from_memory(file, len, "m", &r, NULL), 0);
    for (int n = 1; fired; n++) {
        mlr_tensors *t = NULL;
        failing_alloc_arm(&f, n, false);
        int rc = mlr_safetensors_read(r, NULL, &t, NULL);
        fired = failing_alloc_disarm(&f);
        assert_int_equal(rc, fired ? MLREG_ENOMEM : 0);
        assert_int_equal(t == NULL, fired);
        mlr_tensors_free(t);
    }
    mlr_reader_free(r);
    free(file);
}

static void test_safetensors__many_tensors_take_no_tree(void **state)
{
    size_t       n = 50000;
    char        *header = malloc(n * 120 + 3), *p = header;
    mlr_tensors *t = NULL;

    (void)state;
    assert_non_null(header);
    for (size_t i = 0; i < n; i++)
        p += sprintf(p, "%c\"model.layers.%zu.weight\":{\"dtype\":\"F16\",\"shape\":[1,2],\"data_offsets\":[%zu,%zu]}",
                     i == 0 ? '{' : ',', i, 4 * i, 4 * i + 4);
    strcpy(p, "}");
    assert_int_equal(read_file(header, 4 * n, &t, NULL), 0);
    assert_int_equal(mlr_tensors_count(t), n);
    mlr_tensors_free(t);
    free(header);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safetensors__reads_names_shapes_and_places),
        cmocka_unit_test(test_safetensors__an_empty_file_of_tensors_is_fine),
        cmocka_unit_test(test_safetensors__knows_every_dtype),
        cmocka_unit_test(test_safetensors__refuses_places_that_do_not_add_up),
        cmocka_unit_test(test_safetensors__refuses_shapes_that_wrap_around),
        cmocka_unit_test(test_safetensors__refuses_members_of_the_wrong_kind),
        cmocka_unit_test(test_safetensors__refuses_headers_that_are_no_strict_json),
        cmocka_unit_test(test_safetensors__the_rank_has_a_limit),
        cmocka_unit_test(test_safetensors__refuses_a_header_longer_than_the_file),
        cmocka_unit_test(test_safetensors__the_header_has_a_limit),
        cmocka_unit_test(test_safetensors__survives_every_damage),
        cmocka_unit_test(test_safetensors__out_of_memory_leaves_nothing),
        cmocka_unit_test(test_safetensors__many_tensors_take_no_tree),
    };
    return cmocka_run_group_tests_name("codec/safetensors", tests, NULL, NULL);
}
