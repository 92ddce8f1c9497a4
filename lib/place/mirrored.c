/* place/mirrored.c - what a registry keeps about its mirrors: their places, who is away, who gave wrong bytes. */
#include "place/mirrored.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "place/digestmap.h"

#define AWAY_MS 60000                  /* a mirror that does not answer costs its timeout once in so long */

struct member {
    char *url;
    bool plain_http, patient;
    mlr_registry *place;
    uint64_t away_until_ms;            /* 0: it is not */
};
struct mlr_mirrored {
    mlr_mirrors *conf;
    pthread_mutex_t lock;              /* guards the rest */
    struct member *members;
    size_t n, cap;
    mlr_digestmap blobs;               /* a `trace` of each blob that was read */
};

int mlr_mirrored_new(mlr_mirrored **out, mlreg_error **err)
{
    mlr_mirrors  *conf = NULL;
    mlr_mirrored *m;
    int           rc = mlr_mirrors_open(&conf, err);

    if (rc < 0 || conf == NULL)
        return rc;
    if ((m = mlr_alloc(sizeof *m)) == NULL) {
        mlr_mirrors_free(conf);
        return mlr_error_nomem(err);
    }
    m->conf = conf;
    pthread_mutex_init(&m->lock, NULL);
    *out = m;
    return 0;
}

void mlr_mirrored_free(mlr_mirrored *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->n; i++) {
        mlr_place_close(&m->members[i].place->place);
        mlr_free(m->members[i].url);
    }
    mlr_free(m->members);
    mlr_digestmap_done(&m->blobs);
    mlr_mirrors_free(m->conf);
    pthread_mutex_destroy(&m->lock);
    mlr_free(m);
}

/* ---- what the files say ---- */

int mlr_mirrored_allow(const mlr_registry *g, const char *repo, mlreg_error **err)
{
    char *name;
    int   rc;

    if (g->mirrored == NULL)
        return 0;
    if ((name = mlr_registry_repo(g, repo)) == NULL)
        return mlr_error_nomem(err);
    rc = mlr_mirrors_allow(g->mirrored->conf, g->place.name, name, "", err);
    mlr_free(name);
    return rc;
}

int mlr_mirrored_choose(mlr_registry *g, const char *repo, const char *word, mlr_sources *out, mlreg_error **err)
{
    char *name;
    int   rc;

    *out = (mlr_sources){NULL, 0};
    if (g->mirrored == NULL || repo[0] == '\0')
        return 0;
    if ((name = mlr_registry_repo(g, repo)) == NULL)
        return mlr_error_nomem(err);
    rc = mlr_mirrors_choose(g->mirrored->conf, g->place.name, name, word, out, err);
    mlr_free(name);
    return rc;
}

/* ---- places ---- */

static struct member *find(mlr_mirrored *m, const mlr_source *s, bool patient)
{
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->members[i].url, s->url) == 0 && m->members[i].plain_http == s->plain_http &&
            m->members[i].patient == patient)
            return &m->members[i];
    return NULL;
}

/* What was given for the registry alone stays with it: its callback for credentials and its certificate. */
static int open_place(mlr_registry *g, const mlr_source *s, bool patient, mlr_registry **out, mlreg_error **err)
{
    const mlr_client_options *from = &g->options;
    mlreg_session_options     o;

    MLREG_INIT(o);
    o.flags = MLREG_OPEN_READONLY | (s->plain_http ? (uint32_t)MLREG_OPEN_PLAIN_HTTP : 0);
    o.connect_timeout_ms = from->http.connect_timeout_ms;
    o.stall_timeout_ms = from->http.stall_timeout_ms;
    o.max_retries = patient ? from->max_retries : (uint32_t)MLREG_NONE;   /* the next source is the next try */
    o.ca_file = from->http.ca_file;
    o.log = from->log;
    o.log_user = from->log_user;
    return mlr_registry_alone(s->url, &o, g->place.rt, out, err);
}

