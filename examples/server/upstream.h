/* upstream.h - what upstream.c and bring.c share. */
#ifndef SERVE_UPSTREAM_H
#define SERVE_UPSTREAM_H
#include "serve.h"

#include <pthread.h>

#define BRINGS_MAX 32                 /* on their way, or failed a while ago; whoever wants more waits */
#define SLOTS      256                /* names that share one wait for each other */

/* One artifact that is on its way, or failed to come. */
typedef struct bring {
    upstream *of;
    full_name name;                   /* what it becomes in the store */
    char repo[NAME_MAX_BYTES + 1];
    mlreg_artifact *what;             /* its manifest, verified; NULL: this one is free */
    mlreg_op *op;                     /* of the copy; NULL: it failed */
    uint64_t failed_ms;
    text why;
} bring;

struct upstream {
    server *s;
    mlreg_session *from;              /* where copies come from, */
    mlreg_session *asked;             /* and what is asked what names mean: it has to answer soon, or the store does */
    struct slot {
        pthread_mutex_t lock;         /* held while upstream is asked; guards the rest */
        full_name name;               /* what was asked for last, */
        uint64_t at_ms;               /* when, */
        char digest[REF_MAX_BYTES];   /* what it names, "": nothing; */
        text why;                     /* or why nobody can tell */
    } slots[SLOTS];
    pthread_mutex_t lock;             /* guards all below */
    pthread_cond_t changed;
    uint64_t changes;                 /* more may be in the store than when this was another number */
    unsigned n_running;
    bool stopped;
    bring all[BRINGS_MAX];
};

/* Begins to bring `what`, and takes it, unless it is on its way under that name already. */
void bring_begin(upstream *u, const char *repo, const full_name *name, mlreg_artifact *what);
void bring_stop(upstream *u);         /* cancels all, and waits for their ends */
/* True: the manifest is on its way, and was answered. False after a failure, which is in r->why. */
bool bring_answers_manifest(request *r, const char *digest);
#endif
