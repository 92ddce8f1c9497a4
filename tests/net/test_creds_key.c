/* tests/net/test_creds_key.c - which keys name a host, and which of two names it better. */
#include "net/creds_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static void test_creds_key__every_spelling_of_a_host_is_known_best_first(void **state)
{
    static const char *const schemes[] = {"", "https://", "http://"};
    static const char *const endings[] = {"", "/", "/v1/", "/v2/", "/v1", "/v2"};
    unsigned before = 99;

    (void)state;
    for (size_t i = 0; i < 3 * 6; i++) {
        char     key[64];
        unsigned rank;

        snprintf(key, sizeof key, "%sghcr.io%s", schemes[i / 6], endings[i % 6]);
        rank = mlr_creds_key_rank(key, "ghcr.io", NULL);
        assert_in_range(rank, 1, before - 1);
        before = rank;
    }
}

static void test_creds_key__a_part_of_a_host_is_no_match(void **state)
{
    static const char *const others[] = {
        "", "ghcr.i", "io", ".io", "ghcr.io:443", "GHCR.IO", "ghcr.io//", "ghcr.io/v1/x",
        "ghcr.io.evil.example", "evil-ghcr.io", "https://ghcr.io.evil.example/v1/", "ghcr.io@evil.example",
        "https://user@ghcr.io", "ftp://ghcr.io", "https://evil.example/ghcr.io",
    };

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(mlr_creds_key_rank(others[i], "ghcr.io", NULL), 0);
    assert_int_equal(mlr_creds_key_rank("", "", NULL), 0);
    assert_int_equal(mlr_creds_key_rank("/", "", ""), 0);
}

static void test_creds_key__a_port_belongs_to_the_host(void **state)
{
    (void)state;
    assert_true(mlr_creds_key_rank("127.0.0.1:5000", "127.0.0.1:5000", NULL) > 0);
    assert_true(mlr_creds_key_rank("http://[::1]:5000/v2/", "[::1]:5000", NULL) > 0);
    assert_int_equal(mlr_creds_key_rank("127.0.0.1", "127.0.0.1:5000", NULL), 0);
    assert_int_equal(mlr_creds_key_rank("127.0.0.1:50001", "127.0.0.1:5000", NULL), 0);
}

static void test_creds_key__the_hub_has_a_key_of_its_own(void **state)
{
    unsigned own = mlr_creds_key_rank("https://index.docker.io/v1/", "docker.io", NULL);

    (void)state;
    assert_string_equal(mlr_creds_key_of("docker.io"), "https://index.docker.io/v1/");
    assert_string_equal(mlr_creds_key_of("ghcr.io"), "ghcr.io");
    assert_true(own > mlr_creds_key_rank("docker.io", "docker.io", NULL));
    assert_true(mlr_creds_key_rank("index.docker.io", "docker.io", NULL) > 0);
    assert_true(mlr_creds_key_rank("registry-1.docker.io", "docker.io", "library/x") > 0);
    assert_int_equal(mlr_creds_key_rank("https://index.docker.io/v1/", "ghcr.io", NULL), 0);
    assert_int_equal(mlr_creds_key_rank("hub.docker.io", "docker.io", NULL), 0);
}

static void test_creds_key__the_longest_path_of_whole_components_wins(void **state)
{
    const char *repo = "team/llama/base";
    unsigned    all = mlr_creds_key_rank("quay.io/team/llama/base", "quay.io", repo);
    unsigned    two = mlr_creds_key_rank("quay.io/team/llama", "quay.io", repo);
    unsigned    one = mlr_creds_key_rank("quay.io/team", "quay.io", repo);
    unsigned    host = mlr_creds_key_rank("quay.io", "quay.io", repo);

    (void)state;
    assert_true(all > two && two > one && one > host && host > 0);
    assert_int_equal(mlr_creds_key_rank("quay.io/tea", "quay.io", repo), 0);
    assert_int_equal(mlr_creds_key_rank("quay.io/team/", "quay.io", repo), 0);
    assert_int_equal(mlr_creds_key_rank("quay.io/team/llama/base/x", "quay.io", repo), 0);
    assert_int_equal(mlr_creds_key_rank("quay.io/team", "quay.io", ""), 0);
    assert_int_equal(mlr_creds_key_rank("quay.io/team", "quay.io", NULL), 0);   /* docker's files know no paths */
}

static void test_creds_key__tells_keys_below_a_host(void **state)
{
    (void)state;
    assert_true(mlr_creds_key_is_below("quay.io/team", "quay.io"));
    assert_false(mlr_creds_key_is_below("quay.io", "quay.io"));
    assert_false(mlr_creds_key_is_below("quay.io/v2/", "quay.io"));
    assert_false(mlr_creds_key_is_below("quay.io.example/team", "quay.io"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_creds_key__every_spelling_of_a_host_is_known_best_first),
        cmocka_unit_test(test_creds_key__a_part_of_a_host_is_no_match),
        cmocka_unit_test(test_creds_key__a_port_belongs_to_the_host),
        cmocka_unit_test(test_creds_key__the_hub_has_a_key_of_its_own),
        cmocka_unit_test(test_creds_key__the_longest_path_of_whole_components_wins),
        cmocka_unit_test(test_creds_key__tells_keys_below_a_host),
    };
    return cmocka_run_group_tests_name("net/creds_key", tests, NULL, NULL);
}
