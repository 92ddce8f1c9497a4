/* tests/base/test_fs.c - file calls one by one: the seam, interruptions, codes, names. */
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/error.h"
#include "bed/dir.h"
#include "bed/fs_fault.h"

static int set_up(void **state)
{
    *state = bed_dir_new();
    return 0;
}

static int tear_down(void **state)
{
    mlr_fs_use(NULL, NULL);
    mlr_fs_use_short(NULL);
    bed_dir_remove(*state);
    return 0;
}

static void test_fs__an_error_names_the_path(void **state)
{
    const char  *path = bed_at(*state, "missing");
    mlreg_error *e = NULL;
    int          fd = -7;

    assert_int_equal(mlr_fs_open(path, O_RDONLY, 0, &fd, &e), MLREG_ENOTFOUND);
    assert_int_equal(fd, -7);                       /* outputs only on success */
    assert_non_null(strstr(e->message, path));
    assert_string_equal(e->subject, path);
    mlr_error_done(e);
}

static void test_fs__descriptors_close_on_exec(void **state)
{
    int fd = -1;

    assert_int_equal(mlr_fs_open(bed_at(*state, "f"), O_RDWR | O_CREAT, 0600, &fd, NULL), 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    mlr_fs_close(fd);
    mlr_fs_close(-1);
}

static void test_fs__stat_follows_no_last_link(void **state)
{
    struct stat st;

    assert_int_equal(symlink("nowhere", bed_at(*state, "link")), 0);
    assert_int_equal(mlr_fs_stat(bed_at(*state, "link"), &st, NULL), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_true(mlr_fs_exists(bed_at(*state, "link")));
    assert_false(mlr_fs_exists(bed_at(*state, "nowhere")));
    assert_int_equal(mlr_fs_stat(bed_at(*state, "nowhere"), &st, NULL), MLREG_ENOTFOUND);
}

static void test_fs__reads_are_short_only_at_the_end(void **state)
{
    char buf[16];
    int  fd;

    bed_write(bed_at(*state, "f"), "0123456789");
    assert_int_equal(mlr_fs_open(bed_at(*state, "f"), O_RDONLY, 0, &fd, NULL), 0);
    assert_int_equal(mlr_fs_read_at(fd, 2, buf, 4, "f", NULL), 4);
    assert_memory_equal(buf, "2345", 4);
    assert_int_equal(mlr_fs_read_at(fd, 8, buf, 16, "f", NULL), 2);
    assert_int_equal(mlr_fs_read_at(fd, 10, buf, 16, "f", NULL), 0);
    assert_int_equal(mlr_fs_read_at(fd, 0, buf, 0, "f", NULL), 0);
    mlr_fs_close(fd);
}

static void test_fs__writes_land_where_they_should(void **state)
{
    int fd;

    assert_int_equal(mlr_fs_open(bed_at(*state, "f"), O_RDWR | O_CREAT, 0600, &fd, NULL), 0);
    assert_int_equal(mlr_fs_write_at(fd, 3, "def", 3, "f", NULL), 0);
    assert_int_equal(mlr_fs_write_at(fd, 0, "abc", 3, "f", NULL), 0);
    assert_int_equal(mlr_fs_sync(fd, "f", NULL), 0);
    mlr_fs_close(fd);
    bed_assert_file(bed_at(*state, "f"), "abcdef");
}

static void test_fs__a_full_disk_is_an_error_with_a_hint(void **state)
{
    mlreg_error *e = NULL;
    int          fd;

    (void)state;
    assert_int_equal(mlr_fs_open("/dev/full", O_WRONLY, 0, &fd, NULL), 0);
    assert_int_equal(mlr_fs_write_at(fd, 0, "x", 1, "/dev/full", &e), MLREG_EIO);
    assert_non_null(e->hint);
    mlr_error_done(e);
    mlr_fs_close(fd);
}

/* Every call is interrupted once, and does its work all the same. */
static int interrupt_every_other(mlr_fs_call call, const char *name, void *user)
{
    int *calls = user;

    (void)call;
    (void)name;
    return ++*calls % 2 == 1 ? EINTR : 0;
}

static void test_fs__interrupted_calls_go_on(void **state)
{
    const char *dir = *state, *a = bed_at(dir, "a"), *b = bed_at(dir, "b"), *deep = bed_at(dir, "x/y");
    struct stat st;
    char        buf[4];
    int         calls = 0, fd;

    mlr_fs_use(interrupt_every_other, &calls);
    assert_int_equal(mlr_fs_open(a, O_RDWR | O_CREAT, 0600, &fd, NULL), 0);
    assert_int_equal(mlr_fs_write_at(fd, 0, "abcd", 4, a, NULL), 0);
    assert_int_equal(mlr_fs_read_at(fd, 0, buf, 4, a, NULL), 4);
    assert_int_equal(mlr_fs_sync(fd, a, NULL), 0);
    assert_int_equal(mlr_fs_link(a, b, NULL), 0);
    assert_int_equal(mlr_fs_rename(b, bed_at(dir, "c"), NULL), 0);
    assert_int_equal(mlr_fs_stat(a, &st, NULL), 0);
    assert_int_equal(mlr_fs_unlink(a, NULL), 0);
    assert_int_equal(mlr_fs_mkdirs(deep, 0700, NULL), 0);
    assert_int_equal(mlr_fs_sync_dir(dir, NULL), 0);
    mlr_fs_use(NULL, NULL);
    mlr_fs_close(fd);
    assert_true(calls >= 20);
    assert_memory_equal(buf, "abcd", 4);
    bed_assert_file(bed_at(dir, "c"), "abcd");
}

static size_t three_at_most(size_t asked)
{
    return asked < 3 ? asked : 3;
}

static void test_fs__transfers_that_come_short_are_gone_on_with(void **state)
{
    char buf[16] = "";
    int  from = -1, to = -1;

    assert_int_equal(mlr_fs_open(bed_at(*state, "from"), O_RDWR | O_CREAT, 0600, &from, NULL), 0);
    assert_int_equal(mlr_fs_open(bed_at(*state, "to"), O_RDWR | O_CREAT, 0600, &to, NULL), 0);
    mlr_fs_use_short(three_at_most);
    assert_int_equal(mlr_fs_write_at(from, 0, "0123456789", 10, "from", NULL), 0);
    assert_int_equal(mlr_fs_clone(from, to, 10, "to", NULL), 0);
    assert_int_equal(mlr_fs_read_at(to, 0, buf, 10, "to", NULL), 10);
    assert_string_equal(buf, "0123456789");
    mlr_fs_close(from);
    mlr_fs_close(to);
}

static void test_fs__every_call_asks_the_seam(void **state)
{
    static const int kinds[] = {MLR_FS_OPEN, MLR_FS_STAT, MLR_FS_READ,   MLR_FS_WRITE, MLR_FS_SYNC,
                                MLR_FS_RENAME, MLR_FS_LINK, MLR_FS_UNLINK, MLR_FS_MKDIR};
    const char      *a = bed_at(*state, "a"), *b = bed_at(*state, "b");
    struct stat      st;
    char             byte = 0;
    int              fd, other;

    assert_int_equal(mlr_fs_open(a, O_RDWR | O_CREAT, 0600, &fd, NULL), 0);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        int rc = 0;

        fs_fault_arm_only(kinds[i], 1, 1, EROFS);
        switch (kinds[i]) {
        case MLR_FS_OPEN:   rc = mlr_fs_open(a, O_RDONLY, 0, &other, NULL); break;
        case MLR_FS_STAT:   rc = mlr_fs_stat(a, &st, NULL); break;
        case MLR_FS_READ:   rc = (int)mlr_fs_read_at(fd, 0, &byte, 1, a, NULL); break;
        case MLR_FS_WRITE:  rc = mlr_fs_write_at(fd, 0, &byte, 1, a, NULL); break;
        case MLR_FS_SYNC:   rc = mlr_fs_sync(fd, a, NULL); break;
        case MLR_FS_RENAME: rc = mlr_fs_rename(a, b, NULL); break;
        case MLR_FS_LINK:   rc = mlr_fs_link(a, b, NULL); break;
        case MLR_FS_UNLINK: rc = mlr_fs_unlink(a, NULL); break;
        case MLR_FS_MKDIR:  rc = mlr_fs_mkdirs(b, 0700, NULL); break;
        }
        assert_int_equal(fs_fault_disarm(), 1);
        assert_int_equal(rc, MLREG_EDENIED);
    }
    mlr_fs_close(fd);
    assert_int_equal(bed_count(*state), 1);          /* none of them did anything */
    bed_assert_file(a, "");
}

static void test_fs__link_does_not_replace(void **state)
{
    bed_write(bed_at(*state, "a"), "a");
    bed_write(bed_at(*state, "b"), "b");
    assert_int_equal(mlr_fs_link(bed_at(*state, "a"), bed_at(*state, "b"), NULL), MLREG_EEXISTS);
    bed_assert_file(bed_at(*state, "b"), "b");
}

static void test_fs__unlink_of_nothing_is_no_error(void **state)
{
    assert_int_equal(mlr_fs_unlink(bed_at(*state, "nothing"), NULL), 0);
}

static void test_fs__mkdirs_makes_all_that_is_missing(void **state)
{
    struct stat st;

    assert_int_equal(mlr_fs_mkdirs(bed_at(*state, "a//b/c/"), 0700, NULL), 0);
    assert_int_equal(mlr_fs_mkdirs(bed_at(*state, "a/b/c"), 0700, NULL), 0);
    assert_int_equal(stat(bed_at(*state, "a/b/c"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
}

static void test_fs__mkdirs_takes_relative_paths_and_links(void **state)
{
    char *here = realpath(".", NULL);

    assert_int_equal(mkdir(bed_at(*state, "real"), 0700), 0);
    assert_int_equal(symlink("real", bed_at(*state, "link")), 0);
    assert_int_equal(mlr_fs_mkdirs(bed_at(*state, "link/deep"), 0700, NULL), 0);
    assert_true(bed_exists(bed_at(*state, "real/deep")));
    assert_int_equal(mlr_fs_mkdirs(".", 0700, NULL), 0);
    assert_int_equal(mlr_fs_mkdirs("/", 0700, NULL), 0);
    assert_int_equal(chdir(*state), 0);
    assert_int_equal(mlr_fs_mkdirs("p/q", 0700, NULL), 0);
    assert_int_equal(chdir(here), 0);
    assert_true(bed_exists(bed_at(*state, "p/q")));
    free(here);
}

static void test_fs__mkdirs_refuses_what_is_no_directory(void **state)
{
    mlreg_error *e = NULL;

    bed_write(bed_at(*state, "file"), "");
    assert_int_equal(mlr_fs_mkdirs(bed_at(*state, "file"), 0700, &e), MLREG_EIO);
    assert_non_null(strstr(e->message, "Not a directory"));
    mlr_error_done(e);
    assert_int_equal(mlr_fs_mkdirs(bed_at(*state, "file/below"), 0700, NULL), MLREG_EIO);
    assert_int_equal(mlr_fs_mkdirs("", 0700, NULL), MLREG_ENOTFOUND);
}

static void test_fs__mkdirs_leaves_no_directory_that_is_not_durable(void **state)
{
    fs_fault_arm_only(MLR_FS_SYNC, 1, 0, EIO);
    assert_int_equal(mlr_fs_mkdirs(bed_at(*state, "a/b"), 0700, NULL), MLREG_EIO);
    assert_int_equal(fs_fault_disarm(), 1);
    assert_int_equal(bed_count(*state), 0);
}

static void test_fs__a_directory_that_cannot_be_synced_is_left_at_that(void **state)
{
    fs_fault_arm_only(MLR_FS_SYNC, 1, 0, EINVAL);
    assert_int_equal(mlr_fs_sync_dir(*state, NULL), 0);
    assert_int_equal(fs_fault_disarm(), 1);
    fs_fault_arm_only(MLR_FS_SYNC, 1, 0, EIO);
    assert_int_equal(mlr_fs_sync_dir(*state, NULL), MLREG_EIO);
    fs_fault_disarm();
}

static void test_fs__paths_are_joined_and_taken_apart(void **state)
{
    static const struct {
        const char *path, *dir;
    } cases[] = {{"a/b", "a"}, {"b", "."}, {"/b", "/"}, {"a/b/", "a"}, {"a//b", "a"}, {"/", "/"}, {"", "."}, {"//b", "/"}, {"/a/b", "/a"}};
    char *joined = mlr_path_join("a", "b"), *slash = mlr_path_join("a/", "b"), *root = mlr_path_join("/", "b");

    (void)state;
    assert_string_equal(joined, "a/b");
    assert_string_equal(slash, "a/b");
    assert_string_equal(root, "/b");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *dir = mlr_path_dir(cases[i].path);

        assert_string_equal(dir, cases[i].dir);
        mlr_free(dir);
    }
    mlr_free(joined);
    mlr_free(slash);
    mlr_free(root);
}

static void test_fs__network_file_systems_are_known(void **state)
{
    (void)state;
    assert_true(mlr_fs_kind_is_network(0x6969));        /* NFS */
    assert_true(mlr_fs_kind_is_network(0x0bd00bd0));    /* Lustre */
    assert_true(mlr_fs_kind_is_network(0x65735546));    /* FUSE */
    assert_true(mlr_fs_kind_is_network(0xff534d42));    /* CIFS */
    assert_false(mlr_fs_kind_is_network(0xef53));       /* ext4 */
    assert_false(mlr_fs_kind_is_network(0x58465342));   /* XFS */
    assert_false(mlr_fs_kind_is_network(0x01021994));   /* tmpfs */
    assert_false(mlr_fs_is_network("/proc"));
    assert_false(mlr_fs_is_network("/proc/missing"));   /* asks the directory above */
    assert_false(mlr_fs_is_network("/proc/missing/deeper"));
}

int main(void)
{
#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        IN_DIR(test_fs__an_error_names_the_path),
        IN_DIR(test_fs__descriptors_close_on_exec),
        IN_DIR(test_fs__stat_follows_no_last_link),
        IN_DIR(test_fs__reads_are_short_only_at_the_end),
        IN_DIR(test_fs__writes_land_where_they_should),
        IN_DIR(test_fs__a_full_disk_is_an_error_with_a_hint),
        IN_DIR(test_fs__interrupted_calls_go_on),
        IN_DIR(test_fs__transfers_that_come_short_are_gone_on_with),
        IN_DIR(test_fs__every_call_asks_the_seam),
        IN_DIR(test_fs__link_does_not_replace),
        IN_DIR(test_fs__unlink_of_nothing_is_no_error),
        IN_DIR(test_fs__mkdirs_makes_all_that_is_missing),
        IN_DIR(test_fs__mkdirs_takes_relative_paths_and_links),
        IN_DIR(test_fs__mkdirs_refuses_what_is_no_directory),
        IN_DIR(test_fs__mkdirs_leaves_no_directory_that_is_not_durable),
        IN_DIR(test_fs__a_directory_that_cannot_be_synced_is_left_at_that),
        cmocka_unit_test(test_fs__paths_are_joined_and_taken_apart),
        cmocka_unit_test(test_fs__network_file_systems_are_known),
    };
    return cmocka_run_group_tests_name("base/fs", tests, NULL, NULL);
}
