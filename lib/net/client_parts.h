/* net/client_parts.h - what a client is made of; for client*.c alone. */
#ifndef MLR_NET_CLIENT_PARTS_H
#define MLR_NET_CLIENT_PARTS_H
#include <pthread.h>
#include "net/client.h"

#define MLR_CLIENT_WARNINGS 16          /* remembered, so that each is shown once */

struct mlr_client {
    mlr_http *http;
    mlr_auth *auth;
    mlr_url   base;
    char     *host;
    uint32_t  max_retries;
    mlreg_log_fn log;
    void     *log_user;
    pthread_mutex_t lock;               /* guards the next two */
    uint64_t  warned[MLR_CLIENT_WARNINGS];   /* hashes; the oldest gives way */
    size_t    n_warned;
};

/* ---- client_try.c ---- */
/* One try of a call: with credentials, tokens and redirects. *final says that another try could not help. */
int mlr_client_try(mlr_client *c, const mlr_call *call, mlr_op *op, bool *final, mlr_exchange **out, mlreg_error **err);

/* ---- client_log.c ---- */
/* One answered request, and what the registry warns of in it. `url` is shown without its query. */
void mlr_client_log_answer(mlr_client *c, mlr_op *op, const mlr_request *r, const mlr_exchange *x);
#endif
