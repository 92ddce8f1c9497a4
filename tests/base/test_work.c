/* tests/base/test_work.c - groups of tasks, and waiting. */
#include "base/work.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/error.h"

#define FOREVER_MS 600000        /* a wait that ends only because something ends it */
#define SOON_MS 20000            /* generous: far from FOREVER_MS, even under a sanitizer on a busy machine */
#define N_TASKS 40

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* What the tasks of a test share. */
struct shared {
    mlr_group *group;
    mlr_op    *op;               /* the call's */
    atomic_int n_ran, n_running, most_running, n_elsewhere, n_unmasked, n_cancelled;
    atomic_int gate;             /* tasks that wait for company */
    pthread_t  main;
    int        order[N_TASKS];
};

static void enter(struct shared *s)
{
    int n = ++s->n_running, most = s->most_running;

    while (n > most && !atomic_compare_exchange_weak(&s->most_running, &most, n))
        ;
    if (!pthread_equal(pthread_self(), s->main))
        s->n_elsewhere++;
    s->n_ran++;
}

static int ordinary(void *arg, mlr_op *op, mlreg_error **err)
{
    struct shared *s = arg;
    int rc;

    enter(s);
    rc = mlr_op_sleep(op, 1, err);
    s->n_running--;
    return rc;
}

static int burn(void *arg, mlr_op *op, mlreg_error **err)
{
    (void)op;
    enter(arg);
    return mlr_error_set(err, MLREG_EIO, "the disk is on fire");
}

/* Ends only when it is cancelled. */
static int hang(void *arg, mlr_op *op, mlreg_error **err)
{
    struct shared *s = arg;
    int rc;

    enter(s);
    rc = mlr_op_sleep(op, FOREVER_MS, err);
    s->n_cancelled += rc == MLREG_ECANCELLED;
    return rc;
}

static mlr_group *new_group(struct shared *s, mlr_runtime *rt, mlr_op *op, unsigned width)
{
    s->main = pthread_self();
    s->op = op;
    assert_int_equal(mlr_group_new(rt, op, width, &s->group, NULL), 0);
    return s->group;
}

static void add(struct shared *s, mlr_task_fn fn, int times)
{
    while (times-- > 0)
        assert_int_equal(mlr_group_add(s->group, fn, s, NULL), 0);
}

static void test_work__tasks_run_on_threads_of_the_group(void **state)
{
    struct shared s = {0};
    mlr_group *g = new_group(&s, NULL, NULL, 4);

    (void)state;
    add(&s, ordinary, N_TASKS);
    assert_in_range(mlr_group_threads(g), 1, 4);
    assert_int_equal(mlr_group_wait(g, NULL), 0);
    assert_int_equal(s.n_ran, N_TASKS);
    assert_int_equal(s.n_elsewhere, N_TASKS);
    assert_in_range(s.most_running, 1, 4);
    mlr_group_free(g);
}

static int meet(void *arg, mlr_op *op, mlreg_error **err)
{
    struct shared *s = arg;
    int rc = 0;

    enter(s);
    s->gate++;
    while (rc == 0 && s->gate < 3)
        rc = mlr_op_sleep(op, 1, err);
    return rc;
}

static void test_work__as_many_threads_as_asked_run_at_once(void **state)
{
    struct shared s = {0};
    mlr_group *g = new_group(&s, NULL, NULL, 3);

    (void)state;
    add(&s, meet, 3);
    assert_int_equal(mlr_group_wait(g, NULL), 0);
    assert_int_equal(s.n_ran, 3);
    mlr_group_free(g);
}

static int look_in(void *arg, mlr_op *op, mlreg_error **err)
{
    (void)op;
    (void)err;
    enter(arg);
    return 0;
}

struct numbered {
    struct shared *s;
    int            n;
};

static int note_number(void *arg, mlr_op *op, mlreg_error **err)
{
    struct numbered *t = arg;

    (void)op;
    (void)err;
    enter(t->s);
    t->s->order[t->s->n_ran - 1] = t->n;
    return 0;
}

