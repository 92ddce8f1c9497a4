/* place/registry.c - a registry as a place: its location, its table of operations, logging in and out. */
#include "place/registry.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "place/mirrored.h"

#define HUB     "docker.io"
#define HUB_API "registry-1.docker.io"   /* where Docker Hub answers, whatever it is called elsewhere */
#define RETRIES 4                        /* unless the session says otherwise */

/* ---- where it is ---- */

static bool is_hub(const char *host)
{
    return strcmp(host, HUB) == 0 || strcmp(host, "index." HUB) == 0 || strcmp(host, HUB_API) == 0;
}

/* The location as a URL of the API's root. "https://" with MLREG_OPEN_PLAIN_HTTP means http, and then port 80. */
static int parse_location(const char *location, bool plain_http, mlr_url *out, mlreg_error **err)
{
    bool    turned = plain_http && mlr_text_begins(location, "https://");
    char   *text = turned ? mlr_asprintf("http%s", location + strlen("https")) : mlr_strdup(location);
    mlr_url u = {NULL, NULL, 0, NULL};
    int     rc = text != NULL ? mlr_url_parse(text, &u, err) : mlr_error_nomem(err);

    mlr_free(text);
    if (rc < 0)
        return rc;
    if (strcmp(u.target, "/") != 0) {
        rc = mlr_error_set(err, MLREG_EINVAL, "a registry's location ends with its host, '%s' goes on", location);
        mlr_error_hint(err, rc, "the repository is part of the reference, as in 'team/model:v1'");
    } else if (strcmp(u.scheme, "http") == 0 && !plain_http && !mlr_url_is_loopback(&u)) {
        rc = mlr_error_set(err, MLREG_EDENIED, "%s would be plain http, which anyone on the way can read and change",
                           location);
        mlr_error_hint(err, rc, "write https://%s, or allow plain http for this session", u.host);
    }
    if (rc < 0)
        mlr_url_done(&u);
    else
        *out = u;
    return rc;
}

/* "host" or "host:port", as people and config.json write it. NULL: out of memory. */
static char *host_and_port(const char *host, const mlr_url *u)
{
    unsigned usual = strcmp(u->scheme, "https") == 0 ? 443 : 80;
    char    *name = strchr(host, ':') != NULL ? mlr_asprintf("[%s]", host) : mlr_strdup(host), *both;

    if (name == NULL || u->port == usual)
        return name;
    both = mlr_asprintf("%s:%u", name, u->port);
    mlr_free(name);
    return both;
}

/* Two sessions on one origin are on the same place. */
static uint64_t identity_of(const char *base)
{
    mlr_digest d;
    char       hex[17];

    mlr_digest_of(base, strlen(base), &d);
    memcpy(hex, mlr_digest_hex(&d), 16);
    hex[16] = '\0';
    return strtoull(hex, NULL, 16);
}

static int locate(mlr_registry *g, const mlr_url *u, mlreg_error **err)
{
    char *api;

    g->is_hub = is_hub(u->host) && strcmp(u->scheme, "https") == 0;
    g->place.name = host_and_port(g->is_hub ? HUB : u->host, u);
    api = host_and_port(g->is_hub ? HUB_API : u->host, u);
    if (api != NULL)
        g->base = mlr_asprintf("%s://%s", u->scheme, api);
    mlr_free(api);
    if (g->place.name == NULL || g->base == NULL)
        return mlr_error_nomem(err);
    g->place.identity = identity_of(g->base);
    return 0;
}

/* ---- how it is asked ---- */

static int copy_text(const char *from, const char **to, mlreg_error **err)
{
    if (from != NULL && (*to = mlr_strdup(from)) == NULL)
        return mlr_error_nomem(err);
    return 0;
}

static int take_options(mlr_registry *g, const mlreg_session_options *o, mlreg_error **err)
{
    mlr_client_options *to = &g->options;
    int                 rc;

    if (o == NULL)
        return 0;
    g->place.read_only = (o->flags & MLREG_OPEN_READONLY) != 0;
    to->http.connect_timeout_ms = o->connect_timeout_ms;
    to->http.stall_timeout_ms = o->stall_timeout_ms;
    to->max_retries = o->max_retries;
    to->auth = o->auth;
    to->auth_user = o->auth_user;
    to->log = o->log;
    to->log_user = o->log_user;
    if ((rc = copy_text(o->ca_file, &to->http.ca_file, err)) < 0 ||
        (rc = copy_text(o->client_cert_file, &to->http.client_cert_file, err)) < 0)
        return rc;
    return copy_text(o->client_key_file, &to->http.client_key_file, err);
}

mlr_retry mlr_registry_retry(const mlr_registry *g)
{
    uint32_t  n = g->options.max_retries;
    mlr_retry retry = MLR_RETRY_INIT(n == 0 ? RETRIES : n == (uint32_t)MLREG_NONE ? 0 : n);

    retry.began_ms = mlr_clock_ms();
    return retry;
}

char *mlr_registry_repo(const mlr_registry *g, const char *repo)
{
    return g->is_hub && strchr(repo, '/') == NULL ? mlr_asprintf("library/%s", repo) : mlr_strdup(repo);
}

/* ---- logging in and out ---- */

typedef struct given { const char *name, *secret; } given;

