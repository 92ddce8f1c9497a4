/* net/auth.c - what goes with a request: from the cache, or got ahead by one thread while the others wait for it. */
#include "net/auth_parts.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/work.h"
#include "net/auth_scope.h"

#define HELPLESS_MS 60000   /* so long requests go without credentials where none were accepted, unless a 401 asks */

int mlr_auth_new(mlr_http *h, const mlr_url *registry, const mlr_auth_options *o, mlr_auth **out, mlreg_error **err)
{
    mlr_auth *a = mlr_alloc(sizeof *a);
    int       rc;

    if (a == NULL)
        return mlr_error_nomem(err);
    pthread_mutex_init(&a->mutex, NULL);
    pthread_cond_init(&a->changed, NULL);
    a->http = h;
    a->fn = o->fn;
    a->user = o->user;
    if ((rc = mlr_url_copy(registry, &a->registry, err)) == 0 && (a->host = mlr_strdup(o->host)) == NULL)
        rc = mlr_error_nomem(err);
    if (rc < 0)
        mlr_auth_free(a);
    else
        *out = a;
    return rc;
}

void mlr_auth_free(mlr_auth *a)
{
    if (a == NULL)
        return;
    mlr_auth_cache_clear(&a->cache);
    mlr_auth_kept_done(a);
    mlr_free(a->realm);
    mlr_free(a->service);
    mlr_free(a->looked);
    mlr_free(a->host);
    mlr_url_done(&a->registry);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->mutex);
    mlr_free(a);
}

int mlr_auth_add_hint(mlr_auth *a, int rc, mlreg_error **err)
{
    pthread_mutex_lock(&a->mutex);
    if (a->looked == NULL)
        mlr_error_hint(err, rc, "log in to %s", a->host);
    else if (!a->has_found)
        mlr_error_hint(err, rc, "log in to %s: no credentials found in %s", a->host, a->looked);
    else if (rc == MLREG_EAUTH)
        mlr_error_hint(err, rc, "the credentials from %s were refused: log in to %s again", a->looked, a->host);
    else
        mlr_error_hint(err, rc, "the credentials from %s do not allow this: log in to %s as someone who may", a->looked,
            a->host);
    pthread_mutex_unlock(&a->mutex);
    return rc;
}

int mlr_auth_hint(mlr_auth *a, int rc, mlreg_error **err)
{
    return rc == MLREG_EAUTH || rc == MLREG_EDENIED ? mlr_auth_add_hint(a, rc, err) : rc;
}

/* ---- the turn ---- */

int mlr_auth_wait_turn(mlr_auth *a, mlr_op *op, mlreg_error **err)
{
    int rc = 0;

    while (a->is_busy && rc == 0)
        rc = mlr_work_wait(&a->changed, &a->mutex, op, err);
    return rc;
}

void mlr_auth_give_turn(mlr_auth *a)
{
    a->is_busy = false;
    pthread_cond_broadcast(&a->changed);
}

int mlr_auth_known_copy(const mlr_auth *a, mlr_auth_known *k, mlreg_error **err)
{
    k->is_basic = a->is_basic;
    if (a->is_basic)
        return 0;
    k->realm = mlr_strdup(a->realm);
    k->service = mlr_strdup(a->service);
    return k->realm != NULL && k->service != NULL ? 0 : mlr_error_nomem(err);
}

void mlr_auth_known_done(mlr_auth_known *k)
{
    mlr_free(k->realm);
    mlr_free(k->service);
}

/* ---- before a request ---- */

static mlr_auth_entry *usable(mlr_auth *a, const char *set)
{
    mlr_auth_entry *e = mlr_auth_cache_find(&a->cache, set);

    return e != NULL && mlr_clock_ms() < e->renew_ms ? e : NULL;
}

/* Notes that nothing was accepted for this scope, so that not every request tries again first. */
static int put_helpless(mlr_auth *a, const char *set, mlreg_error **err)
{
    mlr_auth_entry e = {.scope = mlr_strdup(set), .asked = mlr_strdup(set), .header = mlr_strdup(""),
                        .renew_ms = mlr_clock_ms() + HELPLESS_MS};
    int            rc = e.scope != NULL && e.asked != NULL && e.header != NULL ? 0 : mlr_error_nomem(err);

    if (rc == 0)
        rc = mlr_auth_cache_put(&a->cache, &e, err);
    mlr_auth_entry_done(&e);
    return rc;
}

/* Answers the known challenge before it is put. What the other side refuses is no failure here: the request may need
 * no credentials. With the mutex. */
static int answer_ahead(mlr_auth *a, const char *set, mlr_op *op, mlreg_error **err)
{
    const mlr_auth_entry *old = mlr_auth_cache_find(&a->cache, set);
    char                 *asked = mlr_strdup(old != NULL ? old->asked : set);
    mlr_auth_known        k = {0};
    mlreg_error          *e = NULL;
    int                   rc = mlr_auth_known_copy(a, &k, &e);

    a->is_busy = true;
    pthread_mutex_unlock(&a->mutex);
    if (rc == 0 && asked == NULL)
        rc = mlr_error_nomem(&e);
    if (rc == 0)
        rc = mlr_auth_answer(a, &(mlr_auth_goal){.scope = set, .asked = asked, .is_basic = k.is_basic, .realm = k.realm,
                                    .service = k.service}, "", op, &e);
    pthread_mutex_lock(&a->mutex);
    mlr_auth_give_turn(a);
    if (rc == MLREG_EAUTH && e->http_status != 0) {
        mlr_error_move(NULL, &e);
        rc = put_helpless(a, set, &e);
    }
    mlr_error_move(err, &e);
    mlr_auth_known_done(&k);
    mlr_free(asked);
    return rc;
}

int mlr_auth_header(mlr_auth *a, const char *scope, mlr_op *op, char **out, mlreg_error **err)
{
    mlr_auth_entry *e;
    char           *set = NULL, *value = NULL;
    int             rc = mlr_scope_union(scope, NULL, &set, err);

    if (rc < 0)
        return rc;
    pthread_mutex_lock(&a->mutex);
    while (rc == 0 && a->knows_challenge && usable(a, set) == NULL && a->is_busy)
        rc = mlr_auth_wait_turn(a, op, err);
    if (rc == 0 && a->knows_challenge && usable(a, set) == NULL)
        rc = answer_ahead(a, set, op, err);
    if (rc == 0) {
        e = mlr_auth_cache_find(&a->cache, set);
        value = mlr_strdup(e != NULL ? e->header : "");
        if (e != NULL)
            e->uses++;
        if (value == NULL)
            rc = mlr_error_nomem(err);
    }
    pthread_mutex_unlock(&a->mutex);
    if (rc == 0)
        *out = value;
    mlr_free(set);
    return rc;
}
