/* tests/place/test_partdir.c - a blob in the making in somebody's folder: found again, nothing written elsewhere, nothing left. */
#include "place/partdir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utime.h>
#include <cmocka.h>

#include "base/error.h"
#include "bed/dir.h"
#include "codec/xxh.h"
#include "place/journal.h"
#include "place/slabs.h"

#define BYTES (2 * MLR_SLAB_BYTES)

typedef struct fixture {
    char      *parent, *dir, *private_dir;
    int        top;
    mlr_digest digest, other;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    f->parent = bed_dir_new();
    f->dir = strdup(bed_at(f->parent, "model"));
    assert_int_equal(mkdir(f->dir, 0755), 0);
    f->private_dir = strdup(bed_at(f->dir, MLR_PARTDIR));
    f->top = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mlr_digest_of("x", 1, &f->digest);
    mlr_digest_of("y", 1, &f->other);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;

    close(f->top);
    bed_dir_remove(f->parent);
    free(f->private_dir);
    free(f->dir);
    free(f);
    return 0;
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 0777;
}

static int lock(fixture *f, mlr_partdir *d)
{
    *d = (mlr_partdir)MLR_PARTDIR_INIT;
    return mlr_partdir_lock(d, f->top, f->top, "the file", &f->digest, BYTES, NULL, NULL);
}

static uint64_t sum_of_zeros(void)
{
    void    *zeros = calloc(1, MLR_CHUNK_BYTES);
    uint64_t sum = 0;

    for (size_t at = 0; at < MLR_SLAB_BYTES; at += MLR_CHUNK_BYTES)
        sum = mlr_xxh3_join(sum, mlr_xxh3(zeros, MLR_CHUNK_BYTES));
    free(zeros);
    return sum;
}

/* Its first slab, zeros, is noted, and a state of the hash. */
static void leave_a_slab(fixture *f)
{
    const mlr_journal_slab first = { sum_of_zeros(), 0, MLR_SLAB_BYTES };
    mlr_partdir            d;
    mlr_sha256             s;

    assert_int_equal(lock(f, &d), 1);
    assert_int_equal(mlr_partial_begin(d.partial, NULL, NULL), 0);
    assert_int_equal(ftruncate(mlr_partial_fd(d.partial), BYTES), 0);
    mlr_sha256_init(&s);
    mlr_sha256_update(&s, "64 bytes of nothing in particular, so that there is a state.....", 64);
    assert_int_equal(mlr_partial_note(d.partial, &first, 1, &s, NULL), 0);
    mlr_partdir_done(&d);
}

static bool finds_it(fixture *f, uint64_t *hashed)
{
    mlr_partdir d;
    uint64_t    sum;
    bool        has;

    assert_int_equal(lock(f, &d), 1);
    assert_int_equal(mlr_partial_begin(d.partial, NULL, NULL), 0);
    has = mlr_partial_there(d.partial, 0, &sum) > 0;
    *hashed = mlr_partial_hashed(d.partial);
    mlr_partdir_done(&d);
    return has;
}

static void test_partdir__keeps_what_came_for_the_next(void **state)
{
    fixture *f = *state;
    uint64_t hashed;

    leave_a_slab(f);
    assert_true(finds_it(f, &hashed));
    assert_int_equal(hashed, 64);
}

static void test_partdir__goes_when_it_is_empty(void **state)
{
    fixture    *f = *state;
    mlr_partdir d;

    assert_int_equal(lock(f, &d), 1);
    assert_int_equal(mode_of(f->private_dir), 0700);
    mlr_partdir_done(&d);
    assert_int_equal(bed_count(f->dir), 0);
}

static void test_partdir__calls_the_file_by_its_own_name(void **state)
{
    mlr_partdir d;

    assert_int_equal(lock(*state, &d), 1);
    assert_string_equal(mlr_partial_name(d.partial), "the file");
    mlr_partdir_done(&d);
}

static void test_partdir__is_published_from_there(void **state)
{
    fixture    *f = *state;
    mlr_temp    t = MLR_TEMP_INIT;
    mlr_partdir d;

    assert_int_equal(lock(f, &d), 1);
    assert_int_equal(mlr_partial_begin(d.partial, NULL, NULL), 0);
    assert_int_equal(mlr_partial_finish(d.partial, 0755, &t, NULL), 0);
    t.at = f->top;
    assert_int_equal(mlr_temp_publish_in(&t, "weights", "weights", true, NULL), 0);
    mlr_temp_done(&t);
    mlr_partdir_done(&d);
    assert_int_equal(bed_count(f->dir), 1);
    assert_int_equal(mode_of(bed_at(f->dir, "weights")) & 0700, 0700);
}

/* Whatever stands in its place, nothing comes into being elsewhere. */
static void test_partdir__follows_no_link(void **state)
{
    fixture    *f = *state;
    mlr_partdir d;
    char       *elsewhere = strdup(bed_at(f->parent, "elsewhere"));

    assert_int_equal(mkdir(elsewhere, 0700), 0);
    assert_int_equal(symlink(elsewhere, f->private_dir), 0);
    assert_int_equal(lock(f, &d), 0);
    mlr_partdir_tidy(f->top, 0, NULL, NULL);
    assert_int_equal(bed_count(elsewhere), 0);
    assert_int_equal(bed_count(f->dir), 1);
    free(elsewhere);
}

