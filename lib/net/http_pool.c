/* net/http_pool.c - settings that exchanges share, and the connections that are kept between them. */
#include "net/http_parts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"

#define IDLE_MAX          16
#define BUSY_MAX          100        /* while many requests come and go, each of them a moment idle … */
#define BUSY_MS           2000       /* … at most that long */
#define IDLE_MAX_MS       90000      /* servers close theirs after a minute or so */
#define CONNECT_MS        10000
#define STALL_MS          30000
#define COMMIT_MS         300000

/* Safe beside a host that uses libcurl itself: its calls are counted. Never undone, for other threads of the host may
 * stand inside libcurl when we go. */
static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
    return value > 0 ? value : otherwise;
}

static int copy_text(const char *from, char **to, mlreg_error **err)
{
    if (from == NULL || *from == '\0' || (*to = mlr_strdup(from)) != NULL)
        return 0;
    return mlr_error_nomem(err);
}

static const char *ca_file_of_environment(void)
{
    const char *file = getenv("SSL_CERT_FILE");

    return file != NULL && *file != '\0' ? file : getenv("CURL_CA_BUNDLE");
}

static int copy_options(mlr_http *h, const mlr_http_options *o, mlreg_error **err)
{
    int rc;

    h->connect_timeout_ms = or_default(o->connect_timeout_ms, CONNECT_MS);
    h->stall_timeout_ms = or_default(o->stall_timeout_ms, STALL_MS);
    h->commit_timeout_ms = or_default(o->commit_timeout_ms, COMMIT_MS);
    h->ca_alone = o->ca_file != NULL && *o->ca_file != '\0';
    if ((rc = copy_text(h->ca_alone ? o->ca_file : ca_file_of_environment(), &h->ca_file, err)) < 0 ||
        (rc = copy_text(o->client_cert_file, &h->client_cert_file, err)) < 0)
        return rc;
    return copy_text(o->client_key_file, &h->client_key_file, err);
}

int mlr_http_new(mlr_runtime *rt, const mlr_http_options *o, mlr_http **out, mlreg_error **err)
{
    static pthread_once_t         once = PTHREAD_ONCE_INIT;
    static const mlr_http_options defaults;
    mlr_http                     *h = mlr_alloc(sizeof *h);
    int                           rc;

    if (h == NULL)
        return mlr_error_nomem(err);
    pthread_once(&once, init_curl);
    h->rt = mlr_runtime_ref(rt);
    h->owner = getpid();
    pthread_mutex_init(&h->lock, NULL);
    if ((rc = copy_options(h, o != NULL ? o : &defaults, err)) < 0) {
        mlr_http_free(h);
        return rc;
    }
    *out = h;
    return 0;
}

bool mlr_http_is_mine(const mlr_http *h)
{
    return h->owner == getpid();
}

static void line_free(mlr_http_line *l)
{
    if (l == NULL)
        return;
    curl_multi_cleanup(l->multi);
    mlr_free(l->origin);
    mlr_free(l);
}

static void lines_free(mlr_http_line *l)
{
    while (l != NULL) {
        mlr_http_line *next = l->next;

        line_free(l);
        l = next;
    }
}

void mlr_http_free(mlr_http *h)
{
    if (h == NULL)
        return;
    /* In a child, saying goodbye would end the parent's TLS sessions, and libcurl would wait for threads that are not
     * here. Its handles are left alone. */
    if (mlr_http_is_mine(h))
        lines_free(h->idle);
    pthread_mutex_destroy(&h->lock);
    mlr_runtime_unref(h->rt);
    mlr_free(h->ca_file);
    mlr_free(h->client_cert_file);
    mlr_free(h->client_key_file);
    mlr_free(h);
}

/* ---- lines ---- */

static int line_new(const char *origin, mlr_http_line **out, mlreg_error **err)
{
    mlr_http_line *l = mlr_alloc(sizeof *l);

    if (l == NULL)
        return mlr_error_nomem(err);
    l->socket = CURL_SOCKET_BAD;
    l->multi = curl_multi_init();
    l->origin = mlr_strdup(origin);
    if (l->multi == NULL || l->origin == NULL || curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, 1L) != CURLM_OK) {
        line_free(l);
        return mlr_error_nomem(err);
    }
    *out = l;
    return 0;
}

static mlr_http_line *idle_take(mlr_http *h, const char *origin)
{
    mlr_http_line **at, *found;

    pthread_mutex_lock(&h->lock);
    for (at = &h->idle; *at != NULL && strcmp((*at)->origin, origin) != 0; at = &(*at)->next)
        ;
    if ((found = *at) != NULL)
        *at = found->next;
    pthread_mutex_unlock(&h->lock);
    return found;
}

int mlr_http_line_take(mlr_http *h, const char *origin, mlr_op *op, mlr_http_line **out, mlreg_error **err)
{
    int rc;

    if ((rc = mlr_runtime_connection_take(h->rt, op, err)) < 0)
        return rc;
    if ((*out = idle_take(h, origin)) == NULL)
        rc = line_new(origin, out, err);
    if (rc < 0)
        mlr_runtime_connection_give(h->rt, pthread_self());
    else
        (*out)->taker = pthread_self();
    return rc;
}

/* Puts `l` in front and cuts off what is too much or too old behind it: closed by the caller, not under the lock. */
static mlr_http_line *idle_give(mlr_http *h, mlr_http_line *l)
{
    mlr_http_line **at, *rest;
    size_t          n = 0;

    pthread_mutex_lock(&h->lock);
    l->idle_since_ms = mlr_clock_ms();          /* under the lock: none in the list is younger */
    l->next = h->idle;
    h->idle = l;
    for (at = &h->idle; *at != NULL && n < BUSY_MAX; at = &(*at)->next, n++)
        if (l->idle_since_ms - (*at)->idle_since_ms > (n < IDLE_MAX ? IDLE_MAX_MS : BUSY_MS))
            break;
    rest = *at;
    *at = NULL;
    pthread_mutex_unlock(&h->lock);
    return rest;
}

void mlr_http_line_give(mlr_http *h, mlr_http_line *l, bool keep)
{
    pthread_t taker = l->taker;

    if (keep)
        lines_free(idle_give(h, l));
    else
        line_free(l);
    mlr_runtime_connection_give(h->rt, taker);
}
