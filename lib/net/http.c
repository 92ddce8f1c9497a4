/* net/http.c - one HTTP exchange: sent, waited for, read; stalls noticed, bytes counted and paced. */
#include "net/http_parts.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"

#define SLICE_MS             50             /* of waiting, between looks at cancel, progress and errands */
#define SETTLE_BYTES         (64u << 10)
#define SETTLE_MS            2000
#define DISCARD_ROUNDS       4              /* what arrived with the head is read to its end for the connection's sake */
#define DEAD_LINE_BYTES      (8 << 20)      /* a dead connection swallows no more than socket buffers hold */

/* What happens to the bytes of the answer: they wait, go to the caller, are kept until he asks, or are dropped. */
typedef enum { HOLD, DELIVER, SETTLE, DISCARD } mode;

struct mlr_exchange {
    mlr_http *http;
    mlr_http_line *line;                    /* NULL once the exchange is over and the connection went to others */
    CURL *easy;
    struct curl_slist *sent_headers;
    mlr_http_gate gate;
    char *host;
    mlr_headers headers;
    int  status;                            /* of the last head, interim ones included */
    bool head_done, is_connected;

    const unsigned char *body;              /* what is sent: this, … */
    mlr_reader *source;                     /* … or this from source_offset on; both NULL once the answer is here */
    uint64_t source_offset, total_bytes, sent_bytes;
    bool repeatable, commit;

    mode mode;
    unsigned char *into;                    /* DELIVER: where to, and how much room is left there */
    size_t room;
    mlr_buf spill;                          /* what came when there was no room; read from spill_at on */
    size_t spill_at;
    bool paused, cut;                       /* cut: bytes were lost, by settling or discarding */

    bool over;                              /* libcurl is done with it, as `result` says */
    CURLcode result;
    int  failed;                            /* what reading fails with from now on; 0: nothing */
    mlr_op *op;                             /* of the call that is running, for callbacks */
    mlreg_error *cause;                     /* why a callback stopped the transfer, with its code: */
    int  cause_rc;

    curl_off_t sent_seen, received_seen;    /* what was counted and paced */
    int  unsent_seen;
    uint64_t quiet_since_ms, settle_until_ms;
    char text[CURL_ERROR_SIZE];
};

/* ---- what libcurl calls ---- */

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
static bool is_refused(const mlr_exchange *x)
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
    return SETTLE_BYTES > x->spill.len ? SETTLE_BYTES - x->spill.len : 0;
}

/* A refusal, or the answer to something that is still being sent, is kept as it comes: the connection may break before
 * it is read. What a caller waits for stays with libcurl until he says where to. */
