/* serve.h - what the files of the server share. It is built on the public header and libmicrohttpd. */
#ifndef SERVE_H
#define SERVE_H
#include <microhttpd.h>
#include <mlreg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "options.h"

#define MANIFEST_MAX_BYTES (4u << 20)
#define NAME_MAX_BYTES     255          /* of a repository, as distribution-spec 1.1 has it */
#define REF_MAX_BYTES      160          /* a tag has 128, a digest 71 */

typedef struct access access_rules;     /* who may do what */
typedef struct holds holds;             /* blobs that a push may still name */
typedef struct upstream upstream;       /* where what is missing comes from */
typedef struct metrics {
    atomic_ullong requests[6];          /* by the first digit of the status; 0: none was sent */
    atomic_ullong bytes_in, bytes_out;
    atomic_llong connections, running;
} metrics;

typedef struct server {
    const serve_options *options;
    mlreg_session *store;
    upstream *upstream;                 /* NULL: there is none */
    access_rules *access;
    holds *holds;
    struct rates *rates;
    metrics metrics;
    atomic_llong unlooked_bytes;        /* that bodies may bring before the disk is looked at again */
    atomic_bool stopping;
} server;

/* ---- text.c: bytes that grow ---- */
typedef struct text { char *data; size_t len, cap; bool failed; } text;   /* failed: out of memory; the rest is ignored */
void text_add(text *t, const void *data, size_t len);
void text_put(text *t, const char *s);
void text_printf(text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_json(text *t, const char *s);   /* quoted; NULL: null */
void text_line(text *t, const char *s);   /* '?' for what a terminal obeys */
void text_html(text *t, const char *s);   /* escaped */
void text_done(text *t);

/* ---- requests ---- */
enum { MAY_NOTHING = 0, MAY_READ, MAY_WRITE };
typedef struct request request;
typedef struct route {
    const char *method, *tail;          /* what stands behind the repository; '*' is a tag, digest or id */
    int needs;                          /* MAY_* */
    void (*begin)(request *r);          /* before the body; NULL: nothing to do */
    void (*body)(request *r, const char *data, size_t len);   /* NULL: it is dropped */
    void (*end)(request *r);            /* answers, unless it has been */
} route;
struct request {
    server *s;
    struct MHD_Connection *c;
    const route *route;                 /* NULL: there is none */
    const char *method;
    char *url;                          /* decoded */
    char repo[NAME_MAX_BYTES + 1], ref[REF_MAX_BYTES + 1];
    char user[64];                      /* "-": nobody in particular */
    mlreg_upload *upload;
    text body;
    text why;                           /* what is not here could not be brought from upstream, for this */
    uint64_t bytes_in, bytes_out, begun_ms;
    uint64_t unwanted;                  /* of bytes_in, those that came after the refusal */
    unsigned status;                    /* of the answer; 0: there is none yet */
    bool answered;                      /* it was queued */
    struct MHD_Response *early;         /* an answer that waits for the end of the body */
};
const char *request_header(const request *r, const char *name);
const char *request_argument(const request *r, const char *name);
/* What the daemon calls. */
enum MHD_Result request_handle(void *user, struct MHD_Connection *c, const char *url, const char *method, const char *version,
        const char *data, size_t *len, void **state);
void request_completed(void *user, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode how);
void connection_notice(void *user, struct MHD_Connection *c, void **state, enum MHD_ConnectionNotificationCode what);
/* "repo:tag" or "repo@sha256:…", as the library takes it. */
typedef struct full_name { char text[NAME_MAX_BYTES + 2 * REF_MAX_BYTES]; } full_name;
full_name name_of(const char *repo, const char *ref);
bool is_digest(const char *ref);
bool request_is(const request *r, const char *method);

/* ---- answer.c ---- */
typedef struct header { const char *name, *value; } header;   /* lists end with a NULL name */
void answer(request *r, unsigned status, struct MHD_Response *response, const header *headers);   /* takes the response */
void answer_empty(request *r, unsigned status, const header *headers);
void answer_text(request *r, unsigned status, const char *type, text *t, const header *headers);  /* takes the text's bytes */
void answer_error(request *r, unsigned status, const char *code, const char *message, const header *headers);
void answer_failure(request *r, mlreg_error *err, const char *unknown);   /* frees it; `unknown` is the registry's code for ENOTFOUND */
bool answer_unchanged(request *r, const char *digest);        /* 304 was sent: the client has it */

/* ---- what the routes do ---- */
void ping_end(request *r);
void blob_end(request *r);
void blob_delete_end(request *r);
void upload_begin(request *r);
void upload_go_on(request *r);
void upload_body(request *r, const char *data, size_t len);
void upload_post_end(request *r);
void upload_patch_end(request *r);
void upload_put_end(request *r);
void upload_status_end(request *r);
void upload_cancel_end(request *r);
void upload_drop(request *r);           /* the connection broke: what came is kept, if the client knows where */
void manifest_body(request *r, const char *data, size_t len);
void manifest_end(request *r);
void manifest_answer(request *r, const mlreg_artifact *a);
bool manifest_is_here(const server *s, const full_name *name, const char *digest);    /* in the store; with a digest: at that one */
/* What a tag names stays known by its digest when the tag goes elsewhere: whoever is pulling it goes on. Gives that digest, "" for none. */
int  manifest_keep_old(server *s, const char *repo, const full_name *tag, char old[REF_MAX_BYTES], mlreg_error **err);
void manifest_put_end(request *r);
void manifest_delete_end(request *r);
void tags_end(request *r);
void catalog_end(request *r);
void referrers_end(request *r);
void health_end(request *r);
void metrics_end(request *r);
void page_end(request *r);

/* ---- listen.c ---- */
struct addrinfo *address_find(const char *listen);            /* "127.0.0.1:5000", "[::1]:5000", "localhost:0"; freeaddrinfo; NULL: none */
bool address_is_loopback(const struct sockaddr *a);
struct MHD_Daemon *listen_on(server *s, const struct addrinfo *at, char *cert, char *key);   /* cert NULL: no TLS */

/* ---- the rest ---- */
const route *route_find(request *r);    /* fills in repo and ref; answers 404 or 405 itself, and gives NULL */
int  access_open(const serve_options *o, access_rules **out);   /* 0; -1, said on stderr */
void access_close(access_rules *a);
bool access_check(request *r);          /* else it has answered */
bool access_may(const request *r, const char *repo, int needs);
bool limits_check(request *r);          /* size, rate and disk; else it has answered */
bool limits_room(request *r, size_t more);   /* for the next bytes of a body; else it has answered */
struct rates *rates_new(void);
void rates_free(struct rates *rates);
holds *holds_new(void);
void holds_free(holds *h);
void holds_add(server *s, const char *repo, const char *digest);   /* the store holds it for us: released after a while */
int  upstream_open(server *s, mlreg_error **err);
void upstream_stop(upstream *u);        /* what is on its way is cancelled; the next server goes on with it */
void upstream_free(upstream *u);
/* What the store lacks, or what may have moved, is begun to be brought. True: it is on its way, and its manifest was answered; else what
 * the store has counts, and where that is nothing r->why, if it says anything. */
bool upstream_answers_manifest(request *r);
/* Of a blob that was not in the store: waits, if it is on its way. True: look again; then *seen, which begins at 0, is to be given back. */
bool upstream_brings_blob(request *r, uint64_t *seen);
uint64_t now_ms(void);
void log_line(const server *s, const char *level, const char *format, ...) __attribute__((format(printf, 3, 4)));
void log_request(const request *r);
#endif
