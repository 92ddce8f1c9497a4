/* tests/model/test_build_commit.c - what becomes of a builder: its subject, its annotations, its tags. */
#include "model/build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "model/build_bed.h"

/* ---- subject, annotations, tags ---- */

static void test_build_commit__refers_to_its_subject(void **state)
{
    fixture      *f = *state;
    mlr_build    *b = begin(f->memory, "application/x-evaluation");
    mlr_manifest *model, *m;
    mlr_list     *found = NULL;

    write_model(f->in);
    model = build_tree(f->memory, f->in, "v1");
    bed_assert_rc(mlr_build_subject(b, model->self.digest.text, &err), 0);
    bed_assert_rc(mlr_build_config(b, "application/x", "{}", 2, &err), 0);
    m = commit_ok(b, NULL);
    assert_non_null(m->subject);
    assert_string_equal(m->subject->digest.text, model->self.digest.text);
    assert_string_equal(m->subject->media_type, MLR_TYPE_MANIFEST);
    assert_int_equal(m->subject->bytes, model->self.bytes);
    bed_assert_rc(mlr_place_referrers(f->memory, REPO, &model->self.digest, NULL, NULL, &found, &err), 0);
    assert_int_equal(found->n, 1);
    assert_string_equal(found->items[0].descriptor->digest.text, m->self.digest.text);
    mlr_list_free(found);
    mlr_manifest_free(m);
    mlr_manifest_free(model);
    mlr_build_free(b);
}

static void test_build_commit__refuses_a_subject_that_is_none_or_not_there(void **state)
{
    fixture      *f = *state;
    mlr_build    *b = begin(f->memory, "application/x");
    mlr_manifest *m = NULL;

    bed_assert_rc(mlr_build_subject(b, "v1", &err), MLREG_EINVAL);
    bed_assert_rc(mlr_build_subject(b, BED_EMPTY, &err), 0);
    bed_assert_rc(mlr_build_config(b, "application/x", "{}", 2, &err), 0);
    bed_assert_rc(commit(b, "v1", &m, &err), MLREG_ENOTFOUND);
    assert_string_equal(bed_at_tag(f->memory, REPO, "v1").text, "");
    mlr_build_free(b);
}

static void test_build_commit__keeps_annotations(void **state)
{
    fixture      *f = *state;
    mlr_build    *b = begin(f->memory, "application/x");
    mlr_manifest *m;

    bed_assert_rc(mlr_build_annotation(b, "", "no key", &err), MLREG_EINVAL);
    bed_assert_rc(mlr_build_annotation(b, "org.example.a", "old", &err), 0);
    bed_assert_rc(mlr_build_annotation(b, "org.example.b", "with \"quotes\"\n", &err), 0);
    bed_assert_rc(mlr_build_annotation(b, "org.example.a", "new", &err), 0);
    bed_assert_rc(mlr_build_config(b, "application/x", "{}", 2, &err), 0);
    m = commit_ok(b, "v1");
    assert_int_equal(m->self.n_annotations, 2);
    assert_string_equal(mlr_descriptor_annotation(&m->self, "org.example.a"), "new");
    assert_string_equal(mlr_descriptor_annotation(&m->self, "org.example.b"), "with \"quotes\"\n");
    mlr_manifest_free(m);
    mlr_build_free(b);
}

static mlr_build *small_build(fixture *f, const char *config)
{
    mlr_build *b = begin(f->memory, "application/x");

    bed_assert_rc(mlr_build_config(b, "application/x", config, strlen(config), &err), 0);
    return b;
}

static int commit_as(fixture *f, const char *config, mlr_ref r, mlr_tag_rule rule, const char *const *also, size_t n_also, mlreg_error **err)
{
    mlr_build *b = small_build(f, config);
    int        rc;

    r.repo = (char *)REPO;
    rc = mlr_build_commit(b, &r, &rule, also, n_also, NULL, NULL, err);
    mlr_build_free(b);
    return rc;
}

static void test_build_commit__puts_every_tag(void **state)
{
    static const char *const also[] = { "latest", "stable" };
    fixture                 *f = *state;
    mlr_digest               v1;

    bed_assert_rc(commit_as(f, "{}", (mlr_ref){ .tag = (char *)"v1" }, (mlr_tag_rule){ 0 }, also, 2, &err), 0);
    v1 = bed_at_tag(f->memory, REPO, "v1");
    assert_string_not_equal(v1.text, "");
    assert_string_equal(bed_at_tag(f->memory, REPO, "latest").text, v1.text);
    assert_string_equal(bed_at_tag(f->memory, REPO, "stable").text, v1.text);
}

static void test_build_commit__refuses_a_bad_tag_before_anything_is_written(void **state)
{
    static const char *const also[] = { "fine", "not fine" };
    fixture                 *f = *state;

    bed_assert_rc(commit_as(f, "{\"a\":2}", (mlr_ref){ .tag = (char *)"v1" }, (mlr_tag_rule){ 0 }, also, 2, &err), MLREG_EINVAL);
    assert_string_equal(bed_at_tag(f->memory, REPO, "v1").text, "");
    assert_string_equal(bed_at_tag(f->memory, REPO, "fine").text, "");
    assert_int_equal(bed_has(f->memory, REPO, "{\"a\":2}"), 0);
}

