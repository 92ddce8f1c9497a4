/* tests/place/test_registry_referrers.c - what refers to a manifest: by the API, by the fallback tag, and by lies. */
#include "place/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "place/registry_bed.h"

#define TYPE_A "application/vnd.test.a"
#define TYPE_B "application/vnd.test.b"
#define NO_API "{'path':'/v2/team/x/referrers/.*','status':404},"

/* A subject, two manifests that refer to it, and one that only says so in the list: its own subject is another. */
typedef struct family {
    char      *subject, *a, *b, *liar;
    mlr_digest subject_is, a_is, b_is, liar_is;
    char       tag[80];
} family;

static family make_family(void)
{
    family f = {.subject = some_manifest("subject")};

    f.subject_is = digest_of(f.subject);
    f.a = some_referrer(TYPE_A, f.subject_is.text, strlen(f.subject));
    f.b = some_referrer(TYPE_B, f.subject_is.text, strlen(f.subject));
    f.liar = some_referrer(TYPE_A, EMPTY_BLOB, 2);
    f.a_is = digest_of(f.a);
    f.b_is = digest_of(f.b);
    f.liar_is = digest_of(f.liar);
    snprintf(f.tag, sizeof f.tag, "sha256-%s", mlr_digest_hex(&f.subject_is));
    return f;
}

static void free_family(family *f)
{
    free(f->subject);
    free(f->a);
    free(f->b);
    free(f->liar);
}

static void print_entry(FILE *to, const char *text, const char *before)
{
    mlr_digest d = digest_of(text);

    fprintf(to, "%s{\"mediaType\":\"" MLR_TYPE_MANIFEST "\",\"digest\":\"%s\",\"size\":%zu}", before, d.text,
            strlen(text));
}

/* An index of the manifests given, up to a NULL; free() it. */
static char *index_of(const char *first, ...)
{
    va_list     args;
    char       *text = NULL;
    size_t      len = 0;
    FILE       *to = open_memstream(&text, &len);
    const char *before = "";

    fputs("{\"schemaVersion\":2,\"mediaType\":\"" MLR_TYPE_INDEX "\",\"manifests\":[", to);
    va_start(args, first);
    for (const char *m = first; m != NULL; m = va_arg(args, const char *)) {
        print_entry(to, m, before);
        before = ",";
    }
    va_end(args);
    fputs("],\"annotations\":{\"kept\":\"yes\"}}", to);
    fclose(to);
    return text;
}

/* The rules that serve a manifest by its digest. */
static char *serve(const char *text)
{
    char      *coded = base64_of(text), *rule = NULL;
    mlr_digest d = digest_of(text);

    assert_true(asprintf(&rule, "{'method':'GET','path':'" MANIFESTS "%s','body_base64':'%s'},", d.text, coded) > 0);
    free(coded);
    return rule;
}

static void serve_family(registry_bed *bed, const family *f, const char *first_rules)
{
    char *a = serve(f->a), *b = serve(f->b), *liar = serve(f->liar);

    bed_registry(bed, "[%s%s%s%s{'path':'/nothing'}]", first_rules, a, b, liar);
    free(a);
    free(b);
    free(liar);
}

static char *rule_of_index(const char *path, const char *index)
{
    char *coded = base64_of(index), *rule = NULL;

    assert_true(asprintf(&rule,
                         "{'method':'GET','path':'%s','headers':{'Content-Type':'" MLR_TYPE_INDEX "'},"
                         "'body_base64':'%s'},", path,
                         coded) > 0);
    free(coded);
    return rule;
}

static mlr_list *list_referrers(registry_bed *bed, const family *f, const char *type)
{
    mlr_list *l = NULL;

    assert_int_equal(mlr_place_referrers(bed->place, REPO, &f->subject_is, type, NULL, &l, &bed->err), 0);
    return l;
}

static bool holds(const mlr_list *l, const mlr_digest *d)
{
    for (size_t i = 0; i < l->n; i++)
        if (mlr_digest_equal(&l->items[i].descriptor->digest, d))
            return true;
    return false;
}

/* ---- listing ---- */

static void test_registry_referrers__come_from_the_api_and_are_who_they_say(void **state)
{
    registry_bed *bed = *state;
    family        f = make_family();
    char         *index = index_of(f.a, f.b, f.liar, NULL), *rule = rule_of_index("/v2/team/x/referrers/.*", index);
    mlr_list     *l;

    serve_family(bed, &f, rule);
    l = list_referrers(bed, &f, NULL);
    assert_int_equal(l->n, 2);
    assert_true(holds(l, &f.a_is) && holds(l, &f.b_is));
    mlr_list_free(l);
    l = list_referrers(bed, &f, TYPE_B);
    assert_int_equal(l->n, 1);
    assert_true(holds(l, &f.b_is));
    mlr_list_free(l);
    free(index);
    free(rule);
    free_family(&f);
}

