/* tests/codec/test_base64.c - base64 both ways, and strict about what is none. */
#include "codec/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"

static void assert_decodes(const char *text, const void *want, size_t len)
{
    mlr_buf      b = MLR_BUF_INIT(1000);
    mlreg_error *err = NULL;

    assert_int_equal(mlr_base64_decode(text, strlen(text), &b, &err), 0);
    assert_null(err);
    assert_int_equal(b.len, len);
    assert_memory_equal(b.data, want, len);
    assert_int_equal(b.data[len], 0);
    mlr_buf_done(&b);
}

static void assert_refused(const char *text, size_t len)
{
    mlr_buf      b = MLR_BUF_INIT(1000);
    mlreg_error *err = NULL;
    int          rc;

    assert_int_equal(mlr_buf_puts(&b, "before", NULL), 0);
    rc = mlr_base64_decode(text, len, &b, &err);
    if (rc != MLREG_EINVAL)
        fail_msg("\"%.*s\" gave %d", (int)len, text, rc);
    assert_non_null(err);
    assert_string_equal(b.data, "before");
    assert_int_equal(b.len, 6);
    mlr_error_done(err);
    mlr_buf_done(&b);
}

/* RFC 4648, §10. */
static const struct { const char *plain, *coded; } vectors[] = {
    {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
};

static void test_base64__encodes_the_rfcs_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        mlr_buf b = MLR_BUF_INIT(1000);

        assert_int_equal(mlr_base64_encode(vectors[i].plain, strlen(vectors[i].plain), &b, NULL), 0);
        assert_string_equal(b.data, vectors[i].coded);
        mlr_buf_done(&b);
    }
}

static void test_base64__decodes_the_rfcs_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        assert_decodes(vectors[i].coded, vectors[i].plain, strlen(vectors[i].plain));
}

static void test_base64__every_byte_comes_back_at_every_length(void **state)
{
    uint8_t data[256];

    (void)state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 151 + 7);
    for (size_t len = 0; len <= sizeof data; len++) {
        mlr_buf coded = MLR_BUF_INIT(1000);

        assert_int_equal(mlr_base64_encode(data, len, &coded, NULL), 0);
        assert_int_equal(coded.len, (len + 2) / 3 * 4);
        assert_decodes(coded.data, data, len);
        mlr_buf_done(&coded);
    }
}

static void test_base64__reads_both_alphabets(void **state)
{
    (void)state;
    assert_decodes("+/+/", "\xfb\xff\xbf", 3);
    assert_decodes("-_-_", "\xfb\xff\xbf", 3);
}

static void test_base64__does_without_padding(void **state)
{
    (void)state;
    assert_decodes("Zg", "f", 1);
    assert_decodes("Zm8", "fo", 2);
    assert_decodes("Zm9vYg", "foob", 4);
}

static void test_base64__refuses_padding_that_does_not_fit(void **state)
{
    static const char *const bad[] = {
        "=", "==", "===", "====", "Z", "Z=", "Z==", "Z===", "Zg=", "Zg===", "Zm8==", "Zm8===", "Zm9v=", "Zm9v==",
        "Zm9v===", "Zm9v====", "Zg==Zg==", "Zm8=Zm8=", "Z=g=", "Z=g", "=Zg=", "Zm9vY", "Zm9vY===",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(bad[i], strlen(bad[i]));
}

static void test_base64__refuses_trailing_bits_that_are_not_zero(void **state)
{
    (void)state;
    for (const char *c = "hijklmnopqrstuv"; *c != '\0'; c++) {      /* "Zg" with 1 to 15 in its last four bits */
        assert_refused((char[]){'Z', *c}, 2);
        assert_refused((char[]){'Z', *c, '=', '='}, 4);
    }
    for (const char *c = "9-/"; *c != '\0'; c++) {                     /* "Zm8" with 1 to 3 in its last two */
        assert_refused((char[]){'Z', 'm', *c}, 3);
        assert_refused((char[]){'Z', 'm', *c, '='}, 4);
    }
}

static void test_base64__refuses_every_foreign_character(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        if (c != 0 && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_", c) != NULL)
            continue;
        for (size_t at = 0; at < 8; at++) {
            char text[] = "AAAAAAAA";

            text[at] = (char)c;
            if (c != '=' || at < 7)                                    /* as the last one it is padding */
                assert_refused(text, 8);
        }
    }
}

/* What is decoded here is mostly passwords. */
static void test_base64__errors_do_not_quote_the_text(void **state)
{
    mlr_buf      b = MLR_BUF_INIT(1000);
    mlreg_error *err = NULL;

    (void)state;
    assert_int_equal(mlr_base64_decode("hunter!2", 8, &b, &err), MLREG_EINVAL);
    assert_null(strstr(err->message, "hunter"));
    assert_null(strchr(err->message, '!'));
    assert_non_null(strstr(err->message, "offset 6"));
    mlr_error_done(err);
    mlr_buf_done(&b);
}

static void test_base64__appends(void **state)
{
    mlr_buf b = MLR_BUF_INIT(1000);

    (void)state;
    assert_int_equal(mlr_buf_puts(&b, "Basic ", NULL), 0);
    assert_int_equal(mlr_base64_encode("a:b", 3, &b, NULL), 0);
    assert_string_equal(b.data, "Basic YTpi");
    assert_int_equal(mlr_base64_decode("YTpi", 4, &b, NULL), 0);
    assert_string_equal(b.data, "Basic YTpia:b");
    mlr_buf_done(&b);
}

static void test_base64__keeps_to_the_buffers_bound(void **state)
{
    mlr_buf exact = MLR_BUF_INIT(4), less = MLR_BUF_INIT(3), two = MLR_BUF_INIT(2);

    (void)state;
    assert_int_equal(mlr_base64_encode("abc", 3, &exact, NULL), 0);
    assert_int_equal(mlr_base64_encode("abc", 3, &less, NULL), MLREG_ELIMIT);
    assert_int_equal(less.len, 0);
    assert_int_equal(mlr_base64_decode("YWJj", 4, &less, NULL), 0);
    assert_int_equal(mlr_base64_decode("YWJj", 4, &two, NULL), MLREG_ELIMIT);
    assert_int_equal(two.len, 0);
    mlr_buf_done(&exact);
    mlr_buf_done(&less);
    mlr_buf_done(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64__encodes_the_rfcs_vectors),
        cmocka_unit_test(test_base64__decodes_the_rfcs_vectors),
        cmocka_unit_test(test_base64__every_byte_comes_back_at_every_length),
        cmocka_unit_test(test_base64__reads_both_alphabets),
        cmocka_unit_test(test_base64__does_without_padding),
        cmocka_unit_test(test_base64__refuses_padding_that_does_not_fit),
        cmocka_unit_test(test_base64__refuses_trailing_bits_that_are_not_zero),
        cmocka_unit_test(test_base64__refuses_every_foreign_character),
        cmocka_unit_test(test_base64__errors_do_not_quote_the_text),
        cmocka_unit_test(test_base64__appends),
        cmocka_unit_test(test_base64__keeps_to_the_buffers_bound),
    };

    return cmocka_run_group_tests_name("codec/base64", tests, NULL, NULL);
}
