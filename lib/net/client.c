/* net/client.c - requests as a registry client must send them: tried again where that is safe, and not for ever. */
#include "net/client_parts.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "net/retry.h"

#define DEFAULT_RETRIES 4

/* ---- opening and closing ---- */

static uint32_t retries_of(uint32_t asked)
{
    return asked == 0 ? DEFAULT_RETRIES : asked == (uint32_t)MLREG_NONE ? 0 : asked;
}

int mlr_client_new(mlr_runtime *rt, const char *base, const char *host, const mlr_client_options *o, mlr_client **out,
                   mlreg_error **err)
{
    mlr_auth_options auth = {host, o->auth, o->auth_user};
    mlr_client      *c = mlr_alloc(sizeof *c);
    int              rc;

    if (c == NULL)
        return mlr_error_nomem(err);
    pthread_mutex_init(&c->lock, NULL);
    c->max_retries = retries_of(o->max_retries);
    c->log = o->log;
    c->log_user = o->log_user;
    rc = (c->host = mlr_strdup(host)) != NULL ? 0 : mlr_error_nomem(err);
    if (rc < 0 || (rc = mlr_url_parse(base, &c->base, err)) < 0 ||
        (rc = mlr_http_new(rt, &o->http, &c->http, err)) < 0 ||
        (rc = mlr_auth_new(c->http, &c->base, &auth, &c->auth, err)) < 0) {
        mlr_client_free(c);
        return rc;
    }
    *out = c;
    return 0;
}

void mlr_client_free(mlr_client *c)
{
    if (c == NULL)
        return;
    mlr_auth_free(c->auth);
    mlr_http_free(c->http);
    mlr_url_done(&c->base);
    mlr_free(c->host);
    pthread_mutex_destroy(&c->lock);
    mlr_free(c);
}

int mlr_client_absolute(const mlr_client *c, const char *url_or_path, mlr_url *out, mlreg_error **err)
{
    return mlr_url_resolve(&c->base, url_or_path, out, err);
}

/* ---- tries ---- */

static mlr_retry retry_begin(const mlr_client *c)
{
    mlr_retry r = MLR_RETRY_INIT(c->max_retries);

    r.began_ms = mlr_clock_ms();            /* the first try counts into the time without progress */
    return r;
}

/* Waits for the next try after the answer *x: 1 with *x freed; 0 where it stands; ECANCELLED. */
static int again_after_answer(mlr_retry *r, mlr_exchange **x, mlr_op *op, mlreg_error **err)
{
    const char *after = mlr_exchange_header(*x, "Retry-After", 0);
    int         more;

    mlr_exchange_settle(*x, op);            /* no connection is held while waiting */
    if ((more = mlr_retry_again(r, after, op, err)) == 0)
        return 0;
    mlr_exchange_free(*x);
    *x = NULL;
    return more;
}

static bool is_worth_another(const mlr_call *call, int rc, const mlr_exchange *x)
{
    return call->again && (rc == 0 ? mlr_retry_status(mlr_exchange_status(x)) : mlr_retry_code(rc));
}

static void log_again(const mlr_client *c, mlr_op *op, int status, const mlreg_error *why)
{
    if (why != NULL)
        mlr_client_log(c, op, MLREG_LOG_INFO, "trying again: %s", why->message);
    else
        mlr_client_log(c, op, MLREG_LOG_INFO, "trying again: %s answered %d", c->host, status);
}

static int begin(mlr_client *c, const mlr_call *call, mlr_retry *retry, mlr_op *op, mlr_exchange **out,
                 mlreg_error **err)
{
    for (;;) {
        mlreg_error  *why = NULL;
        mlr_exchange *x = NULL;
        bool          final = false;
        int           more = 0, status, rc = mlr_client_try(c, call, op, &final, &x, &why);

        status = rc == 0 ? mlr_exchange_status(x) : 0;
        if (!final && is_worth_another(call, rc, x))
            more = rc == 0 ? again_after_answer(retry, &x, op, err) : mlr_retry_again(retry, NULL, op, err);
        if (more == 0) {
            mlr_error_move(err, &why);
            if (rc == 0)
                *out = x;
            return rc;
        }
        if (more == 1)
            log_again(c, op, status, why);
        mlr_error_done(why);
        if (more < 0)
            return more;
    }
}

int mlr_client_begin(mlr_client *c, const mlr_call *call, mlr_op *op, mlr_exchange **out, mlreg_error **err)
{
    mlr_retry retry = retry_begin(c);

    return begin(c, call, &retry, op, out, err);
}

/* ---- whole bodies ---- */

static int read_body(mlr_exchange *x, mlr_buf *body, mlr_op *op, mlreg_error **err)
{
    char    piece[16384];
    int64_t n;
    int     rc = 0;

    while (rc == 0 && (n = mlr_exchange_read(x, piece, sizeof piece, op, err)) != 0)
        rc = n < 0 ? (int)n : mlr_buf_add(body, piece, (size_t)n, err);
    return rc;
}

static void cut_back(mlr_buf *body, size_t len)
{
    body->len = len;
    if (body->data != NULL)
        body->data[len] = '\0';
}

int mlr_client_fetch(mlr_client *c, const mlr_call *call, mlr_op *op, int *status, mlr_buf *body, mlr_exchange **out,
                     mlreg_error **err)
{
    mlr_retry retry = retry_begin(c);
    size_t    before = body->len;

    for (;;) {
        mlreg_error  *why = NULL;
        mlr_exchange *x = NULL;
        int           answer, more, rc;

        if ((rc = begin(c, call, &retry, op, &x, err)) < 0)
            return rc;
        answer = mlr_exchange_status(x);
        if (answer / 100 != 2 || (rc = read_body(x, body, op, &why)) == 0) {
            *status = answer;
            if (out != NULL)
                *out = x;
            else
                mlr_exchange_free(x);
            return 0;
        }
        mlr_exchange_free(x);
        cut_back(body, before);
        more = is_worth_another(call, rc, NULL) ? mlr_retry_again(&retry, NULL, op, err) : 0;
        if (more == 0)
            mlr_error_move(err, &why);
        mlr_error_done(why);
        if (more <= 0)
            return more < 0 ? more : rc;
    }
}
