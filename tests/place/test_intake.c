/* tests/place/test_intake.c - bytes on their way in: whole, in order, once; the first cause of a failure; both threads. */
#include "place/intake.h"

#include <errno.h>
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
#include "bed/fs_fault.h"

#define MIB ((size_t)1 << 20)
#define MOST_BYTES (6 * MIB + 3)         /* more than all slabs together */

static uint8_t *bytes;                   /* MOST_BYTES of noise */

static int make_noise(void **state)
{
    uint32_t x = 2463534242;

    (void)state;
    if ((bytes = malloc(MOST_BYTES)) == NULL)
        return -1;
    for (size_t i = 0; i < MOST_BYTES; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        bytes[i] = (uint8_t)x;
    }
    return 0;
}

static int drop_noise(void **state)
{
    (void)state;
    free(bytes);
    return 0;
}

/* Where the bytes go; checks them as they come. */
struct sink {
    uint64_t    at;                      /* all came that lie before */
    size_t      most;                    /* the largest slab */
    bool        is_wrong;
    uint64_t    fails_at;                /* with EIO; 0: never */
    mlr_op     *cancels;                 /* at the first slab, and goes on */
    atomic_int *until;                   /* not ready for a first slab before that is so many: */
    int         count;
    pthread_t   on;
};

static int put(void *user, uint64_t offset, const void *data, size_t len, mlreg_error **err)
{
    struct sink *s = user;

    while (s->until != NULL && *s->until < s->count)
        (void)mlr_op_sleep(NULL, 1, NULL);
    s->is_wrong |= offset != s->at || len == 0 || offset + len > MOST_BYTES || memcmp(data, bytes + offset, len) != 0;
    s->at = offset + len;
    s->most = len > s->most ? len : s->most;
    s->on = pthread_self();
    mlr_op_cancel(s->cancels);
    if (s->fails_at > 0 && s->at >= s->fails_at)
        return mlr_error_set(err, MLREG_EIO, "the disk is full");
    return 0;
}

/* A reader of the noise that can be slow, fail, or notice that it is not wanted any more. */
struct tap {
    mlr_reader reader;
    uint64_t   fails_at;                 /* with ENET; 0: never */
    uint64_t   hangs_at;                 /* until it is cancelled; 0: never */
    int        code;                     /* what it says when it is: ECANCELLED, or as curl would */
    atomic_int n_reads;
};

static int64_t tap_read_at(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    struct tap *t = (struct tap *)r;

    t->n_reads++;
    if (t->hangs_at > 0 && offset >= t->hangs_at) {
        while (mlr_op_sleep(op, 600000, NULL) == 0)
            ;
        return mlr_error_set(err, t->code, "interrupted");
    }
    if (t->fails_at > 0 && offset >= t->fails_at)
        return mlr_error_set(err, MLREG_ENET, "the line is dead");
    memcpy(buf, bytes + offset, len);
    return (int64_t)len;
}

static void tap_free(mlr_reader *r)
{
    (void)r;
}

static const mlr_reader_ops tap_ops = {.read_at = tap_read_at, .free = tap_free};

static struct tap new_tap(size_t len)
{
    return (struct tap){.reader = {&tap_ops, len, -1, false, "the tap"}, .code = MLREG_ECANCELLED};
}

static mlr_runtime *new_runtime(uint32_t threads, uint64_t memory_bytes)
{
    mlr_limits limits = {.threads = threads, .memory_bytes = memory_bytes};
    mlr_runtime *rt;

    assert_int_equal(mlr_runtime_new(&limits, &rt, NULL), 0);
    return rt;
}

/* All memory is back: the whole budget can be had at once. */
static void drop_runtime(mlr_runtime *rt)
{
    uint64_t all = mlr_runtime_limits(rt)->memory_bytes;

    assert_int_equal(mlr_runtime_memory_take(rt, all, NULL, NULL), 0);
    mlr_runtime_memory_give(rt, all);
    mlr_runtime_unref(rt);
}

static const size_t lengths[] = {0, 1, 63, 64, MIB - 1, MIB, MIB + 1, 2 * MIB, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, MOST_BYTES};
#define N_LENGTHS (sizeof lengths / sizeof *lengths)

static void check_all_lengths(mlr_runtime *rt)
{
    for (size_t i = 0; i < N_LENGTHS; i++) {
        struct sink sink = {0};
        mlr_digest want, got = {""};
        mlr_reader *r;
        mlr_op *op;

        mlr_digest_of(bytes, lengths[i], &want);
        assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
        assert_int_equal(mlr_reader_from_memory(bytes, lengths[i], "noise", &r, NULL), 0);
        assert_int_equal(mlr_intake(rt, r, put, &sink, op, &got, NULL), 0);
        assert_string_equal(got.text, want.text);
        assert_false(sink.is_wrong);
        assert_int_equal(sink.at, lengths[i]);
        assert_true(sink.most <= MIB);
        mlr_reader_free(r);
        mlr_op_end(op);
    }
}

