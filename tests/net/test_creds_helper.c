/* tests/net/test_creds_helper.c - what helpers are asked, what counts as an answer, and that no secret is told. */
#include "net/creds_helper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <time.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/error.h"
#include "bed/failing_alloc.h"
#include "net/creds_bed.h"

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
    creds_bed_remove(&bed);
    return 0;
}

static int get(const char *script, mlr_creds *out, mlreg_error **err)
{
    creds_bed_helper(&bed, "t", script);
    *out = (mlr_creds){0};
    return mlr_creds_helper_get("t", "ghcr.io", NULL, out, err);
}

static void test_creds_helper__gives_name_and_secret(void **state)
{
    mlr_creds c;

    (void)state;
    assert_int_equal(get("cat >$D/asked; echo $1 >>$D/asked\n"
        "echo '{\"ServerURL\":\"ghcr.io\",\"Username\":\"ann\",\"Secret\":\"hunter2\"}'", &c, NULL), 1);
    assert_int_equal(c.kind, MLR_CREDS_BASIC);
    assert_string_equal(c.name, "ann");
    assert_string_equal(c.secret, "hunter2");
    char *asked = creds_bed_read(&bed, "asked");
    assert_string_equal(asked, "ghcr.io\nget\n");
    free(asked);
    mlr_creds_done(&c);
}

static void test_creds_helper__is_asked_for_the_hub_by_its_old_name(void **state)
{
    mlr_creds c = {0};

    (void)state;
    creds_bed_helper(&bed, "t", "cat >$D/asked; echo '{\"Username\":\"\",\"Secret\":\"\"}'");
    assert_int_equal(mlr_creds_helper_get("t", "docker.io", NULL, &c, NULL), 0);
    char *asked = creds_bed_read(&bed, "asked");
    assert_string_equal(asked, "https://index.docker.io/v1/\n");
    free(asked);
}

static void test_creds_helper__token_as_user_name_makes_an_identity_token(void **state)
{
    mlr_creds c;

    (void)state;
    assert_int_equal(get("echo '{\"Username\":\"<token>\",\"Secret\":\"refresh-me\"}'", &c, NULL), 1);
    assert_int_equal(c.kind, MLR_CREDS_IDENTITY);
    assert_null(c.name);
    assert_string_equal(c.secret, "refresh-me");
    mlr_creds_done(&c);
}

static void test_creds_helper__knows_every_way_to_say_none(void **state)
{
    static const char *const ways[] = {
        "echo 'credentials not found in native keychain'; exit 1",              /* docker's helpers */
        "printf 'credentials not found in native keychain'; exit 1",
        "printf '\\n credentials not found in native keychain \\r\\n'; exit 2",
        "echo '{\"ServerURL\":\"\",\"Username\":\"\",\"Secret\":\"\"}'",   /* Debian's docker-credential-pass 0.6.4 */
    };
    mlr_creds c;

    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        assert_int_equal(get(ways[i], &c, NULL), 0);
        assert_int_equal(c.kind, MLR_CREDS_NONE);
    }
}

static void test_creds_helper__anything_else_is_a_failure_that_names_it(void **state)
{
    static const char *const ways[] = {
        "exit 1",
        "echo 'gpg: decryption failed: No secret key' >&2; exit 2",
        "echo 'credentials not found in native keychain'",                      /* but success */
        "echo 'credentials not found in native keychain: locked'; exit 1",
        "echo 'credentials not found in native keychain' >&2; exit 1",
        "exit 0",
        "echo hunter2",
        "echo '{\"Username\":\"ann\",\"Secret\":\"hunter2\"'",
        "echo '{\"Username\":\"ann\",\"Secret\":\"hunter2\"} x'",
        "echo '{\"Username\":\"ann\",\"Secret\":\"hunter2\",\"secret\":\"y\"}'",
        "echo '{\"Username\":\"ann\",\"Secret\":17}'",
        "echo '{\"Secret\":\"hunter2\"}'",
        "echo '{\"Username\":\"ann\"}'",
        "echo '[\"ann\",\"hunter2\"]'",
        "echo '{\"Username\":\"a:n\",\"Secret\":\"hunter2\"}'",
        "echo '{\"Username\":\"ann\",\"Secret\":\"hunter2\\n\"}'",
        "echo '{\"Username\":\"ann\",\"Secret\":\"hunter2\"}'; exit 1",
        "echo hunter2; exit 1",
        "head -c 70000 /dev/zero",
        "kill -9 $$",
    };

    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        mlr_creds    c;
        mlreg_error *e = NULL;

        assert_int_equal(get(ways[i], &c, &e), MLREG_EAUTH);
        assert_int_equal(e->code, MLREG_EAUTH);
        assert_non_null(strstr(e->message, "docker-credential-t get ghcr.io: "));
        assert_null(strstr(e->message, "hunter2"));
        assert_string_equal(e->hint, "see for yourself: echo ghcr.io | docker-credential-t get");
        assert_int_equal(c.kind, MLR_CREDS_NONE);
        mlr_error_done(e);
        mlr_creds_done(&c);
    }
}

