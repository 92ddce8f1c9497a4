/* api/test_stream.c - one layer's bytes: in order, at any offset, by many threads, and as a descriptor. */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api_bed.h"
#include "bed/dir.h"

enum { BYTES = 300007, READERS = 8 };

static char byte_at(uint64_t offset)
{
    return (char)(offset * 31 + (offset >> 8) * 17);
}

static bool is_right(const char *got, uint64_t offset, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (got[i] != byte_at(offset + i))
            return false;
    return true;
}

typedef struct bed { char *dir; mlreg_session *s; mlreg_artifact *a; } bed;

static bed open_bed(bool store)
{
    bed b = { bed_dir_new(), NULL, NULL };
    char *data = malloc(BYTES);

    assert_non_null(data);
    for (int i = 0; i < BYTES; i++)
        data[i] = byte_at((uint64_t)i);
    b.s = api_open(store ? bed_at(b.dir, "store") : "memory:", MLREG_OPEN_CREATE);
    api_rc(api_try_build(b.s, "a:1", data, BYTES, NULL, &b.a, &err), 0);
    free(data);
    return b;
}

static void close_bed(bed *b)
{
    mlreg_artifact_free(b->a);
    mlreg_session_free(b->s);
    bed_dir_remove(b->dir);
}

static mlreg_stream *open_range(const bed *b, uint64_t offset, uint64_t bytes)
{
    mlreg_stream_options o;
    mlreg_stream *stream = NULL;

    MLREG_INIT(o);
    o.offset = offset;
    o.bytes = bytes;
    api_rc(mlreg_stream_open(b->a, 0, &o, NULL, &stream, &err), 0);
    return stream;
}

static int refused(const bed *b, size_t layer, uint64_t offset, uint64_t bytes, mlreg_error **err)
{
    mlreg_stream_options o;
    mlreg_stream *stream = NULL;

    MLREG_INIT(o);
    o.offset = offset;
    o.bytes = bytes;
    int rc = mlreg_stream_open(b->a, layer, &o, NULL, &stream, err);
    assert_true((stream == NULL) == (rc < 0));
    mlreg_stream_free(stream);
    return rc;
}

static void read_through(const bed *b)
{
    mlreg_stream *stream = open_range(b, 0, 0);
    char buf[4096];
    uint64_t at = 0;
    int64_t n;

    assert_int_equal(mlreg_stream_bytes(stream), BYTES);
    while ((n = mlreg_stream_read(stream, buf, sizeof buf, NULL)) > 0) {
        assert_true(n == (int64_t)sizeof buf || at + (uint64_t)n == BYTES);
        assert_true(is_right(buf, at, (size_t)n));
        at += (uint64_t)n;
    }
    assert_int_equal(n, 0);
    assert_int_equal(at, BYTES);
    mlreg_stream_free(stream);
}

static void test_stream__reads_all_in_order(void **state)
{
    (void)state;
    for (int store = 0; store < 2; store++) {
        bed b = open_bed(store);

        read_through(&b);
        close_bed(&b);
    }
}

static void test_stream__a_range_is_a_stream_of_its_own(void **state)
{
    bed b = open_bed(true);
    mlreg_stream *stream = open_range(&b, 1000, 50);
    char buf[100];

    (void)state;
    assert_int_equal(mlreg_stream_bytes(stream), 50);
    api_rc(mlreg_stream_read(stream, buf, sizeof buf, &err), 50);
    assert_true(is_right(buf, 1000, 50));
    api_rc(mlreg_stream_read_at(stream, 10, buf, 5, &err), 5);
    assert_true(is_right(buf, 1010, 5));
    mlreg_stream_free(stream);
    close_bed(&b);
}

static void test_stream__ranges_past_the_end_are_refused(void **state)
{
    bed b = open_bed(true);

    (void)state;
    api_rc(refused(&b, 0, BYTES + 1, 0, &err), MLREG_EINVAL);
    api_rc(refused(&b, 0, 0, BYTES + 1, &err), MLREG_EINVAL);
    api_rc(refused(&b, 0, BYTES - 1, 2, &err), MLREG_EINVAL);
    api_rc(refused(&b, 0, 1, UINT64_MAX, &err), MLREG_EINVAL);
    api_rc(refused(&b, 0, UINT64_MAX, 1, &err), MLREG_EINVAL);
    api_rc(refused(&b, 0, BYTES - 1, 1, &err), 0);
    close_bed(&b);
}

static void test_stream__there_is_no_layer_past_the_last(void **state)
{
    bed b = open_bed(false);

    (void)state;
    api_rc(refused(&b, 1, 0, 0, &err), MLREG_EINVAL);
    api_rc(refused(&b, SIZE_MAX, 0, 0, &err), MLREG_EINVAL);
    close_bed(&b);
}

