/* tests/place/test_partial.c - a blob in the making: gone on with by the next, never with bytes that are not as they were noted. */
#include "place/partial.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/work.h"
#include "bed/dir.h"
#include "bed/fs_fault.h"
#include "codec/xxh.h"
#include "place/journal.h"
#include "place/slabs.h"

#define N     3
#define BYTES ((N - 1) * MLR_SLAB_BYTES + 1000)

typedef struct fixture {
    char      *dir;
    mlr_digest digest;
    uint8_t   *data;
    uint64_t   sums[N];
} fixture;

static size_t length(size_t i)
{
    return i < N - 1 ? MLR_SLAB_BYTES : 1000;
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    f->dir = bed_dir_new();
    f->data = malloc(BYTES);
    for (size_t i = 0; i < BYTES; i++)
        f->data[i] = (uint8_t)(i * 31 + (i >> 9));
    mlr_digest_of(f->data, BYTES, &f->digest);
    for (size_t i = 0; i < N; i++)
        for (size_t at = 0; at < length(i); at += MLR_CHUNK_BYTES) {
            size_t left = length(i) - at;
            f->sums[i] = mlr_xxh3_join(f->sums[i], mlr_xxh3(f->data + i * MLR_SLAB_BYTES + at, left < MLR_CHUNK_BYTES ? left : MLR_CHUNK_BYTES));
        }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;

    bed_dir_remove(f->dir);
    free(f->data);
    free(f);
    return 0;
}

static mlr_partial *begin(fixture *f)
{
    mlr_partial *p = NULL;

    assert_int_equal(mlr_partial_lock(f->dir, &f->digest, BYTES, NULL, &p, NULL), 0);
    assert_int_equal(mlr_partial_begin(p, NULL, NULL), 0);
    return p;
}

/* Slabs 0 and 2 are there, the hash stands behind 0. */
static void write_some(fixture *f, mlr_partial *p)
{
    const mlr_journal_slab slabs[] = { { f->sums[2], 2, 1000 }, { f->sums[0], 0, MLR_SLAB_BYTES } };
    mlr_sha256             s;

    for (size_t i = 0; i < 2; i++)
        assert_int_equal(mlr_fs_write_at(mlr_partial_fd(p), slabs[i].i * MLR_SLAB_BYTES, f->data + slabs[i].i * MLR_SLAB_BYTES, slabs[i].there, "x", NULL), 0);
    mlr_sha256_init(&s);
    mlr_sha256_update(&s, f->data, MLR_SLAB_BYTES);
    assert_int_equal(mlr_partial_note(p, slabs, 2, &s, NULL), 0);
}

static char *file_of(fixture *f, const char *ending)
{
    char *path = NULL;

    assert_true(asprintf(&path, "%s/%s%s", f->dir, mlr_digest_hex(&f->digest), ending) > 0);
    return path;
}

static void flip(const char *path, off_t at)
{
    int     fd = open(path, O_RDWR);
    uint8_t b;

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &b, 1, at), 1);
    b ^= 0x10;
    assert_int_equal(pwrite(fd, &b, 1, at), 1);
    close(fd);
}

/* Whatever it says it has, it has; and its state is that of a prefix which is there. */
static unsigned assert_true_words(fixture *f, mlr_partial *p)
{
    unsigned   has = 0;
    uint8_t   *there = malloc(MLR_SLAB_BYTES);
    mlr_sha256 got, want;
    uint64_t   sum;

    for (size_t i = 0; i < N; i++)
        if (mlr_partial_there(p, i, &sum) > 0) {
            has |= 1u << i;
            assert_int_equal(mlr_partial_there(p, i, &sum), length(i));
            assert_int_equal(sum, f->sums[i]);
            assert_int_equal(pread(mlr_partial_fd(p), there, length(i), (off_t)(i * MLR_SLAB_BYTES)), length(i));
            assert_memory_equal(there, f->data + i * MLR_SLAB_BYTES, length(i));
        }
    free(there);
    mlr_partial_midstate(p, &got);
    mlr_sha256_init(&want);
    mlr_sha256_update(&want, f->data, got.bytes);
    assert_memory_equal(&got, &want, sizeof got);
    assert_true(got.bytes == 0 || (has & 1));
    return has;
}

static void test_partial__goes_on_where_the_last_stopped(void **state)
{
    fixture     *f = *state;
    mlr_partial *p = begin(f);

    write_some(f, p);
    mlr_partial_free(p);
    p = begin(f);
    assert_int_equal(assert_true_words(f, p), 5);
    assert_int_equal(mlr_partial_hashed(p), MLR_SLAB_BYTES);
    mlr_partial_free(p);
}

static void test_partial__of_which_nothing_came_leaves_nothing(void **state)
{
    fixture *f = *state;

    mlr_partial_free(begin(f));
    assert_int_equal(bed_count(f->dir), 0);
}

