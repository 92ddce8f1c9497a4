/* tests/base/test_runtime.c - the budgets that sessions share. */
#include "base/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/work.h"

#define MIB (UINT64_C(1) << 20)

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
    fake_now_ms = 5000;
    mlr_clock_use(&fake_clock);
    return 0;
}

static int use_real_clock(void **state)
{
    (void)state;
    mlr_clock_use(NULL);
    return 0;
}

static mlr_runtime *new_runtime(mlr_limits limits)
{
    mlr_runtime *rt;

    assert_int_equal(mlr_runtime_new(&limits, &rt, NULL), 0);
    return rt;
}

static void test_runtime__defaults(void **state)
{
    const mlr_limits *limits;
    mlr_runtime *rt;

    (void)state;
    assert_int_equal(mlr_runtime_new(NULL, &rt, NULL), 0);
    limits = mlr_runtime_limits(rt);
    assert_in_range(limits->threads, 4, 8);
    assert_int_equal(limits->connections, 100);
    assert_int_equal(limits->memory_bytes, 32 * MIB);
    assert_int_equal(limits->bytes_per_s, MLREG_NONE);
    mlr_runtime_unref(rt);
}

static void test_runtime__keeps_what_was_asked_for(void **state)
{
    mlr_runtime *rt = new_runtime((mlr_limits){(uint32_t)MLREG_NONE, 3, 5, 7, 0});
    const mlr_limits *limits = mlr_runtime_limits(rt);

    (void)state;
    assert_int_equal(limits->threads, UINT32_MAX);
    assert_int_equal(limits->connections, 3);
    assert_int_equal(limits->memory_bytes, 5);
    assert_int_equal(limits->bytes_per_s, 7);
    mlr_runtime_unref(rt);
}

static void test_runtime__lives_until_the_last_reference(void **state)
{
    mlr_runtime *rt = new_runtime((mlr_limits){0}), *same = mlr_runtime_ref(rt);

    (void)state;
    assert_ptr_equal(rt, same);
    mlr_runtime_unref(rt);
    assert_int_equal(mlr_runtime_limits(same)->connections, 100);
    mlr_runtime_unref(same);
    mlr_runtime_unref(NULL);
    assert_null(mlr_runtime_ref(NULL));
}

static void test_runtime__none_means_no_limits(void **state)
{
    (void)state;
    assert_int_equal(mlr_runtime_connection_take(NULL, NULL, NULL), 0);
    mlr_runtime_connection_give(NULL, pthread_self());
    assert_int_equal(mlr_runtime_memory_take(NULL, UINT64_MAX, NULL, NULL), 0);
    mlr_runtime_memory_give(NULL, UINT64_MAX);
    assert_int_equal(mlr_runtime_pace(NULL, UINT64_MAX, NULL, NULL), 0);
}

/* Tasks that all want a share, and how much is out at once. */
struct crowd {
    mlr_runtime    *rt;
    uint64_t        bytes;       /* each takes; 0: a connection */
    _Atomic int64_t out, most_out;
    atomic_int      n_served, n_begun;
};

static int take_one(void *arg, mlr_op *op, mlreg_error **err)
{
    struct crowd *c = arg;
    int64_t amount = c->bytes > 0 ? (int64_t)c->bytes : 1, out, most;
    int rc;

    c->n_begun++;
    rc = c->bytes > 0 ? mlr_runtime_memory_take(c->rt, c->bytes, op, err) : mlr_runtime_connection_take(c->rt, op, err);
    if (rc < 0)
        return rc;
    out = atomic_fetch_add(&c->out, amount) + amount;
    most = c->most_out;
    while (out > most && !atomic_compare_exchange_weak(&c->most_out, &most, out))
        ;
    rc = mlr_op_sleep(op, 1, err);
    atomic_fetch_sub(&c->out, amount);
    c->n_served++;
    if (c->bytes > 0)
        mlr_runtime_memory_give(c->rt, c->bytes);
    else
        mlr_runtime_connection_give(c->rt, pthread_self());
    return rc;
}

