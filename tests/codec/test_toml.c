/* tests/codec/test_toml.c - files of settings in TOML: what they say, line by line, and what is wrong in which line. */
#include "codec/toml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "bed/failing_alloc.h"

static const char *const kinds[] = {"table", "element", "string", "true", "false", "array", "inline", "other"};

/* Everything that the text says, as "LINE TABLE KEY KIND TEXT N" lines. */
static int tell(const char *text, size_t len, char *out, size_t room, mlreg_error **err)
{
    mlr_toml      t;
    mlr_toml_item item;
    int           rc = mlr_toml_begin(&t, "f", text, len, err);

    out[0] = '\0';
    while (rc == 0 && (rc = mlr_toml_next(&t, &item, err)) == 1) {
        size_t used = strlen(out);

        snprintf(out + used, room - used, "%u|%s|%s|%s|%s|%zu\n", item.line, item.table, item.key, kinds[item.kind],
                 item.text, item.n);
        rc = 0;
    }
    mlr_toml_done(&t);
    return rc;
}

static void assert_tells(const char *text, const char *expected)
{
    char         out[2048];
    mlreg_error *err = NULL;

    assert_int_equal(tell(text, strlen(text), out, sizeof out, &err), 0);
    assert_null(err);
    assert_string_equal(out, expected);
}

static void test_toml__tells_tables_and_pairs_with_their_lines(void **state)
{
    (void)state;
    assert_tells("# nothing\n\na = \"x\"\n[[registry]] # one\nprefix='y'\r\n  insecure = true\n[registry.b]\nn = -1.5e3\n",
                 "3||a|string|x|0\n4|registry||element||0\n5|registry|prefix|string|y|0\n6|registry|insecure|true||0\n"
                 "7|registry.b||table||0\n8|registry.b|n|other||0\n");
    assert_tells("", "");
    assert_tells("\xef\xbb\xbf" "a=false", "1||a|false||0\n");
}

static void test_toml__reads_over_arrays_and_inline_tables_of_any_shape(void **state)
{
    (void)state;
    assert_tells("a = [\n 'x', # one\n [1, 2,],\n {b = \"]\", c.d = [ ]},\n]\nz = { }\ny = []\n",
                 "1||a|array||3\n6||z|inline||0\n7||y|array||0\n");
}

static void test_toml__reads_over_numbers_and_times_of_any_shape(void **state)
{
    (void)state;
    assert_tells("a = inf\nb = -inf\nc = [nan, +nan]\nd = 1979-05-27 07:32:00Z # a blank for the T\ne = [1979-05-27 07:32:00.5, 1979-05-27 ]\n"
                 "f = 07:32:00\ng = 0xdead_beef\nh = 6.6e-34\n",
                 "1||a|other||0\n2||b|other||0\n3||c|array||2\n4||d|other||0\n5||e|array||2\n6||f|other||0\n7||g|other||0\n8||h|other||0\n");
}

static void test_toml__reads_names_in_quotes_and_in_parts(void **state)
{
    (void)state;
    assert_tells("[ a . \"b\" . 'c.d' ]\n\"x\".y = ''\n\"\" = \"\"\n",
                 "1|a.b.\"c.d\"||table||0\n2|a.b.\"c.d\"|x.y|string||0\n3|a.b.\"c.d\"|\"\"|string||0\n");
}

static void test_toml__reads_escapes_in_double_quotes_only(void **state)
{
    (void)state;
    assert_tells("a = \"\\u0041\\t\\\"\\\\\\u00e9\\u20AC\\U0001f600\"\nb = '\\u0041'\n",
                 "1||a|string|A\t\"\\\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80|0\n2||b|string|\\u0041|0\n");
}

