/* progress.c - how far a long call is: one live line on a terminal, sparse lines elsewhere; Ctrl-C cancels it. */
#include "cli.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define LIVE_MS   200
#define SPARSE_MS 5000

static volatile sig_atomic_t interrupted;

/* The second Ctrl-C ends the program at once: the handler is gone by then. */
static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

/* The rate follows the last few seconds, so that the time left is true after a slow start. The network is counted as bytes come and go, what is
 * done only in larger pieces. */
static void measure(job *j, const mlreg_stats *s)
{
    uint64_t moved = s->bytes_network > 0 ? s->bytes_network : s->bytes_done - s->bytes_reused, ms = s->elapsed_ms - j->shown_ms, now;

    if (ms == 0)
        return;
    now = moved > j->shown_bytes ? (moved - j->shown_bytes) * 1000 / ms : 0;
    j->per_s = j->shown_bytes == 0 || !j->live ? now : (j->per_s * 9 + now) / 10;
    j->shown_ms = s->elapsed_ms;
    j->shown_bytes = moved;
}

static void say_left(const job *j, const mlreg_stats *s)
{
    unsigned long long seconds;

    if (j->per_s == 0 || s->bytes_total <= s->bytes_done)
        return;
    seconds = (s->bytes_total - s->bytes_done) / j->per_s + 1;
    if (seconds < 60)
        fprintf(stderr, ", %llu s left", seconds);
    else if (seconds < 360000)
        fprintf(stderr, ", %llu:%02llu min left", seconds / 60, seconds % 60);
}

static bool drawn;                     /* the live line stands there */

void clear_live_line(void)
{
    if (!drawn)
        return;
    fprintf(stderr, "\r\033[K");
    fflush(stderr);
    drawn = false;
}

static void say(const job *j, const mlreg_stats *s)
{
    char done[32], total[32], rate[32];

    fprintf(stderr, "%s%s: %s of %s, %u of %u files, %s/s", j->live ? "\r\033[K" : "", j->verb, human(s->bytes_done, done),
        human(s->bytes_total, total), s->blobs_done, s->blobs_total, human(j->per_s, rate));
    say_left(j, s);
    fprintf(stderr, "%s", j->live ? "" : "\n");
    fflush(stderr);
    drawn = j->live;
}

static int on_progress(mlreg_op *op, void *user)
{
    job *j = user;
    mlreg_stats s;

    MLREG_INIT(s);
    if (!j->c->quiet && mlreg_op_stats(op, &s, NULL) == 0 && s.bytes_total > 0 &&
        s.elapsed_ms >= j->shown_ms + (j->live ? LIVE_MS : SPARSE_MS)) {
        measure(j, &s);
        say(j, &s);
    }
    return interrupted;
}

static void heed_interrupts(void)
{
    struct sigaction on = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND };

    sigaction(SIGINT, &on, NULL);
    sigaction(SIGTERM, &on, NULL);
}

/* ---- calls that show nothing ---- */

static mlreg_op *quiet_op;

static int on_wait(mlreg_op *op, void *user)
{
    (void)op;
    (void)user;
    return interrupted;
}

mlreg_op *op_quiet(void)
{
    if (quiet_op == NULL && mlreg_op_new(&quiet_op, NULL) == 0) {
        mlreg_op_on_progress(quiet_op, on_wait, NULL, LIVE_MS);
        heed_interrupts();
    }
    return quiet_op;
}

void op_done(void)
{
    mlreg_op_free(quiet_op);
    quiet_op = NULL;
}

/* ---- calls that show how far they are ---- */

int job_begin(job *j, const cli *c, const char *verb)
{
    mlreg_error *err = NULL;

    *j = (job){ .c = c, .verb = verb, .live = !plain_terminal() };
    if (mlreg_op_new(&j->op, &err) < 0)
        return fail(err, NULL, "%s", verb);
    mlreg_op_on_progress(j->op, on_progress, j, LIVE_MS);
    heed_interrupts();
    return EXIT_OK;
}

void job_end(job *j)
{
    MLREG_INIT(j->stats);
    (void)mlreg_op_stats(j->op, &j->stats, NULL);
    clear_live_line();
}

void job_free(job *j)
{
    mlreg_op_free(j->op);
    j->op = NULL;
}
