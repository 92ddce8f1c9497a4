/* tests/base/test_lease.c - leases: renewed while held, taken over once when stale, lost only when that is said. */
#include "base/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "bed/dir.h"
#include "bed/failing_alloc.h"
#include "bed/fs_fault.h"

/* Ages are made by setting times back, so that no test depends on how fast the machine is. */
static const mlr_lease_times usual = MLR_LEASE_TIMES, eager = {60000, 5};

static char path[BED_PATH_MAX], file[BED_PATH_MAX + 16], guard[BED_PATH_MAX + 32];

static int set_up(void **state)
{
    *state = bed_dir_new();
    snprintf(path, sizeof path, "%s/lock", (char *)*state);
    snprintf(file, sizeof file, "%s.lease", path);
    snprintf(guard, sizeof guard, "%s.next", file);
    return 0;
}

static int tear_down(void **state)
{
    mlr_fs_use(NULL, NULL);
    bed_dir_remove(*state);
    return 0;
}

static int take(bool exclusive, mlr_lease **out)
{
    char holder[MLR_HOLDER_BYTES];

    *out = NULL;
    return mlr_lease_try(path, exclusive, &usual, out, holder, NULL);
}

static void make_older(const char *name, int seconds)
{
    struct stat     st;
    struct timespec times[2];

    assert_int_equal(stat(name, &st), 0);
    times[0] = times[1] = st.st_mtim;
    times[0].tv_sec -= seconds;
    times[1].tv_sec -= seconds;
    assert_int_equal(utimensat(AT_FDCWD, name, times, 0), 0);
}

/* In a child: takes the lease and dies of it, so that its file stays; else ends with 1. */
static void take_and_die(bool exclusive)
{
    mlr_lease *l;

    if (take(exclusive, &l) == 1)
        raise(SIGKILL);
    _exit(1);
}

static bool died_holding_it(pid_t child)
{
    int status;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 1);
    return WIFSIGNALED(status);
}

static void leave_lease(bool exclusive)
{
    pid_t child = fork();

    if (child == 0)
        take_and_die(exclusive);
    assert_true(died_holding_it(child));
}

/* The one name in the directory. */
static const char *only_file(const char *dir)
{
    mlr_dir_list l = {NULL, 0, 0};
    const char  *found;

    assert_int_equal(mlr_fs_list_path(dir, 1, &l, NULL), 0);
    assert_int_equal(l.n, 1);
    found = bed_at(dir, l.items[0].name);
    mlr_dir_list_done(&l);
    return found;
}

static void test_lease__is_a_file_while_it_is_held(void **state)
{
    mlr_lease *l, *other;

    assert_int_equal(take(true, &l), 1);
    assert_true(bed_exists(file));
    assert_int_equal(take(true, &other), 0);
    assert_int_equal(take(false, &other), 0);
    assert_int_equal(bed_count(*state), 1);          /* those who failed leave nothing */
    assert_int_equal(mlr_lease_check(l, NULL), 0);
    mlr_lease_drop(l);
    assert_int_equal(bed_count(*state), 0);
    mlr_lease_drop(NULL);
}

static void test_lease__shared_ones_exclude_only_the_exclusive(void **state)
{
    mlr_lease *a, *b, *other;

    assert_int_equal(take(false, &a), 1);
    assert_int_equal(take(false, &b), 1);
    assert_int_equal(take(true, &other), 0);
    mlr_lease_drop(a);
    assert_int_equal(take(true, &other), 0);
    mlr_lease_drop(b);
    assert_int_equal(take(true, &other), 1);
    mlr_lease_drop(other);
    assert_int_equal(bed_count(*state), 0);
}

static void test_lease__is_renewed_while_held(void **state)
{
    char       holder[MLR_HOLDER_BYTES];
    mlr_lease *l = NULL;
    uint64_t   start_ms = mlr_clock_ms();

    (void)state;
    assert_int_equal(mlr_lease_try(path, true, &eager, &l, holder, NULL), 1);
    make_older(file, 1000);
    for (;;) {
        struct stat st;

        assert_int_equal(stat(file, &st), 0);
        if (time(NULL) - st.st_mtime < 500)
            break;
        assert_true(mlr_clock_ms() - start_ms < 60000);
        usleep(1000);
    }
    mlr_lease_drop(l);
}

