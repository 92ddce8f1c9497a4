/* net/http.c - one HTTP exchange: sent, waited for, read. */
#include "net/http_parts.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"

#define SETTLE_MS       2000
#define DISCARD_ROUNDS  4              /* what arrived with the head is read to its end for the connection's sake */
#define DEAD_LINE_BYTES (8 << 20)      /* a dead connection swallows no more than socket buffers hold */

/* ---- beginning ---- */

static int check_request(const mlr_request *r, mlr_url *url, mlreg_error **err)
{
    size_t letters = strspn(r->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    int    rc;

    if (letters == 0 || r->method[letters] != '\0')
        return mlr_error_set(err, MLREG_EINVAL, "\"%s\" is no HTTP method", r->method);
    if ((rc = mlr_headers_check_sent(r->headers, r->n_headers, err)) < 0)
        return rc;
    return mlr_url_parse(r->url, url, err);
}

static bool may_be_repeated(const char *method)     /* RFC 9110 §9.2.2 */
{
    return strcmp(method, "POST") != 0 && strcmp(method, "PATCH") != 0;
}

static int exchange_new(mlr_http *h, const mlr_request *r, const mlr_url *url, mlr_exchange **out, mlreg_error **err)
{
    mlr_exchange *x = mlr_alloc(sizeof *x);
    int           rc = 0;

    if (x == NULL)
        return mlr_error_nomem(err);
    x->http = h;
    x->gate = (mlr_http_gate){.http = h, .foreign = r->foreign, .loopback_name = mlr_url_is_loopback(url)};
    x->body = r->source == NULL ? r->body : NULL;
    x->source = r->source;
    x->source_offset = r->source_offset;
    x->total_bytes = r->source != NULL ? r->source_bytes : r->body_bytes;
    x->repeatable = may_be_repeated(r->method);
    x->commit = r->commit;
    x->stored_bytes = r->stored_bytes;
    x->spill.max = MLR_HTTP_SETTLE_BYTES + CURL_MAX_WRITE_SIZE;
    if ((x->host = mlr_url_authority(url)) == NULL)
        rc = mlr_error_nomem(err);
    if (rc < 0 || (rc = mlr_http_proxy_name(url, &x->proxy, err)) < 0) {
        mlr_exchange_free(x);
        return rc;
    }
    x->gate.proxy_port = mlr_http_proxy_port_here(x->proxy);
    *out = x;
    return 0;
}

static bool is_answered(const mlr_exchange *x)
{
    return x->head_done && (mlr_http_is_refused(x) || x->sent_bytes == x->total_bytes);
}

static bool is_breakdown(CURLcode result)
{
    return result == CURLE_SEND_ERROR || result == CURLE_RECV_ERROR || result == CURLE_GOT_NOTHING ||
           result == CURLE_HTTP2 || result == CURLE_HTTP2_STREAM;
}

/* A kept connection that ended before anything of an answer came: the server closed it while it was idle. */
static bool line_was_dead(const mlr_exchange *x)
{
    long connects = 1;

    if (!x->over || !x->repeatable || x->headers.seen_bytes > 0 || x->sent_seen > DEAD_LINE_BYTES)
        return false;
    if (!is_breakdown(x->result))
        return false;
    curl_easy_getinfo(x->easy, CURLINFO_NUM_CONNECTS, &connects);
    return connects == 0;
}

/* Sends the request and waits for the head of the answer. */
static int ask(mlr_exchange *x, const mlr_request *r, const mlr_url *url, bool fresh, mlr_op *op, mlreg_error **err)
{
    int rc;

    x->gate.line = x->line;
    if ((x->easy = curl_easy_init()) == NULL)
        return mlr_error_nomem(err);
    if ((rc = mlr_http_set_callbacks(x, fresh, err)) < 0 ||
        (rc = mlr_http_setup(x->http, x->easy, r, url, x->proxy, &x->sent_headers, err)) < 0)
        return rc;
    if (curl_multi_add_handle(x->line->multi, x->easy) != CURLM_OK)
        return mlr_error_nomem(err);
    mlr_op_count(op, MLR_N_REQUESTS, 1);
    return mlr_http_drive(x, is_answered, op, err);
}

/* Back to where `ask` may begin, on the same line. */
static void start_over(mlr_exchange *x)
{
    curl_multi_remove_handle(x->line->multi, x->easy);
    curl_easy_cleanup(x->easy);
    curl_slist_free_all(x->sent_headers);
    x->easy = NULL;
    x->sent_headers = NULL;
    x->over = x->is_connected = x->paused = false;
    x->sent_bytes = 0;
    x->sent_seen = x->received_seen = 0;
    x->text[0] = '\0';
}

static int begin(mlr_exchange *x, const mlr_request *r, const mlr_url *url, mlr_op *op, mlreg_error **err)
{
    mlreg_error *first = NULL;
    int          rc = ask(x, r, url, false, op, &first);

    if (rc < 0 && line_was_dead(x)) {
        mlr_error_done(first);
        start_over(x);
        return ask(x, r, url, true, op, err);
    }
    /* The head stands, even if the body broke off right behind it: that is for reading to tell. */
    if (rc < 0 && x->over && x->cause_rc == 0 && is_answered(x)) {
        x->failed = rc;
        x->cause = first;
        return 0;
    }
    mlr_error_move(err, &first);
    return rc;
}

static char *origin_of(const mlr_url *url)
{
    return mlr_asprintf("%s://%s:%u", url->scheme, url->host, url->port);
}

int mlr_http_begin(mlr_http *h, const mlr_request *r, mlr_op *op, mlr_exchange **out, mlreg_error **err)
{
    mlr_url       url = {NULL, NULL, 0, NULL};
    mlr_exchange *x = NULL;
    char         *origin = NULL;
    int           rc;

    if ((rc = check_request(r, &url, err)) < 0 || (rc = exchange_new(h, r, &url, &x, err)) < 0)
        goto out;
    if (x->proxy != NULL && mlr_http_is_forbidden(&x->gate, url.host)) {
        rc = mlr_http_forbidden(x, err);
        goto out;
    }
    if ((origin = origin_of(&url)) == NULL) {
        rc = mlr_error_nomem(err);
        goto out;
    }
    if ((rc = mlr_http_line_take(h, origin, op, &x->line, err)) < 0 || (rc = begin(x, r, &url, op, err)) < 0)
        goto out;
    x->body = NULL;
    x->source = NULL;
    if (x->over)
        mlr_http_release(x);
    *out = x;
    x = NULL;
out:
    mlr_exchange_free(x);
    mlr_free(origin);
    mlr_url_done(&url);
    return rc;
}

/* ---- the answer ---- */

int mlr_exchange_status(const mlr_exchange *x)
{
    return x->status;
}

const char *mlr_exchange_header(const mlr_exchange *x, const char *name, size_t i)
{
    return mlr_headers_get(&x->headers, name, i);
}

bool mlr_exchange_length(const mlr_exchange *x, uint64_t *out)
{
    return mlr_headers_length(&x->headers, out);
}

const char *mlr_exchange_host(const mlr_exchange *x)
{
    return x->host;
}

uint64_t mlr_exchange_sent(const mlr_exchange *x)
{
    return x->sent_bytes;
}

static size_t take_spilled(mlr_exchange *x, void *buf, size_t len)
{
    size_t n = x->spill.len - x->spill_at;

    if (n > len)
        n = len;
    if (n == 0)
        return 0;
    memcpy(buf, x->spill.data + x->spill_at, n);
    x->spill_at += n;
    if (x->spill_at == x->spill.len) {
        mlr_buf_clear(&x->spill);
        x->spill_at = 0;
    }
    return n;
}

static bool is_full(const mlr_exchange *x)
{
    return x->room == 0;
}

static int receive(mlr_exchange *x, mlr_op *op, mlreg_error **err)
{
    int rc;

    x->mode = MLR_HTTP_DELIVER;
    mlr_http_resume(x);
    rc = mlr_http_drive(x, is_full, op, err);
    x->mode = MLR_HTTP_HOLD;
    if (rc < 0)
        x->failed = rc;
    if (rc < 0 || x->over)
        mlr_http_release(x);
    return rc;
}

int64_t mlr_exchange_read(mlr_exchange *x, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    size_t got = take_spilled(x, buf, len);
    int    rc;

    if (got == len)
        return (int64_t)got;
    if (x->failed < 0 && x->cause != NULL) {
        mlr_error_move(err, &x->cause);
        return x->failed;
    }
    if (x->failed < 0)
        return mlr_error_set(err, x->failed, "the answer of %s had failed before", x->host);
    if (x->cut)
        return mlr_error_set(err, MLREG_ENET, "the rest of the answer of %s was let go", x->host);
    if (x->line == NULL)
        return (int64_t)got;
    x->into = (unsigned char *)buf + got;
    x->room = len - got;
    if ((rc = receive(x, op, err)) < 0)
        return rc;
    return (int64_t)(len - x->room);
}

const void *mlr_exchange_kept(const mlr_exchange *x, size_t *len)
{
    *len = x->spill.len - x->spill_at;
    return *len > 0 ? x->spill.data + x->spill_at : "";
}

static bool is_late(const mlr_exchange *x)
{
    return mlr_clock_ms() >= x->settle_until_ms;
}

void mlr_exchange_settle(mlr_exchange *x, mlr_op *op)
{
    mlreg_error *err = NULL;

    if (x->line == NULL)
        return;
    x->mode = MLR_HTTP_SETTLE;
    x->settle_until_ms = mlr_clock_ms() + SETTLE_MS;
    mlr_http_resume(x);
    if (mlr_http_drive(x, is_late, op, &err) < 0 || !x->over)
        x->cut = true;
    mlr_error_done(err);
    mlr_http_release(x);
}

/* Reads on to the end, if that has arrived already, so that the connection can be kept. */
static void discard(mlr_exchange *x)
{
    x->mode = MLR_HTTP_DISCARD;
    mlr_http_resume(x);
    for (int i = 0; i < DISCARD_ROUNDS && !x->over; i++)
        if (mlr_http_turn(x, NULL) < 0)
            return;
}

void mlr_exchange_free(mlr_exchange *x)
{
    if (x == NULL)
        return;
    if (x->line != NULL && x->head_done && !x->over && x->failed == 0 && mlr_http_is_mine(x->http))
        discard(x);
    mlr_http_release(x);
    mlr_headers_done(&x->headers);
    mlr_buf_done(&x->spill);
    mlr_error_done(x->cause);
    mlr_free(x->host);
    mlr_free(x->proxy);
    mlr_free(x);
}
