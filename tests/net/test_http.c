/* tests/net/test_http.c - exchanges that go well: heads, bodies, kept connections, counts. */
#include "http_bed.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define MIB (1u << 20)

static void open_script(void **state, const char *script)
{
    http_bed_open(*state, script, NULL);
}

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

static void test_http__status_headers_and_body(void **state)
{
    struct http_bed *b = *state;
    mlr_exchange    *x;
    uint64_t         len = 0;

    open_script(state, "[{\"status\": 404, \"headers\": [[\"X-Two\", \"a\"], [\"x-two\", \"b\"]], \"body\": \"hello\"}]");
    x = http_bed_ask(b, "GET", "/x");
    assert_int_equal(mlr_exchange_status(x), 404);
    assert_string_equal(mlr_exchange_header(x, "X-TWO", 1), "b");
    assert_null(mlr_exchange_header(x, "X-Three", 0));
    assert_true(mlr_exchange_length(x, &len));
    assert_int_equal(len, 5);
    assert_string_equal(mlr_exchange_host(x), b->evil.host);
    assert_body(b, x, "hello");
    mlr_exchange_free(x);
}

static void test_http__asks_for_exactly_what_it_is_told(void **state)
{
    struct http_bed *b = *state;
    mlr_header       headers[] = {{"X-A", "1"}, {"X-Empty", ""}};
    mlr_exchange    *x;
    char            *line;

    open_script(state, "[{}]");
    assert_int_equal(http_bed_send(b, (mlr_request){.method = "DELETE", .headers = headers, .n_headers = 2},
                                   "/a/../b%2fc//~?q=%41'&&", &x), 0);
    mlr_exchange_free(x);
    line = bed_log_line(&b->evil, 0);
    assert_non_null(strstr(line, "\"method\": \"DELETE\""));
    assert_non_null(strstr(line, "\"path\": \"/a/../b%2fc//~?q=%41'&&\""));
    assert_non_null(strstr(line, "[\"X-A\", \"1\"]"));
    assert_non_null(strstr(line, "[\"X-Empty\", \"\"]"));
    assert_null(strstr(line, "Accept-Encoding"));
    assert_null(strstr(line, "Expect"));
    assert_null(strstr(line, "Cookie"));
    free(line);
}

static void test_http__bodies_come_in_any_pieces(void **state)
{
    static const size_t pieces[] = {1000, 16384, 65537, MIB, 8 * MIB};
    struct http_bed    *b = *state;
    char               *buf = malloc(8 * MIB);

    open_script(state, "[{\"size\": 5000011}]");
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        mlr_exchange *x = http_bed_ask(b, "GET", "/");
        uint64_t      at = 0;
        int64_t       n;

        while ((n = mlr_exchange_read(x, buf, pieces[i], b->op, &b->err)) > 0) {
            assert_true((size_t)n == pieces[i] || at + (uint64_t)n == 5000011);       /* filled, but at the end */
            assert_true(bed_is_pattern(at, buf, (size_t)n));
            at += (uint64_t)n;
        }
        assert_int_equal(n, 0);
        assert_int_equal(at, 5000011);
        mlr_exchange_free(x);
    }
    free(buf);
}

static void test_http__bodies_of_every_framing(void **state)
{
    struct http_bed *b = *state;
    mlr_exchange    *x;
    uint64_t         len;

    open_script(state, "[{\"path\": \"/chunked\", \"framing\": \"chunked\", \"body\": \"c\"},"
                       " {\"path\": \"/close\", \"framing\": \"close\", \"body\": \"d\"},"
                       " {\"path\": \"/empty\"}, {\"path\": \"/204\", \"status\": 204}]");
    x = http_bed_ask(b, "GET", "/chunked");
    assert_false(mlr_exchange_length(x, &len));
    assert_body(b, x, "c");
    mlr_exchange_free(x);
    x = http_bed_ask(b, "GET", "/close");
    assert_body(b, x, "d");
    mlr_exchange_free(x);
    x = http_bed_ask(b, "GET", "/empty");
    assert_body(b, x, "");
    mlr_exchange_free(x);
    x = http_bed_ask(b, "GET", "/204");
    assert_int_equal(mlr_exchange_status(x), 204);
    assert_body(b, x, "");
    mlr_exchange_free(x);
}

