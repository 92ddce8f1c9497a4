/* tests/net/test_url.c - URLs: what is refused, what is kept byte for byte, which origins are one. */
#include "net/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/error.h"

static mlr_url parsed(const char *text)
{
    mlr_url      u;
    mlreg_error *err = NULL;

    if (mlr_url_parse(text, &u, &err) != 0)
        fail_msg("%s: %s", text, err->message);
    return u;
}

static void assert_refused(const char *text, const char *why)
{
    mlr_url      u;
    mlreg_error *err = NULL;

    if (mlr_url_parse(text, &u, &err) != MLREG_EINVAL)
        fail_msg("%s was not refused", text);
    if (strstr(err->message, why) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", text, err->message, why);
    mlr_error_done(err);
}

static void test_url__takes_apart(void **state)
{
    static const struct {
        const char *text, *scheme, *host, *target;
        unsigned    port;
    } cases[] = {
        {"https://ghcr.io/v2/", "https", "ghcr.io", "/v2/", 443},
        {"HTTP://GHCR.io", "http", "ghcr.io", "/", 80},
        {"http://127.0.0.1:5000/a%2Fb?x=%41&y", "http", "127.0.0.1", "/a%2Fb?x=%41&y", 5000},
        {"https://h:/a/../b", "https", "h", "/a/../b", 443},
        {"https://h:0443", "https", "h", "/", 443},
        {"https://h?q=1#frag", "https", "h", "/?q=1", 443},
        {"https://h/a#b?c", "https", "h", "/a", 443},
        {"https://[::1]:8080/x", "https", "::1", "/x", 8080},
        {"https://[0:0:0:0:0:0:0:1]/", "https", "::1", "/", 443},
        {"https://[2001:DB8::A]/", "https", "2001:db8::a", "/", 443},
        {"https://a_b-c.example/\xc3\xbc", "https", "a_b-c.example", "/\xc3\xbc", 443},
        {"https://h:65535/", "https", "h", "/", 65535},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mlr_url u = parsed(cases[i].text);

        assert_string_equal(u.scheme, cases[i].scheme);
        assert_string_equal(u.host, cases[i].host);
        assert_string_equal(u.target, cases[i].target);
        assert_int_equal(u.port, cases[i].port);
        mlr_url_done(&u);
    }
}

static void test_url__refuses(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "does not begin"},
        {"ghcr.io/v2/", "does not begin"},
        {"ftp://h/", "does not begin"},
        {"file:///etc/passwd", "does not begin"},
        {"https:/h/", "does not begin"},
        {"https://user@h/", "names a user"},
        {"https://user:pw@h/", "names a user"},
        {"https://evil\\@h/", "names a user"},
        {"https://evil@[::1]/", "names a user"},
        {"https://", "host name is empty"},
        {"https:///path", "host name is empty"},
        {"https://:80/", "host name is empty"},
        {"https://h:0/", "port"},
        {"https://h:65536/", "port"},
        {"https://h:99999999999999999999/", "port"},
        {"https://h:8a/", "port"},
        {"https://h:80:80/", "port"},
        {"https://h:-1/", "port"},
        {"https://h:+1/", "port"},
        {"https://[::1/", "not closed"},
        {"https://[::1]x/", "port"},
        {"https://[fe80::1%25eth0]/", "no IPv6"},
        {"https://[1.2.3.4]/", "no IPv6"},
        {"https://[]/", "no IPv6"},
        {"https://h%41/", "character"},
        {"https://h\\x/", "character"},
        {"https://a..b/", "character"},
        {"https://.a/", "character"},
        {"https://\xc3\xbc/", "character"},
        {"https://h /", "blank"},
        {"https://h/\r\nX: y", "blank or a control"},
        {"https://h/\x7f", "blank or a control"},
        {"\thttps://h/", "blank or a control"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(cases[i].text, cases[i].why);
}

static void test_url__length_is_limited(void **state)
{
    char    text[8194];
    mlr_url u;

    (void)state;
    memset(text, 'a', sizeof text);
    memcpy(text, "https://h/", 10);
    text[8192] = '\0';
    u = parsed(text);
    mlr_url_done(&u);
    text[8192] = 'a';
    text[8193] = '\0';
    assert_refused(text, "longer than the 8192");
}

static void test_url__host_length_is_limited(void **state)
{
    char    text[300];
    mlr_url u;

    (void)state;
    memset(text, 'a', sizeof text);
    memcpy(text, "https://", 8);
    text[8 + 255] = '\0';
    u = parsed(text);
    mlr_url_done(&u);
    text[8 + 255] = 'a';
    text[8 + 256] = '\0';
    assert_refused(text, "host name");
}

static void test_url__errors_show_neither_password_nor_query(void **state)
{
    mlr_url      u;
    mlreg_error *err = NULL;

    (void)state;
    mlr_url_parse("https://me:hunter2@h/p?sig=hunter3", &u, &err);
    assert_null(strstr(err->message, "hunter2"));
    assert_null(strstr(err->message, "hunter3"));
    assert_non_null(strstr(err->message, "https://h/p"));
    mlr_error_done(err);
}

/* RFC 3986 §5.4, as far as it speaks of http, and what registries send. */
static void test_url__resolves(void **state)
{
    static const struct {
        const char *reference, *result;
    } cases[] = {
        {"g", "http://a/b/c/g"},
        {"./g", "http://a/b/c/g"},
        {"g/", "http://a/b/c/g/"},
        {"/g", "http://a/g"},
        {"//g", "http://g/"},
        {"//g:81/x?y", "http://g:81/x?y"},
        {"?y", "http://a/b/c/d;p?y"},
        {"g?y", "http://a/b/c/g?y"},
        {"#s", "http://a/b/c/d;p?q"},
        {"g#s", "http://a/b/c/g"},
        {";x", "http://a/b/c/;x"},
        {"", "http://a/b/c/d;p?q"},
        {".", "http://a/b/c/"},
        {"./", "http://a/b/c/"},
        {"..", "http://a/b/"},
        {"../", "http://a/b/"},
        {"../g", "http://a/b/g"},
        {"../..", "http://a/"},
        {"../../g", "http://a/g"},
        {"../../../g", "http://a/g"},
        {"../../../../g", "http://a/g"},
        {"/./g", "http://a/g"},
        {"/../g", "http://a/g"},
        {"g.", "http://a/b/c/g."},
        {".g", "http://a/b/c/.g"},
        {"g..", "http://a/b/c/g.."},
        {"./../g", "http://a/b/g"},
        {"./g/.", "http://a/b/c/g/"},
        {"g/./h", "http://a/b/c/g/h"},
        {"g/../h", "http://a/b/c/h"},
        {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
        {"g?y/../x", "http://a/b/c/g?y/../x"},
        {"https://other:8443/x?_state=a%2Bb", "https://other:8443/x?_state=a%2Bb"},
        {"/v2/x/blobs/uploads/1?_state=A_-%3D&b", "http://a/v2/x/blobs/uploads/1?_state=A_-%3D&b"},
        {"/a//b/", "http://a/a//b/"},
        {"\\\\g", "http://a/b/c/\\\\g"},
    };
    mlr_url base = parsed("http://a/b/c/d;p?q");

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mlr_url u;
        char   *text;

        assert_int_equal(mlr_url_resolve(&base, cases[i].reference, &u, NULL), 0);
        text = mlr_url_text(&u);
        if (strcmp(text, cases[i].result) != 0)
            fail_msg("%s: %s, not %s", cases[i].reference, text, cases[i].result);
        mlr_free(text);
        mlr_url_done(&u);
    }
    mlr_url_done(&base);
}

static void test_url__resolve_refuses_what_parse_refuses(void **state)
{
    static const char *const cases[] = {"javascript:alert(1)", "file:///etc/passwd", "//user@h/", "///x", "a b", "a\nb",
                                        "ftp://h/x"};
    mlr_url base = parsed("https://a/b");

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mlr_url u;

        assert_int_equal(mlr_url_resolve(&base, cases[i], &u, NULL), MLREG_EINVAL);
    }
    mlr_url_done(&base);
}

