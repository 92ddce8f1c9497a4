/* api/test_memory_out.c - every allocation of a session's life fails once: each time a clean error, and nothing leaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api_bed.h"
#include "bed/dir.h"
#include "bed/failing_alloc.h"

/* Opens, builds, copies, checks out and streams, on the caller's thread alone. The first failure. */
static int live(const char *location, const char *dir, mlreg_error **err)
{
    mlreg_runtime_options limits;
    mlreg_session_options o;
    mlreg_session *s = NULL;
    mlreg_artifact *a = NULL, *copied = NULL;
    mlreg_stream *stream = NULL;
    char bytes[8];
    int rc;

    MLREG_INIT(limits);
    MLREG_INIT(o);
    limits.max_threads = (uint32_t)MLREG_NONE;
    o.flags = MLREG_OPEN_CREATE;
    rc = mlreg_runtime_new(&limits, &o.runtime, err);
    if (rc == 0)
        rc = mlreg_session_open(location, &o, &s, err);
    if (rc == 0)
        rc = api_try_build(s, "a:1", "weights", 7, NULL, &a, err);
    if (rc == 0)
        rc = mlreg_copy(s, "a:1", s, "b:1", NULL, NULL, &copied, err);
    if (rc == 0)
        rc = mlreg_checkout(a, dir, NULL, NULL, err);
    if (rc == 0 && (rc = mlreg_stream_open(copied, 0, NULL, NULL, &stream, err)) == 0)
        rc = mlreg_stream_read(stream, bytes, sizeof bytes, err) < 0 ? mlreg_error_code(*err) : 0;
    mlreg_stream_free(stream);
    mlreg_artifact_free(copied);
    mlreg_artifact_free(a);
    mlreg_session_free(s);
    mlreg_runtime_free(o.runtime);
    return rc;
}

/* Some allocations may be done without (a hint's, a cache's): then the call succeeds. */
static void each_fails(bool store)
{
    failing_alloc f = { .fired = true };

    for (int n = 1; f.fired; n++) {
        char *dir = bed_dir_new();
        mlreg_error *err = NULL;

        failing_alloc_arm(&f, n, false);
        int rc = live(store ? bed_at(dir, "store") : "memory:", bed_at(dir, "out"), &err);
        failing_alloc_disarm(&f);
        if (rc != 0 && rc != MLREG_ENOMEM)
            fail_msg("allocation %d failed, and gave %d: %s", n, rc, mlreg_error_message(err));
        assert_int_equal(mlreg_error_code(err), rc);
        mlreg_error_free(err);
        bed_dir_remove(dir);
        assert_true(n < 100000);
    }
}

static void test_session__survives_every_allocation_failing_in_memory(void **state)
{
    (void)state;
    each_fails(false);
}

static void test_session__survives_every_allocation_failing_in_a_store(void **state)
{
    (void)state;
    each_fails(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session__survives_every_allocation_failing_in_memory),
        cmocka_unit_test(test_session__survives_every_allocation_failing_in_a_store),
    };
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
    return cmocka_run_group_tests_name("api/memory_out", tests, NULL, NULL);
}
