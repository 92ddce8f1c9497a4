/* tests/net/test_http_proxy.c - by way of a proxy that the environment names: errors say so, and whose fault it is. */
#include "http_bed.h"

#include "base/alloc.h"
#include "bed/failing_alloc.h"
#include "net/http_parts.h"

static const char *const variables[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"};

static void forget(void)
{
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
}

static int setup(void **state)
{
    forget();
    *state = calloc(1, sizeof(struct http_bed));
    return *state == NULL;
}

static int teardown(void **state)
{
    forget();
    http_bed_close(*state);
    free(*state);
    return 0;
}

/* The evil server is the proxy. */
static void open_proxy_with(struct http_bed *b, const char *script, const char *variable, const mlr_http_options *o)
{
    char url[128];

    http_bed_open(b, script, o);
    snprintf(url, sizeof url, "http://me:secret@%s", b->evil.host);
    setenv(variable, url, 1);
}

static void open_proxy(struct http_bed *b, const char *script, const char *variable)
{
    open_proxy_with(b, script, variable, NULL);
}

static int get(struct http_bed *b, const char *url, bool foreign)
{
    mlr_request   r = {.method = "GET", .url = url, .foreign = foreign};
    mlr_exchange *x = NULL;
    int           rc = mlr_http_begin(b->http, &r, b->op, &x, &b->err);

    mlr_exchange_free(x);
    return rc;
}

static void assert_hint(struct http_bed *b, const char *says)
{
    assert_non_null(b->err->hint);
    assert_non_null(strstr(b->err->hint, says));
    assert_null(strstr(b->err->hint, "secret"));
    assert_null(strstr(b->err->message, "secret"));
    http_bed_clear(b);
}

/* ---- which one ---- */

static void assert_named(const char *url, const char *expected)
{
    mlr_url u = {NULL, NULL, 0, NULL};
    char   *name = NULL;

    assert_int_equal(mlr_url_parse(url, &u, NULL), 0);
    assert_int_equal(mlr_http_proxy_name(&u, &name, NULL), 0);
    assert_string_equal(name != NULL ? name : "", expected);
    mlr_free(name);
    mlr_url_done(&u);
}

static void test_http_proxy__is_the_one_that_libcurl_reads(void **state)
{
    http_bed_open(*state, "[]", NULL);
    assert_named("http://r.example/", "");
    setenv("HTTP_PROXY", "stranger:1", 1);
    assert_named("http://r.example/", "");
    setenv("ALL_PROXY", "socks5h://all.example:1080/", 1);
    assert_named("http://r.example/", "all.example:1080");
    assert_named("https://r.example/", "all.example:1080");
    setenv("HTTPS_PROXY", "http://me:pass/w@rd@p.example:3128", 1);
    assert_named("https://r.example/", "p.example:3128");
    setenv("https_proxy", "lower.example", 1);
    assert_named("https://r.example/", "lower.example");
    setenv("https_proxy", "", 1);
    assert_named("https://r.example/", "p.example:3128");
    setenv("http_proxy", "h:1", 1);
    assert_named("http://r.example/", "h:1");
    assert_named("http://localhost:5000/", "");
    assert_named("http://127.0.0.1/", "");
    assert_named("https://[::1]/", "");
}

static void test_http_proxy__on_this_machine_has_a_port_here(void **state)
{
    http_bed_open(*state, "[]", NULL);
    assert_int_equal(mlr_http_proxy_port_here("127.0.0.1:3128"), 3128);
    assert_int_equal(mlr_http_proxy_port_here("localhost:8080"), 8080);
    assert_int_equal(mlr_http_proxy_port_here("[::1]:3128"), 3128);
    assert_int_equal(mlr_http_proxy_port_here("p.example:3128"), 0);
    assert_int_equal(mlr_http_proxy_port_here("no host"), 0);
    assert_int_equal(mlr_http_proxy_port_here(NULL), 0);
}

/* Without it a request would be worded as for no proxy. */
static void test_http_proxy__want_of_memory_is_no_lack_of_one(void **state)
{
    mlr_url       u = {NULL, NULL, 0, NULL};
    char         *name = NULL;
    failing_alloc f;

    http_bed_open(*state, "[]", NULL);
    setenv("http_proxy", "p.example:3128", 1);
    assert_int_equal(mlr_url_parse("http://r.example/", &u, NULL), 0);
    failing_alloc_arm(&f, 1, false);
    assert_int_equal(mlr_http_proxy_name(&u, &name, NULL), MLREG_ENOMEM);
    assert_true(failing_alloc_disarm(&f));
    assert_null(name);
    mlr_url_done(&u);
}

/* ---- errors ---- */

static void test_http_proxy__that_is_not_there_is_named(void **state)
{
    struct http_bed *b = *state;

    http_bed_open(b, "[]", NULL);
    setenv("https_proxy", "http://me:secret@127.0.0.1:1", 1);
    assert_failed(b, get(b, "https://r.invalid/v2/", false), MLREG_ENET,
                  "cannot connect to r.invalid by way of the proxy 127.0.0.1:1: Connection refused");
    assert_hint(b, "https_proxy");
    setenv("https_proxy", "http://me:secret@nothing.invalid:3128", 1);
    assert_failed(b, get(b, "https://r.invalid/v2/", false), MLREG_ENET,
                  "cannot find the proxy nothing.invalid:3128, by way of which r.invalid is asked");
    assert_hint(b, "https_proxy");
}

static void test_http_proxy__that_opens_no_way_says_why(void **state)
{
    struct http_bed *b = *state;

    open_proxy(b, "[{\"path\": \"a.invalid:443\", \"status\": 407}, {\"path\": \"b.invalid:443\", \"status\": 403}, {\"status\": 502}]", "https_proxy");
    assert_failed(b, get(b, "https://a.invalid/", false), MLREG_EDENIED, "opens no way to a.invalid: it answered 407");
    assert_non_null(strstr(b->err->message, b->evil.host));
    assert_hint(b, "NAME:PASSWORD");
    assert_failed(b, get(b, "https://b.invalid/", false), MLREG_EDENIED, "opens no way to b.invalid: it answered 403");
    assert_hint(b, "no_proxy");
    assert_failed(b, get(b, "https://c.invalid/", false), MLREG_ENET, "opens no way to c.invalid: it answered 502");
    assert_hint(b, "no_proxy");
}

static void test_http_proxy__that_hangs_up_is_named(void **state)
{
    struct http_bed *b = *state;
    char             says[128];

    open_proxy(b, "[{\"do\": \"close\"}]", "http_proxy");
    snprintf(says, sizeof says, "r.invalid by way of the proxy %s", b->evil.host);
    assert_failed(b, get(b, "http://r.invalid/", false), MLREG_ENET, says);
}

static void test_http_proxy__that_does_not_answer_is_named(void **state)
{
    static const mlr_http_options impatient = {.stall_timeout_ms = 300};
    struct http_bed              *b = *state;
    char                          says[128];

    open_proxy_with(b, "[{\"do\": \"stall\"}]", "http_proxy", &impatient);
    snprintf(says, sizeof says, "r.invalid by way of the proxy %s did not answer for 0.3 s", b->evil.host);
    assert_failed(b, get(b, "http://r.invalid/", false), MLREG_ETIMEDOUT, says);
}

static void test_http_proxy__is_not_named_where_it_was_not_asked(void **state)
{
    struct http_bed *b = *state;

    open_proxy(b, "[]", "http_proxy");
    setenv("no_proxy", "other.example,r.invalid", 1);
    assert_failed(b, get(b, "http://r.invalid/", false), MLREG_ENET, "cannot find the host r.invalid");
    assert_null(strstr(b->err->message, "proxy"));
    assert_int_equal(bed_log_count(&b->evil, ""), 0);
}

/* ---- requests ---- */

static void test_http_proxy__is_asked_for_the_whole_url(void **state)
{
    struct http_bed *b = *state;

    open_proxy(b, "[{}]", "http_proxy");
    assert_int_equal(get(b, "http://r.invalid:5000/v2/x?n=1", false), 0);
    assert_int_equal(bed_log_count(&b->evil, "\"path\": \"http://r.invalid:5000/v2/x?n=1\""), 1);
}

/* Where the registry itself is not asked by way of it, as no_proxy may have it. */
static void test_http_proxy__on_this_machine_may_be_asked_for_strangers(void **state)
{
    struct http_bed *b = *state;
    mlr_http        *other = NULL;

    open_proxy(b, "[{}]", "http_proxy");
    assert_int_equal(get(b, "http://storage.invalid/blob", true), 0);
    assert_int_equal(mlr_http_new(b->rt, NULL, &other, NULL), 0);
    mlr_http_free(b->http);
    b->http = other;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    assert_failed(b, get(b, b->evil.url, true), MLREG_EDENIED, "127.0.0.1");
}

/* What no_proxy excepts (169.254.169.254, as clouds advise) is asked without it. */
static void test_http_proxy__on_this_machine_does_not_lead_strangers_inside(void **state)
{
    struct http_bed *b = *state;

    open_proxy(b, "[{}]", "http_proxy");
    assert_int_equal(get(b, "http://r.invalid/v2/", false), 0);
    assert_int_equal(get(b, "http://storage.invalid/blob", true), 0);
    assert_failed(b, get(b, b->evil.url, true), MLREG_EDENIED, "127.0.0.1");
}

/* What a proxy reaches may be the same machine, or the same cloud. */
static void test_http_proxy__is_not_asked_for_credentials_of_clouds(void **state)
{
    static const char *const urls[] = {"http://169.254.169.254/latest", "http://0xa9fea9fe/latest", "http://2852039166/", "http://100.100.100.200/x",
                                       "http://[fd00:ec2::254]/x"};
    struct http_bed *b = *state;

    open_proxy(b, "[{}]", "http_proxy");
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        assert_failed(b, get(b, urls[i], true), MLREG_EDENIED, "an address that only this machine or its link can reach");
        http_bed_clear(b);
    }
    assert_int_equal(bed_log_count(&b->evil, ""), 0);
    assert_int_equal(get(b, "http://169.254.169.254/v2/", false), 0);
    assert_int_equal(get(b, "http://169.254.169.254/blob", true), 0);        /* now the user named something there */
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_http_proxy__##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(is_the_one_that_libcurl_reads),
        TEST(on_this_machine_has_a_port_here),
        TEST(want_of_memory_is_no_lack_of_one),
        TEST(that_is_not_there_is_named),
        TEST(that_opens_no_way_says_why),
        TEST(that_hangs_up_is_named),
        TEST(that_does_not_answer_is_named),
        TEST(is_not_named_where_it_was_not_asked),
        TEST(is_asked_for_the_whole_url),
        TEST(on_this_machine_may_be_asked_for_strangers),
        TEST(on_this_machine_does_not_lead_strangers_inside),
        TEST(is_not_asked_for_credentials_of_clouds),
    };

    return cmocka_run_group_tests_name("net/http_proxy", tests, NULL, NULL);
}
