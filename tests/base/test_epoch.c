/* tests/base/test_epoch.c - the one time that goes into what is built. */
#include "base/epoch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"

#define MOST 8589934591   /* of a tar header */

static int epoch_of(const char *text, int64_t *out, mlreg_error **err)
{
    if (text == NULL)
        unsetenv("SOURCE_DATE_EPOCH");
    else
        setenv("SOURCE_DATE_EPOCH", text, 1);
    return mlr_epoch(MOST, out, err);
}

static void test_epoch__is_the_variable_and_else_nought(void **state)
{
    static const struct { const char *text; int64_t s; } cases[] = { { NULL, 0 }, { "", 0 }, { "0", 0 }, { "1700000000", 1700000000 }, { "8589934591", MOST } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t s = -1;

        assert_int_equal(epoch_of(cases[i].text, &s, NULL), 0);
        assert_int_equal(s, cases[i].s);
    }
}

static void test_epoch__that_is_no_time_is_refused_and_changes_nothing(void **state)
{
    static const char *const cases[] = { "soon", "-1", "+1", " 1", "1 ", "1.5", "0x10", "8589934592", "99999999999999999999" };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mlreg_error *err = NULL;
        int64_t s = 7;

        assert_int_equal(epoch_of(cases[i], &s, &err), MLREG_EINVAL);
        assert_non_null(strstr(err->message, cases[i]));
        assert_non_null(err->hint);
        assert_int_equal(s, 7);
        mlr_error_done(err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_epoch__is_the_variable_and_else_nought),
        cmocka_unit_test(test_epoch__that_is_no_time_is_refused_and_changes_nothing),
    };
    return cmocka_run_group_tests_name("base/epoch", tests, NULL, NULL);
}
