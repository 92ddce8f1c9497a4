/* tests/model/test_build_layers.c - files on their way into a manifest: those that do not hold still, and those that have not changed. */
#include "model/build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/fs.h"
#include "bed/odd_place.h"
#include "model/build_bed.h"
#include "place/digests.h"

/* ---- files that do not hold still ---- */

/* What becomes of the file "a.txt" when it is opened or read for the n-th time. */
static struct { mlr_fs_call call; int left, errnum; const char *append_to; atomic_int fired; } trouble;

static int make_trouble(mlr_fs_call call, const char *name, void *user)
{
    FILE *f;

    (void)user;
    if (call != trouble.call || strstr(name, "a.txt") == NULL || --trouble.left != 0)
        return 0;
    atomic_fetch_add(&trouble.fired, 1);
    if (trouble.append_to != NULL && (f = fopen(trouble.append_to, "ae")) != NULL) {
        fputc('x', f);
        fclose(f);
    }
    return trouble.errnum;
}

static void assert_commit_fails(mlr_build *b, mlr_place *p, int code, const char *subject)
{
    mlr_manifest *m = NULL;
    mlreg_error  *err = NULL;
    int           rc = commit(b, "v1", &m, &err);

    mlr_fs_use(NULL, NULL);
    if (rc != code)
        fail_msg("%d (%s), not %d", rc, err != NULL ? err->message : "no error", code);
    assert_null(m);
    assert_string_equal(err->subject, subject);
    mlr_error_done(err);
    assert_string_equal(bed_at_tag(p, REPO, "v1").text, "");
}

static void test_build_layers__file_that_went_away_fails_the_commit(void **state)
{
    fixture    *f = *state;
    const char *path = bed_at(f->in, "a.txt");
    mlr_build  *b = begin(f->memory, NULL);

    bed_write(path, "text");
    bed_assert_rc(mlr_build_add_file(b, NULL, path, NULL, &err), 0);
    assert_int_equal(unlink(path), 0);
    assert_commit_fails(b, f->memory, MLREG_ENOTFOUND, path);
    mlr_build_free(b);
}

static void test_build_layers__file_that_cannot_be_read_fails_the_commit(void **state)
{
    static const struct { mlr_fs_call call; int errnum, code; } cases[] = { { MLR_FS_OPEN, EACCES, MLREG_EDENIED }, { MLR_FS_READ, EIO, MLREG_EIO } };
    fixture    *f = *state;
    const char *path = bed_at(f->in, "a.txt");

    bed_write(path, "text");
    bed_write(bed_at(f->in, "b.txt"), "other");
    for (size_t i = 0; i < 2; i++) {
        mlr_build *b = begin(f->memory, NULL);

        bed_assert_rc(mlr_build_add_tree(b, NULL, f->in, NULL, &err), 0);
        trouble.call = cases[i].call;
        trouble.errnum = cases[i].errnum;
        trouble.append_to = NULL;
        trouble.left = 1;
        trouble.fired = 0;
        mlr_fs_use(make_trouble, NULL);
        assert_commit_fails(b, f->memory, cases[i].code, path);
        assert_int_equal(trouble.fired, 1);
        mlr_build_free(b);
    }
}

static void assert_change_is_seen(fixture *f, mlr_place *p)
{
    const char *path = bed_at(f->in, "a.txt");
    int         n = 0;

    do { /* it grows at its first read, at the second one, and so on */
        mlr_build *b = begin(p, NULL);

        bed_write(path, "text");
        bed_assert_rc(mlr_build_add_tree(b, NULL, f->in, NULL, &err), 0);
        trouble.call = MLR_FS_READ;
        trouble.errnum = 0;
        trouble.append_to = path;
        trouble.left = ++n;
        trouble.fired = 0;
        mlr_fs_use(make_trouble, NULL);
        if (n == 1) {
            assert_commit_fails(b, p, MLREG_EIO, path);
        } else {
            mlr_manifest *m = NULL;
            int           rc = commit(b, "v1", &m, NULL);

            mlr_fs_use(NULL, NULL);
            assert_int_equal(rc, trouble.fired ? MLREG_EIO : 0);
            mlr_manifest_free(m);
        }
        mlr_build_free(b);
    } while (trouble.fired);
    assert_true(n > 2); /* looked at, then moved */
}

