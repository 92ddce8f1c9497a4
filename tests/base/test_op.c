/* tests/base/test_op.c - one call in progress: cancel, progress, counts. */
#include "base/op.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/op_bed.h"

/* A clock that stands until somebody sleeps. */
static uint64_t fake_now_ms;

static uint64_t fake_ms(void *user)
{
    (void)user;
    return fake_now_ms;
}

static void fake_sleep(void *user, uint64_t ms)
{
    (void)user;
    fake_now_ms += ms;
}

static const mlr_clock fake_clock = {.ms = fake_ms, .sleep_ms = fake_sleep};

static int use_fake_clock(void **state)
{
    (void)state;
    fake_now_ms = 1000;
    mlr_clock_use(&fake_clock);
    return 0;
}

static int use_real_clock(void **state)
{
    (void)state;
    mlr_clock_use(NULL);
    return 0;
}

static int add_one(void *arg, mlreg_error **err)
{
    (void)err;
    ++*(int *)arg;
    return 7;
}

static void test_op__null_is_nobody_watching(void **state)
{
    mlreg_error *err = NULL;
    int n = 0;

    (void)state;
    assert_int_equal(mlr_op_check(NULL, &err), 0);
    assert_int_equal(mlr_op_sleep(NULL, 1, &err), 0);
    assert_int_equal(mlr_op_on_caller(NULL, add_one, &n, &err), 7);
    assert_int_equal(n, 1);
    assert_false(mlr_op_cancelled(NULL));
    mlr_op_count(NULL, MLR_N_REQUESTS, 1);
    mlr_op_cancel(NULL);
    mlr_op_end(NULL);
    mlr_remote_cancel(NULL);
    mlr_remote_free(NULL);
    assert_null(mlr_remote_ref(NULL));
    assert_null(err);
}

static void test_op__a_cancelled_remote_stays_cancelled(void **state)
{
    mlreg_op *remote;
    mlr_op *op;
    mlreg_error *err = NULL;

    (void)state;
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    assert_int_equal(mlr_op_begin(remote, &op, NULL), 0);
    assert_int_equal(mlr_op_check(op, &err), 0);
    mlr_remote_cancel(remote);
    assert_int_equal(mlr_op_check(op, &err), MLREG_ECANCELLED);
    assert_int_equal(err->code, MLREG_ECANCELLED);
    mlr_op_end(op);
    assert_int_equal(mlr_op_begin(remote, &op, NULL), 0);
    assert_true(mlr_op_cancelled(op));
    mlr_op_end(op);
    mlr_remote_free(remote);
    mlr_error_done(err);
}

static void test_op__a_child_goes_with_its_parent_and_not_the_other_way(void **state)
{
    mlr_op *op, *child, *grandchild;

    (void)state;
    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    assert_int_equal(mlr_op_child(op, &child, NULL), 0);
    assert_int_equal(mlr_op_child(child, &grandchild, NULL), 0);
    mlr_op_cancel(child);
    assert_false(mlr_op_cancelled(op));
    assert_true(mlr_op_cancelled(child));
    assert_true(mlr_op_cancelled(grandchild));
    mlr_op_rearm(child);
    assert_false(mlr_op_cancelled(grandchild));
    mlr_op_cancel(op);
    assert_true(mlr_op_cancelled(grandchild));
    mlr_op_end(grandchild);
    mlr_op_end(child);
    mlr_op_end(op);
}

static void test_op__a_child_of_nobody_can_be_cancelled(void **state)
{
    mlr_op *child;

    (void)state;
    assert_int_equal(mlr_op_child(NULL, &child, NULL), 0);
    assert_int_equal(mlr_op_check(child, NULL), 0);
    mlr_op_cancel(child);
    assert_int_equal(mlr_op_check(child, NULL), MLREG_ECANCELLED);
    mlr_op_end(child);
}

static void test_op__the_remote_lives_as_long_as_its_call(void **state)
{
    mlreg_op *remote;
    mlr_op *op;

    (void)state;
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    assert_int_equal(mlr_op_begin(remote, &op, NULL), 0);
    mlr_remote_free(remote);
    mlr_op_count(op, MLR_N_REQUESTS, 1);
    assert_int_equal(mlr_op_check(op, NULL), 0);
    mlr_op_end(op);
}

static void test_op__progress_comes_when_the_interval_is_over(void **state)
{
    struct calls calls = {0};
    mlreg_op *remote;

    (void)state;
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    mlr_remote_on_progress(remote, count_call, &calls, 50);
    assert_int_equal(mlr_op_begin(remote, &calls.op, NULL), 0);
    fake_now_ms += 49;
    assert_int_equal(mlr_op_check(calls.op, NULL), 0);
    assert_int_equal(calls.n, 0);
    fake_now_ms += 1;
    assert_int_equal(mlr_op_check(calls.op, NULL), 0);
    assert_int_equal(mlr_op_check(calls.op, NULL), 0);
    assert_int_equal(calls.n, 1);
    fake_now_ms += 500;
    assert_int_equal(mlr_op_check(calls.op, NULL), 0);
    assert_int_equal(mlr_op_check(calls.op, NULL), 0);
    assert_int_equal(calls.n, 2);
    assert_int_equal(calls.deepest, 1);
    mlr_op_end(calls.op);
    assert_int_equal(calls.n, 3);
    mlr_remote_free(remote);
}

