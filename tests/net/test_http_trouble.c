/* tests/net/test_http_trouble.c - servers that refuse, stall, break off, talk too much; a caller who changes his mind. */
#include "http_bed.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/http_parts.h"

#define MIB (1u << 20)

static const mlr_http_options impatient = {.connect_timeout_ms = 500, .stall_timeout_ms = 400, .commit_timeout_ms = 60000};

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct http_bed));
    return *state == NULL;
}

static int teardown(void **state)
{
    http_bed_close(*state);
    free(*state);
    return 0;
}

static int get(struct http_bed *b, const char *path)
{
    mlr_exchange *x;
    int           rc = http_bed_send(b, (mlr_request){.method = "GET"}, path, &x);

    mlr_exchange_free(x);
    return rc;
}

static int get_url(struct http_bed *b, const char *url, bool foreign)
{
    mlr_request   r = {.method = "GET", .url = url, .foreign = foreign};
    mlr_exchange *x = NULL;
    int           rc = mlr_http_begin(b->http, &r, b->op, &x, &b->err);

    mlr_exchange_free(x);
    return rc;
}

/* ---- connecting ---- */

/* A port of 127.0.0.1 that nobody listens on while `fd` is open; with a backlog, one that nobody accepts on. */
static int take_port(int *fd, int backlog)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t          len = sizeof a;

    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*fd, (struct sockaddr *)&a, len), 0);
    if (backlog >= 0)
        assert_int_equal(listen(*fd, backlog), 0);
    assert_int_equal(getsockname(*fd, (struct sockaddr *)&a, &len), 0);
    return ntohs(a.sin_port);
}