static void test_build_layers__file_that_changes_while_it_is_committed_is_not_tagged(void **state)
{
    fixture   *f = *state;
    mlr_place *store = bed_open(bed_at(f->dir, "store"), MLREG_OPEN_CREATE, f->rt);

    assert_change_is_seen(f, f->memory);
    assert_change_is_seen(f, store);
    mlr_place_close(store);
}

static void test_build_layers__cancelled_leaves_no_tag(void **state)
{
    fixture       *f = *state;
    mlr_build     *b = begin(f->memory, NULL);
    mlr_manifest  *m = NULL;
    mlreg_op      *remote = NULL;
    mlr_op        *op = NULL;
    const mlr_ref  r = { (char *)REPO, (char *)"v1", { "" } };

    write_model(f->in);
    bed_assert_rc(mlr_build_add_tree(b, NULL, f->in, NULL, &err), 0);
    bed_assert_rc(mlr_remote_new(&remote, &err), 0);
    bed_assert_rc(mlr_op_begin(remote, &op, &err), 0);
    mlr_remote_cancel(remote);
    bed_assert_rc(mlr_build_commit(b, &r, &(mlr_tag_rule){ 0 }, NULL, 0, op, &m, &err), MLREG_ECANCELLED);
    assert_null(m);
    mlr_op_end(op);
    mlr_remote_free(remote);
    mlr_build_free(b);
    assert_string_equal(bed_at_tag(f->memory, REPO, "v1").text, "");
}

static void test_build_layers__counts_every_byte_once(void **state)
{
    fixture       *f = *state;
    mlr_build     *b = begin(f->memory, NULL);
    mlr_manifest  *m = NULL;
    mlreg_op      *remote = NULL;
    mlr_op        *op = NULL;
    mlreg_stats    stats = { .size = sizeof stats };
    const mlr_ref  r = { (char *)REPO, (char *)"v1", { "" } };
    uint64_t       all;

    write_model(f->in);
    bed_assert_rc(mlr_build_add_tree(b, NULL, f->in, NULL, &err), 0);
    bed_assert_rc(mlr_remote_new(&remote, &err), 0);
    bed_assert_rc(mlr_op_begin(remote, &op, &err), 0);
    bed_assert_rc(mlr_build_commit(b, &r, &(mlr_tag_rule){ 0 }, NULL, 0, op, &m, &err), 0);
    mlr_op_end(op);
    mlr_remote_stats(remote, &stats);
    all = m->config->bytes;
    for (size_t i = 0; i < m->n_layers; i++)
        all += m->layers[i].bytes;
    assert_int_equal(stats.bytes_done, all);
    assert_int_equal(stats.bytes_total, all);
    mlr_remote_free(remote);
    mlr_manifest_free(m);
    mlr_build_free(b);
}

/* ---- files that have not changed ---- */

static int64_t ten_seconds_later(void *user)
{
    struct timespec now;

    (void)user;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + 10000;
}

static void be_later(bool later)
{
    static const mlr_clock clock = { .wall_ms = ten_seconds_later };

    mlr_clock_use(later ? &clock : NULL);
}

static atomic_int n_weight_reads;

static int count_weight_reads(mlr_fs_call call, const char *name, void *user)
{
    (void)user;
    if (call == MLR_FS_READ && strstr(name, "weights.bin") != NULL)
        atomic_fetch_add(&n_weight_reads, 1);
    return 0;
}

static mlreg_stats build_counted(mlr_place *to, const char *dir, const char *tag, char digest[MLR_DIGEST_TEXT + 1])
{
    mlr_build     *b = begin(to, NULL);
    mlr_manifest  *m = NULL;
    mlreg_op      *remote = NULL;
    mlr_op        *op = NULL;
    mlreg_stats    stats = { .size = sizeof stats };
    const mlr_ref  r = { (char *)REPO, (char *)tag, { "" } };

    bed_assert_rc(mlr_build_add_tree(b, NULL, dir, NULL, &err), 0);
    bed_assert_rc(mlr_remote_new(&remote, &err), 0);
    bed_assert_rc(mlr_op_begin(remote, &op, &err), 0);
    bed_assert_rc(mlr_build_commit(b, &r, &(mlr_tag_rule){ 0 }, NULL, 0, op, &m, &err), 0);
    mlr_op_end(op);
    mlr_remote_stats(remote, &stats);
    mlr_remote_free(remote);
    strcpy(digest, m->self.digest.text);
    mlr_manifest_free(m);
    mlr_build_free(b);
    return stats;
}

