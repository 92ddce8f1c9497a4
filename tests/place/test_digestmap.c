/* place/test_digestmap.c - digests and their numbers: found again, grown, never lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "bed/failing_alloc.h"
#include "place/digestmap.h"

static mlr_digest digest_of(unsigned n)
{
    mlr_digest d;
    mlr_digest_of(&n, sizeof(n), &d);
    return d;
}

static void test_digestmap__keeps_each_number(void **state)
{
    mlr_digestmap m = MLR_DIGESTMAP_INIT;
    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        mlr_digest d = digest_of(i);
        assert_null(mlr_digestmap_find(&m, &d));
        uint64_t *n = mlr_digestmap_add(&m, &d, NULL);
        assert_int_equal(*n, 0);
        *n = i + 1;
    }
    assert_int_equal(m.used, 10000);
    for (unsigned i = 0; i < 10000; i++) {
        mlr_digest d = digest_of(i);
        assert_int_equal(*mlr_digestmap_find(&m, &d), i + 1);
        assert_ptr_equal(mlr_digestmap_add(&m, &d, NULL), mlr_digestmap_find(&m, &d));
    }
    assert_int_equal(m.used, 10000);
    mlr_digestmap_done(&m);
}

static void test_digestmap__that_is_empty_has_nothing(void **state)
{
    mlr_digestmap m = MLR_DIGESTMAP_INIT;
    mlr_digest    d = digest_of(1);
    (void)state;
    assert_null(mlr_digestmap_find(&m, &d));
    mlr_digestmap_done(&m);
}

static void test_digestmap__out_of_memory_is_as_before(void **state)
{
    mlr_digestmap m = MLR_DIGESTMAP_INIT;
    mlreg_error  *err = NULL;
    failing_alloc f;
    (void)state;
    for (unsigned i = 0; i < 32; i++) {
        mlr_digest d = digest_of(i);
        *mlr_digestmap_add(&m, &d, NULL) = i;
    }
    mlr_digest more = digest_of(1000);
    failing_alloc_arm(&f, 1, true);
    assert_null(mlr_digestmap_add(&m, &more, &err));
    assert_true(failing_alloc_disarm(&f));
    assert_int_equal(err->code, MLREG_ENOMEM);
    mlr_error_done(err);
    assert_int_equal(m.used, 32);
    for (unsigned i = 0; i < 32; i++) {
        mlr_digest d = digest_of(i);
        assert_int_equal(*mlr_digestmap_find(&m, &d), i);
    }
    mlr_digestmap_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digestmap__keeps_each_number),
        cmocka_unit_test(test_digestmap__that_is_empty_has_nothing),
        cmocka_unit_test(test_digestmap__out_of_memory_is_as_before),
    };
    return cmocka_run_group_tests_name("place/digestmap", tests, NULL, NULL);
}
