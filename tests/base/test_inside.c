/* tests/base/test_inside.c - paths in a folder that serves as root: they never leave it. */
#include "base/inside.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/fs.h"
#include "bed/dir.h"
#include "bed/fs_fault.h"

static ino_t parent_of(int root, const char *path, bool make)
{
    struct stat st;
    const char *last;
    int dir = -1;

    if (mlr_inside_parent(root, path, make, &dir, &last, NULL) < 0)
        return 0;
    assert_int_equal(fstat(dir, &st), 0);
    close(dir);
    return st.st_ino;
}

static ino_t inode(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_ino;
}

static void test_inside__links_lead_as_in_a_chroot(void **state)
{
    char *top = bed_dir_new();
    int root = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    assert_int_equal(mkdir(bed_at(top, "a"), 0755), 0);
    assert_int_equal(mkdir(bed_at(top, "a/b"), 0755), 0);
    assert_int_equal(symlink("/a/b", bed_at(top, "abs")), 0);
    assert_int_equal(symlink("../../../../a", bed_at(top, "a/up")), 0);
    assert_int_equal(symlink("../..", bed_at(top, "a/b/out")), 0);
    assert_int_equal(parent_of(root, "abs/x", false), inode(bed_at(top, "a/b")));
    assert_int_equal(parent_of(root, "a/up/x", false), inode(bed_at(top, "a")));
    assert_int_equal(parent_of(root, "a/b/out/x", false), inode(top));
    assert_int_equal(parent_of(root, "abs/out/abs/out/a/b/x", false), inode(bed_at(top, "a/b")));
    assert_int_equal(parent_of(root, "x", false), inode(top));
    assert_int_equal(parent_of(root, "", false), inode(top));
    close(root);
    bed_dir_remove(top);
}

static void test_inside__a_way_that_fails_says_why(void **state)
{
    char *top = bed_dir_new();
    int root = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC), before = bed_open_files();

    (void)state;
    assert_int_equal(mkdir(bed_at(top, "a"), 0755), 0);
    assert_int_equal(mkdir(bed_at(top, "a/b"), 0755), 0);
    assert_int_equal(symlink("../b", bed_at(top, "a/b/back")), 0);
    for (int n = 1, fired = 1; fired; n++) {
        mlreg_error *err = NULL;
        const char *last;
        int dir = -1, rc;

        fs_fault_arm(n, 0, EMFILE);
        rc = mlr_inside_parent(root, "a/b/back/x", false, &dir, &last, &err);
        fired = fs_fault_disarm();
        assert_int_equal(rc, fired ? MLREG_EIO : 0);
        assert_true(!fired || strstr(err->hint, "ulimit") != NULL);
        mlr_error_done(err);
        if (rc == 0)
            close(dir);
        assert_int_equal(bed_open_files(), before);
    }
    close(root);
    bed_dir_remove(top);
}

static void test_inside__what_is_missing_is_made_within(void **state)
{
    char *top = bed_dir_new();
    int root = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ino_t made;

    (void)state;
    assert_int_equal(symlink("/new/deep", bed_at(top, "dangling")), 0);
    assert_int_equal(parent_of(root, "dangling/x", false), 0);
    made = parent_of(root, "dangling/x", true);
    assert_int_equal(made, inode(bed_at(top, "new/deep")));
    assert_int_equal(bed_count(top), 2);
    close(root);
    bed_dir_remove(top);
}

static bool keeps_k(const struct stat *dir, const char *name, void *user)
{
    (void)dir;
    (void)user;
    return name[0] == 'k';
}

static void test_inside__removing_keeps_what_is_to_be_kept_and_follows_no_link(void **state)
{
    char *top = bed_dir_new();
    int root = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    assert_int_equal(mkdir(bed_at(top, "d"), 0755), 0);
    assert_int_equal(mkdir(bed_at(top, "d/e"), 0755), 0);
    assert_int_equal(mkdir(bed_at(top, "other"), 0755), 0);
    bed_write(bed_at(top, "other/file"), "stays");
    bed_write(bed_at(top, "d/e/kept"), "k");
    bed_write(bed_at(top, "d/e/gone"), "g");
    assert_int_equal(symlink("../other", bed_at(top, "d/link")), 0);
    assert_int_equal(mlr_inside_remove(root, "d", "d", keeps_k, NULL, NULL), 0);
    bed_assert_file(bed_at(top, "d/e/kept"), "k");
    assert_false(bed_exists(bed_at(top, "d/e/gone")));
    assert_false(bed_exists(bed_at(top, "d/link")));
    bed_assert_file(bed_at(top, "other/file"), "stays");
    assert_int_equal(chmod(bed_at(top, "d/e"), 0500), 0);
    assert_int_equal(mlr_inside_remove(root, "d", "d", NULL, NULL, NULL), 0);
    assert_false(bed_exists(bed_at(top, "d")));
    close(root);
    bed_dir_remove(top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inside__links_lead_as_in_a_chroot),
        cmocka_unit_test(test_inside__a_way_that_fails_says_why),
        cmocka_unit_test(test_inside__what_is_missing_is_made_within),
        cmocka_unit_test(test_inside__removing_keeps_what_is_to_be_kept_and_follows_no_link),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
