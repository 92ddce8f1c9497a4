/* tests/base/test_buf.c - a buffer that grows, and never past its bound. */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/error.h"

static void test_buf__adds_and_ends_in_a_zero(void **state)
{
    mlr_buf b = MLR_BUF_INIT(1000);

    (void)state;
    assert_int_equal(mlr_buf_add(&b, "ab", 2, NULL), 0);
    assert_int_equal(mlr_buf_puts(&b, "cd", NULL), 0);
    assert_int_equal(mlr_buf_printf(&b, NULL, "-%d", 12), 0);
    assert_int_equal(b.len, 7);
    assert_string_equal(b.data, "abcd-12");
    mlr_buf_clear(&b);
    assert_string_equal(b.data, "");
    assert_int_equal(b.len, 0);
    mlr_buf_done(&b);
}

static void test_buf__adding_nothing_makes_a_string(void **state)
{
    mlr_buf b = MLR_BUF_INIT(0);

    (void)state;
    assert_int_equal(mlr_buf_add(&b, NULL, 0, NULL), 0);
    assert_string_equal(b.data, "");
    mlr_buf_done(&b);
}

static void test_buf__the_bound_is_reached_and_not_passed(void **state)
{
    mlr_buf      b = MLR_BUF_INIT(300);
    mlreg_error *e = NULL;
    char         block[300];

    (void)state;
    memset(block, 'x', sizeof block);
    assert_int_equal(mlr_buf_add(&b, block, 300, &e), 0);
    assert_int_equal(mlr_buf_add(&b, "y", 1, &e), MLREG_ELIMIT);
    assert_int_equal(b.len, 300);
    assert_int_equal(b.data[300], 0);
    assert_non_null(strstr(e->message, "300"));
    mlr_error_done(e);
    assert_int_equal(mlr_buf_printf(&b, NULL, "z"), MLREG_ELIMIT);
    assert_int_equal(mlr_buf_reserve(&b, SIZE_MAX, NULL), MLREG_ELIMIT);
    assert_int_equal(b.len, 300);
    assert_true(b.cap <= 301);
    mlr_buf_done(&b);
}

static void test_buf__without_a_bound_sizes_still_do_not_wrap(void **state)
{
    mlr_buf b = MLR_BUF_INIT(SIZE_MAX);

    (void)state;
    assert_int_equal(mlr_buf_puts(&b, "abc", NULL), 0);
    assert_int_equal(mlr_buf_reserve(&b, SIZE_MAX - 3, NULL), MLREG_ENOMEM);
    assert_int_equal(mlr_buf_reserve(&b, SIZE_MAX / 2, NULL), MLREG_ENOMEM);
    assert_string_equal(b.data, "abc");
    mlr_buf_done(&b);
}

static void test_buf__grows_over_many_additions(void **state)
{
    mlr_buf b = MLR_BUF_INIT(1 << 20);

    (void)state;
    for (int i = 0; i < 10000; i++)
        assert_int_equal(mlr_buf_printf(&b, NULL, "%05d", i), 0);
    assert_int_equal(b.len, 50000);
    for (int i = 0; i < 10000; i++) {
        char five[6] = {0};

        memcpy(five, b.data + 5 * i, 5);
        assert_int_equal(atoi(five), i);
    }
    mlr_buf_done(&b);
}

static void test_buf__take_hands_the_bytes_over(void **state)
{
    mlr_buf b = MLR_BUF_INIT(10);
    char   *empty, *text;

    (void)state;
    empty = mlr_buf_take(&b);
    assert_string_equal(empty, "");
    mlr_buf_puts(&b, "abc", NULL);
    text = mlr_buf_take(&b);
    assert_string_equal(text, "abc");
    assert_null(b.data);
    assert_int_equal(b.len, 0);
    mlr_buf_puts(&b, "again", NULL);
    assert_string_equal(b.data, "again");
    mlr_buf_done(&b);
    mlr_free(empty);
    mlr_free(text);
}

static int refuse;
static char released[4096];

static void *watching_resize(void *user, void *p, size_t bytes)
{
    (void)user;
    return refuse ? NULL : realloc(p, bytes);
}

static void watching_release(void *user, void *p)
{
    memcpy(released, p, *(size_t *)user);
    free(p);
}

static void test_buf__out_of_memory_changes_nothing(void **state)
{
    mlr_allocator watching = {watching_resize, watching_release, &(size_t){0}};
    mlr_buf       b = MLR_BUF_INIT(10000);
    mlreg_error  *e = NULL;
    char          block[5000] = {0};

    (void)state;
    mlr_alloc_use(&watching);
    mlr_buf_puts(&b, "abc", NULL);
    refuse = 1;
    assert_int_equal(mlr_buf_add(&b, block, sizeof block, &e), MLREG_ENOMEM);
    assert_int_equal(e->code, MLREG_ENOMEM);
    assert_string_equal(b.data, "abc");
    refuse = 0;
    mlr_buf_done(&b);
    mlr_alloc_use(NULL);
}

static void test_buf__wipe_zeroes_the_bytes_before_they_go(void **state)
{
    size_t        watched = 6;
    mlr_allocator watching = {watching_resize, watching_release, &watched};
    mlr_buf       b = MLR_BUF_INIT(100);

    (void)state;
    mlr_alloc_use(&watching);
    mlr_buf_puts(&b, "secret", NULL);
    memset(released, 'x', sizeof released);
    mlr_buf_wipe(&b);
    mlr_alloc_use(NULL);
    assert_memory_equal(released, "\0\0\0\0\0\0", 6);
    assert_null(b.data);
    mlr_buf_wipe(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf__adds_and_ends_in_a_zero),
        cmocka_unit_test(test_buf__adding_nothing_makes_a_string),
        cmocka_unit_test(test_buf__the_bound_is_reached_and_not_passed),
        cmocka_unit_test(test_buf__without_a_bound_sizes_still_do_not_wrap),
        cmocka_unit_test(test_buf__grows_over_many_additions),
        cmocka_unit_test(test_buf__take_hands_the_bytes_over),
        cmocka_unit_test(test_buf__out_of_memory_changes_nothing),
        cmocka_unit_test(test_buf__wipe_zeroes_the_bytes_before_they_go),
    };
    return cmocka_run_group_tests_name("base/buf", tests, NULL, NULL);
}
