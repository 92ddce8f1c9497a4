/* tests/base/test_fs_hint.c - space taken in advance: a full disk shows at once, and the file stays as it is. */
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

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
    bed_dir_remove(*state);
    return 0;
}

static void test_fs_hint__reserving_leaves_the_size(void **state)
{
    const char *path = bed_at(*state, "f");
    struct stat st;
    int         fd = -1;

    assert_int_equal(mlr_fs_open(path, O_RDWR | O_CREAT, 0600, &fd, NULL), 0);
    assert_int_equal(mlr_fs_reserve(fd, 0, path, NULL), 0);
    assert_int_equal(mlr_fs_reserve(fd, 1 << 20, path, NULL), 0);
    mlr_fs_write_behind(fd, 0, 1 << 20);
    assert_int_equal(mlr_fs_stat_fd(fd, path, &st, NULL), 0);
    assert_int_equal(st.st_size, 0);
    mlr_fs_close(fd);
}

static void test_fs_hint__a_full_disk_shows_and_hints(void **state)
{
    const char  *path = bed_at(*state, "f");
    mlreg_error *e = NULL;
    int          fd = -1;

    assert_int_equal(mlr_fs_open(path, O_RDWR | O_CREAT, 0600, &fd, NULL), 0);
    fs_fault_arm_only(MLR_FS_WRITE, 1, 0, ENOSPC);
    assert_int_equal(mlr_fs_reserve(fd, 1, path, &e), MLREG_EIO);
    assert_int_equal(fs_fault_disarm(), 1);
    assert_non_null(e->hint);
    mlr_error_done(e);
    fs_fault_arm_only(MLR_FS_WRITE, 1, 0, EOPNOTSUPP);
    assert_int_equal(mlr_fs_reserve(fd, 1, path, NULL), 0);
    mlr_fs_close(fd);
}

static void test_fs_hint__looking_at_a_descriptor_can_fail(void **state)
{
    struct stat  st;
    mlreg_error *e = NULL;

    (void)state;
    assert_int_equal(mlr_fs_stat_fd(-1, "closed", &st, &e), MLREG_EIO);
    assert_string_equal(e->subject, "closed");
    mlr_error_done(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fs_hint__reserving_leaves_the_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fs_hint__a_full_disk_shows_and_hints, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fs_hint__looking_at_a_descriptor_can_fail, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("base/fs_hint", tests, NULL, NULL);
}
