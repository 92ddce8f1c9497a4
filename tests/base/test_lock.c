/* tests/base/test_lock.c - locks between processes and threads: advisory ones, and leases where there are none. */
#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "bed/dir.h"
#include "bed/fs_fault.h"

#define LONG_MS 60000    /* never waited for, unless something is broken */

struct fixture {
    char *dir, path[BED_PATH_MAX];
    bool  leases;        /* the file system has no advisory locks */
};
static struct fixture fixture;

static int no_advisory_locks(mlr_fs_call call, const char *name, void *user)
{
    (void)name;
    (void)user;
    return call == MLR_FS_LOCK ? ENOLCK : 0;
}

static int set_up(void **state, bool leases)
{
    fixture = (struct fixture){.dir = bed_dir_new(), .leases = leases};
    snprintf(fixture.path, sizeof fixture.path, "%s/lock", fixture.dir);
    mlr_fs_use(leases ? no_advisory_locks : NULL, NULL);
    *state = &fixture;
    return 0;
}

static int advisory(void **state)
{
    return set_up(state, false);
}

static int lease(void **state)
{
    return set_up(state, true);
}

static int tear_down(void **state)
{
    (void)state;
    mlr_fs_use(NULL, NULL);
    bed_dir_remove(fixture.dir);
    return 0;
}

/* ---- a child that holds a lock until it is told to go, or dies ---- */

struct child {
    pid_t pid;
    int   go;            /* a byte into it, and the child drops the lock and ends */
};

static struct child start_holder(const char *path, bool exclusive)
{
    struct child c;
    int          ready[2], go[2];
    char         byte = 0;

    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    if ((c.pid = fork()) == 0) {
        mlr_lock l = MLR_LOCK_INIT;

        close(go[1]);
        byte = mlr_lock_take(&l, path, exclusive, 0, NULL, NULL) == 0 ? 'y' : 'n';
        if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1)
            _exit(1);
        mlr_lock_drop(&l);
        _exit(0);
    }
    assert_true(c.pid > 0);
    close(go[0]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    close(ready[0]);
    c.go = go[1];
    return c;
}

static void end_holder(struct child *c)
{
    int status;

    assert_int_equal(write(c->go, "", 1), 1);
    close(c->go);
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    assert_int_equal(status, 0);
}

static void kill_holder(struct child *c)
{
    int status;

    assert_int_equal(kill(c->pid, SIGKILL), 0);
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    close(c->go);
}

/* ---- between processes ---- */

static void test_lock__excludes_other_processes_and_names_the_holder(void **state)
{
    struct fixture *f = *state;
    struct child    c = start_holder(f->path, true);
    mlr_lock        l = MLR_LOCK_INIT;
    mlreg_error    *e = NULL;
    char            who[32];

    snprintf(who, sizeof who, "process %ld ", (long)c.pid);
    assert_int_equal(mlr_lock_take(&l, f->path, true, 0, NULL, &e), MLREG_EBUSY);
    assert_string_equal(e->subject, f->path);
    assert_non_null(strstr(e->hint, who));
    mlr_error_done(e);
    assert_int_equal(mlr_lock_take(&l, f->path, false, 0, NULL, NULL), MLREG_EBUSY);
    assert_int_equal(l.fd, -1);
    end_holder(&c);
    assert_int_equal(mlr_lock_take(&l, f->path, true, 0, NULL, NULL), 0);
    mlr_lock_drop(&l);
    mlr_lock_drop(&l);
}

static void test_lock__is_freed_when_its_process_is_killed(void **state)
{
    struct fixture *f = *state;
    struct child    c = start_holder(f->path, true);
    mlr_lock        l = MLR_LOCK_INIT;

    assert_int_equal(mlr_lock_take(&l, f->path, true, 0, NULL, NULL), MLREG_EBUSY);
    kill_holder(&c);
    assert_int_equal(mlr_lock_take(&l, f->path, true, LONG_MS, NULL, NULL), 0);
    mlr_lock_drop(&l);
}