static void check_order(unsigned width)
{
    struct shared s = {0};
    struct numbered tasks[N_TASKS];
    mlr_group *g = new_group(&s, NULL, NULL, width);

    for (int i = 0; i < N_TASKS; i++) {
        tasks[i] = (struct numbered){&s, i};
        assert_int_equal(mlr_group_add(g, note_number, &tasks[i], NULL), 0);
    }
    if (width == 0)
        assert_int_equal(s.n_ran, 0);
    assert_int_equal(mlr_group_wait(g, NULL), 0);
    for (int i = 0; i < N_TASKS; i++)
        assert_int_equal(s.order[i], i);
    assert_int_equal(s.n_elsewhere, width == 0 ? 0 : N_TASKS);
    mlr_group_free(g);
}

static void test_work__tasks_begin_in_the_order_they_were_added(void **state)
{
    (void)state;
    check_order(1);
}

static void test_work__width_0_runs_inline_at_wait(void **state)
{
    (void)state;
    check_order(0);
}

static void test_work__the_runtime_caps_the_width(void **state)
{
    mlr_limits limits = {.threads = 2};
    struct shared s = {0};
    mlr_runtime *rt;
    mlr_group *g;

    (void)state;
    assert_int_equal(mlr_runtime_new(&limits, &rt, NULL), 0);
    g = new_group(&s, rt, NULL, 8);
    add(&s, ordinary, N_TASKS);
    assert_int_equal(mlr_group_wait(g, NULL), 0);
    assert_in_range(s.most_running, 1, 2);
    mlr_group_free(g);
    mlr_runtime_unref(rt);
}

static void test_work__a_runtime_without_threads_runs_inline(void **state)
{
    mlr_limits limits = {.threads = (uint32_t)MLREG_NONE};
    struct shared s = {0};
    mlr_runtime *rt;
    mlr_group *g;

    (void)state;
    assert_int_equal(mlr_runtime_new(&limits, &rt, NULL), 0);
    g = new_group(&s, rt, NULL, 8);
    add(&s, ordinary, 3);
    assert_int_equal(mlr_group_threads(g), 0);
    assert_int_equal(mlr_group_wait(g, NULL), 0);
    assert_int_equal(s.n_ran, 3);
    assert_int_equal(s.n_elsewhere, 0);
    mlr_group_free(g);
    mlr_runtime_unref(rt);
}

static atomic_int threads_left;

static int start_few(pthread_t *thread, void *(*run)(void *), void *arg)
{
    return threads_left-- > 0 ? pthread_create(thread, NULL, run, arg) : EAGAIN;
}

static void check_few_threads(int n)
{
    struct shared s = {0};
    mlr_group *g = new_group(&s, NULL, NULL, 4);

    threads_left = n;
    mlr_work_use(start_few);
    add(&s, ordinary, N_TASKS);
    assert_int_equal(mlr_group_threads(g), n);
    assert_int_equal(mlr_group_wait(g, NULL), 0);
    mlr_work_use(NULL);
    assert_int_equal(s.n_ran, N_TASKS);
    assert_int_equal(s.n_elsewhere, n > 0 ? N_TASKS : 0);
    assert_int_equal(s.most_running, 1);
    mlr_group_free(g);
}

static void test_work__no_thread_to_be_had_runs_inline(void **state)
{
    (void)state;
    check_few_threads(0);
}

static void test_work__one_thread_to_be_had_does_it_all(void **state)
{
    (void)state;
    check_few_threads(1);
}

static int look_at_mask(void *arg, mlr_op *op, mlreg_error **err)
{
    struct shared *s = arg;
    sigset_t mask;

    (void)op;
    (void)err;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    s->n_unmasked += !sigismember(&mask, SIGINT) || !sigismember(&mask, SIGTERM) || !sigismember(&mask, SIGCHLD);
    enter(s);
    return 0;
}

static void test_work__threads_block_all_signals_and_the_caller_s_mask_stays(void **state)
{
    struct shared s = {0};
    mlr_group *g = new_group(&s, NULL, NULL, 2);
    sigset_t mask;

    (void)state;
    add(&s, look_at_mask, 4);
    assert_int_equal(mlr_group_wait(g, NULL), 0);
    assert_int_equal(s.n_ran, 4);
    assert_int_equal(s.n_unmasked, 0);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_false(sigismember(&mask, SIGINT));
    mlr_group_free(g);
}

