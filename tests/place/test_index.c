/* place/test_index.c - the list of manifests: what others wrote stays, tags move by rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bed/artifact.h"
#include "bed/failing_alloc.h"
#include "place/index.h"

#define REF_NAME "org.opencontainers.image.ref.name"
#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"

static mlr_index *parse(const char *text)
{
    mlr_index *x = NULL;
    bed_assert_rc(mlr_index_parse(text, strlen(text), &x, &err), 0);
    return x;
}

static char *print(const mlr_index *x)
{
    mlr_buf b = MLR_BUF_INIT(1 << 20);
    bed_assert_rc(mlr_index_print(x, &b, &err), 0);
    return mlr_buf_take(&b);
}

static int put(mlr_index *x, const char *tag, bool move, const mlr_manifest *m)
{
    const mlr_tag_rule rule = { move, { "" } };
    return mlr_index_put(x, tag, &rule, m, NULL);
}

/* Odd blanks, unknown members, an entry of another algorithm, one without a type: as other tools may have written
 * them. */
#define FOREIGN_A "{ \"mediaType\":\"" MLR_TYPE_MANIFEST "\" ,\"size\":7,\"digest\":\"" D1 "\",\"x-vram\": 1.50,\"annotations\":{\"" REF_NAME "\":\"v1\"}}"
#define FOREIGN_B "{\"mediaType\":\"a/b\",\"digest\":\"blake3:1111111111111111111111111111111111111111111111111111111111111111\",\"size\":1}"
#define FOREIGN_C "{\"digest\":\"" D2 "\"}"
#define FOREIGN "{ \"schemaVersion\" : 2, \"x-tool\":{\"b\":[1,2 ,3]},\"manifests\":[" FOREIGN_A "," FOREIGN_B "," FOREIGN_C "],\"annotations\":{\"z\":\"\\u0041\"}}"

static void test_index__keeps_what_others_wrote_byte_for_byte(void **state)
{
    mlr_index    *x = parse(FOREIGN);
    mlr_manifest *m = bed_image_text("mine", "t/u", NULL);
    char         *text;
    (void)state;
    assert_int_equal(x->n, 3);
    assert_int_equal(put(x, "v2", false, m), 1);
    text = print(x);
    assert_non_null(strstr(text, "\"manifests\":[" FOREIGN_A "," FOREIGN_B "," FOREIGN_C ","));
    assert_non_null(strstr(text, "\"x-tool\":{\"b\":[1,2 ,3]}"));
    assert_non_null(strstr(text, "\"annotations\":{\"z\":\"\\u0041\"}"));
    mlr_index_free(x);
    x = parse(text);
    assert_int_equal(x->n, 4);
    assert_string_equal(mlr_index_by_tag(x, "v1")->digest.text, D1);
    assert_string_equal(mlr_index_by_tag(x, "v2")->digest.text, m->self.digest.text);
    mlr_free(text);
    mlr_index_free(x);
    mlr_manifest_free(m);
}

static void test_index__that_is_new_is_an_oci_index(void **state)
{
    mlr_index *x = NULL;
    char      *text;
    (void)state;
    assert_int_equal(mlr_index_new(&x, NULL), 0);
    text = print(x);
    assert_string_equal(text, "{\"schemaVersion\":2,\"mediaType\":\"" MLR_TYPE_INDEX "\",\"manifests\":[]}");
    mlr_free(text);
    mlr_index_free(x);
}

static void test_index__refuses_what_is_none(void **state)
{
    static const char *const texts[] = { "", "{", "[]", "{}", "{\"schemaVersion\":1,\"manifests\":[]}",
                                         "{\"schemaVersion\":2}",
                                         "{\"schemaVersion\":2,\"manifests\":{}}",
                                             "{\"schemaVersion\":2,\"manifests\":[]} x",
                                         "{\"schemaVersion\":2,\"manifests\":[],\"Manifests\":[]}" };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        mlr_index *x = NULL;
        bed_assert_rc(mlr_index_parse(texts[i], strlen(texts[i]), &x, &err), MLREG_EPROTO);
        assert_null(x);
    }
}

static void test_index__a_null_list_is_an_empty_one(void **state)
{
    mlr_index *x = parse("{\"schemaVersion\":2,\"manifests\":null}");
    (void)state;
    assert_int_equal(x->n, 0);
    mlr_index_free(x);
}