static void check_crowd(struct crowd *c, int n, int64_t most)
{
    mlr_group *g;

    assert_int_equal(mlr_group_new(NULL, NULL, 6, &g, NULL), 0);
    for (int i = 0; i < n; i++)
        assert_int_equal(mlr_group_add(g, take_one, c, NULL), 0);
    assert_int_equal(mlr_group_wait(g, NULL), 0);
    assert_int_equal(c->n_served, n);
    assert_in_range(c->most_out, 1, most);
    mlr_group_free(g);
    mlr_runtime_unref(c->rt);
}

static void test_runtime__connections_stay_within_their_number(void **state)
{
    struct crowd c = {.rt = new_runtime((mlr_limits){.connections = 2})};

    (void)state;
    check_crowd(&c, 30, 2);
}

static void test_runtime__memory_stays_within_the_budget(void **state)
{
    struct crowd c = {.rt = new_runtime((mlr_limits){.memory_bytes = 10}), .bytes = 3};

    (void)state;
    check_crowd(&c, 30, 9);
}

static void test_runtime__more_than_the_whole_budget_is_granted_alone(void **state)
{
    struct crowd c = {.rt = new_runtime((mlr_limits){.memory_bytes = 10}), .bytes = 25};

    (void)state;
    check_crowd(&c, 8, 25);
}

static void test_runtime__the_whole_budget_fits_exactly(void **state)
{
    mlr_runtime *rt = new_runtime((mlr_limits){.memory_bytes = 10});

    (void)state;
    assert_int_equal(mlr_runtime_memory_take(rt, 4, NULL, NULL), 0);
    assert_int_equal(mlr_runtime_memory_take(rt, 6, NULL, NULL), 0);
    mlr_runtime_memory_give(rt, 6);
    mlr_runtime_memory_give(rt, 4);
    assert_int_equal(mlr_runtime_memory_take(rt, 10, NULL, NULL), 0);
    mlr_runtime_memory_give(rt, 10);
    mlr_runtime_unref(rt);
}

static void await(const atomic_int *n, int least)
{
    while (*n < least)
        (void)mlr_op_sleep(NULL, 1, NULL);
}

/* 8 of 10 are out. One wants 5; one that wants 1 and comes later would fit, but must not overtake. */
static void test_runtime__a_large_claim_is_not_overtaken(void **state)
{
    mlr_runtime *rt = new_runtime((mlr_limits){.memory_bytes = 10});
    struct crowd large = {.rt = rt, .bytes = 5}, small = {.rt = rt, .bytes = 1};
    mlr_group *g;

    (void)state;
    assert_int_equal(mlr_runtime_memory_take(rt, 8, NULL, NULL), 0);
    assert_int_equal(mlr_group_new(NULL, NULL, 2, &g, NULL), 0);
    assert_int_equal(mlr_group_add(g, take_one, &large, NULL), 0);
    await(&large.n_begun, 1);
    (void)mlr_op_sleep(NULL, 50, NULL);         /* to be in the queue, not only on the way to it */
    assert_int_equal(mlr_group_add(g, take_one, &small, NULL), 0);
    await(&small.n_begun, 1);
    (void)mlr_op_sleep(NULL, 50, NULL);
    assert_int_equal(small.n_served, 0);
    mlr_runtime_memory_give(rt, 8);
    assert_int_equal(mlr_group_wait(g, NULL), 0);
    assert_int_equal(large.n_served + small.n_served, 2);
    mlr_group_free(g);
    mlr_runtime_unref(rt);
}

static void *cancel(void *arg)
{
    (void)mlr_op_sleep(NULL, 30, NULL);
    mlr_op_cancel(arg);
    return NULL;
}

struct taker { mlr_runtime *rt; mlr_op *op; mlreg_error *err; int rc; };

static void *take_and_keep(void *arg)
{
    struct taker *t = arg;

    t->rc = mlr_runtime_connection_take(t->rt, t->op, &t->err);
    return NULL;
}

