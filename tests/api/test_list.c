/* api/test_list.c - reading lists and descriptors, also where there is nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api_bed.h"

static void test_list__null_is_an_empty_list(void **state)
{
    (void)state;
    assert_int_equal(mlreg_list_count(NULL), 0);
    assert_null(mlreg_list_name(NULL, 0));
    assert_null(mlreg_list_descriptor(NULL, 0));
    mlreg_list_free(NULL);
}

static mlreg_list *three_tags(mlreg_session *s)
{
    static const char *const refs[] = { "team/x:beta", "team/x:alpha", "team/x:gamma" };
    mlreg_list *l = NULL;

    for (int i = 0; i < 3; i++)
        mlreg_artifact_free(api_build(s, refs[i], refs[i]));
    api_rc(mlreg_session_tags(s, "team/x", NULL, &l, &err), 0);
    return l;
}

static void test_list__tags_are_sorted(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_list *l = three_tags(s);

    (void)state;
    assert_int_equal(mlreg_list_count(l), 3);
    assert_string_equal(mlreg_list_name(l, 0), "alpha");
    assert_string_equal(mlreg_list_name(l, 1), "beta");
    assert_string_equal(mlreg_list_name(l, 2), "gamma");
    mlreg_list_free(l);
    mlreg_session_free(s);
}

static void test_list__past_its_end_is_nothing(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_list *l = three_tags(s);

    (void)state;
    assert_null(mlreg_list_name(l, 3));
    assert_null(mlreg_list_descriptor(l, 3));
    assert_null(mlreg_list_name(l, SIZE_MAX));
    mlreg_list_free(l);
    mlreg_session_free(s);
}

static void test_list__outlives_its_session(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_list *l = three_tags(s);

    (void)state;
    mlreg_session_free(s);
    assert_string_equal(mlreg_list_name(l, 2), "gamma");
    mlreg_list_free(l);
}

static void test_list__repositories_are_sorted(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_list *l = NULL;

    (void)state;
    mlreg_artifact_free(api_build(s, "team/y:1", "y"));
    mlreg_artifact_free(api_build(s, "team/x:1", "x"));
    api_rc(mlreg_session_repositories(s, NULL, &l, &err), 0);
    assert_int_equal(mlreg_list_count(l), 2);
    assert_string_equal(mlreg_list_name(l, 0), "team/x");
    assert_string_equal(mlreg_list_name(l, 1), "team/y");
    mlreg_list_free(l);
    mlreg_session_free(s);
}

static void test_list__referrers_come_as_descriptors(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_artifact *a = api_build(s, "team/x:1", "x");
    mlreg_builder *b = api_builder(s);
    api_bytes bytes = { .data = "sig", .len = 3 };
    mlreg_list *l = NULL;

    (void)state;
    api_rc(mlreg_builder_set_subject(b, api_digest(a), &err), 0);
    api_rc(api_add(b, "signature", &bytes, &err), 0);
    api_rc(mlreg_builder_commit(b, "team/x", NULL, NULL, NULL, &err), 0);
    api_rc(mlreg_session_referrers(s, "team/x:1", NULL, NULL, &l, &err), 0);
    assert_int_equal(mlreg_list_count(l), 1);
    assert_string_equal(mlreg_descriptor_artifact_type(mlreg_list_descriptor(l, 0)), "test/artifact");
    mlreg_list_free(l);
    l = NULL;
    api_rc(mlreg_session_referrers(s, "team/x:1", "other/type", NULL, &l, &err), 0);
    assert_int_equal(mlreg_list_count(l), 0);
    mlreg_list_free(l);
    mlreg_builder_free(b);
    mlreg_artifact_free(a);
    mlreg_session_free(s);
}

/* ---- descriptors ---- */

static void test_descriptor__of_nothing_says_nothing(void **state)
{
    const char *key = NULL, *value = NULL;

    (void)state;
    assert_int_equal(mlreg_descriptor_bytes(NULL), 0);
    assert_null(mlreg_descriptor_digest(NULL));
    assert_null(mlreg_descriptor_media_type(NULL));
    assert_null(mlreg_descriptor_artifact_type(NULL));
    assert_null(mlreg_descriptor_title(NULL));
    assert_null(mlreg_descriptor_platform(NULL));
    assert_null(mlreg_descriptor_annotation(NULL, "k"));
    assert_int_equal(mlreg_descriptor_annotation_at(NULL, 0, &key, &value), MLREG_EINVAL);
}

static void test_descriptor__annotations_can_be_walked(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_builder *b = api_builder(s);
    api_bytes bytes = { .data = "x", .len = 1 };
    mlreg_artifact *a = NULL;
    const char *key = NULL, *value = NULL;

    (void)state;
    api_rc(mlreg_builder_set_annotation(b, "colour", "red", &err), 0);
    api_rc(mlreg_builder_set_annotation(b, "colour", "blue", &err), 0);
    api_rc(api_add(b, "x", &bytes, &err), 0);
    api_rc(mlreg_builder_commit(b, "a:1", NULL, NULL, &a, &err), 0);
    const mlreg_descriptor *d = mlreg_artifact_at(a, MLREG_PART_SELF, 0);
    assert_string_equal(mlreg_descriptor_annotation(d, "colour"), "blue");
    assert_null(mlreg_descriptor_annotation(d, "size"));
    assert_null(mlreg_descriptor_annotation(d, NULL));
    assert_int_equal(mlreg_descriptor_annotation_at(d, 0, &key, &value), 0);
    assert_string_equal(key, "colour");
    assert_string_equal(value, "blue");
    assert_int_equal(mlreg_descriptor_annotation_at(d, 1, &key, &value), MLREG_ENOTFOUND);
    assert_int_equal(mlreg_descriptor_annotation_at(d, 0, NULL, &value), MLREG_EINVAL);
    assert_int_equal(mlreg_descriptor_annotation_at(d, 0, &key, NULL), MLREG_EINVAL);
    mlreg_artifact_free(a);
    mlreg_builder_free(b);
    mlreg_session_free(s);
}

static void test_descriptor__a_layer_has_title_size_and_digest(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_artifact *a = api_build(s, "a:1", "hello");
    const mlreg_descriptor *d = mlreg_artifact_at(a, MLREG_PART_LAYER, 0);

    (void)state;
    assert_int_equal(mlreg_descriptor_bytes(d), 5);
    assert_string_equal(mlreg_descriptor_title(d), "weights.bin");
    assert_string_equal(mlreg_descriptor_digest(d), "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    assert_null(mlreg_descriptor_platform(d));
    mlreg_artifact_free(a);
    mlreg_session_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list__null_is_an_empty_list),
        cmocka_unit_test(test_list__tags_are_sorted),
        cmocka_unit_test(test_list__past_its_end_is_nothing),
        cmocka_unit_test(test_list__outlives_its_session),
        cmocka_unit_test(test_list__repositories_are_sorted),
        cmocka_unit_test(test_list__referrers_come_as_descriptors),
        cmocka_unit_test(test_descriptor__of_nothing_says_nothing),
        cmocka_unit_test(test_descriptor__annotations_can_be_walked),
        cmocka_unit_test(test_descriptor__a_layer_has_title_size_and_digest),
    };
    return cmocka_run_group_tests_name("api/list", tests, NULL, NULL);
}
