/* tests/place/test_registry_manifest.c - manifests resolved, read and written, whatever the registry answers. */
#include "place/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "place/registry_bed.h"

/* ---- resolving and reading ---- */

static void test_registry_resolve__takes_one_request_where_the_head_says_all(void **state)
{
    registry_bed  *b = *state;
    char          *m = some_manifest("a"), *coded = base64_of(m);
    mlr_digest     d = digest_of(m);
    mlr_ref        r = tagged("v1");
    mlr_descriptor found = {0};

    bed_registry(b, "[{'method':'HEAD','path':'" MANIFESTS "v1','headers':{'Content-Type':'"
                 MLR_TYPE_MANIFEST "; charset=utf-8',"
                    "'Docker-Content-Digest':'%s'},'body_base64':'%s'}]", d.text, coded);
    assert_int_equal(mlr_place_resolve(b->place, &r, NULL, &found, &b->err), 0);
    assert_string_equal(found.digest.text, d.text);
    assert_string_equal(found.media_type, MLR_TYPE_MANIFEST);
    assert_int_equal(found.bytes, strlen(m));
    assert_int_equal(n_requests(&b->evil), 1);
    assert_int_equal(bed_log_count(&b->evil, MLR_TYPE_MANIFEST ", " MLR_TYPE_INDEX ", " MLR_TYPE_DOCKER_MANIFEST ", "
                                                MLR_TYPE_DOCKER_LIST), 1);
    mlr_descriptor_done(&found);
    free(m);
    free(coded);
}

static void resolve_by_body(registry_bed *b, const char *head_rule)
{
    char          *m = some_manifest("a"), *coded = base64_of(m);
    mlr_digest     d = digest_of(m);
    mlr_ref        r = tagged("v1");
    mlr_descriptor found = {0};

    bed_registry(b,
                 "[%s{'path':'" MANIFESTS "v1','headers':{'Content-Type':'" MLR_TYPE_MANIFEST "'},'body_base64':'%s'}]",

                 head_rule, coded);
    assert_int_equal(mlr_place_resolve(b->place, &r, NULL, &found, &b->err), 0);
    assert_string_equal(found.digest.text, d.text);
    assert_int_equal(bed_log_count(&b->evil, "\"method\": \"GET\""), 1);
    mlr_descriptor_done(&found);
    free(m);
    free(coded);
}

static void test_registry_resolve__hashes_the_body_where_no_digest_is_told(void **state)
{
    resolve_by_body(*state, "");
}

static void test_registry_resolve__hashes_the_body_where_the_digest_told_is_of_another_kind(void **state)
{
    resolve_by_body(*state,
                    "{'method':'HEAD','headers':{'Docker-Content-Digest':'sha512:00','Content-Type':'" MLR_TYPE_MANIFEST
                            "'},'body':'xx'},");
}

static void test_registry_resolve__hashes_the_body_where_head_is_not_served(void **state)
{
    resolve_by_body(*state, "{'method':'HEAD','status':405},");
}

static void test_registry_resolve__says_what_is_not_there(void **state)
{
    registry_bed  *b = *state;
    mlr_ref        r = tagged("v1");
    mlr_descriptor found = {0};

    bed_registry(b, "[]");
    assert_int_equal(mlr_place_resolve(b->place, &r, NULL, &found, &b->err), MLREG_ENOTFOUND);
    assert_string_equal(b->err->subject, REPO ":v1");
    assert_string_equal(b->err->place, b->evil.host);
    assert_int_equal(b->err->http_status, 404);
}

static void test_registry_resolve__ends_a_loop_of_challenges(void **state)
{
    registry_bed  *b = *state;
    mlr_ref        r = tagged("v1");
    mlr_descriptor found = {0};

    bed_registry(b, "[{'path':'/token.*','body':'{`token`:`t$COUNT`}'},"
                    "{'status':401,'headers':{'WWW-Authenticate':'Bearer realm=`$URL/token`,service=`s`'}}]");
    assert_int_equal(mlr_place_resolve(b->place, &r, NULL, &found, &b->err), MLREG_EAUTH);
    assert_non_null(b->err->hint);
    assert_true(n_requests(&b->evil) <= 8);
}

