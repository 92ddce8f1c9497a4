/* tests/base/test_fs_list.c - what a directory holds: sorted, typed, bounded. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/fs.h"
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

static void test_list__is_sorted_by_byte_and_knows_types(void **state)
{
    static const struct {
        const char   *name;
        unsigned char type;
    } expected[] = {{".hidden", DT_REG}, {"B", DT_DIR}, {"a", DT_LNK}, {"b", DT_FIFO}, {"\xc3\xa4", DT_REG}};
    mlr_dir_list l = {NULL, 0, 0};

    bed_write(bed_at(*state, "\xc3\xa4"), "");
    bed_write(bed_at(*state, ".hidden"), "");
    assert_int_equal(mkfifo(bed_at(*state, "b"), 0600), 0);
    assert_int_equal(mkdir(bed_at(*state, "B"), 0700), 0);
    assert_int_equal(symlink("nowhere", bed_at(*state, "a")), 0);
    assert_int_equal(mlr_fs_list_path(*state, 5, &l, NULL), 0);
    assert_int_equal(l.n, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(l.items[i].name, expected[i].name);
        assert_int_equal(l.items[i].type, expected[i].type);
    }
    mlr_dir_list_done(&l);
    mlr_dir_list_done(&l);
}

static void test_list__an_empty_directory_is_an_empty_list(void **state)
{
    mlr_dir_list l = {NULL, 0, 0};

    assert_int_equal(mlr_fs_list_path(*state, 0, &l, NULL), 0);
    assert_int_equal(l.n, 0);
    mlr_dir_list_done(&l);
}

static void test_list__only_reads_the_descriptor_it_is_given(void **state)
{
    int fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC), open_before = bed_open_files();

    bed_write(bed_at(*state, "f"), "");
    for (int i = 0; i < 2; i++) {                  /* the second time finds the same: the position did not move */
        mlr_dir_list l = {NULL, 0, 0};

        assert_int_equal(mlr_fs_list(fd, "dir", 10, &l, NULL), 0);
        assert_int_equal(l.n, 1);
        mlr_dir_list_done(&l);
    }
    assert_int_equal(bed_open_files(), open_before);
    assert_int_equal(close(fd), 0);
}

static void test_list__one_entry_too_many_is_an_error(void **state)
{
    mlr_dir_list l = {NULL, 0, 0};
    mlreg_error *e = NULL;

    bed_write(bed_at(*state, "a"), "");
    bed_write(bed_at(*state, "b"), "");
    assert_int_equal(mlr_fs_list_path(*state, 1, &l, &e), MLREG_ELIMIT);
    assert_non_null(strstr(e->message, "1 entries"));
    assert_null(l.items);
    mlr_error_done(e);
    assert_int_equal(mlr_fs_list_path(*state, 2, &l, NULL), 0);
    mlr_dir_list_done(&l);
}

static void test_list__a_missing_directory_is_not_found(void **state)
{
    mlr_dir_list l = {NULL, 0, 0};

    bed_write(bed_at(*state, "file"), "");
    assert_int_equal(mlr_fs_list_path(bed_at(*state, "missing"), 1, &l, NULL), MLREG_ENOTFOUND);
    assert_int_equal(mlr_fs_list_path(bed_at(*state, "file"), 1, &l, NULL), MLREG_EIO);
}

static void test_list__whatever_fails_there_is_no_half_list(void **state)
{
    int open_before = bed_open_files();

    bed_write(bed_at(*state, "a"), "");
    bed_write(bed_at(*state, "b"), "");
    for (int n = 1, fired = 1; fired; n++) {
        mlr_dir_list l = {NULL, 0, 0};
        int          rc;

        fs_fault_arm(n, 0, EIO);
        rc = mlr_fs_list_path(*state, 10, &l, NULL);
        fired = fs_fault_disarm();
        assert_int_equal(rc, fired ? MLREG_EIO : 0);
        assert_int_equal(l.n, fired ? 0 : 2);
        mlr_dir_list_done(&l);
    }
    for (int n = 1, failed = 1; failed; n++) {
        failing_alloc memory;
        mlr_dir_list  l = {NULL, 0, 0};
        int           rc;

        failing_alloc_arm(&memory, n, true);
        rc = mlr_fs_list_path(*state, 10, &l, NULL);
        failed = failing_alloc_disarm(&memory);
        assert_int_equal(rc, failed ? MLREG_ENOMEM : 0);
        mlr_dir_list_done(&l);
    }
    assert_int_equal(bed_open_files(), open_before);
}

int main(void)
{
#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        IN_DIR(test_list__is_sorted_by_byte_and_knows_types),
        IN_DIR(test_list__an_empty_directory_is_an_empty_list),
        IN_DIR(test_list__only_reads_the_descriptor_it_is_given),
        IN_DIR(test_list__one_entry_too_many_is_an_error),
        IN_DIR(test_list__a_missing_directory_is_not_found),
        IN_DIR(test_list__whatever_fails_there_is_no_half_list),
    };
    return cmocka_run_group_tests_name("base/fs_list", tests, NULL, NULL);
}
