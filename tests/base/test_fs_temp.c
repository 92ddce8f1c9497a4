/* tests/base/test_fs_temp.c - files in the making: whole or not there, whatever fails. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/fs.h"
#include "bed/dir.h"
#include "bed/failing_alloc.h"
#include "bed/fs_fault.h"

/* Tests run with O_TMPFILE, on a file system that does not know it, and on one that links but renames only over. */
struct fixture {
    char *dir;
    bool  named;        /* refuse O_TMPFILE */
    bool  no_noreplace; /* refuse RENAME_NOREPLACE, as NFS does; plain renames too, so nothing is replaced there */
    int   opens;
};
static struct fixture fixture;

static int file_system_hook(mlr_fs_call call, const char *name, void *user)
{
    struct fixture *f = user;
    int             errnum = fs_fault.nth > 0 ? fs_fault_hook(call, name, NULL) : 0;

    if (errnum != 0)
        return errnum;
    if (f->named && call == MLR_FS_OPEN && strcmp(name, f->dir) == 0 && f->opens++ == 0)
        return EOPNOTSUPP;
    return f->no_noreplace && call == MLR_FS_RENAME ? EINVAL : 0;
}

/* The n-th call fails (0: none does). */
static void arm(struct fixture *f, int n, int for_good, int errnum)
{
    fs_fault_arm(n, for_good, errnum);
    f->opens = 0;
    mlr_fs_use(file_system_hook, f);
}

static int set_up(void **state, bool named, bool no_noreplace)
{
    fixture = (struct fixture){bed_dir_new(), named, no_noreplace, 0};
    arm(&fixture, 0, 0, 0);
    *state = &fixture;
    return 0;
}

static int nameless(void **state)
{
    return set_up(state, false, false);
}

static int named(void **state)
{
    return set_up(state, true, false);
}

static int like_nfs(void **state)
{
    return set_up(state, true, true);
}

static int tear_down(void **state)
{
    (void)state;
    fs_fault_disarm();
    bed_dir_remove(fixture.dir);
    return 0;
}

static void test_temp__is_unreachable_until_published(void **state)
{
    struct fixture *f = *state;
    mlr_temp        t = MLR_TEMP_INIT;
    char            buf[3];

    assert_int_equal(mlr_temp_open(&t, f->dir, 0640, NULL), 0);
    assert_int_equal(mlr_fs_write_at(t.fd, 0, "new", 3, "t", NULL), 0);
    assert_int_equal(bed_count(f->dir), f->named);
    if (f->named)
        assert_memory_equal(t.path + strlen(f->dir), "/.tmp-", 6);
    assert_int_equal(mlr_temp_publish(&t, bed_at(f->dir, "f"), false, NULL), 0);
    bed_assert_file(bed_at(f->dir, "f"), "new");
    assert_int_equal(mlr_fs_read_at(t.fd, 0, buf, 3, "t", NULL), 3);   /* still open */
    mlr_temp_done(&t);
    mlr_temp_done(&t);
    assert_int_equal(t.fd, -1);
    assert_int_equal(bed_count(f->dir), 1);
}

static void test_temp__abandoned_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    mlr_temp        t = MLR_TEMP_INIT;
    int             open_before = bed_open_files();

    assert_int_equal(mlr_temp_open(&t, f->dir, 0600, NULL), 0);
    mlr_temp_done(&t);
    assert_int_equal(bed_count(f->dir), 0);
    assert_int_equal(bed_open_files(), open_before);
}

static void test_temp__without_replace_an_older_file_stands(void **state)
{
    struct fixture *f = *state;
    mlr_temp        t = MLR_TEMP_INIT;
    mlreg_error    *e = NULL;

    bed_write(bed_at(f->dir, "f"), "old");
    assert_int_equal(mlr_temp_open(&t, f->dir, 0600, NULL), 0);
    assert_int_equal(mlr_fs_write_at(t.fd, 0, "new", 3, "t", NULL), 0);
    assert_int_equal(mlr_temp_publish(&t, bed_at(f->dir, "f"), false, &e), MLREG_EEXISTS);
    assert_string_equal(e->subject, bed_at(f->dir, "f"));
    mlr_error_done(e);
    bed_assert_file(bed_at(f->dir, "f"), "old");
    assert_int_equal(mlr_temp_publish(&t, bed_at(f->dir, "g"), false, NULL), 0);   /* it is still there */
    bed_assert_file(bed_at(f->dir, "g"), "new");
    mlr_temp_done(&t);
    assert_int_equal(bed_count(f->dir), 2);
}

