/* api/test_op.c - the remote control of calls that take long: progress, cancelling, counts. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api_bed.h"
#include "base/clock.h"
#include "bed/dir.h"

enum { BIG = 256 << 10 };

/* A source so slow that a call is caught in the middle: 64 KiB in 20 ms, 16 MiB in all. */
typedef struct slow { int reads; pthread_t caller; bool strayed; } slow;

static int64_t slow_read(void *user, uint64_t offset, void *buf, size_t len)
{
    slow *s = user;
    size_t n = len < (64 << 10) ? len : 64 << 10;
    struct timespec pause = { 0, 20000000 };

    s->reads++;
    s->strayed |= !pthread_equal(pthread_self(), s->caller);
    nanosleep(&pause, NULL);
    if (offset >= 16 << 20)
        return 0;
    memset(buf, (int)(offset >> 16), n);
    return (int64_t)n;
}

static int slow_commit(mlreg_session *s, slow *user, mlreg_op *op, mlreg_error **err)
{
    mlreg_layer_options o;
    mlreg_source source;
    mlreg_builder *b = api_builder(s);
    int rc;

    MLREG_INIT(o);
    MLREG_INIT(source);
    o.title = "slow.bin";
    source.bytes = 16 << 20;
    source.user = user;
    source.read_at = slow_read;
    user->caller = pthread_self();
    rc = mlreg_builder_add_source(b, &o, &source, NULL, err);
    if (rc == 0)
        rc = mlreg_builder_commit(b, "slow:1", NULL, op, NULL, err);
    mlreg_builder_free(b);
    return rc;
}

typedef struct watch { pthread_t caller; int calls; bool strayed; int answer; uint64_t bytes_done; } watch;

static int progress(mlreg_op *op, void *user)
{
    watch *w = user;
    mlreg_stats stats;

    MLREG_INIT(stats);
    w->calls++;
    w->strayed |= !pthread_equal(pthread_self(), w->caller);
    if (mlreg_op_stats(op, &stats, NULL) == 0)
        w->bytes_done = stats.bytes_done;
    return w->answer;
}

static mlreg_op *new_op(void)
{
    mlreg_op *op = NULL;

    api_rc(mlreg_op_new(&op, &err), 0);
    return op;
}

