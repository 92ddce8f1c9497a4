/* api/test_name.c - how people write where something is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api_bed.h"

#define DIGEST "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

typedef struct form { const char *text, *location, *ref, *stored, *repository, *tag, *digest; } form;

static void same(const char *got, const char *want, const char *what, const char *text)
{
    if ((got == NULL) != (want == NULL) || (got != NULL && strcmp(got, want) != 0))
        fail_msg("%s of \"%s\" is %s, not %s", what, text, got != NULL ? got : "NULL", want != NULL ? want : "NULL");
}

static void check(const form *f)
{
    mlreg_name *n = NULL;

    api_rc(mlreg_name_parse(f->text, &n, &err), 0);
    same(mlreg_name_location(n), f->location, "the location", f->text);
    same(mlreg_name_ref(n), f->ref, "the ref", f->text);
    same(mlreg_name_stored(n), f->stored, "the stored name", f->text);
    same(mlreg_name_repository(n), f->repository, "the repository", f->text);
    same(mlreg_name_tag(n), f->tag, "the tag", f->text);
    same(mlreg_name_digest(n), f->digest, "the digest", f->text);
    mlreg_name_free(n);
}
#define check_all(forms)                                                                                               \
    for (size_t i = 0; i < sizeof(forms) / sizeof((forms)[0]); i++)                                                    \
    check(&(forms)[i])

static void test_name__a_first_part_with_dot_or_colon_is_a_host(void **state)
{
    static const form forms[] = {
        { "ghcr.io/team/llama:v1", "https://ghcr.io", "team/llama:v1", "ghcr.io/team/llama:v1", "team/llama", "v1", NULL },
        { "hub:5000/llama:v1", "https://hub:5000", "llama:v1", "hub:5000/llama:v1", "llama", "v1", NULL },
        { "ghcr.io/llama", "https://ghcr.io", "llama", "ghcr.io/llama", "llama", NULL, NULL },
        { "docker.io/library/alpine:3", "https://docker.io", "library/alpine:3", "docker.io/library/alpine:3", "library/alpine", "3", NULL },
    };

    (void)state;
    check_all(forms);
}

static void test_name__loopback_hosts_are_http(void **state)
{
    static const form forms[] = {
        { "localhost/x:1", "http://localhost", "x:1", "localhost/x:1", "x", "1", NULL },
        { "localhost:5000/x:1", "http://localhost:5000", "x:1", "localhost:5000/x:1", "x", "1", NULL },
        { "127.0.0.1:5000/x:1", "http://127.0.0.1:5000", "x:1", "127.0.0.1:5000/x:1", "x", "1", NULL },
        { "127.9.9.9/x:1", "http://127.9.9.9", "x:1", "127.9.9.9/x:1", "x", "1", NULL },
        { "[::1]:5000/x:1", "http://[::1]:5000", "x:1", "[::1]:5000/x:1", "x", "1", NULL },
    };

    (void)state;
    check_all(forms);
}

static void test_name__a_scheme_is_honoured(void **state)
{
    static const form forms[] = {
        { "http://hub.test/x:1", "http://hub.test", "x:1", "hub.test/x:1", "x", "1", NULL },
        { "https://localhost:5000/x:1", "https://localhost:5000", "x:1", "localhost:5000/x:1", "x", "1", NULL },
        { "https://hub/x:1", "https://hub", "x:1", "hub/x:1", "x", "1", NULL },
    };

    (void)state;
    check_all(forms);
}

static void test_name__without_a_host_a_store_is_meant(void **state)
{
    static const form forms[] = {
        { "llama:v1", NULL, "llama:v1", "llama:v1", "llama", "v1", NULL },
        { "team/llama:v1", NULL, "team/llama:v1", "team/llama:v1", "team/llama", "v1", NULL },
        { "llama", NULL, "llama", "llama", "llama", NULL, NULL },
        { "localhosts/llama:v1", NULL, "localhosts/llama:v1", "localhosts/llama:v1", "localhosts/llama", "v1", NULL },
    };

    (void)state;
    check_all(forms);
}

static void test_name__a_digest_works_wherever_a_tag_does(void **state)
{
    static const form forms[] = {
        { "llama@" DIGEST, NULL, "llama@" DIGEST, "llama@" DIGEST, "llama", NULL, DIGEST },
        { "ghcr.io/x@" DIGEST, "https://ghcr.io", "x@" DIGEST, "ghcr.io/x@" DIGEST, "x", NULL, DIGEST },
        { "ghcr.io/x:1@" DIGEST, "https://ghcr.io", "x:1@" DIGEST, "ghcr.io/x:1@" DIGEST, "x", "1", DIGEST },
        { "oci:dir@" DIGEST, "oci:dir", "@" DIGEST, DIGEST, "", NULL, DIGEST },
        { "oci:dir:v1@" DIGEST, "oci:dir", ":v1@" DIGEST, "v1", "", "v1", DIGEST },
    };

    (void)state;
    check_all(forms);
}

static void test_name__oci_is_a_layouts_folder_and_tag(void **state)
{
    static const form forms[] = {
        { "oci:./out:v1", "oci:./out", ":v1", "v1", "", "v1", NULL },
        { "oci:/abs/out", "oci:/abs/out", "", "", "", NULL, NULL },
        { "oci:a:b/out:v1", "oci:a:b/out", ":v1", "v1", "", "v1", NULL },
        { "oci:a:b/out", "oci:a:b/out", "", "", "", NULL, NULL },
    };

    (void)state;
    check_all(forms);
}

static void test_name__a_host_in_capitals_is_lowered(void **state)
{
    static const form forms[] = { { "GHCR.IO/x:1", "https://ghcr.io", "x:1", "ghcr.io/x:1", "x", "1", NULL } };

    (void)state;
    check_all(forms);
}

static void test_name__what_is_malformed_is_refused_with_a_hint(void **state)
{
    static const char *const bad[] = {
        "", ":", "/", "@", ":v1", "@" DIGEST, "Llama:v1", "llama:", "llama:-v", "llama:a b", "llama:v1:v2", "llama@", "llama@sha256:12",
        "llama@" DIGEST "0", "team//llama", "/llama", "team/", "team/../llama", "_x", "x_", "a b", "x\n", "ghcr.io/", "ghcr.io/:v1", "https://", "https:///x",
        "https://ghcr.io", "https://ghcr.io/", "http://ghcr.io/X:1", "oci:", "oci::v1", "oci:@" DIGEST, "oci:dir:-", "oci:dir:", "oci:dir@sha256:12",
        "ftp://ghcr.io/x:1", "user@ghcr.io/x:1", "https://user:pw@ghcr.io/x:1", "ghcr.io:port/x:1", "ghcr.io:99999/x:1", "gh cr.io/x:1", ".ghcr.io/x:1",
        "https://gh\tcr.io/x:1", "caf\xc3\xa9:v1", "ghcr..io/x:1", ":5000/x:1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mlreg_name *n = NULL;
        mlreg_error *err = NULL;

        if (mlreg_name_parse(bad[i], &n, &err) != MLREG_EINVAL)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_null(n);
        if (mlreg_error_hint(err) == NULL)
            fail_msg("\"%s\": %s, and no hint", bad[i], mlreg_error_message(err));
        assert_non_null(mlreg_error_subject(err));
        mlreg_error_free(err);
    }
}

static void test_name__digests_of_another_kind_are_not_supported(void **state)
{
    mlreg_name *n = NULL;

    (void)state;
    api_rc(mlreg_name_parse("llama@md5:00", &n, &err), MLREG_ENOTSUP);
    assert_null(n);
}

static void test_name__a_tag_may_have_128_characters(void **state)
{
    char text[200] = "x:";
    mlreg_name *n = NULL;

    (void)state;
    memset(text + 2, 'v', 128);
    api_rc(mlreg_name_parse(text, &n, &err), 0);
    mlreg_name_free(n);
    n = NULL;
    memset(text + 2, 'v', 129);
    api_rc(mlreg_name_parse(text, &n, &err), MLREG_EINVAL);
    assert_null(n);
}

static void test_name__null_is_refused(void **state)
{
    mlreg_name *n = NULL;

    (void)state;
    api_rc(mlreg_name_parse(NULL, &n, &err), MLREG_EINVAL);
    api_rc(mlreg_name_parse("x", NULL, &err), MLREG_EINVAL);
    assert_null(n);
}

static void test_name__accessors_take_null(void **state)
{
    (void)state;
    assert_null(mlreg_name_location(NULL));
    assert_string_equal(mlreg_name_ref(NULL), "");
    assert_string_equal(mlreg_name_stored(NULL), "");
    assert_string_equal(mlreg_name_repository(NULL), "");
    assert_null(mlreg_name_tag(NULL));
    assert_null(mlreg_name_digest(NULL));
    mlreg_name_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name__a_first_part_with_dot_or_colon_is_a_host),
        cmocka_unit_test(test_name__loopback_hosts_are_http),
        cmocka_unit_test(test_name__a_scheme_is_honoured),
        cmocka_unit_test(test_name__without_a_host_a_store_is_meant),
        cmocka_unit_test(test_name__a_digest_works_wherever_a_tag_does),
        cmocka_unit_test(test_name__oci_is_a_layouts_folder_and_tag),
        cmocka_unit_test(test_name__a_host_in_capitals_is_lowered),
        cmocka_unit_test(test_name__what_is_malformed_is_refused_with_a_hint),
        cmocka_unit_test(test_name__digests_of_another_kind_are_not_supported),
        cmocka_unit_test(test_name__a_tag_may_have_128_characters),
        cmocka_unit_test(test_name__null_is_refused),
        cmocka_unit_test(test_name__accessors_take_null),
    };
    return cmocka_run_group_tests_name("api/name", tests, NULL, NULL);
}
