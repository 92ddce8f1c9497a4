/* tests/net/test_mirrors.c - which places registries.conf names for a repository, and what it must not say. */
#include "net/mirrors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/error.h"
#include "bed/failing_alloc.h"
#include "net/creds_bed.h"
#include "net/mirrors_parts.h"

static mlr_mirrors *read_conf(const char *text)
{
    mlr_mirrors *m = calloc(1, sizeof *m);
    mlreg_error *err = NULL;

    if (mlr_mirrors_read(m, "conf", text, strlen(text), &err) < 0)
        fail_msg("%s", err->message);
    return m;
}

static void release(mlr_mirrors *m)
{
    for (size_t i = 0; i < m->n; i++)
        mlr_mirrors_entry_done(&m->items[i]);
    mlr_free(m->items);
    free(m);
}

/* The sources as "URL/repo[!]" with blanks between them; "-" is the registry itself, "!" says that http is allowed. */
static void assert_chosen(const char *conf, const char *host, const char *repo, const char *word, const char *expected)
{
    mlr_mirrors *m = read_conf(conf);
    mlr_sources  s;
    char         out[1024] = "";

    assert_int_equal(mlr_mirrors_choose(m, host, repo, word, &s, NULL), 0);
    for (size_t i = 0; i < s.n; i++) {
        size_t used = strlen(out);

        snprintf(out + used, sizeof out - used, "%s%s/%s%s", i > 0 ? " " : "",
                 s.items[i].url != NULL ? s.items[i].url : "-", s.items[i].repo, s.items[i].plain_http ? "!" : "");
    }
    assert_string_equal(out, expected);
    mlr_sources_done(&s);
    release(m);
}

static void test_mirrors__come_in_order_and_the_registry_last(void **state)
{
    static const char conf[] = "[[registry]]\nlocation = 'ghcr.io'\n"
                               "[[registry.mirror]]\nlocation = 'one.example:5000'\n"
                               "[[registry.mirror]]\nlocation = 'two.example/cache/ghcr/'\n";

    (void)state;
    assert_chosen(conf, "ghcr.io", "team/x", ":v1",
                  "https://one.example:5000/team/x https://two.example/cache/ghcr/team/x -/team/x");
    assert_chosen(conf, "ghcr.io:8443", "team/x", ":v1", "");
    assert_chosen(conf, "sub.ghcr.io", "team/x", ":v1", "");
    assert_chosen("", "ghcr.io", "team/x", ":v1", "");
}

static void test_mirrors__follow_the_longest_prefix(void **state)
{
    static const char conf[] = "[[registry]]\nlocation = 'a.example'\n[[registry.mirror]]\nlocation = 'm1'\n"
                               "[[registry]]\nlocation = 'a.example/team'\n[[registry.mirror]]\nlocation = 'm2/t'\n"
                               "[[registry]]\nlocation = 'a.example/team/x'\n[[registry.mirror]]\nlocation = 'm3/y'\n"
                               "[[registry]]\nlocation = 'other/z'\nprefix = 'a.example/team/x:v2'\n";

    (void)state;
    assert_chosen(conf, "a.example", "teams/x", "", "https://m1/teams/x -/teams/x");
    assert_chosen(conf, "a.example", "team/z", "", "https://m2/t/z -/team/z");
    assert_chosen(conf, "a.example", "team/x", ":v1", "https://m3/y -/team/x");
    assert_chosen(conf, "a.example", "team/x", ":v2", "https://other/z");
    assert_chosen(conf, "a.example", "team/x", ":v22", "https://m3/y -/team/x");
    assert_chosen(conf, "a.example", "team/xy", ":v1", "https://m2/t/xy -/team/xy");
}