static void test_lock__shared_ones_stand_side_by_side(void **state)
{
    struct fixture *f = *state;
    struct child    a = start_holder(f->path, false), b = start_holder(f->path, false);
    mlr_lock        l = MLR_LOCK_INIT;

    assert_int_equal(mlr_lock_take(&l, f->path, false, 0, NULL, NULL), 0);
    mlr_lock_drop(&l);
    end_holder(&a);
    assert_int_equal(mlr_lock_take(&l, f->path, true, 0, NULL, NULL), MLREG_EBUSY);
    end_holder(&b);
    assert_int_equal(mlr_lock_take(&l, f->path, true, 0, NULL, NULL), 0);
    mlr_lock_drop(&l);
}

static void *end_soon(void *child)
{
    usleep(50000);
    end_holder(child);
    return NULL;
}

static void test_lock__waits_until_it_is_free(void **state)
{
    struct fixture *f = *state;
    struct child    c = start_holder(f->path, true);
    mlr_lock        l = MLR_LOCK_INIT;
    pthread_t       thread;

    assert_int_equal(pthread_create(&thread, NULL, end_soon, &c), 0);
    assert_int_equal(mlr_lock_take(&l, f->path, true, LONG_MS, NULL, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    mlr_lock_drop(&l);
}

static void test_lock__waits_no_longer_than_it_may(void **state)
{
    struct fixture *f = *state;
    mlr_lock        held = MLR_LOCK_INIT, l = MLR_LOCK_INIT;
    uint64_t        start_ms;

    assert_int_equal(mlr_lock_take(&held, f->path, true, 0, NULL, NULL), 0);
    start_ms = mlr_clock_ms();
    assert_int_equal(mlr_lock_take(&l, f->path, true, 30, NULL, NULL), MLREG_EBUSY);
    assert_true(mlr_clock_ms() - start_ms >= 30);
    assert_true(mlr_clock_ms() - start_ms < LONG_MS);
    mlr_lock_drop(&held);
}

static void *cancel_soon(void *op)
{
    usleep(50000);
    mlr_op_cancel(op);
    return NULL;
}

static void test_lock__cancel_ends_the_wait(void **state)
{
    struct fixture *f = *state;
    mlr_lock        held = MLR_LOCK_INIT, l = MLR_LOCK_INIT;
    mlr_op         *op = NULL;
    pthread_t       thread;

    assert_int_equal(mlr_lock_take(&held, f->path, true, 0, NULL, NULL), 0);
    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, op), 0);
    assert_int_equal(mlr_lock_take(&l, f->path, true, UINT64_MAX, op, NULL), MLREG_ECANCELLED);
    assert_int_equal(pthread_join(thread, NULL), 0);
    mlr_op_end(op);
    mlr_lock_drop(&held);
}

/* ---- between threads ---- */

static atomic_int inside, entered;

static void *enter_often(void *path)
{
    for (int i = 0; i < 20; i++) {
        mlr_lock l = MLR_LOCK_INIT;

        if (mlr_lock_take(&l, path, true, LONG_MS, NULL, NULL) < 0)
            continue;
        if (atomic_fetch_add(&inside, 1) == 0)
            atomic_fetch_add(&entered, 1);
        usleep(200);
        atomic_fetch_sub(&inside, 1);
        mlr_lock_drop(&l);
    }
    return NULL;
}

static void test_lock__threads_exclude_each_other(void **state)
{
    struct fixture *f = *state;
    pthread_t       threads[4];

    atomic_store(&inside, 0);
    atomic_store(&entered, 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, enter_often, f->path), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&entered), 4 * 20);   /* each found itself alone */
}

/* ---- fork ---- */

