/* base/run.h - one run of a program of others: no shell, bounded output, a time limit, nothing left running. */
#ifndef MLR_BASE_RUN_H
#define MLR_BASE_RUN_H
#include <stdint.h>
#include "base/buf.h"
#include "base/op.h"

#define MLR_RUN_INPUT_MAX_BYTES  (32u << 10)
#define MLR_RUN_OUTPUT_MAX_BYTES (64u << 10)
#define MLR_RUN_SAID_MAX_BYTES   (4u << 10)

typedef struct mlr_run_answer {
    mlr_buf out;               /* what came on stdout, at most its max */
    mlr_buf said;              /* the beginning of what came on stderr */
    int     exit_status;       /* 0 to 255; -1: not known, because this process has its children reaped elsewhere */
} mlr_run_answer;
#define MLR_RUN_ANSWER_INIT { MLR_BUF_INIT(MLR_RUN_OUTPUT_MAX_BYTES), MLR_BUF_INIT(MLR_RUN_SAID_MAX_BYTES), 0 }

/* Runs `program`, found on PATH (absolute entries only), with `argv` (its own name first, a NULL behind the last) and `input` on stdin, in a session of its own: it cannot stop on a
 * terminal's prompt and ends with all it started. No signal's disposition or mask of this process changes. ENOTFOUND and EDENIED (no such program, not
 * executable), ETIMEDOUT, ELIMIT (too much in or out), EIO (ended by a signal; the system refused), ECANCELLED: then it is killed and `answer` undefined. */
int  mlr_run(const char *program, const char *const argv[], const mlr_buf *input, uint64_t limit_ms, mlr_op *op,
        mlr_run_answer *answer, mlreg_error **err);
void mlr_run_answer_done(mlr_run_answer *answer);        /* wipes: it may be a secret */
#endif