static void test_partial__that_is_wrong_leaves_nothing(void **state)
{
    fixture     *f = *state;
    mlr_partial *p = begin(f);

    write_some(f, p);
    mlr_partial_spoil(p);
    mlr_partial_free(p);
    assert_int_equal(bed_count(f->dir), 0);
}

static void test_partial__that_is_whole_becomes_a_file_to_be_published(void **state)
{
    fixture     *f = *state;
    mlr_partial *p = begin(f);
    mlr_temp     t = MLR_TEMP_INIT;
    struct stat  st;

    write_some(f, p);
    assert_int_equal(mlr_partial_finish(p, 0444, &t, NULL), 0);
    mlr_partial_free(p);
    assert_int_equal(mlr_temp_publish(&t, bed_at(f->dir, "blob"), false, NULL), 0);
    mlr_temp_done(&t);
    assert_int_equal(bed_count(f->dir), 1);
    assert_int_equal(stat(bed_at(f->dir, "blob"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0444);
}

/* As a process leaves it that is killed: no word about an orderly end. */
static void abandon(fixture *f)
{
    char *path = file_of(f, ".journal");
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - MLR_JOURNAL_RECORD_BYTES), 0);
    free(path);
}

static void test_partial__of_one_who_died_is_read_again(void **state)
{
    fixture     *f = *state;
    mlr_partial *p = begin(f);
    char        *path = file_of(f, "");

    write_some(f, p);
    mlr_partial_free(p);
    abandon(f);
    p = begin(f);
    assert_int_equal(assert_true_words(f, p), 5);
    assert_int_equal(mlr_partial_hashed(p), MLR_SLAB_BYTES);
    mlr_partial_free(p);
    flip(path, MLR_SLAB_BYTES - 1);
    p = begin(f);
    assert_int_equal(assert_true_words(f, p), 4);
    assert_int_equal(mlr_partial_hashed(p), 0);
    mlr_partial_free(p);
    free(path);
}

/* It may come from elsewhere: chunks, from the beginning of a slab on, are what can have been noted. */
static void test_partial__a_slab_in_part_is_gone_on_with_and_no_odd_one(void **state)
{
    const mlr_journal_slab part = { mlr_xxh3_join(0, mlr_xxh3(((fixture *)*state)->data, MLR_CHUNK_BYTES)), 0, MLR_CHUNK_BYTES };
    const mlr_journal_slab odd[] = { { part.sum, 0, 1000 }, { part.sum, 2, MLR_CHUNK_BYTES }, { part.sum, 1, MLR_SLAB_BYTES + MLR_CHUNK_BYTES } };
    fixture     *f = *state;
    mlr_partial *p = begin(f);
    mlr_sha256   s;
    uint64_t     sum;

    mlr_sha256_init(&s);
    assert_int_equal(mlr_fs_write_at(mlr_partial_fd(p), 0, f->data, MLR_CHUNK_BYTES, "x", NULL), 0);
    assert_int_equal(mlr_partial_note(p, &part, 1, &s, NULL), 0);
    mlr_partial_free(p);
    p = begin(f);
    assert_int_equal(mlr_partial_there(p, 0, &sum), MLR_CHUNK_BYTES);
    assert_int_equal(sum, part.sum);
    assert_int_equal(mlr_partial_note(p, odd, 3, &s, NULL), 0);
    mlr_partial_free(p);
    p = begin(f);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(mlr_partial_there(p, i, &sum), 0);
    mlr_partial_free(p);
}

static void test_partial__that_the_disk_did_not_take_is_not_gone_on_with(void **state)
{
    fixture     *f = *state;
    mlr_partial *p = begin(f);
    char        *journal = file_of(f, ".journal");

    write_some(f, p);
    fs_fault_arm_only(MLR_FS_SYNC, 1, 0, EIO);
    assert_int_equal(mlr_partial_sync(p, NULL), MLREG_EIO);
    assert_int_equal(access(journal, F_OK), -1);        /* whoever is killed now leaves nothing to trust */
    free(journal);
    mlr_partial_free(p);
    p = begin(f);
    assert_int_equal(assert_true_words(f, p), 0);
    write_some(f, p);
    mlr_partial_free(p);
    abandon(f);
    p = begin(f);
    fs_fault_arm_only(MLR_FS_SYNC, 1, 0, EIO);
    mlr_partial_free(p);
    assert_int_equal(fs_fault_disarm(), 1);              /* nor is an orderly end one before the disk says so */
    p = begin(f);
    assert_int_equal(assert_true_words(f, p), 0);
    write_some(f, p);
    mlr_partial_free(p);
    abandon(f);
    fs_fault_arm_only(MLR_FS_SYNC, 1, 0, EIO);
    p = begin(f);                        /* nor what one left who died before it knew */
    assert_int_equal(fs_fault_disarm(), 1);
    assert_int_equal(assert_true_words(f, p), 0);
    mlr_partial_free(p);
}

