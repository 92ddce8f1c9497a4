/* base/op.c - one call in progress: cancellation, progress, statistics, errands for the caller's thread. */
#include "base/op.h"

#include <assert.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/remote.h"
#include "base/work.h"

/* A wake-up that arrives between a thread's last look and its wait is lost; it then costs one slice, no more. The caller's
 * is shorter, for workers wait until it has done their errands. */
#define SLICE_MS        50
#define CALLER_SLICE_MS 10

/* What a worker wants done on the caller's thread; lives on the worker's stack. */
struct errand {
    mlr_errand_fn fn;
    void *arg;
    mlreg_error *err;
    int rc;
    enum { QUEUED, RUNNING, DONE } state;
    struct errand *next;
};

struct mlr_op {
    mlreg_op *remote;
    mlr_op *parent;              /* NULL: this is the call itself, its own root */
    mlr_op *root;
    atomic_bool cancelled;
    /* Only the root uses what follows. */
    pthread_t caller;
    bool is_busy;                /* the caller's thread is in a callback; only that thread looks */
    uint64_t due_ms;             /* when progress is due; only the caller's thread looks */
    pthread_mutex_t lock;        /* guards the errands; taken before the remote's */
    pthread_cond_t done;
    struct errand *errands;      /* queued, first come first served */
    atomic_bool has_errands;
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
    pthread_mutex_init(&op->lock, NULL);
    pthread_cond_init(&op->done, NULL);
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
        assert(op->errands == NULL);
        if (!mlr_op_cancelled(op))
            report(op);
        pthread_cond_destroy(&op->done);
        pthread_mutex_destroy(&op->lock);
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

/* The next errand, now running; NULL if there is none. */
static struct errand *next_errand(mlr_op *root)
{
    struct errand *e;

    pthread_mutex_lock(&root->lock);
    if ((e = root->errands) != NULL) {
        root->errands = e->next;
        e->state = RUNNING;
    }
    atomic_store(&root->has_errands, root->errands != NULL);
    pthread_mutex_unlock(&root->lock);
    return e;
}

static void do_errands(mlr_op *root)
{
    struct errand *e;

    while (atomic_load(&root->has_errands) && (e = next_errand(root)) != NULL) {
        root->is_busy = true;
        e->rc = e->fn(e->arg, &e->err);
        root->is_busy = false;
        pthread_mutex_lock(&root->lock);
        e->state = DONE;
        pthread_cond_broadcast(&root->done);
        pthread_mutex_unlock(&root->lock);
        if (ms_to_progress(root) == 0)
            return;                             /* busy workers do not hold progress back */
    }
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

static void queue_errand(mlr_op *root, struct errand *e)
{
    struct errand **end = &root->errands;

    while (*end != NULL)
        end = &(*end)->next;
    *end = e;
    atomic_store(&root->has_errands, true);
}

static void withdraw_errand(mlr_op *root, struct errand *e)
{
    struct errand **at = &root->errands;

    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    atomic_store(&root->has_errands, root->errands != NULL);
}

int mlr_op_on_caller(mlr_op *op, mlr_errand_fn fn, void *arg, mlreg_error **err)
{
    struct errand e = { .fn = fn, .arg = arg, .state = QUEUED };
    mlr_op *root;

    if (op == NULL || pthread_equal(op->root->caller, pthread_self()))
        return fn(arg, err);
    root = op->root;
    pthread_mutex_lock(&root->lock);
    queue_errand(root, &e);
    mlr_remote_wake(root->remote, root);
    while (e.state != DONE && mlr_work_wait(&root->done, &root->lock, op, NULL) == 0)
        ;
    if (e.state == QUEUED) {
        withdraw_errand(root, &e);
        e.rc = mlr_error_set(&e.err, MLREG_ECANCELLED, "cancelled");
    }
    while (e.state == RUNNING)                  /* the caller's thread holds `e`: a cancel waits for it */
        (void)mlr_work_wait(&root->done, &root->lock, NULL, NULL);
    pthread_mutex_unlock(&root->lock);
    mlr_error_move(err, &e.err);
    return e.rc;
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
    if (atomic_load(&root->has_errands))
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
