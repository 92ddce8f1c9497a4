/* net/auth_answer.c - from a challenge to an Authorization value: credentials, and what they buy. */
#include "net/auth_parts.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "net/auth_scope.h"
#include "net/auth_token.h"

#define KEPT_MAX         64             /* credentials of so many repositories or scopes are remembered */
#define HEADER_MAX_BYTES (192u << 10)
#define NEVER            UINT64_MAX

/* ---- credentials, kept because helpers are slow and callbacks may ask a person ---- */

static void kept_done(mlr_auth_kept *k)
{
    mlr_creds_done(&k->creds);
    mlr_free(k->key);
    *k = (mlr_auth_kept){0};
}

static void forget(mlr_auth *a)
{
    for (size_t i = 0; i < a->n_kept; i++)
        kept_done(&a->kept[i]);
    a->n_kept = 0;
}

/* Files answer for a repository, and mostly for the whole host; the caller's callback is asked for each scope. */
static mlr_auth_kept *kept_find(mlr_auth *a, const char *key)
{
    for (size_t i = 0; i < a->n_kept; i++)
        if (a->kept[i].creds.whole_host || strcmp(a->kept[i].key, key) == 0)
            return &a->kept[i];
    return NULL;
}

static int note_looked(mlr_auth *a, const mlr_creds *c, mlreg_error **err)
{
    char *looked = mlr_strdup(c->looked);

    if (looked == NULL)
        return mlr_error_nomem(err);
    pthread_mutex_lock(&a->mutex);
    mlr_free(a->looked);
    a->looked = looked;
    a->has_found = c->kind != MLR_CREDS_NONE;
    pthread_mutex_unlock(&a->mutex);
    return 0;
}

/* Takes `c` and `key`, on success only. */
static int keep(mlr_auth *a, char *key, mlr_creds *c, mlr_auth_kept **out, mlreg_error **err)
{
    int rc = note_looked(a, c, err);

    if (rc < 0)
        return rc;
    if (a->n_kept == KEPT_MAX) {
        kept_done(&a->kept[0]);
        a->kept[0] = a->kept[--a->n_kept];
    }
    if (mlr_grow(&a->kept, &a->cap_kept, a->n_kept, sizeof *a->kept) < 0)
        return mlr_error_nomem(err);
    *out = &a->kept[a->n_kept++];
    **out = (mlr_auth_kept){key, *c};
    return 0;
}

/* The credentials for a scope; *is_new: just looked up. */
static int credentials(mlr_auth *a, const char *scope, mlr_op *op, mlr_auth_kept **out, bool *is_new, mlreg_error **err)
{
    mlr_creds found = {0};
    char     *repo = NULL, *key = NULL;
    int       rc = mlr_scope_repository(scope, &repo, err);

    if (rc == 0 && (key = mlr_strdup(a->fn != NULL ? scope : repo)) == NULL)
        rc = mlr_error_nomem(err);
    if (rc < 0)
        goto out;
    *is_new = (*out = kept_find(a, key)) == NULL;
    if (!*is_new)
        goto out;
    if ((rc = mlr_creds_find(a->host, repo, scope, a->fn, a->user, op, &found, err)) < 0 ||
        (rc = keep(a, key, &found, out, err)) < 0)
        goto out;
    key = NULL;                                        /* moved, as is `found` */
    found = (mlr_creds){0};
out:
    mlr_creds_done(&found);
    mlr_free(key);
    mlr_free(repo);
    return rc;
}

/* ---- what they buy ---- */

static int header_of(const char *scheme, const char *value, char **out, mlreg_error **err)
{
    *out = mlr_asprintf("%s %s", scheme, value);       /* exactly so: some servers compare the scheme's letters */
    return *out != NULL ? 0 : mlr_error_nomem(err);
}

static int basic_header(const mlr_creds *c, char **out, mlreg_error **err)
{
    mlr_buf pair = MLR_BUF_INIT(HEADER_MAX_BYTES);
    int     rc = mlr_creds_encode(c->name, c->secret, &pair, err);

    if (rc == 0)
        rc = header_of("Basic", pair.data, out, err);
    mlr_buf_wipe(&pair);
    return rc;
}

static int token_header(mlr_auth *a, const mlr_auth_goal *g, mlr_creds *c, mlr_op *op, mlr_auth_entry *e,
    mlreg_error **err)
{
    mlr_token_ask ask = {a->http, &a->registry, a->host, NULL, g->service, g->asked, c};
    mlr_token     token = {0};
    mlr_url       realm = {0};
    int           rc;

    if ((rc = mlr_url_parse(g->realm, &realm, err)) < 0)
        return rc;
    ask.realm = &realm;
    if ((rc = mlr_token_fetch(&ask, op, &token, err)) == 0)
        rc = header_of("Bearer", token.value, &e->header, err);
    e->got_ms = mlr_clock_ms();
    e->renew_ms = e->got_ms + token.life_ms / 10 * 8;  /* at 80 %, so that no request meets its end */
    if (rc == 0 && token.refresh != NULL && c->kind == MLR_CREDS_IDENTITY)
        rc = mlr_creds_set(c, MLR_CREDS_IDENTITY, NULL, token.refresh, err);
    mlr_token_done(&token);
    mlr_url_done(&realm);
    return rc;
}

static int check_secrecy(const mlr_auth *a, const mlr_creds *c, mlreg_error **err)
{
    int rc;

    if (c->kind == MLR_CREDS_NONE || strcmp(a->registry.scheme, "https") == 0 || mlr_url_is_loopback(&a->registry))
        return 0;
    rc = mlr_error_set(err, MLREG_EDENIED, "credentials are not sent over plain http to %s", a->host);
    return mlr_error_hint(err, rc, "have %s served over https, or log out of it: its credentials are in %s", a->host,
        c->looked);
}

