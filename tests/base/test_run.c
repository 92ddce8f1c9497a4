/* tests/base/test_run.c - a program's process: what it gets, what it may do, and that nothing of it stays. */
#include "base/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/error.h"
#include "net/creds_bed.h"

#define LONG_MS 60000

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

static int run(const char *script, const char *input, uint64_t limit_ms, mlr_run_answer *answer, mlreg_error **err)
{
    const char *argv[] = { "docker-credential-t", "get", NULL };
    mlr_buf     in = MLR_BUF_INIT(1 << 20);
    int         rc;

    creds_bed_helper(&bed, "t", script);
    assert_int_equal(mlr_buf_puts(&in, input, NULL), 0);
    *answer = (mlr_run_answer)MLR_RUN_ANSWER_INIT;
    rc = mlr_run("docker-credential-t", argv, &in, limit_ms, NULL, answer, err);
    mlr_buf_done(&in);
    return rc;
}

static bool is_running(pid_t pid)
{
    char  path[64], line[512] = "";
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if ((f = fopen(path, "re")) == NULL)
        return false;
    if (fgets(line, sizeof line, f) == NULL)
        line[0] = '\0';
    fclose(f);
    return strrchr(line, ')') != NULL && strncmp(strrchr(line, ')'), ") Z", 3) != 0;   /* a zombie waits for init */
}

/* Whether the process whose number the helper wrote to DIR/name is gone, or will be within some seconds. */
static bool is_gone(const char *name)
{
    char *text = creds_bed_read(&bed, name);
    pid_t pid = text != NULL ? atoi(text) : 0;
    int   tries = 0;

    free(text);
    assert_true(pid > 1);
    while (is_running(pid) && tries++ < 500)
        usleep(10000);
    return tries < 500;
}

static void test_run__carries_input_output_and_status(void **state)
{
    mlr_run_answer a;

    (void)state;
    assert_int_equal(run("read -r l; echo \"$1 $# $l\"; echo oops >&2; exit 3", "ghcr.io\n", LONG_MS, &a, NULL), 0);
    assert_string_equal(a.out.data, "get 1 ghcr.io\n");
    assert_string_equal(a.said.data, "oops\n");
    assert_int_equal(a.exit_status, 3);
    mlr_run_answer_done(&a);
}

static void test_run__input_can_be_opened_again_and_ends(void **state)
{
    mlr_run_answer a;

    (void)state;
    assert_int_equal(run("cat /dev/stdin; cat", "ghcr.io\n", LONG_MS, &a, NULL), 0);
    assert_string_equal(a.out.data, "ghcr.io\n");
    mlr_run_answer_done(&a);
}

static void test_run__a_missing_program_is_named(void **state)
{
    mlr_run_answer a = MLR_RUN_ANSWER_INIT;
    mlr_buf          in = MLR_BUF_INIT(10);
    mlreg_error     *e = NULL;

    (void)state;
    assert_int_equal(mlr_run("docker-credential-none", (const char *[]){ "docker-credential-none", "get", NULL }, &in, LONG_MS, NULL, &a, &e), MLREG_ENOTFOUND);
    assert_string_equal(e->message, "docker-credential-none is not in any directory of PATH");
    mlr_error_done(e);
}

static void test_run__only_absolute_directories_of_path_count(void **state)
{
    mlr_run_answer a;
    char             here[4096];

    (void)state;
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(run("echo", "", LONG_MS, &a, NULL), 0);       /* it is there */
    mlr_run_answer_done(&a);
    assert_int_equal(chdir(bed.dir), 0);
    setenv("PATH", "bin::.:/nonexistent:", 1);
    assert_int_equal(run("echo", "", LONG_MS, &a, NULL), MLREG_ENOTFOUND);
    assert_int_equal(chdir(here), 0);
    unsetenv("PATH");
    assert_int_equal(run("echo", "", LONG_MS, &a, NULL), MLREG_ENOTFOUND);
}

static void test_run__a_program_that_may_not_run_is_denied(void **state)
{
    mlr_run_answer a = MLR_RUN_ANSWER_INIT;
    mlr_buf          in = MLR_BUF_INIT(10);
    mlreg_error     *e = NULL;

    (void)state;
    creds_bed_write(&bed, "bin/docker-credential-t", "#!/bin/sh\n");
    assert_int_equal(mlr_run("docker-credential-t", (const char *[]){ "docker-credential-t", "get", NULL }, &in, LONG_MS, NULL, &a, &e), MLREG_EDENIED);
    assert_non_null(strstr(e->message, "docker-credential-t cannot be started"));
    mlr_error_done(e);
    creds_bed_write_bytes(&bed, "bin/docker-credential-t", "no program", 10, 0700);
    assert_int_equal(mlr_run("docker-credential-t", (const char *[]){ "docker-credential-t", "get", NULL }, &in, LONG_MS, NULL, &a, NULL), MLREG_EIO);
}

static bool has_written(const char *name)
{
    char *text = creds_bed_read(&bed, name);
    bool  is_whole = text != NULL && strchr(text, '\n') != NULL;

    free(text);
    return is_whole;
}

