/* tests/base/test_text.c - what text begins with and ends in. */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void test_text__begins_with_itself_and_with_nothing(void **state)
{
    (void)state;
    assert_true(mlr_text_begins("https://host", "https://"));
    assert_true(mlr_text_begins("https://", "https://"));
    assert_true(mlr_text_begins("a", ""));
    assert_false(mlr_text_begins("https:/", "https://"));
    assert_false(mlr_text_begins("", "a"));
}

static void test_text__the_bare_ending_ends_in_itself_and_is_no_extension(void **state)
{
    (void)state;
    assert_true(mlr_text_ends_in("a.tar", 5, ".tar"));
    assert_true(mlr_text_ends_in(".tar", 4, ".tar"));
    assert_true(mlr_text_has_extension("a.tar", ".tar"));
    assert_false(mlr_text_has_extension(".tar", ".tar"));
    for (size_t len = 0; len < 4; len++)
        assert_false(mlr_text_ends_in(".tar", len, ".tar"));   /* what stands behind `len` is not read */
    assert_false(mlr_text_has_extension("tar", ".tar"));
    assert_false(mlr_text_has_extension("a.tar.gz", ".tar"));
    assert_false(mlr_text_has_extension("", ".tar"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text__begins_with_itself_and_with_nothing),
        cmocka_unit_test(test_text__the_bare_ending_ends_in_itself_and_is_no_extension),
    };
    return cmocka_run_group_tests_name("base/text", tests, NULL, NULL);
}
