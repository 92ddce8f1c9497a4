/* tests/codec/test_json_check.c - what the validator refuses, and what it lets through. */
#include "codec/json_check.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/error.h"
#include "bed/failing_alloc.h"

/* Text with its length, so that a zero byte can stand in it. */
typedef struct sample { const char *text; size_t len; const char *reason; } sample;
#define SAMPLE(text, reason) { text, sizeof(text) - 1, reason }

static int check(const char *text, size_t len)
{
    return mlr_json_check(NULL, text, len, "t", NULL, NULL);
}

/* From memory of exactly its size, so that the sanitizer sees a read behind it. */
static int check_exact(const mlr_json_rules *rules, const char *text, size_t len, mlreg_error **err)
{
    char *copy = malloc(len > 0 ? len : 1);

    assert_non_null(copy);
    if (len > 0)
        memcpy(copy, text, len);
    int rc = mlr_json_check(rules, copy, len, "t", NULL, err);
    free(copy);
    return rc;
}

static void assert_refused(const sample *samples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        mlreg_error *err = NULL;
        if (check_exact(NULL, samples[i].text, samples[i].len, &err) != MLREG_EPROTO)
            fail_msg("accepted: %s", samples[i].text);
        if (strstr(err->message, samples[i].reason) == NULL || strncmp(err->message, "t: byte ", 8) != 0)
            fail_msg("%s: \"%s\" does not say \"%s\"", samples[i].text, err->message, samples[i].reason);
        mlr_error_done(err);
    }
}
#define ASSERT_REFUSED(samples) assert_refused(samples, sizeof(samples) / sizeof(samples)[0])

