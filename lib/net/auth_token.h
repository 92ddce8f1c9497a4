/* net/auth_token.h - one bearer token, asked of a token server. */
#ifndef MLR_NET_AUTH_TOKEN_H
#define MLR_NET_AUTH_TOKEN_H
#include <stdint.h>
#include "net/creds.h"
#include "net/http.h"
#include "net/url.h"

typedef struct mlr_token_ask {
    mlr_http        *http;
    const mlr_url   *registry;
    const char      *host;     /* the registry's name in messages */
    const mlr_url   *realm;    /* from mlr_token_realm */
    const char      *service;  /* NULL or "": none */
    const char      *scope;    /* several joined by a blank; NULL or "": none */
    const mlr_creds *creds;    /* NONE: anonymous; not BEARER */
} mlr_token_ask;

typedef struct mlr_token {
    char    *value;            /* printable ASCII without blanks */
    uint64_t life_ms;          /* from its receipt; at least 1 s, at most a year; 60 s where the server says nothing */
    char    *refresh;          /* a new identity token in place of the one that was sent, or NULL */
} mlr_token;

/* The token server that a challenge names, resolved against the registry: EPROTO for what is no http(s) URL or holds userinfo, EDENIED for http where the
 * registry is https. */
int  mlr_token_realm(const mlr_url *registry, const char *host, const char *realm, mlr_url *out, mlreg_error **err);
/* GET with Basic, or POST of an identity token, or POST of name and secret where GET is 404 or 405. No redirect is followed; what is down is tried again.
 * EAUTH: refused (with the HTTP status); EDENIED: the credentials would go over plain http to more than loopback; EPROTO, ELIMIT; and what mlr_http_begin
 * fails with. No message holds what the server wrote: it knows the secrets. */
int  mlr_token_fetch(const mlr_token_ask *ask, mlr_op *op, mlr_token *out, mlreg_error **err);
int  mlr_token_parse(const char *text, size_t len, const char *server, mlr_token *out, mlreg_error **err);
void mlr_token_done(mlr_token *t);             /* wipes */
#endif
