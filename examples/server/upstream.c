/* upstream.c - pull-through: what the store lacks is brought from another registry, verified and kept. */
#include "serve.h"

#include <pthread.h>
#include <string.h>

#define FRESH_MS 10000u               /* a tag that was looked up so recently is not asked for again */
#define SLOTS    256

/* One at a time for each name, or for two names that share a slot: whoever comes later finds it done. */
static struct slot { pthread_mutex_t lock; uint64_t at_ms; full_name name; } slots[SLOTS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_slots(void)
{
    for (size_t i = 0; i < SLOTS; i++)
        pthread_mutex_init(&slots[i].lock, NULL);
}

static struct slot *slot_of(const char *name)
{
    size_t hash = 5381;

    pthread_once(&once, make_slots);
    for (const char *s = name; *s != '\0'; s++)
        hash = hash * 33 + (unsigned char)*s;
    return &slots[hash % SLOTS];
}

static bool is_there(server *s, const char *name)
{
    mlreg_artifact *a = NULL;
    bool is = mlreg_session_resolve(s->store, name, NULL, NULL, &a, NULL) == 0;

    mlreg_artifact_free(a);
    return is;
}

static void bring(server *s, const char *name)
{
    mlreg_copy_options o;
    mlreg_error *err = NULL;

    MLREG_INIT(o);
    o.flags = MLREG_COPY_MOVE_TAG;
    if (mlreg_copy(s->upstream, name, s->store, NULL, &o, NULL, NULL, &err) < 0 && mlreg_error_code(err) != MLREG_ENOTFOUND)
        log_line(s, "warn", "upstream: %s: %s", name, mlreg_error_message(err)); /* what is here still serves */
    mlreg_error_free(err);
}

void upstream_refresh(server *s, const char *repo, const char *ref)
{
    full_name name;
    struct slot *slot;

    if (s->upstream == NULL)
        return;
    name = name_of(repo, ref);
    if (is_digest(ref) && is_there(s, name.text))
        return;
    slot = slot_of(name.text);
    pthread_mutex_lock(&slot->lock);
    if (strcmp(slot->name.text, name.text) != 0 || now_ms() - slot->at_ms > FRESH_MS) {
        bring(s, name.text);
        slot->name = name;
        slot->at_ms = now_ms();
    }
    pthread_mutex_unlock(&slot->lock);
}
