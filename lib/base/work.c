/* base/work.c - tasks on threads: the only room that starts threads or waits for them. */
#include "base/work.h"

#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"

#define FIRST_WAITERS 16         /* threads of a group that waits, before its tasks prove slow */
#define SLOW_MS       20         /* a round trip: with a shorter one the first threads have work enough */
#define SLOW_LEAST    8          /* tasks; one alone may have waited for the disk, in the name of many */

struct task {
    mlr_task_fn fn;
    void *arg;
    struct task *next;
};

struct mlr_group {
    mlr_op *parent;              /* as the owner gave it; may be NULL */
    mlr_op *op;                  /* of the tasks: cancelled by the first failure */
    unsigned width;              /* threads at most, by now; 0: inline */
    unsigned most;               /* and once most tasks take long */
    unsigned n_done, n_slow;     /* tasks, before that */
    pthread_mutex_t lock;        /* guards all below */
    pthread_cond_t added;        /* to the threads: a task, or the end */
    pthread_cond_t finished;     /* to the one that waits: nothing is pending, or there is something to do inline */
    struct task *first, *last;
    size_t n_pending;            /* queued and running */
    size_t n_queued;
    unsigned n_idle;             /* threads without a task */
    bool is_closing;
    int rc;                      /* the first failure */
    mlreg_error *err;
    pthread_t *threads;
    size_t n_threads, cap_threads;
};

static int start_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
    return pthread_create(thread, NULL, run, arg);
}

static _Atomic(mlr_thread_start) thread_start = start_thread;

void mlr_work_use(mlr_thread_start start)
{
    atomic_store(&thread_start, start != NULL ? start : start_thread);
}

/* Threads of a library must not be where a signal of its host arrives: they inherit a full mask. */
static int start_masked(pthread_t *thread, void *(*run)(void *), void *arg)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = atomic_load(&thread_start)(thread, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static void wait_at_most(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, &until);
}

int mlr_work_wait_ms(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t ms, mlr_op *op, mlreg_error **err)
{
    mlr_op_wait wait = { .cond = cond };
    uint64_t most_ms = mlr_op_wait_begin(op, &wait);
    int rc = 0;

    if (most_ms > ms)
        most_ms = ms;
    if (most_ms == UINT64_MAX)
        pthread_cond_wait(cond, mutex);
    else if (most_ms > 0)
        wait_at_most(cond, mutex, most_ms);
    mlr_op_wait_end(op, &wait);
    if (most_ms == 0) {
        pthread_mutex_unlock(mutex);            /* progress and errands run the user's code */
        rc = mlr_op_check(op, err);
        pthread_mutex_lock(mutex);
    }
    return rc;
}

int mlr_work_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, mlr_op *op, mlreg_error **err)
{
    return mlr_work_wait_ms(cond, mutex, UINT64_MAX, op, err);
}

static unsigned at_most(uint32_t most, unsigned width)
{
    if (most == (uint32_t)MLREG_NONE)
        return 0;
    return width < most ? width : most;
}

static int group_new(mlr_op *op, unsigned width, unsigned most, mlr_group **out, mlreg_error **err)
{
    mlr_group *g = mlr_alloc(sizeof *g);
    int rc;

    if (g == NULL)
        return mlr_error_nomem(err);
    if ((rc = mlr_op_child(op, &g->op, err)) < 0) {
        mlr_free(g);
        return rc;
    }
    g->parent = op;
    g->width = width;
    g->most = most;
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->added, NULL);
    pthread_cond_init(&g->finished, NULL);
    *out = g;
    return 0;
}

int mlr_group_new(mlr_runtime *rt, mlr_op *op, unsigned width, mlr_group **out, mlreg_error **err)
{
    if (rt != NULL)
        width = at_most(mlr_runtime_limits(rt)->threads, width);
    return group_new(op, width, width, out, err);
}

int mlr_group_new_waiting(mlr_runtime *rt, mlr_op *op, unsigned width, mlr_group **out, mlreg_error **err)
{
    if (rt != NULL)
        width = at_most(mlr_runtime_limits(rt)->waiters, width);
    return group_new(op, width < FIRST_WAITERS ? width : FIRST_WAITERS, width, out, err);
}

/* Keeps the first failure and cancels what else goes on. What fails after a cancel from outside fails because of it. */
static void note_result(mlr_group *g, int rc, mlreg_error **err)
{
    bool is_first = rc < 0 && g->rc == 0;

    if (is_first && rc != MLREG_ECANCELLED && mlr_op_cancelled(g->op)) {
        mlr_error_move(NULL, err);
        rc = mlr_error_set(err, MLREG_ECANCELLED, "cancelled");
    }
    if (is_first) {
        g->rc = rc;
        mlr_error_move(&g->err, err);
        mlr_op_cancel(g->op);
    }
    mlr_error_move(NULL, err);
}

static void *work(void *arg);

