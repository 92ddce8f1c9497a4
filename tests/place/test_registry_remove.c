/* tests/place/test_registry_remove.c - tags and manifests removed, also where a registry deletes no tags. */
#include "place/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "place/registry_bed.h"

static int remove_tag(registry_bed *b, const char *tag)
{
    mlr_ref r = tagged(tag);

    return mlr_place_remove(b->place, &r, NULL, &b->err);
}

static void test_registry_remove__deletes_a_tag(void **state)
{
    registry_bed *b = *state;

    bed_registry(b, "[{'method':'DELETE','path':'" MANIFESTS "v1','status':202}]");
    assert_int_equal(remove_tag(b, "v1"), 0);
    assert_int_equal(n_requests(&b->evil), 1);
}

static void test_registry_remove__says_that_a_tag_is_not_there(void **state)
{
    bed_registry(*state, "[]");
    assert_int_equal(remove_tag(*state, "v1"), MLREG_ENOTFOUND);
}

#define NO_TAG_DELETE "{'method':'DELETE','path':'" MANIFESTS "v1','status':400},"
#define EMPTY_IS_THERE \
    "{'method':'POST','status':202,'headers':{'Location':'/up'}},{'method':'PUT','path':'/up.*','status':201},"

static void test_registry_remove__displaces_a_tag_that_cannot_be_deleted(void **state)
{
    registry_bed *b = *state;
    char         *m = some_manifest("a"), *coded = base64_of(m);

    bed_registry(b, "[" NO_TAG_DELETE EMPTY_IS_THERE "{'method':'PUT','status':201},{'method':'DELETE','status':202},"
                    "{'method':'GET','path':'" MANIFESTS "v1','body_base64':'%s'}]", coded);
    assert_int_equal(remove_tag(b, "v1"), 0);
    assert_int_equal(bed_log_count(&b->evil, "\"method\": \"PUT\", \"path\": \"" MANIFESTS "sha256:"), 1);
    assert_int_equal(bed_log_count(&b->evil, "\"method\": \"PUT\", \"path\": \"" MANIFESTS "v1"), 1);
    assert_int_equal(bed_log_count(&b->evil, "\"method\": \"DELETE\", \"path\": \"" MANIFESTS "sha256:"), 2);
    free(m);
    free(coded);
}

/* A stand-in went, but the registry failed before it took the tag away. */
static void test_registry_remove__displaces_a_tag_until_it_is_gone(void **state)
{
    registry_bed *b = *state;
    char         *m = some_manifest("a"), *coded = base64_of(m);

    bed_registry(b, "[" NO_TAG_DELETE EMPTY_IS_THERE "{'method':'PUT','status':201},{'method':'DELETE','times':1,'status':202},"
                    "{'method':'DELETE','times':1,'status':500},{'method':'DELETE','times':1,'status':404},"
                    "{'method':'DELETE','status':202},{'method':'GET','path':'" MANIFESTS "v1','body_base64':'%s'}]", coded);
    assert_int_equal(remove_tag(b, "v1"), 0);
    assert_int_equal(bed_log_count(&b->evil, "\"method\": \"PUT\", \"path\": \"" MANIFESTS "v1"), 2);
    assert_int_equal(bed_log_count(&b->evil, "\"method\": \"DELETE\", \"path\": \"" MANIFESTS "sha256:"), 4);
    free(m);
    free(coded);
}

static void test_registry_remove__does_not_touch_a_tag_where_nothing_can_be_deleted(void **state)
{
    registry_bed *b = *state;
    char         *m = some_manifest("a"), *coded = base64_of(m);

    bed_registry(b, "[" NO_TAG_DELETE EMPTY_IS_THERE "{'method':'PUT','status':201},{'method':'DELETE','status':405},"
                    "{'method':'GET','path':'" MANIFESTS "v1','body_base64':'%s'}]", coded);
    assert_int_equal(remove_tag(b, "v1"), MLREG_ENOTSUP);
    assert_int_equal(bed_log_count(&b->evil, "\"method\": \"PUT\", \"path\": \"" MANIFESTS "v1"), 0);
    assert_non_null(b->err->hint);
    assert_false(b->place->can & MLREG_CAN_DELETE);
    free(m);
    free(coded);
}