static void test_http__head_has_a_length_and_no_body(void **state)
{
    struct http_bed *b = *state;
    mlr_exchange    *x;
    uint64_t         len = 0;

    open_script(state, "[{\"size\": 12345678901}]");
    x = http_bed_ask(b, "HEAD", "/");
    assert_true(mlr_exchange_length(x, &len));
    assert_true(len == 12345678901);
    assert_body(b, x, "");
    mlr_exchange_free(x);
}

static void test_http__interim_answers_are_passed_over(void **state)
{
    struct http_bed *b = *state;
    mlr_exchange    *x;

    open_script(state, "[{\"do\": \"raw\", \"body\": \"HTTP/1.1 103 Early Hints\\r\\nX-Early: 1\\r\\n\\r\\n"
                       "HTTP/1.1 200 OK\\r\\nX-Late: 1\\r\\nContent-Length: 2\\r\\n\\r\\nok\"}]");
    x = http_bed_ask(b, "GET", "/");
    assert_int_equal(mlr_exchange_status(x), 200);
    assert_null(mlr_exchange_header(x, "X-Early", 0));
    assert_string_equal(mlr_exchange_header(x, "X-Late", 0), "1");
    assert_body(b, x, "ok");
    mlr_exchange_free(x);
}

static void test_http__content_is_not_decoded(void **state)
{
    struct http_bed *b = *state;
    mlr_exchange    *x;

    open_script(state, "[{\"headers\": {\"Content-Encoding\": \"gzip\"}, \"body\": \"no gzip\"}]");
    x = http_bed_ask(b, "GET", "/");
    assert_string_equal(mlr_exchange_header(x, "Content-Encoding", 0), "gzip");
    assert_body(b, x, "no gzip");
    mlr_exchange_free(x);
}

static void test_http__redirects_are_not_followed(void **state)
{
    struct http_bed *b = *state;
    mlr_exchange    *x;

    open_script(state, "[{\"status\": 307, \"headers\": {\"Location\": \"$URL/other\"}}]");
    x = http_bed_ask(b, "GET", "/");
    assert_int_equal(mlr_exchange_status(x), 307);
    mlr_exchange_free(x);
    assert_int_equal(bed_log_count(&b->evil, ""), 1);
}

static void test_http__malformed_requests_are_refused(void **state)
{
    struct http_bed *b = *state;
    mlr_header       smuggled = {"X", "a\r\nY: b"};
    mlr_exchange    *x;

    open_script(state, "[]");
    assert_int_equal(http_bed_send(b, (mlr_request){.method = "GET /x"}, "/", &x), MLREG_EINVAL);
    assert_int_equal(http_bed_send(b, (mlr_request){.method = ""}, "/", &x), MLREG_EINVAL);
    assert_int_equal(http_bed_send(b, (mlr_request){.method = "GET"}, "/a b", &x), MLREG_EINVAL);
    assert_int_equal(http_bed_send(b, (mlr_request){.method = "GET", .headers = &smuggled, .n_headers = 1}, "/", &x), MLREG_EINVAL);
    assert_int_equal(bed_log_count(&b->evil, ""), 0);
}

/* ---- connections ---- */

static void test_http__a_connection_serves_many(void **state)
{
    struct http_bed *b = *state;

    open_script(state, "[{\"body\": \"four\"}]");
    for (int i = 0; i < 6; i++) {
        mlr_exchange *x = http_bed_ask(b, i % 2 == 0 ? "GET" : "HEAD", "/");
        char          buf[4];

        assert_int_equal(mlr_exchange_read(x, buf, sizeof buf, b->op, &b->err), i % 2 == 0 ? 4 : 0);    /* no further: that was all */
        mlr_exchange_free(x);
    }
    assert_int_equal(bed_log_count(&b->evil, "\"connection\": 1,"), 6);
}

static void test_http__nothing_of_a_request_is_left_to_the_next(void **state)
{
    struct http_bed *b = *state;
    mlr_header       secret = {"Authorization", "Bearer hunter2"};
    mlr_exchange    *x;

    open_script(state, "[{}]");
    assert_int_equal(http_bed_send(b, (mlr_request){.method = "PUT", .headers = &secret, .n_headers = 1, .body = "b", .body_bytes = 1}, "/", &x), 0);
    mlr_exchange_free(x);
    mlr_exchange_free(http_bed_ask(b, "GET", "/"));
    assert_int_equal(bed_log_count(&b->evil, "\"connection\": 1,"), 2);
    assert_int_equal(bed_log_count(&b->evil, "hunter2"), 1);
}