static void test_registry_referrers__come_in_pages(void **state)
{
    registry_bed *bed = *state;
    family        f = make_family();
    char         *one = index_of(f.a, NULL), *two = index_of(f.b, NULL), *coded = base64_of(one), *first = NULL;
    char         *second = rule_of_index("/v2/team/x/referrers/.*page=2", two);
    mlr_list     *l;

    assert_true(asprintf(&first, "%s{'path':'/v2/team/x/referrers/.*','headers':{'Content-Type':'" MLR_TYPE_INDEX
                                 "','Link':'<?page=2>; rel=`next`'},'body_base64':'%s'},", second, coded) > 0);
    serve_family(bed, &f, first);
    l = list_referrers(bed, &f, NULL);
    assert_int_equal(l->n, 2);
    mlr_list_free(l);
    free(one);
    free(two);
    free(coded);
    free(first);
    free(second);
    free_family(&f);
}

static void check_fallback(registry_bed *bed, const char *api_rule)
{
    family    f = make_family();
    char      path[200], *index = index_of(f.a, f.liar, NULL), *rule, *rules = NULL;
    mlr_list *l;

    snprintf(path, sizeof path, MANIFESTS "%s", f.tag);
    rule = rule_of_index(path, index);
    assert_true(asprintf(&rules, "%s%s", api_rule, rule) > 0);
    serve_family(bed, &f, rules);
    l = list_referrers(bed, &f, NULL);
    assert_int_equal(l->n, 1);
    assert_true(holds(l, &f.a_is));
    mlr_list_free(l);
    free(index);
    free(rule);
    free(rules);
    free_family(&f);
}

static void test_registry_referrers__come_from_the_tag_where_there_is_no_api(void **state)
{
    check_fallback(*state, NO_API);
}

static void test_registry_referrers__come_from_the_tag_where_the_api_is_not_acceptable(void **state)
{
    check_fallback(*state, "{'path':'/v2/team/x/referrers/.*','status':406},");
}

static void test_registry_referrers__come_from_the_tag_where_a_front_page_answers(void **state)
{
    check_fallback(*state,
                   "{'path':'/v2/team/x/referrers/.*','headers':{'Content-Type':'text/html'},'body':'<html>'},");
}

static void check_none(registry_bed *bed, const family *f, const char *rules)
{
    mlr_list *l;

    serve_family(bed, f, rules);
    l = list_referrers(bed, f, NULL);
    assert_int_equal(l->n, 0);
    mlr_list_free(l);
}

static void test_registry_referrers__are_none_where_there_is_no_tag(void **state)
{
    family f = make_family();

    check_none(*state, &f, NO_API);
    free_family(&f);
}

static void test_registry_referrers__are_none_where_the_tag_is_the_subject_itself(void **state)
{
    family f = make_family();
    char   path[200], *rule, *coded = base64_of(f.subject);

    snprintf(path, sizeof path, MANIFESTS "%s", f.tag);
    assert_true(asprintf(&rule, NO_API "{'path':'%s','body_base64':'%s'},", path, coded) > 0);
    check_none(*state, &f, rule);
    free(rule);
    free(coded);
    free_family(&f);
}

static void test_registry_referrers__fail_where_the_tag_is_something_else(void **state)
{
    registry_bed *bed = *state;
    family        f = make_family();
    char          path[200], *rule, *coded = base64_of(f.a);
    mlr_list     *l = NULL;

    snprintf(path, sizeof path, MANIFESTS "%s", f.tag);
    assert_true(asprintf(&rule, NO_API "{'path':'%s','body_base64':'%s'},", path, coded) > 0);
    serve_family(bed, &f, rule);
    assert_int_equal(mlr_place_referrers(bed->place, REPO, &f.subject_is, NULL, NULL, &l, &bed->err), MLREG_EPROTO);
    assert_null(l);
    free(rule);
    free(coded);
    free_family(&f);
}

static void test_registry_referrers__without_end_are_over_a_limit(void **state)
{
    registry_bed *bed = *state;
    family        f = make_family();
    mlr_list     *l = NULL;
    char         *text = NULL, *coded;
    size_t        len = 0;
    FILE         *to = open_memstream(&text, &len);

    fputs("{\"manifests\":[", to);
    for (int i = 0; i < 1000; i++)
        print_entry(to, f.a, i > 0 ? "," : "");
    fputs("]}", to);
    fclose(to);
    coded = base64_of(text);
    bed_registry(bed, "[{'headers':{'Link':'<?page=$COUNT>; rel=`next`'},'body_base64':'%s'}]", coded);
    assert_int_equal(mlr_place_referrers(bed->place, REPO, &f.subject_is, NULL, NULL, &l, &bed->err), MLREG_ELIMIT);
    assert_int_equal(n_requests(&bed->evil), 11);
    free(text);
    free(coded);
    free_family(&f);
}