static void write_weights(fixture *f, char fill)
{
    enum { N = 3 << 20 };
    char *data = malloc(N + 1);

    memset(data, fill, N);
    data[N] = 0;
    bed_write(bed_at(f->in, "weights.bin"), data);
    free(data);
}

static void test_build_layers__unchanged_files_are_neither_read_nor_written_again(void **state)
{
    fixture    *f = *state;
    odd_place  *odd = odd_place_new(f->memory, "odd");
    char        first[MLR_DIGEST_TEXT + 1], second[MLR_DIGEST_TEXT + 1];
    mlreg_stats stats;
    int         n_takes;

    setenv("XDG_CACHE_HOME", bed_at(f->dir, "cache"), 1);
    write_weights(f, 'w');
    be_later(true);
    build_counted(&odd->place, f->in, "v1", first);
    n_takes = atomic_load(&odd->takes);
    assert_true(n_takes > 0);
    atomic_store(&n_weight_reads, 0);
    mlr_fs_use(count_weight_reads, NULL);
    stats = build_counted(&odd->place, f->in, "v2", second);
    mlr_fs_use(NULL, NULL);
    be_later(false);
    assert_string_equal(first, second);
    assert_int_equal(atomic_load(&odd->takes), n_takes);
    assert_in_range(atomic_load(&n_weight_reads), 1, 2);       /* its first bytes, for what kind it is */
    assert_int_equal(stats.bytes_reused, 3 << 20);
    assert_int_equal(stats.bytes_done, stats.bytes_total);
    mlr_place_close(&odd->place);
}

static void test_build_layers__remembered_files_go_where_they_are_not_yet(void **state)
{
    fixture   *f = *state;
    mlr_place *other = bed_open("memory:", 0, f->rt);
    char       first[MLR_DIGEST_TEXT + 1], second[MLR_DIGEST_TEXT + 1];

    setenv("XDG_CACHE_HOME", bed_at(f->dir, "cache"), 1);
    write_weights(f, 'w');
    be_later(true);
    build_counted(f->memory, f->in, "v1", first);
    assert_int_equal(build_counted(other, f->in, "v1", second).bytes_reused, 0);
    be_later(false);
    assert_string_equal(first, second);
    mlr_place_close(other);
}

static void test_build_layers__a_wrong_memory_of_a_file_is_noticed_before_its_bytes_get_that_name(void **state)
{
    fixture     *f = *state;
    mlr_place   *other = bed_open("memory:", 0, f->rt);
    mlr_digests *memory;
    mlr_reader  *r = NULL;
    mlr_digest   lie;
    mlreg_stats  stats;
    char         first[MLR_DIGEST_TEXT + 1], second[MLR_DIGEST_TEXT + 1];

    write_weights(f, 'w');
    setenv("XDG_CACHE_HOME", bed_at(f->dir, "empty"), 1);
    build_counted(other, f->in, "v1", first);
    setenv("XDG_CACHE_HOME", bed_at(f->dir, "cache"), 1);
    be_later(true);
    memory = mlr_digests_new(NULL);
    mlr_digest_of("lie", 3, &lie);
    bed_assert_rc(mlr_reader_open_file(bed_at(f->in, "weights.bin"), &r, &err), 0);
    mlr_digests_keep(memory, r, mlr_clock_wall_ms(), &lie);
    assert_true(mlr_digests_find(memory, r, &lie));
    stats = build_counted(f->memory, f->in, "v1", second);
    assert_string_equal(first, second);
    assert_int_equal(stats.bytes_done, stats.bytes_total);
    assert_true(mlr_digests_find(memory, r, &lie));            /* the truth, meanwhile */
    be_later(false);
    mlr_reader_free(r);
    mlr_digests_free(memory);
    mlr_place_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_build_layers__file_that_went_away_fails_the_commit),
        TEST(test_build_layers__file_that_cannot_be_read_fails_the_commit),
        TEST(test_build_layers__file_that_changes_while_it_is_committed_is_not_tagged),
        TEST(test_build_layers__cancelled_leaves_no_tag),
        TEST(test_build_layers__counts_every_byte_once),
        TEST(test_build_layers__unchanged_files_are_neither_read_nor_written_again),
        TEST(test_build_layers__remembered_files_go_where_they_are_not_yet),
        TEST(test_build_layers__a_wrong_memory_of_a_file_is_noticed_before_its_bytes_get_that_name),
    };
    return cmocka_run_group_tests_name("model/build_layers", tests, NULL, NULL);
}
