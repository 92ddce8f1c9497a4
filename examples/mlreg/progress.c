/* progress.c - one live line on a terminal, sparse lines elsewhere; Ctrl-C cancels cleanly. */
#include "cli.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define LIVE_MS   200
#define SPARSE_MS 10000

static volatile sig_atomic_t interrupted;

/* The second Ctrl-C ends the program at once: the handler is gone by then. */
static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

static void say(const job *j, const mlreg_stats *s)
{
    char done[32], total[32], rate[32];
    uint64_t moved = s->bytes_done - s->bytes_reused;
    uint64_t per_s = s->elapsed_ms > 0 ? moved * 1000 / s->elapsed_ms : 0;

    fprintf(stderr, "%s%s: %s of %s, %u of %u files, %s/s", j->live ? "\r\033[K" : "", j->verb, human(s->bytes_done, done),
        human(s->bytes_total, total), s->blobs_done, s->blobs_total, human(per_s, rate));
    if (per_s > 0 && s->bytes_total > s->bytes_done)
        fprintf(stderr, ", %llu s left", (unsigned long long)((s->bytes_total - s->bytes_done) / per_s + 1));
    fprintf(stderr, "%s", j->live ? "" : "\n");
    fflush(stderr);
}

static int on_progress(mlreg_op *op, void *user)
{
    job *j = user;
    mlreg_stats s;

    MLREG_INIT(s);
    if (mlreg_op_stats(op, &s, NULL) == 0 && !j->c->quiet && s.bytes_total > 0 &&
        s.elapsed_ms >= j->shown_ms + (j->live ? LIVE_MS : SPARSE_MS)) {
        j->shown_ms = s.elapsed_ms;
        say(j, &s);
    }
    return interrupted;
}

int job_begin(job *j, cli *c, const char *verb)
{
    struct sigaction on = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND };
    mlreg_error *err = NULL;

    *j = (job){ .c = c, .verb = verb, .live = isatty(STDERR_FILENO) != 0 };
    if (mlreg_op_new(&j->op, &err) < 0)
        return fail(err, verb);
    mlreg_op_on_progress(j->op, on_progress, j, LIVE_MS);
    sigaction(SIGINT, &on, NULL);
    sigaction(SIGTERM, &on, NULL);
    return EXIT_OK;
}

void job_end(job *j, mlreg_stats *stats)
{
    if (stats != NULL) {
        MLREG_INIT(*stats);
        (void)mlreg_op_stats(j->op, stats, NULL);
    }
    if (j->live && j->shown_ms > 0) {
        fprintf(stderr, "\r\033[K");
        fflush(stderr);
    }
    mlreg_op_free(j->op);
    j->op = NULL;
}
