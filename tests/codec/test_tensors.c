/* tests/codec/test_tensors.c - the list of tensors: kept, sorted, added up. */
#include "codec/tensors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "bed/failing_alloc.h"

static mlr_tensors *list(void)
{
    mlr_tensors *t = NULL;

    assert_int_equal(mlr_tensors_new(&t, NULL), 0);
    return t;
}

static void add(mlr_tensors *t, const char *name, uint64_t begin, uint64_t end)
{
    mlr_tensor x = {.name = name, .dtype = "U8", .shape = {end - begin}, .rank = 1, .begin = begin, .end = end};

    assert_int_equal(mlr_tensors_add(t, &x, NULL), 0);
}

static void test_tensors__stand_in_file_order(void **state)
{
    static const char *const order[] = {"a", "empty", "b", "c"};
    mlr_tensors *t = list();

    (void)state;
    add(t, "c", 30, 40);
    add(t, "b", 10, 30);
    add(t, "empty", 10, 10);
    add(t, "a", 0, 10);
    mlr_tensors_finish(t);
    assert_int_equal(mlr_tensors_count(t), 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(mlr_tensors_at(t, i)->name, order[i]);
    assert_null(mlr_tensors_at(t, 4));
    assert_null(mlr_tensors_edit(t, 4));
    mlr_tensors_free(t);
}

static void test_tensors__keep_their_own_copies(void **state)
{
    char         name[] = "weight", dtype[] = "BF16";
    mlr_tensor   x = {.name = name, .dtype = dtype, .shape = {2, 3}, .rank = 2, .begin = 8, .end = 20};
    mlr_tensors *t = list();

    (void)state;
    assert_int_equal(mlr_tensors_add(t, &x, NULL), 0);
    memset(name, 'x', sizeof name - 1);
    memset(dtype, 'x', sizeof dtype - 1);
    assert_string_equal(mlr_tensors_at(t, 0)->name, "weight");
    assert_string_equal(mlr_tensors_at(t, 0)->dtype, "BF16");
    assert_int_equal(mlr_tensors_at(t, 0)->shape[1], 3);
    mlr_tensors_free(t);
}

static void test_tensors__elements_are_counted_unless_they_are_too_many(void **state)
{
    const mlr_tensor scalar = {.name = "s", .dtype = "F32"};
    const mlr_tensor grid = {.name = "g", .dtype = "F32", .shape = {1000, 1000, 7}, .rank = 3};
    const mlr_tensor beyond = {.name = "b", .dtype = "F32", .shape = {UINT64_MAX, 2}, .rank = 2};
    uint64_t         n;

    (void)state;
    assert_true(mlr_tensor_elements(&scalar, &n) && n == 1);
    assert_true(mlr_tensor_elements(&grid, &n) && n == 7000000);
    assert_false(mlr_tensor_elements(&beyond, &n));
}

static void test_tensors__metadata_is_found_by_key(void **state)
{
    mlr_tensors *t = list();

    (void)state;
    mlr_tensors_finish(t);
    assert_null(mlr_tensors_metadata(t, "a"));
    assert_int_equal(mlr_tensors_add_metadata(t, "z", "26", NULL), 0);
    assert_int_equal(mlr_tensors_add_metadata(t, "array", NULL, NULL), 0);
    assert_int_equal(mlr_tensors_add_metadata(t, "a", "", NULL), 0);
    mlr_tensors_finish(t);
    assert_string_equal(mlr_tensors_metadata(t, "z"), "26");
    assert_string_equal(mlr_tensors_metadata(t, "a"), "");
    assert_null(mlr_tensors_metadata(t, "array"));
    assert_null(mlr_tensors_metadata(t, "b"));
    mlr_tensors_free(t);
}

static void test_tensors__a_name_is_there_once(void **state)
{
    mlr_tensors *t = list();
    mlreg_error *err = NULL;

    (void)state;
    add(t, "b", 0, 1);
    add(t, "a", 1, 2);
    assert_int_equal(mlr_tensors_add_metadata(t, "k", NULL, NULL), 0);
    mlr_tensors_finish(t);
    assert_int_equal(mlr_tensors_check_names(t, "f", NULL), 0);
    assert_int_equal(mlr_tensors_add_metadata(t, "k", "v", NULL), 0);
    mlr_tensors_finish(t);
    assert_int_equal(mlr_tensors_check_names(t, "f", NULL), MLREG_EPROTO);
    add(t, "b", 2, 3);
    assert_int_equal(mlr_tensors_check_names(t, "f", &err), MLREG_EPROTO);
    assert_string_equal(err->message, "f: two tensors are named \"b\"");
    mlr_error_done(err);
    mlr_tensors_free(t);
}

static void test_tensors__out_of_memory_leaves_a_sound_list(void **state)
{
    failing_alloc f;
    bool          fired = true;

    (void)state;
    mlr_tensors_free(NULL);
    for (int n = 1; fired; n++) {
        mlr_tensor   x = {.name = "n", .dtype = "F32"};
        mlr_tensors *t = NULL;
        failing_alloc_arm(&f, n, false);
        int rc = mlr_tensors_new(&t, NULL);
        if (rc == 0)
            rc = mlr_tensors_add(t, &x, NULL);
        if (rc == 0)
            rc = mlr_tensors_add_metadata(t, "k", "v", NULL);
        if (rc == 0)
            rc = mlr_tensors_check_names(t, "f", NULL);
        fired = failing_alloc_disarm(&f);
        assert_int_equal(rc, fired ? MLREG_ENOMEM : 0);
        mlr_tensors_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tensors__stand_in_file_order),
        cmocka_unit_test(test_tensors__keep_their_own_copies),
        cmocka_unit_test(test_tensors__elements_are_counted_unless_they_are_too_many),
        cmocka_unit_test(test_tensors__metadata_is_found_by_key),
        cmocka_unit_test(test_tensors__a_name_is_there_once),
        cmocka_unit_test(test_tensors__out_of_memory_leaves_a_sound_list),
    };
    return cmocka_run_group_tests_name("codec/tensors", tests, NULL, NULL);
}
