/* net/client.h - requests as a registry client must send them: credentials to their origin, redirects by hand, tries
 * counted. */
#ifndef MLR_NET_CLIENT_H
#define MLR_NET_CLIENT_H
#include "net/auth.h"
#include "net/http.h"
#include "net/url.h"

typedef struct mlr_client mlr_client;          /* of one registry; any thread */
typedef struct mlr_client_options {
    mlr_http_options http;
    uint32_t max_retries;                      /* 4; MLREG_NONE as uint32: none */
    mlreg_auth_fn auth; void *auth_user;
    mlreg_log_fn log; void *log_user;          /* silent; lines carry no secret and no query */
} mlr_client_options;
/* `base` is "https://host[:port]"; `host` is the name that credentials and messages go by. */
int  mlr_client_new(mlr_runtime *rt, const char *base, const char *host, const mlr_client_options *o, mlr_client **out,
        mlreg_error **err);
void mlr_client_free(mlr_client *c);

typedef struct mlr_call {
    mlr_request request;                       /* url: absolute, or a path below base ("/v2/…") */
    const char *scope;                         /* as in mlr_auth_header; NULL: no credentials are ever sent */
    bool again;                                /* may be repeated: GET, HEAD, PUT of a manifest, DELETE */
    bool follow;                               /* 301, 302, 303, 307, 308 of GET and HEAD: at most 5; another origin and
                                                * what comes behind it get no credentials, and no header of ours but
                                                * Range and Accept */
} mlr_call;
/* Sends, authenticates (one 401 answered per token), follows, retries by mlr_retry. Any status that then stands is
 * success here: the caller decides. Credentials go over plain http only to loopback, and nothing goes from https to
 * http: EDENIED otherwise. A redirect to nowhere, or a sixth: EPROTO. */
int  mlr_client_begin(mlr_client *c, const mlr_call *call, mlr_op *op, mlr_exchange **out, mlreg_error **err);
/* begin, then the whole body of a 2xx answer, appended (ELIMIT past body->max); retries also when it is cut short.
 * Another answer's body stays in the exchange for mlr_client_refused. `out` may be NULL if only status and body are
 * wanted. */
int  mlr_client_fetch(mlr_client *c, const mlr_call *call, mlr_op *op, int *status, mlr_buf *body, mlr_exchange **out,
        mlreg_error **err);
/* The error that an unwelcome answer stands for: 401 EAUTH, 403 and 407 EDENIED, 404 ENOTFOUND, 405 and 501 ENOTSUP, 413
 * ELIMIT, 408/429/5xx and the code TOOMANYREQUESTS ENET, other EPROTO; message, registry code and hint from the body
 * (JSON of the specification, else its first line if it is plain text), which is settled, so cut at 64 KiB. Never 0. */
int  mlr_client_refused(mlr_client *c, mlr_exchange *x, const char *what, mlr_op *op, mlreg_error **err);
/* To the user's log function, on his thread, as one clean line; nothing happens where he has none. */
void mlr_client_log(const mlr_client *c, mlr_op *op, int level, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
int  mlr_client_absolute(const mlr_client *c, const char *url_or_path, mlr_url *out, mlreg_error **err);
#endif
