/* tests/net/http_bed.h - one evil server and one mlr_http, for the tests of the room http. */
#ifndef MLR_TESTS_NET_HTTP_BED_H
#define MLR_TESTS_NET_HTTP_BED_H
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "bed/bed.h"
#include "net/http.h"

struct http_bed {
    bed_server   evil;
    mlr_runtime *rt;
    mlr_http    *http;
    mlreg_op    *remote;
    mlr_op      *op;
    mlreg_error *err;
};

/* Starts the server with `script`. `o` NULL: a stall takes 20 s, which no loaded machine reaches by itself. */
static inline void http_bed_open(struct http_bed *b, const char *script, const mlr_http_options *o)
{
    static const mlr_http_options quick = {.stall_timeout_ms = 20000};

    memset(b, 0, sizeof *b);
    bed_evil_start(&b->evil, script);
    assert_int_equal(mlr_runtime_new(NULL, &b->rt, NULL), 0);
    assert_int_equal(mlr_http_new(b->rt, o != NULL ? o : &quick, &b->http, NULL), 0);
    assert_int_equal(mlr_remote_new(&b->remote, NULL), 0);
    assert_int_equal(mlr_op_begin(b->remote, &b->op, NULL), 0);
}

static inline void http_bed_close(struct http_bed *b)
{
    mlr_http_free(b->http);
    mlr_op_end(b->op);
    mlr_remote_free(b->remote);
    mlr_runtime_unref(b->rt);
    mlr_error_done(b->err);
    bed_server_stop(&b->evil);
}

/* Forgets the error of the last call. */
static inline void http_bed_clear(struct http_bed *b)
{
    mlr_error_done(b->err);
    b->err = NULL;
}

static inline int http_bed_send(struct http_bed *b, mlr_request r, const char *path, mlr_exchange **x)
{
    char url[256];

    snprintf(url, sizeof url, "%s%s", b->evil.url, path);
    r.url = url;
    *x = NULL;
    return mlr_http_begin(b->http, &r, b->op, x, &b->err);
}

/* Must succeed. */
static inline mlr_exchange *http_bed_ask(struct http_bed *b, const char *method, const char *path)
{
    mlr_exchange *x;
    int           rc = http_bed_send(b, (mlr_request){.method = method}, path, &x);

    if (rc != 0)
        fail_msg("%s %s: %d %s", method, path, rc, b->err->message);
    return x;
}

static inline mlreg_stats http_bed_stats(struct http_bed *b)
{
    mlreg_stats s;

    mlr_remote_stats(b->remote, &s);
    return s;
}

/* Reads to the end and compares. */
static inline void assert_body(struct http_bed *b, mlr_exchange *x, const char *expected)
{
    char    buf[4096];
    int64_t n = mlr_exchange_read(x, buf, sizeof buf - 1, b->op, &b->err);

    if (n < 0)
        fail_msg("%s", b->err->message);
    buf[n] = '\0';
    assert_string_equal(buf, expected);
    assert_int_equal(mlr_exchange_read(x, buf, sizeof buf, b->op, &b->err), 0);
}

static inline void assert_failed(struct http_bed *b, int rc, int code, const char *says)
{
    if (rc != code)
        fail_msg("%d in place of %d: %s", rc, code, b->err != NULL ? b->err->message : "no error");
    assert_non_null(b->err);
    assert_int_equal(b->err->code, code);
    if (strstr(b->err->message, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", b->err->message, says);
}
#endif
