/* api/test_transfer.c - the options of copy and checkout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api_bed.h"
#include "bed/dir.h"

static int copy(mlreg_session *s, const char *ref, const char *as, uint32_t flags, const char *expect, mlreg_error **err)
{
    mlreg_copy_options o;

    MLREG_INIT(o);
    o.flags = flags;
    o.expect_digest = expect;
    return mlreg_copy(s, ref, s, as, &o, NULL, NULL, err);
}

static void test_copy__null_is_refused(void **state)
{
    mlreg_session *s = api_open("memory:", 0);

    (void)state;
    api_rc(mlreg_copy(NULL, "a:1", s, NULL, NULL, NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_copy(s, NULL, s, NULL, NULL, NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_copy(s, "a:1", NULL, NULL, NULL, NULL, NULL, &err), MLREG_EINVAL);
    mlreg_session_free(s);
}

static void test_copy__a_taken_tag_moves_only_when_told(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_artifact *one = api_build(s, "a:1", "one"), *two = api_build(s, "a:2", "two");

    (void)state;
    api_rc(copy(s, "a:1", "a:2", 0, NULL, &err), MLREG_EEXISTS);
    api_rc(copy(s, "a:1", "a:2", MLREG_COPY_MOVE_TAG, NULL, &err), 0);
    api_rc(copy(s, "a:1", "a:2", 0, NULL, &err), 0);
    mlreg_artifact_free(one);
    mlreg_artifact_free(two);
    mlreg_session_free(s);
}

static void test_copy__a_tag_moves_only_off_the_digest_expected(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_artifact *one = api_build(s, "a:1", "one"), *two = api_build(s, "a:2", "two"), *three = api_build(s, "a:3", "three");

    (void)state;
    api_rc(copy(s, "a:3", "a:2", MLREG_COPY_MOVE_TAG, api_digest(one), &err), MLREG_EEXISTS);
    api_rc(copy(s, "a:3", "a:2", MLREG_COPY_MOVE_TAG, api_digest(two), &err), 0);
    mlreg_artifact_free(one);
    mlreg_artifact_free(two);
    mlreg_artifact_free(three);
    mlreg_session_free(s);
}

static void test_copy__an_expected_digest_must_be_one(void **state)
{
    mlreg_session *s = api_open("memory:", 0);

    (void)state;
    mlreg_artifact_free(api_build(s, "a:1", "one"));
    api_rc(copy(s, "a:1", "a:2", MLREG_COPY_MOVE_TAG, "sha256:12", &err), MLREG_EINVAL);
    mlreg_session_free(s);
}

static int checkout_with(mlreg_artifact *a, const char *dir, mlreg_checkout_options o, mlreg_error **err)
{
    o.size = sizeof o;
    return mlreg_checkout(a, dir, &o, NULL, err);
}

static void test_checkout__patterns_must_be_there(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_artifact *a = api_build(s, "a:1", "one");
    const char *const holes[] = { "*", NULL };
    char *dir = bed_dir_new();

    (void)state;
    api_rc(checkout_with(a, bed_at(dir, "x"), (mlreg_checkout_options){ .n_include = 1 }, &err), MLREG_EINVAL);
    api_rc(checkout_with(a, bed_at(dir, "x"), (mlreg_checkout_options){ .n_exclude = 1 }, &err), MLREG_EINVAL);
    api_rc(checkout_with(a, bed_at(dir, "x"), (mlreg_checkout_options){ .include = holes, .n_include = 2 }, &err), MLREG_EINVAL);
    api_rc(checkout_with(a, bed_at(dir, "x"), (mlreg_checkout_options){ .exclude = holes, .n_exclude = 2 }, &err), MLREG_EINVAL);
    assert_false(bed_exists(bed_at(dir, "x")));
    bed_dir_remove(dir);
    mlreg_artifact_free(a);
    mlreg_session_free(s);
}

static void test_checkout__null_is_refused(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_artifact *a = api_build(s, "a:1", "one");

    (void)state;
    api_rc(mlreg_checkout(NULL, "x", NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_checkout(a, NULL, NULL, NULL, &err), MLREG_EINVAL);
    mlreg_artifact_free(a);
    mlreg_session_free(s);
}

static void test_checkout__writes_the_files(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_artifact *a = api_build(s, "a:1", "one");
    char *dir = bed_dir_new();

    (void)state;
    api_rc(mlreg_checkout(a, bed_at(dir, "x"), NULL, NULL, &err), 0);
    bed_assert_file(bed_at(dir, "x/weights.bin"), "one");
    bed_dir_remove(dir);
    mlreg_artifact_free(a);
    mlreg_session_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy__null_is_refused),
        cmocka_unit_test(test_copy__a_taken_tag_moves_only_when_told),
        cmocka_unit_test(test_copy__a_tag_moves_only_off_the_digest_expected),
        cmocka_unit_test(test_copy__an_expected_digest_must_be_one),
        cmocka_unit_test(test_checkout__patterns_must_be_there),
        cmocka_unit_test(test_checkout__null_is_refused),
        cmocka_unit_test(test_checkout__writes_the_files),
    };
    return cmocka_run_group_tests_name("api/transfer", tests, NULL, NULL);
}