static size_t hold(mlr_exchange *x, const char *data, size_t len)
{
    return (x->total_bytes > 0 || is_refused(x)) && len <= settle_room(x) ? keep(x, data, len) : pause_it(x);
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

static int no_answer(const mlr_exchange *x, mlreg_error **err)
{
    return mlr_error_set(err, MLREG_EPROTO, "%s sent no answer that counts, only status %d", x->host, x->status);
}

static size_t on_body(char *data, size_t one, size_t len, void *user)
{
    mlr_exchange *x = user;

    (void)one;
    if (!x->head_done) {                    /* behind an interim head, as 101 would have it */
        x->cause_rc = no_answer(x, &x->cause);
        return 0;
    }
    switch (x->mode) {
    case DELIVER:
        return deliver(x, data, len);
    case SETTLE:
        return settle(x, data, len);
    case DISCARD:
        x->cut = true;
        return len;
    case HOLD:
    default:
        return hold(x, data, len);
    }
}

static size_t read_body(mlr_exchange *x, void *out, size_t len)
{
    int64_t n;

    if (x->body != NULL) {
        memcpy(out, x->body + x->sent_bytes, len);
        return len;
    }
    n = mlr_reader_read_at(x->source, x->source_offset + x->sent_bytes, out, len, x->op, &x->cause);
    if (n == 0)
        n = mlr_error_set(&x->cause, MLREG_EIO, "%s is shorter than it was said to be", x->source->name);
    x->quiet_since_ms = mlr_clock_ms();     /* a source that takes its time is not the server's fault */
    if (n > 0)
        return (size_t)n;
    x->cause_rc = (int)n;
    return CURL_READFUNC_ABORT;
}

static size_t on_read(char *out, size_t one, size_t len, void *user)
{
    mlr_exchange *x = user;
    uint64_t      left = x->total_bytes - x->sent_bytes;
    size_t        n;

    (void)one;
    if (left == 0 || is_refused(x))
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

/* ---- driving ---- */

/* One turn of libcurl's, without waiting. */
static int turn(mlr_exchange *x, mlreg_error **err)
{
    int        running, left;
    CURLMsg   *m;
    CURLMcode  mc = curl_multi_perform(x->line->multi, &running);

    while ((m = curl_multi_info_read(x->line->multi, &left)) != NULL)
        if (m->msg == CURLMSG_DONE) {
            x->over = true;
            x->result = m->data.result;
        }
    if (mc == CURLM_OUT_OF_MEMORY)
        return mlr_error_nomem(err);
    return mc == CURLM_OK ? 0 : mlr_error_set(err, MLREG_ENET, "libcurl: %s", curl_multi_strerror(mc));
}

/* Counts what moved since the last look, and makes the thread pay for it. */
static int account(mlr_exchange *x, mlreg_error **err)
{
    curl_off_t sent = x->sent_seen, received = x->received_seen, moved;
    int        rc;

    curl_easy_getinfo(x->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    curl_easy_getinfo(x->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
    moved = (sent > x->sent_seen ? sent - x->sent_seen : 0) + (received > x->received_seen ? received - x->received_seen : 0);
    x->sent_seen = sent;                    /* may be less than before: sent again from the start */
    x->received_seen = received;
    if (moved == 0)
        return 0;
    mlr_op_count(x->op, MLR_N_BYTES_NETWORK, moved);
    rc = mlr_runtime_pace(x->http->rt, (uint64_t)moved, x->op, err);
    x->quiet_since_ms = mlr_clock_ms();
    return rc;
}

/* Until the request is on its way, libcurl's own limit for connecting counts. Bytes that lie in the socket's buffer
 * and are being acknowledged are a sign of life that libcurl does not see: slow lines take minutes to drain one. */
static void look_for_life(mlr_exchange *x)
{
    curl_off_t pretransfer_us = 0;
    int        unsent;

    if (!x->is_connected) {
        curl_easy_getinfo(x->easy, CURLINFO_PRETRANSFER_TIME_T, &pretransfer_us);
        x->is_connected = pretransfer_us > 0;
        x->quiet_since_ms = mlr_clock_ms();
    }
    if (x->sent_bytes == 0)
        return;
    if ((unsent = mlr_http_unsent(x->line)) != x->unsent_seen) {
        x->unsent_seen = unsent;
        x->quiet_since_ms = mlr_clock_ms();
    }
}

static int stalled(const mlr_exchange *x, uint64_t limit_ms, mlreg_error **err)
{
    return mlr_error_set(err, MLREG_ETIMEDOUT, "%s %s for %.3g s", x->host,
                         x->sent_bytes < x->total_bytes ? "took nothing"
                         : x->head_done                 ? "stopped in the middle of an answer and sent nothing"
                                                        : "did not answer",
                         (double)limit_ms / 1000.0);
}

static int wait_a_slice(mlr_exchange *x, mlreg_error **err)
{
    bool     commits = x->commit && !x->head_done && x->sent_bytes == x->total_bytes;
    uint64_t limit_ms = commits ? x->http->commit_timeout_ms : x->http->stall_timeout_ms, quiet_ms, left_ms;

    look_for_life(x);
    quiet_ms = mlr_clock_ms() - x->quiet_since_ms;
    if (quiet_ms >= limit_ms)
        return stalled(x, limit_ms, err);
    left_ms = limit_ms - quiet_ms;
    curl_multi_poll(x->line->multi, NULL, 0, left_ms < SLICE_MS ? (int)left_ms : SLICE_MS, NULL);
    return 0;
}

/* libcurl calls a header line over its own limit of 100 KiB "out of memory". */
static bool is_head_too_long(const mlr_exchange *x)
{
    long request_bytes = 0;

    curl_easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    return x->result == CURLE_OUT_OF_MEMORY && request_bytes > 0 && !x->head_done;
}

/* What the transfer ended with: 0, or the error of a callback, or libcurl's. */
static int verdict(mlr_exchange *x, mlreg_error **err)
{
    if (x->cause_rc < 0) {
        mlr_error_move(err, &x->cause);
        return x->cause_rc;
    }
    if (x->result == CURLE_OK)
        return x->head_done ? 0 : no_answer(x, err);
    if (x->cut)
        return 0;                           /* we stopped it */
    if (x->result == CURLE_SEND_ERROR && is_refused(x) && x->sent_bytes < x->total_bytes) {
        x->cut = true;
        return 0;                           /* what it did not want, it does not get */
    }
    if (x->gate.refused)
        return mlr_error_set(err, MLREG_EDENIED, "%s is at %s, an address that is not asked for it", x->host, x->gate.address);
    if (is_head_too_long(x))
        return mlr_headers_over_limit(err);
    return mlr_http_error(x->http, x->easy, x->result, x->text, x->host, err);
}

/* Lets libcurl work until `enough` says so or the transfer is over; a negative code says how it failed. */
static int drive(mlr_exchange *x, bool (*enough)(const mlr_exchange *), mlr_op *op, mlreg_error **err)
{
    int rc;

    x->op = op;
    x->quiet_since_ms = mlr_clock_ms();
    for (;;) {
        if ((rc = mlr_op_check(op, err)) < 0 || (rc = turn(x, err)) < 0 || (rc = account(x, err)) < 0 || x->over || enough(x))
            break;
        if ((rc = wait_a_slice(x, err)) < 0)
            break;
    }
    if (rc == 0 && x->over)
        rc = verdict(x, err);
    x->op = NULL;
    return rc;
}

static void resume(mlr_exchange *x)
{
    if (!x->paused)
        return;
    x->paused = false;                      /* before: the callback may pause it again at once */
    curl_easy_pause(x->easy, CURLPAUSE_CONT);
}

/* Lets go of the transfer and, if it is to be kept, of the connection. In a forked child libcurl is left alone. */
static void release(mlr_exchange *x)
{
    if (x->line != NULL && mlr_http_is_mine(x->http)) {
        curl_multi_remove_handle(x->line->multi, x->easy);
        curl_easy_cleanup(x->easy);
        mlr_http_line_give(x->http, x->line, x->over && x->result == CURLE_OK && x->sent_bytes == x->total_bytes);
    }
    x->line = NULL;
    x->easy = NULL;
    curl_slist_free_all(x->sent_headers);
    x->sent_headers = NULL;
    x->body = NULL;
    x->source = NULL;
}

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
    x->spill.max = SETTLE_BYTES + CURL_MAX_WRITE_SIZE;
    if ((x->host = mlr_url_authority(url)) == NULL) {
        mlr_exchange_free(x);
        return mlr_error_nomem(err);
    }
    *out = x;
    return 0;
}

static CURLcode set_callbacks(mlr_exchange *x, bool fresh)
{
    CURL *e = x->easy;

    if (curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header) != CURLE_OK || curl_easy_setopt(e, CURLOPT_HEADERDATA, x) != CURLE_OK ||
        curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) != CURLE_OK || curl_easy_setopt(e, CURLOPT_WRITEDATA, x) != CURLE_OK ||
        curl_easy_setopt(e, CURLOPT_READFUNCTION, on_read) != CURLE_OK || curl_easy_setopt(e, CURLOPT_READDATA, x) != CURLE_OK ||
        curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, on_seek) != CURLE_OK || curl_easy_setopt(e, CURLOPT_SEEKDATA, x) != CURLE_OK ||
        curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, mlr_http_open_socket) != CURLE_OK ||
        curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, &x->gate) != CURLE_OK ||
        curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, mlr_http_close_socket) != CURLE_OK ||
        curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, x->line) != CURLE_OK ||
        curl_easy_setopt(e, CURLOPT_ERRORBUFFER, x->text) != CURLE_OK)
        return CURLE_OUT_OF_MEMORY;
    return curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, (long)fresh);
}