static void test_stream__seek_sets_where_the_next_read_begins(void **state)
{
    bed b = open_bed(true);
    mlreg_stream *stream = open_range(&b, 0, 0);
    char buf[16];

    (void)state;
    api_rc(mlreg_stream_seek(stream, 123456, &err), 0);
    api_rc(mlreg_stream_read(stream, buf, sizeof buf, &err), (int)sizeof buf);
    assert_true(is_right(buf, 123456, sizeof buf));
    api_rc(mlreg_stream_seek(stream, BYTES, &err), 0);
    api_rc(mlreg_stream_read(stream, buf, sizeof buf, &err), 0);
    api_rc(mlreg_stream_seek(stream, BYTES + 1, &err), MLREG_EINVAL);
    mlreg_stream_free(stream);
    close_bed(&b);
}

static void test_stream__read_at_does_not_move_the_position(void **state)
{
    bed b = open_bed(true);
    mlreg_stream *stream = open_range(&b, 0, 0);
    char buf[16];

    (void)state;
    api_rc(mlreg_stream_read_at(stream, 5000, buf, sizeof buf, &err), (int)sizeof buf);
    api_rc(mlreg_stream_read(stream, buf, sizeof buf, &err), (int)sizeof buf);
    assert_true(is_right(buf, 0, sizeof buf));
    mlreg_stream_free(stream);
    close_bed(&b);
}

typedef struct reader { mlreg_stream *stream; unsigned number; bool wrong; } reader;

static void *read_scattered(void *arg)
{
    reader *r = arg;
    char buf[777];

    for (unsigned i = 0; i < 100; i++) {
        uint64_t at = (i * 7919u + r->number * 104729u) % (BYTES - sizeof buf);

        r->wrong |= mlreg_stream_read_at(r->stream, at, buf, sizeof buf, NULL) != (int64_t)sizeof buf || !is_right(buf, at, sizeof buf);
    }
    return NULL;
}

static void test_stream__read_at_serves_many_threads(void **state)
{
    bed b = open_bed(true);
    mlreg_stream *stream = open_range(&b, 0, 0);
    pthread_t threads[READERS];
    reader readers[READERS];

    (void)state;
    for (unsigned i = 0; i < READERS; i++) {
        readers[i] = (reader){ stream, i, false };
        assert_int_equal(pthread_create(&threads[i], NULL, read_scattered, &readers[i]), 0);
    }
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < READERS; i++)
        assert_false(readers[i].wrong);
    mlreg_stream_free(stream);
    close_bed(&b);
}

static void test_stream__null_is_refused(void **state)
{
    bed b = open_bed(false);
    mlreg_stream *stream = open_range(&b, 0, 0), *none = NULL;
    char c;
    int fd = -1;

    (void)state;
    api_rc(mlreg_stream_open(NULL, 0, NULL, NULL, &none, &err), MLREG_EINVAL);
    api_rc(mlreg_stream_open(b.a, 0, NULL, NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_stream_read(NULL, &c, 1, &err), MLREG_EINVAL);
    api_rc(mlreg_stream_read(stream, NULL, 1, &err), MLREG_EINVAL);
    api_rc(mlreg_stream_read_at(NULL, 0, &c, 1, &err), MLREG_EINVAL);
    api_rc(mlreg_stream_read_at(stream, 0, NULL, 1, &err), MLREG_EINVAL);
    api_rc(mlreg_stream_seek(NULL, 0, &err), MLREG_EINVAL);
    assert_int_equal(mlreg_stream_bytes(NULL), 0);
    api_rc(mlreg_artifact_open_fd(NULL, 0, &fd, &err), MLREG_EINVAL);
    api_rc(mlreg_artifact_open_fd(b.a, 0, NULL, &err), MLREG_EINVAL);
    mlreg_stream_free(stream);
    close_bed(&b);
}

/* ---- descriptors ---- */

static void test_artifact__a_layer_in_a_store_can_be_mapped(void **state)
{
    bed b = open_bed(true);
    int fd = -1;

    (void)state;
    api_rc(mlreg_artifact_open_fd(b.a, 0, &fd, &err), 0);
    char *map = mmap(NULL, BYTES, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_true(map != MAP_FAILED);
    assert_true(is_right(map, 0, BYTES));
    munmap(map, BYTES);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    close(fd);
    close_bed(&b);
}

static void test_artifact__a_layer_in_memory_has_no_descriptor(void **state)
{
    bed b = open_bed(false);
    int fd = -1;

    (void)state;
    api_rc(mlreg_artifact_open_fd(b.a, 0, &fd, &err), MLREG_ENOTSUP);
    assert_int_equal(fd, -1);
    close_bed(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream__reads_all_in_order),
        cmocka_unit_test(test_stream__a_range_is_a_stream_of_its_own),
        cmocka_unit_test(test_stream__ranges_past_the_end_are_refused),
        cmocka_unit_test(test_stream__there_is_no_layer_past_the_last),
        cmocka_unit_test(test_stream__seek_sets_where_the_next_read_begins),
        cmocka_unit_test(test_stream__read_at_does_not_move_the_position),
        cmocka_unit_test(test_stream__read_at_serves_many_threads),
        cmocka_unit_test(test_stream__null_is_refused),
        cmocka_unit_test(test_artifact__a_layer_in_a_store_can_be_mapped),
        cmocka_unit_test(test_artifact__a_layer_in_memory_has_no_descriptor),
    };
    return cmocka_run_group_tests_name("api/stream", tests, NULL, NULL);
}
