/* tests/codec/test_json_write.c - the writer: what it writes is read back as it was. */
#include "codec/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "bed/failing_alloc.h"

static void test_json_write__puts_commas_where_they_belong(void **state)
{
    mlr_buf      b = MLR_BUF_INIT(1000);
    mlr_json_out o;

    (void)state;
    mlr_json_begin(&o, &b, NULL);
    mlr_json_open(&o, NULL, '{');
    mlr_json_put_u64(&o, "schemaVersion", 2);
    mlr_json_open(&o, "layers", '[');
    mlr_json_open(&o, NULL, '{');
    mlr_json_close(&o, '}');
    mlr_json_put_string(&o, NULL, "x");
    mlr_json_put_u64(&o, NULL, UINT64_MAX);
    mlr_json_open(&o, NULL, '[');
    mlr_json_close(&o, ']');
    mlr_json_close(&o, ']');
    mlr_json_put_string(&o, "missing", NULL);
    mlr_json_put_raw(&o, "raw", "{ \"a\":1.0 }", 11);
    mlr_json_close(&o, '}');
    assert_int_equal(mlr_json_end(&o), 0);
    assert_string_equal(b.data, "{\"schemaVersion\":2,\"layers\":[{},\"x\",18446744073709551615,[]],"
                                "\"raw\":{ \"a\":1.0 }}");
    mlr_buf_done(&b);
}

static void test_json_write__escapes_what_must_be_and_no_more(void **state)
{
    mlr_buf      b = MLR_BUF_INIT(1000);
    mlr_json_out o;

    (void)state;
    mlr_json_begin(&o, &b, NULL);
    mlr_json_put_string(&o, NULL, "a\"\\/\b\f\n\r\t\x01\x1f\x7f<>&\xC3\xA9\xE2\x80\xA8\xF0\x9F\x98\x80");
    assert_int_equal(mlr_json_end(&o), 0);
    assert_string_equal(b.data, "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f<>&"
                                "\xC3\xA9\xE2\x80\xA8\xF0\x9F\x98\x80\"");
    mlr_buf_done(&b);
}

static void test_json_write__every_character_comes_back(void **state)
{
    char      text[128] = "", key[128] = "";
    mlr_buf   b = MLR_BUF_INIT(4000);
    mlr_json *root = NULL;

    (void)state;
    for (char c = 1; c < 127; c++) {
        text[c - 1] = c;
        key[127 - c - 1] = c;
    }
    mlr_json_out o;
    mlr_json_begin(&o, &b, NULL);
    mlr_json_open(&o, NULL, '{');
    mlr_json_put_string(&o, key, text);
    mlr_json_close(&o, '}');
    assert_int_equal(mlr_json_end(&o), 0);
    assert_int_equal(mlr_json_parse(b.data, b.len, "t", &root, NULL), 0);
    assert_string_equal(mlr_json_string(mlr_json_get(root, key)), text);
    mlr_json_free(root);
    mlr_buf_done(&b);
}

static void test_json_write__refuses_text_that_is_not_utf8(void **state)
{
    for (int in_key = 0; in_key <= 1; in_key++) {
        mlr_buf      b = MLR_BUF_INIT(1000);
        mlreg_error *err = NULL;
        mlr_json_out o;
        (void)state;
        mlr_json_begin(&o, &b, &err);
        mlr_json_open(&o, NULL, '{');
        mlr_json_put_string(&o, in_key ? "\xFF" : "k", in_key ? "v" : "\xC3");
        mlr_json_put_string(&o, "later", "fine");
        mlr_json_close(&o, '}');
        assert_int_equal(mlr_json_end(&o), MLREG_EINVAL);
        assert_non_null(strstr(err->message, "UTF-8"));
        mlr_error_done(err);
        mlr_buf_done(&b);
    }
}

static void test_json_write__the_first_failure_stays(void **state)
{
    mlr_buf      b = MLR_BUF_INIT(10);
    mlreg_error *err = NULL;
    mlr_json_out o;

    (void)state;
    mlr_json_begin(&o, &b, &err);
    mlr_json_open(&o, NULL, '[');
    mlr_json_put_string(&o, NULL, "longer than ten");
    mlr_json_put_string(&o, NULL, "\xFF");
    mlr_json_put_u64(&o, NULL, 1);
    mlr_json_close(&o, ']');
    assert_int_equal(mlr_json_end(&o), MLREG_ELIMIT);
    assert_int_equal(err->code, MLREG_ELIMIT);
    mlr_error_done(err);
    mlr_buf_done(&b);
}

static void test_json_write__out_of_memory_is_reported(void **state)
{
    failing_alloc f;
    bool          fired = true;

    (void)state;
    for (int n = 1; fired; n++) {
        mlr_buf      b = MLR_BUF_INIT(4000);
        mlr_json_out o;
        failing_alloc_arm(&f, n, false);
        mlr_json_begin(&o, &b, NULL);
        mlr_json_open(&o, NULL, '[');
        for (int i = 0; i < 100; i++)
            mlr_json_put_string(&o, NULL, "text\n");
        mlr_json_close(&o, ']');
        fired = failing_alloc_disarm(&f);
        assert_int_equal(mlr_json_end(&o), fired ? MLREG_ENOMEM : 0);
        mlr_buf_done(&b);
    }
}

static void test_json_write__unknown_members_survive_a_rewrite(void **state)
{
#define ODD "{ \"n\":1.0e0,\"s\":\"\\u00e9\\/\" ,\"big\":123456789012345678901234567890 }"
    static const char before[] = "{\"size\":1, \"odd\" : " ODD "}";
    mlr_buf      b = MLR_BUF_INIT(1000);
    mlr_json    *root = NULL;
    mlr_json_out o;

    (void)state;
    assert_int_equal(mlr_json_parse(before, sizeof before - 1, "t", &root, NULL), 0);
    mlr_json_begin(&o, &b, NULL);
    mlr_json_open(&o, NULL, '{');
    for (const mlr_json *m = mlr_json_first(root); m != NULL; m = mlr_json_next(m)) {
        size_t      len;
        const char *raw = mlr_json_raw(m, &len);
        if (strcmp(mlr_json_key(m), "size") == 0)
            mlr_json_put_u64(&o, "size", 2);
        else
            mlr_json_put_raw(&o, mlr_json_key(m), raw, len);
    }
    mlr_json_close(&o, '}');
    assert_int_equal(mlr_json_end(&o), 0);
    assert_string_equal(b.data, "{\"size\":2,\"odd\":" ODD "}");
    mlr_json_free(root);
    mlr_buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_write__puts_commas_where_they_belong),
        cmocka_unit_test(test_json_write__escapes_what_must_be_and_no_more),
        cmocka_unit_test(test_json_write__every_character_comes_back),
        cmocka_unit_test(test_json_write__refuses_text_that_is_not_utf8),
        cmocka_unit_test(test_json_write__the_first_failure_stays),
        cmocka_unit_test(test_json_write__out_of_memory_is_reported),
        cmocka_unit_test(test_json_write__unknown_members_survive_a_rewrite),
    };
    return cmocka_run_group_tests_name("codec/json_write", tests, NULL, NULL);
}
