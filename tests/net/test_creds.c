/* tests/net/test_creds.c - the order in which credentials are looked for, and what is told of the search. */
#include "net/creds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <pthread.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/work.h"
#include "bed/failing_alloc.h"
#include "bed/fs_fault.h"
#include "net/creds_bed.h"

#define ANN    "{\"auths\":{\"ghcr.io\":{\"auth\":\"YW5uOmh1bnRlcjI=\"}}}"         /* ann:hunter2 */
#define BOB    "{\"auths\":{\"ghcr.io\":{\"auth\":\"Ym9iOmE6Yjpj\"}}}"             /* bob:a:b:c */
#define NOBODY "{\"auths\":{}}"

static creds_bed bed;

static int setup(void **state)
{
    (void)state;
    creds_bed_make(&bed);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mlr_fs_use(NULL, NULL);
    creds_bed_remove(&bed);
    return 0;
}

static void set_variable(const char *name, const char *below)
{
    char value[256];

    snprintf(value, sizeof value, "%s/%s", bed.dir, below);
    setenv(name, value, 1);
}

/* `text` with every '@' replaced by the directory of this test; good until the next call. */
static const char *here(const char *text)
{
    static char out[4096];
    size_t      n = 0;

    for (; *text != '\0'; text++)
        n += (size_t)snprintf(out + n, sizeof out - n, *text == '@' ? "%s" : "%.1s", *text == '@' ? bed.dir : text);
    return out;
}

static void assert_finds(const char *repo, const char *name, const char *looked)
{
    mlr_creds c;

    assert_int_equal(mlr_creds_find("ghcr.io", repo, NULL, NULL, NULL, NULL, &c, NULL), 0);
    assert_int_equal(c.kind, name != NULL ? MLR_CREDS_BASIC : MLR_CREDS_NONE);
    if (name != NULL)
        assert_string_equal(c.name, name);
    assert_string_equal(c.looked, here(looked));
    mlr_creds_done(&c);
}

static void test_creds__nothing_anywhere_is_an_answer_that_tells_where_was_looked(void **state)
{
    (void)state;
    assert_finds("", NULL, "@/home/.docker/config.json (not there), @/home/.config/containers/auth.json (not there)");
    creds_bed_write(&bed, "home/.docker/config.json", NOBODY);
    creds_bed_write(&bed, "home/.config/containers/auth.json", "");
    assert_finds("", NULL, "@/home/.docker/config.json (no entry), @/home/.config/containers/auth.json (empty)");
}

static void test_creds__without_home_the_rest_is_looked_into(void **state)
{
    (void)state;
    unsetenv("HOME");
    assert_finds("", NULL, "~/.docker/config.json (HOME is not set), ~/.config/containers/auth.json (HOME is not set)");
    set_variable("XDG_RUNTIME_DIR", "run");
    creds_bed_write(&bed, "run/containers/auth.json", ANN);
    assert_finds("", "ann", "@/run/containers/auth.json");
    setenv("HOME", "", 1);
    assert_finds("", "ann", "@/run/containers/auth.json");
}

static void test_creds__files_are_asked_in_their_order(void **state)
{
    static const char *const files[] = {"docker/config.json", "named.json", "run/containers/auth.json",
                                        "xdg/containers/auth.json"};

    (void)state;
    set_variable("DOCKER_CONFIG", "docker");
    set_variable("REGISTRY_AUTH_FILE", "named.json");
    set_variable("XDG_RUNTIME_DIR", "run");
    set_variable("XDG_CONFIG_HOME", "xdg");
    creds_bed_write(&bed, "home/.docker/config.json", BOB);                 /* DOCKER_CONFIG takes its place */
    creds_bed_write(&bed, "home/.config/containers/auth.json", BOB);        /* and XDG_CONFIG_HOME this one's */
    assert_finds("", NULL, "@/docker/config.json (not there), @/named.json (not there), "
                           "@/run/containers/auth.json (not there), @/xdg/containers/auth.json (not there)");
    for (size_t i = sizeof files / sizeof files[0]; i-- > 0;) {
        char found[128];

        creds_bed_write(&bed, files[i], ANN);                               /* each beats those behind it */
        snprintf(found, sizeof found, "@/%s", files[i]);
        assert_finds("", "ann", found);
        creds_bed_write(&bed, files[i], BOB);
    }
}