static void test_mirrors__of_all_hosts_below_one(void **state)
{
    static const char conf[] = "[[registry]]\nprefix = '*.example.com'\n[[registry.mirror]]\nlocation = 'm/all'\n"
                               "[[registry]]\nprefix = '*.b.example.com'\nlocation = 'other/b'\n"
                               "[[registry]]\nprefix = 'x.b.example.com'\nlocation = 'x.b.example.com'\n";

    (void)state;
    assert_chosen(conf, "a.example.com", "r", "", "https://m/all/r -/r");
    assert_chosen(conf, "a.c.example.com", "r", "", "https://m/all/r -/r");
    assert_chosen(conf, "example.com", "r", "", "");
    assert_chosen(conf, "badexample.com", "r", "", "");
    assert_chosen(conf, "a.example.com.evil", "r", "", "");
    assert_chosen(conf, "evil.io", "a.example.com/r", "", "");
    assert_chosen(conf, "y.b.example.com", "r", "", "https://other/b/r");
    assert_chosen(conf, "x.b.example.com", "r", "", "-/r");
}

/* The manual of registries.conf knows hosts alone behind a '*', containers' code takes all that may follow one. */
static void test_mirrors__of_ports_and_namespaces_of_all_hosts_below_one(void **state)
{
    static const char conf[] = "[[registry]]\nprefix = '*.x.com/team'\nlocation = 'm/all'\n"
                               "[[registry]]\nprefix = '*.x.com:5000'\n[[registry.mirror]]\nlocation = 'n'\n"
                               "[[registry]]\nprefix = '*.x.com/team/r:v2'\nlocation = 'other/z'\n";

    (void)state;
    assert_chosen(conf, "a.x.com", "team/r", ":v1", "https://m/all/r");
    assert_chosen(conf, "a.b.x.com", "team/r", "", "https://m/all/r");
    assert_chosen(conf, "a.x.com.x.com", "team/r", "", "https://m/all/r");
    assert_chosen(conf, "a.x.com", "team/r", ":v2", "https://other/z");
    assert_chosen(conf, "a.x.com", "teams/r", "", "");
    assert_chosen(conf, "a.x.com", "other/team", "", "");
    assert_chosen(conf, "x.com", "team/r", "", "");
    assert_chosen(conf, "evil.io", "a.x.com/team/r", "", "");
    assert_chosen(conf, "a.x.com:5000", "r", "", "https://n/r -/r");
    assert_chosen(conf, "a.x.com:50001", "r", "", "");
    assert_chosen(conf, "a.x.com", "r", "", "");
}

