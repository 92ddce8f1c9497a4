/* tests/model/test_titles.c - the file paths of one artifact: each safe, and none in the way of another. */
#include "model/titles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"

/* What adding and checking these (up to a NULL) comes to. */
static int check(const char *const *paths, mlreg_error **err)
{
    mlr_titles t = { 0 };
    int rc = 0;

    for (; *paths != NULL && rc == 0; paths++)
        rc = mlr_titles_add(&t, *paths, err);
    if (rc == 0)
        rc = mlr_titles_check(&t, err);
    mlr_titles_done(&t);
    return rc;
}

static void test_titles__accepts_paths_that_stand_beside_each_other(void **state)
{
    (void)state;
    assert_int_equal(check((const char *[]){ "b", "a/b", "a/c", "a-b", "a.b", "1_Pooling/config.json", ".mlreg-partial.md", NULL }, NULL), 0);
}

static void test_titles__refuses_one_path_twice(void **state)
{
    mlreg_error *err = NULL;

    (void)state;
    assert_int_equal(check((const char *[]){ "a/b", "c", "a/b", NULL }, &err), MLREG_EINVAL);
    assert_non_null(strstr(err->message, "\"a/b\""));
    assert_non_null(err->hint);
    mlr_error_done(err);
}

static void test_titles__refuses_paths_that_differ_by_case_only(void **state)
{
    mlreg_error *err = NULL;

    (void)state;
    assert_int_equal(check((const char *[]){ "Model.bin", "model.BIN", NULL }, &err), MLREG_EINVAL);
    assert_non_null(strstr(err->message, "Model.bin"));
    assert_non_null(strstr(err->message, "model.BIN"));
    mlr_error_done(err);
}

static void test_titles__refuses_a_file_where_another_needs_a_folder(void **state)
{
    (void)state;
    assert_int_equal(check((const char *[]){ "a/b/c", "a-", "a.", "A/B", NULL }, NULL), MLREG_EINVAL);
    assert_int_equal(check((const char *[]){ "a", "a-b", "a/b", NULL }, NULL), MLREG_EINVAL);
}

static void test_titles__refuses_what_leads_outside(void **state)
{
    static const char *const hostile[] = { "../x", "/etc/x", "a\\..\\b", "a/../b", "", ".", "a//b", "a/", "C:x", "a\nb", "nul", ".mlreg-partial", ".mlreg-partial/x", ".MLREG-Partial/x" };

    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++)
        assert_int_equal(check((const char *[]){ hostile[i], NULL }, NULL), MLREG_EINVAL);
}

static void test_titles__a_folder_may_be_named_again_and_hold_files(void **state)
{
    static const char *const folders[] = { "a", "a/b", "a", "A" };
    mlr_titles t = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        assert_int_equal(mlr_titles_add_folder(&t, folders[i], NULL), 0);
    assert_int_equal(mlr_titles_add(&t, "a/b/c", NULL), 0);
    assert_int_equal(mlr_titles_add(&t, "a/d", NULL), 0);
    assert_int_equal(mlr_titles_check(&t, NULL), 0);
    assert_int_equal(mlr_titles_add_folder(&t, "../a", NULL), MLREG_EINVAL);
    mlr_titles_done(&t);
}

static void test_titles__refuses_a_folder_that_is_a_file_too(void **state)
{
    static const char *const folders[] = { "a", "A/b", "a/B" };

    (void)state;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        mlr_titles t = { 0 };

        assert_int_equal(mlr_titles_add_folder(&t, folders[i], NULL), 0);
        assert_int_equal(mlr_titles_add(&t, i == 0 ? "A" : "a/b", NULL), 0);
        assert_int_equal(mlr_titles_add_folder(&t, folders[i], NULL), 0);
        assert_int_equal(mlr_titles_check(&t, NULL), MLREG_EINVAL);
        mlr_titles_done(&t);
    }
}

/* An archive of a few megabytes may name a million files of 4,096 bytes each. */
static void test_titles__names_that_are_too_much_together_are_refused(void **state)
{
    mlr_titles t = { 0 }, own = { 0 };
    char name[4097];
    int rc = 0;

    (void)state;
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (size_t i = 200; i < sizeof name; i += 200)
        name[i] = '/';
    for (unsigned i = 0; i < 40000 && rc == 0; i++) {
        memcpy(name, (const char[4]){ (char)('a' + i % 16), (char)('a' + i / 16 % 16), (char)('a' + i / 256 % 16), (char)('a' + i / 4096) }, 4);
        rc = mlr_titles_add(&t, name, NULL);
    }
    assert_int_equal(rc, MLREG_ELIMIT);
    assert_int_equal(mlr_titles_add(&own, name, NULL), 0);
    assert_int_equal(mlr_titles_move(&t, &own, NULL), MLREG_ELIMIT);
    assert_int_equal(own.n, 1);
    mlr_titles_cut(&t, t.n - 1);
    assert_int_equal(mlr_titles_move(&t, &own, NULL), 0);
    assert_int_equal(mlr_titles_check(&t, NULL), 0);
    mlr_titles_done(&t);
    mlr_titles_done(&own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_titles__accepts_paths_that_stand_beside_each_other),
        cmocka_unit_test(test_titles__refuses_one_path_twice),
        cmocka_unit_test(test_titles__refuses_paths_that_differ_by_case_only),
        cmocka_unit_test(test_titles__refuses_a_file_where_another_needs_a_folder),
        cmocka_unit_test(test_titles__refuses_what_leads_outside),
        cmocka_unit_test(test_titles__a_folder_may_be_named_again_and_hold_files),
        cmocka_unit_test(test_titles__refuses_a_folder_that_is_a_file_too),
        cmocka_unit_test(test_titles__names_that_are_too_much_together_are_refused),
    };
    return cmocka_run_group_tests_name("model/titles", tests, NULL, NULL);
}
