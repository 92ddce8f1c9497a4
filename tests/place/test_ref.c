/* place/test_ref.c - references: what is taken apart, what is refused, and that every refusal says why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/error.h"
#include "place/ref.h"

#define HEX "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

typedef struct parsed {
    const char *text, *repo, *tag, *digest;
} parsed;

static void test_ref__takes_names_apart(void **state)
{
    static const parsed cases[] = {
        { "llama:v1", "llama", "v1", "" },
        { "llama", "llama", NULL, "" },
        { "team/llama:v1", "team/llama", "v1", "" },
        { "ghcr.io/team/llama:v1", "ghcr.io/team/llama", "v1", "" },
        { "127.0.0.1:5000/team/x", "127.0.0.1:5000/team/x", NULL, "" },
        { "127.0.0.1:5000/team/x:V_1.0-a", "127.0.0.1:5000/team/x", "V_1.0-a", "" },
        { "localhost:5000/x:1", "localhost:5000/x", "1", "" },
        { "[::1]:5000/x:1", "[::1]:5000/x", "1", "" },
        { "[::1]/x", "[::1]/x", NULL, "" },
        { "GHCR.io/team/x:V", "ghcr.io/team/x", "V", "" },
        { "a/b@sha256:" HEX, "a/b", NULL, "sha256:" HEX },
        { "a/b:t@sha256:" HEX, "a/b", "t", "sha256:" HEX },
        { ":t", "", "t", "" },
        { "@sha256:" HEX, "", NULL, "sha256:" HEX },
        { "", "", NULL, "" },
        { "a--b.c_d__e/0", "a--b.c_d__e/0", NULL, "" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mlr_ref r;
        assert_int_equal(mlr_ref_parse(cases[i].text, &r, NULL), 0);
        assert_string_equal(r.repo, cases[i].repo);
        if (cases[i].tag == NULL)
            assert_null(r.tag);
        else
            assert_string_equal(r.tag, cases[i].tag);
        assert_string_equal(r.digest.text, cases[i].digest);
        mlr_ref_done(&r);
    }
}

static void test_ref__text_is_what_was_parsed(void **state)
{
    static const char *const texts[] = { "a/b:t@sha256:" HEX, "a", "a:t", ":t", "@sha256:" HEX, "", "h:1/x" };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        mlr_ref r, c;
        assert_int_equal(mlr_ref_parse(texts[i], &r, NULL), 0);
        assert_int_equal(mlr_ref_copy(&r, &c, NULL), 0);
        char *text = mlr_ref_text(&c);
        assert_string_equal(text, texts[i]);
        mlr_free(text);
        mlr_ref_done(&r);
        mlr_ref_done(&c);
    }
}

static void test_ref__refuses_with_rule_and_hint(void **state)
{
    static const char *const texts[] = {
        "Team/llama:v1", "team/Llama", "a//b", "/a", "a/", "a_-b", "a..b", "a___b", "-a", "a-", ".a", "a b", "a:",
        "a:.t", "a:-t", "a:t t", "a/b:5000/c", "a/127.0.0.1:5000/c", "../a", "a/../b", "a/./b", "host:0/x",
        "host:65536/x", "host:123456/x", "host:/x", "[::1/x", "[zz]/x", "ho_st:5000/x", "-h.io:1/x", "h..io:1/x",
        HEX, "caf\xc3\xa9", "a\\b",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        mlr_ref      r;
        mlreg_error *err = NULL;
        assert_int_equal(mlr_ref_parse(texts[i], &r, &err), MLREG_EINVAL);
        assert_non_null(err->hint);
        assert_string_equal(err->subject, texts[i]);
        mlr_error_done(err);
    }
}

static void test_ref__an_error_stays_one_line(void **state)
{
    mlr_ref      r;
    mlreg_error *err = NULL;
    (void)state;
    assert_int_equal(mlr_ref_parse("a:t\nb", &r, &err), MLREG_EINVAL);
    assert_null(strchr(err->message, '\n'));
    assert_null(strchr(err->subject, '\n'));
    mlr_error_done(err);
}

static void test_ref__refuses_what_is_no_digest(void **state)
{
    static const char *const texts[] = { "a@", "a@sha256:", "a@sha256:12", "a@sha256:" HEX "0", "a@sha256:../../etc",
                                         "a@x" };
    mlr_ref r;
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(mlr_ref_parse(texts[i], &r, NULL), MLREG_EINVAL);
}

static void test_ref__a_tag_has_at_most_128_characters(void **state)
{
    char tag[MLR_TAG_MAX + 2];
    (void)state;
    memset(tag, 'x', sizeof(tag));
    tag[MLR_TAG_MAX] = 0;
    assert_int_equal(mlr_ref_check_tag(tag, NULL), 0);
    tag[MLR_TAG_MAX] = 'x';
    tag[MLR_TAG_MAX + 1] = 0;
    mlreg_error *err = NULL;
    assert_int_equal(mlr_ref_check_tag(tag, &err), MLREG_EINVAL);
    assert_non_null(strstr(err->message, "129"));
    mlr_error_done(err);
}

static void test_ref__a_repository_has_at_most_255_characters(void **state)
{
    char repo[MLR_NAME_MAX + 2];
    (void)state;
    memset(repo, 'x', sizeof(repo));
    repo[MLR_NAME_MAX] = 0;
    assert_int_equal(mlr_ref_check_repo(repo, false, NULL), 0);
    repo[MLR_NAME_MAX] = 'x';
    repo[MLR_NAME_MAX + 1] = 0;
    assert_int_equal(mlr_ref_check_repo(repo, false, NULL), MLREG_EINVAL);
}

static void test_ref__a_host_needs_to_be_asked_for(void **state)
{
    (void)state;
    assert_int_equal(mlr_ref_check_repo("127.0.0.1:5000/x", true, NULL), 0);
    assert_int_equal(mlr_ref_check_repo("127.0.0.1:5000/x", false, NULL), MLREG_EINVAL);
    assert_int_equal(mlr_ref_check_repo("127.0.0.1:5000", true, NULL), MLREG_EINVAL);
}

static void test_ref__the_digest_decides(void **state)
{
    mlr_ref r;
    (void)state;
    assert_int_equal(mlr_ref_parse("a:t@sha256:" HEX, &r, NULL), 0);
    assert_string_equal(mlr_ref_word(&r), "sha256:" HEX);
    mlr_ref_done(&r);
    assert_int_equal(mlr_ref_parse("a:t", &r, NULL), 0);
    assert_string_equal(mlr_ref_word(&r), "t");
    mlr_ref_done(&r);
    assert_int_equal(mlr_ref_parse("a", &r, NULL), 0);
    assert_null(mlr_ref_word(&r));
    mlr_ref_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ref__takes_names_apart),
        cmocka_unit_test(test_ref__text_is_what_was_parsed),
        cmocka_unit_test(test_ref__refuses_with_rule_and_hint),
        cmocka_unit_test(test_ref__an_error_stays_one_line),
        cmocka_unit_test(test_ref__refuses_what_is_no_digest),
        cmocka_unit_test(test_ref__a_tag_has_at_most_128_characters),
        cmocka_unit_test(test_ref__a_repository_has_at_most_255_characters),
        cmocka_unit_test(test_ref__a_host_needs_to_be_asked_for),
        cmocka_unit_test(test_ref__the_digest_decides),
    };
    return cmocka_run_group_tests_name("place/ref", tests, NULL, NULL);
}
