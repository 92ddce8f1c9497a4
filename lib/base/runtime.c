/* base/runtime.c - what sessions share: threads, connections, memory and bandwidth, each a budget. */
#include "base/runtime.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/work.h"

#define LEAST_THREADS 4          /* hashing, receiving and writing overlap even on one core */
#define MOST_THREADS 8
#define CONNECTIONS 100          /* an upper bound: blobs of some size take a few, and small ones what their number is worth */
#define MEMORY_BYTES (32u << 20)
#define BURST_NS 100e6           /* what may go out at once after a pause, as time at the rate */

/* One that waits for its share; lives on its stack. */
struct claim {
    uint64_t amount;
    struct claim *next;
};

/* Something countable. Whoever came first is served first, so that a large claim is not starved by small ones. */
struct budget {
    uint64_t max, used;
    struct claim *first;
    pthread_mutex_t lock;        /* guards the above, but for `max`, which never changes */
    pthread_cond_t changed;
};

struct mlreg_runtime {
    atomic_uint refs;
    pid_t pid;                   /* of the process that made it */
    mlr_limits limits;
    struct budget connections, memory;
    pthread_t *holders;          /* of connections, each as often as it holds one; guarded by connections.lock */
    size_t n_holders, cap_holders;
    pthread_mutex_t pace_lock;   /* guards the next */
    double paid_ns;              /* until when the bytes that were let through use up the rate */
};

static void budget_init(struct budget *b, uint64_t max)
{
    b->max = max;
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, NULL);
}

static void budget_done(struct budget *b)
{
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
}

static bool is_grantable(const struct budget *b, const struct claim *c)
{
    if (b->first != c)
        return false;
    return b->used == 0 || (b->used < b->max && c->amount <= b->max - b->used);
}

static int budget_take(struct budget *b, uint64_t amount, mlr_op *op, mlreg_error **err)
{
    struct claim claim = { .amount = amount };
    struct claim **at;
    int rc = mlr_op_check(op, err);

    if (rc < 0)
        return rc;
    pthread_mutex_lock(&b->lock);
    for (at = &b->first; *at != NULL; at = &(*at)->next)
        ;
    *at = &claim;
    while (rc == 0 && !is_grantable(b, &claim))
        rc = mlr_work_wait(&b->changed, &b->lock, op, err);
    if (rc == 0)
        b->used += amount;
    for (at = &b->first; *at != &claim; at = &(*at)->next)
        ;
    *at = claim.next;
    pthread_cond_broadcast(&b->changed);        /* the next in line may fit too */
    pthread_mutex_unlock(&b->lock);
    return rc;
}

static bool budget_try(struct budget *b, uint64_t amount)
{
    bool is_there;

    pthread_mutex_lock(&b->lock);
    is_there = b->first == NULL && b->used < b->max && amount <= b->max - b->used;
    if (is_there)
        b->used += amount;
    pthread_mutex_unlock(&b->lock);
    return is_there;
}