static void test_creds_helper__its_own_explanation_is_passed_on(void **state)
{
    static const struct {
        const char *script, *message;
    } cases[] = {
        {"echo 'no key for ann' >&2; echo 'second line' >&2; exit 2", "exit status 2, no key for ann"},
        {"echo 'error getting them: no keyring'; exit 1", "exit status 1, error getting them: no keyring"},
        {"exit 41", "exit status 41"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mlr_creds    c;
        mlreg_error *e = NULL;

        assert_int_equal(get(cases[i].script, &c, &e), MLREG_EAUTH);
        assert_string_equal(e->message + strlen("docker-credential-t get ghcr.io: "), cases[i].message);
        mlr_error_done(e);
    }
}

static void test_creds_helper__a_missing_one_is_a_failure(void **state)
{
    mlr_creds    c = {0};
    mlreg_error *e = NULL;

    (void)state;
    assert_int_equal(mlr_creds_helper_get("absent", "ghcr.io", NULL, &c, &e), MLREG_EAUTH);
    assert_string_equal(e->message,
        "docker-credential-absent get ghcr.io: docker-credential-absent is not in any directory of PATH");
    mlr_error_done(e);
}

static void test_creds_helper__a_suffix_is_no_path_and_no_command(void **state)
{
    static const char *const bad[] = {"", "../t", "a/b", "/bin/sh", "a b", "t;true", "$(x)", "t\n", "\xc3\xa4",
        "12345678901234567890123456789012345678901234567890123456789012345"};

    (void)state;
    creds_bed_helper(&bed, "t", "touch $D/ran");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mlr_creds    c = {0};
        mlreg_error *e = NULL;

        assert_int_equal(mlr_creds_helper_get(bad[i], "ghcr.io", NULL, &c, &e), MLREG_EPROTO);
        assert_non_null(strstr(e->message, "is no name of a credential helper"));
        mlr_error_done(e);
    }
    assert_null(creds_bed_read(&bed, "ran"));
    assert_int_equal(mlr_creds_helper_get("ecr-login_2.0", "ghcr.io", NULL, &(mlr_creds){0}, NULL), MLREG_EAUTH);
}

static void test_creds_helper__a_host_of_two_lines_is_no_host(void **state)
{
    static const char *const bad[] = {"ghcr.io\nevil.example", "ghcr.io\r", "ghcr.io x", "ghcr.io\x7f"};

    (void)state;
    creds_bed_helper(&bed, "t", "touch $D/ran");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(mlr_creds_helper_get("t", bad[i], NULL, &(mlr_creds){0}, NULL), MLREG_EINVAL);
        assert_int_equal(mlr_creds_helper_erase("t", bad[i], NULL, NULL), MLREG_EINVAL);
    }
    assert_null(creds_bed_read(&bed, "ran"));
}

/* A clock that runs up to twenty times as fast: 30 s pass in 2. */
static uint64_t fast_ms;

static uint64_t fast_clock(void *user)
{
    (void)user;
    return fast_ms;
}

static void fast_sleep(void *user, uint64_t ms)
{
    const struct timespec one_ms = {0, 1000000};

    (void)user;
    nanosleep(&one_ms, NULL);
    fast_ms += ms;
}

