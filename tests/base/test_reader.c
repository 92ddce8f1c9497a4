/* tests/base/test_reader.c - bytes that can be read again: files, memory, a caller's source. */
#include "base/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/work.h"
#include "bed/dir.h"
#include "bed/fs_fault.h"

static const char TEXT[] = "In the beginning was the weight, and the weight was with bf16.";
#define TEXT_LEN (sizeof TEXT - 1)

static int new_dir(void **state)
{
    *state = bed_dir_new();
    return 0;
}

static int remove_dir(void **state)
{
    bed_dir_remove(*state);
    return 0;
}

static mlr_reader *open_text(const char *dir)
{
    mlr_reader *r = NULL;

    bed_write(bed_at(dir, "w"), TEXT);
    assert_int_equal(mlr_reader_open_file(bed_at(dir, "w"), &r, NULL), 0);
    return r;
}

/* Every range of the text, past its end too. */
static void check_ranges(mlr_reader *r)
{
    char buf[TEXT_LEN + 8];

    assert_int_equal(r->bytes, TEXT_LEN);
    for (size_t from = 0; from <= TEXT_LEN + 1; from++)
        for (size_t len = 0; len <= TEXT_LEN + 2; len++) {
            size_t left = from < TEXT_LEN ? TEXT_LEN - from : 0, want = len < left ? len : left;

            memset(buf, '#', sizeof buf);
            assert_int_equal(mlr_reader_read_at(r, from, buf, len, NULL, NULL), want);
            if (want > 0)
                assert_memory_equal(buf, TEXT + from, want);
            assert_int_equal(buf[want], '#');
        }
    assert_int_equal(mlr_reader_read_at(r, UINT64_MAX, buf, 5, NULL, NULL), 0);
}

/* The code and a part of the message of a read of everything. */
static void check_read_fails(mlr_reader *r, int code, const char *part)
{
    char buf[TEXT_LEN + 8];
    mlreg_error *err = NULL;

    assert_int_equal(mlr_reader_read_at(r, 0, buf, sizeof buf, NULL, &err), code);
    assert_int_equal(err->code, code);
    assert_non_null(strstr(err->message, part));
    mlr_error_done(err);
}

static void test_reader__a_file_gives_every_range(void **state)
{
    mlr_reader *r = open_text(*state);

    assert_true(r->fd >= 0);
    assert_false(r->trusted);
    check_ranges(r);
    assert_int_equal(mlr_reader_unchanged(r, NULL), 0);
    mlr_reader_free(r);
}

static void test_reader__an_empty_file_is_fine(void **state)
{
    mlr_reader *r = NULL;
    char c;

    bed_write(bed_at(*state, "empty"), "");
    assert_int_equal(mlr_reader_open_file(bed_at(*state, "empty"), &r, NULL), 0);
    assert_int_equal(r->bytes, 0);
    assert_int_equal(mlr_reader_read_at(r, 0, &c, 1, NULL, NULL), 0);
    mlr_reader_free(r);
    mlr_reader_free(NULL);
}

static void test_reader__a_missing_file_is_not_found(void **state)
{
    mlr_reader *r = NULL;
    mlreg_error *err = NULL;

    assert_int_equal(mlr_reader_open_file(bed_at(*state, "nothing"), &r, &err), MLREG_ENOTFOUND);
    assert_null(r);
    assert_string_equal(err->subject, bed_at(*state, "nothing"));
    mlr_error_done(err);
}

static void check_not_regular(const char *path, const char *what)
{
    int before = bed_open_files();
    mlreg_error *err = NULL;
    mlr_reader *r = NULL;

    assert_int_equal(mlr_reader_open_file(path, &r, &err), MLREG_EINVAL);
    assert_null(r);
    assert_non_null(strstr(err->message, what));
    assert_non_null(err->hint);
    assert_string_equal(err->subject, path);
    assert_int_equal(bed_open_files(), before);
    mlr_error_done(err);
}

static void test_reader__only_regular_files_and_never_a_hang(void **state)
{
    assert_int_equal(mkfifo(bed_at(*state, "fifo"), 0600), 0);
    check_not_regular(bed_at(*state, "fifo"), "a FIFO");
    check_not_regular(*state, "a directory");
    check_not_regular("/dev/null", "a device");
}