static int burn_in_company(void *arg, mlr_op *op, mlreg_error **err)
{
    struct shared *s = arg;

    while (s->n_ran < 2)
        (void)mlr_op_sleep(op, 1, NULL);
    return burn(arg, op, err);
}

static void test_work__the_first_failure_cancels_the_others_and_is_the_result(void **state)
{
    struct shared s = {0};
    mlreg_error *err = NULL;
    uint64_t start_ms = now_ms();
    mlr_group *g;
    mlr_op *op;

    (void)state;
    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    g = new_group(&s, NULL, op, 3);
    add(&s, hang, 2);
    add(&s, burn_in_company, 1);
    assert_int_equal(mlr_group_wait(g, &err), MLREG_EIO);
    assert_string_equal(err->message, "the disk is on fire");
    assert_int_equal(s.n_cancelled, 2);
    assert_false(mlr_op_cancelled(op));
    assert_true(now_ms() - start_ms < SOON_MS);
    mlr_error_done(err);
    mlr_group_free(g);
    mlr_op_end(op);
}

static void test_work__what_goes_on_beside_the_tasks_ends_with_them(void **state)
{
    struct shared s = {0};
    mlr_group *g = new_group(&s, NULL, NULL, 1);

    (void)state;
    add(&s, burn, 1);
    assert_int_equal(mlr_op_sleep(mlr_group_op(g), FOREVER_MS, NULL), MLREG_ECANCELLED);
    assert_int_equal(mlr_group_wait(g, NULL), MLREG_EIO);
    mlr_group_free(g);
}

static void check_rest_left_out(unsigned width)
{
    struct shared s = {0};
    mlr_group *g = new_group(&s, NULL, NULL, width);

    add(&s, burn, 1);
    add(&s, ordinary, N_TASKS);
    assert_int_equal(mlr_group_wait(g, NULL), MLREG_EIO);
    assert_int_equal(s.n_ran, 1);
    mlr_group_free(g);
}

static void test_work__what_had_not_begun_is_left_out(void **state)
{
    (void)state;
    check_rest_left_out(0);
    check_rest_left_out(1);
}

static void test_work__a_group_can_be_used_again_even_after_a_failure(void **state)
{
    struct shared s = {0};
    mlr_group *g = new_group(&s, NULL, NULL, 2);

    (void)state;
    add(&s, burn, 1);
    assert_int_equal(mlr_group_wait(g, NULL), MLREG_EIO);
    for (int i = 0; i < 3; i++) {
        add(&s, ordinary, 5);
        assert_int_equal(mlr_group_wait(g, NULL), 0);
    }
    assert_int_equal(s.n_ran, 16);
    mlr_group_free(g);
}

static void test_work__waiting_for_nothing_is_fine(void **state)
{
    struct shared s = {0};
    mlr_group *g = new_group(&s, NULL, NULL, 2);

    (void)state;
    assert_int_equal(mlr_group_wait(g, NULL), 0);
    mlr_group_free(g);
    mlr_group_free(NULL);
}

static int add_more(void *arg, mlr_op *op, mlreg_error **err)
{
    struct shared *s = arg;
    int rc = 0;

    (void)op;
    enter(s);
    s->n_running--;
    for (int i = 0; rc == 0 && i < 5; i++)
        rc = mlr_group_add(s->group, ordinary, s, err);
    return rc;
}

static void check_tasks_add_tasks(unsigned width)
{
    struct shared s = {0};
    mlr_group *g = new_group(&s, NULL, NULL, width);

    add(&s, add_more, 4);
    assert_int_equal(mlr_group_wait(g, NULL), 0);
    assert_int_equal(s.n_ran, 24);
    mlr_group_free(g);
}

static void test_work__tasks_may_add_tasks(void **state)
{
    (void)state;
    check_tasks_add_tasks(0);
    check_tasks_add_tasks(1);
    check_tasks_add_tasks(3);
}

static int group_within(void *arg, mlr_op *op, mlreg_error **err)
{
    struct shared *s = arg, inner = {.main = s->main};
    mlr_group *g;
    int rc = mlr_group_new(NULL, op, 2, &g, err);

    if (rc < 0)
        return rc;
    for (int i = 0; rc == 0 && i < 4; i++)
        rc = mlr_group_add(g, ordinary, &inner, err);
    if (rc == 0)
        rc = mlr_group_wait(g, err);
    mlr_group_free(g);
    s->n_ran += inner.n_ran;
    return rc;
}