static void test_lease__of_a_dead_process_stands_until_it_is_stale(void **state)
{
    mlr_lease *l;

    leave_lease(true);
    make_older(file, 30);
    assert_int_equal(take(true, &l), 0);
    assert_int_equal(take(false, &l), 0);
    make_older(file, 31);
    assert_int_equal(take(true, &l), 1);
    assert_int_equal(bed_count(*state), 1);
    mlr_lease_drop(l);
    assert_int_equal(bed_count(*state), 0);
}

static void test_lease__a_stale_exclusive_one_does_not_stop_readers(void **state)
{
    mlr_lease *l;

    (void)state;
    leave_lease(true);
    make_older(file, 61);
    assert_int_equal(take(false, &l), 1);
    mlr_lease_drop(l);
}

static void test_lease__a_stale_shared_one_is_removed(void **state)
{
    mlr_lease *l;

    leave_lease(false);
    assert_int_equal(take(true, &l), 0);
    make_older(only_file(*state), 61);
    assert_int_equal(take(true, &l), 1);
    assert_int_equal(bed_count(*state), 1);
    mlr_lease_drop(l);
}

static void test_lease__of_many_who_find_it_stale_one_wins(void **state)
{
    enum { N = 8, ROUNDS = 10 };

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        pid_t children[N];
        int   start[2], winners = 0;

        unlink(file);
        leave_lease(true);
        make_older(file, 100);
        assert_int_equal(pipe2(start, O_CLOEXEC), 0);
        for (int i = 0; i < N; i++)
            if ((children[i] = fork()) == 0) {
                char byte;

                close(start[1]);
                if (read(start[0], &byte, 1) == 0)        /* all start together */
                    take_and_die(true);
                _exit(2);
            }
        close(start[0]);
        close(start[1]);
        for (int i = 0; i < N; i++)
            winners += died_holding_it(children[i]);
        assert_int_equal(winners, 1);
    }
}

static void test_lease__a_takeover_in_progress_is_respected_until_it_is_old(void **state)
{
    mlr_lease *l;

    (void)state;
    leave_lease(true);
    make_older(file, 61);
    bed_write(guard, "");
    assert_int_equal(take(true, &l), 0);
    make_older(guard, 601);
    assert_int_equal(take(true, &l), 0);              /* clears it away */
    assert_false(bed_exists(guard));
    assert_int_equal(take(true, &l), 1);
    mlr_lease_drop(l);
}

/* Or a gc that slept would go on to remove what they found there. */
static void test_lease__who_slept_too_long_is_told_though_only_readers_came(void **state)
{
    mlr_lease *sleeper, *reader, *other;

    assert_int_equal(take(true, &sleeper), 1);
    make_older(file, 61);
    assert_int_equal(take(false, &reader), 1);
    assert_int_equal(mlr_lease_check(sleeper, NULL), MLREG_EBUSY);
    assert_int_equal(take(true, &other), 0);
    mlr_lease_drop(sleeper);
    assert_int_equal(mlr_lease_check(reader, NULL), 0);
    mlr_lease_drop(reader);
    assert_int_equal(bed_count(*state), 0);
}

static void test_lease__who_slept_too_long_is_told_and_harms_nobody(void **state)
{
    mlr_lease   *sleeper, *other;
    mlreg_error *e = NULL;

    (void)state;
    assert_int_equal(take(true, &sleeper), 1);
    make_older(file, 61);
    assert_int_equal(take(true, &other), 1);
    assert_int_equal(mlr_lease_check(sleeper, &e), MLREG_EBUSY);
    assert_non_null(e->hint);
    mlr_error_done(e);
    mlr_lease_drop(sleeper);
    assert_int_equal(mlr_lease_check(other, NULL), 0);   /* not removed by the one who had lost it */
    mlr_lease_drop(other);
}