static void test_http_trouble__nobody_listens(void **state)
{
    struct http_bed *b = *state;
    char             url[64], says[96];
    int              fd, port = take_port(&fd, -1);

    http_bed_open(b, "[]", NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/v2/", port);
    snprintf(says, sizeof says, "cannot connect to 127.0.0.1:%d: Connection refused", port);
    assert_failed(b, get_url(b, url, false), MLREG_ENET, says);
    close(fd);
}

static void test_http_trouble__nobody_accepts(void **state)
{
    struct http_bed   *b = *state;
    char               url[64];
    int                fd, port = take_port(&fd, 0), fill[4];
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    uint64_t           began;

    http_bed_open(b, "[]", &impatient);
    for (int i = 0; i < 4; i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(fill[i], (struct sockaddr *)&a, sizeof a);
    }
    snprintf(url, sizeof url, "http://127.0.0.1:%d/v2/", port);
    began = mlr_clock_ms();
    assert_failed(b, get_url(b, url, false), MLREG_ETIMEDOUT, "within 0.5 s");
    assert_in_range(mlr_clock_ms() - began, 450, 5000);
    for (int i = 0; i < 4; i++)
        close(fill[i]);
    close(fd);
}

static void test_http_trouble__connections_of_other_servers_do_not_lead_inside(void **state)
{
    struct http_bed *b = *state;
    char             url[80];

    http_bed_open(b, "[{}]", NULL);
    snprintf(url, sizeof url, "%s/latest/meta-data", b->evil.url);
    assert_failed(b, get_url(b, url, true), MLREG_EDENIED, "127.0.0.1");      /* nothing that the user named is here */
    http_bed_clear(b);
    assert_int_equal(bed_log_count(&b->evil, ""), 0);
    assert_int_equal(get_url(b, url, false), 0);                             /* now it is */
    assert_int_equal(get_url(b, url, true), 0);
}

static void test_http_trouble__what_counts_as_inside(void **state)
{
    static const struct {
        int         family;
        const char *text;
        bool        inside;
    } cases[] = {
        {AF_INET, "127.0.0.1", true},      {AF_INET, "127.9.9.9", true},      {AF_INET, "169.254.169.254", true},
        {AF_INET, "0.0.0.0", true},        {AF_INET6, "::1", true},           {AF_INET6, "fe80::1", true},
        {AF_INET6, "::", true},            {AF_INET6, "::ffff:127.0.0.1", true}, {AF_INET6, "::ffff:169.254.1.1", true},
        {AF_INET, "93.184.216.34", false}, {AF_INET, "10.0.0.1", false},      {AF_INET, "169.253.0.1", false},
        {AF_INET6, "fd00:ec2::254", true}, {AF_INET6, "64:ff9b::a9fe:a9fe", true}, {AF_INET, "100.100.100.200", true},
        {AF_INET6, "fd00:ec2::253", false}, {AF_INET6, "64:ff9b::5db8:d822", false}, {AF_INET, "100.100.100.201", false},
        {AF_INET6, "2001:db8::1", false},  {AF_INET6, "::ffff:93.184.216.34", false},
    };

    http_bed_open(*state, "[]", NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mlr_http      http = {0};
        mlr_http_line        line = {.socket = CURL_SOCKET_BAD};
        mlr_http_gate        gate = {.http = &http, .line = &line, .foreign = true};
        struct curl_sockaddr *a = calloc(1, sizeof *a + sizeof(struct sockaddr_in6));
        curl_socket_t        s;

        a->family = cases[i].family;
        a->socktype = SOCK_STREAM;
        if (a->family == AF_INET)
            assert_int_equal(inet_pton(AF_INET, cases[i].text, &((struct sockaddr_in *)(void *)&a->addr)->sin_addr), 1);
        else
            assert_int_equal(inet_pton(AF_INET6, cases[i].text, &((struct sockaddr_in6 *)(void *)&a->addr)->sin6_addr), 1);
        s = mlr_http_open_socket(&gate, CURLSOCKTYPE_IPCXN, a);
        if (gate.refused != cases[i].inside)
            fail_msg("%s", cases[i].text);
        if (gate.refused)
            assert_string_equal(gate.address, cases[i].text);
        if (s != CURL_SOCKET_BAD)
            close(s);
        gate = (mlr_http_gate){.http = &http, .line = &line, .loopback_name = true};
        s = mlr_http_open_socket(&gate, CURLSOCKTYPE_IPCXN, a);              /* "localhost" must be here, whatever DNS says */
        assert_int_equal(gate.refused, strncmp(cases[i].text, "127.", 4) != 0 && strcmp(cases[i].text, "::1") != 0);
        if (s != CURL_SOCKET_BAD)
            close(s);
        free(a);
    }
}

/* ---- stalls ---- */

static void test_http_trouble__no_answer(void **state)
{
    struct http_bed *b = *state;
    uint64_t         began;

    http_bed_open(b, "[{\"do\": \"stall\"}]", &impatient);
    began = mlr_clock_ms();
    assert_failed(b, get(b, "/"), MLREG_ETIMEDOUT, "did not answer for 0.4 s");
    assert_in_range(mlr_clock_ms() - began, 380, 5000);
}

static void test_http_trouble__a_head_that_comes_by_drops(void **state)
{
    struct http_bed *b = *state;

    http_bed_open(b, "[{\"do\": \"drip\", \"head\": true, \"ms\": 50, \"body\": \"x\"}]", &impatient);
    assert_failed(b, get(b, "/"), MLREG_ETIMEDOUT, "did not answer");
}

static void test_http_trouble__a_body_that_stops(void **state)
{
    struct http_bed *b = *state;
    char            *buf = malloc(MIB);
    mlr_exchange    *x;

    http_bed_open(b, "[{\"do\": \"stall_body\", \"size\": 1000000, \"sent\": 500000}]", &impatient);
    x = http_bed_ask(b, "GET", "/");
    assert_failed(b, (int)mlr_exchange_read(x, buf, MIB, b->op, &b->err), MLREG_ETIMEDOUT, "in the middle of an answer");
    http_bed_clear(b);
    assert_failed(b, (int)mlr_exchange_read(x, buf, MIB, b->op, &b->err), MLREG_ETIMEDOUT, "failed before");
    mlr_exchange_free(x);
    free(buf);
}

static void test_http_trouble__slow_is_no_stall(void **state)
{
    struct http_bed *b = *state;
    mlr_exchange    *x;

    http_bed_open(b, "[{\"do\": \"drip\", \"ms\": 100, \"body\": \"1234567890\"}]",
                  &(mlr_http_options){.stall_timeout_ms = 700});
    x = http_bed_ask(b, "GET", "/");
    assert_body(b, x, "1234567890");
    mlr_exchange_free(x);
}

static void test_http_trouble__a_reader_may_take_his_time(void **state)
{
    struct http_bed *b = *state;
    char            *buf = malloc(8 * MIB);
    mlr_exchange    *x;

    http_bed_open(b, "[{\"size\": 8000000}]", &impatient);
    x = http_bed_ask(b, "GET", "/");
    assert_int_equal(mlr_exchange_read(x, buf, 1000, b->op, &b->err), 1000);
    usleep(600000);                      /* longer than a stall */
    assert_int_equal(mlr_exchange_read(x, buf, 8 * MIB, b->op, &b->err), 7999000);
    assert_true(bed_is_pattern(1000, buf, 7999000));
    mlr_exchange_free(x);
    free(buf);
}

static void test_http_trouble__a_server_that_takes_nothing(void **state)
{
    struct http_bed *b = *state;
    char            *data = calloc(1, 64 * MIB);
    mlr_exchange    *x;

    http_bed_open(b, "[{\"do\": \"stall_unread\"}]", &impatient);
    assert_failed(b, http_bed_send(b, (mlr_request){.method = "PUT", .body = data, .body_bytes = 64 * MIB}, "/", &x), MLREG_ETIMEDOUT, "took nothing");
    free(data);
}

static void test_http_trouble__a_commit_may_take_long(void **state)
{
    struct http_bed *b = *state;
    mlr_exchange    *x;

    http_bed_open(b, "[{\"delay_ms\": 1000, \"status\": 201}]", &impatient);
    assert_failed(b, http_bed_send(b, (mlr_request){.method = "PUT", .body = "x", .body_bytes = 1}, "/", &x), MLREG_ETIMEDOUT, "did not answer");
    http_bed_clear(b);
    assert_int_equal(http_bed_send(b, (mlr_request){.method = "PUT", .body = "x", .body_bytes = 1, .commit = true}, "/", &x), 0);
    assert_int_equal(mlr_exchange_status(x), 201);
    mlr_exchange_free(x);
}

static void test_http_trouble__a_commit_may_not_take_for_ever(void **state)
{
    struct http_bed *b = *state;
    mlr_exchange    *x;

    http_bed_open(b, "[{\"do\": \"stall\"}]", &(mlr_http_options){.stall_timeout_ms = 100, .commit_timeout_ms = 500});
    assert_failed(b, http_bed_send(b, (mlr_request){.method = "PUT", .commit = true}, "/", &x), MLREG_ETIMEDOUT, "for 0.5 s");
}

static void test_http_trouble__what_reads_a_large_blob_first_may_take_longer(void **state)
{
    struct http_bed *b = *state;
    mlr_exchange    *x;

    http_bed_open(b, "[{\"delay_ms\": 1000}]", &impatient);
    assert_failed(b, http_bed_send(b, (mlr_request){.method = "GET", .stored_bytes = 1000000}, "/", &x), MLREG_ETIMEDOUT, "did not answer for 0.41 s");
    http_bed_clear(b);
    assert_int_equal(http_bed_send(b, (mlr_request){.method = "GET", .stored_bytes = 4000000000}, "/", &x), 0);
    mlr_exchange_free(x);
}

static void test_http_trouble__in_the_middle_of_a_large_blob_is_as_long_as_ever(void **state)
{
    struct http_bed *b = *state;
    char            *buf = malloc(MIB);
    mlr_exchange    *x;

    http_bed_open(b, "[{\"do\": \"stall_body\", \"size\": 1000000, \"sent\": 500000}]", &impatient);
    assert_int_equal(http_bed_send(b, (mlr_request){.method = "GET", .stored_bytes = 4000000000}, "/", &x), 0);
    assert_failed(b, (int)mlr_exchange_read(x, buf, MIB, b->op, &b->err), MLREG_ETIMEDOUT, "sent nothing for 0.4 s");
    mlr_exchange_free(x);
    free(buf);
}

/* ---- cancelling ---- */

static void *cancel_soon(void *remote)
{
    usleep(150000);
    mlr_remote_cancel(remote);
    return NULL;
}

static void test_http_trouble__cancelled_while_it_waits(void **state)
{
    struct http_bed *b = *state;
    pthread_t        thread;
    uint64_t         began;

    http_bed_open(b, "[{\"do\": \"stall\"}]", NULL);
    began = mlr_clock_ms();
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, b->remote), 0);
    assert_failed(b, get(b, "/"), MLREG_ECANCELLED, "cancelled");
    assert_true(mlr_clock_ms() - began < 1150);
    pthread_join(thread, NULL);
}

