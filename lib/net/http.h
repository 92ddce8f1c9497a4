/* net/http.h - one HTTP exchange at a time over kept connections; the only room that knows libcurl. */
#ifndef MLR_NET_HTTP_H
#define MLR_NET_HTTP_H
#include <stdbool.h>
#include "base/buf.h"
#include "base/reader.h"
#include "base/runtime.h"

typedef struct mlr_http mlr_http;              /* settings and idle connections; any thread */
typedef struct mlr_http_options {
    uint32_t connect_timeout_ms;               /* 10 000 */
    uint32_t stall_timeout_ms;                 /* 30 000 without one byte either way */
    uint32_t commit_timeout_ms;                /* 300 000 from the last byte sent to the answer, if a request says so */
    const char *ca_file;                       /* PEM; NULL: SSL_CERT_FILE, CURL_CA_BUNDLE, the system's */
    const char *client_cert_file, *client_key_file;   /* PEM; NULL: none */
} mlr_http_options;
int  mlr_http_new(mlr_runtime *rt, const mlr_http_options *o, mlr_http **out, mlreg_error **err);
void mlr_http_free(mlr_http *h);

typedef struct mlr_header { const char *name, *value; } mlr_header;
typedef struct mlr_request {
    const char *method, *url;
    const mlr_header *headers; size_t n_headers;      /* sent as they are; control characters are EINVAL */
    const void *body; size_t body_bytes;              /* a body in memory, or … */
    mlr_reader *source; uint64_t source_offset, source_bytes;   /* … one that is read while it is sent */
    uint64_t stored_bytes;                     /* of what is asked for, which some servers read before they answer: each
                                                * 100 MB may take a second, and all of it 80, besides stall_timeout_ms */
    bool commit;                               /* wait commit_timeout_ms for the answer: the server has much to do */
    bool foreign;                              /* a server named this URL, of another origin than the user did: no client
                                                * certificate goes there; EDENIED if it leads to this machine or its
                                                * link (127.0.0.0/8, 169.254.0.0/16, …), unless what the user named
                                                * is there too, or his proxy is what is there */
} mlr_request;

/* An exchange whose answer's head has arrived. Redirects are not followed, content is not decoded (an unasked
 * Content-Encoding is the caller's to refuse), no cookie is kept, no netrc is read; a proxy is taken from the
 * environment, never for loopback. A request whose kept connection turns out dead is sent again on a fresh one, unless
 * it is a POST or PATCH of which a byte was sent. A server may answer before it has read the body; one that also
 * resets the connection at once may not be heard. One thread at a time. `r` and all in it need not outlive the call.
 * Codes: ENET (with the host, and the proxy if one was asked), ETIMEDOUT, EDENIED (untrusted certificate, forbidden
 * address, a proxy that says 403 or 407),
 * EPROTO (no HTTP; a head of more than 256 headers or 64 KiB), EIO (CA file or client certificate unusable),
 * ECANCELLED, EINVAL, ENOMEM, and what the source fails with. */
typedef struct mlr_exchange mlr_exchange;
int  mlr_http_begin(mlr_http *h, const mlr_request *r, mlr_op *op, mlr_exchange **out, mlreg_error **err);
int  mlr_exchange_status(const mlr_exchange *x);
/* The i-th header of that name, in any case; NULL past the last. */
const char *mlr_exchange_header(const mlr_exchange *x, const char *name, size_t i);
bool mlr_exchange_length(const mlr_exchange *x, uint64_t *out);   /* Content-Length, where there is one */
/* Fills `len` unless the body ends; a body cut short is ENET. */
int64_t mlr_exchange_read(mlr_exchange *x, void *buf, size_t len, mlr_op *op, mlreg_error **err);
/* Takes what is left of a small body (64 KiB, 2 s) into memory and lets the connection go to others, as before another
 * request or a wait; all else stays readable. Of a larger body, what did not fit is lost: reading there is ENET. */
void mlr_exchange_settle(mlr_exchange *x, mlr_op *op);
const void *mlr_exchange_kept(const mlr_exchange *x, size_t *len);   /* after settling: those bytes, until read */
const char *mlr_exchange_host(const mlr_exchange *x);   /* who was asked, for messages: "ghcr.io", "127.0.0.1:5000" */
uint64_t mlr_exchange_sent(const mlr_exchange *x);      /* bytes of the body that libcurl took */
void mlr_exchange_free(mlr_exchange *x);   /* keeps the connection if the body was read to its end; NULL is fine */
#endif
