/* base/run.c - one run of a program of others: no shell, bounded output, a time limit, nothing left running. */
#include "base/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"

#define PAUSE_FIRST_MS 1           /* most programs answer within a few milliseconds */
#define PAUSE_MAX_MS   20
#define REAP_LIMIT_MS  2000        /* for one that SIGKILL ends late, stuck in the kernel */
#define READS_AT_ONCE  64          /* so that an endless flood on stderr cannot hide the time limit */

struct run {
    const char       *program;
    mlr_run_answer *answer;
    pid_t             pid;         /* 0: none, or reaped */
    int               out, said;   /* our ends of its stdout and stderr; -1: closed */
};

void mlr_run_answer_done(mlr_run_answer *answer)
{
    mlr_buf_wipe(&answer->out);
    mlr_buf_wipe(&answer->said);
}

static void shut(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* A pipe whose ends are not 0, 1 or 2, which the host may have closed: there the child's own would overwrite them.
 * `ours` (0 or 1) never blocks. */
static int open_pipe(int fds[2], int ours, mlreg_error **err)
{
    if (pipe2(fds, O_CLOEXEC) < 0) {
        fds[0] = fds[1] = -1;
        return mlr_error_errno(err, errno, "no pipe for a program");
    }
    for (int i = 0; i < 2; i++) {
        int above = fds[i] > 2 ? fds[i] : fcntl(fds[i], F_DUPFD_CLOEXEC, 3);

        if (above < 0)
            return mlr_error_errno(err, errno, "no pipe for a program");
        if (above != fds[i])
            close(fds[i]);
        fds[i] = above;
    }
    if (fcntl(fds[ours], F_SETFL, O_NONBLOCK) < 0)
        return mlr_error_errno(err, errno, "no pipe for a program");
    return 0;
}

/* The whole input lies in the pipe before the program starts and while both ends are ours: so no write can block, and
 * none can raise SIGPIPE in the host. */
static int fill_input(int fds[2], const mlr_buf *input, mlreg_error **err)
{
    ssize_t n;
    int     rc = open_pipe(fds, 1, err);

    if (rc < 0)
        return rc;
    if (input->len > MLR_RUN_INPUT_MAX_BYTES)
        return mlr_error_set(err, MLREG_ELIMIT, "more than the %u bytes that a program may be given",
            MLR_RUN_INPUT_MAX_BYTES);
    do
        n = input->len > 0 ? write(fds[1], input->data, input->len) : 0;
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return mlr_error_errno(err, errno, "a pipe to a program cannot be written");
    if ((size_t)n != input->len)
        return mlr_error_set(err, MLREG_ELIMIT, "a pipe takes only %zd of the %zu bytes for a program", n,
            input->len);
    shut(&fds[1]);
    return 0;
}

/* posix_spawn in each absolute directory of PATH, as execvp goes about it. 0, or the errno that tells most. */
static int spawn_on_path(const char *program, char *const argv[], const posix_spawn_file_actions_t *actions,
    const posix_spawnattr_t *attributes, pid_t *pid)
{
    const char *path = secure_getenv("PATH");   /* none in a setuid program: its caller chose it */
    int         worst = ENOENT;

    for (const char *at = path, *end; at != NULL; at = *end == ':' ? end + 1 : NULL) {
        char *file;
        int   rc;

        end = strchrnul(at, ':');
        if (at[0] != '/')                              /* "" and "." mean wherever the host happens to stand */
            continue;
        if ((file = mlr_asprintf("%.*s/%s", (int)(end - at), at, program)) == NULL)
            return ENOMEM;
        rc = posix_spawn(pid, file, actions, attributes, argv, environ);
        mlr_free(file);
        if (rc == 0)
            return 0;
        if (rc != ENOENT && rc != ENOTDIR && rc != EACCES)
            return rc;
        worst = rc == EACCES ? EACCES : worst;
    }
    return worst;
}

/* Default signals, none blocked (our workers block them all), a session of its own, and no descriptor beyond 2. */
static int prepare(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes, const int fds[3])
{
    sigset_t all, none;
    int      rc;

    sigfillset(&all);
    sigemptyset(&none);
    if ((rc = posix_spawnattr_setsigdefault(attributes, &all)) != 0 ||
        (rc = posix_spawnattr_setsigmask(attributes, &none)) != 0 ||
        (rc = posix_spawnattr_setflags(attributes,
             POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID)) != 0)
        return rc;
    for (int i = 0; i < 3; i++)
        if ((rc = posix_spawn_file_actions_adddup2(actions, fds[i], i)) != 0)
            return rc;
    return posix_spawn_file_actions_addclosefrom_np(actions, 3);
}

static int spawn(struct run *r, const char *const argv[], const int fds[3], mlreg_error **err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t          attributes;
    int                        rc;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return mlr_error_nomem(err);
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return mlr_error_nomem(err);
    }
    if ((rc = prepare(&actions, &attributes, fds)) == 0)
        rc = spawn_on_path(r->program, (char *const *)argv, &actions, &attributes, &r->pid);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (rc == 0)
        return 0;
    r->pid = 0;
    if (rc == ENOENT)
        return mlr_error_set(err, MLREG_ENOTFOUND, "%s is not in any directory of PATH", r->program);
    return mlr_error_errno(err, rc, "%s cannot be started", r->program);
}

