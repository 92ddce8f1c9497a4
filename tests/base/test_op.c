/* tests/base/test_op.c - one call in progress: cancel, progress, counts, errands. */
#include "base/op.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"

#define FOREVER_MS 600000        /* a wait that ends only because something ends it */
#define SOON_MS 20000            /* generous: far from FOREVER_MS, even under a sanitizer on a busy machine */

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void nap_ms(unsigned ms)
{
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

    nanosleep(&t, NULL);
}

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

struct calls {
    int       n, answer, depth, deepest;
    mlr_op   *op;                /* to look at from inside */
    pthread_t on;
};

static int count_call(mlreg_op *remote, void *user)
{
    struct calls *c = user;

    (void)remote;
    c->n++;
    c->on = pthread_self();
    if (++c->depth > c->deepest)
        c->deepest = c->depth;
    (void)mlr_op_check(c->op, NULL);
    c->depth--;
    return c->answer;
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

/* A worker as it comes: does one thing with the op and notes how it went. */
struct worker {
    mlr_op       *op;
    mlr_errand_fn fn;
    int           times;
    int           rc;            /* the last one's */
    mlreg_error  *err;
    atomic_bool   is_done;
    pthread_t     thread;
    pthread_t     ran_on;        /* the errand, the last time */
    atomic_int    n_ran;
};

static void *send_errands(void *arg)
{
    struct worker *w = arg;

    for (int i = 0; i < w->times && w->err == NULL; i++)
        w->rc = mlr_op_on_caller(w->op, w->fn, w, &w->err);
    w->is_done = true;
    return NULL;
}

static int note_thread(void *arg, mlreg_error **err)
{
    struct worker *w = arg;

    (void)err;
    w->ran_on = pthread_self();
    w->n_ran++;
    return 42;
}

static int burn(void *arg, mlreg_error **err)
{
    note_thread(arg, NULL);
    return mlr_error_set(err, MLREG_EIO, "the disk is on fire");
}

static void start(struct worker *w)
{
    assert_int_equal(pthread_create(&w->thread, NULL, send_errands, w), 0);
}

static void serve_until_done(struct worker *w)
{
    while (!w->is_done)
        (void)mlr_op_sleep(w->op, 1, NULL);
    pthread_join(w->thread, NULL);
}

static void test_op__an_errand_runs_on_the_caller_s_thread(void **state)
{
    struct worker w = {.fn = note_thread, .times = 1};

    (void)state;
    assert_int_equal(mlr_op_begin(NULL, &w.op, NULL), 0);
    start(&w);
    serve_until_done(&w);
    assert_true(pthread_equal(w.ran_on, pthread_self()));
    assert_int_equal(w.rc, 42);
    assert_null(w.err);
    mlr_op_end(w.op);
}

static void test_op__an_errand_s_failure_comes_back(void **state)
{
    struct worker w = {.fn = burn, .times = 1};

    (void)state;
    assert_int_equal(mlr_op_begin(NULL, &w.op, NULL), 0);
    start(&w);
    serve_until_done(&w);
    assert_int_equal(w.rc, MLREG_EIO);
    assert_string_equal(w.err->message, "the disk is on fire");
    mlr_error_done(w.err);
    mlr_op_end(w.op);
}

static void test_op__the_caller_runs_its_own_errand_at_once(void **state)
{
    struct worker w = {.fn = note_thread, .times = 1};

    (void)state;
    assert_int_equal(mlr_op_begin(NULL, &w.op, NULL), 0);
    send_errands(&w);
    assert_int_equal(w.rc, 42);
    assert_true(pthread_equal(w.ran_on, pthread_self()));
    mlr_op_end(w.op);
}

/* Were errands found only when a slice of the wait ends, 2,000 from each of two workers would take 20 s. */
static void test_op__a_waiting_caller_is_woken_for_errands(void **state)
{
    struct worker w[2] = {{.fn = note_thread, .times = 2000}, {.fn = note_thread, .times = 2000}};
    uint64_t start_ms = now_ms();
    mlr_op *op;

    (void)state;
    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    for (int i = 0; i < 2; i++) {
        w[i].op = op;
        start(&w[i]);
    }
    while (!w[0].is_done || !w[1].is_done)
        (void)mlr_op_sleep(op, 100, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(w[i].thread, NULL);
    assert_int_equal(w[0].n_ran + w[1].n_ran, 4000);
    assert_true(now_ms() - start_ms < 10000);
    mlr_op_end(op);
}

/* What workers tell, as the caller's thread heard it. */
struct told {
    mlr_op    *op;
    pthread_t  caller;
    int        n, numbers[3000];
    bool       is_elsewhere;     /* something ran on another thread */
    int        count;            /* how many are posted */
};
struct note { struct told *to; int number; };

static int tell(void *arg, mlreg_error **err)
{
    struct note *n = arg;

    (void)err;
    n->to->is_elsewhere |= !pthread_equal(pthread_self(), n->to->caller);
    n->to->numbers[n->to->n++] = n->number;
    return 0;
}

static void *post_all(void *arg)
{
    struct told *t = arg;

    for (int i = 0; i < t->count; i++) {
        struct note *n = mlr_alloc(sizeof *n);

        n->to = t;
        n->number = i;
        mlr_op_post(t->op, tell, n);
    }
    return NULL;
}

static void assert_told(const struct told *t)
{
    assert_int_equal(t->n, t->count);
    assert_false(t->is_elsewhere);
    for (int i = 0; i < t->n; i++)
        assert_int_equal(t->numbers[i], i);
}

static void test_op__what_is_posted_runs_in_order_on_the_caller_s_thread_and_nobody_waits(void **state)
{
    struct told t = {.caller = pthread_self(), .count = 100};
    pthread_t thread;

    (void)state;
    assert_int_equal(mlr_op_begin(NULL, &t.op, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, post_all, &t), 0);
    pthread_join(thread, NULL);                 /* it ends though nobody has served it */
    assert_int_equal(t.n, 0);
    assert_int_equal(mlr_op_check(t.op, NULL), 0);
    assert_told(&t);
    mlr_op_end(t.op);
}

static void test_op__what_was_posted_has_run_when_a_cancelled_call_ends(void **state)
{
    struct told t = {.caller = pthread_self(), .count = 100};
    pthread_t thread;

    (void)state;
    assert_int_equal(mlr_op_begin(NULL, &t.op, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, post_all, &t), 0);
    pthread_join(thread, NULL);
    mlr_op_cancel(t.op);
    mlr_op_end(t.op);
    assert_told(&t);
}

/* More than are ever kept: who posts waits then. */
static void test_op__a_caller_that_is_slow_holds_up_who_posts(void **state)
{
    struct told t = {.caller = pthread_self(), .count = 3000};
    pthread_t thread;

    (void)state;
    assert_int_equal(mlr_op_begin(NULL, &t.op, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, post_all, &t), 0);
    while (t.n < t.count)
        (void)mlr_op_sleep(t.op, 1, NULL);
    pthread_join(thread, NULL);
    assert_told(&t);
    mlr_op_end(t.op);
}

static void test_op__the_caller_s_own_post_runs_at_once(void **state)
{
    struct told t = {.caller = pthread_self(), .count = 2};

    (void)state;
    assert_int_equal(mlr_op_begin(NULL, &t.op, NULL), 0);
    post_all(&t);
    assert_told(&t);
    mlr_op_end(t.op);
}

static void test_op__cancel_withdraws_an_errand_that_has_not_begun(void **state)
{
    struct worker w = {.fn = note_thread, .times = 1};
    mlr_op *op;

    (void)state;
    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    assert_int_equal(mlr_op_child(op, &w.op, NULL), 0);
    start(&w);
    nap_ms(20);
    mlr_op_cancel(w.op);
    pthread_join(w.thread, NULL);
    assert_int_equal(w.rc, MLREG_ECANCELLED);
    assert_int_equal(w.err->code, MLREG_ECANCELLED);
    assert_int_equal(mlr_op_check(op, NULL), 0);
    assert_int_equal(w.n_ran, 0);
    mlr_error_done(w.err);
    mlr_op_end(w.op);
    mlr_op_end(op);
}

static int cancel_then_answer(void *arg, mlreg_error **err)
{
    struct worker *w = arg;

    (void)err;
    mlr_op_cancel(w->op);
    nap_ms(120);
    assert_false(w->is_done);
    w->n_ran++;
    return 42;
}

static void test_op__cancel_waits_for_an_errand_that_runs(void **state)
{
    struct worker w = {.fn = cancel_then_answer, .times = 1};
    mlr_op *op;

    (void)state;
    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    assert_int_equal(mlr_op_child(op, &w.op, NULL), 0);
    start(&w);
    while (w.n_ran == 0)
        assert_int_equal(mlr_op_sleep(op, 1, NULL), 0);
    pthread_join(w.thread, NULL);
    assert_int_equal(w.rc, 42);
    assert_null(w.err);
    mlr_op_end(w.op);
    mlr_op_end(op);
}

static int look_around(void *arg, mlreg_error **err)
{
    struct worker *w = arg;

    note_thread(arg, NULL);
    return mlr_op_check(w->op, err);
}

static void test_op__an_errand_is_not_interrupted_by_progress_or_others(void **state)
{
    struct worker w = {.fn = look_around, .times = 200};
    struct calls calls = {0};
    mlreg_op *remote;

    (void)state;
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    mlr_remote_on_progress(remote, count_call, &calls, 1);
    assert_int_equal(mlr_op_begin(remote, &w.op, NULL), 0);
    calls.op = w.op;
    start(&w);
    while (!w.is_done || calls.n < 3)
        assert_int_equal(mlr_op_sleep(w.op, 1, NULL), 0);
    pthread_join(w.thread, NULL);
    assert_int_equal(w.n_ran, 200);
    assert_int_equal(calls.deepest, 1);
    assert_true(pthread_equal(calls.on, pthread_self()));
    mlr_op_end(w.op);
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
        cmocka_unit_test(test_op__an_errand_runs_on_the_caller_s_thread),
        cmocka_unit_test(test_op__an_errand_s_failure_comes_back),
        cmocka_unit_test(test_op__the_caller_runs_its_own_errand_at_once),
        cmocka_unit_test(test_op__a_waiting_caller_is_woken_for_errands),
        cmocka_unit_test(test_op__what_is_posted_runs_in_order_on_the_caller_s_thread_and_nobody_waits),
        cmocka_unit_test(test_op__what_was_posted_has_run_when_a_cancelled_call_ends),
        cmocka_unit_test(test_op__a_caller_that_is_slow_holds_up_who_posts),
        cmocka_unit_test(test_op__the_caller_s_own_post_runs_at_once),
        cmocka_unit_test(test_op__cancel_withdraws_an_errand_that_has_not_begun),
        cmocka_unit_test(test_op__cancel_waits_for_an_errand_that_runs),
        cmocka_unit_test(test_op__an_errand_is_not_interrupted_by_progress_or_others),
        cmocka_unit_test(test_op__workers_never_call_the_user),
        cmocka_unit_test(test_op__begin_without_memory_leaves_nothing_behind),
        cmocka_unit_test(test_op__made_before_a_fork_serves_the_parent_only),
    };

    return cmocka_run_group_tests_name("base/op", tests, NULL, NULL);
}