static void test_http_trouble__cancelled_while_it_reads(void **state)
{
    struct http_bed *b = *state;
    char            *buf = malloc(MIB);
    pthread_t        thread;
    mlr_exchange    *x;
    int64_t          n;

    http_bed_open(b, "[{\"do\": \"endless_body\"}]", NULL);
    x = http_bed_ask(b, "GET", "/");
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, b->remote), 0);
    while ((n = mlr_exchange_read(x, buf, MIB, b->op, &b->err)) > 0)
        ;
    assert_failed(b, (int)n, MLREG_ECANCELLED, "cancelled");
    pthread_join(thread, NULL);
    mlr_exchange_free(x);
    free(buf);
}

static int count_calls(mlreg_op *op, void *user)
{
    (void)op;
    return ++*(int *)user == 5;          /* the fifth cancels */
}

static void test_http_trouble__progress_is_called_while_nothing_moves(void **state)
{
    struct http_bed *b = *state;
    int              calls = 0;

    http_bed_open(b, "[{\"do\": \"stall\"}]", NULL);
    mlr_remote_on_progress(b->remote, count_calls, &calls, 60);
    assert_failed(b, get(b, "/"), MLREG_ECANCELLED, "cancelled");
    assert_int_equal(calls, 5);
}

/* ---- answers that are none ---- */