static void budget_give(struct budget *b, uint64_t amount)
{
    pthread_mutex_lock(&b->lock);
    b->used -= amount;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

static uint32_t default_threads(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (cores < LEAST_THREADS)
        return LEAST_THREADS;
    return cores > MOST_THREADS ? MOST_THREADS : (uint32_t)cores;
}

int mlr_runtime_new(const mlr_limits *limits, mlr_runtime **out, mlreg_error **err)
{
    mlr_runtime *rt = mlr_alloc(sizeof *rt);

    if (rt == NULL)
        return mlr_error_nomem(err);
    if (limits != NULL)
        rt->limits = *limits;
    if (rt->limits.connections == 0)
        rt->limits.connections = CONNECTIONS;
    rt->limits.waiters = rt->limits.threads != 0 ? rt->limits.threads : rt->limits.connections;
    if (rt->limits.threads == 0)
        rt->limits.threads = default_threads();
    if (rt->limits.memory_bytes == 0)
        rt->limits.memory_bytes = MEMORY_BYTES;
    if (rt->limits.bytes_per_s == 0)
        rt->limits.bytes_per_s = MLREG_NONE;
    atomic_init(&rt->refs, 1);
    rt->pid = getpid();
    budget_init(&rt->connections, rt->limits.connections);
    budget_init(&rt->memory, rt->limits.memory_bytes);
    pthread_mutex_init(&rt->pace_lock, NULL);
    *out = rt;
    return 0;
}

mlr_runtime *mlr_runtime_ref(mlr_runtime *rt)
{
    if (rt != NULL)
        atomic_fetch_add(&rt->refs, 1);
    return rt;
}

void mlr_runtime_unref(mlr_runtime *rt)
{
    if (rt == NULL || atomic_fetch_sub(&rt->refs, 1) > 1)
        return;
    pthread_mutex_destroy(&rt->pace_lock);
    budget_done(&rt->memory);
    budget_done(&rt->connections);
    mlr_free(rt->holders);
    mlr_free(rt);
}

bool mlr_runtime_is_ours(const mlr_runtime *rt)
{
    return rt->pid == getpid();
}

const mlr_limits *mlr_runtime_limits(const mlr_runtime *rt)
{
    return &rt->limits;
}

/* Where `thread` stands among those that hold a connection; their number if it does not. */
static size_t find_holder(const mlr_runtime *rt, pthread_t thread)
{
    size_t i = 0;

    while (i < rt->n_holders && !pthread_equal(rt->holders[i], thread))
        i++;
    return i;
}

/* Notes that this thread holds one more; with `beyond` only if it holds one already, and then without asking for it.
 * 1 noted; 0 not; ENOMEM. */
static int note_holder(mlr_runtime *rt, bool beyond, mlreg_error **err)
{
    pthread_t self = pthread_self();
    int       rc = 1;

    pthread_mutex_lock(&rt->connections.lock);
    if (beyond && find_holder(rt, self) == rt->n_holders)
        rc = 0;
    else if (mlr_grow(&rt->holders, &rt->cap_holders, rt->n_holders, sizeof *rt->holders) < 0)
        rc = mlr_error_nomem(err);
    else
        rt->holders[rt->n_holders++] = self;
    if (rc == 1 && beyond)
        rt->connections.used++;
    pthread_mutex_unlock(&rt->connections.lock);
    return rc;
}

int mlr_runtime_connection_take(mlr_runtime *rt, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_op_check(op, err);

    if (rc < 0 || rt == NULL || (rc = note_holder(rt, true, err)) != 0)
        return rc < 0 ? rc : 0;
    if ((rc = budget_take(&rt->connections, 1, op, err)) < 0)
        return rc;
    if ((rc = note_holder(rt, false, err)) < 0)
        budget_give(&rt->connections, 1);
    return rc < 0 ? rc : 0;
}

bool mlr_runtime_connection_spare(mlr_runtime *rt)
{
    bool is_there;

    if (rt == NULL)
        return true;
    pthread_mutex_lock(&rt->connections.lock);
    is_there = rt->connections.first == NULL && rt->connections.used < rt->connections.max;
    pthread_mutex_unlock(&rt->connections.lock);
    return is_there;
}

void mlr_runtime_connection_give(mlr_runtime *rt, pthread_t taker)
{
    size_t i;

    if (rt == NULL)
        return;
    pthread_mutex_lock(&rt->connections.lock);
    if ((i = find_holder(rt, taker)) < rt->n_holders)
        rt->holders[i] = rt->holders[--rt->n_holders];
    pthread_mutex_unlock(&rt->connections.lock);
    budget_give(&rt->connections, 1);
}

int mlr_runtime_memory_take(mlr_runtime *rt, uint64_t bytes, mlr_op *op, mlreg_error **err)
{
    return rt == NULL ? mlr_op_check(op, err) : budget_take(&rt->memory, bytes, op, err);
}

bool mlr_runtime_memory_try(mlr_runtime *rt, uint64_t bytes)
{
    return rt == NULL || budget_try(&rt->memory, bytes);
}

void mlr_runtime_memory_give(mlr_runtime *rt, uint64_t bytes)
{
    if (rt != NULL)
        budget_give(&rt->memory, bytes);
}

/* Each thread books its bytes behind those of the others and sleeps until they are paid for. */
int mlr_runtime_pace(mlr_runtime *rt, uint64_t bytes, mlr_op *op, mlreg_error **err)
{
    double now_ns, debt_ns;

    if (rt == NULL || rt->limits.bytes_per_s == MLREG_NONE)
        return mlr_op_check(op, err);
    pthread_mutex_lock(&rt->pace_lock);
    now_ns = (double)mlr_clock_ms() * 1e6;
    if (rt->paid_ns < now_ns - BURST_NS)
        rt->paid_ns = now_ns - BURST_NS;
    rt->paid_ns += (double)bytes * 1e9 / (double)rt->limits.bytes_per_s;
    debt_ns = rt->paid_ns - now_ns;
    pthread_mutex_unlock(&rt->pace_lock);
    return mlr_op_sleep(op, debt_ns > 0 ? (uint64_t)(debt_ns / 1e6) : 0, err);
}