static void test_index__a_tag_moves_in_place_and_leaves_nothing(void **state)
{
    mlr_index    *x = NULL;
    mlr_manifest *a = bed_image_text("a", "t/u", NULL), *b = bed_image_text("b", "t/u", NULL);
    mlr_manifest *c = bed_image_text("c", "t/u", NULL);
    (void)state;
    assert_int_equal(mlr_index_new(&x, NULL), 0);
    assert_int_equal(put(x, "v1", false, a), 1);
    assert_int_equal(put(x, "v2", false, b), 1);
    assert_int_equal(put(x, "v1", false, a), 0);
    assert_int_equal(put(x, "v1", false, c), MLREG_EEXISTS);
    assert_int_equal(put(x, "v1", true, c), 1);
    assert_int_equal(x->n, 2);
    assert_string_equal(x->entries[0].digest.text, c->self.digest.text);
    assert_null(mlr_index_by_digest(x, &a->self.digest));
    mlr_manifest_free(a);
    mlr_manifest_free(b);
    mlr_manifest_free(c);
    mlr_index_free(x);
}

static void test_index__what_was_put_by_digest_outlives_the_tag(void **state)
{
    mlr_index    *x = NULL;
    mlr_manifest *a = bed_image_text("a", "t/u", NULL), *b = bed_image_text("b", "t/u", NULL);
    (void)state;
    assert_int_equal(mlr_index_new(&x, NULL), 0);
    assert_int_equal(put(x, "v1", false, a), 1);
    assert_int_equal(put(x, NULL, false, a), 1);
    assert_int_equal(put(x, NULL, false, a), 0);
    assert_int_equal(put(x, "v1", true, b), 1);
    assert_non_null(mlr_index_by_digest(x, &a->self.digest));
    assert_int_equal(x->n, 2);
    mlr_manifest_free(a);
    mlr_manifest_free(b);
    mlr_index_free(x);
}

static void test_index__children_need_no_entry(void **state)
{
    mlr_index          *x = NULL;
    mlr_manifest       *a = bed_image_text("a", "t/u", NULL), *b = bed_image_text("b", "t/u", NULL);
    const mlr_manifest *children[] = { a, b };
    mlr_manifest       *index = bed_index(children, 2);
    (void)state;
    assert_int_equal(mlr_index_new(&x, NULL), 0);
    assert_int_equal(put(x, NULL, false, a), 1);
    assert_int_equal(put(x, "b", false, b), 1);
    assert_int_equal(put(x, "v1", false, index), 1);
    assert_null(mlr_index_by_digest(x, &a->self.digest));
    assert_non_null(mlr_index_by_tag(x, "b"));
    assert_int_equal(x->n, 2);
    assert_int_equal(put(x, NULL, false, a), 1);
    assert_int_equal(put(x, "v1", false, index), 1); /* the tag was there, but the child had its entry again */
    assert_int_equal(put(x, "v1", false, index), 0);
    mlr_manifest_free(a);
    mlr_manifest_free(b);
    mlr_manifest_free(index);
    mlr_index_free(x);
}

static void test_index__doubles_of_a_tag_become_one(void **state)
{
#define V1 "\"mediaType\":\"a/b\",\"size\":7,\"annotations\":{\"" REF_NAME "\":\"v1\"}}"
    mlr_index    *x = parse("{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"" D1 "\"," V1 ",{\"digest\":\"" D2 "\"," V1 "]}");
    mlr_manifest *a = bed_image_text("a", "t/u", NULL);
    (void)state;
    assert_string_equal(mlr_index_by_tag(x, "v1")->digest.text, D1);
    assert_int_equal(put(x, "v1", true, a), 1);
    assert_int_equal(x->n, 1);
    assert_string_equal(x->entries[0].digest.text, a->self.digest.text);
    mlr_manifest_free(a);
    mlr_index_free(x);
}

