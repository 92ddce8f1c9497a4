/* net/auth_parts.h - what the files of the room auth share: the state of one registry's authentication. */
#ifndef MLR_NET_AUTH_PARTS_H
#define MLR_NET_AUTH_PARTS_H
#include <pthread.h>
#include "net/auth.h"
#include "net/auth_cache.h"

/* Credentials that were found, for the repository or scope they were found for. */
typedef struct mlr_auth_kept { char *key; mlr_creds creds; } mlr_auth_kept;

struct mlr_auth {
    mlr_http     *http;
    mlr_url       registry;
    char         *host;
    mlreg_auth_fn fn;
    void         *user;

    pthread_mutex_t mutex;             /* guards what follows up to the blank line; never held over I/O or a callback */
    pthread_cond_t  changed;
    bool            is_busy;           /* someone has the turn: one thread at a time looks for credentials and asks for tokens */
    bool            knows_challenge, is_basic;
    char           *realm, *service;   /* the last challenge, with the realm made absolute; NULL where it is Basic */
    mlr_auth_cache  cache;
    char           *looked;            /* of the last credentials, for hints; NULL: none were looked for yet */
    bool            has_found;         /* and whether there were any */

    mlr_auth_kept *kept;               /* only whoever has the turn touches these */
    size_t         n_kept, cap_kept;
};

/* The last challenge, copied for use without the mutex. */
typedef struct mlr_auth_known { bool is_basic; char *realm, *service; } mlr_auth_known;
int  mlr_auth_known_copy(const mlr_auth *a, mlr_auth_known *k, mlreg_error **err);
void mlr_auth_known_done(mlr_auth_known *k);

/* The turn: who has it, a->is_busy, may look for credentials and ask for tokens. With the mutex held on entry and return. */
int  mlr_auth_wait_turn(mlr_auth *a, mlr_op *op, mlreg_error **err);   /* until nobody has it; ECANCELLED */
void mlr_auth_give_turn(mlr_auth *a);

/* What is to be answered: a challenge, for one scope. */
typedef struct mlr_auth_goal {
    const char *scope;                 /* a set */
    const char *asked;                 /* a set that holds it */
    bool        is_basic;
    const char *realm, *service;       /* where it is not Basic */
    unsigned    tries;                 /* as in the entry that is to be made */
    bool        is_spent;              /* what the credentials that are kept can buy was refused already: only others help */
} mlr_auth_goal;

/* The challenge to answer, Bearer before Basic, from the 401 `x` or, where that has none, from GET /v2/. EAUTH: none that is known here. */
int  mlr_auth_choose(mlr_auth *a, mlr_exchange *x, mlr_op *op, mlr_challenge *out, mlreg_error **err);

/* EAUTH: what was just got is refused. */
int  mlr_auth_refuse(const mlr_auth *a, const char *scope, mlreg_error **err);
/* For whoever has the turn: finds credentials and what they buy, and puts it into the cache. `refused`: an Authorization value that the registry has just
 * turned down ("" for none); credentials that only lead there again are looked up anew, once. EAUTH with its hint if nothing better is found. */
int  mlr_auth_answer(mlr_auth *a, const mlr_auth_goal *goal, const char *refused, mlr_op *op, mlreg_error **err);
void mlr_auth_kept_done(mlr_auth *a);
/* The hint by what is known of credentials; for EAUTH and EDENIED. Takes the mutex. */
int  mlr_auth_add_hint(mlr_auth *a, int rc, mlreg_error **err);
#endif
