/* tests/codec/test_digest.c - only what the grammar allows becomes a digest, and only sha256 at that. */
#include "codec/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"   /* of "abc" */
#define HEX_63 "a7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define HEX_UPPER "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"

static void assert_refused(const char *text, int code)
{
    mlr_digest   d = {"as before"};
    mlreg_error *err = NULL;
    int          rc = mlr_digest_parse(text, &d, &err);

    if (rc != code)
        fail_msg("\"%.120s\" gave %d, not %d", text, rc, code);
    assert_non_null(err);
    assert_int_equal(err->code, code);
    assert_string_equal(d.text, "as before");
    mlr_error_done(err);
    assert_int_equal(mlr_digest_parse(text, &d, NULL), code);
}

static void test_digest__parses_sha256(void **state)
{
    mlr_digest   d;
    mlreg_error *err = NULL;

    (void)state;
    assert_int_equal(mlr_digest_parse("sha256:" HEX, &d, &err), 0);
    assert_null(err);
    assert_string_equal(d.text, "sha256:" HEX);
    assert_string_equal(mlr_digest_hex(&d), HEX);
}

static void test_digest__refuses_what_is_no_digest(void **state)
{
    static const char *const bad[] = {
        "", ":", "sha256", "sha256:", "sha256:" HEX_63, "sha256:" HEX "0", "sha256:" HEX_UPPER, "SHA256:" HEX,
        "Sha256:" HEX, " sha256:" HEX, "sha256:" HEX " ", "sha256:" HEX "\n", "sha256: " HEX_63, "sha256::" HEX_63,
        "sha256:g" HEX_63, "sha256:/" HEX_63, "sha256:.." HEX_63, "sha256:../../../../etc/passwd", "sha256-" HEX, HEX,
        "sha256.:" HEX, ".sha256:" HEX, "sha--256:" HEX, "sha_+256:x", "sha256\xc3\xa9:" HEX, "md5:", "md5:a.b",
        "md5:a/b", "md5:..", "../x:abc", "a/b:abc", "sha512:abc", "sha512:" HEX, "blake3:" HEX "0", "blake3:" HEX_UPPER,
        "sha512:" HEX HEX_UPPER, "sha256:" HEX "@sha256:" HEX, "sha256:%62a7816bf",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(bad[i], MLREG_EINVAL);
}

/* Every character that is not a lower-case hex digit, at the first, a middle and the last place. */
static void test_digest__refuses_every_foreign_character(void **state)
{
    static const size_t places[] = {7, 40, 70};

    (void)state;
    for (int c = 1; c < 256; c++) {
        if (strchr("0123456789abcdef", c) != NULL)
            continue;
        for (size_t i = 0; i < 3; i++) {
            char text[] = "sha256:" HEX;

            text[places[i]] = (char)c;
            assert_refused(text, MLREG_EINVAL);
        }
    }
}

static void test_digest__names_the_algorithm_that_it_does_not_check(void **state)
{
    static const struct { const char *text, *algorithm; } known[] = {
        {"sha512:" HEX HEX, "\"sha512\""},
        {"blake3:" HEX, "\"blake3\""},
        {"md5:d41d8cd98f00b204e9800998ecf8427e", "\"md5\""},
        {"a+b._c:x", NULL},                          /* two separators in a row */
        {"a+b.c_d-e:A=_-9", "\"a+b.c_d-e\""},
        {"sha256x:" HEX, "\"sha256x\""},
        {"sha25:" HEX, "\"sha25\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        mlr_digest   d;
        mlreg_error *err = NULL;

        if (known[i].algorithm == NULL) {
            assert_refused(known[i].text, MLREG_EINVAL);
            continue;
        }
        assert_refused(known[i].text, MLREG_ENOTSUP);
        assert_int_equal(mlr_digest_parse(known[i].text, &d, &err), MLREG_ENOTSUP);
        assert_non_null(strstr(err->message, known[i].algorithm));
        assert_non_null(err->hint);
        mlr_error_done(err);
    }
}

static void test_digest__quotes_only_the_start_of_a_long_text(void **state)
{
    char         text[5000];
    mlr_digest   d;
    mlreg_error *err = NULL;

    (void)state;
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(mlr_digest_parse(text, &d, &err), MLREG_EINVAL);
    assert_true(strlen(err->message) < 250);
    mlr_error_done(err);
    err = NULL;
    memcpy(text + sizeof text - 3, ":a", 3);
    assert_int_equal(mlr_digest_parse(text, &d, &err), MLREG_ENOTSUP);
    assert_true(strlen(err->message) < 250);
    mlr_error_done(err);
}

static void test_digest__is_made_from_bytes(void **state)
{
    mlr_digest whole, pieces;
    mlr_sha256 s;

    (void)state;
    mlr_digest_of("abc", 3, &whole);
    assert_string_equal(whole.text, "sha256:" HEX);
    mlr_sha256_init(&s);
    mlr_sha256_update(&s, "a", 1);
    mlr_sha256_update(&s, "bc", 2);
    mlr_digest_final(&s, &pieces);
    assert_true(mlr_digest_equal(&whole, &pieces));
    mlr_digest_of(NULL, 0, &pieces);
    assert_false(mlr_digest_equal(&whole, &pieces));
}

static void test_digest__check_says_what_differs(void **state)
{
    mlr_digest   abc, nothing;
    mlreg_error *err = NULL;
    char         want[256];

    (void)state;
    mlr_digest_of("abc", 3, &abc);
    mlr_digest_of("", 0, &nothing);
    assert_int_equal(mlr_digest_check(&abc, &abc, "layer 1", &err), 0);
    assert_null(err);
    assert_int_equal(mlr_digest_check(&nothing, &abc, "layer 1", &err), MLREG_EDIGEST);
    snprintf(want, sizeof want, "layer 1 is %s, not %s as named", nothing.text, abc.text);
    assert_string_equal(err->message, want);
    assert_string_equal(err->subject, abc.text);
    mlr_error_done(err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest__parses_sha256),
        cmocka_unit_test(test_digest__refuses_what_is_no_digest),
        cmocka_unit_test(test_digest__refuses_every_foreign_character),
        cmocka_unit_test(test_digest__names_the_algorithm_that_it_does_not_check),
        cmocka_unit_test(test_digest__quotes_only_the_start_of_a_long_text),
        cmocka_unit_test(test_digest__is_made_from_bytes),
        cmocka_unit_test(test_digest__check_says_what_differs),
    };

    return cmocka_run_group_tests_name("codec/digest", tests, NULL, NULL);
}