static void test_http__a_large_rest_costs_the_connection(void **state)
{
    struct http_bed *b = *state;
    mlr_exchange    *x;

    open_script(state, "[{\"times\": 1, \"size\": 100000000}, {\"body\": \"x\"}]");
    mlr_exchange_free(http_bed_ask(b, "GET", "/"));
    x = http_bed_ask(b, "GET", "/");
    assert_body(b, x, "x");
    mlr_exchange_free(x);
    assert_int_equal(bed_log_count(&b->evil, "\"connection\": 2,"), 1);
}

static void test_http__a_connection_that_ended_idle_is_no_error(void **state)
{
    struct http_bed *b = *state;

    open_script(state, "[{\"do\": \"idle_close\", \"body\": \"x\"}]");
    for (int i = 0; i < 10; i++) {
        mlr_exchange *x = http_bed_ask(b, "GET", "/");

        assert_body(b, x, "x");
        mlr_exchange_free(x);
        usleep(i * 1000);                /* before, while and after the server ends it */
    }
}

static void test_http__a_connection_that_dies_under_a_request_is_no_error(void **state)
{
    struct http_bed *b = *state;

    open_script(state, "[{\"do\": \"die_on_reuse\", \"body\": \"x\"}]");
    for (int i = 0; i < 10; i++) {
        mlr_exchange *x = http_bed_ask(b, "GET", "/");

        assert_body(b, x, "x");
        mlr_exchange_free(x);
    }
}

static size_t n_connections(void)
{
    size_t n = 0;

    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_storage a;
        socklen_t               len = sizeof a;

        n += getpeername(fd, (struct sockaddr *)&a, &len) == 0 && a.ss_family == AF_INET;
    }
    return n;
}

static uint64_t three_seconds_later(void *user)
{
    struct timespec now;

    (void)user;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + 3000;
}

static void test_http__idle_connections_are_few(void **state)
{
    struct http_bed *b = *state;
    mlr_exchange    *x[24];
    mlr_limits       limits = {.connections = 24};
    char             small[1000];

    open_script(state, "[{\"path\": \"/small\", \"size\": 10}, {\"size\": 1000000}]");
    mlr_http_free(b->http);
    mlr_runtime_unref(b->rt);
    assert_int_equal(mlr_runtime_new(&limits, &b->rt, NULL), 0);
    assert_int_equal(mlr_http_new(b->rt, &(mlr_http_options){0}, &b->http, NULL), 0);
    for (int i = 0; i < 24; i++)
        x[i] = http_bed_ask(b, "GET", "/");
    for (int i = 0; i < 24; i++) {
        char *buf = malloc(MIB);

        assert_int_equal(mlr_exchange_read(x[i], buf, MIB, b->op, &b->err), 1000000);
        mlr_exchange_free(x[i]);
        free(buf);
    }
    assert_int_equal(n_connections(), 24);           /* kept for a moment, for many requests come and go */
    mlr_clock_use(&(mlr_clock){.ms = three_seconds_later});
    x[0] = http_bed_ask(b, "GET", "/small");
    assert_int_equal(mlr_exchange_read(x[0], small, sizeof small, b->op, &b->err), 10);
    mlr_exchange_free(x[0]);
    mlr_clock_use(NULL);
    assert_int_equal(n_connections(), 16);
}

static void test_http__sockets_are_close_on_exec(void **state)
{
    struct http_bed *b = *state;
    mlr_exchange    *x;
    int              sockets = 0;

    open_script(state, "[{\"size\": 1000000}]");
    x = http_bed_ask(b, "GET", "/");
    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_storage a;
        socklen_t               len = sizeof a;

        if (getpeername(fd, (struct sockaddr *)&a, &len) == 0 && a.ss_family == AF_INET) {
            assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
            sockets++;
        }
    }
    assert_int_equal(sockets, 1);
    mlr_exchange_free(x);
}