/* ---- keeping the tag ---- */

static int write_referrer(registry_bed *bed, const char *text)
{
    mlr_manifest *m = parsed(text);
    mlr_ref       r = tagged(NULL);
    int           rc = mlr_place_manifest_write(bed->place, &r, NULL, m, NULL, &bed->err);

    mlr_manifest_free(m);
    return rc;
}

static void test_registry_referrers__that_the_registry_indexes_are_left_to_it(void **state)
{
    registry_bed *bed = *state;
    family        f = make_family();
    char         *index = index_of(NULL), *rule = rule_of_index("/v2/team/x/referrers/.*", index), *rules = NULL;

    assert_true(asprintf(&rules, "%s{'method':'PUT','status':201,'headers':{'OCI-Subject':'%s'}},", rule,
                         f.subject_is.text) > 0);
    serve_family(bed, &f, rules);
    assert_int_equal(write_referrer(bed, f.a), 0);
    assert_int_equal(bed_log_count(&bed->evil, f.tag), 0);
    assert_int_equal(write_referrer(bed, f.b), 0);
    assert_int_equal(bed_log_count(&bed->evil, "/referrers/"), 1);       /* the API is looked for once */
    free(index);
    free(rule);
    free(rules);
    free_family(&f);
}

/* The tag answers `before` (NULL: 404) once and then `after`; what is written comes back, from the log. */
static char *note_in(registry_bed *bed, const family *f, const char *put_headers, const char *before,
                     const char *after, size_t puts)
{
    char *was = before != NULL ? base64_of(before) : NULL, *is = base64_of(after), *rules = NULL, *log, *found;

    assert_true(asprintf(&rules, NO_API "{'method':'PUT','path':'" MANIFESTS "sha256:.*','status':201%s},"
                                 "{'method':'PUT','path':'" MANIFESTS "sha256-.*','status':201},"
                                 "{'method':'GET','path':'" MANIFESTS "%s','times':1,'status':%d,'body_base64':'%s'},"
                                 "{'method':'GET','path':'" MANIFESTS "%s','body_base64':'%s'},",
                         put_headers, f->tag, was != NULL ? 200 : 404, was != NULL ? was : "", f->tag, is) > 0);
    serve_family(bed, f, rules);
    assert_int_equal(write_referrer(bed, f->a), 0);
    assert_int_equal(bed_log_count(&bed->evil, "\"method\": \"PUT\", \"path\": \"" MANIFESTS "sha256-"), puts);
    log = bed_log_text(&bed->evil);
    found = strstr(log, "\"method\": \"PUT\", \"path\": \"" MANIFESTS "sha256-");
    found = found != NULL ? strdup(found) : NULL;
    free(log);
    free(rules);
    free(was);
    free(is);
    return found;
}

static void test_registry_referrers__are_noted_in_the_tag_where_there_is_no_api(void **state)
{
    registry_bed *bed = *state;
    family        f = make_family();
    char         *after = index_of(f.a, NULL), *put = note_in(bed, &f, "", NULL, after, 1);

    assert_non_null(strstr(put, f.a_is.text));
    assert_non_null(strstr(put, MLR_TYPE_INDEX));
    assert_non_null(strstr(put, "\\\"artifactType\\\":\\\"" TYPE_A));
    assert_non_null(strstr(put, "\\\"annotations\\\":{\\\"why\\\":\\\"test\\\"}"));
    free(after);
    free(put);
    free_family(&f);
}

static void test_registry_referrers__are_noted_where_the_registry_only_says_that_it_did(void **state)
{
    registry_bed *bed = *state;
    family        f = make_family();
    char          headers[200], *after = index_of(f.a, NULL), *put;

    snprintf(headers, sizeof headers, ",'headers':{'OCI-Subject':'%s'}", f.subject_is.text);
    put = note_in(bed, &f, headers, NULL, after, 1);
    free(after);
    free(put);
    free_family(&f);
}

static void test_registry_referrers__are_noted_beside_those_that_are_there(void **state)
{
    registry_bed *bed = *state;
    family        f = make_family();
    char         *before = index_of(f.b, NULL), *after = index_of(f.b, f.a, NULL), *put = note_in(bed, &f, "", before,
                                                                                                  after, 1);

    assert_non_null(strstr(put, f.b_is.text));
    assert_non_null(strstr(put, f.a_is.text));
    assert_non_null(strstr(put, "\\\"kept\\\":\\\"yes\\\""));
    free(before);
    free(after);
    free(put);
    free_family(&f);
}

