/* tests/model/test_landing.c - what stands in a file's place already is read once, and again only when it is another. */
#include "model/landing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/work.h"
#include "bed/dir.h"

#define BYTES ((size_t)17 << 20)            /* so many that it is brought by way of a file that others can go on with */
#define NAME  "weights"

/* ---- a blob from afar ---- */

static int64_t read_letters(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    (void)r, (void)offset, (void)op, (void)err;
    memset(buf, 'a', len);
    return (int64_t)len;
}

static void free_letters(mlr_reader *r)
{
    mlr_free(r);
}

static int no_twin(mlr_reader *r, mlr_reader **out, mlreg_error **err)
{
    (void)r, (void)out;
    return mlr_error_set(err, MLREG_ENOTSUP, "one is enough");
}

static mlr_reader *letters(void)
{
    static const mlr_reader_ops ops = { .read_at = read_letters, .free = free_letters, .twin = no_twin };
    mlr_reader *r = mlr_alloc(sizeof *r);

    assert_non_null(r);
    *r = (mlr_reader){ &ops, BYTES, -1, false, "the letters" };
    return r;
}

/* ---- a folder, and how much of the file in it is read ---- */

typedef struct fixture {
    char *dir;
    mlr_ground ground;
    mlr_descriptor layer;
    mlr_runtime *rt;
} fixture;

static atomic_uint n_reads;

static int count_reads(mlr_fs_call call, const char *name, void *user)
{
    (void)user;
    n_reads += call == MLR_FS_READ && strcmp(name, NAME) == 0;
    return 0;
}

static void fill(const fixture *f, int letter)
{
    char *data = malloc(BYTES + 1);

    memset(data, letter, BYTES);
    data[BYTES] = '\0';
    bed_write(bed_at(f->dir, NAME), data);
    free(data);
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    char *data = malloc(BYTES);

    f->dir = bed_dir_new();
    f->ground = (mlr_ground){ open(f->dir, O_RDONLY | O_DIRECTORY), f->dir };
    memset(data, 'a', BYTES);
    f->layer.bytes = BYTES;
    mlr_digest_of(data, BYTES, &f->layer.digest);
    free(data);
    assert_int_equal(mlr_runtime_new(NULL, &f->rt, NULL), 0);
    n_reads = 0;
    mlr_fs_use(count_reads, NULL);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;

    mlr_fs_use(NULL, NULL);
    mlr_runtime_unref(f->rt);
    close(f->ground.fd);
    bed_dir_remove(f->dir);
    free(f);
    return 0;
}

static int look(fixture *f, mlr_landing_look *seen)
{
    return mlr_landing_is_there(f->rt, &f->layer, &f->ground, NAME, seen, NULL, NULL);
}

static void test_landing__reads_what_stands_there_once(void **state)
{
    fixture *f = *state;
    mlr_landing_look seen = { 0 };
    mlr_reader *r = letters();
    unsigned once;

    fill(f, 'b');
    assert_int_equal(look(f, &seen), 0);
    once = n_reads;
    assert_true(once > 0);
    assert_int_equal(mlr_landing_file(f->rt, r, &f->layer, &f->ground, NAME, &seen, NULL, NULL), 0);
    assert_int_equal(n_reads, once);
    mlr_reader_free(r);
    assert_int_equal(look(f, &seen), 1);
}

/* Somebody brought it between the two looks. */
static void test_landing__reads_again_what_is_another_file_by_now(void **state)
{
    fixture *f = *state;
    mlr_landing_look seen = { 0 };

    fill(f, 'b');
    assert_int_equal(look(f, &seen), 0);
    assert_int_equal(unlink(bed_at(f->dir, NAME)), 0);
    assert_int_equal(look(f, &seen), 0);
    fill(f, 'a');
    assert_int_equal(look(f, &seen), 1);
}

#define landing_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        landing_test(test_landing__reads_what_stands_there_once),
        landing_test(test_landing__reads_again_what_is_another_file_by_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
