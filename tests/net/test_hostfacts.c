/* tests/net/test_hostfacts.c - facts about a host: learnt, asked, forgotten, from several threads. */
#include "net/hostfacts.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <cmocka.h>

#include "base/clock.h"
#include "bed/dir.h"

static void test_hostfacts__nothing_is_known_at_first(void **state)
{
    mlr_hostfacts f = {0};

    (void)state;
    assert_false(mlr_hostfacts_know(&f, MLR_FACT_NO_RANGE));
    assert_false(mlr_hostfacts_know(&f, MLR_FACT_HAS_REFERRERS));
}

static void test_hostfacts__learns_and_forgets(void **state)
{
    mlr_hostfacts f = {0};

    (void)state;
    mlr_hostfacts_learn(&f, MLR_FACT_NO_RANGE | MLR_FACT_NO_MOUNT);
    mlr_hostfacts_learn(&f, MLR_FACT_NO_REFERRERS);
    assert_true(mlr_hostfacts_know(&f, MLR_FACT_NO_RANGE));
    assert_true(mlr_hostfacts_know(&f, MLR_FACT_NO_RANGE | MLR_FACT_NO_REFERRERS));
    assert_false(mlr_hostfacts_know(&f, MLR_FACT_NO_RANGE | MLR_FACT_NO_MONOLITHIC));
    mlr_hostfacts_forget(&f, MLR_FACT_NO_RANGE | MLR_FACT_NO_MONOLITHIC);
    assert_false(mlr_hostfacts_know(&f, MLR_FACT_NO_RANGE));
    assert_true(mlr_hostfacts_know(&f, MLR_FACT_NO_MOUNT));
}

struct learner {
    mlr_hostfacts *facts;
    uint32_t       mine;
};

static void *learn_and_forget(void *arg)
{
    struct learner *l = arg;

    for (int i = 0; i < 20000; i++) {
        mlr_hostfacts_learn(l->facts, l->mine);
        mlr_hostfacts_forget(l->facts, l->mine);
    }
    mlr_hostfacts_learn(l->facts, l->mine);
    return NULL;
}