static bool is_answered(const mlr_exchange *x)
{
    return x->head_done && (is_refused(x) || x->sent_bytes == x->total_bytes);
}

/* A kept connection that ended before anything of an answer came: the server closed it while it was idle. */
static bool line_was_dead(const mlr_exchange *x)
{
    long connects = 1;

    if (!x->over || !x->repeatable || x->headers.seen_bytes > 0 || x->sent_seen > DEAD_LINE_BYTES)
        return false;
    if (x->result != CURLE_SEND_ERROR && x->result != CURLE_RECV_ERROR && x->result != CURLE_GOT_NOTHING && x->result != CURLE_HTTP2 &&
        x->result != CURLE_HTTP2_STREAM)
        return false;
    curl_easy_getinfo(x->easy, CURLINFO_NUM_CONNECTS, &connects);
    return connects == 0;
}

/* Sends the request and waits for the head of the answer. */
static int ask(mlr_exchange *x, const mlr_request *r, const mlr_url *url, bool fresh, mlr_op *op, mlreg_error **err)
{
    int rc;

    x->gate.line = x->line;
    if ((x->easy = curl_easy_init()) == NULL || set_callbacks(x, fresh) != CURLE_OK)
        return mlr_error_nomem(err);
    if ((rc = mlr_http_setup(x->http, x->easy, r, url, &x->sent_headers, err)) < 0)
        return rc;
    if (curl_multi_add_handle(x->line->multi, x->easy) != CURLM_OK)
        return mlr_error_nomem(err);
    mlr_op_count(op, MLR_N_REQUESTS, 1);
    return drive(x, is_answered, op, err);
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
    if ((origin = origin_of(&url)) == NULL) {
        rc = mlr_error_nomem(err);
        goto out;
    }
    if ((rc = mlr_http_line_take(h, origin, op, &x->line, err)) < 0 || (rc = begin(x, r, &url, op, err)) < 0)
        goto out;
    x->body = NULL;
    x->source = NULL;
    if (x->over)
        release(x);
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

    x->mode = DELIVER;
    resume(x);
    rc = drive(x, is_full, op, err);
    x->mode = HOLD;
    if (rc < 0)
        x->failed = rc;
    if (rc < 0 || x->over)
        release(x);
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
    x->mode = SETTLE;
    x->settle_until_ms = mlr_clock_ms() + SETTLE_MS;
    resume(x);
    if (drive(x, is_late, op, &err) < 0 || !x->over)
        x->cut = true;
    mlr_error_done(err);
    release(x);
}

/* Reads on to the end, if that has arrived already, so that the connection can be kept. */
static void discard(mlr_exchange *x)
{
    x->mode = DISCARD;
    resume(x);
    for (int i = 0; i < DISCARD_ROUNDS && !x->over; i++)
        if (turn(x, NULL) < 0)
            return;
}

void mlr_exchange_free(mlr_exchange *x)
{
    if (x == NULL)
        return;
    if (x->line != NULL && x->head_done && !x->over && x->failed == 0 && mlr_http_is_mine(x->http))
        discard(x);
    release(x);
    mlr_headers_done(&x->headers);
    mlr_buf_done(&x->spill);
    mlr_error_done(x->cause);
    mlr_free(x->host);
    mlr_free(x);
}