static struct { const char *path; int left; mlr_op *op; } interrupted;

static int cancel_at_read(mlr_fs_call call, const char *name, void *user)
{
    (void)user;
    if (call == MLR_FS_READ && strcmp(name, interrupted.path) == 0 && --interrupted.left == 0)
        mlr_op_cancel(interrupted.op);
    return 0;
}

static void begin_interrupted(fixture *f, int want)
{
    mlr_partial *p = NULL;

    assert_int_equal(mlr_partial_lock(f->dir, &f->digest, BYTES, NULL, &p, NULL), 0);
    assert_int_equal(mlr_partial_begin(p, interrupted.op, NULL), want);
    mlr_fs_use(NULL, NULL);
    mlr_partial_free(p);
}

/* Reading much again takes a while: whoever breaks that off, or cannot write down what came of it, has lost nothing. */
static void test_partial__is_kept_by_one_who_does_not_get_to_go_on(void **state)
{
    fixture     *f = *state;
    mlr_partial *p = begin(f);
    char        *path = file_of(f, "");
    const int    reads[] = { 1, MLR_SLAB_BYTES / MLR_CHUNK_BYTES };      /* before anything is known, and after a slab is */

    write_some(f, p);
    mlr_partial_free(p);
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
        abandon(f);
        interrupted.path = path;
        interrupted.left = reads[i];
        assert_int_equal(mlr_op_begin(NULL, &interrupted.op, NULL), 0);
        mlr_fs_use(cancel_at_read, NULL);
        begin_interrupted(f, MLREG_ECANCELLED);
        mlr_op_end(interrupted.op);
        p = begin(f);
        assert_int_equal(assert_true_words(f, p), 5);
        mlr_partial_free(p);
    }
    interrupted.op = NULL;
    fs_fault_arm_only(MLR_FS_RENAME, 1, 0, EIO);
    begin_interrupted(f, MLREG_EIO);
    p = begin(f);
    assert_int_equal(assert_true_words(f, p), 5);
    mlr_partial_free(p);
    free(path);
}

static void test_partial__that_somebody_touched_is_read_again(void **state)
{
    fixture     *f = *state;
    mlr_partial *p = begin(f);
    char        *path = file_of(f, "");

    write_some(f, p);
    mlr_partial_free(p);
    usleep(20000);                       /* the clock of file systems ticks slowly */
    flip(path, 2 * MLR_SLAB_BYTES + 7);
    p = begin(f);
    assert_int_equal(assert_true_words(f, p), 1);
    mlr_partial_free(p);
    free(path);
}

/* Each byte; where a sanitizer makes that minutes, each 13th, which falls on all members of records of different kinds. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STEP 13
#else
#define STEP 1
#endif

static void test_partial__a_wrong_byte_in_the_journal_is_noticed_or_harmless(void **state)
{
    fixture     *f = *state;
    mlr_partial *p = begin(f);
    char        *path = file_of(f, ".journal");
    uint8_t      good[4096], bad[4096];
    ssize_t      n;
    int          fd;

    write_some(f, p);
    mlr_partial_free(p);
    assert_true((fd = open(path, O_RDONLY)) >= 0);
    assert_true((n = read(fd, good, sizeof good)) > 4 * MLR_JOURNAL_RECORD_BYTES);
    close(fd);
    for (ssize_t at = 0; at < n; at += STEP) {
        memcpy(bad, good, sizeof bad);
        bad[at] ^= (uint8_t)(1u << (at % 8));
        assert_true((fd = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0600)) >= 0);
        assert_int_equal(write(fd, bad, (size_t)n), n);
        close(fd);
        p = begin(f);
        assert_true_words(f, p);
        write_some(f, p);                /* or the next would find nothing to begin with */
        mlr_partial_free(p);
    }
    free(path);
}

static void test_partial__whatever_stands_in_its_place_makes_way(void **state)
{
    fixture     *f = *state;
    char        *path = file_of(f, ""), *journal = file_of(f, ".journal");
    mlr_partial *p;

    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(symlink("/etc/passwd", journal), 0);
    p = begin(f);
    assert_int_equal(assert_true_words(f, p), 0);
    mlr_partial_free(p);
    free(path);
    free(journal);
}