static void test_http_trouble__connections_that_break(void **state)
{
    struct http_bed *b = *state;

    http_bed_open(b, "[{\"path\": \"/close\", \"do\": \"close\"}, {\"path\": \"/reset\", \"do\": \"reset\"}]", NULL);
    assert_failed(b, get(b, "/close"), MLREG_ENET, "closed the connection without an answer");
    http_bed_clear(b);
    assert_failed(b, get(b, "/reset"), MLREG_ENET, "reset");
}

static void assert_cut(struct http_bed *b, const char *path)
{
    char         *buf = malloc(MIB);
    mlr_exchange *x = http_bed_ask(b, "GET", path);

    assert_failed(b, (int)mlr_exchange_read(x, buf, MIB, b->op, &b->err), MLREG_ENET, b->evil.host);
    http_bed_clear(b);
    mlr_exchange_free(x);
    free(buf);
}

static void test_http_trouble__a_body_that_is_cut_short_is_no_end(void **state)
{
    struct http_bed *b = *state;

    http_bed_open(b, "[{\"path\": \"/length\", \"do\": \"cut\", \"size\": 1000000, \"sent\": 999999},"
                     " {\"path\": \"/none\", \"do\": \"cut\", \"size\": 10, \"sent\": 0},"
                     " {\"path\": \"/reset\", \"do\": \"cut\", \"size\": 1000000, \"sent\": 5000, \"reset\": true},"
                     " {\"path\": \"/chunked\", \"do\": \"cut\", \"framing\": \"chunked\", \"body\": \"5\\r\\nhello\\r\\n\", \"sent\": 10}]", NULL);
    assert_cut(b, "/length");
    assert_cut(b, "/none");
    assert_cut(b, "/reset");
    assert_cut(b, "/chunked");
}

