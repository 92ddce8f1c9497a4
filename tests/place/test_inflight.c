/* place/test_inflight.c - content in flight: seen by gc of any process as long as its holder lives, and no longer. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bed/artifact.h"
#include "bed/dir.h"
#include "bed/fs_fault.h"
#include "place/inflight.h"

typedef struct fixture {
    char         *dir;
    mlr_inflight *l;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    f->dir = bed_dir_new();
    assert_int_equal(mlr_inflight_new(f->dir, bed_at(f->dir, "gate"), &f->l, NULL), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    mlr_fs_use(NULL, NULL);
    mlr_inflight_free(f->l);
    bed_dir_remove(f->dir);
    free(f);
    return 0;
}

static mlr_digest digest_of(int n)
{
    mlr_digest d;
    mlr_digest_of(&n, sizeof(n), &d);
    return d;
}

static void hold(mlr_inflight *l, int n)
{
    mlr_digest d = digest_of(n);
    bed_assert_rc(mlr_inflight_hold(l, "team/x", &d, &err), 0);
}

static void release(mlr_inflight *l, int n)
{
    mlr_digest d = digest_of(n);
    bed_assert_rc(mlr_inflight_release(l, "team/x", &d, &err), 0);
}

/* How many of the digests 0 .. 9 anybody holds, as bits. */
static unsigned held(const fixture *f)
{
    mlr_digestmap all = MLR_DIGESTMAP_INIT;
    unsigned      bits = 0;
    bed_assert_rc(mlr_inflight_collect(f->dir, NULL, &all, &err), 0);
    for (int n = 0; n < 10; n++) {
        mlr_digest d = digest_of(n);
        bits |= mlr_digestmap_find(&all, &d) != NULL ? 1u << n : 0;
    }
    mlr_digestmap_done(&all);
    return bits;
}

static void test_inflight__nothing_is_written_before_the_first_hold(void **state)
{
    fixture *f = *state;
    assert_int_equal(bed_count(f->dir), 0);
    release(f->l, 1);
    assert_int_equal(bed_count(f->dir), 0);
    assert_int_equal(held(f), 0);
}

static void test_inflight__is_held_until_released_as_often(void **state)
{
    fixture *f = *state;
    hold(f->l, 1);
    hold(f->l, 2);
    hold(f->l, 2);
    assert_int_equal(held(f), 0x6);
    release(f->l, 1);
    assert_int_equal(held(f), 0x4);
    release(f->l, 2);
    assert_int_equal(held(f), 0x4);
    release(f->l, 2);
    release(f->l, 2);
    assert_int_equal(held(f), 0);
    assert_int_equal(bed_count(f->dir), 0);
    hold(f->l, 3);
    assert_int_equal(held(f), 0x8);
}

static void test_inflight__is_held_for_each_repository_apart(void **state)
{
    fixture   *f = *state;
    mlr_digest d = digest_of(1);
    hold(f->l, 1);
    bed_assert_rc(mlr_inflight_hold(f->l, "team/y", &d, &err), 0);
    for (int i = 0; i < 3; i++)
        bed_assert_rc(mlr_inflight_release(f->l, "team/y", &d, &err), 0);
    assert_int_equal(held(f), 0x2);
    release(f->l, 1);
    assert_int_equal(held(f), 0);
}

static void test_inflight__several_sessions_hold_together(void **state)
{
    fixture      *f = *state;
    mlr_inflight *other = NULL;
    assert_int_equal(mlr_inflight_new(f->dir, bed_at(f->dir, "gate"), &other, NULL), 0);
    hold(f->l, 1);
    hold(other, 1);
    hold(other, 5);
    release(f->l, 1);
    assert_int_equal(held(f), 0x22);
    mlr_inflight_free(other);
    assert_int_equal(held(f), 0);
    assert_int_equal(bed_count(f->dir), 0);
}

