/* tests/model/test_glob.c - patterns that choose files. */
#include "model/glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void test_glob__matches_as_people_expect(void **state)
{
    static const struct { const char *pattern, *path; bool matches; } cases[] = {
        { "*.json", "config.json", true },           { "*.json", "a/b/config.json", true },
        { "*.json", "config.jsonl", false },         { "config.???", "config.yml", true },
        { "a/*.json", "a/config.json", true },       { "a/*.json", "a/b/config.json", false },
        { "a/**", "a/b/c", true },                   { "a/**/c", "a/c", true },
        { "a/**/c", "a/x/y/c", true },               { "a/**/c", "b/c", false },
        { "**/*.bin", "m.bin", true },               { "**/*.bin", "x/y/m.bin", true },
        { "**/m.bin", "x.m.bin", false },            { "**/m.bin", "x/y/m.bin", true },
        { "a/**/c", "a/xc", false },                 { "a/**/c", "a/x/yc", false },
        { "a/**/**/c", "a/c", true },                { "a/**/b/*.c", "a/b/b/x.c", true },
        { "a**/c", "ax/y/c", true },                 { "a/**/", "a/b/c", true },
        { "a/**b", "a/x/ab", true },                 { "**/a*/**/b", "x/ab/c/b", true },
        { "*", "x", true },                          { "*", "x/y", true },
        { "/*", "x", false },                        { "", "x", false },
        { "a*b*c", "a__b__b_c", true },              { "a*b*c", "a__b__b_d", false },
        { "m?del", "mdel", false },                  { "a/?/c", "a///c", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (mlr_glob_match(cases[i].pattern, cases[i].path) != cases[i].matches)
            fail_msg("\"%s\" against \"%s\" should be %d", cases[i].pattern, cases[i].path, cases[i].matches);
}

static void test_glob__many_stars_take_no_exponential_time(void **state)
{
    char path[4097];

    (void)state;
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_false(mlr_glob_match("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", path));
    assert_false(mlr_glob_match("**/a*/**/a*/**/a*/**/b", path));
}

static void test_glob__exclude_wins_over_include(void **state)
{
    const char *include[] = { "*.json" }, *exclude[] = { "token*" };
    mlr_checkout how = { include, exclude, 1, 1 }, none = { 0 };

    (void)state;
    assert_true(mlr_glob_selected(&how, "config.json"));
    assert_false(mlr_glob_selected(&how, "tokenizer.json"));
    assert_false(mlr_glob_selected(&how, "model.bin"));
    assert_true(mlr_glob_selected(&none, "model.bin"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_glob__matches_as_people_expect),
        cmocka_unit_test(test_glob__many_stars_take_no_exponential_time),
        cmocka_unit_test(test_glob__exclude_wins_over_include),
    };
    return cmocka_run_group_tests_name("model/glob", tests, NULL, NULL);
}
