/* net/http_parts.h - what the files of the room http share; nobody else includes it, nobody else sees libcurl. */
#ifndef MLR_NET_HTTP_PARTS_H
#define MLR_NET_HTTP_PARTS_H
#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include "net/http.h"
#include "net/url.h"

/* A connection that is kept: a multi handle of its own, so that each thread drives its exchange alone. Easy handles
 * come and go with the exchanges, for nothing of one may be left to the next. */
typedef struct mlr_http_line {
    CURLM *multi;
    char  *origin;                   /* "https://host:port": a line is used for one origin only */
    curl_socket_t socket;            /* the last that was opened and is not closed yet, or CURL_SOCKET_BAD */
    uint64_t idle_since_ms;
    struct mlr_http_line *next;
} mlr_http_line;

struct mlr_http {
    mlr_runtime *rt;
    uint32_t connect_timeout_ms, stall_timeout_ms, commit_timeout_ms;
    char *ca_file;                   /* NULL: the system's */
    bool ca_alone;                   /* the caller named it: the system's directory does not count beside it */
    char *client_cert_file, *client_key_file;
    pid_t owner;                     /* a forked child may free, but must not speak over its parent's connections */
    atomic_bool is_near;             /* what the user named lives on this machine or its link (see http_socket.c) */
    pthread_mutex_t lock;            /* guards `idle` and what hangs on it */
    mlr_http_line *idle;             /* the last used first */
};

/* ---- http_pool.c ---- */
/* A line to `origin`, an idle one where there is one. Counts against the runtime's connections until it is given back. */
int  mlr_http_line_take(mlr_http *h, const char *origin, mlr_op *op, mlr_http_line **out, mlreg_error **err);
void mlr_http_line_give(mlr_http *h, mlr_http_line *l, bool keep);
bool mlr_http_is_mine(const mlr_http *h);   /* false in a forked child */

/* ---- http_headers.c ---- */
#define MLR_HEADERS_MAX       256
#define MLR_HEADERS_MAX_BYTES (64u << 10)
typedef struct mlr_headers {
    mlr_buf  text;                   /* "name\0value\0" after each other */
    uint32_t at[MLR_HEADERS_MAX];    /* where each begins */
    size_t   n;
    size_t   seen_bytes;             /* of all heads of the exchange, interim ones included */
} mlr_headers;
void mlr_headers_begin(mlr_headers *h);                                              /* a new head replaces the last */
int  mlr_headers_add(mlr_headers *h, const char *line, size_t len, mlreg_error **err); /* one line as it came. EPROTO over the limits */
int  mlr_headers_over_limit(mlreg_error **err);                                      /* EPROTO */
const char *mlr_headers_get(const mlr_headers *h, const char *name, size_t i);
bool mlr_headers_length(const mlr_headers *h, uint64_t *out);                        /* Content-Length, where it counts */
void mlr_headers_done(mlr_headers *h);
int  mlr_headers_check_sent(const mlr_header *headers, size_t n, mlreg_error **err); /* EINVAL for what would be no header, or two */

/* ---- http_setup.c ---- */
/* The options that do not depend on the exchange's own callbacks. *headers is the caller's (curl_slist_free_all). */
int mlr_http_setup(const mlr_http *h, CURL *easy, const mlr_request *r, const mlr_url *url, struct curl_slist **headers, mlreg_error **err);

/* ---- http_socket.c ---- */
/* What an opening socket has to know; also tells why it was refused. */
typedef struct mlr_http_gate {
    mlr_http *http;
    mlr_http_line *line;
    bool      foreign;               /* see mlr_request */
    bool      loopback_name;         /* the URL's host means this machine, whatever a resolver says */
    bool      refused;
    char      address[64];           /* that was refused */
} mlr_http_gate;
curl_socket_t mlr_http_open_socket(void *gate, curlsocktype purpose, struct curl_sockaddr *address);
int mlr_http_close_socket(void *line, curl_socket_t s);
int mlr_http_unsent(const mlr_http_line *l);   /* bytes that the peer has not acknowledged yet; -1: unknown */

/* ---- http_error.c ---- */
/* `text` is libcurl's error buffer, `host` goes into the message. */
int mlr_http_error(const mlr_http *h, CURL *easy, CURLcode code, const char *text, const char *host, mlreg_error **err);
#endif
