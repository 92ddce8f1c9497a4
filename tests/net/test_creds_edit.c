/* tests/net/test_creds_edit.c - one entry changes, and not a byte beside it. */
#include "net/creds_edit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "bed/failing_alloc.h"

static void load(mlr_buf *b, const char *text)
{
    *b = (mlr_buf)MLR_BUF_INIT(1 << 20);
    assert_int_equal(mlr_buf_puts(b, text, NULL), 0);
}

static void assert_put(const char *before, const char *key, const char *after)
{
    mlr_buf b;

    load(&b, before);
    assert_int_equal(mlr_creds_edit_put(&b, "F", key, "QQ==", NULL), 0);
    assert_string_equal(b.data, after);
    mlr_buf_done(&b);
}

static void assert_remove(const char *before, const char *host, const char *after)
{
    mlr_buf b;

    load(&b, before);
    assert_int_equal(mlr_creds_edit_remove(&b, "F", host, NULL), 1);
    assert_string_equal(b.data, after);
    mlr_buf_done(&b);
}

static void test_creds_edit__a_new_file_looks_as_docker_writes_it(void **state)
{
    const char *fresh = "{\n\t\"auths\": {\n\t\t\"ghcr.io\": {\n\t\t\t\"auth\": \"QQ==\"\n\t\t}\n\t}\n}\n";
    mlr_buf     none = MLR_BUF_INIT(1000);

    (void)state;
    assert_put("", "ghcr.io", fresh);
    assert_put(" \n", "ghcr.io", fresh);
    assert_put("{}\n", "ghcr.io", fresh);
    assert_int_equal(mlr_creds_edit_put(&none, "F", "ghcr.io", "QQ==", NULL), 0);
    assert_string_equal(none.data, fresh);
    mlr_buf_done(&none);
}

static void test_creds_edit__what_others_wrote_stays_byte_for_byte(void **state)
{
    (void)state;
    assert_put("  { \"Odd\\u0041\" :1e5 , \"auths\":{ \"b.io\" : {\"auth\":\"Qg==\"} },\r\n\"x\":[ ]}\n\n", "a.io",
        "  { \"Odd\\u0041\" :1e5 , \"auths\":{\n\t\t\"a.io\": {\n\t\t\t\"auth\": \"QQ==\"\n\t\t},"
        " \"b.io\" : {\"auth\":\"Qg==\"} },\r\n\"x\":[ ]}\n\n");
    assert_put("{\"psFormat\":\"{{.ID}}\"}", "a.io",
        "{\n\t\"auths\": {\n\t\t\"a.io\": {\n\t\t\t\"auth\": \"QQ==\"\n\t\t}\n\t},\"psFormat\":\"{{.ID}}\"}");
    assert_put("{\"a\":0,\"auths\":null}", "a.io",
        "{\"a\":0,\"auths\":{\n\t\t\"a.io\": {\n\t\t\t\"auth\": \"QQ==\"\n\t\t}\n\t}}");
}

static void test_creds_edit__an_entry_loses_its_old_secrets_and_nothing_else(void **state)
{
    (void)state;
    assert_put("{\"auths\":{\"a.io\":{\"auth\":\"old\"}}}", "a.io",
        "{\"auths\":{\"a.io\":{\n\t\t\t\"auth\": \"QQ==\"\n\t\t}}}");
    assert_put("{\"auths\":{\"a.io\":{\"email\" : \"x@y\", \"identitytoken\":\"old\",\"zz\":{} , "
               "\"registrytoken\":\"old\"}}}", "a.io",
        "{\"auths\":{\"a.io\":{\n\t\t\t\"auth\": \"QQ==\",\"email\" : \"x@y\", \"zz\":{}}}}");
    assert_put("{\"auths\":{\"a.io\":{\"username\":\"old\",\"password\":\"old\", \"k\":1}}}", "a.io",
        "{\"auths\":{\"a.io\":{\n\t\t\t\"auth\": \"QQ==\",\"k\":1}}}");
    assert_put("{\"auths\":{\"a.io\":null}}", "a.io", "{\"auths\":{\"a.io\":{\n\t\t\t\"auth\": \"QQ==\"\n\t\t}}}");
}

static void test_creds_edit__an_entry_goes_with_one_comma(void **state)
{
    (void)state;
    assert_remove("{\"auths\":{\"a.io\":{}}}", "a.io", "{\"auths\":{}}");
    assert_remove("{\"auths\":{ \"a.io\" : {\"auth\":\"x\"} , \"b.io\":{} }}", "a.io", "{\"auths\":{ \"b.io\":{} }}");
    assert_remove("{\"auths\":{ \"b.io\":{} , \"a.io\" : {} }}", "a.io", "{\"auths\":{ \"b.io\":{} }}");
    assert_remove("{\"auths\":{\"b\":1,\"a.io\":{},\"c\":2}}", "a.io", "{\"auths\":{\"b\":1,\"c\":2}}");
}

