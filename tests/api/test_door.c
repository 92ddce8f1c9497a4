/* api/test_door.c - options and reports of every age, and the flags they carry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api_bed.h"
#include "api/door.h"

/* What a later release might have: two fields more. */
typedef struct newer { mlreg_gc_options now; uint64_t more, last; } newer;

static int take(const void *theirs, mlreg_gc_options *ours, mlreg_error **err)
{
    return mlr_door_options(ours, sizeof *ours, sizeof *ours, MLREG_GC_DRY_RUN, theirs, "mlreg_gc_options", err);
}

static int take_sized(uint32_t size, unsigned char last, mlreg_error **err)
{
    static unsigned char room[5000];
    mlreg_gc_options ours;

    memset(room, 0, sizeof room);
    memcpy(room, &size, sizeof size);
    if (size > 0 && size <= sizeof room && last != 0)
        room[size - 1] = last;
    return take(room, &ours, err);
}

static void test_door__null_options_are_all_defaults(void **state)
{
    mlreg_gc_options ours;

    (void)state;
    memset(&ours, 0xff, sizeof ours);
    api_rc(take(NULL, &ours, &err), 0);
    assert_int_equal(ours.flags, 0);
    assert_int_equal(ours.grace_ms, 0);
}

static void test_door__every_size_below_the_first_is_refused(void **state)
{
    (void)state;
    for (uint32_t size = 0; size < sizeof(mlreg_gc_options); size++)
        api_rc(take_sized(size, 0, &err), MLREG_EINVAL);
}

static void test_door__every_size_up_to_4096_is_taken_when_the_rest_is_zero(void **state)
{
    (void)state;
    for (uint32_t size = sizeof(mlreg_gc_options); size <= 4096; size++)
        api_rc(take_sized(size, 0, &err), 0);
}

static void test_door__a_size_above_4096_is_refused(void **state)
{
    (void)state;
    api_rc(take_sized(4097, 0, &err), MLREG_EINVAL);
    api_rc(take_sized(UINT32_MAX, 0, &err), MLREG_EINVAL);
}

static void test_door__a_trailing_byte_that_is_not_zero_is_from_a_newer_header(void **state)
{
    (void)state;
    for (uint32_t size = sizeof(mlreg_gc_options) + 1; size <= 4096; size++)
        api_rc(take_sized(size, 1, &err), MLREG_ESTRUCT);
}

static void test_door__what_a_newer_struct_shares_with_ours_is_kept(void **state)
{
    mlreg_gc_options ours;
    newer theirs;

    (void)state;
    MLREG_INIT(theirs.now);
    theirs.now.size = sizeof theirs;
    theirs.now.flags = MLREG_GC_DRY_RUN;
    theirs.now.grace_ms = MLREG_NONE;
    theirs.more = theirs.last = 0;
    api_rc(take(&theirs, &ours, &err), 0);
    assert_int_equal(ours.flags, MLREG_GC_DRY_RUN);
    assert_true(ours.grace_ms == MLREG_NONE);
}

static void test_door__what_an_older_struct_lacks_is_defaulted(void **state)
{
    struct { uint32_t size, flags; } theirs = { sizeof theirs, MLREG_GC_DRY_RUN };
    mlreg_gc_options ours;

    (void)state;
    memset(&ours, 0xff, sizeof ours);
    api_rc(mlr_door_options(&ours, sizeof ours, sizeof theirs, MLREG_GC_DRY_RUN, &theirs, "mlreg_gc_options", &err), 0);
    assert_int_equal(ours.flags, MLREG_GC_DRY_RUN);
    assert_int_equal(ours.grace_ms, 0);
}

static void test_door__unknown_flags_are_refused(void **state)
{
    mlreg_gc_options ours, theirs;

    (void)state;
    for (int bit = 1; bit < 32; bit++) {
        MLREG_INIT(theirs);
        theirs.flags = 1u << bit;
        api_rc(take(&theirs, &ours, &err), MLREG_EINVAL);
    }
}

static void test_door__a_wrong_size_comes_with_a_hint(void **state)
{
    mlreg_error *err = NULL;

    (void)state;
    assert_int_equal(take_sized(4, 0, &err), MLREG_EINVAL);
    assert_non_null(strstr(mlreg_error_message(err), "mlreg_gc_options"));
    assert_non_null(strstr(mlreg_error_hint(err), "MLREG_INIT"));
    mlreg_error_free(err);
}

static void test_door__reserved_fields_must_be_zero(void **state)
{
    mlreg_session_options o;
    mlreg_session *s = NULL;

    (void)state;
    MLREG_INIT(o);
    o.reserved = 1;
    api_rc(mlreg_session_open("memory:", &o, &s, &err), MLREG_ESTRUCT);
    assert_null(s);
}

/* ---- reports ---- */