static void test_registry_remove__puts_a_tag_back_that_it_could_not_remove(void **state)
{
    registry_bed *b = *state;
    char         *m = some_manifest("a"), *coded = base64_of(m);
    mlr_digest    d = digest_of(m);

    bed_registry(b, "[" NO_TAG_DELETE EMPTY_IS_THERE "{'method':'PUT','status':201},{'method':'DELETE','status':202,"
                    "'times':1},"
                    "{'method':'DELETE','status':403},{'method':'GET','path':'" MANIFESTS "v1',"
                    "'body_base64':'%s'}]", coded);
    assert_int_equal(remove_tag(b, "v1"), MLREG_EDENIED);
    assert_int_equal(bed_log_count(&b->evil, "\"method\": \"PUT\", \"path\": \"" MANIFESTS "v1"), 2);
    assert_int_equal(bed_log_count(&b->evil, mlr_digest_hex(&d)), 1);      /* the second of them holds what was there */
    free(m);
    free(coded);
}

static void test_registry_remove__deletes_a_manifest(void **state)
{
    registry_bed *b = *state;
    char         *m = some_manifest("a"), *coded = base64_of(m);
    mlr_digest    d = digest_of(m);
    mlr_ref       r = by_digest(&d);

    bed_registry(b, "[{'method':'DELETE','status':202},{'method':'GET','body_base64':'%s'}]", coded);
    assert_int_equal(mlr_place_remove(b->place, &r, NULL, &b->err), 0);
    assert_int_equal(bed_log_count(&b->evil, "\"method\": \"DELETE\""), 1);
    free(m);
    free(coded);
}

/* Old ones, and such as name content by another algorithm, can be read by nobody here; that they are unwanted is no wonder. */
static void test_registry_remove__deletes_a_manifest_of_a_kind_that_it_does_not_read(void **state)
{
    static const char *const kinds[] = {
        "{\"schemaVersion\":1,\"name\":\"x\",\"tag\":\"v1\",\"fsLayers\":[]}",
        "{\"schemaVersion\":2,\"layers\":[{\"mediaType\":\"a/b\",\"size\":1,\"digest\":\"other:1234\"}]}"};
    registry_bed *b = *state;
    mlr_digest    digests[] = {digest_of(kinds[0]), digest_of(kinds[1])};
    char         *coded[] = {base64_of(kinds[0]), base64_of(kinds[1])};

    bed_registry(b, "[{'method':'DELETE','status':202},{'method':'GET','path':'" MANIFESTS "%s','body_base64':'%s'},"
                    "{'method':'GET','path':'" MANIFESTS "%s','body_base64':'%s'}]",
                 digests[0].text, coded[0], digests[1].text, coded[1]);
    for (size_t i = 0; i < 2; i++) {
        mlr_ref r = by_digest(&digests[i]);

        assert_int_equal(mlr_place_remove(b->place, &r, NULL, &b->err), 0);
        free(coded[i]);
    }
    assert_int_equal(bed_log_count(&b->evil, "\"method\": \"DELETE\""), 2);
}

static void test_registry_remove__of_a_tag_with_a_digest_asks_where_it_is(void **state)
{
    registry_bed *b = *state;
    char         *m = some_manifest("a"), *coded = base64_of(m);
    mlr_ref       r = {(char *)REPO, (char *)"v1", {EMPTY_BLOB}};

    bed_registry(b, "[{'method':'DELETE','status':202},{'body_base64':'%s'}]", coded);
    assert_int_equal(mlr_place_remove(b->place, &r, NULL, &b->err), MLREG_ENOTFOUND);
    assert_int_equal(bed_log_count(&b->evil, "\"method\": \"DELETE\""), 0);
    free(m);
    free(coded);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        registry_test(test_registry_remove__deletes_a_tag),
        registry_test(test_registry_remove__says_that_a_tag_is_not_there),
        registry_test(test_registry_remove__displaces_a_tag_that_cannot_be_deleted),
        registry_test(test_registry_remove__displaces_a_tag_until_it_is_gone),
        registry_test(test_registry_remove__does_not_touch_a_tag_where_nothing_can_be_deleted),
        registry_test(test_registry_remove__puts_a_tag_back_that_it_could_not_remove),
        registry_test(test_registry_remove__deletes_a_manifest),
        registry_test(test_registry_remove__deletes_a_manifest_of_a_kind_that_it_does_not_read),
        registry_test(test_registry_remove__of_a_tag_with_a_digest_asks_where_it_is),
    };

    return cmocka_run_group_tests_name("place/registry_remove", tests, NULL, NULL);
}
