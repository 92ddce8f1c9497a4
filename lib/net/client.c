/* net/client.c - requests as a registry client must send them: credentials only to their origin, redirects by hand, tries counted. */
#include "net/client.h"

#include <strings.h>
#include "base/alloc.h"
#include "base/error.h"
#include "net/client_parts.h"
#include "net/retry.h"

#define MAX_HOPS 5
#define MAX_TOKENS 3            /* per request: a stale one, one of too small a scope, the right one */
#define DEFAULT_RETRIES 4

/* ---- opening and closing ---- */

static uint32_t retries_of(uint32_t asked)
{
    return asked == 0 ? DEFAULT_RETRIES : asked == (uint32_t)MLREG_NONE ? 0 : asked;
}

int mlr_client_new(mlr_runtime *rt, const char *base, const char *host, const mlr_client_options *o, mlr_client **out, mlreg_error **err)
{
    mlr_auth_options auth = { host, o->auth, o->auth_user };
    mlr_client *c = mlr_alloc(sizeof *c);
    int rc;

    if (c == NULL || (c->host = mlr_strdup(host)) == NULL) {
        mlr_free(c);
        return mlr_error_nomem(err);
    }
    c->max_retries = retries_of(o->max_retries);
    c->log = o->log;
    c->log_user = o->log_user;
    if ((rc = mlr_url_parse(base, &c->base, err)) < 0 || (rc = mlr_http_new(rt, &o->http, &c->http, err)) < 0 ||
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
    mlr_free(c);
}

const char *mlr_client_host(const mlr_client *c)
{
    return c->host;
}

int mlr_client_absolute(const mlr_client *c, const char *url_or_path, mlr_url *out, mlreg_error **err)
{
    return mlr_url_resolve(&c->base, url_or_path, out, err);
}

/* ---- one request to one place ---- */

static void log_exchange(const mlr_client *c, const char *method, const char *url, int status)
{
    char *shown, *line;

    if (c->log == NULL)
        return;
    shown = mlr_url_shown(url);
    line = shown != NULL ? mlr_asprintf("%s %s: %d", method, shown, status) : NULL;
    if (line != NULL)
        c->log(MLREG_LOG_DEBUG, line, c->log_user);
    mlr_free(line);
    mlr_free(shown);
}

struct log_errand { const mlr_client *c; const char *method, *url; int status; };

static int log_on_caller(void *arg, mlreg_error **err)
{
    const struct log_errand *e = arg;

    (void)err;
    log_exchange(e->c, e->method, e->url, e->status);
    return 0;
}

static void wipe(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    mlr_free(secret);
}

/* To another origin than the registry's own goes what the request needs there, and nothing that names us. */
static size_t choose_headers(const mlr_call *call, bool ours, const char *authorization, mlr_header *out)
{
    size_t n = 0;

    for (size_t i = 0; i < call->request.n_headers; i++) {
        const char *name = call->request.headers[i].name;

        if (ours || !call->follow || strcasecmp(name, "Range") == 0 || strcasecmp(name, "Accept") == 0)
            out[n++] = call->request.headers[i];
    }
    if (authorization[0] != '\0')
        out[n++] = (mlr_header){ "Authorization", authorization };
    return n;
}

static int send_with(mlr_client *c, const mlr_call *call, const mlr_url *to, bool ours, const char *authorization, mlr_op *op,
        mlr_exchange **out, mlreg_error **err)
{
    mlr_request r = call->request;
    mlr_header *headers = mlr_alloc_array(r.n_headers + 1, sizeof *headers);
    char *url = mlr_url_text(to);
    int rc;

    if (headers == NULL || url == NULL) {
        rc = mlr_error_nomem(err);
        goto out;
    }
    r.n_headers = choose_headers(call, ours, authorization, headers);
    r.headers = headers;
    r.url = url;
    r.foreign = !ours;
    if ((rc = mlr_http_begin(c->http, &r, op, out, err)) == 0 && c->log != NULL) {
        struct log_errand e = { c, r.method, url, mlr_exchange_status(*out) };

        (void)mlr_op_on_caller(op, log_on_caller, &e, NULL);
    }
out:
    mlr_free(headers);
    mlr_free(url);
    return rc;
}

static int guard(const mlr_client *c, const char *authorization, mlreg_error **err)
{
    int rc;

    if (authorization[0] == '\0' || strcmp(c->base.scheme, "https") == 0 || mlr_url_is_loopback(&c->base))
        return 0;
    rc = mlr_error_set(err, MLREG_EDENIED, "credentials for %s would go over plain http", c->host);
    return mlr_error_hint(err, rc, "use https, or push and pull without credentials");
}

/* The registry itself: with credentials, asked for as the answers say. */
static int send_ours(mlr_client *c, const mlr_call *call, const mlr_url *to, mlr_op *op, bool *final, mlr_exchange **out, mlreg_error **err)
{
    mlr_exchange *x = NULL;
    int rc = 0;

    for (int n = 0; n <= MAX_TOKENS; n++) {
        char *authorization = NULL;

        *final = true;                 /* the token server was tried again where that could help */
        if ((rc = mlr_auth_header(c->auth, call->scope, op, &authorization, err)) == 0 && (rc = guard(c, authorization, err)) == 0) {
            *final = false;
            rc = send_with(c, call, to, true, authorization, op, &x, err);
        }
        if (rc == 0 && mlr_exchange_status(x) == 401 && n < MAX_TOKENS) {
            *final = true;
            rc = mlr_auth_challenged(c->auth, x, authorization, call->scope, op, err);
            mlr_exchange_free(x);
            x = NULL;
        }
        wipe(authorization);
        if (rc <= 0)
            break;
        rc = 0;                        /* there is a new token */
    }
    if (rc == 0)
        *out = x;
    return rc;
}

/* ---- redirects ---- */

static bool is_redirect(const mlr_call *call, int status)
{
    return call->follow && (status == 301 || status == 302 || status == 303 || status == 307 || status == 308);
}

static int next_hop(mlr_exchange *x, mlr_url *at, mlreg_error **err)
{
    const char *location = mlr_exchange_header(x, "Location", 0);
    mlr_url next = { 0 };
    int rc;

    if (location == NULL)
        return mlr_error_set(err, MLREG_EPROTO, "%s answered %d without saying where to", at->host, mlr_exchange_status(x));
    if ((rc = mlr_url_resolve(at, location, &next, err)) < 0)
        return rc;
    if (strcmp(at->scheme, "https") == 0 && strcmp(next.scheme, "https") != 0) {
        rc = mlr_error_set(err, MLREG_EDENIED, "%s redirects from https to http, which is not followed", at->host);
        mlr_url_done(&next);
        return rc;
    }
    mlr_url_done(at);
    *at = next;
    return 0;
}

/* One try: wherever redirects lead. *final says that another could not help. */
static int try_once(mlr_client *c, const mlr_call *call, mlr_op *op, bool *final, mlr_exchange **out, mlreg_error **err)
{
    mlr_exchange *x = NULL;
    mlr_url at = { 0 };
    int rc = mlr_client_absolute(c, call->request.url, &at, err);

    *final = rc < 0;
    for (int hops = 0; rc == 0; hops++) {
        bool ours = mlr_url_same_origin(&at, &c->base);

        if (ours && call->scope != NULL)
            rc = send_ours(c, call, &at, op, final, &x, err);
        else
            rc = send_with(c, call, &at, ours, "", op, &x, err);
        if (rc < 0 || !is_redirect(call, mlr_exchange_status(x)))
            break;
        *final = true;
        rc = hops == MAX_HOPS ? mlr_error_set(err, MLREG_EPROTO, "%s redirects over %d times", c->host, MAX_HOPS) : next_hop(x, &at, err);
        mlr_exchange_free(x);
        x = NULL;
    }
    mlr_url_done(&at);
    if (rc == 0)
        *out = x;
    return rc;
}

/* ---- tries ---- */

/* Whether to go on after (rc, *x): 1 with *x freed, 0, or a failure of waiting. */
static int again(mlr_retry *r, int rc, mlr_exchange **x, mlr_op *op, mlreg_error **err)
{
    char *after = NULL;
    int more;

    if (rc == 0) {
        const char *value = mlr_exchange_header(*x, "Retry-After", 0);

        after = value != NULL ? mlr_strdup(value) : NULL;
        mlr_exchange_settle(*x, op);    /* no connection is held while waiting */
    }
    more = mlr_retry_again(r, after, op, err);
    mlr_free(after);
    if (more != 0 && rc == 0) {
        mlr_exchange_free(*x);
        *x = NULL;
    }
    if (more == 1)
        mlr_op_count(op, MLR_N_RETRIES, 1);
    return more;
}

static int begin(mlr_client *c, const mlr_call *call, mlr_retry *retry, mlr_op *op, mlr_exchange **out, mlreg_error **err)
{
    for (;;) {
        mlreg_error *why = NULL;
        mlr_exchange *x = NULL;
        bool final = false;
        int more = 0, rc = try_once(c, call, op, &final, &x, &why);

        if (call->again && !final && (rc == 0 ? mlr_retry_status(mlr_exchange_status(x)) : mlr_retry_code(rc)))
            more = again(retry, rc, &x, op, err);
        if (more == 0) {
            mlr_error_move(err, &why);
            if (rc == 0)
                *out = x;
            return rc;
        }
        mlr_error_done(why);
        if (more < 0)
            return more;
    }
}

int mlr_client_begin(mlr_client *c, const mlr_call *call, mlr_op *op, mlr_exchange **out, mlreg_error **err)
{
    mlr_retry retry = MLR_RETRY_INIT(c->max_retries);

    return begin(c, call, &retry, op, out, err);
}

static int read_body(mlr_exchange *x, mlr_buf *body, mlr_op *op, mlreg_error **err)
{
    char piece[16384];
    int64_t n;
    int rc = 0;

    while (rc == 0 && (n = mlr_exchange_read(x, piece, sizeof piece, op, err)) != 0)
        rc = n < 0 ? (int)n : mlr_buf_add(body, piece, (size_t)n, err);
    return rc;
}

int mlr_client_fetch(mlr_client *c, const mlr_call *call, mlr_op *op, int *status, mlr_buf *body, mlr_exchange **out, mlreg_error **err)
{
    mlr_retry retry = MLR_RETRY_INIT(c->max_retries);
    size_t before = body->len;
    int more = 1, rc = 0;

    while (more == 1) {
        mlreg_error *why = NULL;
        mlr_exchange *x = NULL;

        if ((rc = begin(c, call, &retry, op, &x, err)) < 0)
            return rc;
        *status = mlr_exchange_status(x);
        rc = *status / 100 == 2 ? read_body(x, body, op, &why) : 0;
        if (rc == 0 && out != NULL)
            *out = x;
        else
            mlr_exchange_free(x);
        if (rc == 0)
            return 0;
        body->len = before;
        more = call->again && mlr_retry_code(rc) ? mlr_retry_again(&retry, NULL, op, err) : 0;
        if (more == 0)
            mlr_error_move(err, &why);
        mlr_error_done(why);
    }
    return more < 0 ? more : rc;
}