static void test_creds_helper__one_that_hangs_is_given_up_after_30_s(void **state)
{
    const mlr_clock clock = {.ms = fast_clock, .sleep_ms = fast_sleep};
    mlr_creds       c;
    mlreg_error    *e = NULL;

    (void)state;
    mlr_clock_use(&clock);
    int rc = get("exec sleep 600", &c, &e);
    mlr_clock_use(NULL);
    assert_int_equal(rc, MLREG_EAUTH);
    assert_string_equal(e->message, "docker-credential-t get ghcr.io: docker-credential-t did not answer within 30 s");
    assert_in_range(fast_ms, 30000, 32100);
    mlr_error_done(e);
}

static void test_creds_helper__a_cancel_stays_a_cancel(void **state)
{
    mlr_creds    c = {0};
    mlreg_error *e = NULL;
    mlr_op      *op = NULL;

    (void)state;
    creds_bed_helper(&bed, "t", "exec sleep 600");
    assert_int_equal(mlr_op_begin(NULL, &op, NULL), 0);
    mlr_op_cancel(op);
    assert_int_equal(mlr_creds_helper_get("t", "ghcr.io", op, &c, &e), MLREG_ECANCELLED);
    assert_int_equal(mlr_creds_helper_erase("t", "ghcr.io", op, NULL), MLREG_ECANCELLED);
    assert_int_equal(mlr_creds_helper_store("t", "ghcr.io", "a", "b", op, NULL), MLREG_ECANCELLED);
    mlr_op_end(op);
    mlr_error_done(e);
}

static void test_creds_helper__whose_status_is_lost_is_believed_if_it_makes_sense(void **state)
{
    mlr_creds    c;
    mlreg_error *e = NULL;

    (void)state;
    signal(SIGCHLD, SIG_IGN);
    assert_int_equal(get("echo '{\"Username\":\"ann\",\"Secret\":\"hunter2\"}'", &c, NULL), 1);
    mlr_creds_done(&c);
    assert_int_equal(get("echo 'credentials not found in native keychain'; exit 1", &c, NULL), 0);
    assert_int_equal(get("echo oops; exit 1", &c, &e), MLREG_EAUTH);
    signal(SIGCHLD, SIG_DFL);
    assert_non_null(strstr(e->message, "how it ended is not known"));
    mlr_error_done(e);
}

static void test_creds_helper__stores_what_it_reads_from_stdin_only(void **state)
{
    char *got;

    (void)state;
    creds_bed_helper(&bed, "t", "cat >$D/stdin; echo $# $1 >$D/arguments; env >$D/environment");
    assert_int_equal(mlr_creds_helper_store("t", "docker.io", "ann", "hun\"ter\\2 \xc3\xa4", NULL, NULL), 0);
    got = creds_bed_read(&bed, "stdin");
    assert_string_equal(got, "{\"ServerURL\":\"https://index.docker.io/v1/\",\"Username\":\"ann\","
                             "\"Secret\":\"hun\\\"ter\\\\2 \xc3\xa4\"}");
    free(got);
    got = creds_bed_read(&bed, "arguments");
    assert_string_equal(got, "1 store\n");
    free(got);
    got = creds_bed_read(&bed, "environment");
    assert_null(strstr(got, "hun\""));
    free(got);
}

static void test_creds_helper__a_failed_store_tells_no_secret(void **state)
{
    static const char *const ways[] = {
        "cat >&2; exit 1",
        "cat; exit 1",
        "echo 'cannot keep hunter2' >&2; exit 1",
        "echo 'cannot keep hunter2'; exit 1",
        "exit 1",
        "sed 's/.*hunter2/no room for &/' >&2; exit 1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        mlreg_error *e = NULL;

        creds_bed_helper(&bed, "t", ways[i]);
        assert_int_equal(mlr_creds_helper_store("t", "ghcr.io", "ann", "hunter2", NULL, &e), MLREG_EIO);
        assert_string_equal(e->message, "docker-credential-t store ghcr.io: exit status 1");
        mlr_error_done(e);
    }
}

