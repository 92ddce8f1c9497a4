/* place/test_digests.c - the digest memory: what it knows again, what it must not, and what damage does to it. */
#include "place/digests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/fs.h"
#include "bed/dir.h"
#include "bed/fs_fault.h"

#define OLD_MS 3000              /* by so much later the reading began: no file of a test is young then */
#define FILE_MAX_BYTES (8u << 20)

typedef struct fixture {
    char        *dir;
    char        *memory;         /* dir/memory */
    mlr_digests *digests;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->dir = bed_dir_new();
    f->memory = strdup(bed_at(f->dir, "memory"));
    f->digests = mlr_digests_new(f->memory);
    assert_non_null(f->digests);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    mlr_digests_free(f->digests);
    bed_dir_remove(f->dir);
    free(f->memory);
    free(f);
    return 0;
}

static mlr_digest digest_of(const char *text)
{
    mlr_digest d;

    mlr_digest_of(text, strlen(text), &d);
    return d;
}

static void keep_at(fixture *f, const char *path, const char *text, int64_t later_ms)
{
    mlr_digest  d = digest_of(text);
    mlr_reader *r = NULL;

    assert_int_equal(mlr_reader_open_file(path, &r, NULL), 0);
    mlr_digests_keep(f->digests, r, mlr_clock_wall_ms() + later_ms, &d);
    mlr_reader_free(r);
}

static void keep(fixture *f, const char *path, const char *text)
{
    keep_at(f, path, text, OLD_MS);
}

static bool find_in(mlr_digests *d, const char *path, mlr_digest *out)
{
    mlr_reader *r = NULL;
    bool        known;

    assert_int_equal(mlr_reader_open_file(path, &r, NULL), 0);
    known = mlr_digests_find(d, r, out);
    mlr_reader_free(r);
    return known;
}

static bool knows(fixture *f, const char *path, const char *text)
{
    mlr_digest d, want = digest_of(text);

    if (!find_in(f->digests, path, &d))
        return false;
    assert_string_equal(d.text, want.text);
    return true;
}

static const char *write_file(fixture *f, const char *name, const char *text)
{
    const char *path = bed_at(f->dir, name);

    bed_write(path, text);
    return path;
}

/* ---- what it knows again ---- */

static void test_digests__a_file_that_was_read_is_known_again(void **state)
{
    fixture    *f = *state;
    const char *a = write_file(f, "a", "one"), *b = write_file(f, "b", "two");

    assert_false(knows(f, a, "one"));
    keep(f, a, "one");
    assert_true(knows(f, a, "one"));
    assert_false(knows(f, b, "two"));
    keep(f, b, "two");
    assert_true(knows(f, a, "one"));
    assert_true(knows(f, b, "two"));
}

