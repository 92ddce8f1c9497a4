/* place/test_resume.c - notes of upload sessions: found by the same upload alone, one process at a time, and never for long. */
#include "place/resume.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "bed/dir.h"

#define ORIGIN   "https://registry.example"
#define LOCATION ORIGIN "/v2/team/x/blobs/uploads/1?_state=a+b=="

typedef struct fixture {
    char       *dir;
    char       *file;
    mlr_reader *reader;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    f->dir = bed_dir_new();
    f->file = strdup(bed_at(f->dir, "weights"));
    bed_write(f->file, "weights");
    setenv("XDG_STATE_HOME", f->dir, 1);
    assert_int_equal(mlr_reader_open_file(f->file, &f->reader, NULL), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    mlr_reader_free(f->reader);
    bed_dir_remove(f->dir);
    free(f->file);
    free(f);
    return 0;
}

static bool finds(const char *origin, const char *repo, const mlr_reader *r, const mlr_digest *d)
{
    mlr_resume s;
    char      *location;
    bool       found;

    mlr_resume_open(&s, origin, repo, r, d, &location);
    found = location != NULL;
    if (found)
        assert_string_equal(location, LOCATION);
    mlr_free(location);
    mlr_resume_done(&s, false);
    return found;
}

static void note(fixture *f, const mlr_reader *r, const mlr_digest *d)
{
    mlr_resume s;
    char      *location;

    (void)f;
    mlr_resume_open(&s, ORIGIN, "team/x", r, d, &location);
    assert_null(location);
    mlr_resume_note(&s, LOCATION);
    mlr_resume_done(&s, false);
}

static void test_resume__finds_the_session_of_the_same_upload_alone(void **state)
{
    fixture    *f = *state;
    mlr_reader *other = NULL;

    note(f, f->reader, NULL);
    assert_true(finds(ORIGIN, "team/x", f->reader, NULL));
    assert_false(finds("https://other.example", "team/x", f->reader, NULL));
    assert_false(finds(ORIGIN, "team/y", f->reader, NULL));
    usleep(20000);
    bed_write(f->file, "WEIGHTS");
    assert_int_equal(mlr_reader_open_file(f->file, &other, NULL), 0);
    assert_false(finds(ORIGIN, "team/x", other, NULL));
    mlr_reader_free(other);
}

static void test_resume__knows_what_is_no_file_by_its_digest(void **state)
{
    fixture    *f = *state;
    mlr_reader *memory = NULL;
    mlr_digest  d, other;

    mlr_digest_of("weights", 7, &d);
    mlr_digest_of("x", 1, &other);
    assert_int_equal(mlr_reader_from_memory("weights", 7, "memory", &memory, NULL), 0);
    note(f, memory, &d);
    assert_true(finds(ORIGIN, "team/x", memory, &d));
    assert_false(finds(ORIGIN, "team/x", memory, &other));
    assert_false(finds(ORIGIN, "team/x", memory, NULL));
    mlr_reader_free(memory);
}

static void test_resume__is_had_by_one_at_a_time(void **state)
{
    fixture   *f = *state;
    mlr_resume first;
    char      *location;

    mlr_resume_open(&first, ORIGIN, "team/x", f->reader, NULL, &location);
    mlr_resume_note(&first, LOCATION);
    assert_false(finds(ORIGIN, "team/x", f->reader, NULL));
    mlr_resume_done(&first, false);
    assert_true(finds(ORIGIN, "team/x", f->reader, NULL));
}

static void test_resume__forgets_when_it_is_over_or_told_to(void **state)
{
    fixture   *f = *state;
    mlr_resume s;
    char      *location;

    note(f, f->reader, NULL);
    mlr_resume_open(&s, ORIGIN, "team/x", f->reader, NULL, &location);
    mlr_free(location);
    mlr_resume_forget(&s);
    mlr_resume_done(&s, false);
    assert_false(finds(ORIGIN, "team/x", f->reader, NULL));
    note(f, f->reader, NULL);
    mlr_resume_open(&s, ORIGIN, "team/x", f->reader, NULL, &location);
    mlr_free(location);
    mlr_resume_done(&s, true);
    assert_int_equal(bed_count(bed_at(f->dir, "mlreg/private")), 0);
}

static int64_t two_days_later(void *user)
{
    (void)user;
    return ((int64_t)time(NULL) + 2 * 86400) * 1000;
}

static void test_resume__is_worth_nothing_after_a_day(void **state)
{
    fixture *f = *state;

    note(f, f->reader, NULL);
    mlr_clock_use(&(mlr_clock){ .wall_ms = two_days_later });
    assert_false(finds(ORIGIN, "team/x", f->reader, NULL));
    mlr_clock_use(NULL);
}

static void test_resume__any_flipped_bit_is_noticed_and_nobody_else_can_read_it(void **state)
{
    fixture        *f = *state;
    const char     *dir = bed_at(f->dir, "mlreg/private");
    DIR            *d;
    struct dirent  *e;
    struct stat     st;
    char            path[BED_PATH_MAX];
    int             fd = -1;

    note(f, f->reader, NULL);
    assert_non_null(d = opendir(dir));
    while ((e = readdir(d)) != NULL)
        if (strncmp(e->d_name, "push-", 5) == 0) {
            snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
            fd = open(path, O_RDWR | O_CLOEXEC);
        }
    closedir(d);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    for (off_t at = 0; at < st.st_size; at++) {
        uint8_t was, flipped;

        if (at >= 16 && at < 24)
            continue;                    /* when it was written: another time within the day is as good */
        assert_int_equal(pread(fd, &was, 1, at), 1);
        flipped = was ^ (uint8_t)(1 << at % 8);
        assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
        assert_false(finds(ORIGIN, "team/x", f->reader, NULL));
        assert_int_equal(pwrite(fd, &was, 1, at), 1);
    }
    assert_true(finds(ORIGIN, "team/x", f->reader, NULL));
    close(fd);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        T(test_resume__finds_the_session_of_the_same_upload_alone),
        T(test_resume__knows_what_is_no_file_by_its_digest),
        T(test_resume__is_had_by_one_at_a_time),
        T(test_resume__forgets_when_it_is_over_or_told_to),
        T(test_resume__is_worth_nothing_after_a_day),
        T(test_resume__any_flipped_bit_is_noticed_and_nobody_else_can_read_it),
    };

    return cmocka_run_group_tests_name("place/resume", tests, NULL, NULL);
}