static void test_creds_edit__every_spelling_of_the_host_goes(void **state)
{
    (void)state;
    assert_remove("{\"auths\":{\"a.io\":{},\"x.a.io\":{},\"https://a.io/v1/\":{},\"http://a.io\":{}}}", "a.io",
        "{\"auths\":{\"x.a.io\":{}}}");
    assert_remove("{\"auths\":{\"https://index.docker.io/v1/\":{},\"docker.io\":{}}}", "docker.io", "{\"auths\":{}}");
}

static void test_creds_edit__nothing_to_remove_changes_nothing(void **state)
{
    static const char *const texts[] = {"", "{}", "{\"auths\":{}}", "{\"auths\":null}", "{\"auths\":{\"b.io\":{}}}",
                                        "{\"a.io\":{}}"};
    mlr_buf b;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        load(&b, texts[i]);
        assert_int_equal(mlr_creds_edit_remove(&b, "F", "a.io", NULL), 0);
        assert_string_equal(b.data, texts[i]);
        mlr_buf_done(&b);
    }
}

static void test_creds_edit__what_is_no_config_is_left_alone(void **state)
{
    static const char *const texts[] = {"[]", "{\"auths\":[]}", "{\"auths\":7}", "{,}", "{\"auths\":{},\"auths\":{}}"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        mlreg_error *e = NULL;
        mlr_buf      b;

        load(&b, texts[i]);
        assert_int_equal(mlr_creds_edit_put(&b, "the-file", "a.io", "QQ==", &e), MLREG_EPROTO);
        assert_non_null(strstr(e->message, "the-file"));
        assert_string_equal(b.data, texts[i]);
        mlr_error_done(e);
        mlr_buf_done(&b);
    }
}

static void test_creds_edit__a_key_that_needs_escapes_is_refused(void **state)
{
    static const char *const keys[] = {"", "a b", "a\"b", "a\\b", "a\nb"};
    mlr_buf b;

    (void)state;
    load(&b, "{}");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        assert_int_equal(mlr_creds_edit_put(&b, "F", keys[i], "QQ==", NULL), MLREG_EINVAL);
    mlr_buf_done(&b);
}

static void test_creds_edit__the_bound_is_kept(void **state)
{
    mlr_buf b = MLR_BUF_INIT(10);

    (void)state;
    assert_int_equal(mlr_buf_puts(&b, "{}", NULL), 0);
    assert_int_equal(mlr_creds_edit_put(&b, "F", "a.io", "QQ==", NULL), MLREG_ELIMIT);
    assert_string_equal(b.data, "{}");
    mlr_buf_done(&b);
}

static void test_creds_edit__want_of_memory_leaves_the_text(void **state)
{
    const char   *text = "{\"auths\":{\"a.io\":{\"auth\":\"old\",\"identitytoken\":\"old\"},\"https://a.io\":{}}}";
    failing_alloc f;
    bool          fired = true;

    (void)state;
    for (int n = 1; fired; n++) {
        mlr_buf b;

        load(&b, text);
        failing_alloc_arm(&f, n, false);
        int rc = mlr_creds_edit_put(&b, "F", "a.io", "QQ==", NULL);
        fired = failing_alloc_disarm(&f);
        assert_int_equal(rc, fired ? MLREG_ENOMEM : 0);
        assert_int_equal(strcmp(b.data, text) == 0, fired);
        mlr_buf_done(&b);
    }
    fired = true;
    for (int n = 1; fired; n++) {
        mlr_buf b;

        load(&b, text);
        failing_alloc_arm(&f, n, false);
        int rc = mlr_creds_edit_remove(&b, "F", "a.io", NULL);
        fired = failing_alloc_disarm(&f);
        assert_int_equal(rc, fired ? MLREG_ENOMEM : 1);
        assert_int_equal(strcmp(b.data, text) == 0, fired);
        mlr_buf_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_creds_edit__a_new_file_looks_as_docker_writes_it),
        cmocka_unit_test(test_creds_edit__what_others_wrote_stays_byte_for_byte),
        cmocka_unit_test(test_creds_edit__an_entry_loses_its_old_secrets_and_nothing_else),
        cmocka_unit_test(test_creds_edit__an_entry_goes_with_one_comma),
        cmocka_unit_test(test_creds_edit__every_spelling_of_the_host_goes),
        cmocka_unit_test(test_creds_edit__nothing_to_remove_changes_nothing),
        cmocka_unit_test(test_creds_edit__what_is_no_config_is_left_alone),
        cmocka_unit_test(test_creds_edit__a_key_that_needs_escapes_is_refused),
        cmocka_unit_test(test_creds_edit__the_bound_is_kept),
        cmocka_unit_test(test_creds_edit__want_of_memory_leaves_the_text),
    };
    return cmocka_run_group_tests_name("net/creds_edit", tests, NULL, NULL);
}
