/* net/auth_refused.c - after a 401: what to ask for next, and when to stop asking. */
#include "net/auth_parts.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "net/auth_scope.h"
#include "net/auth_token.h"

#define YOUNG_MS        30000           /* a token this young that is refused was wrong from the start, not worn out */
#define TRIES_MAX       3               /* such in a row: a registry may lead from server to server, not for ever */
#define SCOPE_MAX_BYTES 4096

static int read_challenge(mlr_auth *a, const mlr_challenge *c, mlr_auth_known *k, mlreg_error **err)
{
    mlr_url realm = {0};
    int     rc;

    k->is_basic = strcasecmp(c->scheme, "Basic") == 0;
    if (k->is_basic)
        return 0;
    if (c->scope != NULL && strlen(c->scope) > SCOPE_MAX_BYTES)
        return mlr_error_set(err, MLREG_EPROTO, "%s asks for a scope of more than %d bytes", a->host, SCOPE_MAX_BYTES);
    if ((rc = mlr_token_realm(&a->registry, a->host, c->realm, &realm, err)) < 0)
        return rc;
    k->realm = mlr_url_text(&realm);
    k->service = mlr_strdup(c->service != NULL ? c->service : "");
    mlr_url_done(&realm);
    return k->realm != NULL && k->service != NULL ? 0 : mlr_error_nomem(err);
}

/* Takes `k` over as what the next requests will meet. */
static void remember(mlr_auth *a, mlr_auth_known *k)
{
    mlr_free(a->realm);
    mlr_free(a->service);
    a->knows_challenge = true;
    a->is_basic = k->is_basic;
    a->realm = k->realm;
    a->service = k->service;
    *k = (mlr_auth_known){0};
}

static bool is_from(const mlr_auth_entry *e, const mlr_auth_known *k)
{
    if (e->realm == NULL)
        return true;                                   /* credentials that are sent as they are */
    return !k->is_basic && strcmp(e->realm, k->realm) == 0 && strcmp(e->service, k->service) == 0;
}

/* With the turn free and the mutex: 1 if another thread got something new meanwhile; 0 with what is to be asked for;
 * EAUTH if asking would go on for ever. */
static int decide(mlr_auth *a, const mlr_auth_known *k, const char *stated, const char *sent, mlr_auth_goal *g,
    char **asked, mlreg_error **err)
{
    mlr_auth_entry *e = mlr_auth_cache_find(&a->cache, g->scope);
    bool            is_sent = e != NULL && strcmp(e->header, sent) == 0;
    bool            is_same = e != NULL && is_from(e, k) && mlr_scope_has(e->asked, stated);
    int             rc;

    if (e != NULL && !is_sent && e->header[0] != '\0' && is_same && mlr_clock_ms() < e->renew_ms)
        return 1;
    if (is_sent && sent[0] != '\0' && mlr_clock_ms() - e->got_ms < YOUNG_MS) {
        if (e->tries >= TRIES_MAX)
            return mlr_auth_refuse(a, g->scope, err);
        g->is_spent = is_same && e->realm != NULL && (e->uses <= 1 || e->tries > 0);
        g->tries = e->tries + 1;
        if (g->is_spent && e->tries == 0)
            e->tries = 1;                              /* spent it stays, however often it is handed out */
    }
    rc = mlr_scope_union(e != NULL ? e->asked : g->scope, stated, asked, err);
    if (rc == 0 && strlen(*asked) > SCOPE_MAX_BYTES) { /* grown over time: begin anew */
        mlr_free(*asked);
        *asked = NULL;
        rc = mlr_scope_union(g->scope, stated, asked, err);
    }
    g->asked = *asked;
    return rc;
}

/* With the mutex, which is not held meanwhile. */
static int take_turn_and_answer(mlr_auth *a, mlr_auth_known *k, const char *stated, const char *sent, const char *set,
    mlr_op *op, mlreg_error **err)
{
    mlr_auth_goal  g = {.scope = set, .is_basic = k->is_basic};
    mlr_auth_known own = {0};
    char          *asked = NULL;
    int            rc = mlr_auth_wait_turn(a, op, err);

    if (rc == 0)
        rc = decide(a, k, k->is_basic ? NULL : stated, sent, &g, &asked, err);
    if (rc != 0)
        goto out;
    remember(a, k);
    if ((rc = mlr_auth_known_copy(a, &own, err)) < 0)
        goto out;
    g.realm = own.realm;
    g.service = own.service;
    a->is_busy = true;
    pthread_mutex_unlock(&a->mutex);
    rc = mlr_auth_answer(a, &g, sent, op, err);
    pthread_mutex_lock(&a->mutex);
    mlr_auth_give_turn(a);
out:
    mlr_auth_known_done(&own);
    mlr_free(asked);
    return rc < 0 ? rc : 1;
}

int mlr_auth_challenged(mlr_auth *a, mlr_exchange *x, const char *sent, const char *scope, mlr_op *op,
    mlreg_error **err)
{
    mlr_challenge  c = {0};
    mlr_auth_known k = {0};
    char          *set = NULL;
    int            rc;

    mlr_exchange_settle(x, op);                        /* its connection may be the only one there is */
    if ((rc = mlr_scope_union(scope, NULL, &set, err)) == 0 && (rc = mlr_auth_choose(a, x, op, &c, err)) == 0 &&
        (rc = read_challenge(a, &c, &k, err)) == 0) {
        pthread_mutex_lock(&a->mutex);
        rc = take_turn_and_answer(a, &k, c.scope, sent, set, op, err);
        pthread_mutex_unlock(&a->mutex);
    }
    mlr_auth_known_done(&k);
    mlr_challenge_done(&c);
    mlr_free(set);
    return rc == MLREG_EAUTH ? mlr_auth_add_hint(a, rc, err) : rc;
}
