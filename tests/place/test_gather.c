/* tests/place/test_gather.c - small blobs that wait to be published together: whoever ends has all of his published. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fs.h"
#include "bed/artifact.h"
#include "bed/dir.h"

typedef struct fixture {
    char        *dir;
    mlr_runtime *rt;
    mlr_place   *p;
} fixture;

static int set_up(void **state)
{
    static fixture f;

    f = (fixture){ .dir = bed_dir_new() };
    assert_int_equal(mlr_runtime_new(NULL, &f.rt, NULL), 0);
    f.p = bed_open(bed_at(f.dir, "store"), MLREG_OPEN_CREATE, f.rt);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    mlr_fs_use(NULL, NULL);
    mlr_place_close(f->p);
    mlr_runtime_unref(f->rt);
    bed_dir_remove(f->dir);
    return 0;
}

/* One of two copies side by side is cancelled: what waits is the other's too. */
static void test_gather__who_is_cancelled_loses_nothing_of_others(void **state)
{
    fixture *f = *state;
    mlr_op  *other;
    mlr_blob b;

    assert_int_equal(mlr_op_begin(NULL, &other, NULL), 0);
    bed_assert_rc(mlr_place_gather_begin(f->p, NULL, &err), 0);
    bed_assert_rc(mlr_place_gather_begin(f->p, other, &err), 0);
    b = bed_put(f->p, "x", "small");
    mlr_op_cancel(other);
    bed_assert_rc(mlr_place_gather_end(f->p, other, &err), MLREG_ECANCELLED);
    bed_assert_rc(mlr_place_gather_end(f->p, NULL, &err), 0);
    bed_assert_rc(mlr_place_blob_has(f->p, &b, NULL, &err), 1);
    mlr_op_end(other);
}

/* A builder works beside a copy, in the same session. */
static void test_gather__a_manifest_finds_what_waits(void **state)
{
    fixture      *f = *state;
    mlr_manifest *m = bed_image_text("small", "t/u", NULL);

    bed_assert_rc(mlr_place_gather_begin(f->p, NULL, &err), 0);
    bed_put(f->p, "x", "{}");
    bed_put(f->p, "x", "small");
    bed_assert_rc(bed_try_tag(f->p, "x", "v1", false, m, &err), 0);
    bed_assert_rc(mlr_place_gather_end(f->p, NULL, &err), 0);
    mlr_manifest_free(m);
}

static int no_nameless_files(mlr_fs_call call, const char *name, void *user)
{
    (void)user;
    return call == MLR_FS_OPEN && strstr(name, "/partial") != NULL && strstr(name, "/.tmp-") == NULL ? EOPNOTSUPP : 0;
}

/* A thread copies while another forks; the child may free what it inherits. */
static void test_gather__a_forked_child_leaves_what_waits_to_its_parent(void **state)
{
    fixture *f = *state;
    int      status;
    pid_t    child;
    mlr_blob b;

    bed_assert_rc(mlr_place_gather_begin(f->p, NULL, &err), 0);
    mlr_fs_use(no_nameless_files, NULL);
    b = bed_put(f->p, "x", "small");
    mlr_fs_use(NULL, NULL);
    if ((child = fork()) == 0) {
        mlr_place_close(f->p);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    bed_assert_rc(mlr_place_gather_end(f->p, NULL, &err), 0);
    bed_assert_rc(mlr_place_blob_has(f->p, &b, NULL, &err), 1);
}

static struct {
    pthread_mutex_t lock;
    pthread_cond_t  changed;
    bool            is_syncing, may_go_on;
} disk = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false };

static int slow_sync(mlr_fs_call call, const char *name, void *user)
{
    struct timespec until;

    (void)name;
    (void)user;
    if (call != MLR_FS_SYNC)
        return 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;                      /* or until the other has ended */
    pthread_mutex_lock(&disk.lock);
    disk.is_syncing = true;
    pthread_cond_broadcast(&disk.changed);
    while (!disk.may_go_on && pthread_cond_timedwait(&disk.changed, &disk.lock, &until) == 0)
        ;
    disk.may_go_on = true;
    pthread_mutex_unlock(&disk.lock);
    return 0;
}

static void *end_slowly(void *place)
{
    return (void *)(intptr_t)mlr_place_gather_end(place, NULL, NULL);
}

static void test_gather__whoever_ends_waits_for_what_others_are_publishing(void **state)
{
    fixture  *f = *state;
    pthread_t other;
    void     *rc;
    mlr_blob  b;

    bed_assert_rc(mlr_place_gather_begin(f->p, NULL, &err), 0);
    bed_assert_rc(mlr_place_gather_begin(f->p, NULL, &err), 0);
    b = bed_put(f->p, "x", "small");
    mlr_fs_use(slow_sync, NULL);
    assert_int_equal(pthread_create(&other, NULL, end_slowly, f->p), 0);
    pthread_mutex_lock(&disk.lock);
    while (!disk.is_syncing)
        pthread_cond_wait(&disk.changed, &disk.lock);
    pthread_mutex_unlock(&disk.lock);
    bed_assert_rc(mlr_place_gather_end(f->p, NULL, &err), 0);
    bed_assert_rc(mlr_place_blob_has(f->p, &b, NULL, &err), 1);
    pthread_mutex_lock(&disk.lock);
    disk.may_go_on = true;
    pthread_cond_broadcast(&disk.changed);
    pthread_mutex_unlock(&disk.lock);
    assert_int_equal(pthread_join(other, &rc), 0);
    assert_int_equal((intptr_t)rc, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_gather__who_is_cancelled_loses_nothing_of_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gather__a_manifest_finds_what_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gather__a_forked_child_leaves_what_waits_to_its_parent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gather__whoever_ends_waits_for_what_others_are_publishing, set_up, tear_down),
    };
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
    return cmocka_run_group_tests_name("place/gather", tests, NULL, NULL);
}
