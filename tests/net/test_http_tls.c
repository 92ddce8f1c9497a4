/* tests/net/test_http_tls.c - TLS: who is trusted, by which file, and what is said where somebody is not. */
#include "http_bed.h"

#include <signal.h>
#include <unistd.h>

#include "net/http_parts.h"

#define MIB (1u << 20)

struct tls_bed {
    struct http_bed http;
    char            dir[64];
    char           *cert_file, *key_file;
};

static int setup(void **state)
{
    struct tls_bed *t = calloc(1, sizeof *t);

    bed_dir_make(t->dir);
    bed_certificate(t->dir, &t->cert_file, &t->key_file);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct tls_bed *t = *state;

    http_bed_close(&t->http);
    bed_dir_remove(t->dir);
    free(t->cert_file);
    free(t->key_file);
    free(t);
    unsetenv("SSL_CERT_FILE");
    unsetenv("CURL_CA_BUNDLE");
    return 0;
}

/* In place of the plain server that http_bed_open starts. */
static struct http_bed *open_tls(struct tls_bed *t, const char *script, const char *client_ca, const mlr_http_options *o)
{
    http_bed_open(&t->http, "[]", o);
    bed_server_stop(&t->http.evil);
    bed_evil_start_tls(&t->http.evil, script, t->cert_file, t->key_file, client_ca);
    return &t->http;
}

static int get(struct http_bed *b, bool foreign)
{
    mlr_exchange *x;
    int           rc = http_bed_send(b, (mlr_request){.method = "GET", .foreign = foreign}, "/", &x);

    if (rc == 0)
        assert_body(b, x, "secret");
    mlr_exchange_free(x);
    return rc;
}

#define SCRIPT "[{\"method\": \"GET\", \"body\": \"secret\"}]"

static void test_http_tls__an_unknown_authority_is_not_trusted(void **state)
{
    struct http_bed *b = open_tls(*state, SCRIPT, NULL, NULL);

    assert_failed(b, get(b, false), MLREG_EDENIED, "not trusted");
    assert_non_null(strstr(b->err->message, b->evil.host));
    assert_non_null(strstr(b->err->hint, "SSL_CERT_FILE"));
    assert_int_equal(bed_log_count(&b->evil, ""), 0);
}

static void test_http_tls__the_callers_authority_is(void **state)
{
    struct tls_bed  *t = *state;
    struct http_bed *b = open_tls(t, SCRIPT, NULL, &(mlr_http_options){.ca_file = t->cert_file});

    assert_int_equal(get(b, false), 0);
    assert_int_equal(get(b, false), 0);
    assert_int_equal(bed_log_count(&b->evil, "\"connection\": 1,"), 2);
}

static void test_http_tls__so_is_that_of_the_environment(void **state)
{
    static const char *const names[] = {"SSL_CERT_FILE", "CURL_CA_BUNDLE"};
    struct tls_bed          *t = *state;

    for (int i = 0; i < 2; i++) {
        setenv(names[i], t->cert_file, 1);
        assert_int_equal(get(open_tls(t, SCRIPT, NULL, NULL), false), 0);
        unsetenv(names[i]);
        http_bed_close(&t->http);
    }
    setenv("SSL_CERT_FILE", t->cert_file, 1);
    setenv("CURL_CA_BUNDLE", "/nonexistent", 1);       /* the first counts */
    assert_int_equal(get(open_tls(t, SCRIPT, NULL, NULL), false), 0);
}

static void test_http_tls__a_certificate_for_another_host_is_not_trusted(void **state)
{
    struct tls_bed  *t = *state;
    struct http_bed *b = open_tls(t, SCRIPT, NULL, &(mlr_http_options){.ca_file = t->cert_file});

    snprintf(b->evil.url, sizeof b->evil.url, "https://other.localhost:%d", b->evil.port);
    assert_failed(b, get(b, false), MLREG_EDENIED, "is not trusted: it is for another name");
}

static void test_http_tls__unusable_files(void **state)
{
    struct tls_bed  *t = *state;
    struct http_bed *b = open_tls(t, SCRIPT, NULL, &(mlr_http_options){.ca_file = "/nonexistent/ca.pem"});

    assert_failed(b, get(b, false), MLREG_EIO, "/nonexistent/ca.pem");
    assert_non_null(b->err->hint);
    http_bed_close(b);
    b = open_tls(t, SCRIPT, NULL, &(mlr_http_options){.ca_file = t->cert_file, .client_cert_file = "/nonexistent/me.pem"});
    assert_failed(b, get(b, false), MLREG_EIO, "/nonexistent/me.pem");
}

