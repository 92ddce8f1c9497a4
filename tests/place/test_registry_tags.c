/* tests/place/test_registry_tags.c - tags and repositories listed, page by page. */
#include "place/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "place/registry_bed.h"

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

int main(void)
{
    static const struct CMUnitTest tests[] = {
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
    };

    return cmocka_run_group_tests_name("place/registry_tags", tests, NULL, NULL);
}