static void test_http_trouble__no_http(void **state)
{
    struct http_bed *b = *state;

    http_bed_open(b, "[{\"path\": \"/ssh\", \"do\": \"raw\", \"body\": \"SSH-2.0-OpenSSH_9.2\\r\\n\"},"
                     " {\"path\": \"/upgrade\", \"do\": \"raw\", \"body\": \"HTTP/1.1 101 Switching Protocols\\r\\n\\r\\nx\"},"
                     " {\"path\": \"/zero\", \"do\": \"raw\", \"body\": \"HTTP/1.1 000 X\\r\\n\\r\\n\"}]", NULL);
    assert_failed(b, get(b, "/ssh"), MLREG_EPROTO, b->evil.host);
    http_bed_clear(b);
    assert_failed(b, get(b, "/upgrade"), MLREG_EPROTO, b->evil.host);
    http_bed_clear(b);
    assert_true(get(b, "/zero") < 0);
}

static void test_http_trouble__heads_are_limited(void **state)
{
    struct http_bed *b = *state;

    /* with Content-Length, 256 */
    http_bed_open(b, "[{\"path\": \"/256\", \"do\": \"many_headers\", \"count\": 255}, {\"path\": \"/257\", \"do\": \"many_headers\", \"count\": 256},"
                     " {\"path\": \"/bytes\", \"do\": \"many_headers\", \"count\": 7, \"length\": 10000},"
                     " {\"path\": \"/line\", \"do\": \"many_headers\", \"count\": 1, \"length\": 200000},"
                     " {\"path\": \"/interim\", \"do\": \"endless_interim\"}]", NULL);
    assert_int_equal(get(b, "/256"), 0);
    assert_failed(b, get(b, "/257"), MLREG_EPROTO, "256 headers");
    http_bed_clear(b);
    assert_failed(b, get(b, "/bytes"), MLREG_EPROTO, "64 KiB");
    http_bed_clear(b);
    assert_failed(b, get(b, "/line"), MLREG_EPROTO, "64 KiB");
    http_bed_clear(b);
    assert_failed(b, get(b, "/interim"), MLREG_EPROTO, "64 KiB");
}