static void test_inflight__the_dead_hold_nothing(void **state)
{
    fixture *f = *state;
    pid_t    child = fork();
    int      status;
    if (child == 0) {
        mlr_inflight *l = NULL;
        mlr_digest    d = digest_of(4);
        if (mlr_inflight_new(f->dir, bed_at(f->dir, "gate"), &l, NULL) == 0 && mlr_inflight_hold(l, "team/x", &d, NULL) == 0)
            raise(SIGKILL);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(bed_count(f->dir), 1);
    assert_int_equal(held(f), 0);
    assert_int_equal(bed_count(f->dir), 0);
}

/* A layout may come from elsewhere, with links and FIFOs of such names in it. */
static void test_inflight__takes_no_link_for_notes(void **state)
{
    fixture      *f = *state;
    mlr_digestmap held = MLR_DIGESTMAP_INIT;
    assert_int_equal(symlink(bed_at(f->dir, "made"), bed_at(f->dir, ".tmp-inflight-0123456789abcdef")), 0);
    assert_int_equal(mkfifo(bed_at(f->dir, ".tmp-inflight-0123456789abcdeg"), 0600), 0);
    hold(f->l, 1);
    assert_false(bed_exists(bed_at(f->dir, "made")));
    bed_assert_rc(mlr_inflight_collect(f->dir, NULL, &held, &err), 0);
    assert_int_equal(held.used, 1);
    assert_false(bed_exists(bed_at(f->dir, "made")));
    mlr_digestmap_done(&held);
}

static void test_inflight__a_forked_child_leaves_it_to_its_parent(void **state)
{
    fixture *f = *state;
    pid_t    child;
    int      status;
    hold(f->l, 7);
    if ((child = fork()) == 0) {
        mlr_inflight_free(f->l);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(held(f), 0x80);
}

static void test_inflight__the_gate_lets_writers_in_together_and_gc_alone(void **state)
{
    fixture *f = *state;
    mlr_lock one = MLR_LOCK_INIT, two = MLR_LOCK_INIT, gc = MLR_LOCK_INIT;
    bed_assert_rc(mlr_inflight_enter(f->l, NULL, &one, &err), 0);
    bed_assert_rc(mlr_inflight_enter(f->l, NULL, &two, &err), 0);
    bed_assert_rc(mlr_lock_take(&gc, bed_at(f->dir, "gate"), true, 0, NULL, &err), MLREG_EBUSY);
    mlr_lock_drop(&one);
    mlr_lock_drop(&two);
    bed_assert_rc(mlr_lock_take(&gc, bed_at(f->dir, "gate"), true, 0, NULL, &err), 0);
    mlr_lock_drop(&gc);
}

/* A hold that failed holds nothing; one that succeeded before still does. */
static void test_inflight__no_fault_forgets_what_is_held(void **state)
{
    fixture *f = *state;
    for (int n = 1, fired = 1; fired; n++) {
        mlr_digest d = digest_of(2);
        hold(f->l, 1);
        fs_fault_arm(n, 0, ENOSPC);
        int rc = mlr_inflight_hold(f->l, "team/x", &d, NULL);
        fired = fs_fault_disarm();
        assert_int_equal(rc, fired ? MLREG_EIO : 0);
        assert_int_equal(held(f), rc == 0 ? 0x6 : 0x2);
        release(f->l, 2);
        release(f->l, 1);
    }
}

int main(void)
{
#define IN_DIR(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_DIR(test_inflight__nothing_is_written_before_the_first_hold),
        IN_DIR(test_inflight__is_held_until_released_as_often),
        IN_DIR(test_inflight__is_held_for_each_repository_apart),
        IN_DIR(test_inflight__several_sessions_hold_together),
        IN_DIR(test_inflight__the_dead_hold_nothing),
        IN_DIR(test_inflight__takes_no_link_for_notes),
        IN_DIR(test_inflight__a_forked_child_leaves_it_to_its_parent),
        IN_DIR(test_inflight__the_gate_lets_writers_in_together_and_gc_alone),
        IN_DIR(test_inflight__no_fault_forgets_what_is_held),
    };
    return cmocka_run_group_tests_name("place/inflight", tests, NULL, NULL);
}
