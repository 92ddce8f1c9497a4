/* tests/codec/test_together.c - hashes of many threads at once are those of each alone. */
#include "codec/together.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
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

static void test_together__gives_each_its_own_hash(void **state)
{
    struct job jobs[THREADS];
    mlr_group *g;

    (void)state;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)(i * 31 + (i >> 7));
    assert_int_equal(mlr_group_new(NULL, NULL, THREADS, &g, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){ i + 1, true };
        assert_int_equal(mlr_group_add(g, hash, &jobs[i], NULL), 0);
    }
    assert_int_equal(mlr_group_wait(g, NULL), 0);
    mlr_group_free(g);
    for (unsigned i = 0; i < THREADS; i++)
        assert_false(jobs[i].is_wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_together__gives_each_its_own_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
