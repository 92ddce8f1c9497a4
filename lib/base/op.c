/* base/op.c - one call in progress: cancellation, progress, statistics, errands for the caller's thread. */
#include "base/op.h"

#include <stdatomic.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/errands.h"
#include "base/error.h"
#include "base/remote.h"
#include "base/work.h"

/* A wake-up that arrives between a thread's last look and its wait is lost; it then costs one slice, no more. The caller's
 * is shorter, for workers wait until it has done their errands. */
#define SLICE_MS        50
#define CALLER_SLICE_MS 10

struct mlr_op {
    mlreg_op *remote;
    mlr_op *parent;              /* NULL: this is the call itself, its own root */
    mlr_op *root;
    atomic_bool cancelled;
    /* Only the root uses what follows. */
    pthread_t caller;
    bool is_busy;                /* the caller's thread is in a callback; only that thread looks */
    uint64_t due_ms;             /* when progress is due; only the caller's thread looks */
    mlr_errands errands;         /* whose lock is taken before the remote's */
};

static void schedule_progress(mlr_op *root)
{
    root->due_ms = mlr_clock_ms() + mlr_remote_interval_ms(root->remote);
}

/* 0: it is due; UINT64_MAX: nobody wants any. */
static uint64_t ms_to_progress(const mlr_op *root)
{
    uint64_t now_ms;

    if (!mlr_remote_has_progress(root->remote))
        return UINT64_MAX;
    now_ms = mlr_clock_ms();
    return now_ms >= root->due_ms ? 0 : root->due_ms - now_ms;
}

int mlr_op_begin(mlreg_op *remote, mlr_op **out, mlreg_error **err)
{
    mlr_op *op;
    int rc;

    if (remote != NULL && !mlr_remote_is_ours(remote)) {
        rc = mlr_error_set(err, MLREG_ESTATE, "this op was made before fork()");
        return mlr_error_hint(err, rc, "make one of its own in the child process");
    }
    if ((op = mlr_alloc(sizeof *op)) == NULL)
        return mlr_error_nomem(err);
    op->remote = mlr_remote_ref(remote);
    if (op->remote == NULL && (rc = mlr_remote_new(&op->remote, err)) < 0) {
        mlr_free(op);
        return rc;
    }
    op->root = op;
    op->caller = pthread_self();
    mlr_errands_init(&op->errands);
    mlr_remote_start(op->remote);
    schedule_progress(op);
    *out = op;
    return 0;
}

int mlr_op_child(mlr_op *parent, mlr_op **out, mlreg_error **err)
{
    mlr_op *op;

    if (parent == NULL)
        return mlr_op_begin(NULL, out, err);
    if ((op = mlr_alloc(sizeof *op)) == NULL)
        return mlr_error_nomem(err);
    op->remote = mlr_remote_ref(parent->remote);
    op->parent = parent;
    op->root = parent->root;
    *out = op;
    return 0;
}

static void do_errands(mlr_op *root)
{
    mlr_errand *e;

    while ((e = mlr_errands_next(&root->errands)) != NULL) {
        root->is_busy = true;
        e->rc = e->fn(e->arg, &e->err);
        root->is_busy = false;
        mlr_errands_ran(&root->errands, e);
        if (ms_to_progress(root) == 0)
            return;                             /* busy workers do not hold progress back */
    }
}

/* Calls the user back. Nothing that runs inside may do so again. */
static void report(mlr_op *root)
{
    root->is_busy = true;
    mlr_remote_report(root->remote);
    root->is_busy = false;
    schedule_progress(root);
}

void mlr_op_end(mlr_op *op)
{
    if (op == NULL)
        return;
    if (op->parent == NULL) {
        while (mlr_errands_any(&op->errands))
            do_errands(op);
        if (!mlr_op_cancelled(op))
            report(op);
        mlr_errands_done(&op->errands);
    }
    mlr_remote_free(op->remote);
    mlr_free(op);
}

void mlr_op_cancel(mlr_op *op)
{
    if (op == NULL)
        return;
    atomic_store(&op->cancelled, true);
    mlr_remote_wake(op->remote, NULL);
}

void mlr_op_rearm(mlr_op *child)
{
    atomic_store(&child->cancelled, false);
}

bool mlr_op_cancelled(const mlr_op *op)
{
    if (op == NULL)
        return false;
    for (const mlr_op *o = op; o != NULL; o = o->parent)
        if (atomic_load(&o->cancelled))
            return true;
    return mlr_remote_cancelled(op->remote);
}

static bool serves_here(const mlr_op *root)
{
    return pthread_equal(root->caller, pthread_self()) && !root->is_busy;
}

