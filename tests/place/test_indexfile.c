/* place/test_indexfile.c - index.json on disk: read while others write in place, changed by one writer at a time,
 * restored. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "bed/artifact.h"
#include "bed/dir.h"
#include "bed/fs_fault.h"
#include "place/indexfile.h"

#define ENTRY(tag) "{\"mediaType\":\"a/b\",\"digest\":\"" BED_EMPTY "\",\"size\":2,\"annotations\":{\"org.opencontainers.image.ref.name\":\"" tag "\"}}"
#define ONE "{\"schemaVersion\":2,\"manifests\":[" ENTRY("v1") "]}"
#define TWO "{\"schemaVersion\":2,\"manifests\":[" ENTRY("v1") "," ENTRY("v2") "]}"

typedef struct fixture {
    char         *dir;
    int           top;
    mlr_folder    at, copy;
    mlr_indexfile file;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    f->dir = bed_dir_new();
    f->top = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdir(bed_at(f->dir, "repo"), 0755), 0);
    assert_int_equal(mlr_folder_init(&f->at, f->top, f->dir, "repo", NULL), 0);
    assert_int_equal(mlr_folder_init(&f->copy, f->top, f->dir, "private/copy", NULL), 0);
    f->file = (mlr_indexfile){ &f->at, &f->copy };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    mlr_fs_use(NULL, NULL);
    mlr_folder_done(&f->at);
    mlr_folder_done(&f->copy);
    close(f->top);
    bed_dir_remove(f->dir);
    free(f);
    return 0;
}

static void write_both(fixture *f, const char *index)
{
    bed_write(bed_at(f->dir, "repo/oci-layout"), MLR_LAYOUTFILE_TEXT);
    bed_write(bed_at(f->dir, "repo/index.json"), index);
}

static int read_file(fixture *f, mlr_index **x, mlreg_error **err)
{
    *x = NULL;
    return mlr_indexfile_read(&f->file, NULL, x, err);
}

static void sleep_not(void *user, uint64_t ms)
{
    (void)user;
    (void)ms;
}

static const mlr_clock no_waiting = { .sleep_ms = sleep_not };

static void assert_broken(fixture *f)
{
    mlr_index   *x;
    mlreg_error *err = NULL;
    mlr_clock_use(&no_waiting);
    assert_int_equal(read_file(f, &x, &err), MLREG_EPROTO);
    mlr_clock_use(NULL);
    assert_non_null(strstr(err->hint, "fsck"));
    assert_null(x);
    mlr_error_done(err);
}

static void test_indexfile__that_is_not_there_is_not_found(void **state)
{
    fixture   *f = *state;
    mlr_index *x;
    bed_assert_rc(read_file(f, &x, &err), MLREG_ENOTFOUND);
    bed_write(bed_at(f->dir, "repo/oci-layout"), MLR_LAYOUTFILE_TEXT);
    bed_assert_rc(read_file(f, &x, &err), MLREG_ENOTFOUND);
}

static void test_indexfile__that_stays_broken_is_an_error_with_a_way_out(void **state)
{
    static const char *const texts[] = { "", "{", "null", ONE "\n" ONE };
    fixture *f = *state;
    for (size_t i = 0; i < 4; i++) {
        write_both(f, texts[i]);
        assert_broken(f);
    }
}

static void test_indexfile__in_a_layout_of_no_known_version_is_not_read(void **state)
{
    fixture   *f = *state;
    mlr_index *x;
    write_both(f, ONE);
    bed_write(bed_at(f->dir, "repo/oci-layout"), "{\"imageLayoutVersion\":\"2.0.0\"}");
    bed_assert_rc(read_file(f, &x, &err), MLREG_ENOTSUP);
    bed_write(bed_at(f->dir, "repo/oci-layout"), "{\"imageLayoutVersion\":7}");
    assert_broken(f);
    bed_write(bed_at(f->dir, "repo/oci-layout"), "");
    assert_broken(f);
    assert_int_equal(unlink(bed_at(f->dir, "repo/oci-layout")), 0);
    assert_broken(f);
    bed_write(bed_at(f->dir, "repo/oci-layout"), "{\"imageLayoutVersion\":\"1.1.0\"}");
    bed_assert_rc(read_file(f, &x, &err), 0);
    mlr_index_free(x);
}

static void test_indexfile__that_is_a_fifo_or_link_is_refused_at_once(void **state)
{
    fixture   *f = *state;
    mlr_index *x;
    write_both(f, ONE);
    assert_int_equal(unlink(bed_at(f->dir, "repo/index.json")), 0);
    assert_int_equal(mkfifo(bed_at(f->dir, "repo/index.json"), 0644), 0);
    assert_broken(f);
    assert_int_equal(unlink(bed_at(f->dir, "repo/index.json")), 0);
    bed_write(bed_at(f->dir, "secret"), ONE);
    assert_int_equal(symlink("../secret", bed_at(f->dir, "repo/index.json")), 0);
    bed_assert_rc(read_file(f, &x, &err), MLREG_EDENIED);
}

static void test_indexfile__over_the_limit_is_refused(void **state)
{
    fixture   *f = *state;
    mlr_index *x;
    int        fd;
    write_both(f, ONE);
    fd = open(bed_at(f->dir, "repo/index.json"), O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, MLR_JSON_MAX_BYTES + 1), 0);
    close(fd);
    bed_assert_rc(read_file(f, &x, &err), MLREG_ELIMIT);
}

/* As oras and skopeo write: in place, so that a reader may find it empty or cut. */
static void test_indexfile__is_read_while_another_tool_rewrites_it_in_place(void **state)
{
    fixture *f = *state;
    pid_t    writer;
    int      status;
    write_both(f, ONE);
    if ((writer = fork()) == 0) {
        for (int i = 0; i < 300; i++) {
            const char *text = i % 2 ? ONE : TWO;
            int         fd = open(bed_at(f->dir, "repo/index.json"), O_WRONLY | O_TRUNC | O_CLOEXEC);
            size_t      half = strlen(text) / 2;
            if (fd < 0 || write(fd, text, half) < 0 || usleep(300) < 0 ||
                write(fd, text + half, strlen(text) - half) < 0)
                _exit(1);
            close(fd);
            usleep(700);
        }
        _exit(0);
    }
    for (int i = 0; i < 200; i++) {
        mlr_index *x;
        bed_assert_rc(read_file(f, &x, &err), 0);
        assert_true(x->n == 1 || x->n == 2);
        mlr_index_free(x);
    }
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_int_equal(status, 0);
}

