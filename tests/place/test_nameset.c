/* tests/place/test_nameset.c - a set that grows, and says of each name whether it was seen. */
#include "place/nameset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "bed/failing_alloc.h"

#define MANY 10000

static char names[MANY][16];

static void test_nameset__is_empty_at_first(void **state)
{
    mlr_nameset s = {NULL, 0, 0};

    (void)state;
    assert_false(mlr_nameset_has(&s, "v1"));
    mlr_nameset_done(&s);
}

static void test_nameset__has_what_was_put_and_nothing_else(void **state)
{
    mlr_nameset s = {NULL, 0, 0};

    (void)state;
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "v%d", i);
        assert_false(mlr_nameset_has(&s, names[i]));
        assert_int_equal(mlr_nameset_put(&s, names[i], NULL), 0);
    }
    for (int i = 0; i < MANY; i++)
        assert_true(mlr_nameset_has(&s, names[i]));
    assert_false(mlr_nameset_has(&s, "v"));
    assert_false(mlr_nameset_has(&s, ""));
    mlr_nameset_done(&s);
}

static void test_nameset__stays_as_it_was_where_memory_is_out(void **state)
{
    mlr_nameset   s = {NULL, 0, 0};
    failing_alloc f;

    (void)state;
    assert_int_equal(mlr_nameset_put(&s, "first", NULL), 0);
    failing_alloc_arm(&f, 1, true);
    for (int i = 0, rc = 0; rc == 0; i++) {
        snprintf(names[i], sizeof names[i], "v%d", i);
        rc = mlr_nameset_put(&s, names[i], NULL);
        assert_int_equal(mlr_nameset_has(&s, names[i]), rc == 0);
        assert_true(rc == 0 || rc == MLREG_ENOMEM);
    }
    assert_true(failing_alloc_disarm(&f));
    assert_true(mlr_nameset_has(&s, "first"));
    mlr_nameset_done(&s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nameset__is_empty_at_first),
        cmocka_unit_test(test_nameset__has_what_was_put_and_nothing_else),
        cmocka_unit_test(test_nameset__stays_as_it_was_where_memory_is_out),
    };

    return cmocka_run_group_tests_name("place/nameset", tests, NULL, NULL);
}