/* What cannot be staged here: the words for what libcurl reports. */
static void test_http_trouble__errors_say_what_to_do(void **state)
{
    static const struct {
        CURLcode    code;
        const char *text;
        int         rc;
        const char *says, *hint;
    } cases[] = {
        {CURLE_COULDNT_RESOLVE_HOST, "Could not resolve host: h", MLREG_ENET, "cannot find the host h", "check the name"},
        {CURLE_COULDNT_RESOLVE_PROXY, "Could not resolve proxy: p", MLREG_ENET, "proxy: p", NULL},
        {CURLE_SSL_CONNECT_ERROR, "error:0A00010B:SSL routines::wrong version number", MLREG_EPROTO, "does not speak TLS", "--plain-http"},
        {CURLE_SSL_CONNECT_ERROR, "handshake failure", MLREG_ENET, "handshake failure", "--plain-http"},
        {CURLE_PEER_FAILED_VERIFICATION, "self-signed certificate", MLREG_EDENIED, "self-signed", "SSL_CERT_FILE"},
        {CURLE_SSL_CONNECT_ERROR, "OpenSSL/3.0.19: error:0A000410:SSL routines::alert", MLREG_ENET, "no TLS connection to h: error:0A000410", "--plain-http"},
        {CURLE_SSL_CONNECT_ERROR, "TLS connect error: error:0A000410:SSL routines::alert", MLREG_ENET, "no TLS connection to h: error:0A000410", "--plain-http"},
        {CURLE_PEER_FAILED_VERIFICATION, "SSL: no alternative certificate subject name matches target host name 'h'", MLREG_EDENIED,
         "the certificate of h is not trusted: it is for another name", "check the address"},
        {CURLE_PEER_FAILED_VERIFICATION, "SSL: no alternative certificate subject name matches target IPv4 address 'h'", MLREG_EDENIED,
         "the certificate of h is not trusted: it is for another name", "check the address"},
        {CURLE_PEER_FAILED_VERIFICATION, "SSL certificate problem: certificate has expired", MLREG_EDENIED,
         "not trusted: SSL certificate problem: certificate has expired", "this machine's clock"},
        {CURLE_PEER_FAILED_VERIFICATION, "SSL certificate problem: certificate is not yet valid", MLREG_EDENIED, "not yet valid", "this machine's clock"},
        {CURLE_SSL_CERTPROBLEM, "no key", MLREG_EIO, "no key", "client_key_file"},
        {CURLE_OUT_OF_MEMORY, "", MLREG_ENOMEM, "out of memory", NULL},
        {CURLE_HTTP2_STREAM, "", MLREG_ENET, "HTTP/2", NULL},
    };
    CURL *easy = curl_easy_init();

    http_bed_open(*state, "[]", NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mlreg_error *err = NULL;
        int          rc = mlr_http_error(((struct http_bed *)*state)->http, easy, cases[i].code, cases[i].text, "h", NULL, &err);

        assert_int_equal(rc, cases[i].rc);
        if (strstr(err->message, cases[i].says) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", err->message, cases[i].says);
        assert_true(cases[i].hint == NULL ? err->hint == NULL : strstr(err->hint, cases[i].hint) != NULL);
        mlr_error_done(err);
    }
    curl_easy_cleanup(easy);
}

/* libcurl's own words change from version to version. */
static void test_http_trouble__breaking_off_is_told_in_our_words(void **state)
{
    struct http_bed *b = *state;
    char             says[128], buf[2000];
    mlr_exchange    *x;

    http_bed_open(b, "[{\"path\": \"/reset\", \"do\": \"reset\"}, {\"do\": \"cut\", \"size\": 1000, \"sent\": 500}]", NULL);
    snprintf(says, sizeof says, "the connection to %s failed: Connection reset by peer", b->evil.host);
    assert_failed(b, get(b, "/reset"), MLREG_ENET, says);
    assert_string_equal(b->err->message, says);
    http_bed_clear(b);
    snprintf(says, sizeof says, "%s broke off its answer: the connection ended before it did", b->evil.host);
    x = http_bed_ask(b, "GET", "/");
    assert_failed(b, (int)mlr_exchange_read(x, buf, sizeof buf, b->op, &b->err), MLREG_ENET, says);
    assert_string_equal(b->err->message, says);
    mlr_exchange_free(x);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_http_trouble__##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody_listens),
        TEST(nobody_accepts),
        TEST(connections_of_other_servers_do_not_lead_inside),
        TEST(what_counts_as_inside),
        TEST(no_answer),
        TEST(a_head_that_comes_by_drops),
        TEST(a_body_that_stops),
        TEST(slow_is_no_stall),
        TEST(a_reader_may_take_his_time),
        TEST(a_server_that_takes_nothing),
        TEST(a_commit_may_take_long),
        TEST(a_commit_may_not_take_for_ever),
        TEST(what_reads_a_large_blob_first_may_take_longer),
        TEST(in_the_middle_of_a_large_blob_is_as_long_as_ever),
        TEST(cancelled_while_it_waits),
        TEST(cancelled_while_it_reads),
        TEST(progress_is_called_while_nothing_moves),
        TEST(connections_that_break),
        TEST(a_body_that_is_cut_short_is_no_end),
        TEST(no_http),
        TEST(heads_are_limited),
        TEST(errors_say_what_to_do),
        TEST(breaking_off_is_told_in_our_words),
    };

    return cmocka_run_group_tests_name("net/http_trouble", tests, NULL, NULL);
}
