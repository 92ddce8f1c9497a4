/* tests/codec/test_json_read.c - the tree: values as they were meant, and their bytes as they stood. */
#include "codec/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "bed/failing_alloc.h"

static mlr_json *parse(const char *text)
{
    mlr_json    *root = NULL;
    mlreg_error *err = NULL;

    if (mlr_json_parse(text, strlen(text), "t", &root, &err) < 0)
        fail_msg("%s: %s", text, err->message);
    return root;
}

static void assert_raw(const mlr_json *v, const char *expected)
{
    size_t      len = 0;
    const char *raw = mlr_json_raw(v, &len);

    assert_non_null(raw);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(raw, expected, len);
}

static void test_json_read__finds_members_and_elements(void **state)
{
    mlr_json       *root = parse("{ \"a\" : [1, [2, 3], {\"x\":4}], \"b\":{}, \"c\":null }");
    const mlr_json *a = mlr_json_get(root, "a");

    (void)state;
    assert_int_equal(mlr_json_type_of(root), MLR_JSON_OBJECT);
    assert_int_equal(mlr_json_count(root), 3);
    assert_int_equal(mlr_json_type_of(a), MLR_JSON_ARRAY);
    assert_int_equal(mlr_json_count(a), 3);
    assert_raw(mlr_json_at(a, 0), "1");
    assert_raw(mlr_json_at(a, 1), "[2, 3]");
    assert_raw(mlr_json_at(mlr_json_at(a, 1), 1), "3");
    assert_raw(mlr_json_get(mlr_json_at(a, 2), "x"), "4");
    assert_null(mlr_json_at(a, 3));
    assert_int_equal(mlr_json_type_of(mlr_json_get(root, "b")), MLR_JSON_OBJECT);
    assert_int_equal(mlr_json_type_of(mlr_json_get(root, "c")), MLR_JSON_NULL);
    assert_null(mlr_json_get(root, "A"));
    assert_null(mlr_json_get(a, "a"));
    mlr_json_free(root);
}

static void test_json_read__walks_in_order(void **state)
{
    mlr_json *root = parse("{\"one\":[[],[[]]],\"two\":{\"k\":{}},\"three\":3}");
    char      keys[32] = "";

    (void)state;
    for (const mlr_json *m = mlr_json_first(root); m != NULL; m = mlr_json_next(m))
        strcat(strcat(keys, mlr_json_key(m)), " ");
    assert_string_equal(keys, "one two three ");
    assert_null(mlr_json_first(mlr_json_get(root, "three")));
    assert_null(mlr_json_key(root));
    assert_null(mlr_json_next(root));
    assert_null(mlr_json_key(mlr_json_first(mlr_json_get(root, "one"))));
    assert_null(mlr_json_first_member(mlr_json_get(root, "one")));     /* it has elements, which have no key */
    assert_ptr_equal(mlr_json_first_member(root), mlr_json_first(root));
    mlr_json_free(root);
}

static void test_json_read__missing_is_asked_without_fear(void **state)
{
    size_t   len;
    uint64_t u;
    double   d;
    bool     b;

    (void)state;
    assert_int_equal(mlr_json_type_of(NULL), MLR_JSON_MISSING);
    assert_null(mlr_json_get(NULL, "a"));
    assert_int_equal(mlr_json_count(NULL), 0);
    assert_null(mlr_json_at(NULL, 0));
    assert_null(mlr_json_first(NULL));
    assert_null(mlr_json_next(NULL));
    assert_null(mlr_json_key(NULL));
    assert_null(mlr_json_string(NULL));
    assert_null(mlr_json_raw(NULL, &len));
    assert_false(mlr_json_u64(NULL, &u));
    assert_false(mlr_json_bool(NULL, &b));
    assert_false(mlr_json_double(NULL, &d));
    mlr_json_free(NULL);
}

static void test_json_read__decodes_strings_and_keys(void **state)
{
    mlr_json *root = parse("{\"\\u006b\\n\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\ude00\xC3\xA9\"}");

    (void)state;
    assert_string_equal(mlr_json_key(mlr_json_first(root)), "k\n");
    assert_string_equal(mlr_json_string(mlr_json_get(root, "k\n")), "\"\\/\b\f\n\r\t\xC3\xA9\xF0\x9F\x98\x80\xC3\xA9");
    assert_null(mlr_json_string(root));
    mlr_json_free(root);
}