static void test_temp__with_replace_an_older_file_gives_way(void **state)
{
    struct fixture *f = *state;
    mlr_temp        t = MLR_TEMP_INIT;

    bed_write(bed_at(f->dir, "f"), "old and longer");
    assert_int_equal(mlr_temp_open(&t, f->dir, 0600, NULL), 0);
    assert_int_equal(mlr_fs_write_at(t.fd, 0, "new", 3, "t", NULL), 0);
    assert_int_equal(mlr_temp_publish(&t, bed_at(f->dir, "f"), true, NULL), 0);
    mlr_temp_done(&t);
    bed_assert_file(bed_at(f->dir, "f"), "new");
    assert_int_equal(bed_count(f->dir), 1);
}

static void test_temp__is_published_into_another_directory(void **state)
{
    struct fixture *f = *state;
    mlr_temp        t = MLR_TEMP_INIT;

    assert_int_equal(mkdir(bed_at(f->dir, "other"), 0700), 0);
    bed_write(bed_at(f->dir, "other/f"), "old");
    assert_int_equal(mlr_temp_open(&t, f->dir, 0600, NULL), 0);
    assert_int_equal(mlr_fs_write_at(t.fd, 0, "new", 3, "t", NULL), 0);
    assert_int_equal(mlr_temp_publish(&t, bed_at(f->dir, "other/f"), true, NULL), 0);
    mlr_temp_done(&t);
    bed_assert_file(bed_at(f->dir, "other/f"), "new");
    assert_int_equal(bed_count(f->dir), 1);
}