static int start(struct run *r, const char *const argv[], const mlr_buf *input, mlreg_error **err)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1}, said[2] = {-1, -1};
    int rc;

    if ((rc = fill_input(in, input, err)) < 0 || (rc = open_pipe(out, 0, err)) < 0 ||
        (rc = open_pipe(said, 0, err)) < 0 || (rc = spawn(r, argv, (const int[3]){in[0], out[1], said[1]}, err)) < 0)
        goto out;
    r->out = out[0];
    r->said = said[0];
    out[0] = said[0] = -1;                             /* moved */
out:
    for (int i = 0; i < 2; i++) {
        shut(&in[i]);
        shut(&out[i]);
        shut(&said[i]);
    }
    return rc;
}

/* Takes what has come. stdout past its bound is ELIMIT; of stderr the rest is read and dropped. */
static int drain(struct run *r, int *fd, mlr_buf *to, mlreg_error **err)
{
    char    block[4096];
    ssize_t n = 0;
    int     rc = 0;

    for (int i = 0; i < READS_AT_ONCE && *fd >= 0 && rc == 0; i++) {
        size_t room = to->max - to->len;

        if ((n = read(*fd, block, sizeof block)) == 0)
            shut(fd);
        if (n < 0 && errno != EINTR)
            break;                                     /* nothing more now */
        if (n > 0 && to == &r->answer->out && (size_t)n > room)
            rc = mlr_error_set(err, MLREG_ELIMIT, "%s answers with more than %zu bytes", r->program, to->max);
        else if (n > 0)
            rc = mlr_buf_add(to, block, (size_t)n < room ? (size_t)n : room, err);
    }
    explicit_bzero(block, sizeof block);
    return rc;
}

static int drain_both(struct run *r, mlreg_error **err)
{
    int rc = drain(r, &r->out, &r->answer->out, err);

    return rc < 0 ? rc : drain(r, &r->said, &r->answer->said, err);
}

/* Whether it has ended. It is not reaped yet, so that its number (and its group's) stays taken. */
static bool has_ended(struct run *r, siginfo_t *how)
{
    memset(how, 0, sizeof *how);
    if (waitid(P_PID, (id_t)r->pid, how, WEXITED | WNOHANG | WNOWAIT) == 0)
        return how->si_pid != 0;
    if (errno != ECHILD)
        return false;
    r->pid = 0;                        /* the host ignores SIGCHLD or reaps every child: the number may be another's */
    return true;
}

/* Ends it with all it started, and reaps it. */
static void end(struct run *r)
{
    uint64_t began = mlr_clock_ms();

    if (r->pid <= 0)
        return;
    kill(-r->pid, SIGKILL);
    while (waitpid(r->pid, NULL, WNOHANG) == 0 && mlr_clock_ms() - began < REAP_LIMIT_MS)
        mlr_op_sleep(NULL, PAUSE_FIRST_MS, NULL);
    r->pid = 0;
}

/* Follows it to its end. What a process of its own still holds open is not waited for: that may be a daemon. */
static int follow(struct run *r, uint64_t limit_ms, mlr_op *op, siginfo_t *how, mlreg_error **err)
{
    uint64_t began = mlr_clock_ms(), pause = PAUSE_FIRST_MS;
    int      rc;

    while (!has_ended(r, how)) {
        if ((rc = drain_both(r, err)) < 0)
            return rc;
        if (mlr_clock_ms() - began >= limit_ms)
            return mlr_error_set(err, MLREG_ETIMEDOUT, "%s did not answer within %llu s", r->program,
                (unsigned long long)(limit_ms + 999) / 1000);
        if ((rc = mlr_op_sleep(op, pause, err)) < 0)
            return rc;
        pause = pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
    }
    return drain_both(r, err);
}

static int conclude(struct run *r, const siginfo_t *how, mlreg_error **err)
{
    if (r->pid == 0) {
        r->answer->exit_status = -1;
        return 0;
    }
    waitpid(r->pid, NULL, WNOHANG);
    r->pid = 0;
    if (how->si_code != CLD_EXITED)
        return mlr_error_set(err, MLREG_EIO, "%s was ended by signal %d", r->program, how->si_status);
    r->answer->exit_status = how->si_status;
    return 0;
}

int mlr_run(const char *program, const char *const argv[], const mlr_buf *input, uint64_t limit_ms, mlr_op *op,
    mlr_run_answer *answer, mlreg_error **err)
{
    struct run r = {program, answer, 0, -1, -1};
    siginfo_t  how;
    int        rc;

    if ((rc = mlr_op_check(op, err)) == 0 && (rc = start(&r, argv, input, err)) == 0 &&
        (rc = follow(&r, limit_ms, op, &how, err)) == 0)
        rc = conclude(&r, &how, err);
    end(&r);
    shut(&r.out);
    shut(&r.said);
    return rc;
}
