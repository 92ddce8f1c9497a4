/* tests/net/test_auth_challenge.c - WWW-Authenticate as registries and proxies really write it. */
#include "net/auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "bed/failing_alloc.h"

static const char *or_dash(const char *text)
{
    return text != NULL ? text : "-";
}

/* All challenges of a value as "scheme realm service scope error|…", with - for what is missing. */
static void assert_reads(const char *value, const char *expected)
{
    char          got[4096] = "";
    const char   *cursor = value;
    mlr_challenge c;
    int           rc;

    while ((rc = mlr_challenge_next(&cursor, &c, NULL)) == 1) {
        size_t n = strlen(got);

        snprintf(got + n, sizeof got - n, "%s%s %s %s %s %s", n > 0 ? "|" : "", c.scheme, or_dash(c.realm),
            or_dash(c.service), or_dash(c.scope), or_dash(c.error));
        mlr_challenge_done(&c);
    }
    assert_int_equal(rc, 0);
    assert_string_equal(got, expected);
}

static void test_auth_challenge__what_docker_hub_says(void **state)
{
    (void)state;
    assert_reads("Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\","
                 "scope=\"repository:library/x:pull,push\",error=\"insufficient_scope\"",
        "Bearer https://auth.docker.io/token registry.docker.io repository:library/x:pull,push insufficient_scope");
}

static void test_auth_challenge__several_in_one_value(void **state)
{
    (void)state;
    assert_reads("Basic realm=\"a, b\", Bearer realm=\"https://t\", service=\"s\"",
        "Basic a, b - - -|Bearer https://t s - -");
    assert_reads("Negotiate, NTLM TlRMTVNTUAAB==, Basic realm=\"r\"", "Negotiate - - - -|NTLM - - - -|Basic r - - -");
    assert_reads("Negotiate YIIB , Bearer realm=x", "Negotiate - - - -|Bearer x - - -");
    assert_reads("Basic", "Basic - - - -");
    assert_reads("", "");
    assert_reads(" , ,", "");
}

static void test_auth_challenge__names_come_in_any_case(void **state)
{
    (void)state;
    assert_reads("BASIC Realm=\"Sonatype Nexus\"", "BASIC Sonatype Nexus - - -");
    assert_reads("bearer REALM=\"x\",SERVICE=\"y\",Scope=\"z\"", "bearer x y z -");
}

static void test_auth_challenge__quoted_strings_have_escapes_and_commas(void **state)
{
    (void)state;
    assert_reads("Basic realm=\"a \\\"b\\\" \\\\ c, Bearer realm=\\\"no\\\"\"",
        "Basic a \"b\" \\ c, Bearer realm=\"no\" - - -");
    assert_reads("Bearer realm=\"\",service=\"\"", "Bearer   - -");
}

static void test_auth_challenge__blanks_are_no_matter(void **state)
{
    (void)state;
    assert_reads("  Bearer   realm = \"x\" ,\t service= y\t,scope =\"z\" ", "Bearer x y z -");
}

static void test_auth_challenge__values_without_quotes_may_be_urls(void **state)
{
    (void)state;
    assert_reads("Bearer realm=https://h:1/token?a=b,service=s", "Bearer https://h:1/token?a=b s - -");
}

static void test_auth_challenge__unknown_parameters_and_second_ones_change_nothing(void **state)
{
    (void)state;
    assert_reads("Bearer nonce=\"realm=\\\"evil\\\"\", realm=\"good\", realm=\"evil\", x-y=1", "Bearer good - - -");
}

static void test_auth_challenge__garbage_is_passed_over(void **state)
{
    (void)state;
    assert_reads("realm=\"x\", Basic realm=\"y\"", "Basic y - - -");
    assert_reads("@@ \"Bearer realm=no\" (), Basic realm=\"y\"", "Basic y - - -");
    assert_reads("=,==,Basic realm=y", "Basic y - - -");
    assert_reads("Bearer realm=\"never ends, Basic realm=x", "Bearer - - - -");
    assert_reads("Bearer realm=\"ends in an escape\\", "Bearer - - - -");
    assert_reads("\"", "");
}