static void test_url__text_names_the_port_only_where_it_matters(void **state)
{
    static const char *const same[] = {"https://h/", "https://h:80/", "http://h:443/x?y", "http://[::1]:5000/v2/"};

    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        mlr_url u = parsed(same[i]);
        char   *text = mlr_url_text(&u);

        assert_string_equal(text, same[i]);
        mlr_free(text);
        mlr_url_done(&u);
    }
}

static void test_url__adds_a_query_and_leaves_the_rest(void **state)
{
    static const struct {
        const char *url, *result;
    } cases[] = {
        {"https://h/x", "https://h/x?digest=sha256%3Aab%2B"},
        {"https://h/x?_state=a%2fb==", "https://h/x?_state=a%2fb==&digest=sha256%3Aab%2B"},
        {"https://h/x?", "https://h/x?digest=sha256%3Aab%2B"},
        {"https://h/x?a&", "https://h/x?a&digest=sha256%3Aab%2B"},
        {"https://h/x#f?", "https://h/x?digest=sha256%3Aab%2B"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = mlr_url_add_query(cases[i].url, "digest", "sha256:ab+");

        assert_string_equal(text, cases[i].result);
        mlr_free(text);
    }
}

static void test_url__encodes(void **state)
{
    char *text = mlr_url_encode("a-Z.0_~ /:\xff%", "/:");

    (void)state;
    assert_string_equal(text, "a-Z.0_~%20/:%FF%25");
    mlr_free(text);
}

static void test_url__shown_without_secrets(void **state)
{
    static const struct {
        const char *url, *shown;
    } cases[] = {
        {"https://h/x?sig=1", "https://h/x"},        {"https://u:p@h/x", "https://h/x"},
        {"https://u:p@q@h:1/x?y", "https://h:1/x"},  {"https://h/a@b", "https://h/a@b"},
        {"/v2/x?token=1", "/v2/x"},                  {"https://h#f?x", "https://h"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = mlr_url_shown(cases[i].url);

        assert_string_equal(text, cases[i].shown);
        mlr_free(text);
    }
}

static void test_url__origins(void **state)
{
    static const struct {
        const char *a, *b;
        bool        same;
    } cases[] = {
        {"https://h/a", "https://H:443/b?c", true},  {"https://h", "http://h", false},
        {"https://h", "https://h:8443", false},      {"https://h", "https://h.", false},
        {"http://[::1]", "http://[0:0::1]", true},   {"http://127.0.0.1", "http://localhost", false},
        {"https://h", "https://h.evil.example", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mlr_url a = parsed(cases[i].a), b = parsed(cases[i].b);

        assert_int_equal(mlr_url_same_origin(&a, &b), cases[i].same);
        mlr_url_done(&a);
        mlr_url_done(&b);
    }
}

static void test_url__loopback(void **state)
{
    static const struct {
        const char *url;
        bool        is;
    } cases[] = {
        {"http://localhost", true},        {"http://LOCALHOST:1", true},       {"http://a.localhost", true},
        {"http://127.0.0.1", true},        {"http://127.255.255.254", true},   {"http://[::1]", true},
        {"http://notlocalhost", false},    {"http://localhost.evil", false},   {"http://128.0.0.1", false},
        {"http://127.1", false},           {"http://0.0.0.0", false},          {"http://127.0.0.1.evil", false},
        {"http://[::2]", false},           {"http://[::ffff:127.0.0.1]", false},
        {"http://localhost.", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mlr_url u = parsed(cases[i].url);

        if (mlr_url_is_loopback(&u) != cases[i].is)
            fail_msg("%s", cases[i].url);
        mlr_url_done(&u);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url__takes_apart),
        cmocka_unit_test(test_url__refuses),
        cmocka_unit_test(test_url__length_is_limited),
        cmocka_unit_test(test_url__host_length_is_limited),
        cmocka_unit_test(test_url__errors_show_neither_password_nor_query),
        cmocka_unit_test(test_url__resolves),
        cmocka_unit_test(test_url__resolve_refuses_what_parse_refuses),
        cmocka_unit_test(test_url__text_names_the_port_only_where_it_matters),
        cmocka_unit_test(test_url__adds_a_query_and_leaves_the_rest),
        cmocka_unit_test(test_url__encodes),
        cmocka_unit_test(test_url__shown_without_secrets),
        cmocka_unit_test(test_url__origins),
        cmocka_unit_test(test_url__loopback),
    };

    return cmocka_run_group_tests_name("net/url", tests, NULL, NULL);
}