static void test_json_read__integers_are_exact(void **state)
{
    static const struct { const char *text; bool fits; uint64_t value; } cases[] = {
        {"0", true, 0}, {"42", true, 42}, {"9007199254740993", true, 9007199254740993u},
        {"18446744073709551615", true, UINT64_MAX}, {"18446744073709551616", false, 0},
        {"99999999999999999999999", false, 0}, {"-1", false, 0}, {"-0", false, 0}, {"1.0", false, 0},
        {"1e3", false, 0}, {"\"1\"", false, 0}, {"true", false, 0}, {"null", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mlr_json *root = parse(cases[i].text);
        uint64_t  got = 7;
        assert_int_equal(mlr_json_u64(root, &got), cases[i].fits);
        assert_true(got == (cases[i].fits ? cases[i].value : 7));
        mlr_json_free(root);
    }
}

static void test_json_read__doubles_and_bools(void **state)
{
    mlr_json *root = parse("[-1.5e2, 1e999, true, false, \"true\"]");
    double    d = 0;
    bool      b = false;

    (void)state;
    assert_true(mlr_json_double(mlr_json_at(root, 0), &d) && d > -150.5 && d < -149.5);
    assert_false(mlr_json_double(mlr_json_at(root, 1), &d));
    assert_true(mlr_json_bool(mlr_json_at(root, 2), &b) && b);
    assert_true(mlr_json_bool(mlr_json_at(root, 3), &b) && !b);
    assert_false(mlr_json_bool(mlr_json_at(root, 4), &b));
    assert_false(mlr_json_double(mlr_json_at(root, 2), &d));
    mlr_json_free(root);
}

static void test_json_read__the_raw_bytes_survive(void **state)
{
    mlr_json *root = parse(" { \"unknown\" : { \"z\":1.0 ,\"a\":\"\\u00e9\\/\",\n\"n\":1E+2 } ,"
                           " \"s\":18446744073709551616 } ");

    (void)state;
    assert_raw(mlr_json_get(root, "unknown"), "{ \"z\":1.0 ,\"a\":\"\\u00e9\\/\",\n\"n\":1E+2 }");
    assert_raw(mlr_json_get(root, "s"), "18446744073709551616");
    mlr_json_free(root);
}

static void test_json_read__keeps_its_own_copy(void **state)
{
    char      text[] = "{\"a\":\"b\"}";
    mlr_json *root = parse(text);

    (void)state;
    memset(text, 'x', sizeof text - 1);
    assert_raw(root, "{\"a\":\"b\"}");
    mlr_json_free(root);
}

static void test_json_read__failure_leaves_the_output(void **state)
{
    mlr_json *root = (mlr_json *)(void *)&root;

    (void)state;
    assert_int_equal(mlr_json_parse("{", 1, "t", &root, NULL), MLREG_EPROTO);
    assert_ptr_equal(root, &root);
}

static void test_json_read__out_of_memory_leaves_nothing(void **state)
{
    static const char text[] = "{\"a\":[1,2,{\"b\":\"c\"}]}";
    failing_alloc     f;
    bool              fired = true;

    (void)state;
    for (int n = 1; fired; n++) {
        mlr_json *root = NULL;
        failing_alloc_arm(&f, n, false);
        int rc = mlr_json_parse(text, sizeof text - 1, "t", &root, NULL);
        fired = failing_alloc_disarm(&f);
        assert_int_equal(rc, fired ? MLREG_ENOMEM : 0);
        assert_int_equal(root == NULL, fired);
        mlr_json_free(root);
    }
}

/* Everything that can be asked of a tree, asked; the values that were seen. */
static size_t visit(const mlr_json *v)
{
    size_t   n = 1, len = 0;
    uint64_t u;
    double   d;
    bool     b;

    assert_non_null(mlr_json_raw(v, &len));
    assert_true(len > 0);
    assert_int_equal(mlr_json_string(v) != NULL, mlr_json_type_of(v) == MLR_JSON_STRING);
    (void)(mlr_json_u64(v, &u) || mlr_json_double(v, &d) || mlr_json_bool(v, &b));
    for (const mlr_json *c = mlr_json_first(v); c != NULL; c = mlr_json_next(c)) {
        assert_int_equal(mlr_json_key(c) != NULL, mlr_json_type_of(v) == MLR_JSON_OBJECT);
        n += visit(c);
    }
    return n;
}

static void test_json_read__cjson_and_validator_agree_on_every_accepted_flip(void **state)
{
    static const char rich[] = "{\"a\":[1,-2.5e3,\"\\u00e9\xC3\xA9\\n\",true,{\"b\":{}},[[]]],\"c\":null,\"d\":10}";
    char   text[sizeof rich];
    size_t accepted = 0;

    (void)state;
    memcpy(text, rich, sizeof rich);
    for (size_t i = 0; i < sizeof rich - 1; i++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            mlr_json *root = NULL;
            text[i] = (char)(rich[i] ^ (int)flip);
            int rc = mlr_json_parse(text, sizeof rich - 1, "t", &root, NULL);
            assert_true(rc == 0 || rc == MLREG_EPROTO);      /* ENOMEM would mean: cJSON refused what we passed on */
            if (rc == 0 && visit(root) > 0)
                accepted++;
            mlr_json_free(root);
        }
        text[i] = rich[i];
    }
    assert_true(accepted > 100);
}

