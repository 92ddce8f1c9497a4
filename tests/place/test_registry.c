/* tests/place/test_registry.c - opening and logging in; manifests, tags and removing, whatever the registry answers. */
#include "place/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "place/registry_bed.h"

/* ---- opening ---- */

static int open_at(const char *location, uint32_t flags, mlr_place **out, mlreg_error **err)
{
    mlreg_session_options o;
    mlr_runtime          *rt = NULL;
    int                   rc;

    MLREG_INIT(o);
    o.flags = flags;
    assert_int_equal(mlr_runtime_new(NULL, &rt, NULL), 0);
    rc = mlr_registry_open(location, &o, rt, NULL, out, err);
    mlr_runtime_unref(rt);
    return rc;
}

static void test_registry_open__knows_where_the_api_is(void **state)
{
    static const struct { const char *location; uint32_t flags; const char *name, *base; } cases[] = {
        {"https://ghcr.io", 0, "ghcr.io", "https://ghcr.io"},
        {"https://ghcr.io/", 0, "ghcr.io", "https://ghcr.io"},
        {"https://GHCR.io:443", 0, "ghcr.io", "https://ghcr.io"},
        {"https://reg.example:5000", 0, "reg.example:5000", "https://reg.example:5000"},
        {"http://127.0.0.1:5000", 0, "127.0.0.1:5000", "http://127.0.0.1:5000"},
        {"http://localhost", 0, "localhost", "http://localhost"},
        {"http://[::1]:5000", 0, "[::1]:5000", "http://[::1]:5000"},
        {"https://reg.example", MLREG_OPEN_PLAIN_HTTP, "reg.example", "http://reg.example"},
        {"https://reg.example:5000", MLREG_OPEN_PLAIN_HTTP, "reg.example:5000", "http://reg.example:5000"},
        {"http://reg.example", MLREG_OPEN_PLAIN_HTTP, "reg.example", "http://reg.example"},
        {"https://docker.io", 0, "docker.io", "https://registry-1.docker.io"},
        {"https://index.docker.io", 0, "docker.io", "https://registry-1.docker.io"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mlr_place *p = NULL;

        assert_int_equal(open_at(cases[i].location, cases[i].flags, &p, NULL), 0);
        assert_string_equal(p->name, cases[i].name);
        assert_string_equal(((mlr_registry *)p)->base, cases[i].base);
        mlr_place_close(p);
    }
}

static void test_registry_open__refuses_what_is_no_location(void **state)
{
    static const struct { const char *location; int rc; } cases[] = {
        {"http://reg.example", MLREG_EDENIED},      {"https://reg.example/team/x", MLREG_EINVAL},
        {"https://", MLREG_EINVAL},                 {"https://ann:secret@reg.example", MLREG_EINVAL},
        {"https://reg.example:0x50", MLREG_EINVAL}, {"https://reg.example/?x", MLREG_EINVAL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mlr_place   *p = NULL;
        mlreg_error *err = NULL;

        assert_int_equal(open_at(cases[i].location, 0, &p, &err), cases[i].rc);
        assert_null(p);
        assert_null(strstr(err->message, "secret"));
        mlr_error_done(err);
    }
}

static void test_registry_open__tells_one_origin_from_another(void **state)
{
    mlr_place *a = NULL, *b = NULL, *c = NULL;

    (void)state;
    assert_int_equal(open_at("https://docker.io", 0, &a, NULL), 0);
    assert_int_equal(open_at("https://registry-1.docker.io", 0, &b, NULL), 0);
    assert_int_equal(open_at("https://docker.io:8443", 0, &c, NULL), 0);
    assert_true(a->identity == b->identity);
    assert_true(a->identity != c->identity);
    mlr_place_close(a);
    mlr_place_close(b);
    mlr_place_close(c);
}

static void test_registry_open__puts_official_repositories_into_the_library(void **state)
{
    mlr_place *hub = NULL, *other = NULL;
    char      *name;

    (void)state;
    assert_int_equal(open_at("https://docker.io", 0, &hub, NULL), 0);
    assert_int_equal(open_at("https://ghcr.io", 0, &other, NULL), 0);
    name = mlr_registry_repo((mlr_registry *)hub, "alpine");
    assert_string_equal(name, "library/alpine");
    mlr_free(name);
    name = mlr_registry_repo((mlr_registry *)hub, "team/alpine");
    assert_string_equal(name, "team/alpine");
    mlr_free(name);
    name = mlr_registry_repo((mlr_registry *)other, "alpine");
    assert_string_equal(name, "alpine");
    mlr_free(name);
    mlr_place_close(hub);
    mlr_place_close(other);
}

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

/* ---- removing ---- */

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

/* ---- tags and repositories ---- */

#define TAGS "/v2/team/x/tags/list"

static int list_tags(registry_bed *b, mlr_list **out)
{
    return mlr_place_tags(b->place, REPO, NULL, out, &b->err);
}

static void test_registry_tags__follow_links(void **state)
{
    registry_bed *b = *state;
    mlr_list     *l = NULL;

    bed_registry(b, "[{'path':'" TAGS "[?]n=1000','headers':{'Link':'</elsewhere>; rel=`prev`, <"
                 TAGS "?page=2>; title=`a, b`;"
                    " rel=`next`'},'body':'{`name`:`team/x`,`tags`:[`v2`,`v1`]}'},"
                    "{'path':'" TAGS "[?]page=2','headers':{'Link':'<list?page=3>;rel=next'},'body':'{`tags`:[`v3`,"
                                     "`v1`]}'},"
                    "{'path':'" TAGS "[?]page=3','body':'{`tags`:[`v4`]}'}]");
    assert_int_equal(list_tags(b, &l), 0);
    assert_int_equal(l->n, 4);
    assert_string_equal(l->items[0].name, "v1");
    assert_string_equal(l->items[3].name, "v4");
    mlr_list_free(l);
}

static void test_registry_tags__may_be_none(void **state)
{
    registry_bed *b = *state;
    mlr_list     *l = NULL;

    bed_registry(b, "[{'body':'{`name`:`team/x`,`tags`:null}'}]");
    assert_int_equal(list_tags(b, &l), 0);
    assert_int_equal(l->n, 0);
    mlr_list_free(l);
}

static void check_tags_fail(registry_bed *b, int expected)
{
    mlr_list *l = NULL;

    assert_int_equal(list_tags(b, &l), expected);
    assert_null(l);
}

static void test_registry_tags__of_no_repository_are_not_found(void **state)
{
    bed_registry(*state, "[]");
    check_tags_fail(*state, MLREG_ENOTFOUND);
}

static void test_registry_tags__never_follow_a_link_to_another_origin(void **state)
{
    registry_bed *b = *state;

    bed_thief(b, "[{'body':'{`tags`:[`v2`]}'}]");
    bed_registry(b, "[{'headers':{'Link':'<%s" TAGS ">; rel=`next`'},'body':'{`tags`:[`v1`]}'}]", b->thief.url);
    check_tags_fail(b, MLREG_EPROTO);
    assert_int_equal(n_requests(&b->thief), 0);
}

static void test_registry_tags__without_end_are_over_a_limit(void **state)
{
    registry_bed *b = *state;

    bed_registry(b, "[{'headers':{'Link':'<?page=$COUNT>; rel=`next`'},'body':'{`tags`:[`v$COUNT`]}'}]");
    check_tags_fail(b, MLREG_ELIMIT);
    assert_int_equal(n_requests(&b->evil), 2000);
}

static void test_registry_tags__end_with_a_page_that_brings_nothing_new(void **state)
{
    registry_bed *b = *state;
    mlr_list     *l = NULL;

    bed_registry(b, "[{'headers':{'Link':'<?page=$COUNT>; rel=`next`'},'body':'{`tags`:[`v1`]}'}]");
    assert_int_equal(list_tags(b, &l), 0);
    assert_int_equal(l->n, 1);
    assert_int_equal(n_requests(&b->evil), 2);
    mlr_list_free(l);
}

/* `n` tags as JSON strings, the first called t<from>. */
static char *many_tags(size_t from, size_t n)
{
    char  *text = NULL;
    size_t len = 0;
    FILE  *to = open_memstream(&text, &len);

    fputs("{\"tags\":[", to);
    for (size_t i = 0; i < n; i++)
        fprintf(to, "%s\"t%zu\"", i > 0 ? "," : "", from + i);
    fputs("]}", to);
    fclose(to);
    return text;
}

static void test_registry_tags__go_on_behind_a_full_page_without_a_link(void **state)
{
    registry_bed *b = *state;
    mlr_list     *l = NULL;
    char         *first = many_tags(1000, 1000), *coded = base64_of(first);

    bed_registry(b, "[{'path':'" TAGS "[?]n=1000','body_base64':'%s'},"
                    "{'path':'" TAGS "[?]n=1000&last=t1999','body':'{`tags`:[`u`]}'}]", coded);
    assert_int_equal(list_tags(b, &l), 0);
    assert_int_equal(l->n, 1001);
    mlr_list_free(l);
    free(first);
    free(coded);
}

static void test_registry_tags__of_a_registry_that_knows_no_pages_are_asked_for_twice(void **state)
{
    registry_bed *b = *state;
    mlr_list     *l = NULL;
    char         *all = many_tags(0, 1500), *coded = base64_of(all);

    bed_registry(b, "[{'body_base64':'%s'}]", coded);
    assert_int_equal(list_tags(b, &l), 0);
    assert_int_equal(l->n, 1500);
    assert_int_equal(n_requests(&b->evil), 2);
    mlr_list_free(l);
    free(all);
    free(coded);
}

static void test_registry_tags__that_are_none_are_refused(void **state)
{
    registry_bed *b = *state;

    bed_registry(b, "[{'body':'{`tags`:[`v1`,`../../etc`]}'}]");
    check_tags_fail(b, MLREG_EPROTO);
}

static void test_registry_tags__html_is_no_list(void **state)
{
    registry_bed *b = *state;

    bed_registry(b, "[{'headers':{'Content-Type':'text/html'},'body':'<html>'}]");
    check_tags_fail(b, MLREG_EPROTO);
}

static void test_registry_tags__a_list_of_something_else_is_refused(void **state)
{
    registry_bed *b = *state;

    bed_registry(b, "[{'body':'{`tags`:{`v1`:1}}'}]");
    check_tags_fail(b, MLREG_EPROTO);
}

static void test_registry_repositories__are_listed(void **state)
{
    registry_bed *b = *state;
    mlr_list     *l = NULL;

    bed_registry(b, "[{'path':'/v2/_catalog.*','body':'{`repositories`:[`team/y`,`team/x`]}'}]");
    assert_int_equal(mlr_place_repositories(b->place, NULL, &l, &b->err), 0);
    assert_int_equal(l->n, 2);
    assert_string_equal(l->items[0].name, "team/x");
    mlr_list_free(l);
}

static void check_no_catalogue(registry_bed *b, const char *rule)
{
    mlr_list *l = NULL;

    bed_registry(b, "[%s]", rule);
    assert_int_equal(mlr_place_repositories(b->place, NULL, &l, &b->err), MLREG_ENOTSUP);
    assert_non_null(b->err->hint);
}

static void test_registry_repositories__may_not_be_there(void **state)
{
    check_no_catalogue(*state, "");
}

static void test_registry_repositories__may_be_forbidden(void **state)
{
    check_no_catalogue(*state, "{'status':403}");
}

static void test_registry_repositories__may_need_rights_that_nobody_has(void **state)
{
    check_no_catalogue(*state, "{'status':401,'headers':{'WWW-Authenticate':'Basic realm=`x`'}}");
}

/* ---- logging in ---- */

#define WANTS_ANN "{'path':'/v2/','header':{'Authorization':'Basic " SECRET_SENT "'}}," \
                  "{'status':401,'headers':{'WWW-Authenticate':'Basic realm=`x`'}}"

static void test_registry_login__keeps_what_the_registry_accepts(void **state)
{
    registry_bed *b = *state;
    char         *where = NULL, *file = bed_path(b->home, "config.json"), text[4096] = "";
    FILE         *f;

    bed_registry(b, "[" WANTS_ANN "]");
    assert_int_equal(mlr_place_login(b->place, "ann", SECRET, NULL, &where, &b->err), 0);
    assert_string_equal(where, file);
    assert_non_null(f = fopen(file, "re"));
    assert_true(fread(text, 1, sizeof text - 1, f) > 0);
    fclose(f);
    assert_non_null(strstr(text, b->evil.host));
    assert_non_null(strstr(text, SECRET_SENT));
    mlr_free(where);
    free(file);
}

static void test_registry_login__keeps_nothing_that_is_refused(void **state)
{
    registry_bed *b = *state;
    char         *where = NULL, *file = bed_path(b->home, "config.json");

    bed_registry(b, "[" WANTS_ANN "]");
    assert_int_equal(mlr_place_login(b->place, "ann", "wrong", NULL, &where, &b->err), MLREG_EAUTH);
    assert_null(where);
    assert_null(fopen(file, "re"));
    free(file);
}

static void test_registry_login__wants_a_registry(void **state)
{
    registry_bed *b = *state;
    char         *where = NULL;

    bed_registry(b, "[]");
    assert_int_equal(mlr_place_login(b->place, "ann", SECRET, NULL, &where, &b->err), MLREG_ENOTFOUND);
}

static void test_registry_logout__forgets_once(void **state)
{
    registry_bed *b = *state;
    char         *where = NULL;

    bed_registry(b, "[" WANTS_ANN "]");
    assert_int_equal(mlr_place_login(b->place, "ann", SECRET, NULL, &where, &b->err), 0);
    mlr_free(where);
    where = NULL;
    assert_int_equal(mlr_place_login(b->place, NULL, NULL, NULL, &where, &b->err), 0);
    mlr_free(where);
    where = NULL;
    assert_int_equal(mlr_place_login(b->place, NULL, NULL, NULL, &where, &b->err), MLREG_ENOTFOUND);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry_open__knows_where_the_api_is),
        cmocka_unit_test(test_registry_open__refuses_what_is_no_location),
        cmocka_unit_test(test_registry_open__tells_one_origin_from_another),
        cmocka_unit_test(test_registry_open__puts_official_repositories_into_the_library),
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
        registry_test(test_registry_remove__deletes_a_tag),
        registry_test(test_registry_remove__says_that_a_tag_is_not_there),
        registry_test(test_registry_remove__displaces_a_tag_that_cannot_be_deleted),
        registry_test(test_registry_remove__displaces_a_tag_until_it_is_gone),
        registry_test(test_registry_remove__does_not_touch_a_tag_where_nothing_can_be_deleted),
        registry_test(test_registry_remove__puts_a_tag_back_that_it_could_not_remove),
        registry_test(test_registry_remove__deletes_a_manifest),
        registry_test(test_registry_remove__of_a_tag_with_a_digest_asks_where_it_is),
        registry_test(test_registry_tags__follow_links),
        registry_test(test_registry_tags__may_be_none),
        registry_test(test_registry_tags__of_no_repository_are_not_found),
        registry_test(test_registry_tags__never_follow_a_link_to_another_origin),
        registry_test(test_registry_tags__without_end_are_over_a_limit),
        registry_test(test_registry_tags__end_with_a_page_that_brings_nothing_new),
        registry_test(test_registry_tags__go_on_behind_a_full_page_without_a_link),
        registry_test(test_registry_tags__of_a_registry_that_knows_no_pages_are_asked_for_twice),
        registry_test(test_registry_tags__that_are_none_are_refused),
        registry_test(test_registry_tags__html_is_no_list),
        registry_test(test_registry_tags__a_list_of_something_else_is_refused),
        registry_test(test_registry_repositories__are_listed),
        registry_test(test_registry_repositories__may_not_be_there),
        registry_test(test_registry_repositories__may_be_forbidden),
        registry_test(test_registry_repositories__may_need_rights_that_nobody_has),
        registry_test(test_registry_login__keeps_what_the_registry_accepts),
        registry_test(test_registry_login__keeps_nothing_that_is_refused),
        registry_test(test_registry_login__wants_a_registry),
        registry_test(test_registry_logout__forgets_once),
    };

    return cmocka_run_group_tests_name("place/registry", tests, NULL, NULL);
}