static void test_intake__every_length_arrives_whole_and_in_order(void **state)
{
    mlr_runtime *rt = new_runtime(0, 0);

    (void)state;
    check_all_lengths(rt);
    drop_runtime(rt);
}

static void test_intake__works_in_a_runtime_without_threads(void **state)
{
    mlr_runtime *rt = new_runtime((uint32_t)MLREG_NONE, 0);

    (void)state;
    check_all_lengths(rt);
    drop_runtime(rt);
}

/* One thread puts and hashes; with two each has its own. */
static void test_intake__works_with_any_number_of_threads(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 3; n++) {
        mlr_runtime *rt = new_runtime(n, 0);

        check_all_lengths(rt);
        drop_runtime(rt);
    }
}

static int start_one(pthread_t *thread, void *(*run)(void *), void *arg)
{
    static atomic_int asked;

    return asked++ % 2 == 0 ? pthread_create(thread, NULL, run, arg) : EAGAIN;
}

/* The second of two threads cannot be had: what it was to do must not be waited for. */
static void test_intake__works_where_one_thread_is_to_be_had(void **state)
{
    mlr_runtime *rt = new_runtime(0, 0);

    (void)state;
    mlr_work_use(start_one);
    check_all_lengths(rt);
    mlr_work_use(NULL);
    drop_runtime(rt);
}

static int start_none(pthread_t *thread, void *(*run)(void *), void *arg)
{
    (void)thread;
    (void)run;
    (void)arg;
    return EAGAIN;
}

static void test_intake__works_where_no_thread_is_to_be_had(void **state)
{
    mlr_runtime *rt = new_runtime(0, 0);

    (void)state;
    mlr_work_use(start_none);
    check_all_lengths(rt);
    mlr_work_use(NULL);
    drop_runtime(rt);
}

static void test_intake__works_in_a_budget_smaller_than_its_slabs(void **state)
{
    mlr_runtime *rt = new_runtime(0, 1000);

    (void)state;
    check_all_lengths(rt);
    drop_runtime(rt);
}

static void test_intake__hashes_without_a_sink(void **state)
{
    mlr_digest want, got;
    mlr_reader *r;

    (void)state;
    mlr_digest_of(bytes, MOST_BYTES, &want);
    assert_int_equal(mlr_reader_from_memory(bytes, MOST_BYTES, "noise", &r, NULL), 0);
    assert_int_equal(mlr_intake(NULL, r, NULL, NULL, NULL, &got, NULL), 0);
    assert_string_equal(got.text, want.text);
    mlr_reader_free(r);
}

/* Nothing is put before all slabs are read: only two threads can do that. */
static void test_intake__reads_ahead_while_the_sink_is_busy(void **state)
{
    struct tap tap = new_tap(MOST_BYTES);
    struct sink sink = {.until = &tap.n_reads, .count = 8};
    mlr_digest got;

    (void)state;
    assert_int_equal(mlr_intake(NULL, &tap.reader, put, &sink, NULL, &got, NULL), 0);
    assert_false(pthread_equal(sink.on, pthread_self()));
    assert_false(sink.is_wrong);
}

static void test_intake__a_small_blob_stays_on_this_thread(void **state)
{
    struct tap tap = new_tap(MIB);
    struct sink sink = {0};
    mlr_digest got;

    (void)state;
    assert_int_equal(mlr_intake(NULL, &tap.reader, put, &sink, NULL, &got, NULL), 0);
    assert_true(pthread_equal(sink.on, pthread_self()));
    assert_int_equal(tap.n_reads, 4);
}

/* An intake that must fail, and leave memory and output as they were. */
static void check_fails(mlr_runtime *rt, struct tap *tap, struct sink *sink, int code, const char *message)
{
    mlr_digest got = {"untouched"};
    mlreg_error *err = NULL;
    mlr_op *op;

    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    assert_int_equal(mlr_intake(rt, &tap->reader, put, sink, op, &got, &err), code);
    assert_int_equal(err->code, code);
    assert_string_equal(err->message, message);
    assert_string_equal(got.text, "untouched");
    assert_false(sink->is_wrong);
    assert_false(mlr_op_cancelled(op));
    mlr_error_done(err);
    mlr_op_end(op);
}

static void check_either_side_fails(mlr_runtime *rt)
{
    for (uint64_t at = 1; at < 6 * MIB; at += MIB) {
        struct tap bad_tap = new_tap(MOST_BYTES), tap = new_tap(MOST_BYTES);
        struct sink bad_sink = {.fails_at = at}, sink = {0};

        bad_tap.fails_at = at;
        check_fails(rt, &bad_tap, &sink, MLREG_ENET, "the line is dead");
        check_fails(rt, &tap, &bad_sink, MLREG_EIO, "the disk is full");
    }
}

