/* tests/net/test_http_upload.c - exchanges with a body: sent whole, rewound, refused half-way, failing at the source. */
#include "http_bed.h"

#include <unistd.h>

#include "base/reader.h"
#include "codec/digest.h"

#define MIB (1u << 20)

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

static char *pattern(size_t len)
{
    char *p = malloc(len);

    bed_pattern(0, p, len);
    return p;
}

/* That the i-th request brought exactly these bytes. */
static void assert_brought(struct http_bed *b, size_t i, const void *data, size_t len)
{
    char      *line = bed_log_line(&b->evil, i), text[64];
    mlr_digest d;

    assert_non_null(line);
    mlr_digest_of(data, len, &d);
    snprintf(text, sizeof text, "\"body_bytes\": %zu,", len);
    assert_non_null(strstr(line, text));
    assert_non_null(strstr(line, mlr_digest_hex(&d)));
    free(line);
}

static void test_http_upload__from_memory(void **state)
{
    static const char *const methods[] = {"PUT", "POST", "PATCH"};
    static const size_t      sizes[] = {1, 16384, 16385, 3 * MIB + 1};
    struct http_bed         *b = *state;
    char                    *data = pattern(3 * MIB + 1);
    size_t                   i = 0;

    http_bed_open(b, "[{\"status\": 201, \"body\": \"kept\"}]", NULL);
    for (size_t m = 0; m < 3; m++)
        for (size_t s = 0; s < 4; s++) {
            mlr_exchange *x;

            assert_int_equal(http_bed_send(b, (mlr_request){.method = methods[m], .body = data, .body_bytes = sizes[s]}, "/", &x), 0);
            assert_int_equal(mlr_exchange_status(x), 201);
            assert_int_equal(mlr_exchange_sent(x), sizes[s]);
            assert_body(b, x, "kept");
            mlr_exchange_free(x);
            assert_brought(b, i++, data, sizes[s]);
        }
    assert_int_equal(bed_log_count(&b->evil, "\"connection\": 1,"), 12);
    free(data);
}

static void test_http_upload__an_empty_body_has_a_length(void **state)
{
    static const char *const methods[] = {"PUT", "POST", "PATCH"};
    struct http_bed         *b = *state;

    http_bed_open(b, "[{\"status\": 202}]", NULL);
    for (size_t m = 0; m < 3; m++)
        mlr_exchange_free(http_bed_ask(b, methods[m], "/"));
    assert_int_equal(bed_log_count(&b->evil, "[\"Content-Length\", \"0\"]"), 3);
    assert_int_equal(bed_log_count(&b->evil, "Content-Type"), 0);
    assert_int_equal(bed_log_count(&b->evil, "Expect"), 0);
    assert_int_equal(bed_log_count(&b->evil, "Transfer-Encoding"), 0);
}

static void test_http_upload__from_a_part_of_a_source(void **state)
{
    struct http_bed *b = *state;
    char            *data = pattern(2 * MIB);
    mlr_reader      *r = NULL;
    mlr_exchange    *x;

    http_bed_open(b, "[{\"status\": 202}]", NULL);
    assert_int_equal(mlr_reader_from_memory(data, 2 * MIB, "data", &r, NULL), 0);
    assert_int_equal(http_bed_send(b, (mlr_request){.method = "PATCH", .source = r, .source_offset = 12345, .source_bytes = MIB}, "/", &x), 0);
    mlr_exchange_free(x);
    assert_brought(b, 0, data + 12345, MIB);
    assert_int_equal(http_bed_stats(b).bytes_network, MIB);
    mlr_reader_free(r);
    free(data);
}

/* ---- sources that fail ---- */

struct bad_reader {
    mlr_reader reader;
    uint64_t   good_bytes;         /* then it fails, or ends if `rc` is 0 */
    int        rc;
};

static int64_t bad_read_at(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    struct bad_reader *b = (struct bad_reader *)r;

    (void)op;
    if (offset >= b->good_bytes)
        return b->rc < 0 ? mlr_error_set(err, b->rc, "the source broke") : 0;
    len = len < b->good_bytes - offset ? len : (size_t)(b->good_bytes - offset);
    memset(buf, 'x', len);
    return (int64_t)len;
}

