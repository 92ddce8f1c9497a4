/* place/registry_ask.h - one request about a repository: its path, its scope, and what may be wrong with the answer. */
#ifndef MLR_PLACE_REGISTRY_ASK_H
#define MLR_PLACE_REGISTRY_ASK_H
#include "place/registry.h"

/* What a request may do in its repository, as token servers call it. */
#define MLR_MAY_PULL   "pull"
#define MLR_MAY_PUSH   "pull,push"
#define MLR_MAY_DELETE "pull,push,delete"

typedef struct mlr_ask {             /* holds pointers into itself: it stays where it was made */
    mlr_call call;                   /* `again` and `follow` are set for GET and HEAD */
    mlr_header headers[4];
    char *url, *scope;
    char what[400];                  /* for messages: "manifest v1 of team/x" */
} mlr_ask;

/* "/v2/REPO/KIND[/WORD]". EINVAL for what is no repository of a registry. After a failure too, done is due. */
int  mlr_ask_init(mlr_ask *a, const mlr_registry *g, const char *method, const char *repo, const char *kind,
        const char *word, const char *may, mlreg_error **err);
/* GET of a stranger's address: without credentials. */
int  mlr_ask_address(mlr_ask *a, const char *url, mlreg_error **err);
void mlr_ask_header(mlr_ask *a, const char *name, const char *value);                     /* borrows both */
int  mlr_ask_query(mlr_ask *a, const char *name, const char *value, mlreg_error **err);   /* appends it to the URL */
void mlr_ask_done(mlr_ask *a);

/* Both give the status; the answer itself is in *x, which is the caller's even if it is an unwelcome one. Fetch reads
 * the body of a 200; EPROTO if that came encoded. */
int  mlr_ask_begin(mlr_ask *a, mlr_registry *g, mlr_op *op, mlr_exchange **x, mlreg_error **err);
int  mlr_ask_fetch(mlr_ask *a, mlr_registry *g, mlr_op *op, mlr_buf *body, mlr_exchange **x, mlreg_error **err);

/* What answers say: the error that an unwelcome one stands for, … */
int  mlr_ask_refused(const mlr_ask *a, mlr_registry *g, mlr_exchange *x, mlr_op *op, mlreg_error **err);
bool mlr_ask_written(int status);            /* 200, 201, 202, 204: the servers do not agree on one */
#define MLR_RETRY_AFTER_MAX 64
void mlr_ask_retry_after(const mlr_exchange *x, char out[MLR_RETRY_AFTER_MAX]);           /* "": nothing */
/* EPROTO: where it leads is no URL. Of that only what cannot be a secret is shown. */
int  mlr_ask_leads_nowhere(const char *what, const char *text, mlreg_error **err);
/* EPROTO for bytes that were encoded on their way (gzip): digests are those of the stored ones. */
int  mlr_ask_unencoded(const mlr_exchange *x, const char *what, mlreg_error **err);
#endif