static void test_partdir__does_without_one_that_others_may_write_to(void **state)
{
    fixture    *f = *state;
    mlr_partdir d;

    assert_int_equal(mkdir(f->private_dir, 0700), 0);
    assert_int_equal(chmod(f->private_dir, 0770), 0);
    assert_int_equal(lock(f, &d), 0);
    assert_int_equal(chmod(f->private_dir, 0700), 0);
    assert_int_equal(lock(f, &d), 1);
    mlr_partdir_done(&d);
}

static void test_partdir__moved_away_while_it_is_used_takes_the_file_along(void **state)
{
    fixture    *f = *state;
    mlr_partdir d;
    char       *elsewhere = strdup(bed_at(f->parent, "elsewhere")), *moved = strdup(bed_at(f->parent, "moved"));

    assert_int_equal(mkdir(elsewhere, 0700), 0);
    assert_int_equal(lock(f, &d), 1);
    assert_int_equal(rename(f->private_dir, moved), 0);
    assert_int_equal(symlink(elsewhere, f->private_dir), 0);
    assert_int_equal(mlr_partial_begin(d.partial, NULL, NULL), 0);
    assert_int_equal(bed_count(elsewhere), 0);
    assert_int_equal(bed_count(moved), 3);
    mlr_partdir_done(&d);
    free(elsewhere);
    free(moved);
}

/* The journal came with the folder: whoever wrote it knows what he put there, but not what this start of the machine is called. */
static void test_partdir__believes_no_state_from_elsewhere(void **state)
{
    enum { BOOT_AT = 8 + 96 };
    fixture *f = *state;
    uint64_t hashed;
    char    *journal = NULL;
    uint8_t  head[MLR_JOURNAL_RECORD_BYTES];
    uint64_t sum;
    int      fd;

    leave_a_slab(f);
    assert_true(asprintf(&journal, "%s/%s.journal", f->private_dir, mlr_digest_hex(&f->digest)) > 0);
    fd = open(journal, O_RDWR);
    assert_int_equal(pread(fd, head, sizeof head, 0), sizeof head);
    head[BOOT_AT] ^= 1;
    sum = mlr_xxh3(head, sizeof head - 8);
    for (size_t i = 0; i < 8; i++)
        head[sizeof head - 8 + i] = (uint8_t)(sum >> (8 * i));
    assert_int_equal(pwrite(fd, head, sizeof head, 0), sizeof head);
    close(fd);
    assert_true(finds_it(f, &hashed));
    assert_int_equal(hashed, 0);
    free(journal);
}

static void assert_tidied(fixture *f, int64_t older_ms, const mlr_manifest *named, bool gone)
{
    mlr_partdir_tidy(f->top, older_ms, named, NULL);
    assert_int_equal(bed_count(f->dir), gone ? 0 : 1);
}

static void test_tidy__removes_what_is_old(void **state)
{
    fixture                  *f = *state;
    const struct utimbuf      long_ago = { 1, 1 };
    char                     *file = NULL;

    leave_a_slab(f);
    assert_tidied(f, MLR_PARTDIR_OLD_MS, NULL, false);
    assert_true(asprintf(&file, "%s/%s", f->private_dir, mlr_digest_hex(&f->digest)) > 0);
    assert_int_equal(utime(file, &long_ago), 0);
    assert_tidied(f, MLR_PARTDIR_OLD_MS, NULL, true);
    free(file);
}

static void test_tidy__leaves_what_is_named_or_in_use(void **state)
{
    fixture       *f = *state;
    mlr_descriptor layer = { .digest = f->digest };
    mlr_manifest   m = { .layers = &layer, .n_layers = 1 };
    mlr_partdir    d;

    leave_a_slab(f);
    assert_tidied(f, 0, &m, false);
    layer.digest = f->other;
    assert_int_equal(lock(f, &d), 1);
    assert_tidied(f, 0, &m, false);
    mlr_partdir_done(&d);
    assert_tidied(f, 0, &m, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_partdir__keeps_what_came_for_the_next, setup, teardown),
        cmocka_unit_test_setup_teardown(test_partdir__goes_when_it_is_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_partdir__calls_the_file_by_its_own_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_partdir__is_published_from_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_partdir__follows_no_link, setup, teardown),
        cmocka_unit_test_setup_teardown(test_partdir__does_without_one_that_others_may_write_to, setup, teardown),
        cmocka_unit_test_setup_teardown(test_partdir__moved_away_while_it_is_used_takes_the_file_along, setup, teardown),
        cmocka_unit_test_setup_teardown(test_partdir__believes_no_state_from_elsewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tidy__removes_what_is_old, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tidy__leaves_what_is_named_or_in_use, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