static const mlr_reader_ops bad_ops = {.read_at = bad_read_at};

static void test_http_upload__fails_as_its_source_does(void **state)
{
    struct http_bed  *b = *state;
    struct bad_reader broken = {{&bad_ops, 5 * MIB, -1, false, "the source"}, 2 * MIB, MLREG_EIO};
    struct bad_reader short_one = {{&bad_ops, 5 * MIB, -1, false, "the source"}, 2 * MIB, 0};
    mlr_exchange     *x;

    http_bed_open(b, "[{\"status\": 201}]", NULL);
    assert_failed(b, http_bed_send(b, (mlr_request){.method = "PUT", .source = &broken.reader, .source_bytes = 5 * MIB}, "/", &x),
                  MLREG_EIO, "the source broke");
    http_bed_clear(b);
    assert_failed(b, http_bed_send(b, (mlr_request){.method = "PUT", .source = &short_one.reader, .source_bytes = 5 * MIB}, "/", &x),
                  MLREG_EIO, "the source changed while it was read");
    http_bed_clear(b);
    short_one.reader.bytes = 2 * MIB;                 /* now the request wants more than there is */
    assert_failed(b, http_bed_send(b, (mlr_request){.method = "PUT", .source = &short_one.reader, .source_bytes = 5 * MIB}, "/", &x),
                  MLREG_EIO, "shorter");
}

/* ---- connections that die ---- */

static void test_http_upload__a_put_on_a_dead_connection_is_sent_again_whole(void **state)
{
    struct http_bed *b = *state;
    char            *data = pattern(3 * MIB);
    mlr_exchange    *x;

    http_bed_open(b, "[{\"do\": \"die_on_reuse\", \"status\": 201}]", NULL);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(http_bed_send(b, (mlr_request){.method = "PUT", .body = data, .body_bytes = 3 * MIB}, "/", &x), 0);
        assert_int_equal(mlr_exchange_status(x), 201);
        assert_int_equal(mlr_exchange_sent(x), 3 * MIB);
        mlr_exchange_free(x);
    }
    for (size_t i = 0; i < bed_log_count(&b->evil, ""); i++) {
        char *line = bed_log_line(&b->evil, i);

        if (strstr(line, "\"rule\": null") == NULL)            /* not one that the server dropped */
            assert_brought(b, i, data, 3 * MIB);
        free(line);
    }
    assert_int_equal(bed_log_count(&b->evil, "\"rule\": 0"), 6);
    free(data);
}

static void test_http_upload__a_patch_is_never_sent_again(void **state)
{
    struct http_bed *b = *state;
    char            *data = pattern(3 * MIB);
    mlr_exchange    *x;

    http_bed_open(b, "[{\"do\": \"die_on_reuse\", \"status\": 202}]", NULL);
    mlr_exchange_free(http_bed_ask(b, "GET", "/"));
    assert_failed(b, http_bed_send(b, (mlr_request){.method = "PATCH", .body = data, .body_bytes = 3 * MIB}, "/", &x), MLREG_ENET, b->evil.host);
    assert_int_equal(bed_log_count(&b->evil, "PATCH"), 1);
    free(data);
}

static void test_http_upload__broken_off_in_the_middle(void **state)
{
    struct http_bed *b = *state;
    char            *data = pattern(32 * MIB);
    mlr_exchange    *x;

    http_bed_open(b, "[{\"do\": \"stall_unread\", \"ms\": 100}]", NULL);
    assert_failed(b, http_bed_send(b, (mlr_request){.method = "PUT", .body = data, .body_bytes = 32 * MIB}, "/", &x), MLREG_ENET, b->evil.host);
    assert_int_equal(bed_log_count(&b->evil, "PUT"), 1);       /* a fresh connection: nothing says that it was an accident */
    free(data);
}

/* ---- answers before the end ---- */

static void assert_refused_early(struct http_bed *b, const char *path, int status)
{
    char         *data = calloc(1, 32 * MIB);
    mlr_exchange *x;
    int           rc = http_bed_send(b, (mlr_request){.method = "PUT", .body = data, .body_bytes = 32 * MIB}, path, &x);

    if (rc != 0)
        fail_msg("%s: %s", path, b->err->message);
    assert_int_equal(mlr_exchange_status(x), status);
    assert_true(mlr_exchange_sent(x) < 32 * MIB);
    assert_body(b, x, "no");
    mlr_exchange_free(x);
    free(data);
}

