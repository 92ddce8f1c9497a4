/* tests/net/test_http_headers.c - heads of answers at their limits; headers that must not be sent. */
#include "net/http_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"

static int add(mlr_headers *h, const char *line, mlreg_error **err)
{
    return mlr_headers_add(h, line, strlen(line), err);
}

static void test_http_headers__found_in_any_case_and_in_order(void **state)
{
    mlr_headers h = {0};

    (void)state;
    mlr_headers_begin(&h);
    assert_int_equal(add(&h, "HTTP/1.1 200 OK\r\n", NULL), 0);
    assert_int_equal(add(&h, "Link: <a>\r\n", NULL), 0);
    assert_int_equal(add(&h, "LINK:<b>  \r\n", NULL), 0);
    assert_int_equal(add(&h, "Empty:\r\n", NULL), 0);
    assert_int_equal(add(&h, "X: a : b\n", NULL), 0);
    assert_int_equal(add(&h, "\r\n", NULL), 0);
    assert_string_equal(mlr_headers_get(&h, "link", 0), "<a>");
    assert_string_equal(mlr_headers_get(&h, "Link", 1), "<b>");
    assert_null(mlr_headers_get(&h, "Link", 2));
    assert_string_equal(mlr_headers_get(&h, "empty", 0), "");
    assert_string_equal(mlr_headers_get(&h, "X", 0), "a : b");
    assert_null(mlr_headers_get(&h, "HTTP/1.1 200 OK", 0));
    mlr_headers_done(&h);
}

static void test_http_headers__what_is_no_header_is_passed_over(void **state)
{
    mlr_headers h = {0};

    (void)state;
    mlr_headers_begin(&h);
    assert_int_equal(add(&h, "A: 1\r\n", NULL), 0);
    assert_int_equal(add(&h, ": nameless\r\n", NULL), 0);
    assert_int_equal(add(&h, "no colon\r\n", NULL), 0);
    assert_int_equal(mlr_headers_add(&h, "C: a\0b\r\n", 8, NULL), 0);
    assert_int_equal(h.n, 1);
    mlr_headers_done(&h);
}

/* RFC 9112 §5.2; libcurl does it itself from 8.18 on. */
static void test_http_headers__a_folded_one_is_read_whole(void **state)
{
    mlr_headers h = {0};

    (void)state;
    mlr_headers_begin(&h);
    assert_int_equal(add(&h, "HTTP/1.1 200 OK\r\n", NULL), 0);
    assert_int_equal(add(&h, " of: no header\r\n", NULL), 0);
    assert_int_equal(add(&h, "WWW-Authenticate: Bearer realm=\"r\",\r\n", NULL), 0);
    assert_int_equal(add(&h, "\t  service=\"s: t\",  \r\n", NULL), 0);
    assert_int_equal(add(&h, " \r\n", NULL), 0);
    assert_int_equal(add(&h, " scope=\"x\"\r\n", NULL), 0);
    assert_int_equal(add(&h, "Empty:\r\n", NULL), 0);
    assert_int_equal(add(&h, " not so\r\n", NULL), 0);
    assert_int_equal(add(&h, "no colon\r\n", NULL), 0);
    assert_int_equal(add(&h, " of: it\r\n", NULL), 0);
    assert_int_equal(add(&h, "Last: 1\r\n", NULL), 0);
    assert_string_equal(mlr_headers_get(&h, "www-authenticate", 0), "Bearer realm=\"r\", service=\"s: t\", scope=\"x\"");
    assert_string_equal(mlr_headers_get(&h, "Empty", 0), "not so");
    assert_string_equal(mlr_headers_get(&h, "Last", 0), "1");
    assert_int_equal(h.n, 3);
    mlr_headers_done(&h);
}

/* One half of a value would say something else. */
static void test_http_headers__a_folded_one_with_a_zero_is_none(void **state)
{
    mlr_headers h = {0};

    (void)state;
    mlr_headers_begin(&h);
    assert_int_equal(add(&h, "A: 1\r\n", NULL), 0);
    assert_int_equal(add(&h, "Location: /a\r\n", NULL), 0);
    assert_int_equal(mlr_headers_add(&h, " b\0c\r\n", 6, NULL), 0);
    assert_int_equal(add(&h, " d\r\n", NULL), 0);
    assert_null(mlr_headers_get(&h, "Location", 0));
    assert_string_equal(mlr_headers_get(&h, "A", 0), "1");
    mlr_headers_done(&h);
}

static void test_http_headers__a_new_head_replaces_the_last(void **state)
{
    mlr_headers h = {0};

    (void)state;
    mlr_headers_begin(&h);
    assert_int_equal(add(&h, "A: 1\r\n", NULL), 0);
    mlr_headers_begin(&h);
    assert_int_equal(add(&h, "B: 2\r\n", NULL), 0);
    assert_null(mlr_headers_get(&h, "A", 0));
    assert_string_equal(mlr_headers_get(&h, "B", 0), "2");
    mlr_headers_done(&h);
}

