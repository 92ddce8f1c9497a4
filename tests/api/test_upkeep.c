/* api/test_upkeep.c - collecting and checking a store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api_bed.h"
#include "bed/dir.h"

static int collect(mlreg_session *s, uint32_t flags, mlreg_gc_report *report, mlreg_error **err)
{
    mlreg_gc_options o;

    MLREG_INIT(o);
    o.flags = flags;
    o.grace_ms = MLREG_NONE;
    return mlreg_session_gc(s, &o, NULL, report, err);
}

static mlreg_session *with_garbage(const char *dir)
{
    mlreg_session *s = api_open(bed_at(dir, "store"), MLREG_OPEN_CREATE);
    mlreg_artifact *a = api_build(s, "a:1", "some weights");
    char ref[100];

    snprintf(ref, sizeof ref, "a@%s", api_digest(a));
    mlreg_artifact_free(a);
    api_rc(mlreg_session_delete(s, ref, NULL, &err), 0);
    return s;
}

static void test_gc__a_dry_run_counts_and_removes_nothing(void **state)
{
    char *dir = bed_dir_new();
    mlreg_session *s = with_garbage(dir);
    mlreg_gc_report one, two;

    (void)state;
    MLREG_INIT(one);
    MLREG_INIT(two);
    api_rc(collect(s, MLREG_GC_DRY_RUN, &one, &err), 0);
    api_rc(collect(s, MLREG_GC_DRY_RUN, &two, &err), 0);
    assert_true(one.blobs > 0 && one.bytes >= 12);
    assert_int_equal(one.blobs, two.blobs);
    mlreg_session_free(s);
    bed_dir_remove(dir);
}

static void test_gc__removes_what_the_dry_run_counted(void **state)
{
    char *dir = bed_dir_new();
    mlreg_session *s = with_garbage(dir);
    mlreg_gc_report dry, real, after;

    (void)state;
    MLREG_INIT(dry);
    MLREG_INIT(real);
    MLREG_INIT(after);
    api_rc(collect(s, MLREG_GC_DRY_RUN, &dry, &err), 0);
    api_rc(collect(s, 0, &real, &err), 0);
    api_rc(collect(s, 0, &after, &err), 0);
    assert_int_equal(real.blobs, dry.blobs);
    assert_int_equal(real.bytes, dry.bytes);
    assert_int_equal(after.blobs, 0);
    mlreg_session_free(s);
    bed_dir_remove(dir);
}

static void test_gc__what_is_named_stays(void **state)
{
    char *dir = bed_dir_new();
    mlreg_session *s = api_open(bed_at(dir, "store"), MLREG_OPEN_CREATE);
    mlreg_artifact *a = api_build(s, "a:1", "some weights");
    mlreg_gc_report report;

    (void)state;
    MLREG_INIT(report);
    api_rc(collect(s, 0, &report, &err), 0);
    assert_int_equal(report.blobs, 0);
    api_rc(mlreg_checkout(a, bed_at(dir, "out"), NULL, NULL, &err), 0);
    mlreg_artifact_free(a);
    mlreg_session_free(s);
    bed_dir_remove(dir);
}

static void test_gc__nobody_needs_the_report(void **state)
{
    char *dir = bed_dir_new();
    mlreg_session *s = with_garbage(dir);

    (void)state;
    api_rc(collect(s, 0, NULL, &err), 0);
    api_rc(mlreg_session_gc(NULL, NULL, NULL, NULL, &err), MLREG_EINVAL);
    mlreg_session_free(s);
    bed_dir_remove(dir);
}

static void test_fsck__a_sound_store_has_no_problems(void **state)
{
    char *dir = bed_dir_new();
    mlreg_session *s = api_open(bed_at(dir, "store"), MLREG_OPEN_CREATE);
    mlreg_list *problems = NULL;

    (void)state;
    mlreg_artifact_free(api_build(s, "a:1", "some weights"));
    api_rc(mlreg_session_fsck(s, 0, NULL, &problems, &err), 0);
    assert_int_equal(mlreg_list_count(problems), 0);
    mlreg_list_free(problems);
    mlreg_session_free(s);
    bed_dir_remove(dir);
}

static void test_fsck__null_and_unknown_flags_are_refused(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_list *problems = NULL;

    (void)state;
    api_rc(mlreg_session_fsck(NULL, 0, NULL, &problems, &err), MLREG_EINVAL);
    api_rc(mlreg_session_fsck(s, 0, NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_session_fsck(s, 2, NULL, &problems, &err), MLREG_EINVAL);
    assert_null(problems);
    mlreg_session_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gc__a_dry_run_counts_and_removes_nothing),
        cmocka_unit_test(test_gc__removes_what_the_dry_run_counted),
        cmocka_unit_test(test_gc__what_is_named_stays),
        cmocka_unit_test(test_gc__nobody_needs_the_report),
        cmocka_unit_test(test_fsck__a_sound_store_has_no_problems),
        cmocka_unit_test(test_fsck__null_and_unknown_flags_are_refused),
    };
    return cmocka_run_group_tests_name("api/upkeep", tests, NULL, NULL);
}