/* A clock that stands until the helper has written what the test wants to see, and then runs away. */
static uint64_t clock_of_patience(void *user)
{
    uint64_t *now_ms = user;

    return has_written("self") ? *now_ms += LONG_MS / 100 : *now_ms;
}

static void sleep_a_little(void *user, uint64_t ms)
{
    (void)user;
    (void)ms;
    usleep(1000);
}

static void test_run__what_hangs_is_ended_with_all_it_started(void **state)
{
    uint64_t         now_ms = 1;
    const mlr_clock  clock = {.ms = clock_of_patience, .sleep_ms = sleep_a_little, .user = &now_ms};
    mlr_run_answer a;
    mlreg_error     *e = NULL;

    (void)state;
    mlr_clock_use(&clock);
    int rc = run("sleep 600 & echo $! >$D/child; echo $$ >$D/self; wait", "", LONG_MS, &a, &e);
    mlr_clock_use(NULL);
    assert_int_equal(rc, MLREG_ETIMEDOUT);
    assert_string_equal(e->message, "docker-credential-t did not answer within 60 s");
    assert_true(is_gone("self"));
    assert_true(is_gone("child"));
    mlr_error_done(e);
    mlr_run_answer_done(&a);
}

static void test_run__a_prompt_on_the_terminal_fails_at_once(void **state)
{
    mlr_run_answer a;

    (void)state;
    assert_int_equal(run("read -r l </dev/tty && echo yes; exit 7", "", LONG_MS, &a, NULL), 0);
    assert_int_not_equal(a.exit_status, 0);
    assert_int_equal(a.out.len, 0);
    mlr_run_answer_done(&a);
}

static int cancel(mlreg_op *op, void *user)
{
    (void)op;
    (void)user;
    return has_written("self");
}

static void test_run__a_cancel_ends_it(void **state)
{
    mlr_run_answer a = MLR_RUN_ANSWER_INIT;
    mlr_buf          in = MLR_BUF_INIT(10);
    mlreg_op        *remote = NULL;
    mlr_op          *op = NULL;

    (void)state;
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    mlr_remote_on_progress(remote, cancel, NULL, 50);
    assert_int_equal(mlr_op_begin(remote, &op, NULL), 0);
    creds_bed_helper(&bed, "t", "echo $$ >$D/self; exec sleep 600");
    assert_int_equal(mlr_run("docker-credential-t", (const char *[]){ "docker-credential-t", "get", NULL }, &in, LONG_MS, op, &a, NULL), MLREG_ECANCELLED);
    assert_true(is_gone("self"));
    assert_int_equal(mlr_run("docker-credential-t", (const char *[]){ "docker-credential-t", "get", NULL }, &in, LONG_MS, op, &a, NULL), MLREG_ECANCELLED);
    mlr_op_end(op);
    mlr_remote_free(remote);
    mlr_run_answer_done(&a);
}

static void test_run__output_up_to_the_bound_and_no_further(void **state)
{
    mlr_run_answer a;

    (void)state;
    assert_int_equal(run("head -c 65536 /dev/zero", "", LONG_MS, &a, NULL), 0);
    assert_int_equal(a.out.len, MLR_RUN_OUTPUT_MAX_BYTES);
    mlr_run_answer_done(&a);
    assert_int_equal(run("head -c 65537 /dev/zero", "", LONG_MS, &a, NULL), MLREG_ELIMIT);
    mlr_run_answer_done(&a);
    assert_int_equal(run("exec cat /dev/zero", "", LONG_MS, &a, NULL), MLREG_ELIMIT);
    mlr_run_answer_done(&a);
}

static void test_run__of_stderr_the_beginning_is_kept(void **state)
{
    mlr_run_answer a;

    (void)state;
    assert_int_equal(run("echo first >&2; head -c 300000 /dev/zero >&2; echo done", "", LONG_MS, &a, NULL), 0);
    assert_int_equal(a.said.len, MLR_RUN_SAID_MAX_BYTES);
    assert_memory_equal(a.said.data, "first\n", 6);
    assert_string_equal(a.out.data, "done\n");
    mlr_run_answer_done(&a);
    assert_int_equal(run("exec cat /dev/zero >&2", "", 500, &a, NULL), MLREG_ETIMEDOUT);
    mlr_run_answer_done(&a);
}

static void test_run__input_that_nobody_reads_raises_no_signal(void **state)
{
    char            *longest = malloc(MLR_RUN_INPUT_MAX_BYTES + 2);
    mlr_run_answer a;

    (void)state;
    memset(longest, 'x', MLR_RUN_INPUT_MAX_BYTES + 1);
    longest[MLR_RUN_INPUT_MAX_BYTES + 1] = '\0';
    assert_int_equal(run("exec <&-; echo ok", longest, LONG_MS, &a, NULL), MLREG_ELIMIT);
    longest[MLR_RUN_INPUT_MAX_BYTES] = '\0';
    assert_int_equal(run("exec <&-; echo ok", longest, LONG_MS, &a, NULL), 0);
    assert_string_equal(a.out.data, "ok\n");
    mlr_run_answer_done(&a);
    assert_int_equal(run("wc -c", longest, LONG_MS, &a, NULL), 0);
    assert_string_equal(a.out.data, "32768\n");
    mlr_run_answer_done(&a);
    free(longest);
}

