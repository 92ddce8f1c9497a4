/* tests/base/test_bloblog.c - which blobs a call is done with, and how long each took. */
#include "base/bloblog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "bed/failing_alloc.h"

static int set_up(void **state)
{
    static mlr_bloblog log;

    mlr_bloblog_init(&log);
    *state = &log;
    return 0;
}

static int tear_down(void **state)
{
    mlr_bloblog_done(*state);
    return 0;
}

static void test_bloblog__tells_what_it_was_told_in_that_order(void **state)
{
    mlreg_blob_stats b = { .size = 7 };

    assert_false(mlr_bloblog_at(*state, 0, &b));
    mlr_bloblog_add(*state, "one", 1, 2, 3);
    mlr_bloblog_add(*state, "two", 4, 5, 6);
    assert_true(mlr_bloblog_at(*state, 1, &b));
    assert_string_equal(b.name, "two");
    assert_int_equal(b.bytes, 4);
    assert_int_equal(b.began_ms, 5);
    assert_int_equal(b.elapsed_ms, 6);
    assert_int_equal(b.size, 7);
    assert_true(mlr_bloblog_at(*state, 0, &b));
    assert_string_equal(b.name, "one");
    assert_false(mlr_bloblog_at(*state, 2, &b));
}

static void test_bloblog__names_stay_where_they_are(void **state)
{
    mlreg_blob_stats first, again;

    mlr_bloblog_add(*state, "first", 1, 1, 1);
    assert_true(mlr_bloblog_at(*state, 0, &first));
    for (int i = 0; i < 1000; i++)
        mlr_bloblog_add(*state, "another", 1, 1, 1);
    assert_true(mlr_bloblog_at(*state, 0, &again));
    assert_ptr_equal(first.name, again.name);
    assert_string_equal(first.name, "first");
}

static void test_bloblog__does_not_grow_for_ever(void **state)
{
    mlreg_blob_stats b;

    for (int i = 0; i < MLR_BLOBLOG_MOST + 1; i++)
        mlr_bloblog_add(*state, "n", 1, 1, 1);
    assert_true(mlr_bloblog_at(*state, MLR_BLOBLOG_MOST - 1, &b));
    assert_false(mlr_bloblog_at(*state, MLR_BLOBLOG_MOST, &b));
}

static void test_bloblog__leaves_out_what_there_is_no_memory_for(void **state)
{
    mlreg_blob_stats b;
    failing_alloc    f;

    failing_alloc_arm(&f, 1, true);
    mlr_bloblog_add(*state, "lost", 1, 1, 1);
    assert_true(failing_alloc_disarm(&f));
    mlr_bloblog_add(*state, "kept", 1, 1, 1);
    assert_true(mlr_bloblog_at(*state, 0, &b));
    assert_string_equal(b.name, "kept");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bloblog__tells_what_it_was_told_in_that_order),
        TEST(test_bloblog__names_stay_where_they_are),
        TEST(test_bloblog__does_not_grow_for_ever),
        TEST(test_bloblog__leaves_out_what_there_is_no_memory_for),
    };

    return cmocka_run_group_tests_name("base/bloblog", tests, NULL, NULL);
}