static void test_http__settled_exchanges_need_no_connection(void **state)
{
    struct http_bed *b = *state;
    mlr_limits       one = {.connections = 1};
    mlr_exchange    *first, *second;

    open_script(state, "[{\"status\": 401, \"headers\": {\"WWW-Authenticate\": \"Basic\"}, \"body\": \"who are you?\"}]");
    mlr_http_free(b->http);
    mlr_runtime_unref(b->rt);
    assert_int_equal(mlr_runtime_new(&one, &b->rt, NULL), 0);
    assert_int_equal(mlr_http_new(b->rt, &(mlr_http_options){0}, &b->http, NULL), 0);
    first = http_bed_ask(b, "GET", "/");
    mlr_exchange_settle(first, b->op);
    second = http_bed_ask(b, "GET", "/");                 /* would wait for ever */
    assert_string_equal(mlr_exchange_header(first, "WWW-Authenticate", 0), "Basic");
    assert_body(b, first, "who are you?");
    mlr_exchange_settle(second, b->op);
    mlr_exchange_settle(second, b->op);
    assert_body(b, second, "who are you?");
    mlr_exchange_free(first);
    mlr_exchange_free(second);
    assert_int_equal(bed_log_count(&b->evil, "\"connection\": 1,"), 2);
}

static void test_http__settling_keeps_64_kib(void **state)
{
    struct http_bed *b = *state;
    mlr_exchange    *x;
    char            *buf = malloc(MIB);

    open_script(state, "[{\"path\": \"/fits\", \"size\": 65536}, {\"size\": 65537}]");
    x = http_bed_ask(b, "GET", "/fits");
    mlr_exchange_settle(x, b->op);
    assert_int_equal(mlr_exchange_read(x, buf, MIB, b->op, &b->err), 65536);
    assert_true(bed_is_pattern(0, buf, 65536));
    assert_int_equal(mlr_exchange_read(x, buf, MIB, b->op, &b->err), 0);
    mlr_exchange_free(x);
    x = http_bed_ask(b, "GET", "/");
    mlr_exchange_settle(x, b->op);
    assert_int_equal(mlr_exchange_read(x, buf, 60000, b->op, &b->err), 60000);
    assert_failed(b, (int)mlr_exchange_read(x, buf, MIB, b->op, &b->err), MLREG_ENET, "let go");
    mlr_exchange_free(x);
    free(buf);
}

static void test_http__settling_does_not_wait_for_a_slow_server(void **state)
{
    struct http_bed *b = *state;
    mlr_exchange    *x;
    char             buf[64];
    uint64_t         began;

    open_script(state, "[{\"do\": \"drip\", \"ms\": 300, \"body\": \"12345678901234567890123456789012345678901234567890\"}]");
    x = http_bed_ask(b, "GET", "/");
    began = mlr_clock_ms();
    mlr_exchange_settle(x, b->op);
    assert_in_range(mlr_clock_ms() - began, 1900, 8000);
    assert_int_equal(mlr_exchange_read(x, buf, 3, b->op, &b->err), 3);
    assert_failed(b, (int)mlr_exchange_read(x, buf, sizeof buf, b->op, &b->err), MLREG_ENET, "let go");
    mlr_exchange_free(x);
}

/* ---- counting ---- */

static void test_http__requests_and_bytes_are_counted(void **state)
{
    struct http_bed *b = *state;
    char            *buf = calloc(1, MIB);
    mlr_exchange    *x;

    open_script(state, "[{\"method\": \"GET\", \"size\": 300000}, {}]");
    x = http_bed_ask(b, "GET", "/");
    assert_int_equal(mlr_exchange_read(x, buf, MIB, b->op, &b->err), 300000);
    mlr_exchange_free(x);
    assert_int_equal(http_bed_send(b, (mlr_request){.method = "PUT", .body = buf, .body_bytes = 200000}, "/", &x), 0);
    mlr_exchange_free(x);
    assert_int_equal(http_bed_stats(b).requests, 2);
    assert_int_equal(http_bed_stats(b).bytes_network, 500000);
    free(buf);
}