static void test_digests__another_process_knows_it_too(void **state)
{
    fixture    *f = *state;
    const char *a = write_file(f, "a", "one");
    pid_t       child = fork();
    int         status = 1;

    if (child == 0) {
        mlr_digests *own = mlr_digests_new(f->memory);
        mlr_digest   d = digest_of("one");
        mlr_reader  *r = NULL;

        if (mlr_reader_open_file(a, &r, NULL) == 0)
            mlr_digests_keep(own, r, mlr_clock_wall_ms() + OLD_MS, &d);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(knows(f, a, "one"));
}

static void test_digests__a_changed_file_is_kept_in_place_of_what_it_was(void **state)
{
    fixture    *f = *state;
    const char *a = write_file(f, "a", "one");

    keep(f, a, "one");
    bed_write(a, "other");
    assert_false(knows(f, a, "other"));
    keep(f, a, "other");
    assert_true(knows(f, a, "other"));
}

static void test_digests__can_be_told_to_forget(void **state)
{
    fixture    *f = *state;
    const char *a = write_file(f, "a", "one");
    mlr_reader *r = NULL;

    keep(f, a, "one");
    assert_int_equal(mlr_reader_open_file(a, &r, NULL), 0);
    mlr_digests_forget(f->digests, r);
    mlr_reader_free(r);
    assert_false(knows(f, a, "one"));
}

/* ---- what it must not know ---- */

static void set_times_back(const char *path, const struct stat *was)
{
    const struct timespec times[2] = { was->st_atim, was->st_mtim };

    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void test_digests__other_bytes_of_the_same_size_and_mtime_are_noticed(void **state)
{
    fixture    *f = *state;
    const char *a = write_file(f, "a", "one");
    struct stat was;

    assert_int_equal(stat(a, &was), 0);
    usleep(20000);                       /* more than a tick: the ctime of what follows is another */
    keep(f, a, "one");
    bed_write(a, "two");
    set_times_back(a, &was);
    assert_false(knows(f, a, "two"));
}

/* All in one tick of the file system's clock, as often as not: the ctime is the same then, and only the distrust of the young helps. */
static void test_digests__other_bytes_of_the_same_size_within_one_tick_are_noticed(void **state)
{
    fixture    *f = *state;
    const char *a;
    struct stat was, now;
    unsigned    n_same = 0;

    for (int i = 0; i < 200; i++) {
        a = write_file(f, "a", "one");
        assert_int_equal(stat(a, &was), 0);
        keep_at(f, a, "one", 0);
        bed_write(a, "two");
        set_times_back(a, &was);
        assert_int_equal(stat(a, &now), 0);
        n_same += was.st_ctim.tv_sec == now.st_ctim.tv_sec && was.st_ctim.tv_nsec == now.st_ctim.tv_nsec;
        assert_false(knows(f, a, "two"));
    }
    print_message("# %u of 200 rewrites left the ctime as it was\n", n_same);
}

static void test_digests__what_is_younger_than_two_seconds_is_not_remembered(void **state)
{
    fixture    *f = *state;
    const char *a = write_file(f, "a", "one");
    struct stat st;

    assert_int_equal(stat(a, &st), 0);
    keep_at(f, a, "one", st.st_ctim.tv_sec * 1000 + st.st_ctim.tv_nsec / 1000000 + 1900 - mlr_clock_wall_ms());
    assert_false(knows(f, a, "one"));
    keep_at(f, a, "one", st.st_ctim.tv_sec * 1000 + st.st_ctim.tv_nsec / 1000000 + 2100 - mlr_clock_wall_ms());
    assert_true(knows(f, a, "one"));
}

static void test_digests__a_file_of_the_future_is_not_remembered(void **state)
{
    fixture              *f = *state;
    const char           *a = write_file(f, "a", "one");
    const struct timespec times[2] = { { 0, UTIME_OMIT }, { time(NULL) + 1000, 0 } };

    assert_int_equal(utimensat(AT_FDCWD, a, times, 0), 0);
    keep(f, a, "one");
    assert_false(knows(f, a, "one"));
}

static void test_digests__a_file_that_changed_while_it_was_read_is_not_remembered(void **state)
{
    fixture    *f = *state;
    const char *a = write_file(f, "a", "one");
    mlr_digest  d = digest_of("one");
    mlr_reader *r = NULL;

    assert_int_equal(mlr_reader_open_file(a, &r, NULL), 0);
    bed_write(a, "one, and more");
    mlr_digests_keep(f->digests, r, mlr_clock_wall_ms() + OLD_MS, &d);
    mlr_reader_free(r);
    assert_false(knows(f, a, "one, and more"));
}

static void test_digests__memory_and_stored_blobs_are_never_known(void **state)
{
    fixture    *f = *state;
    mlr_digest  d = digest_of("one");
    mlr_reader *r = NULL;
    int         fd = open(write_file(f, "a", "one"), O_RDONLY | O_CLOEXEC);

    assert_int_equal(mlr_reader_from_memory("one", 3, "memory", &r, NULL), 0);
    mlr_digests_keep(f->digests, r, mlr_clock_wall_ms() + OLD_MS, &d);
    assert_false(mlr_digests_find(f->digests, r, &d));
    mlr_reader_free(r);
    assert_int_equal(mlr_reader_from_fd(fd, "a", true, &r, NULL), 0);
    mlr_digests_keep(f->digests, r, mlr_clock_wall_ms() + OLD_MS, &d);
    assert_false(mlr_digests_find(f->digests, r, &d));
    mlr_reader_free(r);
}

/* ---- damage ---- */

static char *memory_file(fixture *f)
{
    return strdup(bed_at(f->memory, MLR_DIGESTS_FILE));
}

/* Where the only record begins: the file is a hole but for it. */
static off_t first_byte(int fd)
{
    char    page[4096];
    off_t   at = lseek(fd, 0, SEEK_DATA);
    ssize_t n = pread(fd, page, sizeof page, at);

    for (ssize_t i = 0; i < n; i++)
        if (page[i] != 0)
            return at + i;
    fail_msg("the memory is empty");
    return 0;
}

static void test_digests__any_flipped_bit_is_noticed(void **state)
{
    fixture    *f = *state;
    const char *a = write_file(f, "a", "one");
    char       *path = memory_file(f);
    struct stat st;
    off_t       begin;
    int         fd;

    keep(f, a, "one");
    assert_true((fd = open(path, O_RDWR | O_CLOEXEC)) >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    begin = first_byte(fd);
    assert_true(st.st_size - begin <= 112);
    for (off_t at = begin; at < st.st_size; at++)
        for (int bit = 0; bit < 8; bit++) {
            uint8_t was, flipped;

            assert_int_equal(pread(fd, &was, 1, at), 1);
            flipped = was ^ (uint8_t)(1 << bit);
            assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
            assert_false(knows(f, a, "one"));
            assert_int_equal(pwrite(fd, &was, 1, at), 1);
        }
    assert_true(knows(f, a, "one"));
    close(fd);
    free(path);
}

static void test_digests__a_file_cut_short_or_full_of_rubbish_is_as_good_as_none(void **state)
{
    fixture    *f = *state;
    const char *a = write_file(f, "a", "one");
    char       *path = memory_file(f), *rubbish = malloc(FILE_MAX_BYTES);
    int         fd;

    keep(f, a, "one");
    assert_true((fd = open(path, O_RDWR | O_CLOEXEC)) >= 0);
    assert_int_equal(ftruncate(fd, first_byte(fd) + 50), 0);
    assert_false(knows(f, a, "one"));
    memset(rubbish, 0xa5, FILE_MAX_BYTES);
    assert_int_equal(pwrite(fd, rubbish, FILE_MAX_BYTES, 0), FILE_MAX_BYTES);
    assert_false(knows(f, a, "one"));
    keep(f, a, "one");
    assert_true(knows(f, a, "one"));
    close(fd);
    free(rubbish);
    free(path);
}

static void test_digests__its_size_is_bounded(void **state)
{
    fixture    *f = *state;
    char       *path = memory_file(f);
    struct stat st;
    unsigned    n_known = 0;

    for (int i = 0; i < 500; i++) {
        char name[16];

        snprintf(name, sizeof name, "f%d", i);
        keep(f, write_file(f, name, name), name);
    }
    for (int i = 0; i < 500; i++) {
        char name[16];

        snprintf(name, sizeof name, "f%d", i);
        n_known += knows(f, bed_at(f->dir, name), name);
    }
    assert_true(n_known >= 490);         /* buckets of eight, nearly empty ones */
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size <= FILE_MAX_BYTES);
    free(path);
}

static void test_digests__what_others_could_write_is_not_believed(void **state)
{
    fixture     *f = *state;
    const char  *a = write_file(f, "a", "one");
    mlr_digests *again = mlr_digests_new(f->memory);
    mlr_digest   d;
    char        *path = memory_file(f);

    keep(f, a, "one");
    assert_int_equal(chmod(f->memory, 0755), 0);
    assert_false(find_in(again, a, &d));
    assert_int_equal(chmod(f->memory, 0700), 0);
    assert_int_equal(chmod(path, 0660), 0);
    assert_false(find_in(again, a, &d));
    assert_int_equal(chmod(path, 0600), 0);
    assert_true(find_in(again, a, &d));
    mlr_digests_free(again);
    free(path);
}

static void test_digests__no_trouble_with_its_file_is_anybody_elses(void **state)
{
    fixture    *f = *state;
    const char *a = write_file(f, "a", "one");
    mlr_digest  d;

    mlr_digests_keep(NULL, NULL, 0, &d);
    assert_false(mlr_digests_find(NULL, NULL, &d));
    for (int nth = 3; nth < 12; nth++) {
        fs_fault_arm(nth, true, EIO);
        keep(f, a, "one");
        fs_fault_disarm();
    }
    keep(f, a, "one");
    fs_fault_arm_only(MLR_FS_READ, 1, true, EIO);
    assert_false(knows(f, a, "one"));
    fs_fault_disarm();
    assert_true(knows(f, a, "one"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        T(test_digests__a_file_that_was_read_is_known_again),
        T(test_digests__another_process_knows_it_too),
        T(test_digests__a_changed_file_is_kept_in_place_of_what_it_was),
        T(test_digests__can_be_told_to_forget),
        T(test_digests__other_bytes_of_the_same_size_and_mtime_are_noticed),
        T(test_digests__other_bytes_of_the_same_size_within_one_tick_are_noticed),
        T(test_digests__what_is_younger_than_two_seconds_is_not_remembered),
        T(test_digests__a_file_of_the_future_is_not_remembered),
        T(test_digests__a_file_that_changed_while_it_was_read_is_not_remembered),
        T(test_digests__memory_and_stored_blobs_are_never_known),
        T(test_digests__any_flipped_bit_is_noticed),
        T(test_digests__a_file_cut_short_or_full_of_rubbish_is_as_good_as_none),
        T(test_digests__its_size_is_bounded),
        T(test_digests__what_others_could_write_is_not_believed),
        T(test_digests__no_trouble_with_its_file_is_anybody_elses),
    };

    return cmocka_run_group_tests_name("place/digests", tests, NULL, NULL);
}