/* On a thread of its own, which has ended when this returns; its name is in *thread. */
static int take_elsewhere(mlr_runtime *rt, mlr_op *op, pthread_t *thread)
{
    struct taker t = {.rt = rt, .op = op};

    assert_int_equal(pthread_create(thread, NULL, take_and_keep, &t), 0);
    pthread_join(*thread, NULL);
    assert_null(t.err);
    return t.rc;
}

static void test_runtime__cancel_ends_the_wait_and_leaves_the_queue(void **state)
{
    mlr_runtime *rt = new_runtime((mlr_limits){.connections = 1});
    mlr_op *op;
    struct taker waits = {.rt = rt};
    pthread_t waiting;

    (void)state;
    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    waits.op = op;
    assert_int_equal(mlr_runtime_connection_take(rt, op, NULL), 0);
    assert_int_equal(pthread_create(&waiting, NULL, take_and_keep, &waits), 0);
    (void)mlr_op_sleep(NULL, 30, NULL);
    mlr_op_cancel(op);
    pthread_join(waiting, NULL);
    assert_int_equal(waits.rc, MLREG_ECANCELLED);
    assert_int_equal(waits.err->code, MLREG_ECANCELLED);
    mlr_runtime_connection_give(rt, pthread_self());
    assert_int_equal(mlr_runtime_connection_take(rt, op, NULL), MLREG_ECANCELLED);
    assert_int_equal(mlr_runtime_connection_take(rt, NULL, NULL), 0);
    mlr_runtime_connection_give(rt, pthread_self());
    mlr_error_done(waits.err);
    mlr_op_end(op);
    mlr_runtime_unref(rt);
}

static void test_runtime__who_holds_a_connection_gets_another_at_once(void **state)
{
    mlr_runtime *rt = new_runtime((mlr_limits){.connections = 1});
    struct taker waits = {.rt = rt};
    pthread_t other;

    (void)state;
    assert_int_equal(mlr_runtime_connection_take(rt, NULL, NULL), 0);
    assert_int_equal(mlr_runtime_connection_take(rt, NULL, NULL), 0);
    assert_int_equal(pthread_create(&other, NULL, take_and_keep, &waits), 0);
    mlr_runtime_connection_give(rt, pthread_self());
    (void)mlr_op_sleep(NULL, 30, NULL);
    mlr_runtime_connection_give(rt, pthread_self());   /* only now is one free for the other */
    pthread_join(other, NULL);
    assert_int_equal(waits.rc, 0);
    mlr_runtime_connection_give(rt, other);
    mlr_runtime_unref(rt);
}

static void test_runtime__a_connection_may_be_given_back_by_another_thread(void **state)
{
    mlr_runtime *rt = new_runtime((mlr_limits){.connections = 1});
    pthread_t other;

    (void)state;
    assert_int_equal(take_elsewhere(rt, NULL, &other), 0);
    mlr_runtime_connection_give(rt, other);
    assert_int_equal(mlr_runtime_connection_take(rt, NULL, NULL), 0);
    mlr_runtime_connection_give(rt, pthread_self());
    mlr_runtime_unref(rt);
}

static void test_runtime__pace_keeps_the_rate(void **state)
{
    mlr_runtime *rt = new_runtime((mlr_limits){.bytes_per_s = 1000000});

    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(mlr_runtime_pace(rt, 1300, NULL, NULL), 0);
    assert_in_range(fake_now_ms, 5000 + 1198, 5000 + 1200);   /* 1.3 s less the burst */
    mlr_runtime_unref(rt);
}

static void test_runtime__pace_lets_a_burst_through_after_a_pause(void **state)
{
    mlr_runtime *rt = new_runtime((mlr_limits){.bytes_per_s = 1000000});

    (void)state;
    for (int i = 0; i < 3; i++) {
        fake_now_ms += 60000;                   /* a minute of silence earns no more than 100 ms */
        assert_int_equal(mlr_runtime_pace(rt, 100000, NULL, NULL), 0);
        assert_int_equal(fake_now_ms, 5000 + (uint64_t)(i + 1) * 60000 + (uint64_t)i * 500);
        assert_int_equal(mlr_runtime_pace(rt, 500000, NULL, NULL), 0);
    }
    mlr_runtime_unref(rt);
}

