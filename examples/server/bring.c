/* bring.c - copies from upstream, in the background: each once, for all who ask, who are told meanwhile what is known of it. */
#include "upstream.h"
#include "../mlreg/shown.h"

#include <string.h>

#define AGAIN_MS 10000u               /* after a failure: who asks for a part of it sooner is told that failure */
#define TICK_MS  100u                 /* how soon those that wait look again */

/* ---- the copy, on a thread of its own ---- */

static void tell_all(upstream *u)
{
    u->changes++;
    pthread_cond_broadcast(&u->changed);
}

static int tick(mlreg_op *op, void *user)
{
    upstream *u = user;

    (void)op;
    pthread_mutex_lock(&u->lock);
    tell_all(u);
    pthread_mutex_unlock(&u->lock);
    return 0;
}

static void forget(bring *b)
{
    mlreg_artifact_free(b->what);
    text_done(&b->why);
    *b = (bring){ .of = b->of };
}

/* What failed stays known by its manifest: who has that will come for the parts. */
static void ended(bring *b, mlreg_error *err)
{
    upstream *u = b->of;

    pthread_mutex_lock(&u->lock);
    mlreg_op_free(b->op);
    b->op = NULL;
    if (err == NULL) {
        forget(b);
    } else {
        log_line(u->s, "warn", "upstream: %s: %s", b->name.text, mlreg_error_message(err));
        text_put(&b->why, mlreg_error_message(err));
        b->failed_ms = now_ms();
    }
    u->n_running--;
    tell_all(u);
    pthread_mutex_unlock(&u->lock);
    mlreg_error_free(err);
}

static void *run(void *user)
{
    bring *b = user;
    full_name from = name_of(b->repo, digest_of(b->what));
    mlreg_copy_options o;
    mlreg_error *err = NULL;
    char old[REF_MAX_BYTES];

    MLREG_INIT(o);
    o.flags = MLREG_COPY_MOVE_TAG;
    (void)manifest_keep_old(b->of->s, b->repo, &b->name, old, NULL); /* an index that is here in part cannot be put again */
    mlreg_copy(b->of->from, from.text, b->of->s->store, b->name.text, &o, b->op, NULL, &err);
    ended(b, err);
    return NULL;
}

static void start(bring *b)
{
    pthread_attr_t attr;
    pthread_t thread;

    text_done(&b->why);
    if (mlreg_op_new(&b->op, NULL) == 0) {
        mlreg_op_on_progress(b->op, tick, b->of, TICK_MS);
        pthread_attr_init(&attr);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        if (pthread_create(&thread, &attr, run, b) == 0) {
            b->of->n_running++;
        } else {
            mlreg_op_free(b->op);
            b->op = NULL;
        }
        pthread_attr_destroy(&attr);
    }
    if (b->op == NULL) {
        text_put(&b->why, "no thread or memory is left to bring it");
        b->failed_ms = now_ms();
    }
}

/* ---- beginning ---- */

/* One that is free, or failed longest ago. */
static bring *room(upstream *u)
{
    bring *oldest = NULL;

    for (size_t i = 0; i < BRINGS_MAX; i++) {
        bring *b = &u->all[i];
        if (b->what == NULL)
            return b;
        if (b->op == NULL && (oldest == NULL || b->failed_ms < oldest->failed_ms))
            oldest = b;
    }
    if (oldest != NULL)
        forget(oldest);
    return oldest;
}

static bring *same(upstream *u, const full_name *name, const char *digest)
{
    for (size_t i = 0; i < BRINGS_MAX; i++)
        if (u->all[i].what != NULL && strcmp(u->all[i].name.text, name->text) == 0 && strcmp(digest_of(u->all[i].what), digest) == 0)
            return &u->all[i];
    return NULL;
}

void bring_begin(upstream *u, const char *repo, const full_name *name, mlreg_artifact *what)
{
    const char *digest = digest_of(what);
    bring *b;

    pthread_mutex_lock(&u->lock);
    if ((b = same(u, name, digest)) == NULL) {
        while (!u->stopped && (b = room(u)) == NULL)
            pthread_cond_wait(&u->changed, &u->lock);
        if (b != NULL) {
            b->name = *name;
            snprintf(b->repo, sizeof b->repo, "%s", repo);
            b->what = what;
            what = NULL;
        }
    }
    if (b != NULL && b->op == NULL && !u->stopped)
        start(b);
    pthread_mutex_unlock(&u->lock);
    mlreg_artifact_free(what);
}

void bring_stop(upstream *u)
{
    pthread_mutex_lock(&u->lock);
    u->stopped = true;
    for (size_t i = 0; i < BRINGS_MAX; i++)
        if (u->all[i].op != NULL)
            mlreg_op_cancel(u->all[i].op);
    tell_all(u);
    while (u->n_running > 0)
        pthread_cond_wait(&u->changed, &u->lock);
    for (size_t i = 0; i < BRINGS_MAX; i++)
        forget(&u->all[i]);
    pthread_mutex_unlock(&u->lock);
}

/* ---- what is told meanwhile ---- */

static bool is_manifest(const bring *b, const char *digest)
{
    return strcmp(digest_of(b->what), digest) == 0;
}

static bool is_part(const bring *b, const char *digest)
{
    const mlreg_descriptor *config = mlreg_artifact_at(b->what, MLREG_PART_CONFIG, 0);

    if (config != NULL && strcmp(mlreg_descriptor_digest(config), digest) == 0)
        return true;
    for (size_t i = 0; i < mlreg_artifact_count(b->what, MLREG_PART_LAYER); i++)
        if (strcmp(mlreg_descriptor_digest(mlreg_artifact_at(b->what, MLREG_PART_LAYER, i)), digest) == 0)
            return true;
    return false;
}

/* One that is on its way, rather than one that failed. */
static bring *find(upstream *u, const char *repo, const char *digest, bool (*is)(const bring *b, const char *digest))
{
    bring *found = NULL;

    for (size_t i = 0; i < BRINGS_MAX; i++) {
        bring *b = &u->all[i];
        if (b->what != NULL && (found == NULL || b->op != NULL) && strcmp(b->repo, repo) == 0 && is(b, digest))
            found = b;
    }
    return found;
}

bool bring_answers_manifest(request *r, const char *digest)
{
    upstream *u = r->s->upstream;
    bool answers;
    bring *b;

    pthread_mutex_lock(&u->lock);
    b = find(u, r->repo, digest, is_manifest);
    answers = b != NULL && b->op != NULL;
    if (answers)
        manifest_answer(r, b->what);
    else if (b != NULL)
        text_put(&r->why, b->why.data);
    pthread_mutex_unlock(&u->lock);
    return answers;
}

bool upstream_brings_blob(request *r, uint64_t *seen)
{
    upstream *u = r->s->upstream;
    bring *b = NULL;
    bool again;

    if (u == NULL)
        return false;
    pthread_mutex_lock(&u->lock);
    again = u->changes != *seen;
    if (!again && (b = find(u, r->repo, r->ref, is_part)) != NULL && b->op == NULL && now_ms() - b->failed_ms > AGAIN_MS && !u->stopped)
        start(b);
    if (b != NULL && b->op == NULL)
        text_put(&r->why, b->why.data);
    for (; b != NULL && b->op != NULL && !again; again = u->changes != *seen)
        pthread_cond_wait(&u->changed, &u->lock);
    *seen = u->changes;
    pthread_mutex_unlock(&u->lock);
    return again;
}
