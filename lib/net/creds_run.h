/* net/creds_run.h - one run of a credential helper: no shell, bounded output, a time limit, nothing left running. */
#ifndef MLR_NET_CREDS_RUN_H
#define MLR_NET_CREDS_RUN_H
#include <stdint.h>
#include "base/buf.h"
#include "base/op.h"

#define MLR_CREDS_RUN_INPUT_MAX_BYTES  (32u << 10)
#define MLR_CREDS_RUN_OUTPUT_MAX_BYTES (64u << 10)
#define MLR_CREDS_RUN_SAID_MAX_BYTES   (4u << 10)

typedef struct mlr_creds_answer {
    mlr_buf out;               /* what came on stdout, at most OUTPUT_MAX_BYTES */
    mlr_buf said;              /* the beginning of what came on stderr */
    int     exit_status;       /* 0 to 255; -1: not known, because this process has its children reaped elsewhere */
} mlr_creds_answer;
#define MLR_CREDS_ANSWER_INIT { MLR_BUF_INIT(MLR_CREDS_RUN_OUTPUT_MAX_BYTES), MLR_BUF_INIT(MLR_CREDS_RUN_SAID_MAX_BYTES), 0 }

/* Runs `program`, found on PATH (absolute entries only), with the one argument `verb` and `input` on stdin, in a session of its own: it cannot stop on a
 * terminal's prompt and ends with all it started. No signal's disposition or mask of this process changes. ENOTFOUND and EDENIED (no such program, not
 * executable), ETIMEDOUT, ELIMIT (too much in or out), EIO (ended by a signal; the system refused), ECANCELLED: then it is killed and `answer` undefined. */
int  mlr_creds_run(const char *program, const char *verb, const mlr_buf *input, uint64_t limit_ms, mlr_op *op,
        mlr_creds_answer *answer, mlreg_error **err);
void mlr_creds_answer_done(mlr_creds_answer *answer);        /* wipes */
#endif