static void test_http_upload__an_early_refusal_is_heard(void **state)
{
    struct http_bed *b = *state;

    http_bed_open(b, "[{\"path\": \"/polite\", \"do\": \"early\", \"status\": 401, \"body\": \"no\"},"
                     " {\"path\": \"/late\", \"do\": \"early\", \"delay_ms\": 30, \"status\": 403, \"body\": \"no\"},"
                     " {\"path\": \"/moved\", \"do\": \"early\", \"status\": 307, \"body\": \"no\"},"
                     " {\"path\": \"/slow\", \"do\": \"early\", \"body_ms\": 60, \"status\": 413, \"body\": \"no\"}]", NULL);
    for (int i = 0; i < 20; i++) {
        assert_refused_early(b, "/polite", 401);
        assert_refused_early(b, "/late", 403);
        assert_refused_early(b, "/moved", 307);
        assert_refused_early(b, "/slow", 413);
    }
}

/* Its reset may overtake the answer: then there is no status, but an error that says so, and at once. */
static void test_http_upload__a_server_that_hangs_up_on_us(void **state)
{
    struct http_bed *b = *state;
    char            *data = calloc(1, 32 * MIB);

    http_bed_open(b, "[{\"do\": \"early\", \"rude\": true, \"status\": 413, \"body\": \"no\"}]", NULL);
    for (int i = 0; i < 20; i++) {
        mlr_exchange *x;
        int           rc = http_bed_send(b, (mlr_request){.method = "PUT", .body = data, .body_bytes = 32 * MIB}, "/", &x);

        if (rc == 0)
            assert_int_equal(mlr_exchange_status(x), 413);
        else
            assert_failed(b, rc, MLREG_ENET, "failed");
        http_bed_clear(b);
        mlr_exchange_free(x);
    }
    free(data);
}

static void test_http_upload__after_an_early_refusal_the_connection_is_not_used_again(void **state)
{
    struct http_bed *b = *state;

    /* stays open after it has answered, as if the rest of the body were the next request */
    http_bed_open(b, "[{\"path\": \"/no\", \"do\": \"early\", \"stay\": true, \"status\": 401, \"body\": \"no\"}, {\"body\": \"yes\"}]", NULL);
    assert_refused_early(b, "/no", 401);
    mlr_exchange_free(http_bed_ask(b, "GET", "/"));
    assert_int_equal(bed_log_count(&b->evil, "\"connection\": 2,"), 1);
}

static void test_http_upload__settled_after_an_early_refusal(void **state)
{
    struct http_bed *b = *state;
    char            *data = calloc(1, 32 * MIB);
    mlr_exchange    *x;

    http_bed_open(b, "[{\"do\": \"early\", \"status\": 401, \"headers\": {\"WWW-Authenticate\": \"Basic\"}, \"body\": \"no\"}]", NULL);
    assert_int_equal(http_bed_send(b, (mlr_request){.method = "PATCH", .body = data, .body_bytes = 32 * MIB}, "/", &x), 0);
    free(data);                            /* what was sent from is the caller's again */
    mlr_exchange_settle(x, b->op);
    assert_string_equal(mlr_exchange_header(x, "WWW-Authenticate", 0), "Basic");
    assert_body(b, x, "no");
    mlr_exchange_free(x);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_http_upload__##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(from_memory),
        TEST(an_empty_body_has_a_length),
        TEST(from_a_part_of_a_source),
        TEST(fails_as_its_source_does),
        TEST(a_put_on_a_dead_connection_is_sent_again_whole),
        TEST(a_patch_is_never_sent_again),
        TEST(broken_off_in_the_middle),
        TEST(an_early_refusal_is_heard),
        TEST(a_server_that_hangs_up_on_us),
        TEST(after_an_early_refusal_the_connection_is_not_used_again),
        TEST(settled_after_an_early_refusal),
    };

    return cmocka_run_group_tests_name("net/http_upload", tests, NULL, NULL);
}
