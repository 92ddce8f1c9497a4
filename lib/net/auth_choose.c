/* net/auth_choose.c - which challenge of a 401 to answer. */
#include "net/auth_parts.h"

#include <strings.h>

#include "base/alloc.h"
#include "base/error.h"

#define VALUES_MAX     16               /* WWW-Authenticate headers of one answer */
#define CHALLENGES_MAX 32               /* in one of them */

/* Bearer with a token server before Basic, and the first of each. */
static bool is_better(const mlr_challenge *c, const mlr_challenge *than)
{
    if (strcasecmp(c->scheme, "Bearer") == 0 && c->realm != NULL)
        return than->scheme == NULL || strcasecmp(than->scheme, "Basic") == 0;
    return strcasecmp(c->scheme, "Basic") == 0 && than->scheme == NULL;
}

static int choose_from_value(const char *value, mlr_challenge *best, mlreg_error **err)
{
    mlr_challenge c;
    int           rc = 1;

    for (int n = 0; rc > 0; n++) {
        if (n > CHALLENGES_MAX)
            return mlr_error_set(err, MLREG_EPROTO, "WWW-Authenticate: more than %d challenges", CHALLENGES_MAX);
        if ((rc = mlr_challenge_next(&value, &c, err)) <= 0)
            break;
        if (is_better(&c, best)) {
            mlr_challenge_done(best);
            *best = c;
        } else {
            mlr_challenge_done(&c);
        }
    }
    return rc;
}

/* 1, or 0 if there is none that can be answered. */
static int choose_from(const mlr_exchange *x, mlr_challenge *best, mlreg_error **err)
{
    const char *value;
    int         rc = 0;

    for (size_t i = 0; rc == 0 && (value = mlr_exchange_header(x, "WWW-Authenticate", i)) != NULL; i++)
        rc = i < VALUES_MAX ? choose_from_value(value, best, err)
                            : mlr_error_set(err, MLREG_EPROTO, "more than %d WWW-Authenticate headers", VALUES_MAX);
    return rc < 0 ? rc : best->scheme != NULL;
}

/* gcr.io and old Harbor say 401 to some requests without a challenge; to this one every registry gives it. */
static int choose_from_root(mlr_auth *a, mlr_op *op, mlr_challenge *best, mlreg_error **err)
{
    mlr_exchange *x = NULL;
    mlr_url       root = {0};
    char         *url = NULL;
    int           rc;

    if ((rc = mlr_url_resolve(&a->registry, "/v2/", &root, err)) < 0)
        return rc;
    if ((url = mlr_url_text(&root)) == NULL)
        rc = mlr_error_nomem(err);
    else
        rc = mlr_http_begin(a->http, &(mlr_request){.method = "GET", .url = url}, op, &x, err);
    if (rc == 0 && mlr_exchange_status(x) == 401)
        rc = choose_from(x, best, err);
    mlr_exchange_free(x);
    mlr_free(url);
    mlr_url_done(&root);
    return rc;
}

int mlr_auth_choose(mlr_auth *a, mlr_exchange *x, mlr_op *op, mlr_challenge *out, mlreg_error **err)
{
    mlr_challenge best = {0};
    int           rc = choose_from(x, &best, err);

    if (rc == 0 && mlr_exchange_header(x, "WWW-Authenticate", 0) == NULL)
        rc = choose_from_root(a, op, &best, err);
    if (rc == 0) {
        rc = mlr_error_set(err, MLREG_EAUTH, "%s asks for a login in no way that is known here", a->host);
        mlr_error_http(err, rc, 401, NULL);
    }
    if (rc > 0)
        *out = best;
    else
        mlr_challenge_done(&best);
    return rc < 0 ? rc : 0;
}
