/* net/auth_server.c - one question to a token server, asked again while it is down, and its bounded answer. */
#include "net/auth_server.h"

#include <strings.h>

#include "base/alloc.h"
#include "base/error.h"
#include "net/retry.h"

#define TRIES_MORE 2                    /* with a stall of 30 s each this ends within 120 s */

void mlr_token_answer_done(mlr_token_answer *a)
{
    mlr_buf_wipe(&a->body);
    mlr_free(a->retry_after);
    *a = (mlr_token_answer){0};
}

static int read_body(mlr_exchange *x, mlr_buf *body, mlr_op *op, mlreg_error **err)
{
    const char *encoding = mlr_exchange_header(x, "Content-Encoding", 0);
    int64_t     n;
    int         rc;

    if (encoding != NULL && strcasecmp(encoding, "identity") != 0)
        return mlr_error_set(err, MLREG_EPROTO, "the token server %s answers in an encoding that was not asked for",
            mlr_exchange_host(x));
    if ((rc = mlr_buf_reserve(body, MLR_TOKEN_MAX_BYTES + 1, err)) < 0)
        return rc;
    if ((n = mlr_exchange_read(x, body->data, MLR_TOKEN_MAX_BYTES + 1, op, err)) < 0)
        return (int)n;
    if (n > MLR_TOKEN_MAX_BYTES)
        return mlr_error_set(err, MLREG_ELIMIT, "the token server %s answers with more than %u bytes",
            mlr_exchange_host(x), MLR_TOKEN_MAX_BYTES);
    body->len = (size_t)n;
    body->data[n] = '\0';
    return 0;
}

static int exchange(mlr_http *http, const mlr_request *r, mlr_op *op, mlr_token_answer *out, mlreg_error **err)
{
    mlr_exchange    *x = NULL;
    mlr_token_answer a = {.body = MLR_BUF_INIT(MLR_TOKEN_MAX_BYTES + 1)};
    const char      *retry_after;
    int              rc;

    if ((rc = mlr_http_begin(http, r, op, &x, err)) < 0)
        return rc;
    a.status = mlr_exchange_status(x);
    retry_after = mlr_exchange_header(x, "Retry-After", 0);
    if (retry_after != NULL && (a.retry_after = mlr_strdup(retry_after)) == NULL)
        rc = mlr_error_nomem(err);
    if (rc == 0 && a.status >= 200 && a.status < 300)
        rc = read_body(x, &a.body, op, err);
    mlr_exchange_free(x);
    if (rc == 0)
        *out = a;
    else
        mlr_token_answer_done(&a);
    return rc;
}

int mlr_token_send(mlr_http *http, const mlr_request *r, mlr_op *op, mlr_token_answer *out, mlreg_error **err)
{
    mlr_retry retry = MLR_RETRY_INIT(TRIES_MORE);

    for (;;) {
        mlreg_error     *e = NULL;
        mlr_token_answer a = {0};
        int              rc = exchange(http, r, op, &a, &e), again = 0;

        if (mlr_retry_code(rc) || (rc == 0 && mlr_retry_status(a.status)))
            again = mlr_retry_again(&retry, a.retry_after, op, err);
        if (again == 0 && rc == 0)
            *out = a;
        else if (again == 0)
            mlr_error_move(err, &e);
        if (again == 0)
            return rc;
        mlr_token_answer_done(&a);
        mlr_error_done(e);
        if (again < 0)
            return again;
    }
}