static void test_json_check__accepts_every_kind_of_value(void **state)
{
    static const char *const good[] = {
        "{}", "[]", "\"\"", "0", "-0", "-1.5e+10", "1E5", "1e-2", "10", "true", "false", "null", " [ ] ", "\t\r\n{ }\n",
        "[1,2,[3,{\"a\":[]}],\"x\"]", "{\"a\":1,\"b\":{\"a\":2}}", "{ \"a\" : 1 , \"b\" : [ ] }",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\ude00\"", "\"\x7f\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
        "[{\"a\":1},{\"a\":1}]", "{\"\":1}", "\"\\uFEFF\"", "[\"a\\u0001\"]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (check_exact(NULL, good[i], strlen(good[i]), NULL) != 0)
            fail_msg("refused: %s", good[i]);
}

static void test_json_check__refuses_broken_syntax(void **state)
{
    static const sample bad[] = {
        SAMPLE("", "empty"), SAMPLE("  ", "text ends"), SAMPLE("{", "key in quotes"), SAMPLE("[", "text ends"),
        SAMPLE("]", "value belongs"), SAMPLE("[1", "',' or ']'"), SAMPLE("[1,]", "value belongs"),
        SAMPLE("[,1]", "value belongs"), SAMPLE("[1 2]", "',' or ']'"), SAMPLE("{\"a\"}", "':' belongs"),
        SAMPLE("{\"a\":}", "value belongs"), SAMPLE("{\"a\":1,}", "key in quotes"), SAMPLE("{a:1}", "key in quotes"),
        SAMPLE("{'a':1}", "key in quotes"), SAMPLE("{\"a\":1 \"b\":2}", "',' or '}'"), SAMPLE("[1}", "',' or ']'"),
        SAMPLE("{\"a\":1]", "',' or '}'"), SAMPLE("tru", "value belongs"), SAMPLE("True", "value belongs"),
        SAMPLE("nul", "value belongs"), SAMPLE("[/*c*/1]", "value belongs"), SAMPLE("\v1", "value belongs"),
    };

    (void)state;
    ASSERT_REFUSED(bad);
}

static void test_json_check__refuses_what_stands_around_the_value(void **state)
{
    static const sample bad[] = {
        SAMPLE("{} x", "bytes behind"), SAMPLE("1 2", "bytes behind"), SAMPLE("{}{}", "bytes behind"),
        SAMPLE("{}\0", "bytes behind"), SAMPLE("nullx", "bytes behind"), SAMPLE("\xEF\xBB\xBF{}", "byte order mark"),
        SAMPLE("\xFF\xFE{\0}\0", "value belongs"), SAMPLE("{}\xEF\xBB\xBF", "bytes behind"),
    };

    (void)state;
    ASSERT_REFUSED(bad);
}

static void test_json_check__refuses_numbers_that_json_does_not_have(void **state)
{
    static const sample bad[] = {
        SAMPLE("01", "begins with 0"), SAMPLE("-01", "begins with 0"), SAMPLE("00", "begins with 0"),
        SAMPLE("1.", "behind the point"), SAMPLE("1.e5", "behind the point"), SAMPLE(".5", "value belongs"),
        SAMPLE("1e", "exponent"), SAMPLE("1e+", "exponent"), SAMPLE("+1", "value belongs"),
        SAMPLE("-", "value belongs"),
        SAMPLE("0x10", "bytes behind"), SAMPLE("NaN", "value belongs"), SAMPLE("-Infinity", "value belongs"),
        SAMPLE("1e5.5", "bytes behind"), SAMPLE("1e+-5", "exponent"), SAMPLE("1_000", "bytes behind"),
    };

    (void)state;
    ASSERT_REFUSED(bad);
}

static void test_json_check__refuses_strings_that_parsers_read_differently(void **state)
{
    static const sample bad[] = {
        SAMPLE("\"", "does not end"), SAMPLE("\"a", "does not end"), SAMPLE("\"\\\"", "does not end"),
        SAMPLE("\"\\", "unknown escape"), SAMPLE("\"\\x41\"", "unknown escape"), SAMPLE("\"\\\0\"", "unknown escape"),
        SAMPLE("\"\\u12\"", "hexadecimal"), SAMPLE("\"\\u12G4\"", "hexadecimal"), SAMPLE("\"\\u", "hexadecimal"),
        SAMPLE("\"\\u0000\"", "\\u0000"), SAMPLE("\"a\0b\"", "control character"),
        SAMPLE("\"a\nb\"", "control character"),
        SAMPLE("\"\t\"", "control character"), SAMPLE("\"\\ud800\"", "surrogate"), SAMPLE("\"\\uDC00\"", "surrogate"),
        SAMPLE("\"\\ud800\\u0041\"", "surrogate"), SAMPLE("\"\\ud800\\ud800\"", "surrogate"),
        SAMPLE("\"\\ud800", "surrogate"), SAMPLE("\"\\ud800\\n\"", "surrogate"), SAMPLE("\"\\ud800\\udc0", "surrogate"),
        SAMPLE("{\"\\u0000\":1}", "\\u0000"),
    };

    (void)state;
    ASSERT_REFUSED(bad);
}

static void test_json_check__refuses_bad_utf8(void **state)
{
    static const sample bad[] = {
        SAMPLE("\"\x80\"", "UTF-8"), SAMPLE("\"\xC3\"", "UTF-8"), SAMPLE("\"\xC0\xAF\"", "UTF-8"),
        SAMPLE("\"\xE0\x80\xAF\"", "UTF-8"), SAMPLE("\"\xED\xA0\x80\"", "UTF-8"),
        SAMPLE("\"\xF4\x90\x80\x80\"", "UTF-8"),
        SAMPLE("\"\xF8\x88\x80\x80\x80\"", "UTF-8"), SAMPLE("\"\xFF\"", "UTF-8"), SAMPLE("\"\xE2\x82", "UTF-8"),
        SAMPLE("{\"\xFE\":1}", "UTF-8"),
    };

    (void)state;
    ASSERT_REFUSED(bad);
}

static void test_json_check__refuses_a_key_twice_however_it_is_written(void **state)
{
    static const sample bad[] = {
        SAMPLE("{\"size\":1,\"size\":1}", "duplicate key \"size\""), SAMPLE("{\"a\":1,\"\\u0061\":2}", "duplicate key"),
        SAMPLE("{\"\":1,\"\":2}", "duplicate key \"\""), SAMPLE("{\"a/b\":1,\"a\\/b\":2}", "duplicate"),
        SAMPLE("{\"\xF0\x9F\x98\x80\":1,\"\\uD83D\\uDE00\":2}", "duplicate"),
        SAMPLE("{\"\xC3\xA9\":1,\"\\u00E9\":2}", "duplicate"),
        SAMPLE("[[{\"x\":{},\"b\":{\"c\":1,\"d\":2,\"c\":3},\"y\":1}]]", "byte 27: duplicate key \"c\""),
    };

    (void)state;
    ASSERT_REFUSED(bad);
}

static void test_json_check__refuses_keys_that_differ_by_case_only(void **state)
{
    static const sample bad[] = {
        SAMPLE("{\"size\":1,\"Size\":2}", "\"Size\" differs from another only by case"),
        SAMPLE("{\"layers\":1,\"layer\xC5\xBF\":2}", "only by case"),       /* U+017F, an s to Go */
        SAMPLE("{\"kind\":1,\"\xE2\x84\xAAind\":2}", "only by case"),       /* U+212A, a k to Go */
        SAMPLE("{\"a\":1,\"b\":2,\"\\u0041\":3}", "byte 13: "),
    };

    (void)state;
    ASSERT_REFUSED(bad);
    assert_int_equal(check("{\"\xC3\xA9\":1,\"\xC3\x89\":2}", 15), 0);      /* no parser folds these */
}

static void test_json_check__case_matters_where_the_rules_say_so(void **state)
{
    static const char clash[] = "{\"w\":1,\"W\":2}", twice[] = "{\"w\":1,\"w\":2}";
    mlr_json_rules    rules = {.case_matters = true};

    (void)state;
    assert_int_equal(check_exact(&rules, clash, sizeof clash - 1, NULL), 0);
    assert_int_equal(check_exact(&rules, twice, sizeof twice - 1, NULL), MLREG_EPROTO);
}

static void test_json_check__names_the_earliest_repetition(void **state)
{
    static const char text[] = "{\"z\":1,\"a\":1,\"z\":1,\"a\":1,\"z\":1}";
    mlreg_error      *err = NULL;

    (void)state;
    assert_int_equal(mlr_json_check(NULL, text, sizeof text - 1, "the manifest", NULL, &err), MLREG_EPROTO);
    assert_string_equal(err->message, "the manifest: byte 13: duplicate key \"z\"");
    mlr_error_done(err);
}

static void test_json_check__a_long_key_is_cut_in_the_message(void **state)
{
    char         text[2000] = "{\"", *p = text + 2;
    mlreg_error *err = NULL;

    (void)state;
    for (int i = 0; i < 2; i++) {
        for (int n = 0; n < 300; n++, p += 2)
            memcpy(p, "\xC3\xA9", 2);
        p += sprintf(p, i == 0 ? "\":1,\"" : "\":1}");
    }
    assert_int_equal(check(text, strlen(text)), MLREG_EPROTO);
    mlr_json_check(NULL, text, strlen(text), "t", NULL, &err);
    assert_true(strlen(err->message) < 150);
    assert_non_null(strstr(err->message, "\xC3\xA9...\""));
    mlr_error_done(err);
}

/* ---- limits ---- */

static char *nested(size_t depth, size_t *len)
{
    char *text = malloc(depth * 6 + 8), *p = text;

    assert_non_null(text);
    for (size_t i = 0; i < depth; i++)
        p += sprintf(p, i % 2 ? "[" : "{\"a\":");
    *p++ = '1';
    for (size_t i = depth; i-- > 0;)
        *p++ = i % 2 ? ']' : '}';
    *len = (size_t)(p - text);
    return text;
}

static void test_json_check__the_depth_has_a_limit(void **state)
{
    size_t len;
    char  *text = nested(MLR_JSON_MAX_DEPTH, &len);

    (void)state;
    assert_int_equal(check(text, len), 0);
    free(text);
    text = nested(MLR_JSON_MAX_DEPTH + 1, &len);
    assert_int_equal(check(text, len), MLREG_ELIMIT);
    free(text);
    text = nested(1000000, &len);
    assert_int_equal(check(text, len), MLREG_ELIMIT);
    free(text);
}

static void test_json_check__the_size_has_a_limit(void **state)
{
    mlr_json_rules larger = {.max_bytes = MLR_JSON_MAX_BYTES + 1};
    char          *text = malloc(MLR_JSON_MAX_BYTES + 1);

    (void)state;
    assert_non_null(text);
    memset(text, ' ', MLR_JSON_MAX_BYTES + 1);
    text[0] = '1';
    assert_int_equal(check(text, MLR_JSON_MAX_BYTES), 0);
    assert_int_equal(check(text, MLR_JSON_MAX_BYTES + 1), MLREG_ELIMIT);
    assert_int_equal(mlr_json_check(&larger, text, MLR_JSON_MAX_BYTES + 1, "t", NULL, NULL), 0);
    free(text);
}

static void test_json_check__numbers_have_a_longest_form(void **state)
{
    char text[MLR_JSON_MAX_NUMBER + 2];

    (void)state;
    memset(text, '7', sizeof text);
    assert_int_equal(check(text, MLR_JSON_MAX_NUMBER), 0);
    assert_int_equal(check(text, MLR_JSON_MAX_NUMBER + 1), MLREG_ELIMIT);
}

static void test_json_check__a_tree_has_a_largest_number_of_values(void **state)
{
    size_t          n = MLR_JSON_MAX_VALUES - 1, len = 2 * n + 1;
    char           *text = malloc(len + 2);
    mlr_json_tokens t = MLR_JSON_TOKENS_INIT;

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i <= n; i++)
        memcpy(text + 1 + 2 * i, "0,", 2);
    text[0] = '[';
    text[len - 1] = ']';
    assert_int_equal(mlr_json_check(NULL, text, len, "t", &t, NULL), 0);
    assert_int_equal(t.n, MLR_JSON_MAX_VALUES);
    mlr_json_tokens_done(&t);
    text[len - 1] = ',';
    text[len + 1] = ']';
    assert_int_equal(mlr_json_check(NULL, text, len + 2, "t", &t, NULL), MLREG_ELIMIT);
    assert_int_equal(check(text, len + 2), 0);          /* without a tree it costs nothing */
    mlr_json_tokens_done(&t);
    free(text);
}

