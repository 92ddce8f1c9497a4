/* net/auth.h - answering 401: challenges read, tokens fetched, kept and renewed. */
#ifndef MLR_NET_AUTH_H
#define MLR_NET_AUTH_H
#include "net/creds.h"
#include "net/http.h"
#include "net/url.h"

typedef struct mlr_auth mlr_auth;              /* of one registry; any thread */
typedef struct mlr_auth_options { const char *host; mlreg_auth_fn fn; void *user; } mlr_auth_options;
int  mlr_auth_new(mlr_http *h, const mlr_url *registry, const mlr_auth_options *o, mlr_auth **out, mlreg_error **err);
void mlr_auth_free(mlr_auth *a);
/* The Authorization value to send for `scope` ("repository:team/x:pull,push", several joined by a blank, NULL for none) as far as is known without
 * asking: "" for none. *out is the caller's (wipe and mlr_free). Renews a token that is past 80 % of its life. */
int  mlr_auth_header(mlr_auth *a, const char *scope, mlr_op *op, char **out, mlreg_error **err);
/* Both: a token server that is down is tried again here, as net/retry.h has it; the ENET or ETIMEDOUT that then comes back is final.
 *
 * After a 401 to a request that carried `sent` ("" for none): reads the challenges (the i-th WWW-Authenticate of `x`; none: those of GET /v2/), fetches
 * credentials and a token. 1: try again; EAUTH, with hint "log in to HOST: no credentials found in …" or "… were refused"; what creds and http fail with. */
int  mlr_auth_challenged(mlr_auth *a, mlr_exchange *x, const char *sent, const char *scope, mlr_op *op, mlreg_error **err);
/* For EDENIED and EAUTH answers: the hint that tells where was looked. */
int  mlr_auth_hint(mlr_auth *a, int rc, mlreg_error **err);

/* One challenge of a WWW-Authenticate value; PROTOCOL: schemes and names in any case, quoted strings with escapes, several per header. */
typedef struct mlr_challenge { char *scheme, *realm, *service, *scope, *error; } mlr_challenge;
int  mlr_challenge_next(const char **cursor, mlr_challenge *out, mlreg_error **err);    /* 1; 0 at the end; EPROTO over limits */
void mlr_challenge_done(mlr_challenge *c);
#endif