static void test_op__progress_comes_every_200_ms_by_default(void **state)
{
    struct calls calls = {0};
    mlreg_op *remote;

    (void)state;
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    mlr_remote_on_progress(remote, count_call, &calls, 0);
    assert_int_equal(mlr_op_begin(remote, &calls.op, NULL), 0);
    fake_now_ms += 199;
    assert_int_equal(mlr_op_check(calls.op, NULL), 0);
    assert_int_equal(calls.n, 0);
    fake_now_ms += 1;
    assert_int_equal(mlr_op_check(calls.op, NULL), 0);
    assert_int_equal(calls.n, 1);
    mlr_op_end(calls.op);
    mlr_remote_free(remote);
}

static void test_op__progress_that_answers_nonzero_cancels_for_good(void **state)
{
    struct calls calls = {.answer = 1};
    mlreg_op *remote;

    (void)state;
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    mlr_remote_on_progress(remote, count_call, &calls, 10);
    assert_int_equal(mlr_op_begin(remote, &calls.op, NULL), 0);
    fake_now_ms += 10;
    assert_int_equal(mlr_op_check(calls.op, NULL), MLREG_ECANCELLED);
    fake_now_ms += 10;
    assert_int_equal(mlr_op_check(calls.op, NULL), MLREG_ECANCELLED);
    mlr_op_end(calls.op);
    assert_int_equal(calls.n, 1);
    mlr_remote_free(remote);
}

static void test_op__progress_comes_while_nothing_moves(void **state)
{
    struct calls calls = {0};
    mlreg_op *remote;

    (void)state;
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    mlr_remote_on_progress(remote, count_call, &calls, 5);
    assert_int_equal(mlr_op_begin(remote, &calls.op, NULL), 0);
    while (calls.n < 3)
        assert_int_equal(mlr_op_sleep(calls.op, 60, NULL), 0);
    mlr_op_end(calls.op);
    mlr_remote_free(remote);
}

static void test_op__counts_arrive_in_their_fields(void **state)
{
    static const size_t fields[] = {
        [MLR_N_BLOBS_DONE] = offsetof(mlreg_stats, blobs_done),
        [MLR_N_BLOBS_TOTAL] = offsetof(mlreg_stats, blobs_total),
        [MLR_N_REQUESTS] = offsetof(mlreg_stats, requests),
        [MLR_N_RETRIES] = offsetof(mlreg_stats, retries),
        [MLR_N_BYTES_DONE] = offsetof(mlreg_stats, bytes_done),
        [MLR_N_BYTES_TOTAL] = offsetof(mlreg_stats, bytes_total),
        [MLR_N_BYTES_NETWORK] = offsetof(mlreg_stats, bytes_network),
        [MLR_N_BYTES_REUSED] = offsetof(mlreg_stats, bytes_reused),
        [MLR_N_BYTES_RESUMED] = offsetof(mlreg_stats, bytes_resumed),
    };
    mlreg_op *remote;
    mlr_op *op, *child;
    mlreg_stats stats;

    (void)state;
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    assert_int_equal(mlr_op_begin(remote, &op, NULL), 0);
    assert_int_equal(mlr_op_child(op, &child, NULL), 0);
    for (int i = 0; i < (int)(sizeof fields / sizeof fields[0]); i++) {
        mlr_op_count(op, (mlr_counter)i, 200 + i);
        mlr_op_count(child, (mlr_counter)i, -100);
    }
    mlr_op_end(child);
    mlr_op_end(op);
    mlr_remote_stats(remote, &stats);
    for (int i = 0; i < (int)(sizeof fields / sizeof fields[0]); i++) {
        const char *field = (const char *)&stats + fields[i];
        uint32_t narrow;
        uint64_t wide;

        if (i < MLR_N_BYTES_DONE) {
            memcpy(&narrow, field, sizeof narrow);
            wide = narrow;
        } else {
            memcpy(&wide, field, sizeof wide);
        }
        assert_int_equal(wide, 100 + i);
    }
    mlr_remote_free(remote);
}