/* An object of `n` keys, "<prefix>0", "<prefix>1" …; with `twice`, the last is the first again. */
static char *wide(size_t n, const char *prefix, bool twice, size_t *len)
{
    char *text = malloc(n * (strlen(prefix) + 13) + 2), *p = text;

    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        p += sprintf(p, "%c\"%s%zu\":0", i == 0 ? '{' : ',', prefix, twice && i == n - 1 ? 0 : i);
    *p++ = '}';
    *len = (size_t)(p - text);
    return text;
}

static void test_json_check__many_keys_are_compared_fast(void **state)
{
    size_t  len;
    char   *text = wide(100000, "model.layers.some_long_common_prefix.", false, &len);
    clock_t start = clock();

    (void)state;
    assert_int_equal(check(text, len), 0);
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 5);   /* quadratic takes minutes */
    free(text);
    text = wide(100000, "k", true, &len);
    assert_int_equal(check(text, len), MLREG_EPROTO);
    free(text);
}

static void test_json_check__an_object_has_a_largest_number_of_keys(void **state)
{
    mlr_json_rules rules = {.max_bytes = 64u << 20};
    size_t         len;
    char          *text = wide(MLR_JSON_MAX_VALUES, "", false, &len);

    (void)state;
    assert_int_equal(mlr_json_check(&rules, text, len, "t", NULL, NULL), 0);
    free(text);
    text = wide(MLR_JSON_MAX_VALUES + 1, "", false, &len);
    assert_int_equal(mlr_json_check(&rules, text, len, "t", NULL, NULL), MLREG_ELIMIT);
    free(text);
}

