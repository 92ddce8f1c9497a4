/* holds.c - blobs that came in, or that a client was told of: held in the store until a manifest had time to name them. */
#include "serve.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define HOLD_MS   (60u * 60 * 1000)   /* as long as gc spares what is young */
#define HOLDS_MAX 65536               /* the oldest gives way */

struct holds {
    pthread_mutex_t lock;             /* guards all below */
    struct hold { char *repo, digest[72]; uint64_t until_ms; } *ring;
    size_t first, n;
};

holds *holds_new(void)
{
    holds *h = calloc(1, sizeof *h);

    if (h == NULL || (h->ring = calloc(HOLDS_MAX, sizeof *h->ring)) == NULL) {
        free(h);
        return NULL;
    }
    pthread_mutex_init(&h->lock, NULL);
    return h;
}

void holds_free(holds *h)
{
    if (h == NULL)
        return;
    for (; h->n > 0; h->n--)
        free(h->ring[(h->first + h->n - 1) % HOLDS_MAX].repo);
    pthread_mutex_destroy(&h->lock);
    free(h->ring);
    free(h);
}

/* Takes out the first, if it is due or in the way. */
static bool take_due(holds *h, uint64_t now, struct hold *out)
{
    bool due;

    pthread_mutex_lock(&h->lock);
    due = h->n > 0 && (h->n == HOLDS_MAX || h->ring[h->first].until_ms <= now);
    if (due) {
        *out = h->ring[h->first];
        h->first = (h->first + 1) % HOLDS_MAX;
        h->n--;
    }
    pthread_mutex_unlock(&h->lock);
    return due;
}

/* One that finds no room stays held until the server ends. */
static void keep(holds *h, struct hold *new)
{
    pthread_mutex_lock(&h->lock);
    if (h->n < HOLDS_MAX) {
        h->ring[(h->first + h->n++) % HOLDS_MAX] = *new;
        new->repo = NULL;
    }
    pthread_mutex_unlock(&h->lock);
}

void holds_add(server *s, const char *repo, const char *digest)
{
    uint64_t now = now_ms();
    struct hold due, new = { NULL, "", now + HOLD_MS };

    while (take_due(s->holds, now, &due)) {
        mlreg_session_release(s->store, due.repo, due.digest, NULL);
        free(due.repo);
    }
    if (s->options->read_only || (new.repo = strdup(repo)) == NULL)
        return;
    snprintf(new.digest, sizeof new.digest, "%s", digest);
    keep(s->holds, &new);
    free(new.repo);
}