/* Answers for the one client that tries them with what the user typed. */
static int give(mlreg_auth *a, const char *host, const char *scope, void *user)
{
    const given *it = user;

    (void)host;
    (void)scope;
    a->creds.kind = MLR_CREDS_BASIC;
    a->creds.name = mlr_strdup(it->name);
    a->creds.secret = mlr_strdup(it->secret);
    a->set = 1;
    return a->creds.name != NULL && a->creds.secret != NULL ? 0 : MLREG_ENOMEM;
}

/* A client of its own, so that no token got with other credentials speaks for these. */
static int try_credentials(mlr_registry *g, const char *name, const char *secret, mlr_op *op, mlreg_error **err)
{
    given              it = {name, secret};
    mlr_client_options o = g->options;
    mlr_client        *client = NULL;
    mlr_exchange      *x = NULL;
    mlr_call           call = {.request = {.method = "GET", .url = "/v2/"}, .scope = "", .again = true};
    int                rc;

    o.auth = give;
    o.auth_user = &it;
    if ((rc = mlr_client_new(g->place.rt, g->base, g->place.name, &o, &client, err)) < 0 ||
        (rc = mlr_client_begin(client, &call, op, &x, err)) < 0)
        goto out;
    if (mlr_exchange_status(x) != 200)
        rc = mlr_client_refused(client, x, "logging in", op, err);
out:
    mlr_exchange_free(x);
    mlr_client_free(client);
    return rc;
}

static int login(mlr_place *p, const char *name, const char *secret, mlr_op *op, char **where, mlreg_error **err)
{
    mlr_registry *g = (mlr_registry *)p;
    int           rc;

    if (secret == NULL)
        return mlr_creds_erase(p->name, op, where, err);
    if ((rc = try_credentials(g, name, secret, op, err)) < 0)
        return rc;
    return mlr_creds_store(p->name, name, secret, op, where, err);
}

/* ---- the place ---- */

static void close_registry(mlr_place *p)
{
    mlr_registry *g = (mlr_registry *)p;

    mlr_mirrored_free(g->mirrored);
    mlr_client_free(g->client);
    mlr_free((char *)g->options.http.ca_file);
    mlr_free((char *)g->options.http.client_cert_file);
    mlr_free((char *)g->options.http.client_key_file);
    mlr_hostfacts_done(&g->facts);
    mlr_free(g->base);
    mlr_free(g);
}

static uint64_t max_blob(const mlr_place *p)
{
    return mlr_hostfacts_max_layer(&((const mlr_registry *)p)->facts);
}

static const char *location(const mlr_place *p)
{
    return ((const mlr_registry *)p)->base;
}

static const mlr_place_ops registry_ops = {
    .location = location,
    .kind = "registry",
    .close = close_registry,
    .resolve = mlr_registry_resolve,
    .tags = mlr_registry_tags,
    .repositories = mlr_registry_repositories,
    .manifest_read = mlr_mirrored_manifest_read,
    .manifest_write = mlr_registry_manifest_write,
    .remove = mlr_registry_remove,
    .referrers = mlr_registry_referrers,
    .blob_has = mlr_registry_blob_has,
    .blob_open = mlr_mirrored_blob_open,
    .blob_later = mlr_mirrored_blob_later,
    .blob_at = mlr_registry_blob_at,
    .blob_wrong = mlr_mirrored_blob_wrong,
    .blob_write = mlr_registry_blob_write,
    .mount = mlr_registry_mount,
    .blob_take = mlr_registry_blob_take,
    .blob_take_ahead = mlr_registry_blob_take_ahead,
    .max_blob = max_blob,
    .login = login,
};

int mlr_registry_alone(const char *location, const mlreg_session_options *o, mlr_runtime *rt, mlr_registry **out,
                       mlreg_error **err)
{
    mlr_registry *g = mlr_alloc(sizeof *g);
    mlr_url       u = {NULL, NULL, 0, NULL};
    int           rc;

    if (g == NULL)
        return mlr_error_nomem(err);
    g->place.ops = &registry_ops;
    g->place.far = true;
    g->place.can = MLREG_CAN_RANGE | MLREG_CAN_REFERRERS | MLREG_CAN_MOUNT | MLREG_CAN_DELETE;
    g->place.rt = mlr_runtime_ref(rt);
    if ((rc = parse_location(location, o != NULL && (o->flags & MLREG_OPEN_PLAIN_HTTP), &u, err)) < 0 ||
        (rc = locate(g, &u, err)) < 0 || (rc = take_options(g, o, err)) < 0 ||
        (rc = mlr_client_new(rt, g->base, g->place.name, &g->options, &g->client, err)) < 0)
        goto out;
    mlr_hostfacts_open(&g->facts, &u, NULL);
    *out = g;
    g = NULL;
out:
    mlr_url_done(&u);
    if (g != NULL)
        mlr_place_close(&g->place);
    return rc;
}

int mlr_registry_open(const char *location, const mlreg_session_options *o, mlr_runtime *rt, mlr_op *op,
                      mlr_place **out,
                      mlreg_error **err)
{
    mlr_registry *g = NULL;
    int           rc = mlr_registry_alone(location, o, rt, &g, err);

    (void)op;                            /* opening does not yet talk to it */
    if (rc < 0)
        return rc;
    if ((rc = mlr_mirrored_new(&g->mirrored, err)) < 0)
        mlr_place_close(&g->place);
    else
        *out = &g->place;
    return rc;
}