static void test_door__a_report_is_filled_up_to_the_callers_size(void **state)
{
    struct { uint32_t size, a, b, behind; } theirs = { 12, 0, 0, 77 };
    const uint32_t ours[4] = { 0, 1, 2, 3 };

    (void)state;
    mlr_door_fill(&theirs, ours, sizeof ours);
    assert_int_equal(theirs.size, 12);
    assert_int_equal(theirs.a, 1);
    assert_int_equal(theirs.b, 2);
    assert_int_equal(theirs.behind, 77);
}

static void test_door__of_a_newer_report_only_what_we_know_is_written(void **state)
{
    struct { mlreg_stats now; uint64_t more; } theirs;
    mlreg_op *op = NULL;

    (void)state;
    memset(&theirs, 0xee, sizeof theirs);
    theirs.now.size = sizeof theirs;
    theirs.more = 0;
    api_rc(mlreg_op_new(&op, &err), 0);
    api_rc(mlreg_op_stats(op, &theirs.now, &err), 0);
    assert_int_equal(theirs.now.size, sizeof theirs);
    assert_int_equal(theirs.now.requests, 0);
    assert_true(theirs.more == 0);
    mlreg_op_free(op);
}

static void test_door__a_report_of_the_first_release_is_filled_to_its_end(void **state)
{
    mlreg_stats stats;
    mlreg_op *op = NULL;

    (void)state;
    memset(&stats, 0xee, sizeof stats);
    stats.size = offsetof(mlreg_stats, wait_ms);
    api_rc(mlreg_op_new(&op, &err), 0);
    api_rc(mlreg_op_stats(op, &stats, &err), 0);
    assert_int_equal(stats.elapsed_ms, 0);
    assert_true(stats.wait_ms == UINT64_C(0xeeeeeeeeeeeeeeee));
    mlreg_op_free(op);
}

/* Whoever sets what we do not know would take it for our answer. */
static void test_door__a_report_that_asks_for_what_we_do_not_know_is_refused(void **state)
{
    struct { mlreg_stats now; uint64_t more; } theirs;
    mlreg_op *op = NULL;

    (void)state;
    memset(&theirs, 0, sizeof theirs);
    theirs.now.size = sizeof theirs;
    theirs.more = 1;
    api_rc(mlreg_op_new(&op, &err), 0);
    api_rc(mlreg_op_stats(op, &theirs.now, &err), MLREG_ESTRUCT);
    assert_true(theirs.more == 1);
    mlreg_op_free(op);
}

static void test_door__a_report_of_impossible_size_is_refused(void **state)
{
    mlreg_stats stats;
    mlreg_op *op = NULL;

    (void)state;
    MLREG_INIT(stats);
    api_rc(mlreg_op_new(&op, &err), 0);
    stats.size = offsetof(mlreg_stats, wait_ms) - 1;
    api_rc(mlreg_op_stats(op, &stats, &err), MLREG_EINVAL);
    stats.size = 4097;
    api_rc(mlreg_op_stats(op, &stats, &err), MLREG_EINVAL);
    mlreg_op_free(op);
}

/* ---- every struct of the header, through the call that takes it ---- */

static int by_runtime(uint32_t size, uint32_t flags, mlreg_error **err)
{
    mlreg_runtime_options o[2];
    mlreg_runtime *r = NULL;

    memset(o, 0, sizeof o);
    o[0].size = size;
    o[0].flags = flags;
    int rc = mlreg_runtime_new(o, &r, err);
    mlreg_runtime_free(r);
    return rc;
}

static int by_session(uint32_t size, uint32_t flags, mlreg_error **err)
{
    mlreg_session_options o[2];
    mlreg_session *s = NULL;

    memset(o, 0, sizeof o);
    o[0].size = size;
    o[0].flags = flags;
    int rc = mlreg_session_open("memory:", o, &s, err);
    mlreg_session_free(s);
    return rc;
}

static int by_commit(uint32_t size, uint32_t flags, mlreg_error **err)
{
    api_bytes bytes = { .data = "x", .len = 1 };
    mlreg_session *s = api_open("memory:", 0);
    mlreg_builder *b = api_builder(s);
    mlreg_commit_options o[2];

    memset(o, 0, sizeof o);
    o[0].size = size;
    o[0].flags = flags;
    int rc = api_add(b, "x", &bytes, err);
    if (rc == 0)
        rc = mlreg_builder_commit(b, "a:1", o, NULL, NULL, err);
    mlreg_builder_free(b);
    mlreg_session_free(s);
    return rc;
}

static int by_stream(uint32_t size, uint32_t flags, mlreg_error **err)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_artifact *a = api_build(s, "a:1", "text");
    mlreg_stream_options o[2];
    mlreg_stream *stream = NULL;

    memset(o, 0, sizeof o);
    o[0].size = size;
    o[0].flags = flags;
    int rc = mlreg_stream_open(a, 0, o, NULL, &stream, err);
    mlreg_stream_free(stream);
    mlreg_artifact_free(a);
    mlreg_session_free(s);
    return rc;
}

