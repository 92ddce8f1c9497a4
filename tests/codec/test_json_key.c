/* tests/codec/test_json_key.c - keys found twice, also where hashes tell nothing. */
#include "codec/json_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_json_key__one_spelling_one_hash(void **state)
{
    (void)state;
    assert_true(mlr_json_key_of("size\"", false).hash == mlr_json_key_of("\\u0073i\\u007ae\"", false).hash);
    assert_true(mlr_json_key_of("size\"", false).hash != mlr_json_key_of("Size\"", false).hash);
    assert_true(mlr_json_key_of("size\"", true).hash == mlr_json_key_of("\\u017FiZE\"", true).hash);
    assert_true(mlr_json_key_of("\"", true).hash != mlr_json_key_of("a\"", true).hash);
}

/* What a stranger gets who makes keys collide: they are told apart all the same. */
static void test_json_key__equal_hashes_are_no_clash(void **state)
{
    static const char text[] = "ab\"aa\"ac\"a\"";
    mlr_json_key_mark keys[] = {{7, text}, {7, text + 3}, {7, text + 6}, {7, text + 9}};
    bool              differ_by_case = false;

    (void)state;
    assert_null(mlr_json_key_clash(keys, 4, true, &differ_by_case));
    assert_null(mlr_json_key_clash(keys, 1, true, &differ_by_case));
}

static void test_json_key__gives_the_earliest_second(void **state)
{
    static const char text[] = "x\"b\"B\"x\"b\"";
    mlr_json_key_mark keys[5];
    bool              differ_by_case = false;

    (void)state;
    for (size_t i = 0; i < 5; i++)
        keys[i] = mlr_json_key_of(text + 2 * i, true);
    assert_ptr_equal(mlr_json_key_clash(keys, 5, true, &differ_by_case), text + 4);
    assert_true(differ_by_case);
    for (size_t i = 0; i < 5; i++)
        keys[i] = mlr_json_key_of(text + 2 * i, false);
    assert_ptr_equal(mlr_json_key_clash(keys, 5, false, &differ_by_case), text + 6);
    assert_false(differ_by_case);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_key__one_spelling_one_hash),
        cmocka_unit_test(test_json_key__equal_hashes_are_no_clash),
        cmocka_unit_test(test_json_key__gives_the_earliest_second),
    };
    return cmocka_run_group_tests_name("codec/json_key", tests, NULL, NULL);
}
