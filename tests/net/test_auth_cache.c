/* tests/net/test_auth_cache.c - one entry a scope, a bounded number of them, and no secret left behind. */
#include "net/auth_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "bed/failing_alloc.h"

static mlr_auth_entry entry(const char *scope, const char *header, uint64_t renew_ms)
{
    return (mlr_auth_entry){.scope = mlr_strdup(scope), .asked = mlr_strdup(scope), .header = mlr_strdup(header),
                            .renew_ms = renew_ms};
}

static void put(mlr_auth_cache *c, const char *scope, const char *header, uint64_t renew_ms)
{
    mlr_auth_entry e = entry(scope, header, renew_ms);

    assert_int_equal(mlr_auth_cache_put(c, &e, NULL), 0);
    assert_null(e.header);
}

static void test_auth_cache__a_later_entry_replaces_the_one_of_its_scope(void **state)
{
    mlr_auth_cache c = {0};

    (void)state;
    put(&c, "a", "one", 5);
    put(&c, "b", "two", 5);
    put(&c, "a", "three", 5);
    assert_int_equal(c.n, 2);
    assert_string_equal(mlr_auth_cache_find(&c, "a")->header, "three");
    assert_string_equal(mlr_auth_cache_find(&c, "b")->header, "two");
    assert_null(mlr_auth_cache_find(&c, ""));
    mlr_auth_cache_clear(&c);
    assert_null(mlr_auth_cache_find(&c, "a"));
}

static void test_auth_cache__when_full_the_one_nearest_its_end_goes(void **state)
{
    mlr_auth_cache c = {0};
    char           scope[16];

    (void)state;
    for (unsigned i = 0; i < MLR_AUTH_CACHE_MAX; i++) {
        snprintf(scope, sizeof scope, "s%u", i);
        put(&c, scope, "x", i == 77 ? 10 : 1000 + i);
    }
    put(&c, "s5", "y", 2000);                                  /* no new scope: nobody goes */
    assert_non_null(mlr_auth_cache_find(&c, "s77"));
    put(&c, "new", "z", 3000);
    assert_null(mlr_auth_cache_find(&c, "s77"));
    assert_non_null(mlr_auth_cache_find(&c, "new"));
    assert_int_equal(c.n, MLR_AUTH_CACHE_MAX);
    mlr_auth_cache_clear(&c);
}

static void test_auth_cache__want_of_memory_leaves_the_entry_with_its_owner(void **state)
{
    mlr_auth_cache c = {0};
    mlr_auth_entry e = entry("a", "x", 1);
    failing_alloc  f;

    (void)state;
    failing_alloc_arm(&f, 1, false);
    int rc = mlr_auth_cache_put(&c, &e, NULL);
    failing_alloc_disarm(&f);
    assert_int_equal(rc, MLREG_ENOMEM);
    assert_string_equal(e.header, "x");
    assert_int_equal(c.n, 0);
    mlr_auth_entry_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_auth_cache__a_later_entry_replaces_the_one_of_its_scope),
        cmocka_unit_test(test_auth_cache__when_full_the_one_nearest_its_end_goes),
        cmocka_unit_test(test_auth_cache__want_of_memory_leaves_the_entry_with_its_owner),
    };
    return cmocka_run_group_tests_name("net/auth_cache", tests, NULL, NULL);
}
