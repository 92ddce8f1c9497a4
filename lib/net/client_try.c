/* net/client_try.c - one try of a call: credentials to their origin only, each 401 answered once, redirects by hand. */
#include "net/client_parts.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/error.h"

#define MAX_HOPS   5
#define MAX_TOKENS 3            /* per request: a stale one, one of too small a scope, the right one */

/* ---- one request ---- */

/* What goes along to a strange origin: of a request that was redirected there, only what it needs for its purpose. One
 * that was meant for it from the start (an upload's Location) goes as its maker wrote it. */
static size_t choose_headers(const mlr_call *call, bool ours, const char *authorization, mlr_header *out)
{
    size_t n = 0;

    for (size_t i = 0; i < call->request.n_headers; i++) {
        const char *name = call->request.headers[i].name;

        if (ours || !call->follow || strcasecmp(name, "Range") == 0 || strcasecmp(name, "Accept") == 0)
            out[n++] = call->request.headers[i];
    }
    if (authorization[0] != '\0')
        out[n++] = (mlr_header){"Authorization", authorization};
    return n;
}

static int send_with(mlr_client *c, const mlr_call *call, const mlr_url *to, bool ours, const char *authorization,
                     mlr_op *op, mlr_exchange **out, mlreg_error **err)
{
    mlr_request r = call->request;
    mlr_header *headers = mlr_alloc_array(r.n_headers + 1, sizeof *headers);
    char       *url = mlr_url_text(to);
    int         rc;

    if (headers == NULL || url == NULL) {
        rc = mlr_error_nomem(err);
        goto out;
    }
    r.n_headers = choose_headers(call, ours, authorization, headers);
    r.headers = headers;
    r.url = url;
    r.foreign = r.foreign || !ours;
    if ((rc = mlr_http_begin(c->http, &r, op, out, err)) == 0)
        mlr_client_log_answer(c, op, &r, *out);
out:
    mlr_free(headers);
    mlr_free(url);
    return rc;
}

/* ---- with credentials ---- */

static void wipe(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    mlr_free(secret);
}

/* The last look before a credential leaves; whoever got it had to look as well. */
static int guard(const mlr_client *c, const char *authorization, mlreg_error **err)
{
    int rc;

    if (authorization[0] == '\0' || strcmp(c->base.scheme, "https") == 0 || mlr_url_is_loopback(&c->base))
        return 0;
    rc = mlr_error_set(err, MLREG_EDENIED, "credentials for %s would go over plain http", c->host);
    return mlr_error_hint(err, rc, "use https, or push and pull without credentials");
}

/* The registry itself: with credentials, asked for as its answers say. */
static int send_ours(mlr_client *c, const mlr_call *call, const mlr_url *to, mlr_op *op, bool *final,
                     mlr_exchange **out, mlreg_error **err)
{
    mlr_exchange *x = NULL;
    int           rc = 1;

    for (int n = 0; rc == 1; n++) {
        char *authorization = NULL;

        *final = true;                 /* the token server was tried again where that could help */
        if ((rc = mlr_auth_header(c->auth, call->scope, op, &authorization, err)) == 0 &&
            (rc = guard(c, authorization, err)) == 0) {
            *final = false;
            rc = send_with(c, call, to, true, authorization, op, &x, err);
        }
        if (rc == 0 && mlr_exchange_status(x) == 401 && n < MAX_TOKENS) {
            *final = true;
            rc = mlr_auth_challenged(c->auth, x, authorization, call->scope, op, err);   /* 1: there is a new token */
            mlr_exchange_free(x);
            x = NULL;
        }
        wipe(authorization);
    }
    if (rc == 0)
        *out = x;
    return rc;
}

/* ---- redirects ---- */

static bool is_redirect(const mlr_call *call, int status)
{
    bool safe = strcmp(call->request.method, "GET") == 0 || strcmp(call->request.method, "HEAD") == 0;

    return call->follow && safe && (status == 301 || status == 302 || status == 303 || status == 307 || status == 308);
}

/* What travelled encrypted must not go on in the clear. */
static int check_downgrade(const char *from_scheme, const char *from_host, const mlr_url *to, mlreg_error **err)
{
    char *authority;
    int   rc;

    if (strcmp(from_scheme, "https") != 0 || strcmp(to->scheme, "https") == 0)
        return 0;
    authority = mlr_url_authority(to);
    rc = mlr_error_set(err, MLREG_EDENIED, "%s leads from https to plain http at %s, which is not followed", from_host,
                       authority != NULL ? authority : to->host);
    mlr_free(authority);
    return rc;
}

/* Moves `at` to where the answer says; that is the server's text, so its faults are the server's. */
static int next_hop(const mlr_exchange *x, mlr_url *at, mlreg_error **err)
{
    const char  *location = mlr_exchange_header(x, "Location", 0), *host = mlr_exchange_host(x);
    mlreg_error *why = NULL;
    mlr_url      next = {NULL, NULL, 0, NULL};
    int          rc;

    if (location == NULL)
        return mlr_error_set(err, MLREG_EPROTO, "%s answered %d without saying where to", host, mlr_exchange_status(x));
    if ((rc = mlr_url_resolve(at, location, &next, &why)) == MLREG_EINVAL)
        rc = mlr_error_set(err, MLREG_EPROTO, "%s redirects to nowhere: %s", host, why->message);
    else
        mlr_error_move(err, &why);
    mlr_error_done(why);
    if (rc == 0 && (rc = check_downgrade(at->scheme, host, &next, err)) == 0) {
        mlr_url_done(at);
        *at = next;
        return 0;
    }
    mlr_url_done(&next);
    return rc;
}

static int follow(mlr_exchange *x, int hops, mlr_url *at, mlr_op *op, mlreg_error **err)
{
    mlr_exchange_settle(x, op);        /* a short text comes with it; behind it the connection is as good as new */
    if (hops == MAX_HOPS)
        return mlr_error_set(err, MLREG_EPROTO, "%s redirects for the %dth time", mlr_exchange_host(x), MAX_HOPS + 1);
    return next_hop(x, at, err);
}

int mlr_client_try(mlr_client *c, const mlr_call *call, mlr_op *op, bool *final, mlr_exchange **out, mlreg_error **err)
{
    mlr_exchange *x = NULL;
    mlr_url       at = {NULL, NULL, 0, NULL};
    bool          ours = true;         /* once the registry was left, nothing on the way is trusted again */
    int           rc;

    *final = true;
    if ((rc = mlr_client_absolute(c, call->request.url, &at, err)) < 0 ||
        (rc = check_downgrade(c->base.scheme, c->host, &at, err)) < 0)
        goto out;
    for (int hops = 0; rc == 0; hops++) {
        ours = ours && mlr_url_same_origin(&at, &c->base);
        *final = false;
        if (ours && call->scope != NULL)
            rc = send_ours(c, call, &at, op, final, &x, err);
        else
            rc = send_with(c, call, &at, ours, "", op, &x, err);
        if (rc < 0 || !is_redirect(call, mlr_exchange_status(x)))
            break;
        *final = true;
        rc = follow(x, hops, &at, op, err);
        mlr_exchange_free(x);
        x = NULL;
    }
    if (rc == 0)
        *out = x;
out:
    mlr_url_done(&at);
    return rc;
}