static void test_http__bandwidth_is_shared_out(void **state)
{
    struct http_bed *b = *state;
    mlr_limits       slow = {.bytes_per_s = MIB};
    char            *buf = calloc(1, MIB);
    mlr_exchange    *x;
    uint64_t         began;

    open_script(state, "[{\"method\": \"GET\", \"size\": 400000}, {}]");
    mlr_http_free(b->http);
    mlr_runtime_unref(b->rt);
    assert_int_equal(mlr_runtime_new(&slow, &b->rt, NULL), 0);
    assert_int_equal(mlr_http_new(b->rt, &(mlr_http_options){0}, &b->http, NULL), 0);
    began = mlr_clock_ms();
    x = http_bed_ask(b, "GET", "/");
    assert_int_equal(mlr_exchange_read(x, buf, MIB, b->op, &b->err), 400000);
    mlr_exchange_free(x);
    assert_int_equal(http_bed_send(b, (mlr_request){.method = "PUT", .body = buf, .body_bytes = 400000}, "/", &x), 0);
    mlr_exchange_free(x);
    assert_true(mlr_clock_ms() - began >= 600);           /* 800,000 bytes at 1 MiB/s, less a burst of 100 ms */
    free(buf);
}

/* ---- threads and forks ---- */

struct asker {
    struct http_bed *bed;
    int              failures;
};

static void *ask_often(void *arg)
{
    struct asker *a = arg;
    char          url[128], *buf = malloc(100000);

    snprintf(url, sizeof url, "%s/", a->bed->evil.url);
    for (int i = 0; i < 20; i++) {
        mlr_request   r = {.method = "GET", .url = url};
        mlr_exchange *x = NULL;

        if (mlr_http_begin(a->bed->http, &r, NULL, &x, NULL) < 0 || mlr_exchange_read(x, buf, 100000, NULL, NULL) != 50000 ||
            !bed_is_pattern(0, buf, 50000))
            a->failures++;
        mlr_exchange_free(x);
    }
    free(buf);
    return NULL;
}

static void test_http__serves_threads(void **state)
{
    struct http_bed *b = *state;
    struct asker     askers[8];
    pthread_t        threads[8];

    open_script(state, "[{\"size\": 50000}]");
    for (int i = 0; i < 8; i++) {
        askers[i] = (struct asker){b, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, &askers[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(askers[i].failures, 0);
    }
    assert_int_equal(bed_log_count(&b->evil, ""), 160);
    assert_in_range(bed_log_count(&b->evil, "\"connection\": 9,"), 0, 0);
}

static void test_http__a_forked_child_frees_without_a_word(void **state)
{
    struct http_bed *b = *state;
    mlr_exchange    *x;
    pid_t            child;
    int              status = -1;
    char            *buf = malloc(MIB);

    open_script(state, "[{\"path\": \"/small\"}, {\"size\": 1000000}]");
    mlr_exchange_free(http_bed_ask(b, "GET", "/small"));
    x = http_bed_ask(b, "GET", "/");
    mlr_exchange_free(http_bed_ask(b, "GET", "/small"));
    if ((child = fork()) == 0) {
        mlr_exchange_free(x);
        mlr_http_free(b->http);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(mlr_exchange_read(x, buf, MIB, b->op, &b->err), 1000000);
    assert_true(bed_is_pattern(0, buf, 1000000));
    mlr_exchange_free(x);
    mlr_exchange_free(http_bed_ask(b, "GET", "/small"));
    assert_int_equal(bed_log_count(&b->evil, "\"connection\": 3,"), 0);
    free(buf);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_http__##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(status_headers_and_body),
        TEST(asks_for_exactly_what_it_is_told),
        TEST(bodies_come_in_any_pieces),
        TEST(bodies_of_every_framing),
        TEST(head_has_a_length_and_no_body),
        TEST(interim_answers_are_passed_over),
        TEST(content_is_not_decoded),
        TEST(redirects_are_not_followed),
        TEST(malformed_requests_are_refused),
        TEST(a_connection_serves_many),
        TEST(nothing_of_a_request_is_left_to_the_next),
        TEST(a_large_rest_costs_the_connection),
        TEST(a_connection_that_ended_idle_is_no_error),
        TEST(a_connection_that_dies_under_a_request_is_no_error),
        TEST(idle_connections_are_few),
        TEST(sockets_are_close_on_exec),
        TEST(settled_exchanges_need_no_connection),
        TEST(settling_keeps_64_kib),
        TEST(settling_does_not_wait_for_a_slow_server),
        TEST(requests_and_bytes_are_counted),
        TEST(bandwidth_is_shared_out),
        TEST(serves_threads),
        TEST(a_forked_child_frees_without_a_word),
    };

    return cmocka_run_group_tests_name("net/http", tests, NULL, NULL);
}
