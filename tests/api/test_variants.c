/* api/test_variants.c - indexes through the public header: built, changed, resolved and copied in part. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api_bed.h"
#include "bed/dir.h"

#define PC  "{\"architecture\":\"amd64\",\"memory_bytes\":16000000000}"
#define GPU "{\"architecture\":\"amd64\",\"memory_bytes\":16000000000,\"accelerators\":[{\"kind\":\"cuda\",\"compute\":\"8.0\",\"memory_bytes\":80000000000}]}"

static int add(mlreg_builder *b, mlreg_session *s, const char *ref, const char *name, mlreg_error **err)
{
    mlreg_variant_options o;
    mlreg_artifact *a = api_build(s, ref, ref);
    int rc;

    MLREG_INIT(o);
    o.name = name;
    rc = mlreg_builder_add_child(b, a, &o, err);
    mlreg_artifact_free(a);
    return rc;
}

static mlreg_builder *index_builder(mlreg_session *s)
{
    mlreg_builder *b = NULL;

    api_rc(mlreg_builder_new(s, MLREG_BUILD_INDEX, NULL, &b, &err), 0);
    return b;
}

/* "m:v1" in `to`, of entries "cpu" and "cuda" that lie in `from`. */
static mlreg_artifact *make_index(mlreg_session *from, mlreg_session *to)
{
    mlreg_builder *b = index_builder(to);
    mlreg_artifact *a = NULL;

    api_rc(add(b, from, "m:cuda", "cuda", &err), 0);
    api_rc(add(b, from, "m:cpu", "cpu", &err), 0);
    api_rc(mlreg_builder_commit(b, "m:v1", NULL, NULL, &a, &err), 0);
    mlreg_builder_free(b);
    return a;
}

static mlreg_resolve_options for_machine(const char *host)
{
    mlreg_resolve_options o;

    MLREG_INIT(o);
    o.host = host;
    return o;
}

static void assert_gets(mlreg_session *s, const char *host, const char *ref)
{
    mlreg_resolve_options o = for_machine(host);
    mlreg_artifact *got = NULL, *want = NULL;

    api_rc(mlreg_session_resolve(s, "m:v1", &o, NULL, &got, &err), 0);
    api_rc(mlreg_session_resolve(s, ref, NULL, NULL, &want, &err), 0);
    assert_string_equal(api_digest(got), api_digest(want));
    mlreg_artifact_free(got);
    mlreg_artifact_free(want);
}

/* ---- building ---- */

static void test_index__takes_entries_from_another_place_and_is_resolved(void **state)
{
    mlreg_session *from = api_open("memory:", 0), *to = api_open("memory:", 0);
    mlreg_artifact *a = make_index(from, to), *same = NULL;

    (void)state;
    assert_int_equal(mlreg_artifact_count(a, MLREG_PART_CHILD), 2);
    assert_string_equal(mlreg_descriptor_annotation(mlreg_artifact_at(a, MLREG_PART_CHILD, 0), "io.github.libmlreg.variant.name"), "cpu");
    api_rc(mlreg_copy(from, "m:cpu", to, NULL, NULL, NULL, NULL, &err), 0);
    api_rc(mlreg_copy(from, "m:cuda", to, NULL, NULL, NULL, NULL, &err), 0);
    assert_gets(to, PC, "m:cpu");
    assert_gets(to, GPU, "m:cuda");
    api_rc(mlreg_session_resolve(to, "m:v1", NULL, NULL, &same, &err), 0); /* nothing wanted: the index */
    assert_string_equal(api_digest(same), api_digest(a));
    mlreg_artifact_free(same);
    mlreg_artifact_free(a);
    mlreg_session_free(from);
    mlreg_session_free(to);
}

static void test_index__is_changed_and_two_editors_do_not_lose_each_others_work(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_artifact *first = make_index(s, s), *second = NULL;
    mlreg_builder *one = index_builder(s), *other = index_builder(s);
    mlreg_commit_options o;

    (void)state;
    MLREG_INIT(o);
    o.flags = MLREG_COPY_MOVE_TAG;
    o.expect_digest = api_digest(first);
    api_rc(mlreg_builder_add_children_of(one, first, &err), 0);
    api_rc(mlreg_builder_add_children_of(other, first, &err), 0);
    api_rc(add(one, s, "m:rocm", "rocm", &err), 0);
    api_rc(mlreg_builder_remove_child(other, "cuda", &err), 0);
    api_rc(mlreg_builder_remove_child(other, "cuda", &err), MLREG_ENOTFOUND);
    api_rc(mlreg_builder_commit(one, "m:v1", &o, NULL, &second, &err), 0);
    assert_int_equal(mlreg_artifact_count(second, MLREG_PART_CHILD), 3);
    api_rc(mlreg_builder_commit(other, "m:v1", &o, NULL, NULL, &err), MLREG_EEXISTS);
    mlreg_builder_free(one);
    mlreg_builder_free(other);
    mlreg_artifact_free(first);
    mlreg_artifact_free(second);
    mlreg_session_free(s);
}

