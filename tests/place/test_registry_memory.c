/* tests/place/test_registry_memory.c - all that is done with a registry, with each allocation failing once. */
#include "place/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bed/failing_alloc.h"
#include "place/registry_bed.h"

/* Everything that is done with a registry, once; the first failure. */
static int use_all(registry_bed *b, const char *manifest)
{
    mlr_digest     d = digest_of(manifest), empty = {EMPTY_BLOB};
    mlr_ref        tag = tagged("v1"), digest = by_digest(&d);
    mlr_blob       blob = {REPO, empty, 2, NULL};
    mlr_tag_rule   move = {true, {""}};
    mlr_descriptor found = {0};
    mlr_manifest  *m = NULL;
    mlr_list      *tags = NULL, *repositories = NULL, *referrers = NULL;
    mlr_reader    *r = NULL, *source = NULL;
    mlr_digest     taken;
    char           two[2];
    int            rc;

    (void)((rc = mlr_place_resolve(b->place, &tag, NULL, &found, &b->err)) < 0 ||
           (rc = mlr_place_manifest(b->place, &digest, NULL, &m, &b->err)) < 0 ||
           (rc = mlr_place_tags(b->place, REPO, NULL, &tags, &b->err)) < 0 ||
           (rc = mlr_place_repositories(b->place, NULL, &repositories, &b->err)) < 0 ||
           (rc = mlr_place_blob_open(b->place, &blob, NULL, &r, &b->err)) < 0 ||
           (rc = (int)mlr_reader_read_at(r, 0, two, 2, NULL, &b->err)) < 0 ||
           (rc = mlr_reader_from_memory("{}", 2, "two bytes", &source, &b->err)) < 0 ||
           (rc = mlr_place_mount(b->place, &blob, "team/y", NULL, &b->err)) < 0 ||
           (rc = mlr_place_blob_write(b->place, &blob, source, NULL, &b->err)) < 0 ||
           (rc = mlr_place_blob_take(b->place, REPO, source, NULL, NULL, &taken, &b->err)) < 0 ||
           (rc = mlr_place_manifest_write(b->place, &tag, &move, m, NULL, &b->err)) < 0 ||
           (rc = mlr_place_referrers(b->place, REPO, &m->subject->digest, NULL, NULL, &referrers, &b->err)) < 0 ||
           (rc = mlr_place_remove(b->place, &digest, NULL, &b->err)) < 0);
    mlr_descriptor_done(&found);
    mlr_manifest_free(m);
    mlr_list_free(tags);
    mlr_list_free(repositories);
    mlr_list_free(referrers);
    mlr_reader_free(r);
    mlr_reader_free(source);
    return rc;
}

/* Runs `what` until no allocation is left to fail; it may then end with `expected`. */
static void sweep(registry_bed *b, int (*what)(registry_bed *b, const char *manifest), const char *manifest,
                  int expected)
{
    failing_alloc f;

    for (int n = 1, fired = 1; fired; n++) {
        int rc;

        failing_alloc_arm(&f, n, false);
        rc = what(b, manifest);
        fired = failing_alloc_disarm(&f);
        if (rc != expected && (!fired || rc != MLREG_ENOMEM))
            fail_msg("allocation %d%s: %d (%s)", n, fired ? "" : " (none failed)", rc,
                     b->err != NULL ? b->err->message : "");
        assert_int_equal(b->err != NULL, rc < 0);
        registry_bed_forget(b);
    }
}

static void test_registry__fails_cleanly_wherever_memory_is_out(void **state)
{
    registry_bed *b = *state;
    char         *m = some_referrer("application/vnd.test", EMPTY_BLOB,
                                    2), *coded = base64_of(m), *index = NULL, *coded_index;
    mlr_digest    d = digest_of(m);

    assert_true(asprintf(&index,
                         "{\"schemaVersion\":2,\"mediaType\":\"" MLR_TYPE_INDEX "\",\"manifests\":[{\"mediaType\":\""
                         MLR_TYPE_MANIFEST
                         "\",\"digest\":\"%s\",\"size\":%zu}]}",
                         d.text, strlen(m)) > 0);
    coded_index = base64_of(index);
    bed_registry(b, "[{'path':'/v2/team/x/referrers/.*','body_base64':'%s'},"
                    "{'method':'GET','path':'" MANIFESTS "sha256-.*','status':404},"
                    "{'method':'GET|HEAD','path':'" MANIFESTS ".*','body_base64':'%s'},"
                    "{'method':'PUT|DELETE','status':201,'headers':{'OCI-Subject':'" EMPTY_BLOB "'}},"
                    "{'method':'POST','status':202,'headers':{'Location':'/up?a=b'}},{'method':'PATCH','status':202},"
                    "{'path':'/v2/team/x/tags/list.*','body':'{`tags`:[`v1`,`v2`]}'},"
                    "{'path':'/v2/_catalog.*','body':'{`repositories`:[`team/x`]}'},{'path':'" BLOBS ".*',"
                    "'body':'{}'}]",
                 coded_index, coded);
    sweep(b, use_all, m, 0);
    free(m);
    free(coded);
    free(index);
    free(coded_index);
}

static int note(registry_bed *b, const char *manifest)
{
    mlr_manifest *m = NULL;
    mlr_ref       r = tagged(NULL);
    int           rc = mlr_manifest_parse(manifest, strlen(manifest), NULL, &m, &b->err);

    if (rc == 0)
        rc = mlr_place_manifest_write(b->place, &r, NULL, m, NULL, &b->err);
    mlr_manifest_free(m);
    return rc;
}

static void test_registry_referrers__are_not_noted_half_wherever_memory_is_out(void **state)
{
    registry_bed *b = *state;
    char         *m = some_referrer("application/vnd.test", EMPTY_BLOB, 2);

    bed_registry(b, "[{'method':'PUT','path':'" MANIFESTS "sha256-.*','status':403},{'method':'PUT','status':201},"
                    "{'path':'" MANIFESTS "sha256-.*','body':'{`schemaVersion`:2,`mediaType`:`" MLR_TYPE_INDEX "`,"
                    "`manifests`:[],"
                    "`annotations`:{`kept`:`yes`}}'}]");
    sweep(b, note, m, MLREG_EDENIED);
    free(m);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        registry_test(test_registry__fails_cleanly_wherever_memory_is_out),
        registry_test(test_registry_referrers__are_not_noted_half_wherever_memory_is_out),
    };

    return cmocka_run_group_tests_name("place/registry_memory", tests, NULL, NULL);
}
