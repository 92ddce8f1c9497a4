/* model/test_wide.c - many blobs at once: how many threads they get, and how few large ones work at a time. */
#include "model/wide.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"

typedef struct work {
    mlr_wide  *wide;
    uint64_t   bytes;
    atomic_int begun, now, most, done;
    int        short_ms;         /* how long the first 16 wait for the others; 0: as all do */
    int        wanted;           /* that many are to be inside at once: the tasks wait for each other */
} work;

static int task(void *arg, mlr_op *op, mlreg_error **err)
{
    work *w = arg;
    int   wait_ms = atomic_fetch_add(&w->begun, 1) < 16 && w->short_ms > 0 ? w->short_ms : 5000;
    int   n, rc = mlr_wide_enter(w->wide, w->bytes, op, err);

    if (rc < 0)
        return rc;
    n = atomic_fetch_add(&w->now, 1) + 1;
    for (int most = atomic_load(&w->most); n > most && !atomic_compare_exchange_weak(&w->most, &most, n);)
        ;
    for (int i = 0; i < wait_ms && rc == 0 && atomic_load(&w->most) < w->wanted; i++)
        rc = mlr_op_sleep(op, 1, err);
    atomic_fetch_sub(&w->now, 1);
    atomic_fetch_add(&w->done, 1);
    mlr_wide_leave(w->wide, w->bytes);
    return rc;
}

static int run(work *w, const mlr_limits *limits, size_t n, bool far)
{
    mlr_runtime *rt = NULL;
    int          rc = 0;

    assert_int_equal(mlr_runtime_new(limits, &rt, NULL), 0);
    assert_int_equal(mlr_wide_new(rt, NULL, n, far, &w->wide, NULL), 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(mlr_group_add(mlr_wide_group(w->wide), task, w, NULL), 0);
    rc = mlr_group_wait(mlr_wide_group(w->wide), NULL);
    mlr_wide_free(w->wide);
    mlr_runtime_unref(rt);
    assert_int_equal(atomic_load(&w->done), n);
    return rc;
}

static void test_wide__small_ones_from_afar_get_a_thread_for_each_ten(void **state)
{
    work w = { .bytes = 1000, .wanted = 60, .short_ms = 30 };

    (void)state;
    assert_int_equal(run(&w, &(mlr_limits){ 0 }, 600, true), 0);
    assert_int_equal(w.most, 60);
}

static uint64_t no_time_passes(void *user)
{
    (void)user;
    return 1000;
}

static void really_sleep(void *user, uint64_t ms)
{
    (void)user;
    usleep((useconds_t)ms * 1000);
}

static void test_wide__small_ones_that_are_quick_get_sixteen(void **state)
{
    const mlr_clock still = { .ms = no_time_passes, .sleep_ms = really_sleep };
    work w = { .bytes = 1000, .wanted = 16 };

    (void)state;
    mlr_clock_use(&still);
    assert_int_equal(run(&w, &(mlr_limits){ 0 }, 600, true), 0);
    mlr_clock_use(NULL);
    assert_int_equal(w.most, 16);
}

static void test_wide__large_ones_are_few_at_a_time(void **state)
{
    work w = { .bytes = 2 << 20, .wanted = 8 };

    (void)state;
    assert_int_equal(run(&w, &(mlr_limits){ .connections = 50 }, 400, true), 0);
    assert_int_equal(w.most, 8);
}

static void test_wide__near_ones_get_the_usual_threads(void **state)
{
    work w = { .bytes = 1000, .wanted = 4 };

    (void)state;
    assert_int_equal(run(&w, &(mlr_limits){ 0 }, 400, false), 0);
    assert_in_range(w.most, 4, 8);
}

static void test_wide__limits_that_were_set_hold(void **state)
{
    work two = { .bytes = 1000, .wanted = 2 }, ten = { .bytes = 1000, .wanted = 10 }, none = { .bytes = 2 << 20, .wanted = 1 };

    (void)state;
    assert_int_equal(run(&two, &(mlr_limits){ .threads = 2 }, 400, true), 0);
    assert_int_equal(two.most, 2);
    assert_int_equal(run(&ten, &(mlr_limits){ .connections = 10 }, 400, true), 0);
    assert_int_equal(ten.most, 10);
    assert_int_equal(run(&none, &(mlr_limits){ .threads = (uint32_t)MLREG_NONE }, 40, true), 0);
    assert_int_equal(none.most, 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wide__small_ones_from_afar_get_a_thread_for_each_ten),
        cmocka_unit_test(test_wide__small_ones_that_are_quick_get_sixteen),
        cmocka_unit_test(test_wide__large_ones_are_few_at_a_time),
        cmocka_unit_test(test_wide__near_ones_get_the_usual_threads),
        cmocka_unit_test(test_wide__limits_that_were_set_hold),
    };

    return cmocka_run_group_tests_name("model/wide", tests, NULL, NULL);
}