static void test_work__groups_stand_in_groups(void **state)
{
    struct shared s = {0};
    mlr_op *op;

    (void)state;
    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    new_group(&s, NULL, op, 2);
    add(&s, group_within, 3);
    assert_int_equal(mlr_group_wait(s.group, NULL), 0);
    assert_int_equal(s.n_ran, 12);
    mlr_group_free(s.group);
    mlr_op_end(op);
}

static void *cancel_when_running(void *arg)
{
    struct shared *s = arg;

    while (s->n_ran == 0)
        (void)mlr_op_sleep(NULL, 1, NULL);
    mlr_op_cancel(s->op);
    return NULL;
}

/* As curl does: what an interrupted transfer says has nothing to do with why. */
static int hang_then_blame_the_network(void *arg, mlr_op *op, mlreg_error **err)
{
    (void)hang(arg, op, NULL);
    return mlr_error_set(err, MLREG_ENET, "the callback stopped the transfer");
}

static void check_cancelled_from_outside(unsigned width, mlr_task_fn fn)
{
    struct shared s = {0};
    mlreg_error *err = NULL;
    pthread_t other;
    mlr_op *op;

    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    new_group(&s, NULL, op, width);
    add(&s, fn, 3);
    assert_int_equal(pthread_create(&other, NULL, cancel_when_running, &s), 0);
    assert_int_equal(mlr_group_wait(s.group, &err), MLREG_ECANCELLED);
    assert_int_equal(err->code, MLREG_ECANCELLED);
    pthread_join(other, NULL);
    mlr_error_done(err);
    mlr_group_free(s.group);
    mlr_op_end(op);
}

static void test_work__a_cancelled_call_is_cancelled_whatever_its_tasks_say(void **state)
{
    (void)state;
    check_cancelled_from_outside(0, hang);
    check_cancelled_from_outside(2, hang);
    check_cancelled_from_outside(2, hang_then_blame_the_network);
}

static void test_work__free_cancels_and_joins(void **state)
{
    struct shared s = {0};
    uint64_t start_ms = now_ms();
    mlr_group *g = new_group(&s, NULL, NULL, 2);

    (void)state;
    add(&s, hang, 2);
    while (s.n_ran < 2)
        (void)mlr_op_sleep(NULL, 1, NULL);
    add(&s, ordinary, 3);
    mlr_group_free(g);
    assert_int_equal(s.n_cancelled, 2);
    assert_int_equal(s.n_ran, 2);
    assert_true(now_ms() - start_ms < SOON_MS);
}

static int note_errand(void *arg, mlreg_error **err)
{
    struct shared *s = arg;

    (void)err;
    s->n_elsewhere -= pthread_equal(pthread_self(), s->main) ? 1 : 0;
    return 0;
}

static int send_errand(void *arg, mlr_op *op, mlreg_error **err)
{
    enter(arg);
    return mlr_op_on_caller(op, note_errand, arg, err);
}

static void test_work__errands_are_done_while_waiting_for_a_group(void **state)
{
    struct shared s = {0};
    mlr_op *op;

    (void)state;
    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    new_group(&s, NULL, op, 3);
    add(&s, send_errand, N_TASKS);
    assert_int_equal(mlr_group_wait(s.group, NULL), 0);
    assert_int_equal(s.n_ran, N_TASKS);
    assert_int_equal(s.n_elsewhere, 0);
    mlr_group_free(s.group);
    mlr_op_end(op);
}

/* A failure meets siblings' errands: queued, under way, or not thought of yet. */
static void test_work__a_failure_among_errands_ends_well(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct shared s = {0};
        mlr_op *op;

        assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
        new_group(&s, NULL, op, 4);
        add(&s, send_errand, i % 7);
        add(&s, burn, 1);
        add(&s, send_errand, 7);
        assert_int_equal(mlr_group_wait(s.group, NULL), MLREG_EIO);
        mlr_group_free(s.group);
        mlr_op_end(op);
    }
}

static int count_progress(mlreg_op *remote, void *user)
{
    (void)remote;
    ++*(int *)user;
    return 0;
}

