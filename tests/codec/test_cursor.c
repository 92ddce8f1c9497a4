/* tests/codec/test_cursor.c - reading a header through a window: nothing lost at its edges, nothing read past limits. */
#include "codec/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"

#define FILE_BYTES 200000                      /* several windows */

typedef struct fixture { uint8_t *bytes; mlr_reader *reader; mlr_cursor c; } fixture;

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 7 + i / 251);
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->bytes = malloc(FILE_BYTES);
    assert_non_null(f->bytes);
    for (size_t i = 0; i < FILE_BYTES; i++)
        f->bytes[i] = byte_at(i);
    assert_int_equal(mlr_reader_from_memory(f->bytes, FILE_BYTES, "f", &f->reader, NULL), 0);
    assert_int_equal(mlr_cursor_init(&f->c, f->reader, UINT64_MAX, NULL, NULL), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    mlr_cursor_done(&f->c);
    mlr_reader_free(f->reader);
    free(f->bytes);
    free(f);
    return 0;
}

static void test_cursor__reads_on_over_the_edges_of_its_window(void **state)
{
    fixture *f = *state;
    uint8_t  got[997];

    for (size_t at = 0; at < FILE_BYTES;) {
        size_t n = FILE_BYTES - at < sizeof got ? FILE_BYTES - at : sizeof got;
        assert_int_equal(mlr_cursor_bytes(&f->c, got, n, NULL), 0);
        assert_memory_equal(got, f->bytes + at, n);
        at += n;
        assert_int_equal(f->c.at, at);
    }
}

static void test_cursor__reads_more_than_a_window_at_once(void **state)
{
    fixture *f = *state;
    uint8_t *got = malloc(FILE_BYTES);

    assert_non_null(got);
    assert_int_equal(mlr_cursor_bytes(&f->c, got, FILE_BYTES, NULL), 0);
    assert_memory_equal(got, f->bytes, FILE_BYTES);
    free(got);
}

static void test_cursor__skips_near_and_far(void **state)
{
    static const size_t skips[] = {0, 1, 1000, 64 << 10, 100000};
    fixture *f = *state;
    size_t   at = 0;
    uint8_t  b;

    for (size_t i = 0; i < sizeof skips / sizeof skips[0]; i++) {
        assert_int_equal(mlr_cursor_skip(&f->c, skips[i], NULL), 0);
        assert_int_equal(mlr_cursor_bytes(&f->c, &b, 1, NULL), 0);
        at += skips[i];
        assert_int_equal(b, byte_at(at++));
    }
}

static void test_cursor__numbers_are_little_endian(void **state)
{
    fixture *f = *state;
    uint32_t u;
    uint64_t v;

    memcpy(f->bytes, "\x78\x56\x34\x12\xf0\xde\xbc\x9a\x78\x56\x34\x82", 12);
    assert_int_equal(mlr_cursor_u32(&f->c, &u, NULL), 0);
    assert_true(u == 0x12345678);
    assert_int_equal(mlr_cursor_u64(&f->c, &v, NULL), 0);
    assert_true(v == 0x823456789ABCDEF0);
}

static void test_cursor__stops_at_the_end_of_the_file(void **state)
{
    fixture     *f = *state;
    mlreg_error *err = NULL;
    uint32_t     u;

    assert_int_equal(mlr_cursor_skip(&f->c, FILE_BYTES - 3, NULL), 0);
    assert_int_equal(mlr_cursor_u32(&f->c, &u, &err), MLREG_EPROTO);
    assert_string_equal(err->message, "f: ends inside its header");
    mlr_error_done(err);
    assert_int_equal(mlr_cursor_skip(&f->c, UINT64_MAX, NULL), MLREG_EPROTO);
    assert_int_equal(mlr_cursor_skip(&f->c, 3, NULL), 0);
    assert_int_equal(mlr_cursor_skip(&f->c, 1, NULL), MLREG_EPROTO);
}

static void test_cursor__stops_at_the_limit_of_the_header(void **state)
{
    fixture *f = *state;
    uint64_t v;

    f->c.max_bytes = 8;
    assert_int_equal(mlr_cursor_skip(&f->c, 9, NULL), MLREG_ELIMIT);
    assert_int_equal(mlr_cursor_u64(&f->c, &v, NULL), 0);
    assert_int_equal(mlr_cursor_skip(&f->c, 0, NULL), 0);
    assert_int_equal(mlr_cursor_skip(&f->c, 1, NULL), MLREG_ELIMIT);
}

static void test_cursor__a_cancel_ends_it(void **state)
{
    fixture *f = *state;
    mlr_op  *op = NULL;
    uint32_t u;

    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    f->c.op = op;
    mlr_op_cancel(op);
    assert_int_equal(mlr_cursor_u32(&f->c, &u, NULL), MLREG_ECANCELLED);
    mlr_op_end(op);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cursor__reads_on_over_the_edges_of_its_window, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cursor__reads_more_than_a_window_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cursor__skips_near_and_far, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cursor__numbers_are_little_endian, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cursor__stops_at_the_end_of_the_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cursor__stops_at_the_limit_of_the_header, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cursor__a_cancel_ends_it, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("codec/cursor", tests, NULL, NULL);
}