static void test_registry_referrers__are_not_noted_twice(void **state)
{
    registry_bed *bed = *state;
    family        f = make_family();
    char         *there = index_of(f.b, f.a, NULL), *put = note_in(bed, &f, "", there, there, 0);

    assert_null(put);
    free(there);
    free_family(&f);
}

static void test_registry_referrers__are_noted_again_where_somebody_wrote_over_it(void **state)
{
    registry_bed *bed = *state;
    family        f = make_family();
    char         *lost = index_of(f.b, NULL), *kept = index_of(f.b, f.a,
                                                               NULL), *first = base64_of(lost), *then = base64_of(kept);
    char         *rules = NULL;

    assert_true(asprintf(&rules, NO_API "{'method':'PUT','path':'" MANIFESTS "sha256-.*','times':1,'status':412},"
                                 "{'method':'PUT','status':201},{'method':'GET','path':'" MANIFESTS "%s','times':3,"
                                 "'headers':"
                                 "{'ETag':'`7`'},'body_base64':'%s'},{'method':'GET','path':'" MANIFESTS "%s',"
                                 "'body_base64':'%s'},",
                         f.tag, first, f.tag, then) > 0);
    serve_family(bed, &f, rules);
    assert_int_equal(write_referrer(bed, f.a), 0);
    assert_int_equal(bed_log_count(&bed->evil, "\"method\": \"PUT\", \"path\": \"" MANIFESTS "sha256-"), 3);
    assert_true(bed_log_count(&bed->evil, "[\"If-Match\", \"\\\"7\\\"\"]") >= 2);
    free(lost);
    free(kept);
    free(first);
    free(then);
    free(rules);
    free_family(&f);
}

static void test_registry_referrers__are_given_up_where_the_tag_never_stays(void **state)
{
    registry_bed *bed = *state;
    family        f = make_family();

    serve_family(bed, &f, NO_API "{'method':'PUT','status':201},");
    assert_int_equal(write_referrer(bed, f.a), MLREG_EBUSY);
    assert_non_null(bed->err->hint);
    free_family(&f);
}

static void test_registry_referrers__leave_the_tag_with_what_is_deleted(void **state)
{
    registry_bed *bed = *state;
    family        f = make_family();
    mlr_ref       r = by_digest(&f.a_is);
    char         *before = index_of(f.b, f.a, NULL), *after = index_of(f.b, NULL);
    char         *was = base64_of(before), *is = base64_of(after);
    char         *rules = NULL, *log, *put;

    assert_true(asprintf(&rules, "{'method':'DELETE','status':202},{'method':'PUT','status':201},"
                                 "{'method':'GET','path':'" MANIFESTS "%s','times':1,'body_base64':'%s'},"
                                 "{'method':'GET','path':'" MANIFESTS "%s',"
                                 "'body_base64':'%s'},", f.tag, was, f.tag, is) > 0);
    serve_family(bed, &f, rules);
    assert_int_equal(mlr_place_remove(bed->place, &r, NULL, &bed->err), 0);
    log = bed_log_text(&bed->evil);
    assert_non_null(put = strstr(log, "\"method\": \"PUT\", \"path\": \"" MANIFESTS "sha256-"));
    assert_null(strstr(put, f.a_is.text));
    assert_non_null(strstr(put, f.b_is.text));
    free(log);
    free(before);
    free(after);
    free(was);
    free(is);
    free(rules);
    free_family(&f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        registry_test(test_registry_referrers__come_from_the_api_and_are_who_they_say),
        registry_test(test_registry_referrers__come_in_pages),
        registry_test(test_registry_referrers__come_from_the_tag_where_there_is_no_api),
        registry_test(test_registry_referrers__come_from_the_tag_where_the_api_is_not_acceptable),
        registry_test(test_registry_referrers__come_from_the_tag_where_a_front_page_answers),
        registry_test(test_registry_referrers__are_none_where_there_is_no_tag),
        registry_test(test_registry_referrers__are_none_where_the_tag_is_the_subject_itself),
        registry_test(test_registry_referrers__fail_where_the_tag_is_something_else),
        registry_test(test_registry_referrers__without_end_are_over_a_limit),
        registry_test(test_registry_referrers__that_the_registry_indexes_are_left_to_it),
        registry_test(test_registry_referrers__are_noted_in_the_tag_where_there_is_no_api),
        registry_test(test_registry_referrers__are_noted_where_the_registry_only_says_that_it_did),
        registry_test(test_registry_referrers__are_noted_beside_those_that_are_there),
        registry_test(test_registry_referrers__are_not_noted_twice),
        registry_test(test_registry_referrers__are_noted_again_where_somebody_wrote_over_it),
        registry_test(test_registry_referrers__are_given_up_where_the_tag_never_stays),
        registry_test(test_registry_referrers__leave_the_tag_with_what_is_deleted),
    };

    return cmocka_run_group_tests_name("place/registry_referrers", tests, NULL, NULL);
}