static void test_hostfacts__no_thread_undoes_another(void **state)
{
    mlr_hostfacts  f = {0};
    struct learner learners[4];
    pthread_t      threads[4];

    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        learners[i] = (struct learner){&f, 1u << i};
        assert_int_equal(pthread_create(&threads[i], NULL, learn_and_forget, &learners[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(f.bits, 15);
}

/* ---- notes, and what is known beforehand ---- */

static int make_dir(void **state)
{
    *state = bed_dir_new();
    return 0;
}

static int remove_dir(void **state)
{
    bed_dir_remove(*state);
    return 0;
}

static mlr_hostfacts facts_of(const char *url, const char *dir)
{
    mlr_hostfacts f;
    mlr_url       u = {NULL, NULL, 0, NULL};

    assert_int_equal(mlr_url_parse(url, &u, NULL), 0);
    mlr_hostfacts_open(&f, &u, bed_at(dir, "notes"));
    mlr_url_done(&u);
    return f;
}

static uint32_t bits_of(const char *url, const char *dir)
{
    mlr_hostfacts f = facts_of(url, dir);
    uint32_t      bits = f.bits;

    mlr_hostfacts_done(&f);
    return bits;
}

static int64_t days_later;

static int64_t later(void *user)
{
    (void)user;
    return ((int64_t)time(NULL) + days_later * 86400) * 1000;
}

static void go_on(int64_t days)
{
    static const mlr_clock clock = {.wall_ms = later};

    days_later = days;
    mlr_clock_use(days != 0 ? &clock : NULL);
}

static void test_hostfacts__begins_with_what_hosts_are_known_for(void **state)
{
    mlr_hostfacts f = facts_of("https://ghcr.io", *state);

    assert_true(mlr_hostfacts_know(&f, MLR_FACT_NO_STREAMED_PATCH));
    assert_true(mlr_hostfacts_max_layer(&f) == UINT64_C(10) << 30);
    mlr_hostfacts_done(&f);
    assert_int_equal(bits_of("https://europe-docker.pkg.dev", *state), MLR_FACT_NO_STREAMED_PATCH);
    assert_int_equal(bits_of("https://pkg.dev.example.org", *state), 0);
    f = facts_of("https://registry.example.org", *state);
    assert_true(mlr_hostfacts_max_layer(&f) == UINT64_MAX);
    mlr_hostfacts_done(&f);
}

static void test_hostfacts__are_noted_for_the_next_process_per_origin(void **state)
{
    mlr_hostfacts f = facts_of("https://a.example.org", *state);

    mlr_hostfacts_learn(&f, MLR_FACT_NO_RANGE | MLR_FACT_NO_MOUNT);
    mlr_hostfacts_forget(&f, MLR_FACT_NO_MOUNT);
    mlr_hostfacts_too_large(&f, 5000);
    mlr_hostfacts_done(&f);
    f = facts_of("https://a.example.org", *state);
    assert_int_equal(f.bits, MLR_FACT_NO_RANGE);
    assert_int_equal(mlr_hostfacts_max_layer(&f), 4999);
    mlr_hostfacts_done(&f);
    assert_int_equal(bits_of("https://b.example.org", *state), 0);
    assert_int_equal(bits_of("https://a.example.org:8443", *state), 0);
}

static void test_hostfacts__what_proved_wrong_of_the_table_stays_so(void **state)
{
    mlr_hostfacts f = facts_of("https://ghcr.io", *state);

    mlr_hostfacts_forget(&f, MLR_FACT_NO_STREAMED_PATCH);
    mlr_hostfacts_done(&f);
    assert_int_equal(bits_of("https://ghcr.io", *state), 0);
}

static void test_hostfacts__are_tried_anew_after_a_while(void **state)
{
    mlr_hostfacts f = facts_of("https://a.example.org", *state);

    mlr_hostfacts_learn(&f, MLR_FACT_NO_RANGE);
    mlr_hostfacts_too_large(&f, 5000);
    mlr_hostfacts_done(&f);
    go_on(2);
    f = facts_of("https://a.example.org", *state);
    assert_int_equal(f.bits, MLR_FACT_NO_RANGE);
    assert_true(mlr_hostfacts_max_layer(&f) == UINT64_MAX);
    mlr_hostfacts_done(&f);
    go_on(31);
    assert_int_equal(bits_of("https://a.example.org", *state), 0);
    go_on(-1);                           /* a clock that was put back */
    assert_int_equal(bits_of("https://a.example.org", *state), 0);
    go_on(0);
}

static void test_hostfacts__of_this_machine_are_not_noted(void **state)
{
    mlr_hostfacts f = facts_of("http://127.0.0.1:5000", *state);

    mlr_hostfacts_learn(&f, MLR_FACT_NO_RANGE);
    assert_true(mlr_hostfacts_know(&f, MLR_FACT_NO_RANGE));
    mlr_hostfacts_done(&f);
    assert_int_equal(bits_of("http://127.0.0.1:5000", *state), 0);
    assert_int_equal(access(bed_at(*state, "notes"), F_OK), -1);
}

static void test_hostfacts__any_flipped_bit_of_the_notes_is_noticed(void **state)
{
    mlr_hostfacts f = facts_of("https://a.example.org", *state);
    char         *path;
    struct stat   st;
    int           fd;

    mlr_hostfacts_learn(&f, MLR_FACT_NO_RANGE);
    assert_true(asprintf(&path, "%s/notes/%s", (char *)*state, f.name) > 0);
    mlr_hostfacts_done(&f);
    assert_true((fd = open(path, O_RDWR | O_CLOEXEC)) >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    for (off_t at = 0; at < st.st_size; at++) {
        uint8_t was, flipped;

        assert_int_equal(pread(fd, &was, 1, at), 1);
        flipped = was ^ (uint8_t)(1 << at % 8);
        assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
        assert_int_equal(bits_of("https://a.example.org", *state), 0);
        assert_int_equal(pwrite(fd, &was, 1, at), 1);
    }
    assert_int_equal(bits_of("https://a.example.org", *state), MLR_FACT_NO_RANGE);
    close(fd);
    free(path);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostfacts__nothing_is_known_at_first),
        cmocka_unit_test(test_hostfacts__learns_and_forgets),
        cmocka_unit_test(test_hostfacts__no_thread_undoes_another),
        T(test_hostfacts__begins_with_what_hosts_are_known_for),
        T(test_hostfacts__are_noted_for_the_next_process_per_origin),
        T(test_hostfacts__what_proved_wrong_of_the_table_stays_so),
        T(test_hostfacts__are_tried_anew_after_a_while),
        T(test_hostfacts__of_this_machine_are_not_noted),
        T(test_hostfacts__any_flipped_bit_of_the_notes_is_noticed),
    };

    return cmocka_run_group_tests_name("net/hostfacts", tests, NULL, NULL);
}