/* ---- hostile bytes ---- */

static const char rich[] =
    "{\"schemaVersion\":2,\"layers\":[{\"digest\":\"sha256:ab\",\"size\":18446744073709551615},{}],\"neg\":-1.5e-3,"
    "\"t\":[true,false,null],\"s\":\"\\u00e9\\uD83D\\uDE00\xC3\xA9 \\\"\\\\\",\"o\":{\"a\":{\"b\":[[]]}}}";

static void test_json_check__survives_every_cut(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof rich - 1; len++)
        assert_int_equal(check_exact(NULL, rich, len, NULL), MLREG_EPROTO);
    assert_int_equal(check_exact(NULL, rich, sizeof rich - 1, NULL), 0);
}

/* Tokens must lie inside the text and inside each other, whatever was accepted. */
static void assert_tokens_sound(const char *text, size_t len)
{
    mlr_json_tokens t = MLR_JSON_TOKENS_INIT;

    if (mlr_json_check(NULL, text, len, "t", &t, NULL) == 0) {
        assert_int_equal(t.items[0].span, t.n);
        for (size_t i = 0; i < t.n; i++) {
            assert_true(t.items[i].len > 0 && t.items[i].at + t.items[i].len <= len);
            assert_true(t.items[i].span >= 1 && i + t.items[i].span <= t.n);
            size_t child = i + 1;
            for (uint32_t k = 0; k < t.items[i].count; k++) {
                assert_true(t.items[child].at > t.items[i].at);
                child += t.items[child].span;
            }
            assert_int_equal(child, i + t.items[i].span);
        }
    }
    mlr_json_tokens_done(&t);
}

