/* tests/model/test_layer.c - one layer's bytes as a stream, from places that vouch for them and from places that do not. */
#include "model/layer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "base/work.h"
#include "bed/artifact.h"
#include "bed/dir.h"
#include "bed/fs_fault.h"

#define REPO "team/model"
#define SMALL 1000u
#define LARGE ((4u << 20) + 4321) /* more than is kept in memory */

typedef struct fixture {
    char        *dir, *data;          /* data: LARGE bytes */
    mlr_runtime *rt;
    mlr_place   *store, *layout;      /* the one vouches for what it holds, the other does not */
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    char     location[512];
    uint32_t x = 7;

    assert_non_null(f);
    f->dir = bed_dir_new();
    f->data = malloc(LARGE);
    assert_non_null(f->data);
    for (size_t i = 0; i < LARGE; i++) {
        x = x * 1103515245 + 12345;
        f->data[i] = (char)(x >> 16);
    }
    assert_int_equal(mlr_runtime_new(&(mlr_limits){ 0 }, &f->rt, NULL), 0);
    f->store = bed_open(bed_at(f->dir, "store"), MLREG_OPEN_CREATE, f->rt);
    snprintf(location, sizeof location, "oci:%s", bed_at(f->dir, "layout"));
    f->layout = bed_open(location, MLREG_OPEN_CREATE, f->rt);
    assert_int_equal(mkdir(bed_at(f->dir, "tmp"), 0700), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    mlr_place_close(f->store);
    mlr_place_close(f->layout);
    mlr_runtime_unref(f->rt);
    bed_dir_remove(f->dir);
    free(f->data);
    free(f);
    return 0;
}

static mlr_blob put(fixture *f, mlr_place *p, size_t len)
{
    mlr_blob b = bed_blob(REPO, f->data, len);

    bed_assert_rc(bed_try_put(p, &b, f->data, len, &err), 0);
    return b;
}

static mlr_layer *open_layer(mlr_place *p, const mlr_blob *b, mlr_layer_open o)
{
    mlr_layer *l = NULL;

    bed_assert_rc(mlr_layer_open_at(p, b, &o, NULL, &l, &err), 0);
    return l;
}

static int open_code(mlr_place *p, const mlr_blob *b, mlr_layer_open o)
{
    mlr_layer   *l = NULL;
    mlreg_error *err = NULL;
    int          rc = mlr_layer_open_at(p, b, &o, NULL, &l, &err);

    assert_null(l);
    assert_non_null(err);
    mlr_error_done(err);
    return rc;
}

/* Reads on in pieces of `piece` bytes until the end, which must come after `len` bytes that are `data`. */
static void assert_reads_on(mlr_layer *l, const char *data, size_t len, size_t piece)
{
    char  *buf = malloc(piece);
    size_t at = 0;
    int64_t n;

    assert_non_null(buf);
    while ((n = mlr_layer_read(l, buf, piece, NULL, NULL)) > 0) {
        assert_true((size_t)n <= len - at);
        assert_memory_equal(buf, data + at, (size_t)n);
        at += (size_t)n;
    }
    assert_int_equal(n, 0);
    assert_int_equal(at, len);
    free(buf);
}

/* Somebody turns the byte at `offset` of a stored blob. */
static void damage(fixture *f, const char *place, const mlr_blob *b, long offset)
{
    char  name[BED_PATH_MAX];
    FILE *file;
    int   c;

    snprintf(name, sizeof name, "%s/%s/blobs/sha256/%s", f->dir, place, mlr_digest_hex(&b->digest));
    assert_int_equal(chmod(name, 0644), 0);
    file = fopen(name, "r+e");
    assert_non_null(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    c = fgetc(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    assert_int_equal(fputc(c ^ 1, file), c ^ 1);
    assert_int_equal(fclose(file), 0);
}

/* ---- from a place that vouches for its bytes ---- */

static void test_layer__of_a_store_is_read_from_its_start_to_its_end(void **state)
{
    fixture   *f = *state;
    mlr_blob   b = put(f, f->store, LARGE);
    mlr_layer *l = open_layer(f->store, &b, (mlr_layer_open){ 0 });

    assert_int_equal(mlr_layer_bytes(l), LARGE);
    assert_reads_on(l, f->data, LARGE, 65537);
    mlr_layer_free(l);
}

static void test_layer__in_part_is_a_stream_of_that_part(void **state)
{
    fixture   *f = *state;
    mlr_blob   b = put(f, f->store, SMALL);
    mlr_layer *l = open_layer(f->store, &b, (mlr_layer_open){ .offset = 100, .bytes = 50 });
    char       buf[100];

    assert_int_equal(mlr_layer_bytes(l), 50);
    assert_reads_on(l, f->data + 100, 50, 7);
    assert_int_equal(mlr_layer_read_at(l, 40, buf, sizeof buf, NULL, NULL), 10); /* not past the part */
    assert_memory_equal(buf, f->data + 140, 10);
    mlr_layer_free(l);
    l = open_layer(f->store, &b, (mlr_layer_open){ .offset = 900 });
    assert_reads_on(l, f->data + 900, 100, 64);
    mlr_layer_free(l);
}

static void test_layer__part_that_begins_at_the_end_is_empty(void **state)
{
    fixture   *f = *state;
    mlr_blob   b = put(f, f->store, SMALL);
    mlr_layer *l = open_layer(f->store, &b, (mlr_layer_open){ .offset = SMALL });

    assert_reads_on(l, "", 0, 10);
    mlr_layer_free(l);
}

static void test_layer__part_past_the_end_is_refused(void **state)
{
    fixture *f = *state;
    mlr_blob b = put(f, f->store, SMALL);

    assert_int_equal(open_code(f->store, &b, (mlr_layer_open){ .offset = SMALL + 1 }), MLREG_EINVAL);
    assert_int_equal(open_code(f->store, &b, (mlr_layer_open){ .offset = 1, .bytes = SMALL }), MLREG_EINVAL);
    assert_int_equal(open_code(f->store, &b, (mlr_layer_open){ .offset = 1, .bytes = UINT64_MAX }), MLREG_EINVAL);
}

static void test_layer__is_read_on_from_where_it_was_set(void **state)
{
    fixture   *f = *state;
    mlr_blob   b = put(f, f->store, SMALL);
    mlr_layer *l = open_layer(f->store, &b, (mlr_layer_open){ 0 });
    char       buf[10];

    assert_int_equal(mlr_layer_seek(l, 500, NULL), 0);
    assert_int_equal(mlr_layer_read(l, buf, 10, NULL, NULL), 10);
    assert_memory_equal(buf, f->data + 500, 10);
    assert_int_equal(mlr_layer_read_at(l, 3, buf, 10, NULL, NULL), 10); /* which moves nothing */
    assert_int_equal(mlr_layer_read(l, buf, 10, NULL, NULL), 10);
    assert_memory_equal(buf, f->data + 510, 10);
    assert_int_equal(mlr_layer_seek(l, SMALL, NULL), 0);
    assert_int_equal(mlr_layer_read(l, buf, 10, NULL, NULL), 0);
    assert_int_equal(mlr_layer_seek(l, SMALL + 1, NULL), MLREG_EINVAL);
    assert_int_equal(mlr_layer_seek(l, 0, NULL), 0);
    assert_reads_on(l, f->data, SMALL, 333);
    mlr_layer_free(l);
}

struct reading { mlr_layer *l; const char *data; size_t len; unsigned seed; };

static int read_all_over(void *arg, mlr_op *op, mlreg_error **err)
{
    struct reading *r = arg;
    char            buf[4096];

    for (int i = 0; i < 200; i++) {
        uint64_t at;
        int64_t  n;

        r->seed = r->seed * 1103515245 + 12345;
        at = (r->seed >> 4) % r->len;
        if ((n = mlr_layer_read_at(r->l, at, buf, sizeof buf, op, err)) < 0)
            return (int)n;
        if ((uint64_t)n != (r->len - at < sizeof buf ? r->len - at : sizeof buf) || memcmp(buf, r->data + at, (size_t)n) != 0)
            return mlr_error_set(err, MLREG_EDIGEST, "other bytes at %llu", (unsigned long long)at);
    }
    return 0;
}

static void assert_many_threads_read(fixture *f, mlr_layer *l, size_t len)
{
    struct reading r[4];
    mlr_group     *g = NULL;

    bed_assert_rc(mlr_group_new(f->rt, NULL, 4, &g, &err), 0);
    for (unsigned i = 0; i < 4; i++) {
        r[i] = (struct reading){ l, f->data, len, i + 1 };
        bed_assert_rc(mlr_group_add(g, read_all_over, &r[i], &err), 0);
    }
    bed_assert_rc(mlr_group_wait(g, &err), 0);
    mlr_group_free(g);
}

static void test_layer__is_read_by_many_threads_at_once(void **state)
{
    fixture   *f = *state;
    mlr_place *memory = bed_open("memory:", 0, f->rt);
    mlr_blob   b = put(f, f->store, LARGE);
    mlr_layer *l = open_layer(f->store, &b, (mlr_layer_open){ 0 });

    assert_many_threads_read(f, l, LARGE);
    mlr_layer_free(l);
    b = put(f, memory, SMALL);
    l = open_layer(memory, &b, (mlr_layer_open){ 0 });
    assert_many_threads_read(f, l, SMALL);
    mlr_layer_free(l);
    b = put(f, f->layout, SMALL);
    l = open_layer(f->layout, &b, (mlr_layer_open){ 0 });
    assert_many_threads_read(f, l, SMALL);
    mlr_layer_free(l);
    l = open_layer(f->layout, &b, (mlr_layer_open){ .unverified = true });
    assert_many_threads_read(f, l, SMALL);
    mlr_layer_free(l);
    mlr_place_close(memory);
}

static void test_layer__of_no_bytes_ends_at_once(void **state)
{
    fixture   *f = *state;
    mlr_place *const places[] = { f->store, f->layout };
    char       buf[10];

    for (size_t i = 0; i < 2; i++)
        for (int unverified = 0; unverified < 2; unverified++) {
            mlr_blob   b = put(f, places[i], 0);
            mlr_layer *l = open_layer(places[i], &b, (mlr_layer_open){ .unverified = unverified });

            assert_int_equal(mlr_layer_bytes(l), 0);
            assert_int_equal(mlr_layer_read(l, buf, sizeof buf, NULL, NULL), 0);
            assert_int_equal(mlr_layer_read_at(l, 0, buf, sizeof buf, NULL, NULL), 0);
            mlr_layer_free(l);
        }
}

static void test_layer__that_is_not_there_is_not_found(void **state)
{
    fixture *f = *state;
    mlr_blob b = bed_blob(REPO, f->data, SMALL);

    assert_int_equal(open_code(f->store, &b, (mlr_layer_open){ 0 }), MLREG_ENOTFOUND);
    assert_int_equal(open_code(f->layout, &b, (mlr_layer_open){ 0 }), MLREG_ENOTFOUND);
}

static void test_layer__is_not_read_once_its_op_is_cancelled(void **state)
{
    fixture   *f = *state;
    mlr_blob   b = put(f, f->store, SMALL);
    mlr_layer *l = open_layer(f->store, &b, (mlr_layer_open){ 0 });
    mlreg_op  *remote = NULL;
    mlr_op    *op = NULL;
    char       buf[10];

    bed_assert_rc(mlr_remote_new(&remote, &err), 0);
    bed_assert_rc(mlr_op_begin(remote, &op, &err), 0);
    mlr_remote_cancel(remote);
    assert_int_equal(mlr_layer_read(l, buf, sizeof buf, op, NULL), MLREG_ECANCELLED);
    mlr_op_end(op);
    mlr_remote_free(remote);
    assert_reads_on(l, f->data, SMALL, 100); /* nothing was lost by it */
    mlr_layer_free(l);
}

/* ---- as a file ---- */

static void test_layer__of_a_store_can_be_mapped(void **state)
{
    fixture *f = *state;
    mlr_blob b = put(f, f->store, LARGE);
    int      fd = -1;
    void    *map;

    bed_assert_rc(mlr_layer_fd(f->store, &b, NULL, &fd, &err), 0);
    map = mmap(NULL, LARGE, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(map != MAP_FAILED);
    assert_memory_equal(map, f->data, LARGE);
    munmap(map, LARGE);
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}

static void test_layer__that_nobody_vouches_for_is_no_file(void **state)
{
    fixture     *f = *state;
    mlr_place   *memory = bed_open("memory:", 0, f->rt);
    mlr_place   *const places[] = { memory, f->layout };

    for (size_t i = 0; i < 2; i++) {
        mlr_blob     b = put(f, places[i], SMALL);
        mlreg_error *err = NULL;
        int          fd = -1;

        assert_int_equal(mlr_layer_fd(places[i], &b, NULL, &fd, &err), MLREG_ENOTSUP);
        assert_int_equal(fd, -1);
        assert_non_null(strstr(err->hint, "store"));
        mlr_error_done(err);
    }
    mlr_place_close(memory);
}

/* ---- from a place whose word is not taken ---- */

static void test_layer__is_brought_and_verified_before_it_is_read(void **state)
{
    static const size_t sizes[] = { SMALL, 4u << 20, LARGE };
    fixture            *f = *state;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        mlr_blob   b = put(f, f->layout, sizes[i]);
        mlr_layer *l = open_layer(f->layout, &b, (mlr_layer_open){ 0 });

        damage(f, "layout", &b, 5); /* too late: the verified bytes are ours */
        assert_reads_on(l, f->data, sizes[i], 99991);
        mlr_layer_free(l);
    }
}

static void test_layer__in_part_is_verified_whole(void **state)
{
    static const size_t sizes[] = { SMALL, LARGE };
    fixture            *f = *state;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        mlr_blob   b = put(f, f->layout, sizes[i]);
        mlr_layer *l = open_layer(f->layout, &b, (mlr_layer_open){ .offset = 10, .bytes = 20 });

        assert_reads_on(l, f->data + 10, 20, 20);
        mlr_layer_free(l);
        damage(f, "layout", &b, (long)sizes[i] - 1);
        assert_int_equal(open_code(f->layout, &b, (mlr_layer_open){ .offset = 10, .bytes = 20 }), MLREG_EDIGEST);
    }
}

static void test_layer__with_a_wrong_digest_gives_no_byte(void **state)
{
    static const size_t sizes[] = { SMALL, LARGE };
    fixture            *f = *state;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        mlr_blob     b = put(f, f->layout, sizes[i]);
        mlr_layer   *l = NULL;
        mlreg_error *err = NULL;

        damage(f, "layout", &b, 0);
        assert_int_equal(mlr_layer_open_at(f->layout, &b, &(mlr_layer_open){ 0 }, NULL, &l, &err), MLREG_EDIGEST);
        assert_null(l);
        assert_string_equal(err->subject, b.digest.text);
        mlr_error_done(err);
    }
}

static void test_layer__that_was_brought_leaves_nothing_behind(void **state)
{
    fixture    *f = *state;
    mlr_blob    b = put(f, f->layout, LARGE);
    const char *old = getenv("TMPDIR");
    char       *saved = old != NULL ? strdup(old) : NULL;
    int         files = bed_open_files();
    mlr_layer  *l;

    setenv("TMPDIR", bed_at(f->dir, "tmp"), 1);
    l = open_layer(f->layout, &b, (mlr_layer_open){ 0 });
    assert_int_equal(bed_count(bed_at(f->dir, "tmp")), 0); /* while it is open, too: a crash would leave nothing */
    mlr_layer_free(l);
    damage(f, "layout", &b, 0);
    assert_int_equal(open_code(f->layout, &b, (mlr_layer_open){ 0 }), MLREG_EDIGEST);
    assert_int_equal(bed_count(bed_at(f->dir, "tmp")), 0);
    assert_int_equal(bed_open_files(), files);
    if (saved != NULL)
        setenv("TMPDIR", saved, 1);
    else
        unsetenv("TMPDIR");
    free(saved);
}

static void test_layer__for_which_there_is_no_room_says_what_to_do(void **state)
{
    fixture     *f = *state;
    mlr_blob     b = put(f, f->layout, LARGE);
    int          files = bed_open_files(), rc;
    mlr_layer   *l = NULL;
    mlreg_error *err = NULL;

    fs_fault_arm_only(MLR_FS_WRITE, 2, 1, ENOSPC);
    rc = mlr_layer_open_at(f->layout, &b, &(mlr_layer_open){ 0 }, NULL, &l, &err);
    assert_true(fs_fault_disarm() > 0);
    assert_int_equal(rc, MLREG_EIO);
    assert_null(l);
    assert_non_null(err->hint);
    mlr_error_done(err);
    assert_int_equal(bed_open_files(), files);
}

/* ---- as it arrives ---- */

static void test_layer__unverified_that_is_right_is_read_to_its_end(void **state)
{
    fixture   *f = *state;
    mlr_blob   b = put(f, f->layout, LARGE);
    mlr_layer *l = open_layer(f->layout, &b, (mlr_layer_open){ .unverified = true });

    assert_reads_on(l, f->data, LARGE, 99991);
    mlr_layer_free(l);
}

static void test_layer__unverified_that_is_wrong_says_so_with_its_last_read(void **state)
{
    fixture     *f = *state;
    mlr_blob     b = put(f, f->layout, SMALL);
    mlr_layer   *l;
    mlreg_error *err = NULL;
    char         buf[SMALL];

    damage(f, "layout", &b, 100);
    l = open_layer(f->layout, &b, (mlr_layer_open){ .unverified = true });
    assert_int_equal(mlr_layer_read(l, buf, SMALL - 1, NULL, NULL), SMALL - 1); /* they flow */
    assert_int_equal(buf[100], f->data[100] ^ 1);
    assert_int_equal(mlr_layer_read(l, buf, SMALL, NULL, &err), MLREG_EDIGEST);
    mlr_error_done(err);
    mlr_layer_free(l);
}

static void test_layer__unverified_that_is_wrong_says_so_when_read_at_once(void **state)
{
    fixture   *f = *state;
    mlr_blob   b = put(f, f->layout, SMALL);
    mlr_layer *l;
    char       buf[SMALL];

    damage(f, "layout", &b, SMALL - 1);
    l = open_layer(f->layout, &b, (mlr_layer_open){ .unverified = true });
    assert_int_equal(mlr_layer_read(l, buf, SMALL, NULL, NULL), MLREG_EDIGEST);
    mlr_layer_free(l);
}

static void test_layer__unverified_part_is_handed_out_as_it_comes(void **state)
{
    fixture   *f = *state;
    mlr_blob   b = put(f, f->layout, SMALL);
    mlr_layer *l;
    char       buf[SMALL];

    damage(f, "layout", &b, 5);
    l = open_layer(f->layout, &b, (mlr_layer_open){ .offset = 10, .bytes = 100, .unverified = true });
    assert_reads_on(l, f->data + 10, 100, 30);
    mlr_layer_free(l);
    l = open_layer(f->layout, &b, (mlr_layer_open){ .unverified = true });
    assert_int_equal(mlr_layer_seek(l, 10, NULL), 0);
    assert_int_equal(mlr_layer_read(l, buf, SMALL, NULL, NULL), SMALL - 10); /* no whole pass: nobody can tell */
    mlr_layer_free(l);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_layer__of_a_store_is_read_from_its_start_to_its_end),
        TEST(test_layer__in_part_is_a_stream_of_that_part),
        TEST(test_layer__part_that_begins_at_the_end_is_empty),
        TEST(test_layer__part_past_the_end_is_refused),
        TEST(test_layer__is_read_on_from_where_it_was_set),
        TEST(test_layer__is_read_by_many_threads_at_once),
        TEST(test_layer__of_no_bytes_ends_at_once),
        TEST(test_layer__that_is_not_there_is_not_found),
        TEST(test_layer__is_not_read_once_its_op_is_cancelled),
        TEST(test_layer__of_a_store_can_be_mapped),
        TEST(test_layer__that_nobody_vouches_for_is_no_file),
        TEST(test_layer__is_brought_and_verified_before_it_is_read),
        TEST(test_layer__in_part_is_verified_whole),
        TEST(test_layer__with_a_wrong_digest_gives_no_byte),
        TEST(test_layer__that_was_brought_leaves_nothing_behind),
        TEST(test_layer__for_which_there_is_no_room_says_what_to_do),
        TEST(test_layer__unverified_that_is_right_is_read_to_its_end),
        TEST(test_layer__unverified_that_is_wrong_says_so_with_its_last_read),
        TEST(test_layer__unverified_that_is_wrong_says_so_when_read_at_once),
        TEST(test_layer__unverified_part_is_handed_out_as_it_comes),
    };
    return cmocka_run_group_tests_name("model/layer", tests, NULL, NULL);
}