static void test_creds__the_environment_counts_as_it_is_at_the_call(void **state)
{
    (void)state;
    creds_bed_write(&bed, "one/config.json", ANN);
    creds_bed_write(&bed, "two/config.json", BOB);
    set_variable("DOCKER_CONFIG", "one");
    assert_finds("", "ann", "@/one/config.json");
    set_variable("DOCKER_CONFIG", "two");
    assert_finds("", "bob", "@/two/config.json");
}

static void test_creds__a_file_that_may_not_be_read_is_passed_over_and_told(void **state)
{
    (void)state;
    creds_bed_write(&bed, "home/.docker/config.json", ANN);
    creds_bed_write(&bed, "home/.config/containers/auth.json", BOB);
    fs_fault_arm(1, 0, EACCES);
    assert_finds("", "bob", "@/home/.config/containers/auth.json");
    fs_fault_arm(1, 1, EACCES);
    assert_finds("", NULL, "@/home/.docker/config.json (not readable), "
                           "@/home/.config/containers/auth.json (not readable)");
}

static void test_creds__a_broken_file_is_an_error_though_another_may_have_it(void **state)
{
    mlr_creds    c = {0};
    mlreg_error *e = NULL;

    (void)state;
    creds_bed_write(&bed, "home/.docker/config.json", "{oops");
    creds_bed_write(&bed, "home/.config/containers/auth.json", ANN);
    assert_int_equal(mlr_creds_find("ghcr.io", "", NULL, NULL, NULL, NULL, &c, &e), MLREG_EPROTO);
    assert_string_equal(e->subject, here("@/home/.docker/config.json"));
    assert_null(c.secret);
    mlr_error_done(e);
}

static void test_creds__a_helper_is_asked_before_the_file_that_names_it(void **state)
{
    (void)state;
    creds_bed_write(&bed, "home/.docker/config.json",
        "{\"credsStore\":\"t\",\"auths\":{\"ghcr.io\":{\"auth\":\"Ym9iOmE6Yjpj\"}}}");
    creds_bed_helper(&bed, "t", "echo '{\"Username\":\"ann\",\"Secret\":\"s\"}'");
    assert_finds("", "ann", "docker-credential-t, named in @/home/.docker/config.json");
    creds_bed_helper(&bed, "t", "echo 'credentials not found in native keychain'; exit 1");
    assert_finds("", "bob", "@/home/.docker/config.json");
    creds_bed_write(&bed, "home/.docker/config.json", "{\"credsStore\":\"t\"}");
    assert_finds("", NULL, "docker-credential-t, named in @/home/.docker/config.json (no entry), "
                           "@/home/.docker/config.json (no entry), @/home/.config/containers/auth.json (not there)");
}

static void test_creds__a_helper_that_fails_is_never_anonymous(void **state)
{
    static const char *const ways[] = {NULL, "exit 1", "echo nonsense"};

    (void)state;
    creds_bed_write(&bed, "home/.docker/config.json",
        "{\"credHelpers\":{\"ghcr.io\":\"t\"},\"auths\":{\"ghcr.io\":{\"auth\":\"Ym9iOmE6Yjpj\"}}}");
    creds_bed_write(&bed, "home/.config/containers/auth.json", ANN);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        mlr_creds    c = {0};
        mlreg_error *e = NULL;

        if (ways[i] != NULL)
            creds_bed_helper(&bed, "t", ways[i]);
        assert_int_equal(mlr_creds_find("ghcr.io", "", NULL, NULL, NULL, NULL, &c, &e), MLREG_EAUTH);
        assert_non_null(strstr(e->message, "docker-credential-t"));
        assert_string_equal(e->subject, here("@/home/.docker/config.json"));
        assert_int_equal(c.kind, MLR_CREDS_NONE);
        mlr_error_done(e);
    }
}