static int by_resolve(uint32_t size, uint32_t flags, mlreg_error **err)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_resolve_options o[2];
    mlreg_artifact *a = api_build(s, "a:1", "text"), *found = NULL;

    memset(o, 0, sizeof o);
    o[0].size = size;
    o[0].flags = flags;
    int rc = mlreg_session_resolve(s, "a:1", o, NULL, &found, err);
    mlreg_artifact_free(found);
    mlreg_artifact_free(a);
    mlreg_session_free(s);
    return rc;
}

static int by_copy(uint32_t size, uint32_t flags, mlreg_error **err)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_artifact *a = api_build(s, "a:1", "text");
    mlreg_copy_options o[2];

    memset(o, 0, sizeof o);
    o[0].size = size;
    o[0].flags = flags;
    int rc = mlreg_copy(s, "a:1", s, "a:2", o, NULL, NULL, err);
    mlreg_artifact_free(a);
    mlreg_session_free(s);
    return rc;
}

typedef struct taker { const char *name; uint32_t bytes, first; /* of the first release */ int (*call)(uint32_t size, uint32_t flags, mlreg_error **err); } taker;
static const taker takers[] = {
    { "mlreg_runtime_options", sizeof(mlreg_runtime_options), sizeof(mlreg_runtime_options), by_runtime },
    { "mlreg_session_options", sizeof(mlreg_session_options), sizeof(mlreg_session_options), by_session },
    { "mlreg_resolve_options", sizeof(mlreg_resolve_options), offsetof(mlreg_resolve_options, platform), by_resolve },
    { "mlreg_copy_options", sizeof(mlreg_copy_options), offsetof(mlreg_copy_options, variant), by_copy },
    { "mlreg_stream_options", sizeof(mlreg_stream_options), sizeof(mlreg_stream_options), by_stream },
    { "mlreg_commit_options", sizeof(mlreg_commit_options), sizeof(mlreg_commit_options), by_commit },
};
enum { TAKERS = sizeof takers / sizeof takers[0] };

static void test_door__each_call_takes_its_struct_and_a_larger_one(void **state)
{
    (void)state;
    for (int i = 0; i < TAKERS; i++) {
        api_rc(takers[i].call(takers[i].first, 0, &err), 0);
        api_rc(takers[i].call(takers[i].bytes, 0, &err), 0);
        api_rc(takers[i].call(takers[i].bytes + 4, 0, &err), 0);
    }
}

static void test_door__each_call_refuses_a_struct_without_its_size(void **state)
{
    (void)state;
    for (int i = 0; i < TAKERS; i++) {
        api_rc(takers[i].call(0, 0, &err), MLREG_EINVAL);
        api_rc(takers[i].call(takers[i].first - 1, 0, &err), MLREG_EINVAL);
        api_rc(takers[i].call(5000, 0, &err), MLREG_EINVAL);
    }
}

static void test_door__each_call_refuses_unknown_flags_by_the_structs_name(void **state)
{
    (void)state;
    for (int i = 0; i < TAKERS; i++) {
        mlreg_error *err = NULL;

        assert_int_equal(takers[i].call(takers[i].bytes, 1u << 31, &err), MLREG_EINVAL);
        assert_non_null(strstr(mlreg_error_message(err), takers[i].name));
        mlreg_error_free(err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_door__null_options_are_all_defaults),
        cmocka_unit_test(test_door__every_size_below_the_first_is_refused),
        cmocka_unit_test(test_door__every_size_up_to_4096_is_taken_when_the_rest_is_zero),
        cmocka_unit_test(test_door__a_size_above_4096_is_refused),
        cmocka_unit_test(test_door__a_trailing_byte_that_is_not_zero_is_from_a_newer_header),
        cmocka_unit_test(test_door__what_a_newer_struct_shares_with_ours_is_kept),
        cmocka_unit_test(test_door__what_an_older_struct_lacks_is_defaulted),
        cmocka_unit_test(test_door__unknown_flags_are_refused),
        cmocka_unit_test(test_door__a_wrong_size_comes_with_a_hint),
        cmocka_unit_test(test_door__reserved_fields_must_be_zero),
        cmocka_unit_test(test_door__a_report_is_filled_up_to_the_callers_size),
        cmocka_unit_test(test_door__of_a_newer_report_only_what_we_know_is_written),
        cmocka_unit_test(test_door__a_report_of_the_first_release_is_filled_to_its_end),
        cmocka_unit_test(test_door__a_report_that_asks_for_what_we_do_not_know_is_refused),
        cmocka_unit_test(test_door__a_report_of_impossible_size_is_refused),
        cmocka_unit_test(test_door__each_call_takes_its_struct_and_a_larger_one),
        cmocka_unit_test(test_door__each_call_refuses_a_struct_without_its_size),
        cmocka_unit_test(test_door__each_call_refuses_unknown_flags_by_the_structs_name),
    };
    return cmocka_run_group_tests_name("api/door", tests, NULL, NULL);
}