static void test_runtime__pace_without_a_limit_does_not_wait(void **state)
{
    mlr_runtime *rt = new_runtime((mlr_limits){0});

    (void)state;
    assert_int_equal(mlr_runtime_pace(rt, UINT64_MAX, NULL, NULL), 0);
    assert_int_equal(fake_now_ms, 5000);
    mlr_runtime_unref(rt);
}

static void test_runtime__pace_ends_with_a_cancel(void **state)
{
    mlr_runtime *rt = new_runtime((mlr_limits){.bytes_per_s = 1});
    pthread_t other;
    mlr_op *op;

    (void)state;
    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    assert_int_equal(pthread_create(&other, NULL, cancel, op), 0);
    assert_int_equal(mlr_runtime_pace(rt, 1000000, op, NULL), MLREG_ECANCELLED);
    pthread_join(other, NULL);
    mlr_op_end(op);
    mlr_runtime_unref(rt);
}

static int send_paced(void *arg, mlr_op *op, mlreg_error **err)
{
    int rc = 0;

    for (int i = 0; rc == 0 && i < 10; i++)
        rc = mlr_runtime_pace(arg, 10000, op, err);
    return rc;
}

static void test_runtime__threads_share_the_rate(void **state)
{
    mlr_runtime *rt = new_runtime((mlr_limits){.bytes_per_s = 1000000});
    uint64_t start_ms = mlr_clock_ms();
    mlr_group *g;

    (void)state;
    assert_int_equal(mlr_group_new(NULL, NULL, 4, &g, NULL), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(mlr_group_add(g, send_paced, rt, NULL), 0);
    assert_int_equal(mlr_group_wait(g, NULL), 0);
    assert_true(mlr_clock_ms() - start_ms >= 295);            /* 0.4 s less the burst; alone each would need none */
    mlr_group_free(g);
    mlr_runtime_unref(rt);
}

static void test_runtime__knows_the_process_that_made_it(void **state)
{
    mlr_runtime *rt = NULL;
    pid_t child;
    int status;

    (void)state;
    assert_int_equal(mlr_runtime_new(NULL, &rt, NULL), 0);
    assert_true(mlr_runtime_is_ours(rt));
    if ((child = fork()) == 0)
        _exit(mlr_runtime_is_ours(rt) ? 1 : 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    mlr_runtime_unref(rt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runtime__defaults),
        cmocka_unit_test(test_runtime__keeps_what_was_asked_for),
        cmocka_unit_test(test_runtime__lives_until_the_last_reference),
        cmocka_unit_test(test_runtime__none_means_no_limits),
        cmocka_unit_test(test_runtime__connections_stay_within_their_number),
        cmocka_unit_test(test_runtime__memory_stays_within_the_budget),
        cmocka_unit_test(test_runtime__more_than_the_whole_budget_is_granted_alone),
        cmocka_unit_test(test_runtime__the_whole_budget_fits_exactly),
        cmocka_unit_test(test_runtime__a_large_claim_is_not_overtaken),
        cmocka_unit_test(test_runtime__cancel_ends_the_wait_and_leaves_the_queue),
        cmocka_unit_test(test_runtime__who_holds_a_connection_gets_another_at_once),
        cmocka_unit_test(test_runtime__a_connection_may_be_given_back_by_another_thread),
        cmocka_unit_test_setup_teardown(test_runtime__pace_keeps_the_rate, use_fake_clock, use_real_clock),
        cmocka_unit_test_setup_teardown(test_runtime__pace_lets_a_burst_through_after_a_pause, use_fake_clock,
                                        use_real_clock),
        cmocka_unit_test_setup_teardown(test_runtime__pace_without_a_limit_does_not_wait, use_fake_clock,
                                        use_real_clock),
        cmocka_unit_test(test_runtime__pace_ends_with_a_cancel),
        cmocka_unit_test(test_runtime__threads_share_the_rate),
        cmocka_unit_test(test_runtime__knows_the_process_that_made_it),
    };

    return cmocka_run_group_tests_name("base/runtime", tests, NULL, NULL);
}
