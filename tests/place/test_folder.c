/* place/test_folder.c - a directory below a trusted top: no link is followed, nothing hangs, missing is said
 * plainly. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/error.h"
#include "bed/artifact.h"
#include "bed/dir.h"
#include "bed/fs_fault.h"
#include "place/folder.h"

typedef struct fixture {
    char      *dir;
    int        top;
    mlr_folder root, sub;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    f->dir = bed_dir_new();
    f->top = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mlr_folder_init(&f->root, f->top, f->dir, "", NULL), 0);
    assert_int_equal(mlr_folder_init(&f->sub, f->top, f->dir, "a/b", NULL), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    mlr_fs_use(NULL, NULL);
    mlr_folder_done(&f->root);
    mlr_folder_done(&f->sub);
    close(f->top);
    bed_dir_remove(f->dir);
    free(f);
    return 0;
}

static void test_folder__knows_its_paths(void **state)
{
    fixture *f = *state;
    char    *path = mlr_folder_path(&f->sub, "x/y"), *own = mlr_folder_path(&f->sub, "");
    assert_string_equal(path, bed_at(f->dir, "a/b/x/y"));
    assert_string_equal(own, bed_at(f->dir, "a/b"));
    mlr_free(path);
    mlr_free(own);
}

static void test_folder__makes_and_lists_what_is_below(void **state)
{
    fixture     *f = *state;
    mlr_dir_list names = { NULL, 0, 0 };
    struct stat  st;
    bed_assert_rc(mlr_folder_list(&f->sub, "", &names, &err), 0);
    assert_int_equal(names.n, 0);
    bed_assert_rc(mlr_folder_make(&f->sub, "c/d", 0755, &err), 0);
    bed_assert_rc(mlr_folder_make(&f->sub, "c/d", 0755, &err), 0);
    bed_assert_rc(mlr_folder_make(&f->root, "", 0755, &err), 0);
    bed_write(bed_at(f->dir, "a/b/c/file"), "text");
    bed_assert_rc(mlr_folder_list(&f->sub, "c", &names, &err), 0);
    assert_int_equal(names.n, 2);
    mlr_dir_list_done(&names);
    assert_int_equal(mlr_folder_look(&f->sub, "c/file", &st, NULL), 1);
    assert_int_equal(st.st_size, 4);
    assert_int_equal(mlr_folder_look(&f->sub, "c/none", &st, NULL), 0);
    assert_int_equal(mlr_folder_look(&f->root, "", &st, NULL), 1);
    bed_assert_rc(mlr_folder_make(&f->sub, "c/file", 0755, &err), MLREG_EPROTO);
    bed_assert_rc(mlr_folder_remove(&f->sub, "c/file", &err), 0);
    bed_assert_rc(mlr_folder_remove(&f->sub, "c/file", &err), 0);
    assert_false(bed_exists(bed_at(f->dir, "a/b/c/file")));
}

static void test_folder__what_it_makes_is_synced_up_to_the_top(void **state)
{
    fixture *f = *state;
    for (int n = 1, fired = 1; fired; n++) {
        char name[32];
        snprintf(name, sizeof(name), "n%d/x", n);
        fs_fault_arm_only(MLR_FS_SYNC, n, 1, EIO);
        int rc = mlr_folder_make(&f->sub, name, 0755, NULL);
        fired = fs_fault_disarm();
        assert_int_equal(rc, fired ? MLREG_EIO : 0);
        if (!fired)
            assert_true(n > 4); /* x's parent, n's, b's, a's */
    }
}

static void test_folder__reads_whole_files_within_the_limit(void **state)
{
    fixture *f = *state;
    mlr_buf  b = MLR_BUF_INIT(10), small = MLR_BUF_INIT(9);
    bed_write(bed_at(f->dir, "f"), "0123456789");
    bed_assert_rc(mlr_folder_read(&f->root, "f", &b, &err), 0);
    assert_string_equal(b.data, "0123456789");
    bed_assert_rc(mlr_folder_read(&f->root, "f", &small, &err), MLREG_ELIMIT);
    bed_assert_rc(mlr_folder_read(&f->root, "none", &small, &err), MLREG_ENOTFOUND);
    mlr_buf_done(&b);
    mlr_buf_done(&small);
}

/* Each way in, by a link to a file, through a link to a directory, and by a FIFO. */
static void test_folder__goes_through_no_link_and_waits_for_no_fifo(void **state)
{
    fixture     *f = *state;
    mlr_buf      b = MLR_BUF_INIT(100);
    mlr_reader  *r = NULL;
    mlr_dir_list names = { NULL, 0, 0 };
    struct stat  st;
    bed_write(bed_at(f->dir, "secret"), "do not read");
    assert_int_equal(mkdir(bed_at(f->dir, "real"), 0755), 0);
    bed_write(bed_at(f->dir, "real/file"), "do not read");
    assert_int_equal(symlink("secret", bed_at(f->dir, "link")), 0);
    assert_int_equal(symlink("real", bed_at(f->dir, "dirlink")), 0);
    assert_int_equal(mkfifo(bed_at(f->dir, "fifo"), 0644), 0);
    static const char *const links[] = { "link", "dirlink/file" };
    for (size_t i = 0; i < 2; i++) {
        bed_assert_rc(mlr_folder_read(&f->root, links[i], &b, &err), MLREG_EDENIED);
        bed_assert_rc(mlr_folder_reader(&f->root, links[i], false, &r, &err), MLREG_EDENIED);
        bed_assert_rc(mlr_folder_look(&f->root, links[i], &st, &err), MLREG_EDENIED);
    }
    bed_assert_rc(mlr_folder_list(&f->root, "dirlink", &names, &err), MLREG_EDENIED);
    bed_assert_rc(mlr_folder_make(&f->root, "dirlink/x", 0755, &err), MLREG_EDENIED);
    bed_assert_rc(mlr_folder_remove(&f->root, "dirlink/file", &err), MLREG_EDENIED);
    assert_true(bed_exists(bed_at(f->dir, "real/file")));
    bed_assert_rc(mlr_folder_read(&f->root, "fifo", &b, &err), MLREG_EINVAL);
    bed_assert_rc(mlr_folder_reader(&f->root, "fifo", false, &r, &err), MLREG_EINVAL);
    mlr_buf_done(&b);
}

int main(void)
{
#define IN_DIR(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_DIR(test_folder__knows_its_paths),
        IN_DIR(test_folder__makes_and_lists_what_is_below),
        IN_DIR(test_folder__what_it_makes_is_synced_up_to_the_top),
        IN_DIR(test_folder__reads_whole_files_within_the_limit),
        IN_DIR(test_folder__goes_through_no_link_and_waits_for_no_fifo),
    };
    return cmocka_run_group_tests_name("place/folder", tests, NULL, NULL);
}
