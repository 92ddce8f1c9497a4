/* api/test_error.c - what can be read from an error, and from none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api_bed.h"
#include "base/error.h"

static void test_error__no_error_has_nothing_to_say(void **state)
{
    (void)state;
    assert_int_equal(mlreg_error_code(NULL), 0);
    assert_string_equal(mlreg_error_message(NULL), "success");
    assert_null(mlreg_error_subject(NULL));
    assert_null(mlreg_error_place(NULL));
    assert_int_equal(mlreg_error_http_status(NULL), 0);
    assert_null(mlreg_error_registry_code(NULL));
    assert_null(mlreg_error_hint(NULL));
    mlreg_error_free(NULL);
}

static void test_error__every_code_has_its_text(void **state)
{
    (void)state;
#define MLREG_X(name, value, text) assert_string_equal(mlreg_strerror(MLREG_##name), text);
    MLREG_ERROR_MAP(MLREG_X)
#undef MLREG_X
    assert_string_equal(mlreg_strerror(0), "success");
}

static void test_error__codes_are_dense_down_to_the_last(void **state)
{
    (void)state;
    for (int code = -1; code >= MLREG_E_LAST; code--)
        assert_string_not_equal(mlreg_strerror(code), "unknown error");
}

static void test_error__a_number_that_is_no_code_is_unknown(void **state)
{
    static const int none[] = { 1, MLREG_E_LAST - 1, INT32_MIN, INT32_MAX };

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_string_equal(mlreg_strerror(none[i]), "unknown error");
}

static void test_error__gives_back_all_that_was_put_in(void **state)
{
    mlreg_error *err = NULL;
    int rc = mlr_error_set(&err, MLREG_EDENIED, "no %s", "entry");

    (void)state;
    mlr_error_subject(&err, rc, "team/llama:v1");
    mlr_error_at(&err, rc, "https://hub.test");
    mlr_error_http(&err, rc, 403, "DENIED");
    mlr_error_hint(&err, rc, "log in");
    assert_int_equal(mlreg_error_code(err), MLREG_EDENIED);
    assert_string_equal(mlreg_error_message(err), "no entry");
    assert_string_equal(mlreg_error_subject(err), "team/llama:v1");
    assert_string_equal(mlreg_error_place(err), "https://hub.test");
    assert_int_equal(mlreg_error_http_status(err), 403);
    assert_string_equal(mlreg_error_registry_code(err), "DENIED");
    assert_string_equal(mlreg_error_hint(err), "log in");
    mlreg_error_free(err);
}

static void test_error__without_memory_there_is_still_one(void **state)
{
    mlreg_error *err = NULL;

    (void)state;
    assert_int_equal(mlr_error_nomem(&err), MLREG_ENOMEM);
    assert_int_equal(mlreg_error_code(err), MLREG_ENOMEM);
    assert_string_equal(mlreg_error_message(err), "out of memory");
    mlreg_error_free(err);
}

static void test_error__a_failed_call_names_subject_and_place(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_artifact *a = NULL;
    mlreg_error *err = NULL;

    (void)state;
    assert_int_equal(mlreg_session_resolve(s, "team/llama:v1", NULL, NULL, &a, &err), MLREG_ENOTFOUND);
    assert_string_equal(mlreg_error_subject(err), "team/llama:v1");
    assert_string_equal(mlreg_error_place(err), "memory:");
    assert_null(a);
    mlreg_error_free(err);
    mlreg_session_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error__no_error_has_nothing_to_say),
        cmocka_unit_test(test_error__every_code_has_its_text),
        cmocka_unit_test(test_error__codes_are_dense_down_to_the_last),
        cmocka_unit_test(test_error__a_number_that_is_no_code_is_unknown),
        cmocka_unit_test(test_error__gives_back_all_that_was_put_in),
        cmocka_unit_test(test_error__without_memory_there_is_still_one),
        cmocka_unit_test(test_error__a_failed_call_names_subject_and_place),
    };
    return cmocka_run_group_tests_name("api/error", tests, NULL, NULL);
}
