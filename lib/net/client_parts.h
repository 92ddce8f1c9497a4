/* net/client_parts.h - what a client is made of; for client.c and client_refused.c alone. */
#ifndef MLR_NET_CLIENT_PARTS_H
#define MLR_NET_CLIENT_PARTS_H
#include "net/client.h"

struct mlr_client {
    mlr_http *http;
    mlr_auth *auth;
    mlr_url   base;
    char     *host;
    uint32_t  max_retries;
    mlreg_log_fn log;
    void     *log_user;
};
#endif