static void test_op__counts_add_up_and_never_wrap(void **state)
{
    mlreg_op *remote;
    mlr_op *op;
    mlreg_stats stats;

    (void)state;
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mlr_op_begin(remote, &op, NULL), 0);
        mlr_op_count(op, MLR_N_BYTES_DONE, 5);
        mlr_op_count(op, MLR_N_REQUESTS, (int64_t)UINT32_MAX);
        mlr_op_count(op, MLR_N_BYTES_TOTAL, -1);
        mlr_op_end(op);
    }
    mlr_remote_stats(remote, &stats);
    assert_int_equal(stats.bytes_done, 10);
    assert_int_equal(stats.requests, UINT32_MAX);
    assert_int_equal(stats.bytes_total, 0);
    mlr_remote_free(remote);
}

static void test_op__elapsed_runs_from_the_first_begin(void **state)
{
    mlreg_op *remote;
    mlr_op *op;
    mlreg_stats stats;

    (void)state;
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    fake_now_ms += 100;
    mlr_remote_stats(remote, &stats);
    assert_int_equal(stats.elapsed_ms, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mlr_op_begin(remote, &op, NULL), 0);
        fake_now_ms += 30;
        mlr_op_end(op);
    }
    mlr_remote_stats(remote, &stats);
    assert_int_equal(stats.elapsed_ms, 60);
    mlr_remote_free(remote);
}

static void test_op__time_that_was_spent_arrives_in_its_field(void **state)
{
    static const struct { mlr_counter what; size_t field; } all[] = {
        { MLR_N_US_WAITED, offsetof(mlreg_stats, wait_ms) },    { MLR_N_US_MOVED, offsetof(mlreg_stats, network_ms) },
        { MLR_N_US_HASHED, offsetof(mlreg_stats, hash_ms) },    { MLR_N_US_WRITTEN, offsetof(mlreg_stats, write_ms) },
        { MLR_N_US_SYNCED, offsetof(mlreg_stats, sync_ms) },
    };
    mlreg_op *remote;
    mlr_op *op;
    mlreg_stats stats;
    uint64_t from_us, ms;

    (void)state;
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    assert_int_equal(mlr_op_begin(remote, &op, NULL), 0);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        from_us = mlr_clock_us();
        fake_now_ms += 10 * (i + 1);
        mlr_op_spent(op, all[i].what, from_us);
    }
    mlr_op_spent(NULL, MLR_N_US_HASHED, 0);
    mlr_remote_stats(remote, &stats);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        memcpy(&ms, (const char *)&stats + all[i].field, sizeof ms);
        assert_int_equal(ms, 10 * (i + 1));
    }
    mlr_op_end(op);
    mlr_remote_free(remote);
}

static void test_op__blobs_that_are_done_are_counted_and_timed(void **state)
{
    mlreg_op *remote;
    mlr_op *op;
    mlreg_stats stats;
    mlreg_blob_stats b;
    uint64_t from_ms;

    (void)state;
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    assert_int_equal(mlr_op_begin(remote, &op, NULL), 0);
    fake_now_ms += 20;
    from_ms = mlr_clock_ms();
    fake_now_ms += 5;
    mlr_op_blob_done(op, "name", 7, from_ms);
    mlr_op_blob_done(NULL, "name", 7, from_ms);
    mlr_remote_stats(remote, &stats);
    assert_int_equal(stats.blobs_done, 1);
    assert_true(mlr_remote_blob_at(remote, 0, &b));
    assert_int_equal(b.began_ms, 20);
    assert_int_equal(b.elapsed_ms, 5);
    mlr_op_end(op);
    mlr_remote_free(remote);
}

static void test_op__sleep_lasts_as_long_as_asked(void **state)
{
    mlr_op *op;
    uint64_t start_ms = now_ms();

    (void)state;
    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    assert_int_equal(mlr_op_sleep(op, 120, NULL), 0);
    assert_true(now_ms() - start_ms >= 119);
    mlr_op_end(op);
}

static void test_op__sleep_goes_through_the_clock_s_seam(void **state)
{
    mlr_op *op;

    (void)state;
    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    assert_int_equal(mlr_op_sleep(op, FOREVER_MS, NULL), 0);
    assert_int_equal(fake_now_ms, 1000 + FOREVER_MS);
    mlr_op_cancel(op);
    assert_int_equal(mlr_op_sleep(op, 10, NULL), MLREG_ECANCELLED);
    assert_int_equal(fake_now_ms, 1000 + FOREVER_MS);
    mlr_op_end(op);
}

static void *cancel_soon(void *arg)
{
    nap_ms(30);
    mlr_remote_cancel(arg);
    return NULL;
}

static void test_op__cancel_from_another_thread_ends_a_sleep(void **state)
{
    mlreg_op *remote;
    mlr_op *op;
    pthread_t other;
    uint64_t start_ms = now_ms();

    (void)state;
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    assert_int_equal(mlr_op_begin(remote, &op, NULL), 0);
    assert_int_equal(pthread_create(&other, NULL, cancel_soon, remote), 0);
    assert_int_equal(mlr_op_sleep(op, FOREVER_MS, NULL), MLREG_ECANCELLED);
    assert_true(now_ms() - start_ms < SOON_MS);
    pthread_join(other, NULL);
    mlr_op_end(op);
    mlr_remote_free(remote);
}