static void test_mirrors__a_port_is_no_part_of_a_repository(void **state)
{
    static const char *const cases[][2] = {
        {"[[registry]]\nprefix = '*.x.com'\nlocation = 'm/all'\n", "conf, line 1: the [[registry]] that begins here makes a repository of m/all:5000/r"},
        {"[[registry]]\nprefix = '*.x.com'\nlocation = 'm:443'\n", "conf, line 1: the [[registry]] that begins here makes a repository of m:443:5000/r"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mlr_mirrors *m = read_conf(cases[i][0]);
        mlreg_error *err = NULL;
        mlr_sources  s;

        assert_int_equal(mlr_mirrors_choose(m, "a.x.com:5000", "r", ":v1", &s, &err), MLREG_EPROTO);
        assert_string_equal(err->message, cases[i][1]);
        mlr_error_done(err);
        release(m);
    }
    assert_chosen("[[registry]]\nprefix = '*.x.com'\nlocation = 'm'\n", "a.x.com:5000", "r", ":v1", "https://m:5000/r");
}

static void test_mirrors__pull_from_mirror_says_for_what(void **state)
{
    static const char conf[] = "[[registry]]\nlocation = 'a'\n"
                               "[[registry.mirror]]\nlocation = 'd'\npull-from-mirror = 'digest-only'\n"
                               "[[registry.mirror]]\nlocation = 't'\npull-from-mirror = 'tag-only'\n"
                               "[[registry.mirror]]\nlocation = 'b'\npull-from-mirror = 'all'\n";
    static const char old[] = "[[registry]]\nmirror-by-digest-only = true\nlocation = 'a'\n"
                              "[[registry.mirror]]\nlocation = 'd'\n";

    (void)state;
    assert_chosen(conf, "a", "r", ":v1", "https://t/r https://b/r -/r");
    assert_chosen(conf, "a", "r", "@sha256:00", "https://d/r https://b/r -/r");
    assert_chosen(conf, "a", "r", "", "https://d/r https://t/r https://b/r -/r");
    assert_chosen(old, "a", "r", ":v1", "-/r");
    assert_chosen(old, "a", "r", "@sha256:00", "https://d/r -/r");
}

static void test_mirrors__are_spoken_to_by_http_only_where_that_is_said(void **state)
{
    static const char conf[] = "[[registry]]\nprefix = 'a'\nlocation = 'b'\ninsecure = true\n"
                               "[[registry.mirror]]\nlocation = 'm:5000'\ninsecure = true\n"
                               "[[registry.mirror]]\nlocation = 'n'\ninsecure = false\n"
                               "[[registry.mirror]]\nlocation = '127.0.0.1:5000'\n"
                               "[[registry.mirror]]\nlocation = 'localhost'\ninsecure = true\n";

    (void)state;
    assert_chosen(conf, "a", "r", "", "https://m:5000/r http://m:5000/r! https://n/r http://127.0.0.1:5000/r "
                                      "http://localhost/r https://b/r http://b/r!");
}

/* As containers' code has it: who looks after a file sees all of it, who drops one in wants to say something else. */
static void test_mirrors__of_one_prefix_the_first_of_the_last_file_stands(void **state)
{
    static const char drop_in[] = "[[registry]]\nprefix = 'a'\nlocation = 'c'\n[[registry]]\nprefix = 'a'\nlocation = 'd'\n";
    mlr_mirrors *m = read_conf("[[registry]]\nprefix = 'a/'\nlocation = 'b'\n[[registry]]\nlocation = 'a'\nblocked = true\n");
    mlr_sources  s;

    (void)state;
    assert_int_equal(mlr_mirrors_choose(m, "a", "r", "", &s, NULL), 0);
    assert_string_equal(s.items[0].url, "https://b");
    mlr_sources_done(&s);
    assert_int_equal(mlr_mirrors_read(m, "drop-in", drop_in, sizeof drop_in - 1, NULL), 0);
    assert_int_equal(mlr_mirrors_choose(m, "a", "r", "", &s, NULL), 0);
    assert_string_equal(s.items[0].url, "https://c");
    mlr_sources_done(&s);
    release(m);
}

static void test_mirrors__one_file_says_one_thing_of_a_location(void **state)
{
    mlr_mirrors *m = read_conf("[[registry]]\nlocation = 'a'\nblocked = true\n");

    (void)state;
    assert_int_equal(mlr_mirrors_read(m, "drop-in", "[[registry]]\nlocation = 'a'\n", 28, NULL), 0);      /* another file may */
    release(m);
}

static void test_mirrors__what_is_blocked_is_refused_with_file_and_line(void **state)
{
    mlr_mirrors *m = read_conf("\n[[registry]]\nprefix = 'a/bad'\nlocation = 'a/bad'\nblocked = true\n");
    mlreg_error *err = NULL;
    mlr_sources  s;

    (void)state;
    assert_int_equal(mlr_mirrors_choose(m, "a", "bad/x", ":v1", &s, &err), MLREG_EPOLICY);
    assert_string_equal(err->message, "a/bad/x is blocked by conf, line 2");
    mlr_error_done(err);
    assert_int_equal(mlr_mirrors_choose(m, "a", "good/x", ":v1", &s, NULL), 0);
    assert_int_equal(s.n, 0);
    release(m);
}

static void test_mirrors__a_place_that_leaves_no_repository_is_an_error(void **state)
{
    mlr_mirrors *m = read_conf("[[registry]]\nlocation = 'b'\nprefix = 'a/r'\n");
    mlreg_error *err = NULL;
    mlr_sources  s;

    (void)state;
    assert_int_equal(mlr_mirrors_choose(m, "a", "r", ":v1", &s, &err), MLREG_EPROTO);
    assert_non_null(strstr(err->message, "conf, line 1"));
    assert_int_equal(s.n, 0);
    mlr_error_done(err);
    release(m);
}

static void test_mirrors__passes_over_what_concerns_others(void **state)
{
    static const char conf[] = "unqualified-search-registries = ['docker.io']\nshort-name-mode = 'enforcing'\n"
                               "credential-helpers = ['x']\nadditional = {registry = 1}\n[aliases]\n'a' = 'b'\n"
                               "registry = 'not this one'\n[registries.search]\nregistries = ['x']\n[registries.block]\n"
                               "registries = []\n[[registry]]\nlocation = 'a'\nunknown = [1]\n"
                               "[[registry.mirror]]\nlocation = 'm'\nunknown = 1\n[registry.more]\nlocation = 1\n";

    (void)state;
    assert_chosen(conf, "a", "r", "", "https://m/r -/r");
}

static void test_mirrors__says_what_is_wrong_in_which_line(void **state)
{
#define A "[[registry]]\nlocation = 'a'\n"
    static const struct { const char *text, *says; } cases[] = {
        {"\n[[registry", "conf, line 2: "},
        {A "location = 'b'\n", "conf, line 3: 'location' is there twice"},
        {"[[registry]]\nlocation = 1\n", "conf, line 2: 'location' is no string"},
        {"[[registry]]\nprefix = ['x']\n", "conf, line 2: 'prefix' is no string"},
        {A "blocked = 'yes'\n", "conf, line 3: 'blocked' is neither"},
        {A "insecure = 1\n", "conf, line 3: 'insecure' is neither"},
        {"[[registry]]\n", "conf, line 1: the [[registry]] that begins here has neither"},
        {"\n[[registry]]\nprefix = 'a'\n", "conf, line 2: the [[registry]] that begins here has no location"},
        {"[[registry]]\nlocation = 'https://a'\n", "conf, line 1: the [[registry]] that begins here has, with a scheme"},
        {"[[registry]]\nlocation = 'a b'\n", "conf, line 1: the [[registry]] that begins here has no location: 'a b'"},
        {"[[registry]]\nlocation = 'me:secret@a'\n", "conf, line 1: the [[registry]] that begins here has no location:"},
        {"[[registry]]\nlocation = 'a/b:v1'\n", "conf, line 1: the [[registry]] that begins here has no location:"},
        {"[[registry]]\nlocation = '/a'\n", "conf, line 1: the [[registry]] that begins here has no location:"},
        {"[[registry]]\nlocation = 'a:99999'\n", "conf, line 1: the [[registry]] that begins here has no location:"},
        {"[[registry]]\nlocation = 'a'\nprefix = 'a.*.b'\n", "conf, line 1: the [[registry]] that begins here has a prefix"},
        {"[[registry]]\nlocation = 'a'\nprefix = 'https://a'\n", "conf, line 1: the [[registry]] that begins here has, with a scheme, the prefix 'https://a'"},
        {A "pull-from-mirror = 'digest-only'\n", "conf, line 3: 'pull-from-mirror' is said of a mirror, in its [[registry.mirror]]"},
        {A "[[registry]]\nlocation = 'b'\n" A "blocked = true\n", "conf, line 5: the [[registry]] that begins here is blocked, the one of line 1 for 'a' is not"},
        {A "insecure = true\n" A, "conf, line 4: the [[registry]] that begins here is not insecure, the one of line 1 for 'a' is"},
        {"[[registry]]\nprefix = '*.a'\n[[registry]]\nprefix = '*.a'\nblocked = true\n",
         "conf, line 3: the [[registry]] that begins here is blocked, the one of line 1 for '*.a' is not"},
        {A "[[registry.mirror]]\n", "conf, line 1: the [[registry]] that begins here has a mirror without"},
        {A "[[registry.mirror]]\nlocation = 'http://m'\n", "conf, line 1: the [[registry]] that begins here has, with"},
        {A "[[registry.mirror]]\nlocation = 'm'\npull-from-mirror = 'some'\n", "conf, line 5: 'pull-from-mirror' is"},
        {A "mirror-by-digest-only = true\n[[registry.mirror]]\nlocation = 'm'\npull-from-mirror = 'all'\n",
         "conf, line 1: mirror-by-digest-only and pull-from-mirror exclude"},
        {A "mirror = [{location = 'm'}]\n", "conf, line 3: a mirror is written as"},
        {"[[registry.mirror]]\nlocation = 'm'\n", "conf, line 1: a [[registry.mirror]] without"},
        {"[registry]\nlocation = 'm'\n", "conf, line 1: this table stands in double brackets"},
        {"registry = [{location = 'm'}]\n", "conf, line 1: a registry is written as"},
        {"[registries.block]\nregistries = ['x']\n", "conf, line 2: this is the old format"},
        {"[registries.insecure]\nregistries = ['x']\n", "conf, line 2: this is the old format"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mlr_mirrors m = {0};
        mlreg_error *err = NULL;
        int          rc = mlr_mirrors_read(&m, "conf", cases[i].text, strlen(cases[i].text), &err);

        if (rc != MLREG_EPROTO || strncmp(err->message, cases[i].says, strlen(cases[i].says)) != 0)
            fail_msg("%s: %d \"%s\"", cases[i].text, rc, err != NULL ? err->message : "");
        mlr_error_done(err);
        for (size_t k = 0; k < m.n; k++)
            mlr_mirrors_entry_done(&m.items[k]);
        mlr_free(m.items);
    }
#undef A
}

static void test_mirrors__says_that_memory_is_out(void **state)
{
    static const char conf[] = "[[registry]]\nprefix = 'a'\nlocation = 'b/c/'\ninsecure = true\n"
                               "[[registry.mirror]]\nlocation = 'm'\n[[registry]]\nlocation = 'd'\n[[registry]]\nlocation = 'd'\n";
    bool fired = true;

    (void)state;
    for (int n = 1; fired; n++) {
        mlr_mirrors   m = {0};
        mlr_sources   s = {NULL, 0};
        failing_alloc f;
        int           rc;

        failing_alloc_arm(&f, n, false);
        if ((rc = mlr_mirrors_read(&m, "conf", conf, strlen(conf), NULL)) == 0)
            rc = mlr_mirrors_choose(&m, "a", "r", ":v1", &s, NULL);
        fired = failing_alloc_disarm(&f);
        assert_int_equal(rc, fired ? MLREG_ENOMEM : 0);
        mlr_sources_done(&s);
        for (size_t k = 0; k < m.n; k++)
            mlr_mirrors_entry_done(&m.items[k]);
        mlr_free(m.items);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mirrors__come_in_order_and_the_registry_last),
        cmocka_unit_test(test_mirrors__follow_the_longest_prefix),
        cmocka_unit_test(test_mirrors__of_all_hosts_below_one),
        cmocka_unit_test(test_mirrors__of_ports_and_namespaces_of_all_hosts_below_one),
        cmocka_unit_test(test_mirrors__a_port_is_no_part_of_a_repository),
        cmocka_unit_test(test_mirrors__pull_from_mirror_says_for_what),
        cmocka_unit_test(test_mirrors__are_spoken_to_by_http_only_where_that_is_said),
        cmocka_unit_test(test_mirrors__of_one_prefix_the_first_of_the_last_file_stands),
        cmocka_unit_test(test_mirrors__one_file_says_one_thing_of_a_location),
        cmocka_unit_test(test_mirrors__what_is_blocked_is_refused_with_file_and_line),
        cmocka_unit_test(test_mirrors__a_place_that_leaves_no_repository_is_an_error),
        cmocka_unit_test(test_mirrors__passes_over_what_concerns_others),
        cmocka_unit_test(test_mirrors__says_what_is_wrong_in_which_line),
        cmocka_unit_test(test_mirrors__says_that_memory_is_out),
    };

    return cmocka_run_group_tests_name("mirrors", tests, NULL, NULL);
}