static void test_toml__says_what_is_wrong_in_which_line(void **state)
{
    static const struct { const char *text, *says; } cases[] = {
        {"a", "f, line 1: a name without '='"},
        {"\n\n= 1", "f, line 3: a name is missing"},
        {"a = ", "f, line 1: no value"},
        {"a = yes", "f, line 1: no value"},
        {"a = tru", "f, line 1: no value"},
        {"a = infinite", "f, line 1: no value"},
        {"a = 12 7", "f, line 1: something follows"},
        {"a = 1979-05-27 x", "f, line 1: something follows"},
        {"a = 1979-05-277 1", "f, line 1: something follows"},
        {"\na = \"x", "f, line 2: a string without its end"},
        {"a = 'x\n'", "f, line 1: a string without its end"},
        {"a = \"\"\"x\"\"\"", "f, line 1: a string over several lines"},
        {"a = \"\\q\"", "f, line 1: an unknown escape"},
        {"a = \"\\u00g0\"", "f, line 1: an escape that is no character"},
        {"a = \"\\ud800\"", "f, line 1: an escape that is no character"},
        {"a = \"\\u0000\"", "f, line 1: an escape that is no character"},
        {"a = \"\\", "f, line 1: an unknown escape"},
        {"a = 'x' b = 'y'", "f, line 1: something follows"},
        {"[a\nb = 1", "f, line 1: a table's name without its closing bracket"},
        {"[[a]\n", "f, line 1: a table's name without its closing bracket"},
        {"[]", "f, line 1: a name is missing"},
        {"a = [\n1,\n", "f, line 3: no value"},
        {"a = [1\n2]", "f, line 2: an array without its end"},
        {"a = {b = 1", "f, line 1: an inline table without its end"},
        {"a = {b}", "f, line 1: a name without '='"},
        {"a..b = 1", "f, line 1: a name is missing"},
        {"a = 'x'\n\x01", "f, line 2: a control character"},
        {"a = 'x\r'", "f, line 1: a control character"},
        {"\n# \xff", "f, line 2: not UTF-8"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char         out[2048];
        mlreg_error *err = NULL;

        assert_int_equal(tell(cases[i].text, strlen(cases[i].text), out, sizeof out, &err), MLREG_EPROTO);
        if (strncmp(err->message, cases[i].says, strlen(cases[i].says)) != 0)
            fail_msg("%s: \"%s\"", cases[i].text, err->message);
        mlr_error_done(err);
    }
}

static void test_toml__ends_before_the_stack_does(void **state)
{
    char         text[4096], out[64];
    mlreg_error *err = NULL;

    (void)state;
    memset(text, '[', sizeof text);
    memcpy(text, "a =", 3);
    assert_int_equal(tell(text, sizeof text, out, sizeof out, &err), MLREG_EPROTO);
    assert_non_null(strstr(err->message, "within each other"));
    mlr_error_done(err);
}

/* Whatever is cut off a file or turned around in it: an answer, never a byte past the end (ASan looks). */
static void test_toml__survives_every_cut_and_every_byte(void **state)
{
    static const char text[] = "[a.\"b\"]\nc = [1, {d = \"\\u0041\"}, 'x']\n[[e]]\nf = true # g\n";
    char              out[2048];

    (void)state;
    for (size_t len = 0; len < sizeof text; len++) {
        char *cut = malloc(len + 1);

        memcpy(cut, text, len);
        cut = realloc(cut, len > 0 ? len : 1);
        tell(cut, len, out, sizeof out, NULL);
        for (size_t i = 0; i < len && len == sizeof text - 1; i++)
            for (int c = 0; c < 256; c++) {
                char kept = cut[i];

                cut[i] = (char)c;
                tell(cut, len, out, sizeof out, NULL);
                cut[i] = kept;
            }
        free(cut);
    }
}

static void test_toml__says_that_memory_is_out(void **state)
{
    static const char text[] = "[a.\"b.c\"]\nd = ['x', {e = 'y'}]\nf = \"z\"\n";
    bool              fired = true;

    (void)state;
    for (int n = 1; fired; n++) {
        failing_alloc f;
        mlreg_error  *err = NULL;
        char          out[256];
        int           rc;

        failing_alloc_arm(&f, n, false);
        rc = tell(text, strlen(text), out, sizeof out, &err);
        fired = failing_alloc_disarm(&f);
        assert_int_equal(rc, fired ? MLREG_ENOMEM : 0);
        mlr_error_done(err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_toml__tells_tables_and_pairs_with_their_lines),
        cmocka_unit_test(test_toml__reads_over_arrays_and_inline_tables_of_any_shape),
        cmocka_unit_test(test_toml__reads_over_numbers_and_times_of_any_shape),
        cmocka_unit_test(test_toml__reads_names_in_quotes_and_in_parts),
        cmocka_unit_test(test_toml__reads_escapes_in_double_quotes_only),
        cmocka_unit_test(test_toml__says_what_is_wrong_in_which_line),
        cmocka_unit_test(test_toml__ends_before_the_stack_does),
        cmocka_unit_test(test_toml__survives_every_cut_and_every_byte),
        cmocka_unit_test(test_toml__says_that_memory_is_out),
    };

    return cmocka_run_group_tests_name("toml", tests, NULL, NULL);
}
