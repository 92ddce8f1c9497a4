/* tests/model/test_counted.c - a reader that tells the op how far it was read, once for every byte. */
#include "model/counted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "bed/failing_alloc.h"

typedef struct fixture { mlreg_op *remote; mlr_op *op; mlr_reader *counted; } fixture;

static int set_up(void **state)
{
    fixture    *f = calloc(1, sizeof *f);
    mlr_reader *inner = NULL;

    assert_non_null(f);
    assert_int_equal(mlr_remote_new(&f->remote, NULL), 0);
    assert_int_equal(mlr_op_begin(f->remote, &f->op, NULL), 0);
    assert_int_equal(mlr_reader_from_memory("0123456789", 10, "ten", &inner, NULL), 0);
    assert_int_equal(mlr_counted_new(inner, NULL, &f->counted, NULL), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    mlr_reader_free(f->counted);
    mlr_op_end(f->op);
    mlr_remote_free(f->remote);
    free(f);
    return 0;
}

static uint64_t done(const fixture *f)
{
    mlreg_stats s = { .size = sizeof s };

    mlr_remote_stats(f->remote, &s);
    return s.bytes_done;
}

static void assert_read(fixture *f, uint64_t offset, size_t len, const char *want)
{
    char buf[16] = "";

    assert_int_equal(mlr_reader_read_at(f->counted, offset, buf, len, f->op, NULL), strlen(want));
    assert_string_equal(buf, want);
}

static void test_counted__reads_as_what_it_wraps(void **state)
{
    fixture *f = *state;

    assert_int_equal(f->counted->bytes, 10);
    assert_string_equal(f->counted->name, "ten");
    assert_int_equal(f->counted->fd, -1);
    assert_read(f, 2, 3, "234");
    assert_read(f, 10, 3, "");
    assert_int_equal(mlr_reader_unchanged(f->counted, NULL), 0);
}

static void test_counted__counts_what_is_read(void **state)
{
    fixture *f = *state;

    assert_read(f, 0, 4, "0123");
    assert_int_equal(done(f), 4);
    assert_read(f, 4, 6, "456789");
    assert_int_equal(done(f), 10);
    assert_read(f, 10, 6, "");
    assert_int_equal(done(f), 10);
}

static void test_counted__counts_bytes_that_are_read_again_once(void **state)
{
    fixture *f = *state;

    assert_read(f, 0, 6, "012345");
    assert_read(f, 0, 6, "012345"); /* a broken upload begins again */
    assert_int_equal(done(f), 6);
    assert_read(f, 4, 4, "4567");
    assert_int_equal(done(f), 8);
}

static void test_counted__counts_the_rest_that_was_never_read(void **state)
{
    fixture *f = *state;

    assert_read(f, 0, 3, "012");
    mlr_counted_rest(f->counted, f->op);
    assert_int_equal(done(f), 10);
    mlr_counted_rest(f->counted, f->op);
    assert_int_equal(done(f), 10);
}

static int64_t fails(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    (void)r, (void)offset, (void)buf, (void)len, (void)op;
    return mlr_error_set(err, MLREG_ENET, "it broke off");
}

static int changed(mlr_reader *r, mlreg_error **err)
{
    (void)r;
    return mlr_error_set(err, MLREG_EIO, "changed while it was read");
}

static void forget(mlr_reader *r)
{
    r->bytes = 0; /* which shows that it was freed */
}

static void test_counted__hands_failures_on_and_frees_what_it_wraps(void **state)
{
    static const mlr_reader_ops ops = { .read_at = fails, .free = forget, .unchanged = changed };
    fixture    *f = *state;
    mlr_reader  inner = { &ops, 10, -1, false, "bad" }, *r = NULL;
    char        buf[4];

    assert_int_equal(mlr_counted_new(&inner, NULL, &r, NULL), 0);
    assert_int_equal(mlr_reader_read_at(r, 0, buf, sizeof buf, f->op, NULL), MLREG_ENET);
    assert_int_equal(mlr_reader_unchanged(r, NULL), MLREG_EIO);
    assert_int_equal(done(f), 0);
    mlr_reader_free(r);
    assert_int_equal(inner.bytes, 0);
}

/* ---- wrong bytes ---- */

static int64_t reads(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    (void)r, (void)offset, (void)op, (void)err;
    memset(buf, 'x', len);
    return (int64_t)len;
}

static void leave(mlr_reader *r)
{
    (void)r;
}

static int same_again(mlr_reader *r, mlr_reader **out, mlreg_error **err)
{
    (void)err;
    *out = r;
    return 0;
}

static int n_blamed;

static int has_another(mlr_place *p, const mlr_blob *b, mlr_op *op)
{
    (void)p, (void)b, (void)op;
    return n_blamed++ == 0;
}

/* Six bytes by the reader and its twin. */
static mlr_reader *read_wrong(fixture *f)
{
    static const mlr_reader_ops ops = { .read_at = reads, .free = leave, .twin = same_again };
    static mlr_reader inner = { &ops, 10, -1, false, "ten" };
    mlr_reader *r = NULL, *twin = NULL;
    char        buf[8];

    assert_int_equal(mlr_counted_new(&inner, NULL, &r, NULL), 0);
    assert_int_equal(mlr_reader_twin(r, &twin, NULL), 0);
    mlr_reader_until(r, 2);
    mlr_reader_until(twin, 6);
    assert_int_equal(mlr_reader_read_at(r, 0, buf, 2, f->op, NULL), 2);
    assert_int_equal(mlr_reader_read_at(twin, 2, buf, 4, f->op, NULL), 4);
    mlr_reader_free(twin);
    return r;
}

static bool again(fixture *f, int rc, mlr_reader **r)
{
    static const mlr_place_ops ops = { .blob_wrong = has_another };
    mlr_place    place = { .ops = &ops };
    mlr_blob     blob = { .repo = "r" };
    mlreg_error *why = NULL;
    bool         yes;

    mlr_error_set(&why, rc, "what was found");
    yes = mlr_counted_again(&place, &blob, rc, r, f->op, &why);
    assert_true(yes == (why == NULL));
    mlr_error_done(why);
    return yes;
}

static void test_counted__wrong_bytes_are_taken_back_where_there_are_others(void **state)
{
    fixture    *f = *state;
    mlr_reader *r = read_wrong(f);

    n_blamed = 0;
    assert_false(again(f, MLREG_ENET, &r));
    assert_int_equal(done(f), 6);
    assert_true(again(f, MLREG_EDIGEST, &r));
    assert_null(r);
    assert_int_equal(done(f), 0);
    r = read_wrong(f);
    assert_false(again(f, MLREG_EDIGEST, &r));
    assert_int_equal(done(f), 6);
    mlr_reader_free(r);
}

static void test_counted__blames_nobody_while_part_of_it_was_there_before(void **state)
{
    fixture    *f = *state;
    mlr_reader *r = read_wrong(f);

    n_blamed = 0;
    mlr_reader_had(r, 4, f->op);
    assert_int_equal(done(f), 10);
    assert_true(again(f, MLREG_EDIGEST, &r));
    assert_int_equal(n_blamed, 0);
    assert_int_equal(done(f), 0);
}

/* ---- without memory ---- */

static void test_counted__without_memory_leaves_the_reader_to_its_owner(void **state)
{
    static const mlr_reader_ops ops = { .read_at = fails, .free = forget, .unchanged = changed };
    mlr_reader    inner = { &ops, 10, -1, false, "bad" }, *r = NULL;
    failing_alloc fail;
    int           rc;

    (void)state;
    failing_alloc_arm(&fail, 1, true);
    rc = mlr_counted_new(&inner, NULL, &r, NULL);
    assert_true(failing_alloc_disarm(&fail));
    assert_int_equal(rc, MLREG_ENOMEM);
    assert_null(r);
    assert_int_equal(inner.bytes, 10);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_counted__reads_as_what_it_wraps),
        TEST(test_counted__counts_what_is_read),
        TEST(test_counted__counts_bytes_that_are_read_again_once),
        TEST(test_counted__counts_the_rest_that_was_never_read),
        TEST(test_counted__hands_failures_on_and_frees_what_it_wraps),
        TEST(test_counted__wrong_bytes_are_taken_back_where_there_are_others),
        TEST(test_counted__blames_nobody_while_part_of_it_was_there_before),
        TEST(test_counted__without_memory_leaves_the_reader_to_its_owner),
    };
    return cmocka_run_group_tests_name("model/counted", tests, NULL, NULL);
}