static void test_json_check__survives_every_flipped_bit_and_byte(void **state)
{
    char text[sizeof rich - 1];

    (void)state;
    memcpy(text, rich, sizeof text);
    for (size_t i = 0; i < sizeof text; i++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            text[i] = (char)(rich[i] ^ (int)flip);
            assert_tokens_sound(text, sizeof text);
        }
        text[i] = rich[i];
    }
}

static void test_json_check__out_of_memory_leaves_nothing(void **state)
{
    failing_alloc f;
    bool          fired = true;

    (void)state;
    for (int n = 1; fired; n++) {
        mlr_json_tokens t = MLR_JSON_TOKENS_INIT;
        failing_alloc_arm(&f, n, false);
        int rc = mlr_json_check(NULL, rich, sizeof rich - 1, "t", &t, NULL);
        fired = failing_alloc_disarm(&f);
        assert_int_equal(rc, fired ? MLREG_ENOMEM : 0);
        mlr_json_tokens_done(&t);
    }
}

static void *on_small_stack(void *arg)
{
    mlr_json *root = NULL;
    size_t    len;
    char     *text = nested(MLR_JSON_MAX_DEPTH, &len);

    *(int *)arg = mlr_json_parse(text, len, "t", &root, NULL);
    mlr_json_free(root);
    free(text);
    return NULL;
}

static void test_json_check__a_stack_of_64_kib_suffices(void **state)
{
    pthread_attr_t attr;
    pthread_t      thread;
    int            rc = -1;

    (void)state;
    assert_int_equal(pthread_attr_init(&attr), 0);
    assert_int_equal(pthread_attr_setstacksize(&attr, 64 << 10), 0);
    assert_int_equal(pthread_create(&thread, &attr, on_small_stack, &rc), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attr);
    assert_int_equal(rc, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_check__accepts_every_kind_of_value),
        cmocka_unit_test(test_json_check__refuses_broken_syntax),
        cmocka_unit_test(test_json_check__refuses_what_stands_around_the_value),
        cmocka_unit_test(test_json_check__refuses_numbers_that_json_does_not_have),
        cmocka_unit_test(test_json_check__refuses_strings_that_parsers_read_differently),
        cmocka_unit_test(test_json_check__refuses_bad_utf8),
        cmocka_unit_test(test_json_check__refuses_a_key_twice_however_it_is_written),
        cmocka_unit_test(test_json_check__refuses_keys_that_differ_by_case_only),
        cmocka_unit_test(test_json_check__case_matters_where_the_rules_say_so),
        cmocka_unit_test(test_json_check__names_the_earliest_repetition),
        cmocka_unit_test(test_json_check__a_long_key_is_cut_in_the_message),
        cmocka_unit_test(test_json_check__the_depth_has_a_limit),
        cmocka_unit_test(test_json_check__the_size_has_a_limit),
        cmocka_unit_test(test_json_check__numbers_have_a_longest_form),
        cmocka_unit_test(test_json_check__a_tree_has_a_largest_number_of_values),
        cmocka_unit_test(test_json_check__many_keys_are_compared_fast),
        cmocka_unit_test(test_json_check__an_object_has_a_largest_number_of_keys),
        cmocka_unit_test(test_json_check__survives_every_cut),
        cmocka_unit_test(test_json_check__survives_every_flipped_bit_and_byte),
        cmocka_unit_test(test_json_check__out_of_memory_leaves_nothing),
        cmocka_unit_test(test_json_check__a_stack_of_64_kib_suffices),
    };
    return cmocka_run_group_tests_name("codec/json_check", tests, NULL, NULL);
}