static void test_op__null_is_refused_or_nothing(void **state)
{
    mlreg_stats stats;

    (void)state;
    MLREG_INIT(stats);
    api_rc(mlreg_op_new(NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_op_stats(NULL, &stats, &err), MLREG_EINVAL);
    mlreg_op_on_progress(NULL, progress, NULL, 1);
    mlreg_op_cancel(NULL);
    mlreg_op_free(NULL);
}

static void test_op__stats_need_somewhere_to_go(void **state)
{
    mlreg_op *op = new_op();

    (void)state;
    api_rc(mlreg_op_stats(op, NULL, &err), MLREG_EINVAL);
    mlreg_op_free(op);
}

static void test_op__progress_is_called_on_the_calling_thread(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_op *op = new_op();
    watch w = { .caller = pthread_self() };
    mlreg_artifact *a = NULL;
    char *data = calloc(1, BIG);

    (void)state;
    mlreg_op_on_progress(op, progress, &w, 1);
    api_rc(api_try_build(s, "a:1", data, BIG, op, &a, &err), 0);
    assert_true(w.calls > 0);
    assert_false(w.strayed);
    assert_true(w.bytes_done >= BIG);
    mlreg_artifact_free(a);
    mlreg_op_free(op);
    mlreg_session_free(s);
    free(data);
}

static void test_op__progress_can_be_asked_for_no_longer(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_op *op = new_op();
    watch w = { .caller = pthread_self() };

    (void)state;
    mlreg_op_on_progress(op, progress, &w, 1);
    mlreg_op_on_progress(op, NULL, NULL, 0);
    api_rc(api_try_build(s, "a:1", "x", 1, op, NULL, &err), 0);
    assert_int_equal(w.calls, 0);
    mlreg_op_free(op);
    mlreg_session_free(s);
}

static void test_op__progress_that_answers_nonzero_cancels(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_op *op = new_op();
    watch w = { .caller = pthread_self(), .answer = 1 };
    slow source = { 0 };

    (void)state;
    mlreg_op_on_progress(op, progress, &w, 1);
    uint64_t begin = mlr_clock_ms();
    api_rc(slow_commit(s, &source, op, &err), MLREG_ECANCELLED);
    assert_true(mlr_clock_ms() - begin < 2000);
    assert_int_equal(w.calls, 1);
    mlreg_op_free(op);
    mlreg_session_free(s);
}

static void *cancel_soon(void *arg)
{
    struct timespec pause = { 0, 200000000 };

    nanosleep(&pause, NULL);
    mlreg_op_cancel(arg);
    return NULL;
}

static void test_op__another_thread_cancels_within_a_second(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_op *op = new_op();
    slow source = { 0 };
    pthread_t other;

    (void)state;
    assert_int_equal(pthread_create(&other, NULL, cancel_soon, op), 0);
    uint64_t begin = mlr_clock_ms();
    api_rc(slow_commit(s, &source, op, &err), MLREG_ECANCELLED);
    assert_true(mlr_clock_ms() - begin < 200 + 2000); /* a second, and one for a busy machine */
    assert_false(source.strayed);
    pthread_join(other, NULL);
    mlreg_op_free(op);
    mlreg_session_free(s);
}

static void test_op__a_cancelled_build_leaves_nothing_to_find(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_op *op = new_op();
    mlreg_artifact *a = NULL;
    slow source = { 0 };
    pthread_t other;

    (void)state;
    assert_int_equal(pthread_create(&other, NULL, cancel_soon, op), 0);
    api_rc(slow_commit(s, &source, op, &err), MLREG_ECANCELLED);
    pthread_join(other, NULL);
    api_rc(mlreg_session_resolve(s, "slow:1", NULL, NULL, &a, &err), MLREG_ENOTFOUND);
    mlreg_op_free(op);
    mlreg_session_free(s);
}

static void test_op__cancelling_is_for_good(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_op *op = new_op();

    (void)state;
    mlreg_op_cancel(op);
    for (int i = 0; i < 2; i++)
        api_rc(api_try_build(s, "a:1", "x", 1, op, NULL, &err), MLREG_ECANCELLED);
    mlreg_op_free(op);
    mlreg_session_free(s);
}

static void test_op__every_call_that_takes_one_heeds_it(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_artifact *a = api_build(s, "a:1", "x"), *other = NULL;
    mlreg_stream *stream = NULL;
    mlreg_list *tags = NULL;
    mlreg_op *op = new_op();
    char *dir = bed_dir_new();

    (void)state;
    mlreg_op_cancel(op);
    api_rc(mlreg_copy(s, "a:1", s, "a:2", NULL, op, &other, &err), MLREG_ECANCELLED);
    api_rc(mlreg_checkout(a, bed_at(dir, "out"), NULL, op, &err), MLREG_ECANCELLED);
    api_rc(mlreg_stream_open(a, 0, NULL, op, &stream, &err), MLREG_ECANCELLED);
    api_rc(mlreg_session_resolve(s, "a:1", NULL, op, &other, &err), MLREG_ECANCELLED);
    api_rc(mlreg_session_tags(s, "a", op, &tags, &err), MLREG_ECANCELLED);
    api_rc(mlreg_session_delete(s, "a:1", op, &err), MLREG_ECANCELLED);
    api_rc(mlreg_session_gc(s, NULL, op, NULL, &err), MLREG_ECANCELLED);
    assert_null(other);
    assert_null(stream);
    assert_null(tags);
    bed_dir_remove(dir);
    mlreg_artifact_free(a);
    mlreg_op_free(op);
    mlreg_session_free(s);
}

static void test_op__counts_add_up_over_calls(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_op *op = new_op();
    mlreg_stats one, two;

    (void)state;
    MLREG_INIT(one);
    MLREG_INIT(two);
    api_rc(api_try_build(s, "a:1", "first", 5, op, NULL, &err), 0);
    api_rc(mlreg_op_stats(op, &one, &err), 0);
    api_rc(api_try_build(s, "a:2", "second!", 7, op, NULL, &err), 0);
    api_rc(mlreg_op_stats(op, &two, &err), 0);
    assert_true(one.bytes_done >= 5);
    assert_true(two.bytes_done >= one.bytes_done + 7);
    assert_true(two.blobs_done > one.blobs_done);
    assert_int_equal(two.blobs_done, two.blobs_total);
    assert_int_equal(two.bytes_done, two.bytes_total);
    mlreg_op_free(op);
    mlreg_session_free(s);
}

static void test_op__tells_of_each_blob_that_is_done(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_op *op = new_op();
    mlreg_blob_stats b;
    mlreg_stats all;
    uint32_t n = 0;

    (void)state;
    MLREG_INIT(b);
    MLREG_INIT(all);
    api_rc(mlreg_op_blob_at(op, 0, &b, &err), MLREG_ENOTFOUND);
    api_rc(api_try_build(s, "a:1", "weights", 7, op, NULL, &err), 0);
    api_rc(mlreg_op_stats(op, &all, &err), 0);
    for (; mlreg_op_blob_at(op, n, &b, NULL) == 0; n++) {
        assert_true(b.name[0] != '\0' && b.bytes > 0);
        assert_true(b.began_ms + b.elapsed_ms <= all.elapsed_ms);
    }
    assert_int_equal(n, all.blobs_done);
    b.size--;
    api_rc(mlreg_op_blob_at(op, 0, &b, &err), MLREG_EINVAL);
    api_rc(mlreg_op_blob_at(NULL, 0, &b, &err), MLREG_EINVAL);
    api_rc(mlreg_op_blob_at(op, 0, NULL, &err), MLREG_EINVAL);
    mlreg_op_free(op);
    mlreg_session_free(s);
}

static void test_op__what_is_there_already_counts_as_reused(void **state)
{
    mlreg_session *from = api_open("memory:", 0), *to = api_open("memory:", 0);
    mlreg_op *op = new_op();
    mlreg_stats stats;

    (void)state;
    MLREG_INIT(stats);
    mlreg_artifact_free(api_build(from, "a:1", "weights of some kind"));
    api_rc(mlreg_copy(from, "a:1", to, NULL, NULL, NULL, NULL, &err), 0);
    api_rc(mlreg_copy(from, "a:1", to, "a:2", NULL, op, NULL, &err), 0);
    api_rc(mlreg_op_stats(op, &stats, &err), 0);
    assert_true(stats.bytes_reused >= 20);
    assert_int_equal(stats.bytes_network, 0);
    mlreg_op_free(op);
    mlreg_session_free(from);
    mlreg_session_free(to);
}

static void test_op__a_stream_keeps_its_op_alive(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_artifact *a = api_build(s, "a:1", "x");
    mlreg_stream *stream = NULL;
    mlreg_op *op = new_op();
    char c = 0;

    (void)state;
    api_rc(mlreg_stream_open(a, 0, NULL, op, &stream, &err), 0);
    mlreg_op_cancel(op);
    mlreg_op_free(op);
    api_rc(mlreg_stream_read(stream, &c, 1, &err), MLREG_ECANCELLED);
    mlreg_stream_free(stream);
    mlreg_artifact_free(a);
    mlreg_session_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_op__null_is_refused_or_nothing),
        cmocka_unit_test(test_op__stats_need_somewhere_to_go),
        cmocka_unit_test(test_op__progress_is_called_on_the_calling_thread),
        cmocka_unit_test(test_op__progress_can_be_asked_for_no_longer),
        cmocka_unit_test(test_op__progress_that_answers_nonzero_cancels),
        cmocka_unit_test(test_op__another_thread_cancels_within_a_second),
        cmocka_unit_test(test_op__a_cancelled_build_leaves_nothing_to_find),
        cmocka_unit_test(test_op__cancelling_is_for_good),
        cmocka_unit_test(test_op__every_call_that_takes_one_heeds_it),
        cmocka_unit_test(test_op__counts_add_up_over_calls),
        cmocka_unit_test(test_op__tells_of_each_blob_that_is_done),
        cmocka_unit_test(test_op__what_is_there_already_counts_as_reused),
        cmocka_unit_test(test_op__a_stream_keeps_its_op_alive),
    };
    return cmocka_run_group_tests_name("api/op", tests, NULL, NULL);
}
