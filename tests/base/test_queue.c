/* tests/base/test_queue.c - pointers from thread to thread: all, in order, until closed or cancelled. */
#include "base/work.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/error.h"

#define N_PRODUCERS 3
#define N_EACH 1000

struct shared {
    mlr_queue *queue;
    atomic_int n_begun, n_taken, n_done;
};

static int put_all(void *arg, mlr_op *op, mlreg_error **err)
{
    struct shared *s = arg;
    int rc = 0;

    s->n_begun++;
    for (int i = 0; rc == 0 && i < N_EACH; i++)
        rc = mlr_queue_put(s->queue, s, op, err);
    if (rc == 0 && ++s->n_done == N_PRODUCERS)
        mlr_queue_close(s->queue);
    return rc;
}

static int take_all(void *arg, mlr_op *op, mlreg_error **err)
{
    struct shared *s = arg;
    void *item;
    int rc;

    s->n_begun++;
    while ((rc = mlr_queue_take(s->queue, &item, op, err)) > 0)
        s->n_taken += item == s;
    return rc;
}

static int give_up(void *arg, mlr_op *op, mlreg_error **err)
{
    struct shared *s = arg;

    while (s->n_begun == 0)
        (void)mlr_op_sleep(op, 1, NULL);
    return mlr_error_set(err, MLREG_EIO, "the disk is on fire");
}

static mlr_group *new_group(unsigned width)
{
    mlr_group *g;

    assert_int_equal(mlr_group_new(NULL, NULL, width, &g, NULL), 0);
    return g;
}

static void add(mlr_group *g, mlr_task_fn fn, struct shared *s, int times)
{
    while (times-- > 0)
        assert_int_equal(mlr_group_add(g, fn, s, NULL), 0);
}

static void test_queue__gives_in_order_and_drains_after_close(void **state)
{
    int items[3];
    mlr_queue *q;
    void *item;

    (void)state;
    assert_int_equal(mlr_queue_new(3, &q, NULL), 0);
    for (int round = 0; round < 2; round++)     /* moves the ring's start */
        for (int i = 0; i < 2; i++) {
            assert_int_equal(mlr_queue_put(q, &items[i], NULL, NULL), 0);
            assert_int_equal(mlr_queue_take(q, &item, NULL, NULL), 1);
            assert_ptr_equal(item, &items[i]);
        }
    for (int i = 0; i < 3; i++)
        assert_int_equal(mlr_queue_put(q, &items[i], NULL, NULL), 0);
    mlr_queue_close(q);
    assert_int_equal(mlr_queue_put(q, &items[0], NULL, NULL), MLREG_ESTATE);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(mlr_queue_take(q, &item, NULL, NULL), 1);
        assert_ptr_equal(item, &items[i]);
    }
    assert_int_equal(mlr_queue_take(q, &item, NULL, NULL), 0);
    mlr_queue_free(q);
    mlr_queue_free(NULL);
}

static void test_queue__of_a_size_that_cannot_be_is_out_of_memory(void **state)
{
    mlr_queue *q = NULL;

    (void)state;
    assert_int_equal(mlr_queue_new(SIZE_MAX / 8, &q, NULL), MLREG_ENOMEM);
    assert_null(q);
}

static void test_queue__carries_everything_between_many_threads(void **state)
{
    mlr_group *g = new_group(N_PRODUCERS + 2);
    struct shared s = {0};

    (void)state;
    assert_int_equal(mlr_queue_new(4, &s.queue, NULL), 0);
    add(g, put_all, &s, N_PRODUCERS);
    add(g, take_all, &s, 2);
    assert_int_equal(mlr_group_wait(g, NULL), 0);
    assert_int_equal(s.n_taken, N_PRODUCERS * N_EACH);
    mlr_group_free(g);
    mlr_queue_free(s.queue);
}

static void test_queue__close_wakes_who_waits_for_room(void **state)
{
    mlr_group *g = new_group(1);
    struct shared s = {0};

    (void)state;
    assert_int_equal(mlr_queue_new(1, &s.queue, NULL), 0);
    add(g, put_all, &s, 1);
    while (s.n_begun == 0)
        (void)mlr_op_sleep(NULL, 1, NULL);
    mlr_queue_close(s.queue);
    assert_int_equal(mlr_group_wait(g, NULL), MLREG_ESTATE);
    mlr_group_free(g);
    mlr_queue_free(s.queue);
}

static void check_cancelled(mlr_task_fn waits)
{
    mlr_group *g = new_group(2);
    struct shared s = {0};

    assert_int_equal(mlr_queue_new(1, &s.queue, NULL), 0);
    add(g, waits, &s, 1);
    add(g, give_up, &s, 1);
    assert_int_equal(mlr_group_wait(g, NULL), MLREG_EIO);
    assert_int_equal(s.n_done, 0);
    mlr_group_free(g);
    mlr_queue_free(s.queue);
}

static void test_queue__waits_end_with_a_cancel(void **state)
{
    (void)state;
    check_cancelled(take_all);
    check_cancelled(put_all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue__gives_in_order_and_drains_after_close),
        cmocka_unit_test(test_queue__of_a_size_that_cannot_be_is_out_of_memory),
        cmocka_unit_test(test_queue__carries_everything_between_many_threads),
        cmocka_unit_test(test_queue__close_wakes_who_waits_for_room),
        cmocka_unit_test(test_queue__waits_end_with_a_cancel),
    };

    return cmocka_run_group_tests_name("base/queue", tests, NULL, NULL);
}
