/* api/test_threads.c - one session and many threads, over memory, a store, and every registry named; for TSan to watch. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api_bed.h"
#include "bed/dir.h"

enum { THREADS = 20, ROUNDS = 3, LAYER_BYTES = 70000 };

typedef struct worker {
    mlreg_session *s;
    const char *repo;
    int number, rc;
    const char *step;              /* that failed, with rc; NULL: none */
    char message[300];
} worker;

/* Keeps the first failure, and what it said. */
static int step(worker *w, const char *name, int rc, mlreg_error **err)
{
    if (rc < 0 && w->step == NULL) {
        w->step = name;
        w->rc = rc;
        snprintf(w->message, sizeof w->message, "%s", mlreg_error_message(*err));
    }
    mlreg_error_free(*err);
    *err = NULL;
    return rc;
}

static void read_shared(worker *w, mlreg_artifact *a, mlreg_error **err)
{
    mlreg_stream *stream = NULL;
    char bytes[1000];

    if (step(w, "stream", mlreg_stream_open(a, 0, NULL, NULL, &stream, err), err) == 0) {
        int64_t n = mlreg_stream_read_at(stream, (uint64_t)w->number * 1000, bytes, sizeof bytes, err);
        step(w, "read_at", n < 0 ? (int)n : n != sizeof bytes || bytes[0] != 's' || bytes[999] != 's' ? MLREG_EDIGEST : 0, err);
    }
    mlreg_stream_free(stream);
}

/* Content of its own is built, copied, listed and deleted; shared content is resolved and read. */
static void round_of(worker *w, int i)
{
    char mine[300], copy[300], shared[300], text[64];
    mlreg_artifact *built = NULL, *found = NULL;
    mlreg_error *err = NULL;
    mlreg_list *tags = NULL;

    snprintf(mine, sizeof mine, "%s:t%d-%d", w->repo, w->number, i);
    snprintf(copy, sizeof copy, "%s:c%d-%d", w->repo, w->number, i);
    snprintf(shared, sizeof shared, "%s:shared", w->repo);
    snprintf(text, sizeof text, "weights %d of %d", i, w->number);
    if (step(w, "build", api_try_build(w->s, mine, text, strlen(text), NULL, &built, &err), &err) == 0)
        step(w, "copy", mlreg_copy(w->s, mine, w->s, copy, NULL, NULL, NULL, &err), &err);
    if (step(w, "resolve", mlreg_session_resolve(w->s, shared, NULL, NULL, &found, &err), &err) == 0)
        read_shared(w, found, &err);
    if (step(w, "tags", mlreg_session_tags(w->s, w->repo, NULL, &tags, &err), &err) == 0 && mlreg_list_count(tags) == 0)
        w->step = "tags are there";
    int rc = mlreg_session_delete(w->s, copy, NULL, &err);
    step(w, "delete", rc == MLREG_ENOTSUP ? 0 : rc, &err); /* some registries forbid it */
    mlreg_list_free(tags);
    mlreg_artifact_free(found);
    mlreg_artifact_free(built);
}

static void *work(void *arg)
{
    worker *w = arg;

    for (int i = 0; i < ROUNDS && w->step == NULL; i++)
        round_of(w, i);
    return NULL;
}

static void join_all(pthread_t *threads, const worker *workers)
{
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < THREADS; i++)
        if (workers[i].step != NULL)
            fail_msg("thread %d: %s gave %d: %s", i, workers[i].step, workers[i].rc, workers[i].message);
}

static void serves_many(const char *location, const char *repo)
{
    static char weights[LAYER_BYTES];
    mlreg_session *s = api_open(location, MLREG_OPEN_CREATE);
    mlreg_artifact *a = NULL, *last = NULL;
    pthread_t threads[THREADS];
    worker workers[THREADS];
    char ref[300];

    memset(weights, 's', sizeof weights);
    snprintf(ref, sizeof ref, "%s:shared", repo);
    api_rc(api_try_build(s, ref, weights, sizeof weights, NULL, &a, &err), 0);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){ .s = s, .repo = repo, .number = i };
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    join_all(threads, workers);
    snprintf(ref, sizeof ref, "%s:shared", repo);
    api_rc(mlreg_session_resolve(s, ref, NULL, NULL, &last, &err), 0);
    assert_string_equal(api_digest(last), api_digest(a));
    mlreg_artifact_free(last);
    mlreg_artifact_free(a);
    mlreg_session_free(s);
}

static void test_session__memory_serves_many_threads(void **state)
{
    (void)state;
    serves_many("memory:", "team/threads");
}

static void test_session__a_store_serves_many_threads(void **state)
{
    char *dir = bed_dir_new();

    (void)state;
    serves_many(bed_at(dir, "store"), "team/threads");
    bed_dir_remove(dir);
}

/* MLREG_TEST_REGISTRY: locations, blanks between them, as tests/bed/with-registries sets it. */
static void test_session__every_registry_named_serves_many_threads(void **state)
{
    const char *named = getenv("MLREG_TEST_REGISTRY");
    char *list = named != NULL ? strdup(named) : NULL, *rest = NULL, repo[64];

    (void)state;
    if (list == NULL)
        skip();
    snprintf(repo, sizeof repo, "mlreg-test/threads-%d", (int)getpid());
    for (char *location = strtok_r(list, " ,\n", &rest); location != NULL; location = strtok_r(NULL, " ,\n", &rest))
        serves_many(location, repo);
    free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session__memory_serves_many_threads),
        cmocka_unit_test(test_session__a_store_serves_many_threads),
        cmocka_unit_test(test_session__every_registry_named_serves_many_threads),
    };
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
    return cmocka_run_group_tests_name("api/threads", tests, NULL, NULL);
}
