/* place/test_threads.c - one open place and many threads: memory, layout and store, for TSan to watch. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bed/artifact.h"
#include "bed/dir.h"

enum { THREADS = 20, TAGS_EACH = 6 };

typedef struct worker {
    mlr_place *p;
    int        number, failed; /* a step, or 0 */
} worker;

/* Everything a session does, on content that others use too and on some of its own. */
static void *work(void *arg)
{
    worker *w = arg;
    for (int i = 0; i < TAGS_EACH && w->failed == 0; i++) {
        char           text[32], tag[32];
        mlr_manifest  *m;
        mlr_list      *tags = NULL;
        mlr_reader    *r = NULL;
        mlr_digest     at;
        snprintf(text, sizeof(text), "content %d", (w->number + i) % 7);
        snprintf(tag, sizeof(tag), "t%d-%d", w->number, i);
        m = bed_image_text(text, "t/u", NULL);
        mlr_blob config = bed_blob("shared", "{}", 2), layer = bed_blob("shared", text, strlen(text));
        if (bed_try_put(w->p, &config, "{}", 2, NULL) < 0 || bed_try_put(w->p, &layer, text, strlen(text), NULL) < 0)
            w->failed = 1;
        else if (bed_try_tag(w->p, "shared", tag, false, m, NULL) < 0 ||
                 bed_try_tag(w->p, "shared", "moving", true, m, NULL) < 0)
            w->failed = 2;
        else if (mlr_place_blob_has(w->p, &layer, NULL, NULL) != 1 ||
                 mlr_place_blob_open(w->p, &layer, NULL, &r, NULL) < 0)
            w->failed = 3;
        else if (mlr_place_tags(w->p, "shared", NULL, &tags, NULL) < 0 || tags->n < (size_t)i + 2)
            w->failed = 4;
        at = bed_at_tag(w->p, "shared", tag);
        if (w->failed == 0 && !mlr_digest_equal(&at, &m->self.digest))
            w->failed = 5;
        mlr_reader_free(r);
        mlr_list_free(tags);
        mlr_manifest_free(m);
    }
    return NULL;
}

static void run(const char *location)
{
    mlr_runtime *rt = NULL;
    mlr_place   *p;
    pthread_t    threads[THREADS];
    worker       workers[THREADS];
    mlr_list    *tags = NULL;
    assert_int_equal(mlr_runtime_new(&(mlr_limits){ 0 }, &rt, NULL), 0);
    p = bed_open(location, MLREG_OPEN_CREATE, rt);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){ p, i, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(workers[i].failed, 0);
    bed_assert_rc(mlr_place_tags(p, "shared", NULL, &tags, &err), 0);
    assert_int_equal(tags->n, THREADS * TAGS_EACH + 1);
    mlr_list_free(tags);
    mlr_place_close(p);
    mlr_runtime_unref(rt);
}

static void test_memory__serves_many_threads(void **state)
{
    (void)state;
    run("memory:");
}

static void test_store__serves_many_threads(void **state)
{
    char *dir = bed_dir_new();
    (void)state;
    run(bed_at(dir, "store"));
    bed_dir_remove(dir);
}

static void test_layout__serves_many_threads(void **state)
{
    char *dir = bed_dir_new(), location[600];
    (void)state;
    snprintf(location, sizeof(location), "oci:%s/layout", dir);
    run(location);
    bed_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory__serves_many_threads),
        cmocka_unit_test(test_store__serves_many_threads),
        cmocka_unit_test(test_layout__serves_many_threads),
    };
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
    return cmocka_run_group_tests_name("place/threads", tests, NULL, NULL);
}
