/* net/auth_server.h - one question to a token server, asked again while it is down, and its bounded answer. */
#ifndef MLR_NET_AUTH_SERVER_H
#define MLR_NET_AUTH_SERVER_H
#include "base/buf.h"
#include "net/http.h"

#define MLR_TOKEN_MAX_BYTES (128u << 10)

typedef struct mlr_token_answer {
    int     status;
    mlr_buf body;              /* of a 2xx answer, at most MLR_TOKEN_MAX_BYTES */
    char   *retry_after;
} mlr_token_answer;
/* Asking twice does no harm here, POST included: so ENET, ETIMEDOUT, 429 and 5xx are tried again, and what they are in the end comes back. ELIMIT for a
 * longer body, EPROTO for one in an encoding that nobody asked for. */
int  mlr_token_send(mlr_http *http, const mlr_request *r, mlr_op *op, mlr_token_answer *out, mlreg_error **err);
void mlr_token_answer_done(mlr_token_answer *a);             /* wipes */
#endif