static void test_lock__a_forked_child_cannot_drop_it(void **state)
{
    struct fixture *f = *state;
    mlr_lock        l = MLR_LOCK_INIT, other = MLR_LOCK_INIT;
    pid_t           child;
    int             status;

    assert_int_equal(mlr_lock_take(&l, f->path, true, 0, NULL, NULL), 0);
    if ((child = fork()) == 0) {
        mlr_lock_drop(&l);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(mlr_lock_take(&other, f->path, true, 0, NULL, NULL), MLREG_EBUSY);
    assert_int_equal(mlr_lock_check(&l, NULL), 0);
    mlr_lock_drop(&l);
}

static void test_lock__a_forked_child_does_not_keep_it(void **state)
{
    struct fixture *f = *state;
    mlr_lock        l = MLR_LOCK_INIT;
    int             go[2], status;
    char            byte;
    pid_t           child;

    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    assert_int_equal(mlr_lock_take(&l, f->path, true, 0, NULL, NULL), 0);
    if ((child = fork()) == 0) {
        close(go[1]);
        _exit(read(go[0], &byte, 1) == 0 ? 0 : 1);
    }
    mlr_lock_drop(&l);
    assert_int_equal(mlr_lock_take(&l, f->path, true, 0, NULL, NULL), 0);
    mlr_lock_drop(&l);
    close(go[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(go[0]);
}

/* ---- what is locked ---- */

static void test_lock__holds_for_directories(void **state)
{
    struct fixture *f = *state;
    mlr_lock        a = MLR_LOCK_INIT, b = MLR_LOCK_INIT;
    const char     *dir = bed_at(f->dir, "dir"), *slash = bed_at(f->dir, "dir/");

    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(mlr_lock_take(&a, dir, true, 0, NULL, NULL), 0);
    assert_int_equal(mlr_lock_take(&b, slash, true, 0, NULL, NULL), MLREG_EBUSY);
    mlr_lock_drop(&a);
    assert_int_equal(mlr_lock_take(&b, slash, true, 0, NULL, NULL), 0);
    mlr_lock_drop(&b);
    assert_int_equal(bed_count(dir), 0);            /* nothing is put into it */
}

static void test_lock__refuses_what_is_no_file(void **state)
{
    struct fixture *f = *state;
    mlr_lock        l = MLR_LOCK_INIT;
    int             open_files = bed_open_files();

    assert_int_equal(mkfifo(bed_at(f->dir, "fifo"), 0600), 0);
    assert_int_equal(mlr_lock_take(&l, bed_at(f->dir, "fifo"), true, 0, NULL, NULL), MLREG_EINVAL);
    assert_int_equal(mlr_lock_take(&l, bed_at(f->dir, "fifo"), false, 0, NULL, NULL), MLREG_EINVAL);
    assert_int_equal(mlr_lock_take(&l, bed_at(f->dir, "missing/lock"), true, 0, NULL, NULL), MLREG_ENOTFOUND);
    assert_int_equal(bed_open_files(), open_files);
}

static void test_lock__a_new_lock_file_is_the_owner_s_alone(void **state)
{
    struct fixture *f = *state;
    mlr_lock        l = MLR_LOCK_INIT;
    struct stat     st;

    assert_int_equal(mlr_lock_take(&l, f->path, false, 0, NULL, NULL), 0);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    mlr_lock_drop(&l);
}

static void test_lock__never_touches_content_of_others(void **state)
{
    struct fixture *f = *state;
    mlr_lock        l = MLR_LOCK_INIT;

    bed_write(f->path, "{\"a\": 1}\n");
    assert_int_equal(mlr_lock_take(&l, f->path, true, 0, NULL, NULL), 0);
    mlr_lock_drop(&l);
    bed_assert_file(f->path, "{\"a\": 1}\n");
    bed_write(f->path, "process 12\nand more\n");
    assert_int_equal(mlr_lock_take(&l, f->path, true, 0, NULL, NULL), 0);
    mlr_lock_drop(&l);
    bed_assert_file(f->path, "process 12\nand more\n");
}

static void test_lock__a_dead_holder_is_not_named(void **state)
{
    struct fixture *f = *state;
    struct child    dead = start_holder(f->path, true), alive;
    mlr_lock        l = MLR_LOCK_INIT;
    mlreg_error    *e = NULL;

    kill_holder(&dead);                                 /* its name stays in the file */
    alive = start_holder(f->path, false);               /* and a shared holder writes none */
    assert_int_equal(mlr_lock_take(&l, f->path, true, 0, NULL, &e), MLREG_EBUSY);
    assert_memory_equal(e->hint, "another process ", 16);
    mlr_error_done(e);
    end_holder(&alive);
}

/* Between our opening of the file and our lock on it, somebody puts another in its place. */
static int replace_it(mlr_fs_call call, const char *name, void *user)
{
    int *times = user;

    if (call == MLR_FS_LOCK && (*times)-- > 0) {
        unlink(name);
        bed_write(name, "");
    }
    return 0;
}

static void test_lock__is_on_the_file_that_has_the_name(void **state)
{
    struct fixture *f = *state;
    mlr_lock        l = MLR_LOCK_INIT, other = MLR_LOCK_INIT;
    int             times = 3;

    mlr_fs_use(replace_it, &times);
    assert_int_equal(mlr_lock_take(&l, f->path, true, 0, NULL, NULL), 0);
    mlr_fs_use(NULL, NULL);
    assert_true(times < 0);
    assert_int_equal(mlr_lock_take(&other, f->path, true, 0, NULL, NULL), MLREG_EBUSY);
    mlr_lock_drop(&l);
}

static void test_lock__whatever_fails_is_reported_and_leaks_nothing(void **state)
{
    struct fixture *f = *state;
    int             open_files = bed_open_files();

    bed_write(f->path, "");
    for (int exclusive = 0; exclusive <= 1; exclusive++)
        for (int n = 2, fired = 1; fired; n++) {        /* 1 asks for the kind of file system, where failure is no answer */
            mlr_lock l = MLR_LOCK_INIT;
            int      rc;

            fs_fault_arm(n, 0, EIO);
            rc = mlr_lock_take(&l, f->path, exclusive, 0, NULL, NULL);
            fired = fs_fault_disarm();
            assert_int_equal(rc, fired ? MLREG_EIO : 0);
            mlr_lock_drop(&l);
            assert_int_equal(bed_open_files(), open_files);
        }
}

int main(void)
{
#define ON(kind, f) {#f " (" #kind ")", f, kind, tear_down, NULL}
#define BOTH(f)     ON(advisory, f), ON(lease, f)
    static const struct CMUnitTest tests[] = {
        BOTH(test_lock__excludes_other_processes_and_names_the_holder),
        ON(advisory, test_lock__is_freed_when_its_process_is_killed),
        BOTH(test_lock__shared_ones_stand_side_by_side),
        BOTH(test_lock__waits_until_it_is_free),
        BOTH(test_lock__waits_no_longer_than_it_may),
        BOTH(test_lock__cancel_ends_the_wait),
        BOTH(test_lock__threads_exclude_each_other),
        BOTH(test_lock__a_forked_child_cannot_drop_it),
        ON(advisory, test_lock__a_forked_child_does_not_keep_it),
        BOTH(test_lock__holds_for_directories),
        BOTH(test_lock__refuses_what_is_no_file),
        BOTH(test_lock__a_new_lock_file_is_the_owner_s_alone),
        BOTH(test_lock__never_touches_content_of_others),
        ON(advisory, test_lock__a_dead_holder_is_not_named),
        ON(advisory, test_lock__is_on_the_file_that_has_the_name),
        ON(advisory, test_lock__whatever_fails_is_reported_and_leaks_nothing),
    };
    return cmocka_run_group_tests_name("base/lock", tests, NULL, NULL);
}