static void test_auth_challenge__length_has_a_limit(void **state)
{
    size_t        limit = 16u << 10;
    char         *value = malloc(limit + 2);
    const char   *cursor = value;
    mlr_challenge c;
    mlreg_error  *e = NULL;

    (void)state;
    memset(value, ' ', limit + 1);
    memcpy(value, "Basic realm=x", 13);
    value[limit] = '\0';
    assert_int_equal(mlr_challenge_next(&cursor, &c, NULL), 1);
    mlr_challenge_done(&c);
    value[limit] = ' ';
    value[limit + 1] = '\0';
    cursor = value;
    assert_int_equal(mlr_challenge_next(&cursor, &c, &e), MLREG_EPROTO);
    mlr_error_done(e);
    free(value);
}

static void test_auth_challenge__parameters_have_a_limit(void **state)
{
    char          value[2048] = "Basic ";
    const char   *cursor = value;
    mlr_challenge c;

    (void)state;
    for (int i = 0; i < 64; i++)
        snprintf(value + strlen(value), sizeof value - strlen(value), "p%d=v,", i);
    assert_int_equal(mlr_challenge_next(&cursor, &c, NULL), 1);
    mlr_challenge_done(&c);
    strcat(value, "realm=x");
    cursor = value;
    assert_int_equal(mlr_challenge_next(&cursor, &c, NULL), MLREG_EPROTO);
}

/* Whatever the bytes, reading ends; ASan watches the rest. */
static void test_auth_challenge__ends_on_every_input(void **state)
{
    static const char letters[] = "Ba=\"\\, \t@";
    uint32_t          seed = 1;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        char          value[24];
        const char   *cursor = value;
        mlr_challenge c;
        int           n = 0;

        for (size_t i = 0; i < sizeof value - 1; i++) {
            seed = seed * 1664525u + 1013904223u;
            value[i] = letters[(seed >> 24) % (sizeof letters - 1)];
        }
        value[sizeof value - 1] = '\0';
        while (mlr_challenge_next(&cursor, &c, NULL) == 1) {
            mlr_challenge_done(&c);
            assert_true(++n < 24);
        }
    }
}

static void test_auth_challenge__survives_want_of_memory(void **state)
{
    failing_alloc f;
    bool          fired = true;

    (void)state;
    for (int n = 1; fired; n++) {
        const char   *cursor = "stray=1, Bearer realm=x,service=y,other=z,scope=s,error=e";
        mlr_challenge c = {0};

        failing_alloc_arm(&f, n, false);
        int rc = mlr_challenge_next(&cursor, &c, NULL);
        fired = failing_alloc_disarm(&f);
        assert_int_equal(rc, fired ? MLREG_ENOMEM : 1);
        mlr_challenge_done(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_auth_challenge__what_docker_hub_says),
        cmocka_unit_test(test_auth_challenge__several_in_one_value),
        cmocka_unit_test(test_auth_challenge__names_come_in_any_case),
        cmocka_unit_test(test_auth_challenge__quoted_strings_have_escapes_and_commas),
        cmocka_unit_test(test_auth_challenge__blanks_are_no_matter),
        cmocka_unit_test(test_auth_challenge__values_without_quotes_may_be_urls),
        cmocka_unit_test(test_auth_challenge__unknown_parameters_and_second_ones_change_nothing),
        cmocka_unit_test(test_auth_challenge__garbage_is_passed_over),
        cmocka_unit_test(test_auth_challenge__length_has_a_limit),
        cmocka_unit_test(test_auth_challenge__parameters_have_a_limit),
        cmocka_unit_test(test_auth_challenge__ends_on_every_input),
        cmocka_unit_test(test_auth_challenge__survives_want_of_memory),
    };
    return cmocka_run_group_tests_name("net/auth_challenge", tests, NULL, NULL);
}
