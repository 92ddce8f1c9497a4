/* tests/base/test_beneath.c - below a directory, through no link: with openat2 and without, the same answers. */
#include "base/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/error.h"
#include "bed/dir.h"
#include "bed/fs_fault.h"

struct fixture {
    char *dir;
    int   root;
    int   open_files;   /* before the test */
    int   refuse;       /* what openat2 fails with; 0: nothing */
    int   refused;      /* how often it did */
};
static struct fixture fixture;

static int refuse_openat2(mlr_fs_call call, const char *name, void *user)
{
    struct fixture *f = user;

    (void)name;
    if (call != MLR_FS_OPEN_BENEATH)
        return 0;
    f->refused += f->refuse != 0;
    return f->refuse;
}

static int set_up(void **state, int refuse)
{
    fixture = (struct fixture){.dir = bed_dir_new(), .refuse = refuse};
    assert_int_equal(mkdir(bed_at(fixture.dir, "root"), 0700), 0);
    bed_write(bed_at(fixture.dir, "outside"), "outside");
    fixture.root = open(bed_at(fixture.dir, "root"), O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(fixture.root >= 0);
    fixture.open_files = bed_open_files();
    mlr_fs_use(refuse_openat2, &fixture);
    *state = &fixture;
    return 0;
}

static int openat2(void **state)
{
    return set_up(state, 0);
}

static int walking(void **state)
{
    return set_up(state, ENOSYS);
}

static int filtered(void **state)
{
    return set_up(state, EPERM);
}

static int tear_down(void **state)
{
    (void)state;
    mlr_fs_use(NULL, NULL);
    assert_int_equal(bed_open_files(), fixture.open_files);     /* no test leaks a descriptor */
    close(fixture.root);
    bed_dir_remove(fixture.dir);
    return 0;
}

static const char *in_root(const char *name)
{
    char below[BED_PATH_MAX / 2];

    snprintf(below, sizeof below, "root/%s", name);
    return bed_at(fixture.dir, below);
}

static void make(struct fixture *f, const char *path, const char *text)
{
    int fd = -1;

    assert_int_equal(mlr_beneath_open(f->root, path, O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, NULL), 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void test_beneath__opens_and_makes_files(void **state)
{
    struct fixture *f = *state;
    int             fd = -1;
    struct stat     st;

    assert_int_equal(mlr_beneath_mkdirs(f->root, "a/b", 0700, NULL), 0);
    make(f, "top", "top");
    make(f, "a/b/deep", "deep");
    bed_assert_file(in_root("top"), "top");
    bed_assert_file(in_root("a/b/deep"), "deep");
    assert_int_equal(mlr_beneath_open(f->root, "a/b/deep", O_RDONLY, 0, &fd, NULL), 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    close(fd);
    assert_int_equal(f->refused > 0, f->refuse != 0);
}

static void test_beneath__codes_are_those_of_errno(void **state)
{
    struct fixture *f = *state;
    mlreg_error    *e = NULL;
    int             fd = -7;

    make(f, "file", "");
    assert_int_equal(mlr_beneath_open(f->root, "missing", O_RDONLY, 0, &fd, &e), MLREG_ENOTFOUND);
    assert_string_equal(e->subject, "missing");
    mlr_error_done(e);
    assert_int_equal(mlr_beneath_open(f->root, "missing/below", O_RDONLY, 0, &fd, NULL), MLREG_ENOTFOUND);
    assert_int_equal(mlr_beneath_open(f->root, "file", O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, NULL), MLREG_EEXISTS);
    assert_int_equal(mlr_beneath_open(f->root, "file/below", O_RDONLY, 0, &fd, NULL), MLREG_EIO);
    assert_int_equal(fd, -7);
}

static void test_beneath__paths_of_another_form_are_refused(void **state)
{
    static const char *const bad[] = {"", "/etc/passwd", "..", ".", "../outside", "a/../../outside", "a//b", "a/", "./a",
                                      "a/.", "a/..", "/"};
    struct fixture          *f = *state;
    int                      fd = -7;
    const char              *last = NULL;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        mlreg_error *e = NULL;

        assert_int_equal(mlr_beneath_open(f->root, bad[i], O_RDONLY, 0, &fd, &e), MLREG_EINVAL);
        assert_non_null(strstr(e->message, bad[i]));
        mlr_error_done(e);
        assert_int_equal(mlr_beneath_mkdirs(f->root, bad[i], 0700, NULL), MLREG_EINVAL);
        assert_int_equal(mlr_beneath_unlink(f->root, bad[i], NULL), MLREG_EINVAL);
        assert_int_equal(mlr_beneath_parent(f->root, bad[i], 0700, &fd, &last, NULL), MLREG_EINVAL);
    }
    assert_int_equal(fd, -7);
    assert_null(last);
    assert_int_equal(bed_count(in_root(".")), 0);
    bed_assert_file(bed_at(f->dir, "outside"), "outside");
}

/* However the link is met, it is EDENIED, with a hint, and nothing on its other side changes. */
static void assert_denied(struct fixture *f, const char *path, int flags)
{
    mlreg_error *e = NULL;
    int          fd = -7;

    assert_int_equal(mlr_beneath_open(f->root, path, flags, 0600, &fd, &e), MLREG_EDENIED);
    assert_int_equal(fd, -7);
    assert_non_null(strstr(e->message, "symbolic link"));
    assert_non_null(e->hint);
    assert_string_equal(e->subject, path);
    mlr_error_done(e);
}

static void test_beneath__a_link_at_the_end_is_refused(void **state)
{
    static const int flags[] = {O_RDONLY, O_WRONLY | O_CREAT, O_WRONLY | O_TRUNC, O_PATH, O_RDONLY | O_DIRECTORY,
                                O_PATH | O_DIRECTORY};
    struct fixture  *f = *state;

    make(f, "inside", "inside");
    assert_int_equal(symlink("../outside", in_root("out")), 0);
    assert_int_equal(symlink("inside", in_root("in")), 0);
    assert_int_equal(symlink("nowhere", in_root("dangling")), 0);
    assert_int_equal(symlink("/", in_root("absolute")), 0);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        assert_denied(f, "out", flags[i]);
        assert_denied(f, "in", flags[i]);
        assert_denied(f, "dangling", flags[i]);
        assert_denied(f, "absolute", flags[i]);
    }
    bed_assert_file(bed_at(f->dir, "outside"), "outside");
    bed_assert_file(in_root("inside"), "inside");
    assert_false(bed_exists(in_root("nowhere")));
}

static void test_beneath__a_link_that_is_in_the_way_of_a_new_file_exists(void **state)
{
    struct fixture *f = *state;
    int             fd;

    assert_int_equal(symlink("nowhere", in_root("dangling")), 0);
    assert_int_equal(mlr_beneath_open(f->root, "dangling", O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, NULL), MLREG_EEXISTS);
    assert_false(bed_exists(in_root("nowhere")));
}

static void test_beneath__a_link_on_the_way_is_refused(void **state)
{
    struct fixture *f = *state;
    const char     *last = NULL;
    int             fd = -7;

    assert_int_equal(mlr_beneath_mkdirs(f->root, "real/dir", 0700, NULL), 0);
    assert_int_equal(symlink("..", in_root("up")), 0);
    assert_int_equal(symlink("real", in_root("alias")), 0);
    assert_int_equal(symlink("../..", in_root("real/dir/up")), 0);
    assert_denied(f, "up/outside", O_RDONLY);
    assert_denied(f, "up/new", O_WRONLY | O_CREAT);
    assert_denied(f, "alias/dir/new", O_WRONLY | O_CREAT);
    assert_denied(f, "real/dir/up/outside", O_RDONLY);
    assert_int_equal(mlr_beneath_mkdirs(f->root, "up/new", 0700, NULL), MLREG_EDENIED);
    assert_int_equal(mlr_beneath_mkdirs(f->root, "up", 0700, NULL), MLREG_EDENIED);
    assert_int_equal(mlr_beneath_mkdirs(f->root, "alias/new", 0700, NULL), MLREG_EDENIED);
    assert_int_equal(mlr_beneath_parent(f->root, "up/new/file", 0700, &fd, &last, NULL), MLREG_EDENIED);
    assert_int_equal(mlr_beneath_unlink(f->root, "up/outside", NULL), MLREG_EDENIED);
    assert_int_equal(fd, -7);
    assert_null(last);
    bed_assert_file(bed_at(f->dir, "outside"), "outside");
    assert_int_equal(bed_count(f->dir), 2);
    assert_int_equal(bed_count(in_root("real")), 1);
}

static void test_beneath__a_look_tells_what_is_there(void **state)
{
    struct fixture *f = *state;
    struct stat     st;

    assert_int_equal(mlr_beneath_mkdirs(f->root, "dir", 0700, NULL), 0);
    make(f, "dir/file", "four");
    assert_int_equal(symlink("dir", in_root("alias")), 0);
    assert_int_equal(mlr_beneath_look(f->root, "dir/file", &st, NULL), 1);
    assert_int_equal(st.st_size, 4);
    assert_int_equal(mlr_beneath_look(f->root, "dir", &st, NULL), 1);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(mlr_beneath_look(f->root, "dir/other", &st, NULL), 0);
    assert_int_equal(mlr_beneath_look(f->root, "none/file", &st, NULL), 0);
    assert_int_equal(mlr_beneath_look(f->root, "alias/file", &st, NULL), MLREG_EDENIED);
    assert_int_equal(mlr_beneath_look(f->root, "alias", &st, NULL), MLREG_EDENIED);
    assert_int_equal(mlr_beneath_look(f->root, "../outside", &st, NULL), MLREG_EINVAL);
}

static void test_beneath__mkdirs_makes_what_is_missing(void **state)
{
    struct fixture *f = *state;
    struct stat     st;

    assert_int_equal(mlr_beneath_mkdirs(f->root, "a/b/c", 0750, NULL), 0);
    assert_int_equal(mlr_beneath_mkdirs(f->root, "a/b/c", 0700, NULL), 0);
    assert_int_equal(mlr_beneath_mkdirs(f->root, "a/b/d", 0700, NULL), 0);
    assert_int_equal(stat(in_root("a/b/c"), &st), 0);
    assert_int_equal(st.st_mode & 07777 & ~022, 0750);     /* less what the umask takes */
    assert_int_equal(bed_count(in_root("a/b")), 2);
    make(f, "a/file", "");
    assert_int_equal(mlr_beneath_mkdirs(f->root, "a/file", 0700, NULL), MLREG_EIO);
    assert_int_equal(mlr_beneath_mkdirs(f->root, "a/file/x", 0700, NULL), MLREG_EIO);
}

static void test_beneath__parent_gives_directory_and_last_component(void **state)
{
    struct fixture *f = *state;
    const char     *path = "a/b/file", *last;
    int             fd, file;

    assert_int_equal(mlr_beneath_parent(f->root, path, 0700, &fd, &last, NULL), 0);
    assert_ptr_equal(last, path + 4);
    assert_true((file = openat(fd, last, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) >= 0);
    assert_int_equal(fsync(fd), 0);                        /* readable, so it can be synced */
    close(file);
    close(fd);
    assert_true(bed_exists(in_root("a/b/file")));
    assert_int_equal(mlr_beneath_parent(f->root, "top", 0700, &fd, &last, NULL), 0);
    assert_string_equal(last, "top");
    assert_int_equal(faccessat(fd, "a", F_OK, 0), 0);      /* the root itself */
    close(fd);
}

static void test_beneath__unlink_removes_the_name_only(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(mlr_beneath_mkdirs(f->root, "a", 0700, NULL), 0);
    make(f, "a/file", "");
    assert_int_equal(symlink("../../outside", in_root("a/link")), 0);
    assert_int_equal(mlr_beneath_unlink(f->root, "a/file", NULL), 0);
    assert_int_equal(mlr_beneath_unlink(f->root, "a/link", NULL), 0);
    assert_int_equal(mlr_beneath_unlink(f->root, "a/file", NULL), 0);
    assert_int_equal(mlr_beneath_unlink(f->root, "missing/file", NULL), 0);
    assert_int_equal(bed_count(in_root("a")), 0);
    bed_assert_file(bed_at(f->dir, "outside"), "outside");
    assert_int_equal(mlr_beneath_unlink(f->root, "a", NULL), MLREG_EIO);   /* a directory stays */
    assert_true(bed_exists(in_root("a")));
}

/* 15 components of 255 bytes, one of 254, one of 1, and their slashes are 4,096 bytes: no path for one system call. */
static void test_beneath__the_longest_path_works_and_no_longer_one(void **state)
{
    struct fixture *f = *state;
    char            path[4200], top[256];
    int             fd;

    memset(path, 'p', sizeof path);
    for (int i = 1; i <= 15; i++)
        path[i * 256 - 1] = '/';
    path[4096] = '\0';
    path[4094] = '/';                                        /* ends in a component of one byte */
    assert_int_equal(mlr_beneath_parent(f->root, path, 0700, &fd, &(const char *){NULL}, NULL), 0);
    close(fd);
    make(f, path, "deep");
    assert_int_equal(mlr_beneath_open(f->root, path, O_RDONLY, 0, &fd, NULL), 0);
    close(fd);
    assert_int_equal(mlr_beneath_unlink(f->root, path, NULL), 0);
    assert_int_equal(mlr_beneath_open(f->root, path, O_RDONLY, 0, &fd, NULL), MLREG_ENOTFOUND);
    strcpy(path + 4095, "pp");
    assert_int_equal(mlr_beneath_open(f->root, path, O_RDONLY, 0, &fd, NULL), MLREG_EINVAL);
    memset(top, 'p', 255);
    top[255] = '\0';
    /* Too deep for nftw's paths: taken apart from the top, one directory moved up at a time. */
    for (int i = 0; i < 15; i++) {
        char moved[24];
        int  dir = openat(f->root, top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        snprintf(moved, sizeof moved, "level-%d", i);
        assert_true(dir >= 0);
        if (faccessat(dir, top, F_OK, 0) == 0) {
            assert_int_equal(renameat(dir, top, f->root, "next"), 0);
            assert_int_equal(renameat(f->root, top, f->root, moved), 0);
            assert_int_equal(renameat(f->root, "next", f->root, top), 0);
        }
        close(dir);
    }
}

static void test_beneath__a_component_of_256_bytes_is_refused(void **state)
{
    struct fixture *f = *state;
    char            name[257];

    memset(name, 'n', 256);
    name[256] = '\0';
    assert_int_equal(mlr_beneath_mkdirs(f->root, name, 0700, NULL), MLREG_EINVAL);
    name[255] = '\0';
    assert_int_equal(mlr_beneath_mkdirs(f->root, name, 0700, NULL), 0);
}

static void test_beneath__a_disturbed_lookup_is_repeated(void **state)
{
    struct fixture *f = *state;
    int             fd;

    make(f, "file", "");
    fs_fault_arm_only(MLR_FS_OPEN_BENEATH, 1, 0, EAGAIN);
    assert_int_equal(mlr_beneath_open(f->root, "file", O_RDONLY, 0, &fd, NULL), 0);
    assert_int_equal(fs_fault_disarm(), 1);
    close(fd);
}

static void test_beneath__whatever_fails_is_reported_and_leaks_nothing(void **state)
{
    struct fixture *f = *state;
    int             open_files = bed_open_files();

    for (int n = 1, fired = 1; fired; n++) {
        const char *last;
        char        path[32];
        int         fd = -1, rc;

        snprintf(path, sizeof path, "d%d/e/file", n);
        fs_fault_arm(n, 0, EIO);
        rc = mlr_beneath_parent(f->root, path, 0700, &fd, &last, NULL);
        fired = fs_fault_disarm();
        assert_int_equal(rc, fired ? MLREG_EIO : 0);
        if (rc == 0)
            close(fd);
        assert_int_equal(bed_open_files(), open_files);
    }
}

/* ---- names of strangers ---- */

static void test_name__good_ones_pass(void **state)
{
    static const char *const good[] = {
        "model.safetensors", "a/b/c.bin", ".hidden", "..x", "a..b", "sp ace/x y", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
        "console", "COM", "COM10", "nulls", "aux_loss.bin", "lpt", "v1:y", "12:30", "con-fig", "a/b.c/d", " leading",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(mlr_beneath_check_name(good[i], NULL), 0);
}

static void test_name__bad_ones_are_refused_by_their_rule(void **state)
{
    static const struct {
        const char *path, *rule;
    } bad[] = {
        {"", "empty"},
        {"/abs", "absolute"},
        {"a//b", "empty component"},
        {"a/", "empty component"},
        {".", "\".\""},
        {"a/../b", "\"..\""},
        {"a\\b", "backslash"},
        {"..\\..\\b", "backslash"},
        {"C:", "drive"},
        {"c:evil", "drive"},
        {"a/d:x", "drive"},
        {"NUL", "device"},
        {"nul.txt", "device"},
        {"a/Con.tar.gz", "device"},
        {"AUX .x/y", "device"},
        {"com1", "device"},
        {"LPT9.bin", "device"},
        {"COM\xc2\xb2", "device"},
        {"CONIN$", "device"},
        {"prn", "device"},
        {"a\nb", "control"},
        {"a\x7f", "control"},
        {"a\xc2\x85", "control"},
        {"fdp.\xe2\x80\xaexcod", "control"},
        {"a.", "dot or blank"},
        {"a ", "dot or blank"},
        {"a./b", "dot or blank"},
        {"...", "dot or blank"},
        {"\xff", "UTF-8"},
        {"a/\xc0\xaf", "UTF-8"},
        {"\xed\xa0\x80", "UTF-8"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        mlreg_error *e = NULL;

        assert_int_equal(mlr_beneath_check_name(bad[i].path, &e), MLREG_EINVAL);
        assert_non_null(strstr(e->message, bad[i].rule));
        assert_non_null(strstr(e->hint, "renamed"));
        mlr_error_done(e);
    }
}

static void test_name__lengths_at_their_limits(void **state)
{
    char path[4100];

    (void)state;
    memset(path, 'p', sizeof path);
    for (int i = 1; i <= 15; i++)
        path[i * 256 - 1] = '/';
    path[4096] = '\0';
    path[4093] = '/';
    assert_int_equal(mlr_beneath_check_name(path, NULL), 0);             /* 4,096 bytes, components of 255 */
    strcpy(path + 4096, "p");
    assert_int_equal(mlr_beneath_check_name(path, NULL), MLREG_EINVAL);
    memset(path, 'p', 256);
    path[256] = '\0';
    assert_int_equal(mlr_beneath_check_name(path, NULL), MLREG_EINVAL);
    path[255] = '\0';
    assert_int_equal(mlr_beneath_check_name(path, NULL), 0);
}

int main(void)
{
#define ON(kind, f)   {#f " (" #kind ")", f, kind, tear_down, NULL}
#define EVERYWHERE(f) ON(openat2, f), ON(walking, f), ON(filtered, f)
    static const struct CMUnitTest tests[] = {
        EVERYWHERE(test_beneath__opens_and_makes_files),
        EVERYWHERE(test_beneath__codes_are_those_of_errno),
        EVERYWHERE(test_beneath__paths_of_another_form_are_refused),
        EVERYWHERE(test_beneath__a_link_at_the_end_is_refused),
        EVERYWHERE(test_beneath__a_link_that_is_in_the_way_of_a_new_file_exists),
        EVERYWHERE(test_beneath__a_link_on_the_way_is_refused),
        EVERYWHERE(test_beneath__a_look_tells_what_is_there),
        EVERYWHERE(test_beneath__mkdirs_makes_what_is_missing),
        EVERYWHERE(test_beneath__parent_gives_directory_and_last_component),
        EVERYWHERE(test_beneath__unlink_removes_the_name_only),
        EVERYWHERE(test_beneath__the_longest_path_works_and_no_longer_one),
        EVERYWHERE(test_beneath__a_component_of_256_bytes_is_refused),
        ON(openat2, test_beneath__a_disturbed_lookup_is_repeated),
        EVERYWHERE(test_beneath__whatever_fails_is_reported_and_leaks_nothing),
        cmocka_unit_test(test_name__good_ones_pass),
        cmocka_unit_test(test_name__bad_ones_are_refused_by_their_rule),
        cmocka_unit_test(test_name__lengths_at_their_limits),
    };
    return cmocka_run_group_tests_name("base/beneath", tests, NULL, NULL);
}