static void test_temp__has_the_mode_that_was_asked_for(void **state)
{
    struct fixture *f = *state;
    mlr_temp        t = MLR_TEMP_INIT;
    struct stat     st;

    assert_int_equal(mlr_temp_open(&t, f->dir, 0600, NULL), 0);
    assert_int_equal(fstat(t.fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_true(fcntl(t.fd, F_GETFD) & FD_CLOEXEC);
    mlr_temp_done(&t);
}

/* The directory is renamed meanwhile, and something else stands where it was. */
static void test_temp__in_a_directory_known_by_descriptor_lands_there(void **state)
{
    struct fixture *f = *state;
    mlr_temp        t = MLR_TEMP_INIT;
    int             dir;

    for (int replace = 0; replace <= 1; replace++) {
        assert_int_equal(mkdir(bed_at(f->dir, "d"), 0755), 0);
        assert_int_equal(mlr_fs_open(bed_at(f->dir, "d"), O_RDONLY | O_DIRECTORY, 0, &dir, NULL), 0);
        f->opens = 0;
        assert_int_equal(mlr_temp_open_in(&t, dir, f->dir, 0600, NULL), 0);
        assert_int_equal(bed_count(bed_at(f->dir, "d")), f->named);
        assert_int_equal(mlr_fs_write_at(t.fd, 0, "new", 3, "t", NULL), 0);
        assert_int_equal(rename(bed_at(f->dir, "d"), bed_at(f->dir, "e")), 0);
        assert_int_equal(symlink("/nowhere", bed_at(f->dir, "d")), 0);
        if (replace)
            bed_write(bed_at(f->dir, "e/f"), "old");
        assert_int_equal(mlr_temp_publish_in(&t, "f", "DIR/f", replace, NULL), 0);
        mlr_temp_done(&t);
        mlr_fs_close(dir);
        bed_assert_file(bed_at(f->dir, "e/f"), "new");
        assert_int_equal(bed_count(bed_at(f->dir, "e")), 1);
        unlink(bed_at(f->dir, "d"));
        unlink(bed_at(f->dir, "e/f"));
        rmdir(bed_at(f->dir, "e"));
    }
}

/* Whatever fails, the message speaks of the path as the caller knows it. */
static void test_temp__in_a_directory_fails_by_the_name_it_was_shown(void **state)
{
    struct fixture *f = *state;
    int             dir = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool            fired = true;

    assert_true(dir >= 0);
    for (int n = 1; fired; n++) {
        mlr_temp     t = MLR_TEMP_INIT;
        mlreg_error *e = NULL;
        int          rc;

        bed_write(bed_at(f->dir, "f"), "old");
        arm(f, n, 0, EIO);
        if ((rc = mlr_temp_open_in(&t, dir, f->dir, 0600, &e)) == 0)
            rc = mlr_temp_publish_in(&t, "f", "SHOWN/f", true, &e);
        fired = fs_fault_disarm() > 0;
        mlr_temp_done(&t);
        assert_int_equal(rc, fired ? MLREG_EIO : 0);
        if (fired && strcmp(e->subject, f->dir) != 0)
            assert_string_equal(e->subject, "SHOWN/f");
        mlr_error_done(e);
        assert_int_equal(bed_count(f->dir), 1);
    }
    bed_assert_file(bed_at(f->dir, "f"), "");
    close(dir);
}

static void test_temp__a_missing_directory_is_not_found(void **state)
{
    struct fixture *f = *state;
    mlr_temp        t = MLR_TEMP_INIT;

    assert_int_equal(mlr_temp_open(&t, bed_at(f->dir, "missing"), 0600, NULL), MLREG_ENOTFOUND);
    assert_int_equal(t.fd, -1);
    assert_null(t.dir);
}

static void test_temp__dies_with_its_process(void **state)
{
    struct fixture *f = *state;
    int             status;
    pid_t           child = fork();

    if (child == 0) {
        mlr_temp t = MLR_TEMP_INIT;

        _exit(mlr_temp_open(&t, f->dir, 0600, NULL) == 0 && mlr_fs_write_at(t.fd, 0, "x", 1, "t", NULL) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(bed_count(f->dir), f->named);   /* a name, where there must be one, that says what it is */
}

static void test_write_file__makes_and_replaces(void **state)
{
    struct fixture *f = *state;
    const char     *path = bed_at(f->dir, "f");

    assert_int_equal(mlr_fs_write_file(path, "one", 3, 0600, NULL), 0);
    bed_assert_file(path, "one");
    arm(f, 0, 0, 0);
    assert_int_equal(mlr_fs_write_file(path, "", 0, 0600, NULL), 0);
    bed_assert_file(path, "");
    assert_int_equal(bed_count(f->dir), 1);
}

static void test_write_file__replaces_a_link_not_what_it_points_at(void **state)
{
    struct fixture *f = *state;

    bed_write(bed_at(f->dir, "target"), "target");
    assert_int_equal(symlink("target", bed_at(f->dir, "f")), 0);
    assert_int_equal(mlr_fs_write_file(bed_at(f->dir, "f"), "new", 3, 0600, NULL), 0);
    bed_assert_file(bed_at(f->dir, "f"), "new");
    bed_assert_file(bed_at(f->dir, "target"), "target");
}

/* What was called, in order: 'w' content written, 's' it synced, 'n' the final name given, 'd' the directory synced. */
static char order[64];

static int record(mlr_fs_call call, const char *name, void *user)
{
    const struct fixture *f = user;
    bool                  is_final = strcmp(name, bed_at(f->dir, "f")) == 0;
    char                  step = 0;

    if (call == MLR_FS_WRITE)
        step = 'w';
    else if (call == MLR_FS_SYNC)
        step = is_final ? 's' : strcmp(name, f->dir) == 0 ? 'd' : '?';
    else if ((call == MLR_FS_LINK || call == MLR_FS_RENAME) && is_final)
        step = 'n';
    if (step != 0 && strlen(order) + 1 < sizeof order)
        order[strlen(order)] = step;
    return 0;
}

static void test_write_file__syncs_content_before_and_directory_after_the_name(void **state)
{
    struct fixture *f = *state;

    memset(order, 0, sizeof order);
    mlr_fs_use(record, f);
    assert_int_equal(mlr_fs_write_file(bed_at(f->dir, "f"), "new", 3, 0600, NULL), 0);
    assert_string_equal(order, "wsnd");
    memset(order, 0, sizeof order);
    assert_int_equal(mlr_fs_write_file(bed_at(f->dir, "f"), "newer", 5, 0600, NULL), 0);
    assert_string_equal(order, "wsnnd");              /* the link is refused, the rename replaces */
}

/* The one failure after which the new file stands: its name was given, and could not be made durable. */
static bool only_durability_failed(const struct fixture *f)
{
    return fs_fault.last_call == MLR_FS_SYNC && strcmp(fs_fault.last_name, f->dir) == 0;
}

static void each_fault(struct fixture *f, const char *old)
{
    int open_before = bed_open_files();

    for (int for_good = 0; for_good <= 1; for_good++)
        for (int n = 1, fired = 1; fired; n++) {
            const char  *path = bed_at(f->dir, "f");
            mlreg_error *e = NULL;
            int          rc;

            if (old != NULL)
                bed_write(path, old);
            arm(f, n, for_good, EIO);
            rc = mlr_fs_write_file(path, "new", 3, 0600, &e);
            fired = fs_fault_disarm();
            assert_int_equal(rc, fired ? MLREG_EIO : 0);
            assert_int_equal(e != NULL, rc < 0);
            mlr_error_done(e);
            if (!fired || only_durability_failed(f))
                bed_assert_file(path, "new");
            else if (old != NULL)
                bed_assert_file(path, old);
            assert_int_equal(bed_count(f->dir), !fired || old != NULL || only_durability_failed(f));
            assert_int_equal(bed_open_files(), open_before);
            unlink(path);
            assert_true(n < 100);
        }
}

static void test_write_file__the_old_file_stands_whatever_fails(void **state)
{
    each_fault(*state, "old");
}

static void test_write_file__nothing_is_left_whatever_fails(void **state)
{
    each_fault(*state, NULL);
}

static void test_write_file__the_old_file_stands_without_memory(void **state)
{
    struct fixture *f = *state;
    const char     *path = bed_at(f->dir, "f");

    bed_write(path, "old");
    for (int n = 1, failed = 1; failed; n++) {
        failing_alloc memory;
        mlreg_error  *e = NULL;
        int           rc;

        arm(f, 0, 0, 0);
        failing_alloc_arm(&memory, n, true);
        rc = mlr_fs_write_file(path, "new", 3, 0600, &e);
        failed = failing_alloc_disarm(&memory);
        assert_int_equal(rc, failed ? MLREG_ENOMEM : 0);
        bed_assert_file(path, failed ? "old" : "new");
        assert_int_equal(bed_count(f->dir), 1);
        mlr_error_done(e);
    }
}

int main(void)
{
#define ON(kind, f)   {#f " (" #kind ")", f, kind, tear_down, NULL}
#define EVERYWHERE(f) ON(nameless, f), ON(named, f), ON(like_nfs, f)
    static const struct CMUnitTest tests[] = {
        EVERYWHERE(test_temp__is_unreachable_until_published),
        EVERYWHERE(test_temp__abandoned_leaves_nothing),
        EVERYWHERE(test_temp__without_replace_an_older_file_stands),
        ON(nameless, test_temp__with_replace_an_older_file_gives_way),
        ON(named, test_temp__with_replace_an_older_file_gives_way),
        ON(nameless, test_temp__is_published_into_another_directory),
        ON(named, test_temp__is_published_into_another_directory),
        EVERYWHERE(test_temp__has_the_mode_that_was_asked_for),
        ON(nameless, test_temp__in_a_directory_known_by_descriptor_lands_there),
        ON(named, test_temp__in_a_directory_known_by_descriptor_lands_there),
        ON(nameless, test_temp__in_a_directory_fails_by_the_name_it_was_shown),
        ON(named, test_temp__in_a_directory_fails_by_the_name_it_was_shown),
        EVERYWHERE(test_temp__a_missing_directory_is_not_found),
        EVERYWHERE(test_temp__dies_with_its_process),
        ON(nameless, test_write_file__makes_and_replaces),
        ON(named, test_write_file__makes_and_replaces),
        ON(nameless, test_write_file__replaces_a_link_not_what_it_points_at),
        ON(nameless, test_write_file__syncs_content_before_and_directory_after_the_name),
        ON(nameless, test_write_file__the_old_file_stands_whatever_fails),
        ON(named, test_write_file__the_old_file_stands_whatever_fails),
        ON(nameless, test_write_file__nothing_is_left_whatever_fails),
        ON(named, test_write_file__nothing_is_left_whatever_fails),
        ON(nameless, test_write_file__the_old_file_stands_without_memory),
        ON(named, test_write_file__the_old_file_stands_without_memory),
    };
    return cmocka_run_group_tests_name("base/fs_temp", tests, NULL, NULL);
}