static void test_http_headers__their_number_is_limited(void **state)
{
    mlr_headers  h = {0};
    mlreg_error *err = NULL;

    (void)state;
    mlr_headers_begin(&h);
    for (int i = 0; i < MLR_HEADERS_MAX; i++)
        assert_int_equal(add(&h, "A: 1\r\n", NULL), 0);
    assert_int_equal(add(&h, "A: 1\r\n", &err), MLREG_EPROTO);
    assert_non_null(strstr(err->message, "256"));
    mlr_error_done(err);
    mlr_headers_done(&h);
}

static void test_http_headers__their_bytes_are_limited_over_all_heads(void **state)
{
    mlr_headers h = {0};
    char        line[1025];

    (void)state;
    memset(line, 'a', 1024);
    memcpy(line, "A: ", 3);
    line[1024] = '\0';
    for (int i = 0; i < 64; i++) {
        mlr_headers_begin(&h);           /* as after an interim answer: what was seen still counts */
        assert_int_equal(add(&h, line, NULL), 0);
    }
    assert_int_equal(h.seen_bytes, MLR_HEADERS_MAX_BYTES);
    assert_int_equal(add(&h, "\n", NULL), MLREG_EPROTO);
    mlr_headers_done(&h);
}

static void test_http_headers__content_length(void **state)
{
    static const struct {
        const char *line, *more;
        bool        is;
        uint64_t    value;
    } cases[] = {
        {"Content-Length: 0", NULL, true, 0},
        {"Content-Length: 18446744073709551615", NULL, true, UINT64_MAX},
        {"Content-Length: 18446744073709551616", NULL, false, 0},
        {"Content-Length: -1", NULL, false, 0},
        {"Content-Length: 1, 1", NULL, false, 0},
        {"Content-Length:", NULL, false, 0},
        {"Content-Length: 0x10", NULL, false, 0},
        {"Content-Length: 5", "Transfer-Encoding: chunked", false, 0},
        {"X: 1", NULL, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mlr_headers h = {0};
        uint64_t    value = 77;

        mlr_headers_begin(&h);
        assert_int_equal(add(&h, cases[i].line, NULL), 0);
        if (cases[i].more != NULL)
            assert_int_equal(add(&h, cases[i].more, NULL), 0);
        assert_int_equal(mlr_headers_length(&h, &value), cases[i].is);
        assert_true(value == (cases[i].is ? cases[i].value : 77));
        mlr_headers_done(&h);
    }
}

static void test_http_headers__nothing_is_smuggled_into_a_request(void **state)
{
    static const mlr_header bad[] = {
        {"", "x"}, {"A B", "x"}, {"A:", "x"}, {"A\r\nB", "x"}, {"A", "x\r\nB: y"}, {"A", "x\ny"}, {"A", "\x01"}, {"A", "\x7f"},
        {"\xc3\xa4", "x"},
    };
    static const mlr_header good[] = {{"X-A_b!", "a\tb \xc3\xa4"}, {"B", ""}};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(mlr_headers_check_sent(&bad[i], 1, NULL), MLREG_EINVAL);
    assert_int_equal(mlr_headers_check_sent(good, 2, NULL), 0);
}

static void test_http_headers__a_refused_value_is_not_shown(void **state)
{
    static const mlr_header secret = {"Authorization", "Bearer hunter2\n"};
    mlreg_error            *err = NULL;

    (void)state;
    assert_int_equal(mlr_headers_check_sent(&secret, 1, &err), MLREG_EINVAL);
    assert_null(strstr(err->message, "hunter2"));
    assert_non_null(strstr(err->message, "Authorization"));
    mlr_error_done(err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_headers__found_in_any_case_and_in_order),
        cmocka_unit_test(test_http_headers__what_is_no_header_is_passed_over),
        cmocka_unit_test(test_http_headers__a_folded_one_is_read_whole),
        cmocka_unit_test(test_http_headers__a_folded_one_with_a_zero_is_none),
        cmocka_unit_test(test_http_headers__a_new_head_replaces_the_last),
        cmocka_unit_test(test_http_headers__their_number_is_limited),
        cmocka_unit_test(test_http_headers__their_bytes_are_limited_over_all_heads),
        cmocka_unit_test(test_http_headers__content_length),
        cmocka_unit_test(test_http_headers__nothing_is_smuggled_into_a_request),
        cmocka_unit_test(test_http_headers__a_refused_value_is_not_shown),
    };

    return cmocka_run_group_tests_name("net/http_headers", tests, NULL, NULL);
}
