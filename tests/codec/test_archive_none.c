/* tests/codec/test_archive_none.c - in a build without libarchive archives are refused, with the reason. */
#include "codec/archive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"

static void test_archive_none__says_what_is_missing(void **state)
{
    mlr_reader  *r = NULL;
    mlr_archive *a = NULL;
    mlreg_error *err = NULL;

    (void)state;
    assert_false(mlr_archive_available());
    assert_int_equal(mlr_reader_from_memory("", 0, "layer", &r, NULL), 0);
    assert_int_equal(mlr_archive_open(r, NULL, NULL, &a, &err), MLREG_ENOTSUP);
    assert_null(a);
    assert_non_null(strstr(err->message, "libarchive"));
    assert_non_null(err->hint);
    mlr_error_done(err);
    mlr_archive_free(a);
    mlr_reader_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_archive_none__says_what_is_missing),
    };

    return cmocka_run_group_tests_name("codec/archive_none", tests, NULL, NULL);
}