static void test_http_tls__a_client_certificate_is_shown_to_its_own_origin_only(void **state)
{
    struct tls_bed  *t = *state;
    mlr_http_options o = {.ca_file = t->cert_file, .client_cert_file = t->cert_file, .client_key_file = t->key_file};
    struct http_bed *b = open_tls(t, SCRIPT, t->cert_file, &o);

    assert_int_equal(get(b, false), 0);
    http_bed_close(b);
    b = open_tls(t, SCRIPT, t->cert_file, &o);
    atomic_store(&b->http->is_near, true);             /* that this machine is asked is not the matter here */
    assert_true(get(b, true) < 0);
    assert_int_equal(bed_log_count(&b->evil, ""), 0);
}

static void test_http_tls__a_kept_connection_with_the_certificate_is_not_lent_to_strangers(void **state)
{
    struct tls_bed  *t = *state;
    mlr_http_options o = {.ca_file = t->cert_file, .client_cert_file = t->cert_file, .client_key_file = t->key_file};
    struct http_bed *b = open_tls(t, SCRIPT, t->cert_file, &o);

    assert_int_equal(get(b, false), 0);
    assert_true(get(b, true) < 0);
}

static void test_http_tls__https_to_a_plain_server(void **state)
{
    struct tls_bed  *t = *state;
    struct http_bed *b = &t->http;

    http_bed_open(b, SCRIPT, NULL);
    snprintf(b->evil.url, sizeof b->evil.url, "https://%s", b->evil.host);
    assert_failed(b, get(b, false), MLREG_EPROTO, "does not speak TLS");
    assert_non_null(strstr(b->err->hint, "--plain-http"));
    assert_non_null(strstr(b->err->hint, "MLREG_OPEN_PLAIN_HTTP"));
}

static void test_http_tls__http_to_a_tls_server(void **state)
{
    struct http_bed *b = open_tls(*state, SCRIPT, NULL, NULL);

    snprintf(b->evil.url, sizeof b->evil.url, "http://%s", b->evil.host);
    assert_true(get(b, false) < 0);
    assert_non_null(strstr(b->err->message, b->evil.host));
}

static void test_http_tls__large_bodies_both_ways(void **state)
{
    struct tls_bed  *t = *state;
    struct http_bed *b = open_tls(t, "[{\"method\": \"PUT\", \"status\": 201}, {\"size\": 5000000}]", NULL, &(mlr_http_options){.ca_file = t->cert_file});
    char            *buf = malloc(8 * MIB);
    mlr_exchange    *x = http_bed_ask(b, "GET", "/");

    assert_int_equal(mlr_exchange_read(x, buf, 8 * MIB, b->op, &b->err), 5000000);
    assert_true(bed_is_pattern(0, buf, 5000000));
    mlr_exchange_free(x);
    assert_int_equal(http_bed_send(b, (mlr_request){.method = "PUT", .body = buf, .body_bytes = 5000000}, "/", &x), 0);
    assert_int_equal(mlr_exchange_status(x), 201);
    mlr_exchange_free(x);
    assert_int_equal(bed_log_count(&b->evil, "\"body_bytes\": 5000000"), 1);
    free(buf);
}

/* Writing to a connection that the other side has reset would raise SIGPIPE, whose default is the host's end. */
static void test_http_tls__no_sigpipe(void **state)
{
    struct tls_bed  *t = *state;
    struct http_bed *b = open_tls(t, "[{\"do\": \"stall_unread\", \"ms\": 20}]", NULL, &(mlr_http_options){.ca_file = t->cert_file});
    char            *data = calloc(1, 32 * MIB);
    mlr_exchange    *x;

    signal(SIGPIPE, SIG_DFL);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(http_bed_send(b, (mlr_request){.method = "PUT", .body = data, .body_bytes = 32 * MIB}, "/", &x), MLREG_ENET);
        http_bed_clear(b);
    }
    free(data);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_http_tls__##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_unknown_authority_is_not_trusted),
        TEST(the_callers_authority_is),
        TEST(so_is_that_of_the_environment),
        TEST(a_certificate_for_another_host_is_not_trusted),
        TEST(unusable_files),
        TEST(a_client_certificate_is_shown_to_its_own_origin_only),
        TEST(a_kept_connection_with_the_certificate_is_not_lent_to_strangers),
        TEST(https_to_a_plain_server),
        TEST(http_to_a_tls_server),
        TEST(large_bodies_both_ways),
        TEST(no_sigpipe),
    };

    return cmocka_run_group_tests_name("net/http_tls", tests, NULL, NULL);
}