static int add_tag(void *user, mlr_index *x, mlr_op *op, mlreg_error **err)
{
    const mlr_tag_rule rule = { true, { "" } };
    mlr_manifest      *m = bed_image_text(user, "t/u", NULL);
    int                rc = mlr_index_put(x, user, &rule, m, err);
    (void)op;
    mlr_manifest_free(m);
    return rc;
}

static int change(fixture *f, const char *tag, mlreg_error **err)
{
    return mlr_indexfile_change(&f->file, true, add_tag, (void *)tag, NULL, err);
}

static bool has_tag(fixture *f, const char *tag)
{
    mlr_index *x;
    bool       has;
    bed_assert_rc(read_file(f, &x, &err), 0);
    has = mlr_index_by_tag(x, tag) != NULL;
    mlr_index_free(x);
    return has;
}

static void test_indexfile__change_begins_a_layout(void **state)
{
    fixture *f = *state;
    bed_assert_rc(mlr_indexfile_change(&f->file, false, add_tag, (void *)"v1", NULL, &err), MLREG_ENOTFOUND);
    bed_assert_rc(change(f, "v1", &err), 0);
    assert_true(has_tag(f, "v1"));
    bed_assert_file(bed_at(f->dir, "repo/oci-layout"), MLR_LAYOUTFILE_TEXT);
    assert_int_equal(bed_count(bed_at(f->dir, "repo")), 2);
}

static void test_indexfile__change_keeps_what_another_tool_wrote_meanwhile(void **state)
{
    fixture *f = *state;
    bed_assert_rc(change(f, "mine", &err), 0);
    bed_write(bed_at(f->dir, "repo/index.json"), TWO);
    bed_assert_rc(change(f, "also-mine", &err), 0);
    assert_true(has_tag(f, "v1") && has_tag(f, "v2") && has_tag(f, "also-mine"));
    assert_false(has_tag(f, "mine")); /* the other tool took it out: it stays out */
}

