/* tests/net/test_http2.c - HTTP/2 as nginx speaks it: large bodies both ways, refusals half-way, connections that say goodbye. */
#include "net/http_bed.h"

#include <unistd.h>

#define MIB   (1u << 20)
#define SIZE  (8 * MIB)
#define SMALL (MIB - 1)            /* sent over HTTP/2; larger bodies are not */
#define SERVER "add_header X-Protocol $server_protocol always; add_header X-Connection $connection always;" \
               "location /kept { dav_methods PUT; } location /no { return 401 no; }" \
               "location /small { client_max_body_size 100k; dav_methods PUT; }"

struct h2_bed {
    struct http_bed http;
    char            dir[64];
    char           *cert_file, *key_file, *data;
};

static int setup(void **state)
{
    struct h2_bed *t = calloc(1, sizeof *t);
    char          *path;
    FILE          *f;

    bed_dir_make(t->dir);
    bed_certificate(t->dir, &t->cert_file, &t->key_file);
    t->data = malloc(SIZE);
    bed_pattern(0, t->data, SIZE);
    path = bed_path(t->dir, "blob");
    f = fopen(path, "we");
    assert_int_equal(fwrite(t->data, 1, SIZE, f), SIZE);
    fclose(f);
    free(path);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct h2_bed *t = *state;

    http_bed_close(&t->http);
    bed_dir_remove(t->dir);
    free(t->cert_file);
    free(t->key_file);
    free(t->data);
    free(t);
    return 0;
}

static struct http_bed *open_nginx(struct h2_bed *t, const char *server, bool tls)
{
    http_bed_open(&t->http, "[]", &(mlr_http_options){.ca_file = t->cert_file, .stall_timeout_ms = 20000});
    bed_server_stop(&t->http.evil);
    if (!bed_nginx_start(&t->http.evil, t->dir, server, tls ? t->cert_file : NULL, t->key_file))
        skip();
    return &t->http;
}

static void assert_whole(struct http_bed *b, mlr_exchange *x)
{
    char    *buf = malloc(MIB);
    uint64_t at = 0;
    int64_t  n;

    while ((n = mlr_exchange_read(x, buf, MIB, b->op, &b->err)) > 0) {
        assert_true(bed_is_pattern(at, buf, (size_t)n));
        at += (uint64_t)n;
    }
    if (n < 0)
        fail_msg("%s", b->err->message);
    assert_int_equal(at, SIZE);
    free(buf);
}

static void assert_put_of(struct h2_bed *t, const char *path, size_t bytes, int status, const char *protocol)
{
    mlr_exchange *x;
    int           rc = http_bed_send(&t->http, (mlr_request){.method = "PUT", .body = t->data, .body_bytes = bytes}, path, &x);

    if (rc != 0)
        fail_msg("%s: %s", path, t->http.err->message);
    if (mlr_exchange_status(x) / 100 != status / 100 || (status >= 400 && mlr_exchange_status(x) != status))
        fail_msg("%s: %d in place of %d", path, mlr_exchange_status(x), status);
    if (protocol != NULL)
        assert_string_equal(mlr_exchange_header(x, "X-Protocol", 0), protocol);
    mlr_exchange_free(x);
}

static void assert_put(struct h2_bed *t, const char *path, int status)
{
    assert_put_of(t, path, SMALL, status, NULL);
    assert_put_of(t, path, SIZE, status, NULL);
}

static void test_http2__is_spoken_where_it_is_offered(void **state)
{
    struct http_bed *b = open_nginx(*state, SERVER, true);
    mlr_exchange    *x = http_bed_ask(b, "GET", "/blob");

    assert_string_equal(mlr_exchange_header(x, "X-Protocol", 0), "HTTP/2.0");
    assert_whole(b, x);
    mlr_exchange_free(x);
}

static void test_http2__one_connection_serves_many(void **state)
{
    struct http_bed *b = open_nginx(*state, SERVER, true);
    char             first[32] = "";

    for (int i = 0; i < 10; i++) {
        mlr_exchange *x = http_bed_ask(b, i % 2 == 0 ? "HEAD" : "GET", "/blob");
        const char   *connection = mlr_exchange_header(x, "X-Connection", 0);

        if (i == 0)
            snprintf(first, sizeof first, "%s", connection);
        assert_string_equal(connection, first);
        if (i % 2 != 0)
            assert_whole(b, x);
        mlr_exchange_free(x);
    }
}

static void test_http2__bodies_are_sent(void **state)
{
    struct h2_bed *t = *state;
    char          *path = bed_path(t->dir, "kept"), *got = malloc(SIZE);
    FILE          *f;

    open_nginx(t, SERVER, true);
    for (int i = 0; i < 3; i++)
        assert_put(t, "/kept", 201);
    f = fopen(path, "re");
    assert_int_equal(fread(got, 1, SIZE, f), SIZE);
    assert_memory_equal(got, t->data, SIZE);
    fclose(f);
    free(got);
    free(path);
}

static void test_http2__is_left_for_large_bodies(void **state)
{
    struct h2_bed *t = *state;

    open_nginx(t, SERVER, true);
    assert_put_of(t, "/kept", SMALL, 201, "HTTP/2.0");
    for (int i = 0; i < 3; i++) {
        assert_put_of(t, "/kept", SIZE, 201, "HTTP/1.1");
        assert_put_of(t, "/kept", SMALL, 201, NULL);       /* over what is there already */
    }
}

static void test_http2__a_refusal_half_way_is_heard(void **state)
{
    struct h2_bed *t = *state;

    open_nginx(t, SERVER, true);
    for (int i = 0; i < 10; i++) {
        assert_put(t, "/no", 401);
        assert_put(t, "/small", 413);
    }
}

static void test_http2__so_it_is_over_http1(void **state)
{
    struct h2_bed *t = *state;

    open_nginx(t, SERVER, false);
    for (int i = 0; i < 10; i++) {
        assert_put(t, "/no", 401);
        assert_put(t, "/small", 413);
    }
}

/* nginx ends a connection after so many requests, in the middle of whatever comes next: PROTOCOL.md §10. */
static void test_http2__a_goodbye_is_no_error(void **state)
{
    struct h2_bed   *t = *state;
    struct http_bed *b = open_nginx(t, "keepalive_requests 2;" SERVER, true);

    for (int i = 0; i < 6; i++) {
        mlr_exchange *x = http_bed_ask(b, "GET", "/blob");

        assert_whole(b, x);
        mlr_exchange_free(x);
        assert_put(t, "/kept", 201);
    }
}

static void test_http2__given_up_in_the_middle(void **state)
{
    struct http_bed *b = open_nginx(*state, SERVER, true);

    for (int i = 0; i < 5; i++) {
        mlr_exchange *x = http_bed_ask(b, "GET", "/blob");
        char          some[1000];

        assert_int_equal(mlr_exchange_read(x, some, sizeof some, b->op, &b->err), sizeof some);
        mlr_exchange_free(x);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_http2__##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(is_spoken_where_it_is_offered),
        TEST(one_connection_serves_many),
        TEST(bodies_are_sent),
        TEST(is_left_for_large_bodies),
        TEST(a_refusal_half_way_is_heard),
        TEST(so_it_is_over_http1),
        TEST(a_goodbye_is_no_error),
        TEST(given_up_in_the_middle),
    };

    return cmocka_run_group_tests_name("net/http2", tests, NULL, NULL);
}