static void test_creds__a_helpers_name_that_is_a_path_runs_nothing(void **state)
{
    mlr_creds    c = {0};
    mlreg_error *e = NULL;

    (void)state;
    creds_bed_write(&bed, "home/.docker/config.json", "{\"credsStore\":\"x/../../bin/docker-credential-t\"}");
    creds_bed_helper(&bed, "t", "touch $D/ran");
    assert_int_equal(mlr_creds_find("ghcr.io", "", NULL, NULL, NULL, NULL, &c, &e), MLREG_EPROTO);
    assert_string_equal(e->subject, here("@/home/.docker/config.json"));
    assert_null(creds_bed_read(&bed, "ran"));
    mlr_error_done(e);
}

static bool is_whole_host(const char *host, const char *repo)
{
    mlr_creds c;
    bool      whole;

    assert_int_equal(mlr_creds_find(host, repo, NULL, NULL, NULL, NULL, &c, NULL), 0);
    whole = c.whole_host;
    mlr_creds_done(&c);
    return whole;
}

static void test_creds__tells_when_an_answer_serves_every_repository(void **state)
{
    (void)state;
    assert_true(is_whole_host("ghcr.io", "team/x"));
    creds_bed_write(&bed, "home/.config/containers/auth.json",
        "{\"auths\":{\"ghcr.io\":{\"auth\":\"Ym9iOmE6Yjpj\"},\"ghcr.io/team\":{\"auth\":\"YW5uOmh1bnRlcjI=\"}}}");
    assert_finds("team/x", "ann", "@/home/.config/containers/auth.json");
    assert_finds("other/x", "bob", "@/home/.config/containers/auth.json");
    assert_false(is_whole_host("ghcr.io", "other/x"));
    assert_true(is_whole_host("quay.io", "other/x"));
    creds_bed_write(&bed, "home/.docker/config.json", BOB);                 /* found before the other file is opened */
    assert_true(is_whole_host("ghcr.io", "team/x"));
}

static int give_basic(mlreg_auth *a, const char *host, const char *scope, void *user)
{
    snprintf(user, 100, "%s|%s", host, scope);
    return mlr_creds_set(&a->creds, MLR_CREDS_BASIC, "cara", "hunter2", NULL);
}

static int give_nothing(mlreg_auth *a, const char *host, const char *scope, void *user)
{
    (void)a;
    (void)host;
    (void)scope;
    (void)user;
    return 0;
}

static int refuse(mlreg_auth *a, const char *host, const char *scope, void *user)
{
    (void)host;
    (void)scope;
    assert_int_equal(mlr_creds_set(&a->creds, MLR_CREDS_BASIC, "cara", "hunter2", NULL), 0);
    return *(int *)user;
}

static void test_creds__the_callers_answer_replaces_the_files(void **state)
{
    char      asked[100];
    mlr_creds c;

    (void)state;
    creds_bed_write(&bed, "home/.docker/config.json", ANN);
    assert_int_equal(mlr_creds_find("ghcr.io", "x", "repository:x:pull", give_basic, asked, NULL, &c, NULL), 0);
    assert_string_equal(asked, "ghcr.io|repository:x:pull");
    assert_string_equal(c.name, "cara");
    assert_string_equal(c.looked, "the program's own credentials callback");
    assert_false(c.whole_host);
    mlr_creds_done(&c);
    assert_int_equal(mlr_creds_find("ghcr.io", "x", NULL, give_nothing, NULL, NULL, &c, NULL), 0);
    assert_int_equal(c.kind, MLR_CREDS_NONE);
    assert_string_equal(c.looked, "the program's own credentials callback (gave none)");
    mlr_creds_done(&c);
}

static void test_creds__the_callers_failure_is_the_calls(void **state)
{
    static const int codes[][2] = {
        {MLREG_EDENIED, MLREG_EDENIED}, {MLREG_ECANCELLED, MLREG_ECANCELLED}, {-1000, MLREG_EAUTH}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        mlr_creds    c = {0};
        mlreg_error *e = NULL;
        int          code = codes[i][0];

        assert_int_equal(mlr_creds_find("ghcr.io", "x", NULL, refuse, &code, NULL, &c, &e), codes[i][1]);
        assert_int_equal(e->code, codes[i][1]);
        assert_null(c.secret);
        mlr_error_done(e);
    }
}