static void test_index__expectations_are_checked(void **state)
{
    mlr_index         *x = NULL;
    mlr_manifest      *a = bed_image_text("a", "t/u", NULL), *b = bed_image_text("b", "t/u", NULL);
    const mlr_tag_rule off_a = { true, a->self.digest }, off_b = { true, b->self.digest };
    (void)state;
    assert_int_equal(mlr_index_new(&x, NULL), 0);
    bed_assert_rc(mlr_index_put(x, "v1", &off_a, b, &err), MLREG_ENOTFOUND);
    assert_int_equal(put(x, "v1", false, a), 1);
    bed_assert_rc(mlr_index_put(x, "v1", &off_b, b, &err), MLREG_EEXISTS);
    bed_assert_rc(mlr_index_put(x, "v1", &off_a, b, &err), 1);
    assert_int_equal(x->n, 1);
    mlr_manifest_free(a);
    mlr_manifest_free(b);
    mlr_index_free(x);
}

static void test_index__removes_by_tag_and_by_digest(void **state)
{
    const mlr_digest any = { "" };
    mlr_index       *x = parse(FOREIGN);
    mlr_manifest    *a = bed_image_text("a", "t/u", NULL), *b = bed_image_text("b", "t/u", NULL);
    (void)state;
    put(x, "x", false, a);
    put(x, "y", false, a);
    put(x, NULL, false, a);
    put(x, "z", false, b);
    assert_int_equal(mlr_index_remove(x, "nope", &any), 0);
    assert_int_equal(mlr_index_remove(x, "x", &b->self.digest), 0);
    assert_int_equal(mlr_index_remove(x, "x", &a->self.digest), 1);
    assert_int_equal(mlr_index_remove(x, "z", &any), 1);
    assert_int_equal(mlr_index_remove(x, NULL, &a->self.digest), 2);
    assert_int_equal(x->n, 3); /* the foreign ones, readable or not */
    mlr_manifest_free(a);
    mlr_manifest_free(b);
    mlr_index_free(x);
}

static void test_index__names_that_are_no_tags_are_kept_but_not_listed(void **state)
{
    mlr_index *x = parse("{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"a/b\",\"digest\":\"" D1
                         "\",\"size\":7,\"annotations\":{\"" REF_NAME "\":\"docker.io/library/x:latest\"}}," FOREIGN_A "]}");
    mlr_list  *tags = NULL;
    (void)state;
    assert_int_equal(mlr_list_new(&tags, NULL), 0);
    assert_int_equal(mlr_index_tags(x, tags, NULL), 0);
    assert_int_equal(tags->n, 1);
    assert_string_equal(tags->items[0].name, "v1");
    mlr_list_free(tags);
    mlr_index_free(x);
}

static void test_index__out_of_memory_changes_nothing(void **state)
{
    mlr_index    *x = parse(FOREIGN);
    mlr_manifest *m = bed_image_text("mine", "t/u", NULL);
    char         *before = print(x), *after;
    bool          fired = true;
    (void)state;
    for (int n = 1; fired; n++) {
        failing_alloc f;
        failing_alloc_arm(&f, n, true);
        int rc = put(x, "v1", true, m);
        fired = failing_alloc_disarm(&f);
        assert_int_equal(rc, fired ? MLREG_ENOMEM : 1);
        after = print(x);
        assert_int_equal(strcmp(before, after) == 0, fired);
        mlr_free(after);
    }
    mlr_free(before);
    mlr_manifest_free(m);
    mlr_index_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_index__keeps_what_others_wrote_byte_for_byte),
        cmocka_unit_test(test_index__that_is_new_is_an_oci_index),
        cmocka_unit_test(test_index__refuses_what_is_none),
        cmocka_unit_test(test_index__a_null_list_is_an_empty_one),
        cmocka_unit_test(test_index__a_tag_moves_in_place_and_leaves_nothing),
        cmocka_unit_test(test_index__what_was_put_by_digest_outlives_the_tag),
        cmocka_unit_test(test_index__children_need_no_entry),
        cmocka_unit_test(test_index__doubles_of_a_tag_become_one),
        cmocka_unit_test(test_index__expectations_are_checked),
        cmocka_unit_test(test_index__removes_by_tag_and_by_digest),
        cmocka_unit_test(test_index__names_that_are_no_tags_are_kept_but_not_listed),
        cmocka_unit_test(test_index__out_of_memory_changes_nothing),
    };
    return cmocka_run_group_tests_name("place/index", tests, NULL, NULL);
}