/* One thread more if the queued tasks could use it. What fails here is no failure: the others do the work, or wait does. */
static bool grow_threads(mlr_group *g)
{
    if (g->n_threads >= g->width || g->n_idle >= g->n_queued ||
        mlr_grow(&g->threads, &g->cap_threads, g->n_threads, sizeof *g->threads) < 0 ||
        start_masked(&g->threads[g->n_threads], work, g) != 0)
        return false;
    g->n_threads++;
    return true;
}

/* Who waits for something far away needs company; who has it near would only share two cores with it. */
static void widen(mlr_group *g)
{
    g->width = g->most;
    while (grow_threads(g))
        ;
}

static bool are_slow(mlr_group *g, uint64_t last_ms)
{
    g->n_done++;
    g->n_slow += last_ms >= SLOW_MS;
    return g->n_slow >= SLOW_LEAST && 2 * g->n_slow > g->n_done;
}

/* Runs the oldest task, if there is one. The lock is held on entry and return, not meanwhile. */
static bool run_one(mlr_group *g)
{
    struct task *t = g->first;
    mlreg_error *err = NULL;
    uint64_t from_ms;
    int rc;

    if (t == NULL)
        return false;
    g->first = t->next;
    g->n_queued--;
    pthread_mutex_unlock(&g->lock);
    from_ms = mlr_clock_ms();
    rc = mlr_op_check(g->op, &err);
    if (rc == 0)
        rc = t->fn(t->arg, g->op, &err);
    mlr_free(t);
    pthread_mutex_lock(&g->lock);
    note_result(g, rc, &err);
    if (g->width < g->most && are_slow(g, mlr_clock_ms() - from_ms))
        widen(g);
    if (--g->n_pending == 0)
        pthread_cond_broadcast(&g->finished);
    return true;
}

static void *work(void *arg)
{
    mlr_group *g = arg;

    pthread_mutex_lock(&g->lock);
    while (!g->is_closing || g->first != NULL) {
        if (run_one(g))
            continue;
        g->n_idle++;
        (void)mlr_work_wait(&g->added, &g->lock, NULL, NULL);
        g->n_idle--;
    }
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

int mlr_group_add(mlr_group *g, mlr_task_fn fn, void *arg, mlreg_error **err)
{
    struct task *t = mlr_alloc(sizeof *t);

    if (t == NULL)
        return mlr_error_nomem(err);
    t->fn = fn;
    t->arg = arg;
    pthread_mutex_lock(&g->lock);
    if (g->first == NULL)
        g->first = t;
    else
        g->last->next = t;
    g->last = t;
    g->n_pending++;
    g->n_queued++;
    grow_threads(g);
    pthread_cond_signal(g->n_threads > 0 ? &g->added : &g->finished);
    pthread_mutex_unlock(&g->lock);
    return 0;
}

/* Waits until nothing is pending; tasks are over only when they have returned, cancelled or not. */
static void finish(mlr_group *g, mlr_op *watch)
{
    while (g->n_pending > 0) {
        if (g->n_threads == 0 && run_one(g))
            continue;
        if (watch != NULL && mlr_work_wait(&g->finished, &g->lock, watch, NULL) == 0)
            continue;
        if (watch == NULL)
            (void)mlr_work_wait(&g->finished, &g->lock, NULL, NULL);
        watch = NULL;                           /* cancelled: the tasks see it themselves, and end soon */
    }
}

int mlr_group_wait(mlr_group *g, mlreg_error **err)
{
    int rc;

    pthread_mutex_lock(&g->lock);
    finish(g, g->parent != NULL ? g->parent : g->op);
    rc = g->rc;
    g->rc = 0;
    mlr_error_move(err, &g->err);
    mlr_op_rearm(g->op);
    pthread_mutex_unlock(&g->lock);
    return rc < 0 ? rc : mlr_op_check(g->parent, err);
}

unsigned mlr_group_threads(mlr_group *g)
{
    unsigned n;

    pthread_mutex_lock(&g->lock);
    n = (unsigned)g->n_threads;
    pthread_mutex_unlock(&g->lock);
    return n;
}

mlr_op *mlr_group_op(mlr_group *g)
{
    return g->op;
}

void mlr_group_free(mlr_group *g)
{
    if (g == NULL)
        return;
    mlr_op_cancel(g->op);
    pthread_mutex_lock(&g->lock);
    finish(g, g->parent);
    g->is_closing = true;
    pthread_cond_broadcast(&g->added);
    pthread_mutex_unlock(&g->lock);
    for (size_t i = 0; i < g->n_threads; i++)
        pthread_join(g->threads[i], NULL);
    mlr_free(g->threads);
    mlr_error_done(g->err);
    pthread_cond_destroy(&g->finished);
    pthread_cond_destroy(&g->added);
    pthread_mutex_destroy(&g->lock);
    mlr_op_end(g->op);
    mlr_free(g);
}
