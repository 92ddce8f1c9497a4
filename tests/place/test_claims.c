/* tests/place/test_claims.c - small blobs that somebody is bringing: one of all who ask, be they threads or processes. */
#include "place/claims.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/fs.h"
#include "bed/dir.h"

struct fixture {
    char        path[BED_PATH_MAX], *dir;
    mlr_claims *ours, *others;       /* two openings of the file, as two processes have them */
    mlr_digest  a, b;
};
static struct fixture fixture;

static int set_up(void **state)
{
    fixture.dir = bed_dir_new();
    snprintf(fixture.path, sizeof fixture.path, "%s/claims", fixture.dir);
    mlr_digest_of("a", 1, &fixture.a);
    mlr_digest_of("b", 1, &fixture.b);
    *state = &fixture;
    return mlr_claims_new(fixture.path, &fixture.ours, NULL) < 0 || mlr_claims_new(fixture.path, &fixture.others, NULL) < 0;
}

static int tear_down(void **state)
{
    (void)state;
    mlr_fs_use(NULL, NULL);
    mlr_claims_free(fixture.ours);
    mlr_claims_free(fixture.others);
    bed_dir_remove(fixture.dir);
    return 0;
}

static void test_claims__are_one_process_at_a_time(void **state)
{
    struct fixture *f = *state;

    assert_true(mlr_claims_take(f->ours, &f->a));
    assert_false(mlr_claims_take(f->others, &f->a));
    assert_true(mlr_claims_take(f->others, &f->b));
    mlr_claims_give(f->others, &f->a);           /* is not theirs to give */
    assert_false(mlr_claims_take(f->others, &f->a));
    mlr_claims_give(f->ours, &f->a);
    assert_true(mlr_claims_take(f->others, &f->a));
}

static void test_claims__are_one_thread_at_a_time(void **state)
{
    struct fixture *f = *state;

    assert_true(mlr_claims_take(f->ours, &f->a));
    assert_false(mlr_claims_take(f->ours, &f->a));
    mlr_claims_give(f->ours, &f->a);
    assert_true(mlr_claims_take(f->ours, &f->a));
}

static void test_claims__go_with_the_process_that_had_them(void **state)
{
    struct fixture *f = *state;
    int             ready[2], status;
    char            c;
    pid_t           child;

    assert_int_equal(pipe(ready), 0);
    if ((child = fork()) == 0) {
        if (mlr_claims_take(f->others, &f->a) && write(ready[1], "x", 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    assert_false(mlr_claims_take(f->ours, &f->a));
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(mlr_claims_take(f->ours, &f->a));
    close(ready[0]);
    close(ready[1]);
}

static int no_file(mlr_fs_call call, const char *name, void *user)
{
    (void)user;
    return call == MLR_FS_OPEN && strstr(name, "claims") != NULL ? EACCES : 0;
}

static void test_claims__without_a_file_still_keep_threads_apart(void **state)
{
    struct fixture *f = *state;

    mlr_fs_use(no_file, NULL);
    assert_true(mlr_claims_take(f->ours, &f->a));
    assert_false(mlr_claims_take(f->ours, &f->a));
    assert_true(mlr_claims_take(f->others, &f->a));
}

static int no_locks(mlr_fs_call call, const char *name, void *user)
{
    (void)name;
    (void)user;
    return call == MLR_FS_LOCK ? ENOLCK : 0;
}

static void test_claims__where_there_are_no_locks_are_everybodys(void **state)
{
    struct fixture *f = *state;

    mlr_fs_use(no_locks, NULL);
    assert_true(mlr_claims_take(f->ours, &f->a));
    assert_true(mlr_claims_take(f->others, &f->a));
}

static void *give_later(void *arg)
{
    struct fixture *f = arg;

    usleep(20000);
    mlr_claims_give(f->ours, &f->a);
    return NULL;
}

static void test_claims__that_are_given_back_end_a_wait(void **state)
{
    struct fixture *f = *state;
    uint64_t        step_ms = 0;
    pthread_t       t;

    assert_true(mlr_claims_take(f->ours, &f->a));
    assert_int_equal(pthread_create(&t, NULL, give_later, f), 0);
    while (!mlr_claims_take(f->ours, &f->a))
        assert_int_equal(mlr_claims_wait(f->ours, &step_ms, NULL, NULL), 0);
    assert_int_equal(pthread_join(t, NULL), 0);
}

static void test_claims__a_wait_ends_when_it_is_cancelled(void **state)
{
    struct fixture *f = *state;
    uint64_t        step_ms = 0;
    mlr_op         *op = NULL;

    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    mlr_op_cancel(op);
    assert_int_equal(mlr_claims_wait(f->ours, &step_ms, op, NULL), MLREG_ECANCELLED);
    mlr_op_end(op);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_claims__are_one_process_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_claims__are_one_thread_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_claims__go_with_the_process_that_had_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_claims__without_a_file_still_keep_threads_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_claims__where_there_are_no_locks_are_everybodys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_claims__that_are_given_back_end_a_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_claims__a_wait_ends_when_it_is_cancelled, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