static void test_index__and_artifact_keep_their_ways_apart(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_builder *index = index_builder(s), *plain = api_builder(s);
    mlreg_artifact *a = api_build(s, "m:a", "x");
    mlreg_variant_options o;
    api_bytes bytes = { .data = "x", .len = 1 };

    (void)state;
    MLREG_INIT(o);
    o.name = "a";
    api_rc(mlreg_builder_add_child(plain, a, &o, &err), MLREG_ESTATE);
    api_rc(mlreg_builder_remove_child(plain, "a", &err), MLREG_ESTATE);
    api_rc(api_add(index, "file", &bytes, &err), MLREG_ESTATE);
    api_rc(mlreg_builder_set_config(index, "a/b", "{}", 2, &err), MLREG_ESTATE);
    api_rc(mlreg_builder_add_children_of(index, a, &err), MLREG_EINVAL);
    api_rc(mlreg_builder_commit(index, "m:v1", NULL, NULL, NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_builder_add_child(index, NULL, &o, &err), MLREG_EINVAL);
    api_rc(mlreg_builder_add_child(index, a, NULL, &err), MLREG_EINVAL);
    assert_int_equal(bytes.released, 1);
    mlreg_artifact_free(a);
    mlreg_builder_free(index);
    mlreg_builder_free(plain);
    mlreg_session_free(s);
}

static void test_index__cannot_be_an_entry_of_itself(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_artifact *a = make_index(s, s);
    mlreg_builder *b = index_builder(s);
    mlreg_variant_options v;
    mlreg_commit_options o;

    (void)state;
    MLREG_INIT(v);
    MLREG_INIT(o);
    v.name = "self";
    o.flags = MLREG_COPY_MOVE_TAG;
    api_rc(mlreg_builder_add_child(b, a, &v, &err), 0); /* under another tag that is fine */
    api_rc(mlreg_builder_commit(b, "m:v1", &o, NULL, NULL, &err), MLREG_EINVAL);
    mlreg_builder_free(b);
    b = index_builder(s);
    api_rc(mlreg_builder_add_children_of(b, a, &err), 0);
    api_rc(mlreg_builder_add_child(b, a, &v, &err), MLREG_EINVAL);
    mlreg_builder_free(b);
    mlreg_artifact_free(a);
    mlreg_session_free(s);
}

static void test_index__entries_outlive_their_session_and_vanished_ones_are_told(void **state)
{
    mlreg_session *from = api_open("memory:", 0), *to = api_open("memory:", 0);
    mlreg_builder *b = index_builder(to), *late = index_builder(to);
    char ref[200];

    (void)state;
    api_rc(add(b, from, "m:cpu", "cpu", &err), 0);
    api_rc(add(late, from, "m:gone", "gone", &err), 0);
    api_rc(mlreg_session_delete(from, "m:gone", NULL, &err), 0);
    mlreg_session_free(from);
    api_rc(mlreg_builder_commit(b, "m:v1", NULL, NULL, NULL, &err), 0);
    api_rc(mlreg_builder_commit(late, "m:v2", NULL, NULL, NULL, &err), MLREG_ENOTFOUND);
    snprintf(ref, sizeof ref, "m:v2");
    api_rc(mlreg_session_resolve(to, ref, NULL, NULL, &(mlreg_artifact *){ NULL }, &err), MLREG_ENOTFOUND);
    mlreg_builder_free(b);
    mlreg_builder_free(late);
    mlreg_session_free(to);
}

/* ---- asking ---- */

static void test_variants__are_listed_with_what_became_of_them(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_artifact *a = make_index(s, s);
    mlreg_resolve_options o = for_machine(PC);
    mlreg_list *l = NULL;

    (void)state;
    api_rc(mlreg_session_variants(s, "m:v1", &o, NULL, &l, &err), 0);
    assert_int_equal(mlreg_list_count(l), 2);
    assert_string_equal(mlreg_list_name(l, 0), "cpu");
    assert_string_equal(mlreg_descriptor_annotation(mlreg_list_descriptor(l, 0), "io.github.libmlreg.variant.fit"), "chosen");
    assert_non_null(strstr(mlreg_descriptor_annotation(mlreg_list_descriptor(l, 1), "io.github.libmlreg.variant.fit"), "no: needs cuda"));
    mlreg_list_free(l);
    l = NULL;
    api_rc(mlreg_session_variants(s, "m:cpu", NULL, NULL, &l, &err), 0);
    assert_int_equal(mlreg_list_count(l), 0);
    mlreg_list_free(l);
    mlreg_artifact_free(a);
    mlreg_session_free(s);
}

static void test_resolve__refuses_malformed_wishes(void **state)
{
    mlreg_session *s = api_open("memory:", 0);
    mlreg_resolve_options o = for_machine("{");
    mlreg_artifact *a = api_build(s, "m:v1", "x"), *out = NULL;

    (void)state;
    api_rc(mlreg_session_resolve(s, "m:v1", &o, NULL, &out, &err), MLREG_EINVAL);
    MLREG_INIT(o);
    o.platform = "linux";
    api_rc(mlreg_session_resolve(s, "m:v1", &o, NULL, &out, &err), MLREG_EINVAL);
    o.platform = NULL;
    o.flags = 1u << 30;
    api_rc(mlreg_session_resolve(s, "m:v1", &o, NULL, &out, &err), MLREG_EINVAL);
    o.flags = MLREG_RESOLVE_VARIANT;
    api_rc(mlreg_session_resolve(s, "m:v1", &o, NULL, &out, &err), 0); /* no index: what it names */
    assert_string_equal(api_digest(out), api_digest(a));
    mlreg_artifact_free(out);
    mlreg_artifact_free(a);
    mlreg_session_free(s);
}

static void test_host__json_is_this_machine(void **state)
{
    const char *json = NULL, *again = NULL;

    (void)state;
    api_rc(mlreg_host_json(NULL, &err), MLREG_EINVAL);
    api_rc(mlreg_host_json(&json, &err), 0);
    api_rc(mlreg_host_json(&again, &err), 0);
    assert_ptr_equal(json, again);
    assert_non_null(strstr(json, "\"architecture\""));
}

/* ---- copies in part ---- */

static void test_copy__of_one_variant_leaves_an_index_in_part(void **state)
{
    char *dir = bed_dir_new();
    mlreg_session *hub = api_open("memory:", 0), *store = api_open(bed_at(dir, "store"), MLREG_OPEN_CREATE);
    mlreg_artifact *a = make_index(hub, hub), *got = NULL;
    mlreg_resolve_options pc = for_machine(PC), gpu = for_machine(GPU);
    mlreg_copy_options one, both;
    mlreg_list *problems = NULL;

    (void)state;
    MLREG_INIT(one);
    MLREG_INIT(both);
    one.variant = &gpu;
    api_rc(mlreg_copy(hub, "m:v1", store, NULL, &one, NULL, &got, &err), 0);
    assert_string_equal(api_digest(got), api_digest(a));
    mlreg_artifact_free(got);
    got = NULL;
    api_rc(mlreg_session_resolve(store, "m:v1", &gpu, NULL, &got, &err), 0);
    mlreg_artifact_free(got);
    api_rc(mlreg_session_resolve(store, "m:v1", &pc, NULL, &got, &err), MLREG_ENOTFOUND);
    api_rc(mlreg_session_fsck(store, 0, NULL, &problems, &err), 0);
    assert_int_equal(mlreg_list_count(problems), 0);
    mlreg_list_free(problems);
    both.flags = MLREG_COPY_ALL_VARIANTS | MLREG_COPY_MOVE_TAG;
    api_rc(mlreg_copy(store, "m:v1", hub, "m:back", &both, NULL, NULL, &err), MLREG_ENOTFOUND);
    both.variant = &pc;
    api_rc(mlreg_copy(hub, "m:v1", store, NULL, &both, NULL, NULL, &err), MLREG_EINVAL);
    one.variant = &pc;
    api_rc(mlreg_copy(hub, "m:v1", store, NULL, &one, NULL, NULL, &err), 0);
    both.variant = NULL;
    api_rc(mlreg_copy(store, "m:v1", hub, "m:back", &both, NULL, NULL, &err), 0); /* both are there by now */
    mlreg_artifact_free(a);
    mlreg_session_free(hub);
    mlreg_session_free(store);
    bed_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_index__takes_entries_from_another_place_and_is_resolved),
        cmocka_unit_test(test_index__is_changed_and_two_editors_do_not_lose_each_others_work),
        cmocka_unit_test(test_index__and_artifact_keep_their_ways_apart),
        cmocka_unit_test(test_index__cannot_be_an_entry_of_itself),
        cmocka_unit_test(test_index__entries_outlive_their_session_and_vanished_ones_are_told),
        cmocka_unit_test(test_variants__are_listed_with_what_became_of_them),
        cmocka_unit_test(test_resolve__refuses_malformed_wishes),
        cmocka_unit_test(test_host__json_is_this_machine),
        cmocka_unit_test(test_copy__of_one_variant_leaves_an_index_in_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