static int add(mlr_registry *g, const mlr_source *s, bool patient, struct member **out, mlreg_error **err)
{
    mlr_mirrored *m = g->mirrored;
    struct member it = {NULL, s->plain_http, patient, NULL, 0};
    int           rc;

    if (mlr_grow(&m->members, &m->cap, m->n, sizeof *m->members) < 0 || (it.url = mlr_strdup(s->url)) == NULL)
        return mlr_error_nomem(err);
    if ((rc = open_place(g, s, patient, &it.place, err)) < 0) {
        mlr_free(it.url);
        return rc;
    }
    m->members[m->n] = it;
    *out = &m->members[m->n++];
    return 0;
}

int mlr_mirrored_place(mlr_registry *g, const mlr_source *s, bool patient, mlr_registry **out, bool *is_away,
                       mlreg_error **err)
{
    mlr_mirrored  *m = g->mirrored;
    struct member *it;
    int            rc = 0;

    pthread_mutex_lock(&m->lock);
    if ((it = find(m, s, patient)) != NULL || (rc = add(g, s, patient, &it, err)) == 0) {
        *out = it->place;
        *is_away = it->away_until_ms > mlr_clock_ms();
    }
    pthread_mutex_unlock(&m->lock);
    return rc;
}

void mlr_mirrored_away(mlr_registry *g, const mlr_source *s)
{
    mlr_mirrored  *m = g->mirrored;
    struct member *it;

    pthread_mutex_lock(&m->lock);
    if ((it = find(m, s, false)) != NULL)
        it->away_until_ms = mlr_clock_ms() + AWAY_MS;
    pthread_mutex_unlock(&m->lock);
}

/* ---- blobs ---- */

/* How many sources are skipped, one more than the number of the one that gave its bytes last, and how many there are. */
typedef struct trace { uint16_t skipped, gave, n; } trace;

static trace unpack(uint64_t n)
{
    return (trace){(uint16_t)n, (uint16_t)(n >> 16), (uint16_t)(n >> 32)};
}

static uint64_t pack(trace t)
{
    return t.skipped | (uint64_t)t.gave << 16 | (uint64_t)t.n << 32;
}

size_t mlr_mirrored_skipped(mlr_registry *g, const mlr_digest *d)
{
    const uint64_t *n;
    size_t          skipped;

    pthread_mutex_lock(&g->mirrored->lock);
    n = mlr_digestmap_find(&g->mirrored->blobs, d);
    skipped = n != NULL ? unpack(*n).skipped : 0;
    pthread_mutex_unlock(&g->mirrored->lock);
    return skipped;
}

int mlr_mirrored_gave(mlr_registry *g, const mlr_digest *d, size_t source, size_t n_sources, mlreg_error **err)
{
    uint64_t *n;

    pthread_mutex_lock(&g->mirrored->lock);
    if ((n = mlr_digestmap_add(&g->mirrored->blobs, d, err)) != NULL)
        *n = pack((trace){unpack(*n).skipped, (uint16_t)(source + 1), (uint16_t)n_sources});
    pthread_mutex_unlock(&g->mirrored->lock);
    return n != NULL ? 0 : MLREG_ENOMEM;
}

/* Skips what gave the bytes and all before it. Where no one is left, the next call may begin anew. */
int mlr_mirrored_blob_wrong(mlr_place *p, const mlr_blob *b, mlr_op *op)
{
    mlr_registry *g = (mlr_registry *)p;
    uint64_t     *n = NULL;
    trace         t = {0, 0, 0};

    if (g->mirrored == NULL)
        return 0;
    pthread_mutex_lock(&g->mirrored->lock);
    if ((n = mlr_digestmap_find(&g->mirrored->blobs, &b->digest)) != NULL) {
        t = unpack(*n);
        t.skipped = t.gave < t.n ? t.gave : 0;
        *n = pack((trace){t.skipped, 0, t.n});
    }
    pthread_mutex_unlock(&g->mirrored->lock);
    if (t.skipped == 0)
        return 0;
    mlr_client_log(g->client, op, MLREG_LOG_WARN, "a mirror gave other bytes than blob %s: trying the next",
                   b->digest.text);
    return 1;
}
