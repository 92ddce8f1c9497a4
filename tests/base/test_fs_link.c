/* tests/base/test_fs_link.c - where a path leads to through symbolic links. */
#include "base/fs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/error.h"
#include "bed/dir.h"
#include "bed/failing_alloc.h"
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

static void assert_leads_to(const char *path, const char *end)
{
    char *found = NULL;

    assert_int_equal(mlr_fs_follow(path, &found, NULL), 0);
    assert_string_equal(found, end);
    mlr_free(found);
}

static void test_fs_link__what_is_no_link_leads_to_itself(void **state)
{
    bed_write(bed_at(*state, "file"), "x");
    assert_leads_to(bed_at(*state, "file"), bed_at(*state, "file"));
    assert_leads_to(bed_at(*state, "missing"), bed_at(*state, "missing"));
}

static void test_fs_link__links_are_followed_to_the_end_that_need_not_exist(void **state)
{
    mkdir(bed_at(*state, "d"), 0700);
    assert_int_equal(symlink("d/second", bed_at(*state, "first")), 0);
    assert_int_equal(symlink(bed_at(*state, "third"), bed_at(*state, "d/second")), 0);
    assert_leads_to(bed_at(*state, "first"), bed_at(*state, "third"));
}

static void test_fs_link__a_loop_is_an_error(void **state)
{
    mlreg_error *e = NULL;
    char        *found = NULL;

    assert_int_equal(symlink("b", bed_at(*state, "a")), 0);
    assert_int_equal(symlink("a", bed_at(*state, "b")), 0);
    assert_int_equal(mlr_fs_follow(bed_at(*state, "a"), &found, &e), MLREG_EIO);
    assert_string_equal(e->subject, bed_at(*state, "a"));
    assert_null(found);
    mlr_error_done(e);
}

static void test_fs_link__fails_cleanly_whatever_fails(void **state)
{
    char *found = NULL;

    bed_write(bed_at(*state, "file"), "x");
    assert_int_equal(symlink("file", bed_at(*state, "link")), 0);
    for (int n = 1, fired = 1; fired; n++) {
        fs_fault_arm(n, 0, EACCES);
        int rc = mlr_fs_follow(bed_at(*state, "link"), &found, NULL);
        fired = fs_fault_disarm();
        assert_int_equal(rc, fired ? MLREG_EDENIED : 0);
    }
    mlr_free(found);
    for (int n = 1, fired = 1; fired; n++) {
        failing_alloc f;

        failing_alloc_arm(&f, n, false);
        int rc = mlr_fs_follow(bed_at(*state, "link"), &found, NULL);
        fired = failing_alloc_disarm(&f);
        assert_int_equal(rc, fired ? MLREG_ENOMEM : 0);
    }
    mlr_free(found);
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(test_fs_link__what_is_no_link_leads_to_itself),
        IN_DIR(test_fs_link__links_are_followed_to_the_end_that_need_not_exist),
        IN_DIR(test_fs_link__a_loop_is_an_error),
        IN_DIR(test_fs_link__fails_cleanly_whatever_fails),
    };
    return cmocka_run_group_tests_name("base/fs_link", tests, NULL, NULL);
}