static void test_lease__names_its_holder(void **state)
{
    char       holder[MLR_HOLDER_BYTES], who[32];
    mlr_lease *l, *other = NULL;

    (void)state;
    snprintf(who, sizeof who, "process %ld on ", (long)getpid());
    for (int exclusive = 0; exclusive <= 1; exclusive++) {
        assert_int_equal(take(exclusive, &l), 1);
        assert_int_equal(mlr_lease_try(path, true, &usual, &other, holder, NULL), 0);
        assert_memory_equal(holder, who, strlen(who));
        mlr_lease_drop(l);
    }
}

static void each_fault(const char *dir, bool exclusive, bool stale)
{
    for (int n = 1, fired = 1; fired; n++) {
        char       holder[MLR_HOLDER_BYTES];
        mlr_lease *l = NULL;
        int        rc, before;

        if (stale) {
            unlink(file);
            leave_lease(true);
            make_older(file, 61);
        }
        before = bed_count(dir);
        fs_fault_arm(n, 0, EIO);
        rc = mlr_lease_try(path, exclusive, &usual, &l, holder, NULL);
        fired = fs_fault_disarm();
        assert_int_equal(rc, fired ? MLREG_EIO : 1);
        if (fired) {                                  /* a stale one may be gone; nothing is there that was not */
            assert_true(bed_count(dir) <= before);
            assert_false(bed_exists(guard));
        }
        mlr_lease_drop(l);
    }
}

static void test_lease__nothing_is_left_whatever_fails(void **state)
{
    each_fault(*state, true, false);
    each_fault(*state, false, false);
}

static void test_lease__a_failed_takeover_stops_nobody(void **state)
{
    mlr_lease *l;

    for (int exclusive = 0; exclusive <= 1; exclusive++) {
        each_fault(*state, exclusive, true);
        assert_int_equal(take(true, &l), 1);
        mlr_lease_drop(l);
    }
}

static void test_lease__nothing_is_left_without_memory(void **state)
{
    for (int exclusive = 0; exclusive <= 1; exclusive++)
        for (int n = 1, failed = 1; failed; n++) {
            failing_alloc memory;
            mlr_lease    *l = NULL;
            int           rc;

            failing_alloc_arm(&memory, n, false);
            rc = take(exclusive, &l);
            failed = failing_alloc_disarm(&memory);
            if (rc == 1) {                            /* with no memory for a thread it is renewed by hand */
                assert_int_equal(mlr_lease_check(l, NULL), 0);
            } else {
                assert_int_equal(rc, MLREG_ENOMEM);
                assert_true(failed);
            }
            mlr_lease_drop(l);
            assert_int_equal(bed_count(*state), 0);
        }
}

int main(void)
{
#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        IN_DIR(test_lease__is_a_file_while_it_is_held),
        IN_DIR(test_lease__shared_ones_exclude_only_the_exclusive),
        IN_DIR(test_lease__is_renewed_while_held),
        IN_DIR(test_lease__of_a_dead_process_stands_until_it_is_stale),
        IN_DIR(test_lease__a_stale_exclusive_one_does_not_stop_readers),
        IN_DIR(test_lease__a_stale_shared_one_is_removed),
        IN_DIR(test_lease__of_many_who_find_it_stale_one_wins),
        IN_DIR(test_lease__a_takeover_in_progress_is_respected_until_it_is_old),
        IN_DIR(test_lease__who_slept_too_long_is_told_though_only_readers_came),
        IN_DIR(test_lease__who_slept_too_long_is_told_and_harms_nobody),
        IN_DIR(test_lease__names_its_holder),
        IN_DIR(test_lease__nothing_is_left_whatever_fails),
        IN_DIR(test_lease__a_failed_takeover_stops_nobody),
        IN_DIR(test_lease__nothing_is_left_without_memory),
    };
    return cmocka_run_group_tests_name("base/lease", tests, NULL, NULL);
}
