/* tests/base/test_utf8.c - strict UTF-8: every malformed form is refused. */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void test_utf8__well_formed_text_is_taken_apart(void **state)
{
    static const struct {
        const char *bytes;
        uint32_t    code_point;
    } cases[] = {
        {"a", 'a'},        {"\xc2\x80", 0x80},       {"\xdf\xbf", 0x7ff},          {"\xe0\xa0\x80", 0x800},
        {"\xed\x9f\xbf", 0xd7ff}, {"\xee\x80\x80", 0xe000}, {"\xf0\x90\x80\x80", 0x10000}, {"\xf4\x8f\xbf\xbf", 0x10ffff},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t   len = strlen(cases[i].bytes);
        uint32_t c = 0;

        assert_int_equal(mlr_utf8_next(cases[i].bytes, len, &c), len);
        assert_int_equal(c, cases[i].code_point);
        assert_true(mlr_utf8_valid(cases[i].bytes, len));
        if (len > 1)
            assert_false(mlr_utf8_valid(cases[i].bytes, len - 1));   /* ends too early */
    }
    assert_true(mlr_utf8_valid("", 0));
    assert_true(mlr_utf8_valid("a\0b", 3));
}

static void test_utf8__malformed_text_is_refused(void **state)
{
    static const char *const cases[] = {
        "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
        "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff",
        "\xc3(", "\xe2\x82(", "\xf0\x9f\x92(", "ab\xff",
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_false(mlr_utf8_valid(cases[i], strlen(cases[i])));
}

static void test_utf8__controls_are_known(void **state)
{
    static const uint32_t controls[] = {0, '\n', 0x1f, 0x7f, 0x9b, 0x2028, 0x2029, 0x202e, 0x2066, 0x2069, 0x200f};
    static const uint32_t harmless[] = {' ', '~', 0xa0, 0xfc, 0x2027, 0x202f, 0x2065, 0x1f600};

    (void)state;
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++)
        assert_true(mlr_utf8_is_control(controls[i]));
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        assert_false(mlr_utf8_is_control(harmless[i]));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8__well_formed_text_is_taken_apart),
        cmocka_unit_test(test_utf8__malformed_text_is_refused),
        cmocka_unit_test(test_utf8__controls_are_known),
    };
    return cmocka_run_group_tests_name("base/utf8", tests, NULL, NULL);
}