static int give_unchecked(mlreg_auth *a, const char *host, const char *scope, void *user)
{
    (void)host;
    (void)scope;
    a->creds = (mlr_creds){.kind = MLR_CREDS_BASIC, .name = mlr_strdup(user), .secret = mlr_strdup("hunter2\n")};
    return 0;
}

static void test_creds__what_the_caller_gives_is_checked_too(void **state)
{
    static char name[] = "cara";
    mlreg_error *e = NULL;
    mlr_creds    c = {0};

    (void)state;
    assert_int_equal(mlr_creds_find("ghcr.io", "x", NULL, give_unchecked, name, NULL, &c, &e), MLREG_EINVAL);
    assert_non_null(strstr(e->message, "line break"));
    assert_null(strstr(e->message, "hunter2"));
    assert_null(c.secret);
    mlr_error_done(e);
}

static int note_thread(mlreg_auth *a, const char *host, const char *scope, void *user)
{
    (void)a;
    (void)host;
    (void)scope;
    *(pthread_t *)user = pthread_self();
    return 0;
}

static int find_in_task(void *arg, mlr_op *op, mlreg_error **err)
{
    mlr_creds c = {0};
    int       rc = mlr_creds_find("ghcr.io", "x", NULL, note_thread, arg, op, &c, err);

    mlr_creds_done(&c);
    return rc;
}

static void test_creds__the_caller_is_asked_on_its_own_thread(void **state)
{
    mlr_op    *op = NULL;
    mlr_group *g = NULL;
    pthread_t  asked_on;

    (void)state;
    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    assert_int_equal(mlr_group_new(NULL, op, 1, &g, NULL), 0);
    memset(&asked_on, 0, sizeof asked_on);
    assert_int_equal(mlr_group_add(g, find_in_task, &asked_on, NULL), 0);
    assert_int_equal(mlr_group_wait(g, NULL), 0);
    assert_true(pthread_equal(asked_on, pthread_self()));
    mlr_group_free(g);
    mlr_op_end(op);
}

static void test_creds__survives_want_of_memory(void **state)
{
    failing_alloc f;
    bool          fired = true;

    (void)state;
    creds_bed_write(&bed, "home/.docker/config.json", NOBODY);
    creds_bed_write(&bed, "home/.config/containers/auth.json", ANN);
    for (int n = 1; fired; n++) {
        mlr_creds c = {0};

        failing_alloc_arm(&f, n, false);
        int rc = mlr_creds_find("ghcr.io", "", NULL, NULL, NULL, NULL, &c, NULL);
        fired = failing_alloc_disarm(&f);
        assert_int_equal(rc, fired ? MLREG_ENOMEM : 0);
        assert_int_equal(c.kind, fired ? MLR_CREDS_NONE : MLR_CREDS_BASIC);
        mlr_creds_done(&c);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_creds__##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_anywhere_is_an_answer_that_tells_where_was_looked),
        TEST(without_home_the_rest_is_looked_into),
        TEST(files_are_asked_in_their_order),
        TEST(the_environment_counts_as_it_is_at_the_call),
        TEST(a_file_that_may_not_be_read_is_passed_over_and_told),
        TEST(a_broken_file_is_an_error_though_another_may_have_it),
        TEST(a_helper_is_asked_before_the_file_that_names_it),
        TEST(a_helper_that_fails_is_never_anonymous),
        TEST(a_helpers_name_that_is_a_path_runs_nothing),
        TEST(tells_when_an_answer_serves_every_repository),
        TEST(the_callers_answer_replaces_the_files),
        TEST(the_callers_failure_is_the_calls),
        TEST(what_the_caller_gives_is_checked_too),
        TEST(the_caller_is_asked_on_its_own_thread),
        TEST(survives_want_of_memory),
    };
    return cmocka_run_group_tests_name("net/creds", tests, NULL, NULL);
}
