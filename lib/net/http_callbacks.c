/* net/http_callbacks.c - what libcurl asks of an exchange: bytes to send, room for what arrives. */
#include "net/http_parts.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"

static size_t on_header(char *line, size_t one, size_t len, void *user)
{
    mlr_exchange *x = user;
    long          status = 0;

    (void)one;
    if (x->head_done)
        return len;                         /* a trailer */
    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
        mlr_headers_begin(&x->headers);
    if ((x->cause_rc = mlr_headers_add(&x->headers, line, len, &x->cause)) < 0)
        return 0;
    curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
    x->status = (int)status;
    x->head_done = status >= 200 && (line[0] == '\r' || line[0] == '\n');
    if (x->head_done)
        x->quiet_since_ms = mlr_clock_ms();
    return len;
}

static size_t keep(mlr_exchange *x, const char *data, size_t len)
{
    x->cause_rc = mlr_buf_add(&x->spill, data, len, &x->cause);
    return x->cause_rc < 0 ? 0 : len;
}

/* A server that refuses need not have read the body (it may even have ended the connection): nothing more is sent. */
bool mlr_http_is_refused(const mlr_exchange *x)
{
    return x->head_done && x->status >= 300;
}

static size_t pause_it(mlr_exchange *x)
{
    x->paused = true;
    return CURL_WRITEFUNC_PAUSE;
}

static size_t settle_room(const mlr_exchange *x)
{
    return MLR_HTTP_SETTLE_BYTES > x->spill.len ? MLR_HTTP_SETTLE_BYTES - x->spill.len : 0;
}

/* A refusal, or the answer to something that is still being sent, is kept as it comes: the connection may break before
 * it is read. What a caller waits for stays with libcurl until he says where to. */
static size_t hold(mlr_exchange *x, const char *data, size_t len)
{
    return (x->total_bytes > 0 || mlr_http_is_refused(x)) && len <= settle_room(x) ? keep(x, data, len) : pause_it(x);
}

static size_t settle(mlr_exchange *x, const char *data, size_t len)
{
    size_t room = settle_room(x);

    if (len <= room)
        return keep(x, data, len);
    x->cut = true;
    keep(x, data, room);
    return 0;
}

static size_t deliver(mlr_exchange *x, const char *data, size_t len)
{
    size_t n = len < x->room ? len : x->room;

    if (n == 0)
        return pause_it(x);
    memcpy(x->into, data, n);
    x->into += n;
    x->room -= n;
    return n == len || keep(x, data + n, len - n) > 0 ? len : 0;
}

int mlr_http_no_answer(const mlr_exchange *x, mlreg_error **err)
{
    return mlr_error_set(err, MLREG_EPROTO, "%s sent no answer that counts, only status %d", x->host, x->status);
}

static size_t on_body(char *data, size_t one, size_t len, void *user)
{
    mlr_exchange *x = user;

    (void)one;
    if (x->cause_rc < 0)
        return 0;
    if (!x->head_done) {                    /* behind an interim head, as 101 would have it */
        x->cause_rc = mlr_http_no_answer(x, &x->cause);
        return 0;
    }
    switch (x->mode) {
    case MLR_HTTP_DELIVER:
        return deliver(x, data, len);
    case MLR_HTTP_SETTLE:
        return settle(x, data, len);
    case MLR_HTTP_DISCARD:
        x->cut = true;
        return len;
    case MLR_HTTP_HOLD:
    default:
        return hold(x, data, len);
    }
}

static size_t read_body(mlr_exchange *x, void *out, size_t len)
{
    uint64_t from_us = mlr_clock_us();
    int64_t  n;

    if (x->body != NULL) {
        memcpy(out, x->body + x->sent_bytes, len);
        return len;
    }
    n = mlr_reader_read_at(x->source, x->source_offset + x->sent_bytes, out, len, x->op, &x->cause);
    mlr_op_count(x->op, MLR_N_US_MOVED, -(int64_t)(mlr_clock_us() - from_us));     /* it is no sending, though that waits for it */
    if (n == 0)
        n = mlr_error_set(&x->cause, MLREG_EIO, "%s is shorter than it was said to be", x->source->name);
    x->quiet_since_ms = mlr_clock_ms();     /* a source that takes its time is not the server's fault */
    if (n > 0)
        return (size_t)n;
    x->cause_rc = (int)n;
    return CURL_READFUNC_ABORT;
}

/* A body that ends before its length is an error of ours from libcurl 8.7 on, and up to there how one stops. It stops by itself,
 * unless the answer says that the connection ends: then once the answer was read, which a pause does not hold up any more. */
static size_t send_no_more(void)
{
    return curl_version_info(CURLVERSION_NOW)->version_num >= 0x080700 ? CURL_READFUNC_PAUSE : 0;
}

static size_t on_read(char *out, size_t one, size_t len, void *user)
{
    mlr_exchange *x = user;
    uint64_t      left = x->total_bytes - x->sent_bytes;
    size_t        n;

    (void)one;
    if (left > 0 && mlr_http_is_refused(x))
        return send_no_more();
    if (left == 0)
        return 0;
    n = read_body(x, out, len < left ? len : (size_t)left);
    if (n != CURL_READFUNC_ABORT)
        x->sent_bytes += n;
    return n;
}

/* libcurl sends again what a dead connection swallowed. Not what must not be repeated blindly: PROTOCOL.md §4. */
static int on_seek(void *user, curl_off_t offset, int origin)
{
    mlr_exchange *x = user;

    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > x->total_bytes || (!x->repeatable && x->sent_bytes > 0))
        return CURL_SEEKFUNC_FAIL;
    x->sent_bytes = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

int mlr_http_set_callbacks(mlr_exchange *x, bool fresh, mlreg_error **err)
{
    CURL    *easy = x->easy;
    CURLcode rc = CURLE_OK;

    MLR_HTTP_SET(CURLOPT_HEADERFUNCTION, on_header);
    MLR_HTTP_SET(CURLOPT_HEADERDATA, x);
    MLR_HTTP_SET(CURLOPT_WRITEFUNCTION, on_body);
    MLR_HTTP_SET(CURLOPT_WRITEDATA, x);
    MLR_HTTP_SET(CURLOPT_READFUNCTION, on_read);
    MLR_HTTP_SET(CURLOPT_READDATA, x);
    MLR_HTTP_SET(CURLOPT_SEEKFUNCTION, on_seek);
    MLR_HTTP_SET(CURLOPT_SEEKDATA, x);
    MLR_HTTP_SET(CURLOPT_OPENSOCKETFUNCTION, mlr_http_open_socket);
    MLR_HTTP_SET(CURLOPT_OPENSOCKETDATA, &x->gate);
    MLR_HTTP_SET(CURLOPT_CLOSESOCKETFUNCTION, mlr_http_close_socket);
    MLR_HTTP_SET(CURLOPT_CLOSESOCKETDATA, x->line);
    MLR_HTTP_SET(CURLOPT_ERRORBUFFER, x->text);
    MLR_HTTP_SET(CURLOPT_FRESH_CONNECT, (long)fresh);
    return rc == CURLE_OK ? 0 : mlr_error_nomem(err);
}