static int login_needed(const mlr_auth *a, const mlr_creds *c, mlreg_error **err)
{
    int rc;

    if (c->kind == MLR_CREDS_IDENTITY)
        rc = mlr_error_set(err, MLREG_EAUTH, "%s asks for name and password, not for what is in %s", a->host,
            c->looked);
    else
        rc = mlr_error_set(err, MLREG_EAUTH, "%s asks for a login", a->host);
    return mlr_error_http(err, rc, 401, NULL);
}

/* Fills e->header and its times. */
static int buy(mlr_auth *a, const mlr_auth_goal *g, mlr_creds *c, mlr_op *op, mlr_auth_entry *e, mlreg_error **err)
{
    int rc = check_secrecy(a, c, err);

    if (rc < 0)
        return rc;
    e->got_ms = mlr_clock_ms();
    e->renew_ms = NEVER;
    if (c->kind == MLR_CREDS_BEARER)
        return header_of("Bearer", c->secret, &e->header, err);
    if (!g->is_basic)
        return token_header(a, g, c, op, e, err);
    return c->kind == MLR_CREDS_BASIC ? basic_header(c, &e->header, err) : login_needed(a, c, err);
}

int mlr_auth_refuse(const mlr_auth *a, const char *scope, mlreg_error **err)
{
    const char *joint = scope[0] != '\0' ? " for " : "";
    int         rc = mlr_error_set(err, MLREG_EAUTH, "%s refused a fresh token%s%s", a->host, joint, scope);

    return mlr_error_http(err, rc, 401, NULL);
}

/* EAUTH also where the outcome is the very value that was just refused. */
static int buy_other(mlr_auth *a, const mlr_auth_goal *g, mlr_creds *c, const char *refused, mlr_op *op,
    mlr_auth_entry *e, mlreg_error **err)
{
    int rc = buy(a, g, c, op, e, err);

    if (rc == 0 && strcmp(e->header, refused) == 0)
        rc = mlr_error_http(err, mlr_error_set(err, MLREG_EAUTH, "%s refused the login", a->host), 401, NULL);
    if (rc < 0)
        mlr_auth_entry_done(e);
    return rc;
}

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool is_same(const mlr_creds *a, const mlr_creds *b)
{
    return a->kind == b->kind && is_same_text(a->name, b->name) && is_same_text(a->secret, b->secret);
}

/* Passwords are changed, and some live for hours only: looks them up again. 1 with others, and what the old ones
 * bought is gone; 0 if they are the same. */
static int look_again(mlr_auth *a, const char *scope, mlr_op *op, mlr_auth_kept **k, mlreg_error **err)
{
    mlr_creds old = (*k)->creds;
    bool      is_new;
    int       rc;

    (*k)->creds = (mlr_creds){0};                      /* moved */
    forget(a);
    if ((rc = credentials(a, scope, op, k, &is_new, err)) == 0)
        rc = !is_same(&(*k)->creds, &old);
    if (rc > 0) {
        pthread_mutex_lock(&a->mutex);
        mlr_auth_cache_clear(&a->cache);
        pthread_mutex_unlock(&a->mutex);
    }
    mlr_creds_done(&old);
    return rc;
}

static int copy_goal(const mlr_auth_goal *g, mlr_auth_entry *e, mlreg_error **err)
{
    bool is_token = !g->is_basic && e->renew_ms != NEVER;

    e->scope = mlr_strdup(g->scope);
    e->asked = mlr_strdup(g->asked);
    e->realm = is_token ? mlr_strdup(g->realm) : NULL;
    e->service = is_token ? mlr_strdup(g->service) : NULL;
    e->tries = g->tries;
    if (e->scope == NULL || e->asked == NULL || (is_token && (e->realm == NULL || e->service == NULL)))
        return mlr_error_nomem(err);
    return 0;
}

static int install(mlr_auth *a, mlr_auth_entry *e, mlreg_error **err)
{
    int rc;

    pthread_mutex_lock(&a->mutex);
    rc = mlr_auth_cache_put(&a->cache, e, err);
    pthread_mutex_unlock(&a->mutex);
    return rc;
}

int mlr_auth_answer(mlr_auth *a, const mlr_auth_goal *goal, const char *refused, mlr_op *op, mlreg_error **err)
{
    mlr_auth_entry e = {0};
    mlr_auth_kept *k = NULL;
    mlreg_error   *first = NULL;
    bool           is_new = false;
    int            rc, others = 0;

    if ((rc = credentials(a, goal->scope, op, &k, &is_new, err)) < 0)
        goto out;
    if (goal->is_spent && !is_new)
        rc = mlr_auth_refuse(a, goal->scope, &first);
    else
        rc = buy_other(a, goal, &k->creds, refused, op, &e, &first);
    if (rc == MLREG_EAUTH && !is_new && (others = look_again(a, goal->scope, op, &k, err)) > 0) {
        mlr_error_move(NULL, &first);
        rc = buy_other(a, goal, &k->creds, refused, op, &e, &first);
    }
    mlr_error_move(err, &first);                       /* unless looking again failed, and said why */
    rc = others < 0 ? others : rc;
    if (rc == 0 && (rc = copy_goal(goal, &e, err)) == 0)
        rc = install(a, &e, err);
out:
    mlr_auth_entry_done(&e);
    return rc == MLREG_EAUTH ? mlr_auth_add_hint(a, rc, err) : rc;
}

void mlr_auth_kept_done(mlr_auth *a)
{
    forget(a);
    mlr_free(a->kept);
}
