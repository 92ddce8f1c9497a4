/* base/test_private.c - the directory of our own: where it is, and whom it must not be open to. */
#include "base/private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "bed/dir.h"

#define VARIABLE "MLREG_TEST_PRIVATE"

static void assert_dir(const char *want)
{
    char *dir = mlr_private_dir(VARIABLE, ".cache");

    if (want == NULL)
        assert_null(dir);
    else
        assert_string_equal(dir, want);
    mlr_free(dir);
}

static void test_private__is_named_by_the_variable_else_by_home(void **state)
{
    (void)state;
    setenv("HOME", "/home/ann", 1);
    unsetenv(VARIABLE);
    assert_dir("/home/ann/.cache/mlreg/private");
    setenv(VARIABLE, "/var/x", 1);
    assert_dir("/var/x/mlreg/private");
    setenv(VARIABLE, "relative", 1);
    assert_dir("/home/ann/.cache/mlreg/private");
    setenv("HOME", "", 1);
    assert_dir(NULL);
}

static void test_private__is_made_for_its_user_alone(void **state)
{
    char       *top = bed_dir_new(), *dir = strdup(bed_at(top, "a/b/mlreg"));
    struct stat st;
    int         fd = -1;

    (void)state;
    assert_int_equal(mlr_private_open(dir, "f", false, &fd, NULL), MLREG_ENOTFOUND);
    assert_int_equal(mlr_private_open(dir, "f", true, &fd, NULL), 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    close(fd);
    free(dir);
    bed_dir_remove(top);
}

static void test_private__what_others_can_reach_or_have_put_there_is_refused(void **state)
{
    char *top = bed_dir_new(), *dir = strdup(bed_at(top, "mlreg"));
    int   fd = -1;

    (void)state;
    assert_int_equal(mlr_private_make(dir, NULL), 0);
    assert_int_equal(symlink("/etc/passwd", bed_at(dir, "link")), 0);
    assert_true(mlr_private_open(dir, "link", true, &fd, NULL) < 0);
    assert_int_equal(mkfifo(bed_at(dir, "pipe"), 0600), 0);
    assert_int_equal(mlr_private_open(dir, "pipe", true, &fd, NULL), MLREG_EDENIED);
    bed_write(bed_at(dir, "open"), "");
    assert_int_equal(chmod(bed_at(dir, "open"), 0644), 0);
    assert_int_equal(mlr_private_open(dir, "open", true, &fd, NULL), MLREG_EDENIED);
    assert_int_equal(chmod(dir, 0770), 0);
    assert_int_equal(mlr_private_make(dir, NULL), MLREG_EDENIED);
    assert_int_equal(mlr_private_open(dir, "f", true, &fd, NULL), MLREG_EDENIED);
    assert_int_equal(fd, -1);
    free(dir);
    bed_dir_remove(top);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_private__is_named_by_the_variable_else_by_home),
        cmocka_unit_test(test_private__is_made_for_its_user_alone),
        cmocka_unit_test(test_private__what_others_can_reach_or_have_put_there_is_refused),
    };

    return cmocka_run_group_tests_name("base/private", tests, NULL, NULL);
}
