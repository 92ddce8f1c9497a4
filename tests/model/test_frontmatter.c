/* tests/model/test_frontmatter.c - single values out of the front matter of a README. */
#include "model/frontmatter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void assert_value(const char *text, const char *key, const char *want)
{
    char got[16];

    if (!mlr_frontmatter_get(text, key, got, sizeof got))
        got[0] = '\0';
    assert_string_equal(got, want);
}

static void test_frontmatter__finds_a_scalar(void **state)
{
    (void)state;
    assert_value("---\nlanguage: en\nlicense: mit\n---\n# T", "license", "mit");
    assert_value("---\r\nlicense:   mit  \r\n---\r\n", "license", "mit");
    assert_value("---\nlicense: \"a b\" # why\n---\n", "license", "a b");
    assert_value("---\nlicense: mit # why\n---\n", "license", "mit");
    assert_value("---\nlicense: 'x#y'\n---\n", "license", "x#y");
}

static void test_frontmatter__takes_the_first_of_a_list(void **state)
{
    (void)state;
    assert_value("---\nlicense:\n- mit\n- other\n---\n", "license", "mit");
    assert_value("---\nlicense:\n  - mit\n---\n", "license", "mit");
}

static void test_frontmatter__finds_nothing_elsewhere(void **state)
{
    (void)state;
    assert_value("", "license", "");
    assert_value("# T\nlicense: mit\n", "license", "");
    assert_value("---\na: b\n---\nlicense: mit\n", "license", "");
    assert_value("---\nmodel:\n  license: mit\n---\n", "license", "");
    assert_value("---\nlicense_name: x\n---\n", "license", "");
    assert_value("---\nlicense:\n---\n", "license", "");
    assert_value("---\nlicense:", "license", "");
    assert_value("---\nlicense: \"mit\n---\n", "license", "");
    assert_value("---\nlicense: [mit]\n---\n", "license", "");
}

static void test_frontmatter__a_value_that_does_not_fit_is_none(void **state)
{
    (void)state;
    assert_value("---\nlicense: 123456789012345\n---\n", "license", "123456789012345");
    assert_value("---\nlicense: 1234567890123456\n---\n", "license", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frontmatter__finds_a_scalar),
        cmocka_unit_test(test_frontmatter__takes_the_first_of_a_list),
        cmocka_unit_test(test_frontmatter__finds_nothing_elsewhere),
        cmocka_unit_test(test_frontmatter__a_value_that_does_not_fit_is_none),
    };
    return cmocka_run_group_tests_name("model/frontmatter", tests, NULL, NULL);
}