int mlr_op_check(mlr_op *op, mlreg_error **err)
{
    if (op != NULL && !mlr_op_cancelled(op) && serves_here(op->root)) {
        do_errands(op->root);
        if (ms_to_progress(op->root) == 0)
            report(op->root);
    }
    return mlr_op_cancelled(op) ? mlr_error_set(err, MLREG_ECANCELLED, "cancelled") : 0;
}

/* Until the clock says so, which a test may hold in its hand. */
static int sit_out(uint64_t ms, mlr_op *op, mlreg_error **err)
{
    uint64_t start_ms = mlr_clock_ms(), passed_ms = 0;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t never = PTHREAD_COND_INITIALIZER;
    int rc = 0;

    pthread_mutex_lock(&lock);
    while (rc == 0 && passed_ms < ms) {
        rc = mlr_work_wait_ms(&never, &lock, ms - passed_ms, op, err);
        passed_ms = mlr_clock_ms() - start_ms;
    }
    pthread_mutex_unlock(&lock);
    pthread_cond_destroy(&never);
    pthread_mutex_destroy(&lock);
    return rc;
}

int mlr_op_sleep(mlr_op *op, uint64_t ms, mlreg_error **err)
{
    const mlr_clock *clock = mlr_clock_in_use();
    int rc = mlr_op_check(op, err);

    if (rc < 0 || ms == 0)
        return rc;
    if (clock == NULL || clock->sleep_ms == NULL)
        return sit_out(ms, op, err);
    clock->sleep_ms(clock->user, ms);
    return mlr_op_check(op, err);
}

int mlr_op_on_caller(mlr_op *op, mlr_errand_fn fn, void *arg, mlreg_error **err)
{
    mlr_errand e = { .fn = fn, .arg = arg };
    mlr_errands *all;

    if (op == NULL || pthread_equal(op->root->caller, pthread_self()))
        return fn(arg, err);
    all = &op->root->errands;
    pthread_mutex_lock(&all->lock);
    mlr_errands_add(all, &e);
    mlr_remote_wake(op->root->remote, op->root);
    while (e.state != MLR_ERRAND_RAN && mlr_work_wait(&all->ran, &all->lock, op, NULL) == 0)
        ;
    if (e.state == MLR_ERRAND_QUEUED) {
        mlr_errands_withdraw(all, &e);
        e.rc = mlr_error_set(&e.err, MLREG_ECANCELLED, "cancelled");
    }
    while (e.state == MLR_ERRAND_RUNNING)       /* the caller's thread holds `e`: a cancel waits for it */
        (void)mlr_work_wait(&all->ran, &all->lock, NULL, NULL);
    pthread_mutex_unlock(&all->lock);
    mlr_error_move(err, &e.err);
    return e.rc;
}

/* The caller's thread is not woken for it: it looks every CALLER_SLICE_MS. */
void mlr_op_post(mlr_op *op, mlr_errand_fn fn, void *arg)
{
    const bool is_far = op != NULL && !pthread_equal(op->root->caller, pthread_self());

    if (is_far && mlr_errands_post(&op->root->errands, fn, arg))
        return;
    (void)mlr_op_on_caller(op, fn, arg, NULL);
    mlr_free(arg);
}

uint64_t mlr_op_wait_begin(mlr_op *op, mlr_op_wait *w)
{
    uint64_t left_ms;
    mlr_op *root;

    if (op == NULL)
        return UINT64_MAX;
    root = op->root;
    w->served = serves_here(root) ? root : NULL;
    mlr_remote_wait_begin(op->remote, w);
    if (mlr_op_cancelled(op))
        return 0;
    if (w->served == NULL)
        return SLICE_MS;
    if (mlr_errands_any(&root->errands))
        return 0;
    left_ms = ms_to_progress(root);
    return left_ms < CALLER_SLICE_MS ? left_ms : CALLER_SLICE_MS;
}

void mlr_op_wait_end(mlr_op *op, mlr_op_wait *w)
{
    if (op != NULL)
        mlr_remote_wait_end(op->remote, w);
}

void mlr_op_spent(mlr_op *op, mlr_counter what, uint64_t since_us)
{
    mlr_op_count(op, what, (int64_t)(mlr_clock_us() - since_us));
}

void mlr_op_blob_done(mlr_op *op, const char *name, uint64_t bytes, uint64_t since_ms)
{
    mlr_op_count(op, MLR_N_BLOBS_DONE, 1);
    if (op != NULL)
        mlr_remote_blob_done(op->remote, name, bytes, since_ms);
}

void mlr_op_count(mlr_op *op, mlr_counter what, int64_t n)
{
    if (op != NULL)
        mlr_remote_count(op->remote, what, n);
}