/* A folder that came from elsewhere may hold links where this machine is about to write. */
static void test_partial__writes_through_no_link(void **state)
{
    fixture     *f = *state;
    char        *lock = file_of(f, ".lock"), *next = file_of(f, ".journal.new");
    mlr_partial *p;

    bed_write(bed_at(f->dir, "precious"), "of somebody else");
    assert_int_equal(symlink(bed_at(f->dir, "precious"), next), 0);
    assert_int_equal(symlink(bed_at(f->dir, "made"), lock), 0);
    p = begin(f);
    write_some(f, p);
    mlr_partial_free(p);
    bed_assert_file(bed_at(f->dir, "precious"), "of somebody else");
    assert_false(bed_exists(bed_at(f->dir, "made")));
    p = begin(f);
    assert_int_equal(assert_true_words(f, p), 5);
    mlr_partial_free(p);
    free(lock);
    free(next);
}

static int out_of_files(mlr_fs_call call, const char *name, void *path)
{
    return call == MLR_FS_OPEN && strcmp(name, path) == 0 ? EMFILE : 0;
}

/* That there are too many files open says nothing about this one. */
static void test_partial__that_cannot_be_opened_now_stays(void **state)
{
    fixture     *f = *state;
    mlr_partial *p = begin(f);
    char        *paths[] = { file_of(f, ""), file_of(f, ".journal") };

    write_some(f, p);
    mlr_partial_free(p);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(mlr_partial_lock(f->dir, &f->digest, BYTES, NULL, &p, NULL), 0);
        mlr_fs_use(out_of_files, paths[i]);
        assert_int_equal(mlr_partial_begin(p, NULL, NULL), MLREG_EIO);
        mlr_fs_use(NULL, NULL);
        mlr_partial_free(p);
        p = begin(f);
        assert_int_equal(assert_true_words(f, p), 5);
        mlr_partial_free(p);
        free(paths[i]);
    }
}

/* ---- one at a time ---- */

static int brings(void *fixture_, mlr_op *op, mlreg_error **err)
{
    fixture     *f = fixture_;
    mlr_partial *p = NULL;
    int          rc = mlr_partial_lock(f->dir, &f->digest, BYTES, op, &p, err);

    if (rc == 0) {
        bed_write(bed_at(f->dir, "brought"), "");
        mlr_partial_free(p);
    }
    return rc;
}

static void test_partial__others_wait_for_the_one_who_brings_it(void **state)
{
    fixture     *f = *state;
    mlr_partial *p = begin(f);
    mlr_runtime *rt;
    mlr_group   *g;
    mlr_op      *op;

    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    assert_int_equal(mlr_runtime_new(NULL, &rt, NULL), 0);
    assert_int_equal(mlr_group_new(rt, op, 1, &g, NULL), 0);
    assert_int_equal(mlr_group_add(g, brings, f, NULL), 0);
    assert_int_equal(mlr_op_sleep(op, 100, NULL), 0);
    assert_false(bed_exists(bed_at(f->dir, "brought")));
    mlr_partial_free(p);
    assert_int_equal(mlr_group_wait(g, NULL), 0);
    assert_true(bed_exists(bed_at(f->dir, "brought")));
    mlr_group_free(g);
    mlr_runtime_unref(rt);
    mlr_op_end(op);
}

static void test_partial__is_removed_only_while_nobody_has_it(void **state)
{
    fixture     *f = *state;
    mlr_partial *p = begin(f);
    mlr_digest   d;

    write_some(f, p);
    assert_int_equal(mlr_partial_remove(f->dir, &f->digest, NULL, NULL), 0);
    mlr_partial_free(p);
    assert_true(mlr_partial_is_part(mlr_digest_hex(&f->digest), &d));
    assert_true(mlr_digest_equal(&d, &f->digest));
    assert_false(mlr_partial_is_part("x", &d));
    assert_int_equal(mlr_partial_remove(f->dir, &f->digest, NULL, NULL), 1);
    assert_int_equal(bed_count(f->dir), 0);
}

#define partial_test(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        partial_test(test_partial__goes_on_where_the_last_stopped),
        partial_test(test_partial__of_which_nothing_came_leaves_nothing),
        partial_test(test_partial__that_is_wrong_leaves_nothing),
        partial_test(test_partial__that_is_whole_becomes_a_file_to_be_published),
        partial_test(test_partial__of_one_who_died_is_read_again),
        partial_test(test_partial__a_slab_in_part_is_gone_on_with_and_no_odd_one),
        partial_test(test_partial__that_the_disk_did_not_take_is_not_gone_on_with),
        partial_test(test_partial__is_kept_by_one_who_does_not_get_to_go_on),
        partial_test(test_partial__that_somebody_touched_is_read_again),
        partial_test(test_partial__a_wrong_byte_in_the_journal_is_noticed_or_harmless),
        partial_test(test_partial__whatever_stands_in_its_place_makes_way),
        partial_test(test_partial__writes_through_no_link),
        partial_test(test_partial__that_cannot_be_opened_now_stays),
        partial_test(test_partial__others_wait_for_the_one_who_brings_it),
        partial_test(test_partial__is_removed_only_while_nobody_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