static void test_intake__a_failure_of_either_side_is_the_result(void **state)
{
    mlr_runtime *rt = new_runtime(0, 0);

    (void)state;
    check_either_side_fails(rt);
    drop_runtime(rt);
}

static void test_intake__so_it_is_without_threads(void **state)
{
    mlr_runtime *rt = new_runtime((uint32_t)MLREG_NONE, 0);

    (void)state;
    check_either_side_fails(rt);
    drop_runtime(rt);
}

static void test_intake__a_failing_sink_stops_a_reader_that_hangs(void **state)
{
    mlr_runtime *rt = new_runtime(0, 0);

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct tap tap = new_tap(MOST_BYTES);
        struct sink sink = {.fails_at = 1};

        tap.hangs_at = 2 * MIB;
        tap.code = i == 0 ? MLREG_ECANCELLED : MLREG_ENET;
        check_fails(rt, &tap, &sink, MLREG_EIO, "the disk is full");
    }
    drop_runtime(rt);
}

static void check_cancelled(uint32_t threads)
{
    mlr_runtime *rt = new_runtime(threads, 0);
    struct tap tap = new_tap(MOST_BYTES);
    struct sink sink = {0};
    mlr_digest got = {"untouched"};
    mlreg_error *err = NULL;

    tap.hangs_at = 2 * MIB;
    tap.code = MLREG_ENET;
    assert_int_equal(mlr_op_begin(NULL, &sink.cancels, NULL), 0);
    assert_int_equal(mlr_intake(rt, &tap.reader, put, &sink, sink.cancels, &got, &err), MLREG_ECANCELLED);
    assert_int_equal(err->code, MLREG_ECANCELLED);
    assert_string_equal(got.text, "untouched");
    mlr_error_done(err);
    mlr_op_end(sink.cancels);
    drop_runtime(rt);
}

static void test_intake__a_cancel_ends_it(void **state)
{
    (void)state;
    check_cancelled(0);
    check_cancelled((uint32_t)MLREG_NONE);
}

static void test_intake__a_file_that_changes_meanwhile_is_no_blob(void **state)
{
    mlr_digest got = {"untouched"};
    mlreg_error *err = NULL;
    mlr_reader *r;
    FILE *f;

    f = fopen(bed_at(*state, "w"), "we");
    assert_int_equal(fwrite(bytes, 1, 3 * MIB, f), 3 * MIB);
    fclose(f);
    assert_int_equal(mlr_reader_open_file(bed_at(*state, "w"), &r, NULL), 0);
    f = fopen(bed_at(*state, "w"), "ae");
    fputc('!', f);
    fclose(f);
    assert_int_equal(mlr_intake(NULL, r, NULL, NULL, NULL, &got, &err), MLREG_EIO);
    assert_non_null(strstr(err->message, "changed while it was read"));
    assert_string_equal(got.text, "untouched");
    mlr_error_done(err);
    mlr_reader_free(r);
}

static void test_intake__file_faults_are_errors(void **state)
{
    FILE *f = fopen(bed_at(*state, "w"), "we");
    mlr_reader *r;

    assert_int_equal(fwrite(bytes, 1, 3 * MIB, f), 3 * MIB);
    fclose(f);
    assert_int_equal(mlr_reader_open_file(bed_at(*state, "w"), &r, NULL), 0);
    for (int n = 1, fired = 1; fired; n++) {
        mlreg_error *err = NULL;
        mlr_digest got;
        int rc;

        fs_fault_arm(n, 0, EIO);
        rc = mlr_intake(NULL, r, NULL, NULL, NULL, &got, &err);
        fired = fs_fault_disarm();
        assert_int_equal(rc, fired ? MLREG_EIO : 0);
        mlr_error_done(err);
        assert_true(fired || n > 4);            /* three reads and at least a look */
    }
    mlr_reader_free(r);
}

/* Fails from the n-th allocation on; threads may ask. */
static atomic_int left_to_grant;

static void *scarce_resize(void *user, void *p, size_t n)
{
    (void)user;
    return left_to_grant-- > 0 ? realloc(p, n) : NULL;
}

static void scarce_release(void *user, void *p)
{
    (void)user;
    free(p);
}

static void test_intake__survives_running_out_of_memory_anywhere(void **state)
{
    static const mlr_allocator scarce = {scarce_resize, scarce_release, NULL};
    mlr_runtime *rt = new_runtime(0, 0);
    struct tap tap = new_tap(MOST_BYTES);
    mlr_digest want, got = {""};
    int rc, n = 0;

    (void)state;
    mlr_digest_of(bytes, MOST_BYTES, &want);
    do {
        struct sink sink = {0};
        mlreg_error *err = NULL;

        left_to_grant = n++;
        mlr_alloc_use(&scarce);
        rc = mlr_intake(rt, &tap.reader, put, &sink, NULL, &got, &err);
        mlr_alloc_use(NULL);
        assert_true(rc == 0 || (rc == MLREG_ENOMEM && err != NULL));
        mlr_error_done(err);
    } while (rc < 0);
    assert_true(n > 5);
    assert_string_equal(got.text, want.text);
    drop_runtime(rt);
}

