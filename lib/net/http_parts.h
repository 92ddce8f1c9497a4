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
    pthread_t taker;                 /* in whose name it counts, while it is no idle one */
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
/* A line to `origin`, an idle one where there is one. Counts among the runtime's connections until it is given back. */
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
    bool     is_open;                /* the last line was a header's, and the next may go on with it */
    size_t   seen_bytes;             /* of all heads of the exchange, interim ones included */
} mlr_headers;
void mlr_headers_begin(mlr_headers *h);      /* a new head replaces the last */
/* One line as it came. EPROTO over the limits. */
int  mlr_headers_add(mlr_headers *h, const char *line, size_t len, mlreg_error **err);
int  mlr_headers_over_limit(mlreg_error **err);
const char *mlr_headers_get(const mlr_headers *h, const char *name, size_t i);
bool mlr_headers_length(const mlr_headers *h, uint64_t *out);   /* Content-Length, where it counts */
void mlr_headers_done(mlr_headers *h);
/* EINVAL for what would be no header, or two. */
int  mlr_headers_check_sent(const mlr_header *headers, size_t n, mlreg_error **err);

/* ---- http_setup.c ---- */
/* Sets an option of `easy` unless one failed before; the first failure stays in `rc`. */
#define MLR_HTTP_SET(option, value)                                                                                   \
    do {                                                                                                              \
        if (rc == CURLE_OK)                                                                                           \
            rc = curl_easy_setopt(easy, option, value);                                                               \
    } while (0)
/* The options that do not depend on the exchange's own callbacks. *headers is the caller's (curl_slist_free_all). */
int mlr_http_setup(const mlr_http *h, CURL *easy, const mlr_request *r, const mlr_url *url, const char *proxy, struct curl_slist **headers,
                   mlreg_error **err);

/* ---- http_socket.c ---- */
/* What an opening socket has to know; also tells why it was refused. */
typedef struct mlr_http_gate {
    mlr_http *http;
    mlr_http_line *line;
    bool      foreign;               /* see mlr_request */
    bool      loopback_name;         /* the URL's host means this machine, whatever a resolver says */
    unsigned  proxy_port;            /* of the user's proxy, if that is on this machine; 0: it is not */
    bool      refused;
    char      address[64];           /* that was refused */
} mlr_http_gate;
curl_socket_t mlr_http_open_socket(void *gate, curlsocktype purpose, struct curl_sockaddr *address);
int mlr_http_close_socket(void *line, curl_socket_t s);
/* The same question of the address that a proxy would be asked for, if the URL names one. */
bool mlr_http_is_forbidden(mlr_http_gate *g, const char *host);
int mlr_http_unsent(const mlr_http_line *l);   /* bytes that the peer has not acknowledged yet; -1: unknown */

/* ---- http_proxy.c ---- */
/* What the environment names for `url`, "proxy.example:3128", without scheme and credentials (mlr_free); NULL: nothing. Whether
 * libcurl takes it is also for no_proxy to say. */
int  mlr_http_proxy_name(const mlr_url *url, char **out, mlreg_error **err);
unsigned mlr_http_proxy_port_here(const char *proxy);   /* of a proxy on this machine; 0: it is elsewhere, or NULL */
/* Whether `easy`, which failed with `text`, went by way of it. */
bool mlr_http_is_proxied(CURL *easy, const char *proxy, const char *text);

/* ---- http_error.c ---- */
/* `text` is libcurl's error buffer; `host`, and a proxy that was asked for it (or NULL), go into the message. */
int mlr_http_error(const mlr_http *h, CURL *easy, CURLcode code, const char *text, const char *host, const char *proxy, mlreg_error **err);

/* ---- the exchange ---- */
/* What happens to the bytes of the answer: they wait, go to the caller, are kept until he asks, or are dropped. */
typedef enum mlr_http_mode { MLR_HTTP_HOLD, MLR_HTTP_DELIVER, MLR_HTTP_SETTLE, MLR_HTTP_DISCARD } mlr_http_mode;

struct mlr_exchange {
    mlr_http *http;
    mlr_http_line *line;                    /* NULL once the exchange is over and the connection went to others */
    CURL *easy;
    struct curl_slist *sent_headers;
    mlr_http_gate gate;
    char *host;
    char *proxy;                            /* that the environment names for it, or NULL */
    mlr_headers headers;
    int  status;                            /* of the last head, interim ones included */
    bool head_done, is_connected;

    const unsigned char *body;              /* what is sent: this, … */
    mlr_reader *source;                     /* … or this from source_offset on; both NULL once the answer is here */
    uint64_t source_offset, total_bytes, sent_bytes;
    uint64_t stored_bytes;
    bool repeatable, commit;

    mlr_http_mode mode;
    unsigned char *into;                    /* to deliver: where to, and how much room is left there */
    size_t room;
    mlr_buf spill;                          /* what came when there was no room; read from spill_at on */
    size_t spill_at;
    bool paused, cut;                       /* cut: bytes were lost, by settling or discarding */

    bool over;                              /* libcurl is done with it, as `result` says */
    CURLcode result;
    int  failed;                            /* what reading fails with from now on; 0: nothing */
    mlr_op *op;                             /* of the call that is running, for callbacks */
    mlreg_error *cause;                     /* why a callback stopped the transfer, with its code: */
    int  cause_rc;

    curl_off_t sent_seen, received_seen;    /* what was counted and paced */
    int  unsent_seen;
    uint64_t quiet_since_ms, settle_until_ms;
    char text[CURL_ERROR_SIZE];             /* libcurl's words for `result` */
};

/* ---- http_callbacks.c ---- */
#define MLR_HTTP_SETTLE_BYTES (64u << 10)
int  mlr_http_set_callbacks(mlr_exchange *x, bool fresh, mlreg_error **err);
/* The answer says no, and nothing more of the body is sent. */
bool mlr_http_is_refused(const mlr_exchange *x);
int  mlr_http_no_answer(const mlr_exchange *x, mlreg_error **err);

/* ---- http_drive.c ---- */
/* Lets libcurl work until `enough` says so or the transfer is over; a negative code says how it failed. */
int  mlr_http_drive(mlr_exchange *x, bool (*enough)(const mlr_exchange *), mlr_op *op, mlreg_error **err);
int  mlr_http_forbidden(const mlr_exchange *x, mlreg_error **err);   /* EDENIED, after the gate refused */
/* One turn of libcurl's, without waiting. */
int  mlr_http_turn(mlr_exchange *x, mlreg_error **err);
void mlr_http_resume(mlr_exchange *x);      /* after a pause, in the mode that is set now */
/* Lets go of the transfer and, if it is in order, leaves the connection to others. In a forked child libcurl is left
 * alone. */
void mlr_http_release(mlr_exchange *x);
#endif
