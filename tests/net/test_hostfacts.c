/* tests/net/test_hostfacts.c - facts about a host: learnt, asked, forgotten, from several threads. */
#include "net/hostfacts.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostfacts__nothing_is_known_at_first),
        cmocka_unit_test(test_hostfacts__learns_and_forgets),
        cmocka_unit_test(test_hostfacts__no_thread_undoes_another),
    };

    return cmocka_run_group_tests_name("net/hostfacts", tests, NULL, NULL);
}