/* Eight at once in a budget for two: all get their turn. */
static int take_in(void *arg, mlr_op *op, mlreg_error **err)
{
    struct tap tap = new_tap(MOST_BYTES);
    struct sink sink = {0};
    mlr_digest got;
    int rc = mlr_intake(arg, &tap.reader, put, &sink, op, &got, err);

    return rc == 0 && sink.is_wrong ? MLREG_EDIGEST : rc;
}

static void test_intake__many_share_one_budget(void **state)
{
    mlr_runtime *rt = new_runtime(0, 8 * MIB);
    mlr_group *g;
    mlr_op *op;

    (void)state;
    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    assert_int_equal(mlr_group_new(NULL, op, 8, &g, NULL), 0);
    for (int i = 0; i < 8; i++)
        assert_int_equal(mlr_group_add(g, take_in, rt, NULL), 0);
    assert_int_equal(mlr_group_wait(g, NULL), 0);
    mlr_group_free(g);
    mlr_op_end(op);
    drop_runtime(rt);
}

/* A source's read_at must run where the call was made, wherever the intake runs. */
struct caller {
    mlr_reader *reader;
    pthread_t   thread;
    atomic_bool is_elsewhere;
};

static int64_t source_read(void *user, uint64_t offset, void *buf, size_t len)
{
    struct caller *c = user;

    if (!pthread_equal(c->thread, pthread_self()))
        c->is_elsewhere = true;
    memcpy(buf, bytes + offset, len);
    return (int64_t)len;
}

static int take_in_source(void *arg, mlr_op *op, mlreg_error **err)
{
    struct caller *c = arg;
    struct sink sink = {0};
    mlr_digest got;
    int rc = mlr_intake(NULL, c->reader, put, &sink, op, &got, err);

    return rc == 0 && sink.is_wrong ? MLREG_EDIGEST : rc;
}

static void test_intake__reads_a_source_on_the_caller_s_thread(void **state)
{
    struct caller c = {.thread = pthread_self()};
    mlreg_source source;
    mlr_group *g;
    mlr_op *op;

    (void)state;
    MLREG_INIT(source);
    source.bytes = MOST_BYTES;
    source.user = &c;
    source.read_at = source_read;
    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    assert_int_equal(mlr_reader_from_source(&source, op, &c.reader, NULL), 0);
    assert_int_equal(mlr_group_new(NULL, op, 1, &g, NULL), 0);
    assert_int_equal(mlr_group_add(g, take_in_source, &c, NULL), 0);
    assert_int_equal(mlr_group_wait(g, NULL), 0);
    assert_int_equal(take_in_source(&c, op, NULL), 0);
    assert_false(c.is_elsewhere);
    mlr_group_free(g);
    mlr_reader_free(c.reader);
    mlr_op_end(op);
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_intake__every_length_arrives_whole_and_in_order),
        cmocka_unit_test(test_intake__works_in_a_runtime_without_threads),
        cmocka_unit_test(test_intake__works_with_any_number_of_threads),
        cmocka_unit_test(test_intake__works_where_one_thread_is_to_be_had),
        cmocka_unit_test(test_intake__works_where_no_thread_is_to_be_had),
        cmocka_unit_test(test_intake__works_in_a_budget_smaller_than_its_slabs),
        cmocka_unit_test(test_intake__hashes_without_a_sink),
        cmocka_unit_test(test_intake__reads_ahead_while_the_sink_is_busy),
        cmocka_unit_test(test_intake__a_small_blob_stays_on_this_thread),
        cmocka_unit_test(test_intake__a_failure_of_either_side_is_the_result),
        cmocka_unit_test(test_intake__so_it_is_without_threads),
        cmocka_unit_test(test_intake__a_failing_sink_stops_a_reader_that_hangs),
        cmocka_unit_test(test_intake__a_cancel_ends_it),
        cmocka_unit_test_setup_teardown(test_intake__a_file_that_changes_meanwhile_is_no_blob, new_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_intake__file_faults_are_errors, new_dir, remove_dir),
        cmocka_unit_test(test_intake__survives_running_out_of_memory_anywhere),
        cmocka_unit_test(test_intake__many_share_one_budget),
        cmocka_unit_test(test_intake__reads_a_source_on_the_caller_s_thread),
    };

    return cmocka_run_group_tests_name("place/intake", tests, make_noise, drop_noise);
}