static void test_build_commit__moves_a_tag_only_where_the_rule_allows(void **state)
{
    fixture   *f = *state;
    mlr_ref    v1 = { .tag = (char *)"v1" };
    mlr_digest first, second;

    bed_assert_rc(commit_as(f, "{}", v1, (mlr_tag_rule){ 0 }, NULL, 0, &err), 0);
    first = bed_at_tag(f->memory, REPO, "v1");
    bed_assert_rc(commit_as(f, "{}", v1, (mlr_tag_rule){ 0 }, NULL, 0, &err), 0); /* the same again */
    bed_assert_rc(commit_as(f, "[]", v1, (mlr_tag_rule){ 0 }, NULL, 0, &err), MLREG_EEXISTS);
    assert_string_equal(bed_at_tag(f->memory, REPO, "v1").text, first.text);
    bed_assert_rc(commit_as(f, "[]", v1, (mlr_tag_rule){ .move = true }, NULL, 0, &err), 0);
    second = bed_at_tag(f->memory, REPO, "v1");
    assert_string_not_equal(second.text, first.text);
    bed_assert_rc(commit_as(f, "{}", v1, (mlr_tag_rule){ true, first }, NULL, 0, &err), MLREG_EEXISTS);
    assert_string_equal(bed_at_tag(f->memory, REPO, "v1").text, second.text);
    bed_assert_rc(commit_as(f, "{}", v1, (mlr_tag_rule){ true, second }, NULL, 0, &err), 0);
    assert_string_equal(bed_at_tag(f->memory, REPO, "v1").text, first.text);
}

static void test_build_commit__without_a_tag_is_known_by_its_digest(void **state)
{
    fixture       *f = *state;
    mlr_build     *b = small_build(f, "{}");
    mlr_manifest  *m = commit_ok(b, NULL), *back = NULL;
    const mlr_ref  r = { (char *)REPO, NULL, m->self.digest };

    bed_assert_rc(mlr_place_manifest(f->memory, &r, NULL, &back, &err), 0);
    assert_string_equal(back->json, m->json);
    mlr_manifest_free(back);
    mlr_manifest_free(m);
    mlr_build_free(b);
}

static void test_build_commit__refuses_a_digest_as_its_name(void **state)
{
    fixture *f = *state;

    bed_assert_rc(commit_as(f, "{}", (mlr_ref){ .digest = { BED_EMPTY } }, (mlr_tag_rule){ 0 }, NULL, 0, &err), MLREG_EINVAL);
}

/* ---- order ---- */

static void test_build_commit__takes_nothing_more_once_committed(void **state)
{
    fixture            *f = *state;
    mlr_build          *b = small_build(f, "{}");
    mlr_manifest       *m = commit_ok(b, "v1"), *again = NULL;
    own_bytes           s = { .text = "late" };
    mlreg_source        source = source_of(&s);
    mlreg_layer_options o = titled("x", NULL);

    bed_write(bed_at(f->in, "a.txt"), "text");
    bed_assert_rc(mlr_build_config(b, "application/x", "{}", 2, &err), MLREG_ESTATE);
    bed_assert_rc(mlr_build_subject(b, BED_EMPTY, &err), MLREG_ESTATE);
    bed_assert_rc(mlr_build_annotation(b, "a", "b", &err), MLREG_ESTATE);
    bed_assert_rc(mlr_build_add_tree(b, NULL, f->in, NULL, &err), MLREG_ESTATE);
    bed_assert_rc(mlr_build_add_file(b, NULL, bed_at(f->in, "a.txt"), NULL, &err), MLREG_ESTATE);
    bed_assert_rc(mlr_build_add_source(b, &o, &source, NULL, &err), MLREG_ESTATE);
    assert_int_equal(s.released, 1);
    bed_assert_rc(commit(b, "v2", &again, &err), MLREG_ESTATE);
    assert_null(again);
    assert_string_equal(bed_at_tag(f->memory, REPO, "v2").text, "");
    mlr_manifest_free(m);
    mlr_build_free(b);
}

static void test_build_commit__cannot_be_found_before_commit_returns(void **state)
{
    fixture            *f = *state;
    own_bytes           s = { .text = "bytes", .look = f->memory };
    mlreg_source        source = source_of(&s);
    mlreg_layer_options o = titled("x.txt", NULL);
    mlr_build          *b = begin(f->memory, NULL);

    bed_assert_rc(mlr_build_add_source(b, &o, &source, NULL, &err), 0);
    assert_string_equal(bed_at_tag(f->memory, REPO, "v1").text, "");
    mlr_manifest_free(commit_ok(b, "v1"));
    assert_true(s.reads > 0);
    assert_int_equal(s.found, 0);
    assert_string_not_equal(bed_at_tag(f->memory, REPO, "v1").text, "");
    mlr_build_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_build_commit__refers_to_its_subject),
        TEST(test_build_commit__refuses_a_subject_that_is_none_or_not_there),
        TEST(test_build_commit__keeps_annotations),
        TEST(test_build_commit__puts_every_tag),
        TEST(test_build_commit__refuses_a_bad_tag_before_anything_is_written),
        TEST(test_build_commit__moves_a_tag_only_where_the_rule_allows),
        TEST(test_build_commit__without_a_tag_is_known_by_its_digest),
        TEST(test_build_commit__refuses_a_digest_as_its_name),
        TEST(test_build_commit__takes_nothing_more_once_committed),
        TEST(test_build_commit__cannot_be_found_before_commit_returns),
    };
    return cmocka_run_group_tests_name("model/build_commit", tests, NULL, NULL);
}
