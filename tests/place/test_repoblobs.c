/* tests/place/test_repoblobs.c - blobs on their way into a repository on disk: what came of them is not lost on the last step. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "bed/artifact.h"
#include "bed/dir.h"
#include "place/partial.h"
#include "place/slabs.h"

#define BYTES (MLR_PARTIAL_LEAST_BYTES + 1000)

/* A large blob from far away, of one letter. */
static struct { atomic_ullong read; atomic_bool gate_is_shut; } far_away;

static int64_t letters_read_at(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    (void)r;
    (void)op;
    (void)err;
    memset(buf, 'a', len);
    far_away.read += len;
    if (offset + len == BYTES)
        far_away.gate_is_shut = true;
    return (int64_t)len;
}

static void letters_free(mlr_reader *r)
{
    mlr_free(r);
}

static int no_twin(mlr_reader *r, mlr_reader **out, mlreg_error **err)
{
    (void)r;
    (void)out;
    return mlr_error_set(err, MLREG_ENOTSUP, "there is one connection");
}

static mlr_reader *letters(void)
{
    static const mlr_reader_ops ops = { .read_at = letters_read_at, .free = letters_free, .twin = no_twin };
    mlr_reader *r = mlr_alloc(sizeof *r);

    *r = (mlr_reader){ &ops, BYTES, -1, false, "far away" };
    return r;
}

/* Whoever has received all of it finds that it cannot go through the gate. */
static int shut_gate(mlr_fs_call call, const char *name, void *user)
{
    (void)user;
    return far_away.gate_is_shut && call == MLR_FS_LOCK && strstr(name, "gate") != NULL ? EIO : 0;
}

static int bring(mlr_place *p, const mlr_blob *b, mlreg_error **err)
{
    mlr_reader *r = letters();
    int         rc = mlr_place_blob_write(p, b, r, NULL, err);

    mlr_reader_free(r);
    return rc;
}

static void test_repoblobs__a_large_one_that_cannot_be_published_is_not_fetched_again(void **state)
{
    char        *dir = bed_dir_new(), *all = malloc(BYTES);
    mlr_runtime *rt = NULL;
    mlr_place   *p;
    mlr_blob     b;

    (void)state;
    memset(all, 'a', BYTES);
    b = bed_blob("x", all, BYTES);
    free(all);
    assert_int_equal(mlr_runtime_new(NULL, &rt, NULL), 0);
    p = bed_open(bed_at(dir, "store"), MLREG_OPEN_CREATE, rt);
    mlr_fs_use(shut_gate, NULL);
    bed_assert_rc(bring(p, &b, &err), MLREG_EIO);
    mlr_fs_use(NULL, NULL);
    assert_int_equal(far_away.read, BYTES);
    bed_assert_rc(mlr_place_blob_has(p, &b, NULL, &err), 0);
    bed_assert_rc(bring(p, &b, &err), 0);
    assert_in_range(far_away.read, BYTES, BYTES + MLR_SLAB_BYTES);
    bed_assert_rc(mlr_place_blob_has(p, &b, NULL, &err), 1);
    mlr_place_close(p);
    mlr_runtime_unref(rt);
    bed_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repoblobs__a_large_one_that_cannot_be_published_is_not_fetched_again),
    };
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
    return cmocka_run_group_tests_name("place/repoblobs", tests, NULL, NULL);
}
