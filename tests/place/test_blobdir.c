/* place/test_blobdir.c - content by digest: only regular files of the right size are blobs, links fall back to
 * copies. */
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
#include "bed/artifact.h"
#include "bed/dir.h"
#include "bed/fs_fault.h"
#include "place/blobdir.h"

typedef struct fixture {
    char        *dir;
    int          top;
    mlr_folder   a, b;
    mlr_digest   d; /* of "hello" */
    mlr_runtime *rt;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    f->dir = bed_dir_new();
    f->top = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mlr_folder_init(&f->a, f->top, f->dir, "a", NULL), 0);
    assert_int_equal(mlr_folder_init(&f->b, f->top, f->dir, "b", NULL), 0);
    assert_int_equal(mlr_blobdir_make(&f->a, 0755, NULL), 0);
    assert_int_equal(mlr_blobdir_make(&f->b, 0755, NULL), 0);
    assert_int_equal(mlr_runtime_new(&(mlr_limits){ 0 }, &f->rt, NULL), 0);
    mlr_digest_of("hello", 5, &f->d);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    mlr_fs_use(NULL, NULL);
    mlr_folder_done(&f->a);
    mlr_folder_done(&f->b);
    mlr_runtime_unref(f->rt);
    close(f->top);
    bed_dir_remove(f->dir);
    free(f);
    return 0;
}

static const char *path_in(const mlr_folder *in, const mlr_digest *d)
{
    return bed_at(in->path, mlr_blobdir_name(d).text);
}

static int try_store(fixture *f, const char *text, mlreg_error **err)
{
    mlr_reader *r = NULL;
    mlr_temp    t = MLR_TEMP_INIT;
    mlr_digest  got;
    int         rc = mlr_reader_from_memory(text, strlen(text), "test", &r, err);
    if (rc == 0 && (rc = mlr_blobdir_receive(f->rt, bed_at(f->a.path, MLR_BLOBDIR), 0444, r, NULL, &t, &got, err)) == 0)
        rc = mlr_blobdir_publish(&f->a, &got, strlen(text), &t, err);
    mlr_temp_done(&t);
    mlr_reader_free(r);
    return rc;
}

