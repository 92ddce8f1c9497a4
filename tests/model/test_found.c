/* tests/model/test_found.c - files that were found, and what later layers hide of them. */
#include "model/found.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "bed/failing_alloc.h"

/* A layer in one line: its files between blanks; what it hides first, "-" in front, or "/" behind that for what is inside alone. */
static void lay(mlr_found *f, size_t layer, const char *entries)
{
    char text[512], *rest = text;

    snprintf(text, sizeof text, "%s", entries);
    for (char *e = strtok_r(text, " ", &rest); e != NULL; e = strtok_r(NULL, " ", &rest)) {
        size_t len = strlen(e);
        bool inside = len > 1 && e[len - 1] == '/';

        if (e[0] != '-') {
            assert_int_equal(mlr_found_add(f, e, layer, NULL, layer, NULL), 0);
            continue;
        }
        e[inside ? len - 1 : len] = '\0';
        mlr_found_hide(f, e + 1, !inside, true);
    }
    assert_int_equal(mlr_found_settle(f, NULL), 0);
}

static void assert_left(mlr_found *f, const char *want)
{
    char got[512] = "";

    for (size_t i = 0; i < f->n; i++) {
        size_t at = strlen(got);

        snprintf(got + at, sizeof got - at, "%s%s@%zu", i > 0 ? " " : "", f->items[i].path, f->items[i].layer);
    }
    assert_string_equal(got, want);
    mlr_found_done(f);
}

static void test_found__what_lies_below_a_path_goes_and_its_neighbours_stay(void **state)
{
    mlr_found f = { 0 };

    (void)state;
    lay(&f, 0, "a a-b a/b a/b/c a.b ab a/z b");
    lay(&f, 1, "-a/ a/new");
    assert_left(&f, "a@0 a/new@1 a-b@0 a.b@0 ab@0 b@0");
}

static void test_found__hiding_again_and_again_hides_the_same(void **state)
{
    mlr_found f = { 0 };

    (void)state;
    lay(&f, 0, "a/b/1 a/b/2 a/c/1 a/d b");
    lay(&f, 1, "-a/b -a/b -a/c/ -a/b/2 -a/ -a/c -a -a/b/ -z -a/b/1 c");
    assert_left(&f, "b@0 c@1");
}

static void test_found__the_root_is_above_all(void **state)
{
    mlr_found f = { 0 };

    (void)state;
    lay(&f, 0, "a b/c");
    mlr_found_hide(&f, "", false, true);
    assert_int_equal(f.n_hidden, 2);
    lay(&f, 1, "b/d");
    assert_left(&f, "b/d@1");
}

static void test_found__a_layer_hides_nothing_of_its_own(void **state)
{
    mlr_found f = { 0 };

    (void)state;
    lay(&f, 0, "a/old");
    lay(&f, 1, "a/new -a");
    assert_left(&f, "a/new@1");
}

static void test_found__of_one_name_in_one_layer_the_last_stays(void **state)
{
    mlr_found f = { 0 };

    (void)state;
    assert_int_equal(mlr_found_add(&f, "a", 1, NULL, 0, NULL), 0);
    assert_int_equal(mlr_found_add(&f, "a", 3, NULL, 0, NULL), 0);
    assert_int_equal(mlr_found_add(&f, "a", 2, NULL, 0, NULL), 0);
    assert_int_equal(mlr_found_settle(&f, NULL), 0);
    assert_int_equal(f.items[0].bytes, 2);
    assert_left(&f, "a@0");
}

static void test_found__names_that_are_too_much_together_are_refused(void **state)
{
    static const mlr_found none;
    mlr_found f = { 0 };
    char path[4097];
    int rc = 0;

    (void)state;
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    for (unsigned i = 0; i < 20000 && rc == 0; i++)
        rc = mlr_found_add(&f, path, i, NULL, 0, NULL);
    assert_int_equal(rc, MLREG_ELIMIT);
    assert_int_equal(mlr_found_settle(&f, NULL), 0);
    assert_int_equal(f.bytes, 4096);              /* one name, again and again */
    lay(&f, 1, "b");
    mlr_found_hide(&f, "", false, true);
    assert_int_equal(mlr_found_settle(&f, NULL), 0);
    assert_int_equal(f.bytes, 0);
    mlr_found_done(&f);
    assert_memory_equal(&f, &none, sizeof f);
}

static void test_found__loses_nothing_where_memory_ends(void **state)
{
    failing_alloc a;
    bool fired = true;

    (void)state;
    for (int n = 1; fired; n++) {
        mlr_found f = { 0 };
        int rc;

        failing_alloc_arm(&a, n, false);
        if ((rc = mlr_found_add(&f, "a", 1, NULL, 0, NULL)) == 0)
            rc = mlr_found_settle(&f, NULL);
        fired = failing_alloc_disarm(&a);
        assert_int_equal(rc, fired ? MLREG_ENOMEM : 0);
        mlr_found_done(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found__what_lies_below_a_path_goes_and_its_neighbours_stay),
        cmocka_unit_test(test_found__hiding_again_and_again_hides_the_same),
        cmocka_unit_test(test_found__the_root_is_above_all),
        cmocka_unit_test(test_found__a_layer_hides_nothing_of_its_own),
        cmocka_unit_test(test_found__of_one_name_in_one_layer_the_last_stays),
        cmocka_unit_test(test_found__names_that_are_too_much_together_are_refused),
        cmocka_unit_test(test_found__loses_nothing_where_memory_ends),
    };
    return cmocka_run_group_tests_name("model/found", tests, NULL, NULL);
}