static void test_indexfile__change_leaves_a_broken_file_alone(void **state)
{
    fixture *f = *state;
    bed_assert_rc(change(f, "v1", &err), 0);
    bed_write(bed_at(f->dir, "repo/index.json"), "{\"schemaVersion\":2,\"mani");
    mlr_clock_use(&no_waiting);
    bed_assert_rc(change(f, "v2", &err), MLREG_EPROTO);
    mlr_clock_use(NULL);
    bed_assert_file(bed_at(f->dir, "repo/index.json"), "{\"schemaVersion\":2,\"mani");
}

static void test_indexfile__restore_brings_back_what_was_last_written_here(void **state)
{
    fixture *f = *state;
    bed_assert_rc(mlr_indexfile_restore(&f->file, &err), MLREG_ENOTFOUND);
    bed_assert_rc(change(f, "v1", &err), 0);
    bed_assert_rc(change(f, "v2", &err), 0);
    bed_write(bed_at(f->dir, "repo/index.json"), "");
    bed_assert_rc(mlr_indexfile_restore(&f->file, &err), 0);
    assert_true(has_tag(f, "v1") && has_tag(f, "v2"));
}

/* Whatever fails, the file is the old one or the new one. */
static void test_indexfile__no_fault_leaves_half_a_change(void **state)
{
    fixture *f = *state;
    bed_assert_rc(change(f, "v1", &err), 0);
    for (int for_good = 0; for_good <= 1; for_good++)
        for (int n = 1, fired = 1; fired; n++) {
            char tag[32];
            snprintf(tag, sizeof(tag), "n%d-%d", for_good, n);
            fs_fault_arm(n, for_good, EIO);
            int rc = change(f, tag, NULL);
            fired = fs_fault_disarm();
            assert_true(rc == 0 || (rc == MLREG_EIO && fired));
            if (rc == 0)
                assert_true(has_tag(f, tag));
            assert_true(has_tag(f, "v1"));
            assert_int_equal(bed_count(bed_at(f->dir, "repo")), 2);
        }
}

/* Whoever is told of a failure calls again, and finds it done. No older copy may survive that. */
static void test_indexfile__no_fault_leaves_a_copy_that_lacks_a_change(void **state)
{
    fixture *f = *state;
    bed_assert_rc(change(f, "v1", &err), 0);
    for (int n = 1, fired = 1; fired; n++) {
        char tag[32];
        snprintf(tag, sizeof(tag), "n%d", n);
        fs_fault_arm(n, 0, ENOSPC);
        change(f, tag, NULL);
        fired = fs_fault_disarm();
        bed_assert_rc(change(f, tag, &err), 0);
        bed_write(bed_at(f->dir, "repo/index.json"), "");
        if (mlr_indexfile_restore(&f->file, NULL) == 0)
            assert_true(has_tag(f, tag));
        else
            assert_int_equal(unlink(bed_at(f->dir, "repo/index.json")), 0);
    }
}

int main(void)
{
#define IN_DIR(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_DIR(test_indexfile__that_is_not_there_is_not_found),
        IN_DIR(test_indexfile__that_stays_broken_is_an_error_with_a_way_out),
        IN_DIR(test_indexfile__in_a_layout_of_no_known_version_is_not_read),
        IN_DIR(test_indexfile__that_is_a_fifo_or_link_is_refused_at_once),
        IN_DIR(test_indexfile__over_the_limit_is_refused),
        IN_DIR(test_indexfile__is_read_while_another_tool_rewrites_it_in_place),
        IN_DIR(test_indexfile__change_begins_a_layout),
        IN_DIR(test_indexfile__change_keeps_what_another_tool_wrote_meanwhile),
        IN_DIR(test_indexfile__change_leaves_a_broken_file_alone),
        IN_DIR(test_indexfile__restore_brings_back_what_was_last_written_here),
        IN_DIR(test_indexfile__no_fault_leaves_half_a_change),
        IN_DIR(test_indexfile__no_fault_leaves_a_copy_that_lacks_a_change),
    };
    return cmocka_run_group_tests_name("place/indexfile", tests, NULL, NULL);
}