static void test_blobdir__a_digest_becomes_one_path(void **state)
{
    fixture *f = *state;
    assert_string_equal(mlr_blobdir_name(&f->d).text,
                        "blobs/sha256/2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
}

static void test_blobdir__publishes_what_was_received(void **state)
{
    fixture    *f = *state;
    mlr_reader *r = NULL;
    char        back[10];
    struct stat st;
    assert_int_equal(mlr_blobdir_has(&f->a, &f->d, 5, NULL), 0);
    bed_assert_rc(try_store(f, "hello", &err), 0);
    assert_int_equal(mlr_blobdir_has(&f->a, &f->d, 5, NULL), 1);
    assert_int_equal(mlr_blobdir_has(&f->a, &f->d, 6, NULL), 0);
    bed_assert_rc(mlr_blobdir_open(&f->a, &f->d, true, &r, &err), 0);
    assert_true(r->trusted && r->fd >= 0 && r->bytes == 5);
    assert_int_equal(mlr_reader_read_at(r, 0, back, 10, NULL, NULL), 5);
    assert_memory_equal(back, "hello", 5);
    mlr_reader_free(r);
    assert_int_equal(stat(path_in(&f->a, &f->d), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0444);
    assert_int_equal(bed_count(bed_at(f->a.path, MLR_BLOBDIR)), 1);
}

static void test_blobdir__one_of_another_size_gives_way(void **state)
{
    fixture *f = *state;
    bed_write(path_in(&f->a, &f->d), "hel");
    bed_assert_rc(try_store(f, "hello", &err), 0);
    bed_assert_file(path_in(&f->a, &f->d), "hello");
    bed_assert_rc(try_store(f, "hello", &err), 0);
    assert_int_equal(bed_count(bed_at(f->a.path, MLR_BLOBDIR)), 1);
}

static void test_blobdir__what_is_no_regular_file_is_an_error(void **state)
{
    fixture    *f = *state;
    const char *path = path_in(&f->a, &f->d);
    mlr_reader *r = NULL;
    assert_int_equal(mkfifo(path, 0644), 0);
    bed_assert_rc(mlr_blobdir_has(&f->a, &f->d, 0, &err), MLREG_EPROTO);
    bed_assert_rc(mlr_blobdir_open(&f->a, &f->d, false, &r, &err), MLREG_EPROTO);
    bed_assert_rc(try_store(f, "hello", &err), MLREG_EPROTO);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    bed_assert_rc(mlr_blobdir_open(&f->a, &f->d, false, &r, &err), MLREG_EPROTO);
    assert_int_equal(rmdir(path), 0);
    bed_write(bed_at(f->dir, "elsewhere"), "hello");
    assert_int_equal(symlink(bed_at(f->dir, "elsewhere"), path), 0);
    bed_assert_rc(mlr_blobdir_has(&f->a, &f->d, 5, &err), MLREG_EDENIED);
    bed_assert_rc(mlr_blobdir_open(&f->a, &f->d, false, &r, &err), MLREG_EDENIED);
}

static ino_t inode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_ino;
}

static void test_blobdir__links_share_the_file(void **state)
{
    fixture *f = *state;
    bed_assert_rc(try_store(f, "hello", &err), 0);
    bed_assert_rc(mlr_blobdir_link(&f->a, &f->b, &f->d, 5, 0444, &err), 0);
    bed_assert_rc(mlr_blobdir_link(&f->a, &f->b, &f->d, 5, 0444, &err), 0);
    assert_true(inode_of(path_in(&f->a, &f->d)) == inode_of(path_in(&f->b, &f->d)));
}

static void test_blobdir__where_links_are_impossible_it_copies(void **state)
{
    static const int reasons[] = { EXDEV, EMLINK, EPERM };
    fixture *f = *state;
    bed_assert_rc(try_store(f, "hello", &err), 0);
    for (size_t i = 0; i < 3; i++) {
        unlink(path_in(&f->b, &f->d));
        fs_fault_arm_only(MLR_FS_LINK, 1, 0, reasons[i]);
        bed_assert_rc(mlr_blobdir_link(&f->a, &f->b, &f->d, 5, 0444, &err), 0);
        assert_int_equal(fs_fault_disarm(), 1);
        bed_assert_file(path_in(&f->b, &f->d), "hello");
        assert_true(inode_of(path_in(&f->a, &f->d)) != inode_of(path_in(&f->b, &f->d)));
    }
}

static void test_blobdir__a_link_replaces_one_of_the_wrong_size(void **state)
{
    fixture *f = *state;
    bed_assert_rc(try_store(f, "hello", &err), 0);
    bed_write(path_in(&f->b, &f->d), "hel");
    bed_assert_rc(mlr_blobdir_link(&f->a, &f->b, &f->d, 5, 0444, &err), 0);
    bed_assert_file(path_in(&f->b, &f->d), "hello");
}

/* Whatever call fails: all there or not at all, and no leftovers. */
static void test_blobdir__no_fault_leaves_half_a_blob(void **state)
{
    fixture *f = *state;
    for (int for_good = 0; for_good <= 1; for_good++)
        for (int n = 1, fired = 1; fired; n++) {
            fs_fault_arm(n, for_good, ENOSPC);
            int rc = try_store(f, "hello", NULL);
            fired = fs_fault_disarm();
            if (rc == 0)
                bed_assert_file(path_in(&f->a, &f->d), "hello");
            else
                assert_true(rc == MLREG_EIO && fired);
            if (bed_exists(path_in(&f->a, &f->d)))
                bed_assert_file(path_in(&f->a, &f->d), "hello");
            assert_true(bed_count(bed_at(f->a.path, MLR_BLOBDIR)) <= 1);
            unlink(path_in(&f->a, &f->d));
        }
}

int main(void)
{
#define IN_DIR(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_DIR(test_blobdir__a_digest_becomes_one_path),
        IN_DIR(test_blobdir__publishes_what_was_received),
        IN_DIR(test_blobdir__one_of_another_size_gives_way),
        IN_DIR(test_blobdir__what_is_no_regular_file_is_an_error),
        IN_DIR(test_blobdir__links_share_the_file),
        IN_DIR(test_blobdir__where_links_are_impossible_it_copies),
        IN_DIR(test_blobdir__a_link_replaces_one_of_the_wrong_size),
        IN_DIR(test_blobdir__no_fault_leaves_half_a_blob),
    };
    return cmocka_run_group_tests_name("place/blobdir", tests, NULL, NULL);
}