/* ---- member by member ---- */

typedef struct seen { char text[256]; int stop_at, n; } seen;

static int note_member(const mlr_json *member, void *user, mlreg_error **err)
{
    seen       *s = user;
    size_t      len, at = strlen(s->text);
    const char *raw = mlr_json_raw(member, &len);

    if (++s->n == s->stop_at)
        return mlr_error_set(err, MLREG_EIO, "stopped");
    snprintf(s->text + at, sizeof s->text - at, "<%s|%.*s>", mlr_json_key(member), (int)len, raw);
    return 0;
}

static int each(const char *text, seen *s, mlreg_error **err)
{
    mlr_json_rules rules = {.case_matters = true};
    size_t         len = strlen(text);
    char          *exact = malloc(len);

    assert_non_null(exact);
    memcpy(exact, text, len);
    int rc = mlr_json_each(&rules, exact, len, "t", note_member, s, err);
    free(exact);
    return rc;
}

static void test_json_each__hands_over_every_member_in_order(void **state)
{
    static const char text[] = " {\"a}\\\"\" : {\"x\":[1,{\"y\":\"},{\"}]} ,\n\"b\": -1 , \"B\":\"s\","
                               "\"\\u0063\":[],\"d\":true} ";
    seen s = {.n = 0};

    (void)state;
    assert_int_equal(each(text, &s, NULL), 0);
    assert_string_equal(s.text, "<a}\"|{\"x\":[1,{\"y\":\"},{\"}]}><b|-1><B|\"s\"><c|[]><d|true>");
}

static void test_json_each__an_empty_object_has_none(void **state)
{
    seen s = {.n = 0};

    (void)state;
    assert_int_equal(each(" { } ", &s, NULL), 0);
    assert_int_equal(s.n, 0);
}

static void test_json_each__checks_all_before_it_hands_over_any(void **state)
{
    static const char *const bad[] = {
        "{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":1} x", "{\"a\":1,\"b\":\"\xFF\"}", "[1]", "1", "\"{\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        seen s = {.n = 0};
        assert_int_equal(each(bad[i], &s, NULL), MLREG_EPROTO);
        assert_int_equal(s.n, 0);
    }
}

static void test_json_each__ends_where_it_is_told_to(void **state)
{
    seen         s = {.stop_at = 2};
    mlreg_error *err = NULL;

    (void)state;
    assert_int_equal(each("{\"a\":1,\"b\":2,\"c\":3}", &s, &err), MLREG_EIO);
    assert_string_equal(s.text, "<a|1>");
    assert_string_equal(err->message, "stopped");
    mlr_error_done(err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_read__finds_members_and_elements),
        cmocka_unit_test(test_json_read__walks_in_order),
        cmocka_unit_test(test_json_read__missing_is_asked_without_fear),
        cmocka_unit_test(test_json_read__decodes_strings_and_keys),
        cmocka_unit_test(test_json_read__integers_are_exact),
        cmocka_unit_test(test_json_read__doubles_and_bools),
        cmocka_unit_test(test_json_read__the_raw_bytes_survive),
        cmocka_unit_test(test_json_read__keeps_its_own_copy),
        cmocka_unit_test(test_json_read__failure_leaves_the_output),
        cmocka_unit_test(test_json_read__out_of_memory_leaves_nothing),
        cmocka_unit_test(test_json_read__cjson_and_validator_agree_on_every_accepted_flip),
        cmocka_unit_test(test_json_each__hands_over_every_member_in_order),
        cmocka_unit_test(test_json_each__an_empty_object_has_none),
        cmocka_unit_test(test_json_each__checks_all_before_it_hands_over_any),
        cmocka_unit_test(test_json_each__ends_where_it_is_told_to),
    };
    return cmocka_run_group_tests_name("codec/json_read", tests, NULL, NULL);
}
