/* net/http_drive.c - libcurl kept going: bytes counted and paced, stalls noticed, the end judged. */
#include "net/http_parts.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"

#define READ_BYTES_PER_MS 100000            /* of a slow disk, or of a hash without help from the processor */
#define READ_MAX_MS 80000                   /* so that a stalling server is still given up within two minutes */
#define TOO_LARGE 100                       /* CURLE_TOO_LARGE, which headers know since 8.6 */
#define SLICE_MS 50                         /* of waiting, between looks at cancel, progress and errands */

/* One mlr_http_turn of libcurl's, without waiting. */
int mlr_http_turn(mlr_exchange *x, mlreg_error **err)
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

static curl_off_t more_than(curl_off_t before, curl_off_t now)
{
    return now > before ? now - before : 0;
}

/* Counts what moved since the last look, and makes the thread pay for it. */
static int account(mlr_exchange *x, mlreg_error **err)
{
    curl_off_t sent = x->sent_seen, received = x->received_seen, moved;
    int        rc;

    curl_easy_getinfo(x->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    curl_easy_getinfo(x->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
    moved = more_than(x->sent_seen, sent) + more_than(x->received_seen, received);
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
    bool is_proxied = mlr_http_is_proxied(x->easy, x->proxy, x->text);

    return mlr_error_set(err, MLREG_ETIMEDOUT, "%s%s%s %s for %.3g s", x->host, is_proxied ? " by way of the proxy " : "", is_proxied ? x->proxy : "",
                         x->sent_bytes < x->total_bytes ? "took nothing"
                         : x->head_done                 ? "stopped in the middle of an answer and sent nothing"
                                                        : "did not answer",
                         (double)limit_ms / 1000.0);
}

static uint64_t reading_ms(uint64_t bytes)
{
    uint64_t ms = bytes / READ_BYTES_PER_MS;

    return ms < READ_MAX_MS ? ms : READ_MAX_MS;
}

/* How long nothing may come; longest where the server has all that it needs to answer. */
static uint64_t patience_ms(const mlr_exchange *x)
{
    if (x->head_done || x->sent_bytes < x->total_bytes)
        return x->http->stall_timeout_ms;
    return x->commit ? x->http->commit_timeout_ms : x->http->stall_timeout_ms + reading_ms(x->stored_bytes);
}

static int wait_a_slice(mlr_exchange *x, mlreg_error **err)
{
    uint64_t limit_ms = patience_ms(x), quiet_ms, left_ms;

    look_for_life(x);
    quiet_ms = mlr_clock_ms() - x->quiet_since_ms;
    if (quiet_ms >= limit_ms)
        return stalled(x, limit_ms, err);
    left_ms = limit_ms - quiet_ms;
    curl_multi_poll(x->line->multi, NULL, 0, left_ms < SLICE_MS ? (int)left_ms : SLICE_MS, NULL);
    return 0;
}

/* Of a header line over its own limit of 100 KiB, libcurl says "out of memory" up to 8.5, then "too large". */
static bool is_head_too_long(const mlr_exchange *x)
{
    long request_bytes = 0;

    curl_easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    return (x->result == CURLE_OUT_OF_MEMORY || (int)x->result == TOO_LARGE) && request_bytes > 0 && !x->head_done;
}

int mlr_http_forbidden(const mlr_exchange *x, mlreg_error **err)
{
    if (x->gate.loopback_name)
        return mlr_error_set(err, MLREG_EDENIED, "%s must be this machine, and is said to be at %s", x->host,
                             x->gate.address);
    return mlr_error_set(err, MLREG_EDENIED, "%s leads to %s, an address that only this machine or its link can reach",
                         x->host, x->gate.address);
}

/* What the transfer ended with: 0, or the error of a callback, or libcurl's. */
static int verdict(mlr_exchange *x, mlreg_error **err)
{
    if (x->cause_rc < 0) {
        mlr_error_move(err, &x->cause);
        return x->cause_rc;
    }
    if (x->result == CURLE_OK)
        return x->head_done ? 0 : mlr_http_no_answer(x, err);
    if (x->cut)
        return 0;                           /* we stopped it */
    if (x->result == CURLE_SEND_ERROR && mlr_http_is_refused(x) && x->sent_bytes < x->total_bytes) {
        x->cut = true;
        return 0;                           /* what it did not want, it does not get */
    }
    if (x->gate.refused && x->result == CURLE_COULDNT_CONNECT)
        return mlr_http_forbidden(x, err);
    if (is_head_too_long(x))
        return mlr_headers_over_limit(err);
    return mlr_http_error(x->http, x->easy, x->result, x->text, x->host, mlr_http_is_proxied(x->easy, x->proxy, x->text) ? x->proxy : NULL, err);
}

static mlr_counter spent_on(const mlr_exchange *x)
{
    bool sends = x->is_connected && x->sent_bytes < x->total_bytes;

    return x->head_done || sends ? MLR_N_US_MOVED : MLR_N_US_WAITED;
}

/* 1: there is more to come. */
static int step(mlr_exchange *x, bool (*enough)(const mlr_exchange *), mlr_op *op, mlreg_error **err)
{
    mlr_counter what = spent_on(x);
    uint64_t    from_us = mlr_clock_us();
    int         rc, more = 0;

    if ((rc = mlr_http_turn(x, err)) == 0 && (rc = account(x, err)) == 0)
        more = !x->over && x->cause_rc == 0 && !enough(x);
    if (more)
        rc = wait_a_slice(x, err);
    mlr_op_spent(op, what, from_us);
    return rc < 0 ? rc : more;
}

/* Lets libcurl work until `enough` says so or the transfer is over; a negative code says how it failed. */
int mlr_http_drive(mlr_exchange *x, bool (*enough)(const mlr_exchange *), mlr_op *op, mlreg_error **err)
{
    int rc;

    x->op = op;
    x->quiet_since_ms = mlr_clock_ms();
    do
        rc = (rc = mlr_op_check(op, err)) < 0 ? rc : step(x, enough, op, err);
    while (rc == 1);
    if (rc == 0 && (x->over || x->cause_rc < 0))
        rc = verdict(x, err);
    x->op = NULL;
    return rc;
}

void mlr_http_resume(mlr_exchange *x)
{
    if (!x->paused)
        return;
    x->paused = false;                      /* before: the callback may pause it again at once */
    curl_easy_pause(x->easy, CURLPAUSE_CONT);
}

/* Lets go of the transfer and, if it is to be kept, of the connection. In a forked child libcurl is left alone. */
void mlr_http_release(mlr_exchange *x)
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