static void test_reader__a_descriptor_is_taken_on_success_only(void **state)
{
    int pair[2], fd, before = bed_open_files();
    mlr_reader *r = NULL;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(mlr_reader_from_fd(pair[0], "line", false, &r, NULL), MLREG_EINVAL);
    assert_int_equal(close(pair[0]) | close(pair[1]), 0);

    bed_write(bed_at(*state, "w"), TEXT);
    fd = open(bed_at(*state, "w"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(mlr_reader_from_fd(fd, "blob", true, &r, NULL), 0);
    assert_true(r->trusted);
    assert_int_equal(r->fd, fd);
    assert_string_equal(r->name, "blob");
    check_ranges(r);
    mlr_reader_free(r);
    assert_int_equal(bed_open_files(), before);
}

static void test_reader__a_file_that_shrinks_is_noticed_by_reading(void **state)
{
    mlr_reader *r = open_text(*state);

    assert_int_equal(truncate(bed_at(*state, "w"), 5), 0);
    check_read_fails(r, MLREG_EIO, "changed while it was read");
    assert_int_equal(mlr_reader_unchanged(r, NULL), MLREG_EIO);
    mlr_reader_free(r);
}

static void test_reader__a_file_that_grows_is_noticed_at_the_end(void **state)
{
    mlr_reader *r = open_text(*state);
    FILE *f = fopen(bed_at(*state, "w"), "ae");
    char buf[8];

    fputc('!', f);
    fclose(f);
    assert_int_equal(mlr_reader_read_at(r, 0, buf, sizeof buf, NULL, NULL), sizeof buf);
    check_read_fails(r, MLREG_EIO, "changed while it was read");
    mlr_reader_free(r);
}

static void test_reader__a_file_that_is_overwritten_is_noticed(void **state)
{
    static const struct timespec then[2] = {{1000, 0}, {1000, 0}};
    mlr_reader *r = open_text(*state);
    mlreg_error *err = NULL;

    assert_int_equal(utimensat(AT_FDCWD, bed_at(*state, "w"), then, 0), 0);
    assert_int_equal(mlr_reader_unchanged(r, &err), MLREG_EIO);
    assert_string_equal(err->subject, bed_at(*state, "w"));
    assert_non_null(err->hint);
    check_read_fails(r, MLREG_EIO, "changed while it was read");
    mlr_error_done(err);
    mlr_reader_free(r);
}

/* Linking moves ctime: a sign of change in a stranger's file, everyday life for a stored blob. */
static void test_reader__a_further_link_counts_only_if_the_bytes_are_not_trusted(void **state)
{
    for (int trusted = 0; trusted <= 1; trusted++) {
        const char *path = bed_at(*state, trusted ? "blob" : "file");
        mlr_reader *r = NULL;

        bed_write(path, TEXT);
        assert_int_equal(mlr_reader_from_fd(open(path, O_RDONLY | O_CLOEXEC), path, trusted, &r, NULL), 0);
        usleep(20000);                          /* file times tick */
        assert_int_equal(link(path, bed_at(*state, trusted ? "blob2" : "file2")), 0);
        assert_int_equal(mlr_reader_unchanged(r, NULL), trusted ? 0 : MLREG_EIO);
        mlr_reader_free(r);
    }
}

static void test_reader__a_file_replaced_meanwhile_counts_as_changed(void **state)
{
    mlr_reader *r = open_text(*state);

    bed_write(bed_at(*state, "new"), "new");
    usleep(20000);                              /* file times tick */
    assert_int_equal(rename(bed_at(*state, "new"), bed_at(*state, "w")), 0);
    check_read_fails(r, MLREG_EIO, "changed");  /* losing its name moves its ctime */
    mlr_reader_free(r);
}

static void test_reader__file_faults_are_errors_and_leak_nothing(void **state)
{
    int before = bed_open_files();

    bed_write(bed_at(*state, "w"), TEXT);
    for (int n = 1, fired = 1; fired; n++) {
        char buf[TEXT_LEN];
        mlr_reader *r = NULL;
        mlreg_error *err = NULL;
        int64_t rc;

        fs_fault_arm(n, 0, EIO);
        rc = mlr_reader_open_file(bed_at(*state, "w"), &r, &err);
        if (rc == 0)
            rc = mlr_reader_read_at(r, 0, buf, sizeof buf, NULL, &err);
        if (rc >= 0)
            rc = mlr_reader_unchanged(r, &err);
        mlr_reader_free(r);
        fired = fs_fault_disarm();
        assert_int_equal(rc, fired ? MLREG_EIO : 0);
        assert_int_equal(err != NULL, fired != 0);
        mlr_error_done(err);
        assert_int_equal(bed_open_files(), before);
        assert_true(fired || n > 5);            /* open, two looks, read, one look */
    }
}

static void test_reader__memory_gives_every_range(void **state)
{
    mlr_reader *r = NULL;

    (void)state;
    assert_int_equal(mlr_reader_from_memory(TEXT, TEXT_LEN, "a string", &r, NULL), 0);
    assert_int_equal(r->fd, -1);
    assert_string_equal(r->name, "a string");
    check_ranges(r);
    assert_int_equal(mlr_reader_unchanged(r, NULL), 0);
    mlr_reader_free(r);
}

/* A source with a will of its own. */
struct stranger {
    size_t    most;              /* gives so many bytes at once; 0: what is asked */
    int64_t   answer;            /* if not 0, from `from` on */
    uint64_t  from;
    bool      ends;              /* at `from` */
    int       n_reads, n_releases;
    pthread_t on;
};

static int64_t stranger_read(void *user, uint64_t offset, void *buf, size_t len)
{
    struct stranger *s = user;

    s->n_reads++;
    s->on = pthread_self();
    if (s->ends && offset >= s->from)
        return 0;
    if (s->answer != 0 && offset >= s->from)
        return s->answer;
    if (s->most > 0 && len > s->most)
        len = s->most;
    memcpy(buf, TEXT + offset, len);
    return (int64_t)len;
}

static void stranger_release(void *user)
{
    ((struct stranger *)user)->n_releases++;
}

static mlr_reader *open_stranger(struct stranger *s)
{
    mlreg_source source;
    mlr_reader *r = NULL;

    MLREG_INIT(source);
    source.bytes = TEXT_LEN;
    source.user = s;
    source.read_at = stranger_read;
    source.release = stranger_release;
    assert_int_equal(mlr_reader_from_source(&source, NULL, &r, NULL), 0);
    return r;
}

static void test_reader__a_source_gives_every_range_in_whatever_pieces(void **state)
{
    (void)state;
    for (size_t most = 0; most <= 3; most++) {
        struct stranger s = {.most = most};
        mlr_reader *r = open_stranger(&s);

        check_ranges(r);
        assert_int_equal(mlr_reader_unchanged(r, NULL), 0);
        mlr_reader_free(r);
        assert_int_equal(s.n_releases, 0);
    }
}

static void test_reader__a_source_s_failures_are_told_as_such(void **state)
{
    static const struct {
        struct stranger s;
        int             code;
        const char     *part;
    } cases[] = {
        {{.answer = MLREG_ENOTFOUND, .from = 9, .most = 9}, MLREG_ENOTFOUND, "the source said \"not found\" at byte 9"},
        {{.answer = MLREG_ECANCELLED}, MLREG_ECANCELLED, "the source said \"cancelled\""},
        {{.answer = MLREG_E_LAST - 1}, MLREG_EIO, "no code"},
        {{.answer = INT64_MIN}, MLREG_EIO, "no code"},
        {{.ends = true, .from = 9, .most = 9}, MLREG_EIO, "the source ended at byte 9"},
        {{.answer = TEXT_LEN + 1}, MLREG_EINVAL, "claims to have read"},
        {{.answer = INT64_MAX}, MLREG_EINVAL, "claims to have read"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stranger s = cases[i].s;
        mlr_reader *r = open_stranger(&s);

        check_read_fails(r, cases[i].code, cases[i].part);
        mlr_reader_free(r);
    }
}

static void test_reader__a_source_without_read_at_is_refused(void **state)
{
    mlreg_source source;
    mlr_reader *r = NULL;

    (void)state;
    MLREG_INIT(source);
    assert_int_equal(mlr_reader_from_source(&source, NULL, &r, NULL), MLREG_EINVAL);
    assert_null(r);
}

static int read_all(void *arg, mlr_op *op, mlreg_error **err)
{
    char buf[TEXT_LEN];
    int64_t n = mlr_reader_read_at(arg, 0, buf, sizeof buf, op, err);

    return n < 0 ? (int)n : n == TEXT_LEN && memcmp(buf, TEXT, TEXT_LEN) == 0 ? 0 : MLREG_EDIGEST;
}

static void test_reader__a_source_is_called_on_the_caller_s_thread(void **state)
{
    struct stranger s = {.most = 3};
    mlr_reader *r = open_stranger(&s);
    mlr_group *g;
    mlr_op *op;

    (void)state;
    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    assert_int_equal(mlr_group_new(NULL, op, 1, &g, NULL), 0);
    assert_int_equal(mlr_group_add(g, read_all, r, NULL), 0);
    assert_int_equal(mlr_group_wait(g, NULL), 0);
    assert_int_equal(s.n_reads, (TEXT_LEN + 2) / 3);
    assert_true(pthread_equal(s.on, pthread_self()));
    mlr_group_free(g);
    mlr_op_end(op);
    mlr_reader_free(r);
}

static void test_reader__a_cancelled_call_reads_no_more(void **state)
{
    mlr_reader *r = open_text(*state);
    mlreg_error *err = NULL;
    mlr_op *op;
    char c;

    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    mlr_op_cancel(op);
    assert_int_equal(mlr_reader_read_at(r, 0, &c, 1, op, &err), MLREG_ECANCELLED);
    assert_int_equal(err->code, MLREG_ECANCELLED);
    mlr_error_done(err);
    mlr_op_end(op);
    mlr_reader_free(r);
}

static int left_to_grant;

static void *scarce_resize(void *user, void *p, size_t bytes)
{
    (void)user;
    return left_to_grant-- > 0 ? realloc(p, bytes) : NULL;
}

static void scarce_release(void *user, void *p)
{
    (void)user;
    free(p);
}

static int open_one_of_each(const char *path, mlr_reader *r[3], mlreg_error **err)
{
    mlreg_source source;
    int rc;

    MLREG_INIT(source);
    source.read_at = stranger_read;
    if ((rc = mlr_reader_open_file(path, &r[0], err)) == 0 &&
        (rc = mlr_reader_from_memory(TEXT, TEXT_LEN, "text", &r[1], err)) == 0)
        rc = mlr_reader_from_source(&source, NULL, &r[2], err);
    return rc;
}

static void test_reader__opening_without_memory_leaves_nothing_behind(void **state)
{
    static const mlr_allocator scarce = {scarce_resize, scarce_release, NULL};
    int rc, n = 0, before = bed_open_files();

    bed_write(bed_at(*state, "w"), TEXT);
    do {
        mlr_reader *r[3] = {NULL, NULL, NULL};
        mlreg_error *err = NULL;

        left_to_grant = n++;
        mlr_alloc_use(&scarce);
        rc = open_one_of_each(bed_at(*state, "w"), r, &err);
        assert_true(rc == 0 || (rc == MLREG_ENOMEM && err != NULL));
        mlr_error_done(err);
        for (int i = 0; i < 3; i++)
            mlr_reader_free(r[i]);
        mlr_alloc_use(NULL);
        assert_int_equal(bed_open_files(), before);
    } while (rc < 0);
    assert_int_equal(n, 6);                     /* two each for file and memory, one for the source */
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, new_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(test_reader__a_file_gives_every_range),
        WITH_DIR(test_reader__an_empty_file_is_fine),
        WITH_DIR(test_reader__a_missing_file_is_not_found),
        WITH_DIR(test_reader__only_regular_files_and_never_a_hang),
        WITH_DIR(test_reader__a_descriptor_is_taken_on_success_only),
        WITH_DIR(test_reader__a_file_that_shrinks_is_noticed_by_reading),
        WITH_DIR(test_reader__a_file_that_grows_is_noticed_at_the_end),
        WITH_DIR(test_reader__a_file_that_is_overwritten_is_noticed),
        WITH_DIR(test_reader__a_further_link_counts_only_if_the_bytes_are_not_trusted),
        WITH_DIR(test_reader__a_file_replaced_meanwhile_counts_as_changed),
        WITH_DIR(test_reader__file_faults_are_errors_and_leak_nothing),
        cmocka_unit_test(test_reader__memory_gives_every_range),
        cmocka_unit_test(test_reader__a_source_gives_every_range_in_whatever_pieces),
        cmocka_unit_test(test_reader__a_source_s_failures_are_told_as_such),
        cmocka_unit_test(test_reader__a_source_without_read_at_is_refused),
        cmocka_unit_test(test_reader__a_source_is_called_on_the_caller_s_thread),
        WITH_DIR(test_reader__a_cancelled_call_reads_no_more),
        WITH_DIR(test_reader__opening_without_memory_leaves_nothing_behind),
    };

    return cmocka_run_group_tests_name("base/reader", tests, NULL, NULL);
}
