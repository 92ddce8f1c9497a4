/* tests/base/test_errands.c - what workers want done on the caller's thread: waited for, or only told. */
#include "base/op.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/op_bed.h"

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

static void test_errands__an_errand_runs_on_the_caller_s_thread(void **state)
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

static void test_errands__an_errand_s_failure_comes_back(void **state)
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

static void test_errands__the_caller_runs_its_own_errand_at_once(void **state)
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
static void test_errands__a_waiting_caller_is_woken_for_errands(void **state)
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

static pthread_t post_from_another_thread(struct told *t)
{
    pthread_t thread;

    assert_int_equal(mlr_op_begin(NULL, &t->op, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, post_all, t), 0);
    return thread;
}

static void assert_told(const struct told *t)
{
    assert_int_equal(t->n, t->count);
    assert_false(t->is_elsewhere);
    for (int i = 0; i < t->n; i++)
        assert_int_equal(t->numbers[i], i);
}

static void test_errands__what_is_posted_runs_in_order_on_the_caller_s_thread_and_nobody_waits(void **state)
{
    struct told t = {.caller = pthread_self(), .count = 100};

    (void)state;
    pthread_join(post_from_another_thread(&t), NULL);      /* it ends though nobody has served it */
    assert_int_equal(t.n, 0);
    assert_int_equal(mlr_op_check(t.op, NULL), 0);
    assert_told(&t);
    mlr_op_end(t.op);
}

static void test_errands__what_was_posted_has_run_when_a_cancelled_call_ends(void **state)
{
    struct told t = {.caller = pthread_self(), .count = 100};

    (void)state;
    pthread_join(post_from_another_thread(&t), NULL);
    mlr_op_cancel(t.op);
    mlr_op_end(t.op);
    assert_told(&t);
}

/* More than are ever kept: who posts waits then. */
static void test_errands__a_caller_that_is_slow_holds_up_who_posts(void **state)
{
    struct told t = {.caller = pthread_self(), .count = 3000};
    pthread_t thread;

    (void)state;
    thread = post_from_another_thread(&t);
    while (t.n < t.count)
        (void)mlr_op_sleep(t.op, 1, NULL);
    pthread_join(thread, NULL);
    assert_told(&t);
    mlr_op_end(t.op);
}

static void test_errands__the_caller_s_own_post_runs_at_once(void **state)
{
    struct told t = {.caller = pthread_self(), .count = 2};

    (void)state;
    assert_int_equal(mlr_op_begin(NULL, &t.op, NULL), 0);
    post_all(&t);
    assert_told(&t);
    mlr_op_end(t.op);
}

static void test_errands__cancel_withdraws_an_errand_that_has_not_begun(void **state)
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

static void test_errands__cancel_waits_for_an_errand_that_runs(void **state)
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

static void test_errands__an_errand_is_not_interrupted_by_progress_or_others(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errands__an_errand_runs_on_the_caller_s_thread),
        cmocka_unit_test(test_errands__an_errand_s_failure_comes_back),
        cmocka_unit_test(test_errands__the_caller_runs_its_own_errand_at_once),
        cmocka_unit_test(test_errands__a_waiting_caller_is_woken_for_errands),
        cmocka_unit_test(test_errands__what_is_posted_runs_in_order_on_the_caller_s_thread_and_nobody_waits),
        cmocka_unit_test(test_errands__what_was_posted_has_run_when_a_cancelled_call_ends),
        cmocka_unit_test(test_errands__a_caller_that_is_slow_holds_up_who_posts),
        cmocka_unit_test(test_errands__the_caller_s_own_post_runs_at_once),
        cmocka_unit_test(test_errands__cancel_withdraws_an_errand_that_has_not_begun),
        cmocka_unit_test(test_errands__cancel_waits_for_an_errand_that_runs),
        cmocka_unit_test(test_errands__an_errand_is_not_interrupted_by_progress_or_others),
    };

    return cmocka_run_group_tests_name("base/errands", tests, NULL, NULL);
}