/* One manifest of the repository, by the digest of `named`, where `sent` comes; the code. */
static int read_manifest(registry_bed *b, const char *named, const char *rule)
{
    mlr_digest    d = digest_of(named);
    mlr_ref       r = by_digest(&d);
    mlr_manifest *m = NULL;
    int           rc;

    bed_registry(b, "[%s]", rule);
    rc = mlr_place_manifest(b->place, &r, NULL, &m, &b->err);
    assert_true((rc == 0) == (m != NULL));
    mlr_manifest_free(m);
    return rc;
}

static char *rule_for(const char *body, const char *more)
{
    char *coded = base64_of(body), *rule = NULL;

    assert_true(asprintf(&rule, "{'path':'" MANIFESTS ".*','body_base64':'%s'%s}", coded, more) > 0);
    free(coded);
    return rule;
}

static void check_manifest_read(registry_bed *b, const char *sent, const char *more, int expected)
{
    char *named = some_manifest("a"), *rule = rule_for(sent != NULL ? sent : named, more);

    assert_int_equal(read_manifest(b, named, rule), expected);
    free(named);
    free(rule);
}

static void test_registry_manifest__is_read_by_digest(void **state)
{
    check_manifest_read(*state, NULL, ",'headers':{'Content-Type':'" MLR_TYPE_MANIFEST "'}", 0);
}

static void test_registry_manifest__of_another_digest_is_refused_whatever_the_header_says(void **state)
{
    char      *other = some_manifest("b"), *named = some_manifest("a"), more[200];
    mlr_digest d = digest_of(named);

    snprintf(more, sizeof more, ",'headers':{'Docker-Content-Digest':'%s'}", d.text);
    check_manifest_read(*state, other, more, MLREG_EDIGEST);
    free(other);
    free(named);
}

static void test_registry_manifest__of_another_type_than_announced_is_refused(void **state)
{
    check_manifest_read(*state, NULL, ",'headers':{'Content-Type':'" MLR_TYPE_INDEX "'}", MLREG_EPROTO);
}

static void test_registry_manifest__encoded_on_its_way_is_refused(void **state)
{
    check_manifest_read(*state, NULL, ",'headers':{'Content-Encoding':'gzip'}", MLREG_EPROTO);
    assert_non_null(((registry_bed *)*state)->err->hint);
}

static void test_registry_manifest__without_end_is_over_a_limit(void **state)
{
    check_manifest_read(*state, NULL, ",'do':'endless_body'", MLREG_ELIMIT);
}

static void test_registry_manifest__over_4_mib_is_over_a_limit(void **state)
{
    assert_int_equal(read_manifest(*state, "x", "{'size':4194305}"), MLREG_ELIMIT);
}

static void test_registry_manifest__cut_short_is_fetched_again(void **state)
{
    registry_bed *b = *state;
    char         *named = some_manifest("a"), *rule = rule_for(named, ",'do':'cut','sent':50,'times':1"), *both = NULL;
    char         *whole = rule_for(named, "");

    assert_true(asprintf(&both, "%s,%s", rule, whole) > 0);
    assert_int_equal(read_manifest(b, named, both), 0);
    assert_int_equal(n_requests(&b->evil), 2);
    free(named);
    free(rule);
    free(whole);
    free(both);
}

#define TORN "'status':400,'headers':{'Content-Type':'application/json'},'body':'{`errors`:[{`code`:`DIGEST_INVALID`," \
             "`message`:`provided digest did not match uploaded content`}]}'"

/* What docker-registry 2 says while another client makes it write a link anew. */
static void test_registry_manifest__whose_link_is_being_written_is_fetched_again(void **state)
{
    registry_bed *b = *state;
    char         *named = some_manifest("a"), *whole = rule_for(named, ""), *both = NULL;

    assert_true(asprintf(&both, "{'method':'GET'," TORN ",'times':2},%s", whole) > 0);
    assert_int_equal(read_manifest(b, named, both), 0);
    assert_int_equal(n_requests(&b->evil), 3);
    free(named);
    free(whole);
    free(both);
}

static void test_registry_manifest__html_is_no_manifest(void **state)
{
    registry_bed *b = *state;
    mlr_ref       r = tagged("v1");
    mlr_manifest *m = NULL;

    bed_registry(b, "[{'headers':{'Content-Type':'text/html'},'body':'<html>Welcome</html>'}]");
    assert_int_equal(mlr_place_manifest(b->place, &r, NULL, &m, &b->err), MLREG_EPROTO);
}