static int sleep_60_ms(void *arg, mlr_op *op, mlreg_error **err)
{
    enter(arg);
    return mlr_op_sleep(op, 60, err);
}

static void test_work__progress_comes_while_waiting_for_a_group(void **state)
{
    struct shared s = {0};
    mlreg_op *remote;
    mlr_op *op;
    int n = 0;

    (void)state;
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    mlr_remote_on_progress(remote, count_progress, &n, 2);
    assert_int_equal(mlr_op_begin(remote, &op, NULL), 0);
    new_group(&s, NULL, op, 1);
    while (n < 3) {
        add(&s, sleep_60_ms, 1);
        assert_int_equal(mlr_group_wait(s.group, NULL), 0);
    }
    mlr_group_free(s.group);
    mlr_op_end(op);
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

static void test_work__survives_running_out_of_memory_anywhere(void **state)
{
    static const mlr_allocator scarce = {scarce_resize, scarce_release, NULL};
    int rc, n = 0;

    (void)state;
    do {
        struct shared s = {.main = pthread_self()};
        mlreg_error *err = NULL;

        left_to_grant = n++;
        mlr_alloc_use(&scarce);
        rc = mlr_group_new(NULL, NULL, 2, &s.group, &err);
        if (rc == 0)
            rc = mlr_group_add(s.group, look_in, &s, &err);
        if (rc == 0)
            rc = mlr_group_wait(s.group, &err);
        assert_true(rc == 0 || (rc == MLREG_ENOMEM && err != NULL));
        assert_int_equal(s.n_ran, rc == 0 ? 1 : 0);
        mlr_error_done(err);
        mlr_group_free(s.group);
        mlr_alloc_use(NULL);
    } while (rc < 0 || left_to_grant < 1);
    assert_true(n > 4);
}

static void test_work__a_wait_ends_with_its_time(void **state)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    uint64_t start_ms = now_ms();

    (void)state;
    pthread_mutex_lock(&lock);
    while (now_ms() - start_ms < 30)
        assert_int_equal(mlr_work_wait_ms(&cond, &lock, 10, NULL, NULL), 0);
    pthread_mutex_unlock(&lock);
    assert_true(now_ms() - start_ms < SOON_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_work__tasks_run_on_threads_of_the_group),
        cmocka_unit_test(test_work__as_many_threads_as_asked_run_at_once),
        cmocka_unit_test(test_work__tasks_begin_in_the_order_they_were_added),
        cmocka_unit_test(test_work__width_0_runs_inline_at_wait),
        cmocka_unit_test(test_work__the_runtime_caps_the_width),
        cmocka_unit_test(test_work__a_runtime_without_threads_runs_inline),
        cmocka_unit_test(test_work__no_thread_to_be_had_runs_inline),
        cmocka_unit_test(test_work__one_thread_to_be_had_does_it_all),
        cmocka_unit_test(test_work__threads_block_all_signals_and_the_caller_s_mask_stays),
        cmocka_unit_test(test_work__the_first_failure_cancels_the_others_and_is_the_result),
        cmocka_unit_test(test_work__what_goes_on_beside_the_tasks_ends_with_them),
        cmocka_unit_test(test_work__what_had_not_begun_is_left_out),
        cmocka_unit_test(test_work__a_group_can_be_used_again_even_after_a_failure),
        cmocka_unit_test(test_work__waiting_for_nothing_is_fine),
        cmocka_unit_test(test_work__tasks_may_add_tasks),
        cmocka_unit_test(test_work__groups_stand_in_groups),
        cmocka_unit_test(test_work__a_cancelled_call_is_cancelled_whatever_its_tasks_say),
        cmocka_unit_test(test_work__free_cancels_and_joins),
        cmocka_unit_test(test_work__errands_are_done_while_waiting_for_a_group),
        cmocka_unit_test(test_work__a_failure_among_errands_ends_well),
        cmocka_unit_test(test_work__progress_comes_while_waiting_for_a_group),
        cmocka_unit_test(test_work__survives_running_out_of_memory_anywhere),
        cmocka_unit_test(test_work__a_wait_ends_with_its_time),
    };

    return cmocka_run_group_tests_name("base/work", tests, NULL, NULL);
}