static void test_run__one_that_dies_is_a_failure(void **state)
{
    mlr_run_answer a;
    mlreg_error     *e = NULL;

    (void)state;
    assert_int_equal(run("kill -9 $$", "", LONG_MS, &a, &e), MLREG_EIO);
    assert_string_equal(e->message, "docker-credential-t was ended by signal 9");
    mlr_error_done(e);
    mlr_run_answer_done(&a);
}

/* What the host ignores and blocks is its own affair: in the helper, SIGTERM ends it. And the host's stays as it is. */
static void test_run__signals_begin_anew_there_and_stay_here(void **state)
{
    mlr_run_answer a;
    sigset_t         term, before, after;
    struct sigaction old;

    (void)state;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    signal(SIGTERM, SIG_IGN);
    sigprocmask(SIG_BLOCK, &term, &before);
    assert_int_equal(run("kill -TERM $$; sleep 20", "", LONG_MS, &a, NULL), MLREG_EIO);
    mlr_run_answer_done(&a);
    sigprocmask(SIG_SETMASK, &before, &after);
    assert_true(sigismember(&after, SIGTERM));
    sigaction(SIGTERM, NULL, &old);
    assert_ptr_equal(old.sa_handler, SIG_IGN);
    sigaction(SIGPIPE, NULL, &old);
    assert_ptr_equal(old.sa_handler, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}

static void test_run__no_descriptor_of_ours_is_there(void **state)
{
    mlr_run_answer a;
    int              leaky = fcntl(STDERR_FILENO, F_DUPFD, 40);     /* a host that forgot O_CLOEXEC */
    char             script[64];

    (void)state;
    assert_true(leaky >= 40);
    snprintf(script, sizeof script, "[ -e /proc/self/fd/%d ] && echo leak; exit 0", leaky);
    assert_int_equal(run(script, "", LONG_MS, &a, NULL), 0);
    close(leaky);
    assert_int_equal(a.out.len, 0);
    mlr_run_answer_done(&a);
}

static void test_run__works_where_the_host_closed_its_own_stdin_and_stdout(void **state)
{
    mlr_run_answer a;
    int              in = dup(0), out = dup(1), rc;

    (void)state;
    close(0);
    close(1);
    rc = run("read -r l; echo \"<$l>\"", "x\n", LONG_MS, &a, NULL);
    dup2(in, 0);
    dup2(out, 1);
    close(in);
    close(out);
    assert_int_equal(rc, 0);
    assert_string_equal(a.out.data, "<x>\n");
    mlr_run_answer_done(&a);
}

static void test_run__a_daemon_it_leaves_is_not_waited_for(void **state)
{
    mlr_run_answer a;
    char            *pid;

    (void)state;
    assert_int_equal(run("sleep 100 & echo $! >$D/daemon; echo ok", "", LONG_MS, &a, NULL), 0);
    assert_string_equal(a.out.data, "ok\n");
    pid = creds_bed_read(&bed, "daemon");
    assert_int_equal(kill(atoi(pid), SIGKILL), 0);                  /* it lives, as a key agent would */
    free(pid);
    mlr_run_answer_done(&a);
}

static void test_run__a_host_that_reaps_its_children_loses_the_status_only(void **state)
{
    mlr_run_answer a;

    (void)state;
    signal(SIGCHLD, SIG_IGN);
    assert_int_equal(run("echo ok; exit 3", "", LONG_MS, &a, NULL), 0);
    signal(SIGCHLD, SIG_DFL);
    assert_int_equal(a.exit_status, -1);
    assert_string_equal(a.out.data, "ok\n");
    mlr_run_answer_done(&a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_run__##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(carries_input_output_and_status),
        TEST(input_can_be_opened_again_and_ends),
        TEST(a_missing_program_is_named),
        TEST(only_absolute_directories_of_path_count),
        TEST(a_program_that_may_not_run_is_denied),
        TEST(what_hangs_is_ended_with_all_it_started),
        TEST(a_prompt_on_the_terminal_fails_at_once),
        TEST(a_cancel_ends_it),
        TEST(output_up_to_the_bound_and_no_further),
        TEST(of_stderr_the_beginning_is_kept),
        TEST(input_that_nobody_reads_raises_no_signal),
        TEST(one_that_dies_is_a_failure),
        TEST(signals_begin_anew_there_and_stay_here),
        TEST(no_descriptor_of_ours_is_there),
        TEST(works_where_the_host_closed_its_own_stdin_and_stdout),
        TEST(a_daemon_it_leaves_is_not_waited_for),
        TEST(a_host_that_reaps_its_children_loses_the_status_only),
    };
    return cmocka_run_group_tests_name("base/run", tests, NULL, NULL);
}
