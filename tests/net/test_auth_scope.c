/* tests/net/test_auth_scope.c - scopes as sets. */
#include "net/auth_scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "bed/failing_alloc.h"

static void assert_union(const char *a, const char *b, const char *expected)
{
    char *got = NULL;

    assert_int_equal(mlr_scope_union(a, b, &got, NULL), 0);
    assert_string_equal(got, expected);
    mlr_free(got);
}

static void test_auth_scope__a_union_is_sorted_and_has_each_once(void **state)
{
    (void)state;
    assert_union(NULL, NULL, "");
    assert_union("", " ", "");
    assert_union("b a", NULL, "a b");
    assert_union("  b  a ", "a c", "a b c");
    assert_union("a", "ab", "a ab");
    assert_union("x x x", "x", "x");
}

static void test_auth_scope__words_are_compared_whole(void **state)
{
    (void)state;
    assert_true(mlr_scope_has("a b", "b"));
    assert_true(mlr_scope_has("a b", " b  a "));
    assert_true(mlr_scope_has("a", NULL));
    assert_true(mlr_scope_has(NULL, ""));
    assert_false(mlr_scope_has("ab", "a"));
    assert_false(mlr_scope_has("a", "ab"));
    assert_false(mlr_scope_has("a b", "a c"));
    assert_false(mlr_scope_has(NULL, "a"));
}

static void assert_repository(const char *scope, const char *expected)
{
    char *got = NULL;

    assert_int_equal(mlr_scope_repository(scope, &got, NULL), 0);
    assert_string_equal(got, expected);
    mlr_free(got);
}

static void test_auth_scope__the_repository_stands_between_the_ends(void **state)
{
    (void)state;
    assert_repository("repository:team/x:pull,push", "team/x");
    assert_repository("repository:host:5000/x:pull repository:y:pull", "host:5000/x");
    assert_repository("registry:catalog:* repository:y:pull", "y");
    assert_repository("notrepository:x:pull", "");
    assert_repository("repository:x", "");
    assert_repository("registry:catalog:*", "");
    assert_repository("", "");
    assert_repository(NULL, "");
}

static void test_auth_scope__survives_want_of_memory(void **state)
{
    failing_alloc f;
    bool          fired = true;

    (void)state;
    for (int n = 1; fired; n++) {
        char *got = NULL;

        failing_alloc_arm(&f, n, false);
        int rc = mlr_scope_union("b", "a", &got, NULL);
        fired = failing_alloc_disarm(&f);
        assert_int_equal(rc, fired ? MLREG_ENOMEM : 0);
        mlr_free(got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_auth_scope__a_union_is_sorted_and_has_each_once),
        cmocka_unit_test(test_auth_scope__words_are_compared_whole),
        cmocka_unit_test(test_auth_scope__the_repository_stands_between_the_ends),
        cmocka_unit_test(test_auth_scope__survives_want_of_memory),
    };
    return cmocka_run_group_tests_name("net/auth_scope", tests, NULL, NULL);
}