static void *check_often(void *arg)
{
    for (int i = 0; i < 50; i++) {
        (void)mlr_op_check(arg, NULL);
        (void)mlr_op_sleep(arg, 1, NULL);
    }
    return NULL;
}

static void test_op__workers_never_call_the_user(void **state)
{
    struct calls calls = {0};
    mlreg_op *remote;
    pthread_t other;

    (void)state;
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    mlr_remote_on_progress(remote, count_call, &calls, 1);
    assert_int_equal(mlr_op_begin(remote, &calls.op, NULL), 0);
    assert_int_equal(pthread_create(&other, NULL, check_often, calls.op), 0);
    pthread_join(other, NULL);
    assert_int_equal(calls.n, 0);
    mlr_op_end(calls.op);
    assert_int_equal(calls.n, 1);
    mlr_remote_free(remote);
}

static int left_to_grant;

static void *scarce_resize(void *user, void *p, size_t bytes)
{
    (void)user;
    return left_to_grant-- > 0 ? realloc(p, bytes) : NULL;
}

static void scarce_release(void *user, void *p)
{
    (void)user;
    free(p);
}

static void test_op__begin_without_memory_leaves_nothing_behind(void **state)
{
    static const mlr_allocator scarce = {scarce_resize, scarce_release, NULL};
    mlr_op *op = NULL;
    int rc, n = 0;

    (void)state;
    do {
        mlreg_error *err = NULL;

        left_to_grant = n++;
        mlr_alloc_use(&scarce);
        rc = mlr_op_begin(NULL, &op, &err);
        mlr_alloc_use(NULL);
        assert_true(rc == 0 || (rc == MLREG_ENOMEM && op == NULL && err != NULL));
        mlr_error_done(err);
    } while (rc < 0);
    assert_int_equal(n, 3);
    mlr_op_end(op);
}

static void test_op__made_before_a_fork_serves_the_parent_only(void **state)
{
    mlreg_op *remote = NULL;
    mlr_op *op = NULL;
    pid_t child;
    int status;

    (void)state;
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    if ((child = fork()) == 0) {
        int rc = mlr_op_begin(remote, &op, NULL);

        mlr_remote_free(remote);                /* that much is allowed */
        _exit(rc == MLREG_ESTATE && op == NULL ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(mlr_op_begin(remote, &op, NULL), 0);
    mlr_op_end(op);
    mlr_remote_free(remote);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_op__null_is_nobody_watching),
        cmocka_unit_test(test_op__a_cancelled_remote_stays_cancelled),
        cmocka_unit_test(test_op__a_child_goes_with_its_parent_and_not_the_other_way),
        cmocka_unit_test(test_op__a_child_of_nobody_can_be_cancelled),
        cmocka_unit_test(test_op__the_remote_lives_as_long_as_its_call),
        cmocka_unit_test_setup_teardown(test_op__progress_comes_when_the_interval_is_over, use_fake_clock,
                                        use_real_clock),
        cmocka_unit_test_setup_teardown(test_op__progress_comes_every_200_ms_by_default, use_fake_clock,
                                        use_real_clock),
        cmocka_unit_test_setup_teardown(test_op__progress_that_answers_nonzero_cancels_for_good, use_fake_clock,
                                        use_real_clock),
        cmocka_unit_test(test_op__progress_comes_while_nothing_moves),
        cmocka_unit_test(test_op__counts_arrive_in_their_fields),
        cmocka_unit_test(test_op__counts_add_up_and_never_wrap),
        cmocka_unit_test_setup_teardown(test_op__elapsed_runs_from_the_first_begin, use_fake_clock, use_real_clock),
        cmocka_unit_test_setup_teardown(test_op__time_that_was_spent_arrives_in_its_field, use_fake_clock, use_real_clock),
        cmocka_unit_test_setup_teardown(test_op__blobs_that_are_done_are_counted_and_timed, use_fake_clock, use_real_clock),
        cmocka_unit_test(test_op__sleep_lasts_as_long_as_asked),
        cmocka_unit_test_setup_teardown(test_op__sleep_goes_through_the_clock_s_seam, use_fake_clock, use_real_clock),
        cmocka_unit_test(test_op__cancel_from_another_thread_ends_a_sleep),
        cmocka_unit_test(test_op__workers_never_call_the_user),
        cmocka_unit_test(test_op__begin_without_memory_leaves_nothing_behind),
        cmocka_unit_test(test_op__made_before_a_fork_serves_the_parent_only),
    };

    return cmocka_run_group_tests_name("base/op", tests, NULL, NULL);
}