/* ---- writing ---- */

static int write_manifest(registry_bed *b, const char *tag, const char *text, const mlr_tag_rule *rule)
{
    mlr_manifest *m = parsed(text);
    mlr_ref       r = tagged(tag);
    int           rc = mlr_place_manifest_write(b->place, &r, rule, m, NULL, &b->err);

    mlr_manifest_free(m);
    return rc;
}

static void test_registry_manifest_write__puts_the_exact_bytes_under_their_type(void **state)
{
    registry_bed *b = *state;
    char         *m = some_manifest("a");
    mlr_digest    d = digest_of(m);

    bed_registry(b,
                 "[{'method':'PUT','path':'" MANIFESTS "v1','header':{'Content-Type':'.*oci.image.manifest.v1.json'},"
                 "'status':201}]");

    assert_int_equal(write_manifest(b, "v1", m, NULL), 0);
    assert_request(&b->evil, 1, "PUT", MANIFESTS "v1");
    assert_int_equal(bed_log_count(&b->evil, mlr_digest_hex(&d)), 1);
    free(m);
}

static void test_registry_manifest_write__without_a_tag_goes_by_digest(void **state)
{
    registry_bed *b = *state;
    char         *m = some_manifest("a"), path[200];
    mlr_digest    d = digest_of(m);

    bed_registry(b, "[{'method':'PUT','status':201}]");
    assert_int_equal(write_manifest(b, NULL, m, NULL), 0);
    snprintf(path, sizeof path, MANIFESTS "%s", d.text);
    assert_request(&b->evil, 0, "PUT", path);
    assert_int_equal(n_requests(&b->evil), 1);
    free(m);
}

/* The tag is at manifest "a"; what `text` under this rule gives, and whether it is PUT. */
static void check_tag_rule(registry_bed *b, const char *mark, mlr_tag_rule rule, int expected, size_t puts)
{
    char *now = some_manifest("a"), *coded = base64_of(now), *text = some_manifest(mark);

    bed_registry(b, "[{'method':'PUT','path':'" MANIFESTS "v1','status':201},{'path':'" MANIFESTS "v1',"
                    "'headers':{'Content-Type':'" MLR_TYPE_MANIFEST "'},'body_base64':'%s'}]", coded);
    assert_int_equal(write_manifest(b, "v1", text, &rule), expected);
    assert_int_equal(bed_log_count(&b->evil, "\"method\": \"PUT\""), puts);
    free(now);
    free(coded);
    free(text);
}

static void test_registry_manifest_write__leaves_a_tag_that_is_somewhere_else(void **state)
{
    registry_bed *b = *state;
    char         *there = some_manifest("a"), *wanted = some_manifest("b");

    check_tag_rule(b, "b", (mlr_tag_rule){false, {""}}, MLREG_EEXISTS, 0);
    assert_non_null(strstr(b->err->message, digest_of(there).text));
    assert_non_null(strstr(b->err->message, digest_of(wanted).text));
    assert_non_null(b->err->hint);
    free(there);
    free(wanted);
}

static void test_registry_manifest_write__moves_a_tag_when_told_to(void **state)
{
    check_tag_rule(*state, "b", (mlr_tag_rule){true, {""}}, 0, 1);
}

static void test_registry_manifest_write__moves_a_tag_off_the_digest_expected(void **state)
{
    char        *there = some_manifest("a");
    mlr_tag_rule rule = {true, digest_of(there)};

    check_tag_rule(*state, "b", rule, 0, 1);
    free(there);
}

static void test_registry_manifest_write__leaves_a_tag_that_is_not_at_the_digest_expected(void **state)
{
    check_tag_rule(*state, "b", (mlr_tag_rule){true, {EMPTY_BLOB}}, MLREG_EEXISTS, 0);
}

static void test_registry_manifest_write__writes_nothing_where_the_tag_is_right_already(void **state)
{
    check_tag_rule(*state, "a", (mlr_tag_rule){false, {""}}, 0, 0);
}