static void test_creds_helper__a_secret_too_long_for_it_is_refused(void **state)
{
    size_t len = 40000;
    char  *secret = malloc(len + 1);

    (void)state;
    memset(secret, 's', len);
    secret[len] = '\0';
    creds_bed_helper(&bed, "t", "touch $D/ran");
    assert_int_equal(mlr_creds_helper_store("t", "ghcr.io", "ann", secret, NULL, NULL), MLREG_ELIMIT);
    assert_null(creds_bed_read(&bed, "ran"));
    free(secret);
}

static void test_creds_helper__erases_what_is_there(void **state)
{
    char *calls;

    (void)state;
    creds_bed_helper(&bed, "t", "echo $1 $(cat) >>$D/calls\n"
        "[ $1 = erase ] || echo '{\"Username\":\"ann\",\"Secret\":\"hunter2\"}'");
    assert_int_equal(mlr_creds_helper_erase("t", "ghcr.io", NULL, NULL), 1);
    calls = creds_bed_read(&bed, "calls");
    assert_string_equal(calls, "get ghcr.io\nerase ghcr.io\n");
    free(calls);
}

static void test_creds_helper__erasing_nothing_is_told(void **state)
{
    (void)state;
    creds_bed_helper(&bed, "t", "[ $1 = erase ] && touch $D/erased; echo '{\"Username\":\"\",\"Secret\":\"\"}'");
    assert_int_equal(mlr_creds_helper_erase("t", "ghcr.io", NULL, NULL), 0);
    assert_null(creds_bed_read(&bed, "erased"));
    creds_bed_helper(&bed, "t", "[ $1 = get ] && exit 3; echo 'credentials not found in native keychain'; exit 1");
    assert_int_equal(mlr_creds_helper_erase("t", "ghcr.io", NULL, NULL), 0);
}

static void test_creds_helper__one_that_cannot_read_may_still_erase(void **state)
{
    mlreg_error *e = NULL;

    (void)state;
    creds_bed_helper(&bed, "t", "[ $1 = get ] && exit 3; exit 0");
    assert_int_equal(mlr_creds_helper_erase("t", "ghcr.io", NULL, NULL), 1);
    creds_bed_helper(&bed, "t", "exit 3");
    assert_int_equal(mlr_creds_helper_erase("t", "ghcr.io", NULL, &e), MLREG_EIO);
    assert_string_equal(e->message, "docker-credential-t erase ghcr.io: exit status 3");
    mlr_error_done(e);
}

static void test_creds_helper__survives_want_of_memory(void **state)
{
    failing_alloc f;
    bool          fired = true;

    (void)state;
    creds_bed_helper(&bed, "t", "echo '{\"Username\":\"ann\",\"Secret\":\"hunter2\"}'");
    for (int n = 1; fired; n++) {
        mlr_creds    c = {0};
        mlreg_error *e = NULL;

        failing_alloc_arm(&f, n, false);
        int rc = mlr_creds_helper_get("t", "ghcr.io", NULL, &c, &e);
        fired = failing_alloc_disarm(&f);
        assert_int_equal(rc, fired ? MLREG_ENOMEM : 1);
        mlr_error_done(e);
        mlr_creds_done(&c);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_creds_helper__##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gives_name_and_secret),
        TEST(is_asked_for_the_hub_by_its_old_name),
        TEST(token_as_user_name_makes_an_identity_token),
        TEST(knows_every_way_to_say_none),
        TEST(anything_else_is_a_failure_that_names_it),
        TEST(its_own_explanation_is_passed_on),
        TEST(a_missing_one_is_a_failure),
        TEST(a_suffix_is_no_path_and_no_command),
        TEST(a_host_of_two_lines_is_no_host),
        TEST(one_that_hangs_is_given_up_after_30_s),
        TEST(a_cancel_stays_a_cancel),
        TEST(whose_status_is_lost_is_believed_if_it_makes_sense),
        TEST(stores_what_it_reads_from_stdin_only),
        TEST(a_failed_store_tells_no_secret),
        TEST(a_secret_too_long_for_it_is_refused),
        TEST(erases_what_is_there),
        TEST(erasing_nothing_is_told),
        TEST(one_that_cannot_read_may_still_erase),
        TEST(survives_want_of_memory),
    };
    return cmocka_run_group_tests_name("net/creds_helper", tests, NULL, NULL);
}
