/* net/creds.h - where credentials come from: the caller, docker's config.json and its helpers, containers' auth.json. */
#ifndef MLR_NET_CREDS_H
#define MLR_NET_CREDS_H
#include <mlreg.h>
#include <stdbool.h>
#include "base/buf.h"
#include "base/op.h"

typedef enum mlr_creds_kind { MLR_CREDS_NONE = 0, MLR_CREDS_BASIC, MLR_CREDS_IDENTITY, MLR_CREDS_BEARER } mlr_creds_kind;
typedef struct mlr_creds {
    mlr_creds_kind kind;
    char *name, *secret;       /* BASIC: both. IDENTITY: secret is a refresh token. BEARER: secret is sent as it is */
    char *looked;              /* for a hint. NONE: where was looked, in words: "/root/.docker/config.json (no entry), …"; else the one place where it was found */
    bool whole_host;           /* the answer is the same for every repository of the host */
} mlr_creds;
/* Fills in what `c` says (name NULL but for BASIC), wiping what it said; `looked` stays. EINVAL for control characters and a colon in `name`. */
int  mlr_creds_set(mlr_creds *c, mlr_creds_kind kind, const char *name, const char *secret, mlreg_error **err);
/* Appends the base64 of "name:secret", as Basic and config.json have it; one allocation, so that no copy is left behind. */
int  mlr_creds_encode(const char *name, const char *secret, mlr_buf *out, mlreg_error **err);
void mlr_creds_done(mlr_creds *c);                            /* wipes the secrets */
void mlr_creds_wipe(char *secret);                            /* zeroes, then mlr_free; NULL is fine: for every string that holds a secret */

/* What the public callback fills in. */
struct mlreg_auth { mlr_creds creds; int set; };

/* For `host` ("ghcr.io", "127.0.0.1:5000", docker.io's canonical name is "docker.io") and repository `repo` ("" for none). fn NULL: files only.
 * NONE is an answer, not a failure. Failures: a helper that is missing, fails, hangs over 30 s or answers nonsense; a file that is no JSON or larger than
 * 4 MiB: each an EAUTH or EPROTO that names file or helper, never anonymous. A file that is missing or unreadable by permission is passed over and
 * told in `looked`. No HOME: the files that hang on it are passed over. */
int mlr_creds_find(const char *host, const char *repo, const char *scope, mlreg_auth_fn fn, void *user, mlr_op *op,
        mlr_creds *out, mlreg_error **err);
/* login and logout: into the helper that config.json names for the host, else into its auths, everything else in the file kept byte for byte, its owner too, mode 0600. */
int mlr_creds_store(const char *host, const char *name, const char *secret, mlr_op *op, char **where, mlreg_error **err);
int mlr_creds_erase(const char *host, mlr_op *op, char **where, mlreg_error **err);    /* ENOTFOUND if there was nothing */
#endif
