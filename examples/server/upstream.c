/* upstream.c - pull-through: what the store lacks, or may have moved, is looked up in another registry. */
#include "upstream.h"
#include "../mlreg/shown.h"

#include <stdlib.h>
#include <string.h>

#define FRESH_MS   10000u             /* a name that was looked up so recently is not asked for again */
#define CONNECT_MS 3000u

static int open_sessions(upstream *u, mlreg_error **err)
{
    const serve_options *served = u->s->options;
    mlreg_session_options o;
    int rc;

    MLREG_INIT(o);
    o.flags = served->plain_http ? MLREG_OPEN_PLAIN_HTTP : 0;
    o.ca_file = served->ca_file;
    if ((rc = mlreg_session_open(served->upstream, &o, &u->from, err)) < 0)
        return rc;
    o.connect_timeout_ms = CONNECT_MS;
    o.max_retries = 1;
    return mlreg_session_open(served->upstream, &o, &u->asked, err);
}

int upstream_open(server *s, mlreg_error **err)
{
    upstream *u = calloc(1, sizeof *u);

    if (u == NULL)
        return MLREG_ENOMEM;
    u->s = s;
    for (size_t i = 0; i < SLOTS; i++)
        pthread_mutex_init(&u->slots[i].lock, NULL);
    for (size_t i = 0; i < BRINGS_MAX; i++)
        u->all[i].of = u;
    pthread_mutex_init(&u->lock, NULL);
    pthread_cond_init(&u->changed, NULL);
    s->upstream = u;
    return open_sessions(u, err);
}

void upstream_stop(upstream *u)
{
    if (u != NULL)
        bring_stop(u);
}

void upstream_free(upstream *u)
{
    if (u == NULL)
        return;
    for (size_t i = 0; i < SLOTS; i++) {
        text_done(&u->slots[i].why);
        pthread_mutex_destroy(&u->slots[i].lock);
    }
    pthread_cond_destroy(&u->changed);
    pthread_mutex_destroy(&u->lock);
    mlreg_session_free(u->asked);
    mlreg_session_free(u->from);
    free(u);
}

/* One at a time for each name, or for two names that share a slot: whoever comes later finds it done. */
static struct slot *slot_of(upstream *u, const full_name *name)
{
    size_t hash = 5381;

    for (const char *s = name->text; *s != '\0'; s++)
        hash = hash * 33 + (unsigned char)*s;
    return &u->slots[hash % SLOTS];
}

static void ask(upstream *u, struct slot *slot, const char *repo, const full_name *name)
{
    mlreg_artifact *a = NULL;
    mlreg_error *err = NULL;
    int rc = mlreg_session_resolve(u->asked, name->text, NULL, NULL, &a, &err);

    text_done(&slot->why);
    slot->digest[0] = '\0';
    if (rc == 0) {
        snprintf(slot->digest, sizeof slot->digest, "%s", digest_of(a));
        if (manifest_is_here(u->s, name, slot->digest))
            mlreg_artifact_free(a);
        else
            bring_begin(u, repo, name, a);
    } else if (rc != MLREG_ENOTFOUND) {
        log_line(u->s, "warn", "upstream: %s: %s", name->text, mlreg_error_message(err));
        text_put(&slot->why, mlreg_error_message(err));
    }
    mlreg_error_free(err);
    slot->name = *name;
    slot->at_ms = now_ms();
}

bool upstream_answers_manifest(request *r)
{
    upstream *u = r->s->upstream;
    full_name name = name_of(r->repo, r->ref);
    char digest[REF_MAX_BYTES];
    struct slot *slot;

    if (u == NULL || (is_digest(r->ref) && manifest_is_here(r->s, &name, NULL)))
        return false;
    if (is_digest(r->ref) && bring_answers_manifest(r, r->ref))
        return true;
    slot = slot_of(u, &name);
    pthread_mutex_lock(&slot->lock);
    if (strcmp(slot->name.text, name.text) != 0 || now_ms() - slot->at_ms > FRESH_MS)
        ask(u, slot, r->repo, &name);
    snprintf(digest, sizeof digest, "%s", slot->digest);
    text_done(&r->why);
    if (slot->why.data != NULL)
        text_put(&r->why, slot->why.data);
    pthread_mutex_unlock(&slot->lock);
    return digest[0] != '\0' && bring_answers_manifest(r, digest);
}
