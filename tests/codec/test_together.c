/* tests/codec/test_together.c - hashes of many threads at once are those of each alone. */
#include "codec/together.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/work.h"

#define THREADS 24
#define ROUNDS  40

static uint8_t noise[1 << 18];

struct job { unsigned seed; bool is_wrong; };

static int hash(void *arg, mlr_op *op, mlreg_error **err)
{
    struct job *j = arg;
    mlr_sha256  got, want;
    uint8_t     a[32], b[32];

    (void)op;
    (void)err;
    mlr_sha256_init(&got);
    mlr_sha256_init(&want);
    for (unsigned i = 0; i < ROUNDS; i++) {
        size_t len = (j->seed * 7919 + i * 104729) % sizeof noise;

        mlr_sha256_update_together(&got, noise + sizeof noise - len, len);
        mlr_sha256_update(&want, noise + sizeof noise - len, len);
    }
    mlr_sha256_final(&got, a);
    mlr_sha256_final(&want, b);
    j->is_wrong = memcmp(a, b, sizeof a) != 0;
    return 0;
}

static int hash_pieces(void *arg, mlr_op *op, mlreg_error **err)
{
    struct job      *j = arg;
    mlr_sha256_piece pieces[5];
    mlr_sha256       got, want;
    uint8_t          a[32], b[32];

    (void)op;
    (void)err;
    mlr_sha256_init(&got);
    mlr_sha256_init(&want);
    mlr_sha256_together_join();
    for (unsigned i = 0; i < ROUNDS; i++) {
        for (size_t k = 0; k < 5; k++) {
            size_t len = (j->seed * 7919 + i * 104729 + k * 33) % (sizeof noise / 2);

            pieces[k] = (mlr_sha256_piece){ noise + len, k == 3 ? 0 : len };
            mlr_sha256_update(&want, pieces[k].data, pieces[k].len);
        }
        mlr_sha256_pieces_together(&got, pieces, 5);
    }
    mlr_sha256_together_leave();
    mlr_sha256_final(&got, a);
    mlr_sha256_final(&want, b);
    j->is_wrong = memcmp(a, b, sizeof a) != 0;
    return 0;
}

static void make_noise(void)
{
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)(i * 31 + (i >> 7));
}

static void nothing(void) { }

static void assert_all_right_while(mlr_task_fn fn, void (*meanwhile)(void))
{
    struct job jobs[THREADS];
    mlr_group *g;

    make_noise();
    assert_int_equal(mlr_group_new(NULL, NULL, THREADS, &g, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){ i + 1, true };
        assert_int_equal(mlr_group_add(g, fn, &jobs[i], NULL), 0);
    }
    meanwhile();
    assert_int_equal(mlr_group_wait(g, NULL), 0);
    mlr_group_free(g);
    for (unsigned i = 0; i < THREADS; i++)
        assert_false(jobs[i].is_wrong);
}

static void test_together__gives_each_its_own_hash(void **state)
{
    (void)state;
    assert_all_right_while(hash, nothing);
}

static void test_together__takes_pieces_in_turn(void **state)
{
    (void)state;
    assert_all_right_while(hash_pieces, nothing);
}

#ifndef __SANITIZE_THREAD__                         /* it does not know forks amid threads */
static void fork_hashers(void)
{
    for (int i = 0; i < 10; i++) {
        struct job j = { 1, true };
        int        status = -1;
        pid_t      child = fork();

        if (child == 0) {
            alarm(60);
            mlr_sha256_together_leave();            /* of what the parent joined */
            (void)hash(&j, NULL, NULL);
            _exit(j.is_wrong);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

static void test_together__goes_on_in_a_forked_child(void **state)
{
    (void)state;
    assert_all_right_while(hash_pieces, fork_hashers);
}
#endif

static void test_together__takes_many_of_one_thread(void **state)
{
    mlr_sha256  got[MLR_SHA256_SIDE_BY_SIDE], want[MLR_SHA256_SIDE_BY_SIDE], *s[MLR_SHA256_SIDE_BY_SIDE];
    const void *data[MLR_SHA256_SIDE_BY_SIDE];
    size_t      len[MLR_SHA256_SIDE_BY_SIDE];

    (void)state;
    make_noise();
    for (size_t i = 0; i < MLR_SHA256_SIDE_BY_SIDE; i++) {
        mlr_sha256_init(&got[i]);
        mlr_sha256_init(&want[i]);
        s[i] = &got[i];
        data[i] = noise + i;
        len[i] = i * 9999;
        mlr_sha256_update(&want[i], data[i], len[i]);
    }
    mlr_sha256_update_many_together(s, data, len, MLR_SHA256_SIDE_BY_SIDE);
    for (size_t i = 0; i < MLR_SHA256_SIDE_BY_SIDE; i++) {
        uint8_t a[32], b[32];

        mlr_sha256_final(&got[i], a);
        mlr_sha256_final(&want[i], b);
        assert_memory_equal(a, b, sizeof a);
    }
}

static void test_together__does_not_wait_long_for_who_does_not_come(void **state)
{
    struct job j = { 1, true };

    (void)state;
    make_noise();
    for (int i = 0; i < 100; i++)
        mlr_sha256_together_join();
    assert_int_equal(hash(&j, NULL, NULL), 0);
    for (int i = 0; i < 100; i++)
        mlr_sha256_together_leave();
    assert_false(j.is_wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_together__gives_each_its_own_hash),
        cmocka_unit_test(test_together__takes_pieces_in_turn),
#ifndef __SANITIZE_THREAD__
        cmocka_unit_test(test_together__goes_on_in_a_forked_child),
#endif
        cmocka_unit_test(test_together__takes_many_of_one_thread),
        cmocka_unit_test(test_together__does_not_wait_long_for_who_does_not_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