static void test_registry_manifest_write__tells_what_the_registry_says(void **state)
{
    registry_bed *b = *state;
    char         *m = some_manifest("a");

    bed_registry(b, "[{'method':'PUT','status':400,'headers':{'Content-Type':'application/json'},"
                    "'body':'{`errors`:[{`code`:"
                    "`MANIFEST_BLOB_UNKNOWN`,`message`:`blob unknown to registry`}]}'}]");
    assert_int_equal(write_manifest(b, "v1", m, NULL), MLREG_EPROTO);
    assert_string_equal(b->err->registry_code, "MANIFEST_BLOB_UNKNOWN");
    assert_int_equal(b->err->http_status, 400);
    free(m);
}

static void test_registry_manifest_write__is_repeated_where_a_link_is_being_written(void **state)
{
    registry_bed *b = *state;
    char         *m = some_manifest("a");

    bed_registry(b, "[{'method':'PUT'," TORN ",'times':2},{'method':'PUT','status':201}]");
    assert_int_equal(write_manifest(b, "v1", m, NULL), 0);
    assert_int_equal(bed_log_count(&b->evil, "\"PUT\""), 3);
    free(m);
}

static void test_registry_manifest_write__ends_where_digests_are_always_wrong(void **state)
{
    registry_bed *b = *state;
    char         *m = some_manifest("a");

    bed_registry(b, "[{'method':'PUT'," TORN "}]");
    assert_int_equal(write_manifest(b, "v1", m, NULL), MLREG_EPROTO);
    assert_string_equal(b->err->registry_code, "DIGEST_INVALID");
    assert_int_equal(bed_log_count(&b->evil, "\"PUT\""), 3);
    free(m);
}

static void test_registry_manifest_write__refuses_the_host_of_another_place_in_the_repository(void **state)
{
    registry_bed *b = *state;
    mlr_ref       r = {(char *)"127.0.0.1:5000/team/x", (char *)"v1", {""}};
    mlr_manifest *m = NULL;

    bed_registry(b, "[]");
    assert_int_equal(mlr_place_manifest(b->place, &r, NULL, &m, &b->err), MLREG_EINVAL);
    assert_int_equal(n_requests(&b->evil), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        registry_test(test_registry_resolve__takes_one_request_where_the_head_says_all),
        registry_test(test_registry_resolve__hashes_the_body_where_no_digest_is_told),
        registry_test(test_registry_resolve__hashes_the_body_where_the_digest_told_is_of_another_kind),
        registry_test(test_registry_resolve__hashes_the_body_where_head_is_not_served),
        registry_test(test_registry_resolve__says_what_is_not_there),
        registry_test(test_registry_resolve__ends_a_loop_of_challenges),
        registry_test(test_registry_manifest__is_read_by_digest),
        registry_test(test_registry_manifest__of_another_digest_is_refused_whatever_the_header_says),
        registry_test(test_registry_manifest__of_another_type_than_announced_is_refused),
        registry_test(test_registry_manifest__encoded_on_its_way_is_refused),
        registry_test(test_registry_manifest__without_end_is_over_a_limit),
        registry_test(test_registry_manifest__over_4_mib_is_over_a_limit),
        registry_test(test_registry_manifest__cut_short_is_fetched_again),
        registry_test(test_registry_manifest__whose_link_is_being_written_is_fetched_again),
        registry_test(test_registry_manifest__html_is_no_manifest),
        registry_test(test_registry_manifest_write__puts_the_exact_bytes_under_their_type),
        registry_test(test_registry_manifest_write__without_a_tag_goes_by_digest),
        registry_test(test_registry_manifest_write__leaves_a_tag_that_is_somewhere_else),
        registry_test(test_registry_manifest_write__moves_a_tag_when_told_to),
        registry_test(test_registry_manifest_write__moves_a_tag_off_the_digest_expected),
        registry_test(test_registry_manifest_write__leaves_a_tag_that_is_not_at_the_digest_expected),
        registry_test(test_registry_manifest_write__writes_nothing_where_the_tag_is_right_already),
        registry_test(test_registry_manifest_write__tells_what_the_registry_says),
        registry_test(test_registry_manifest_write__is_repeated_where_a_link_is_being_written),
        registry_test(test_registry_manifest_write__ends_where_digests_are_always_wrong),
        registry_test(test_registry_manifest_write__refuses_the_host_of_another_place_in_the_repository),
    };

    return cmocka_run_group_tests_name("place/registry_manifest", tests, NULL, NULL);
}
