/* codec/together.c - SHA-256 of several threads at once, in fewer passes. */
#include "codec/together.h"

#include <assert.h>
#include <unistd.h>

#include "base/work.h"
#include "codec/sha256_parts.h"

#define LANES       MLR_SHA256_SIDE_BY_SIDE
#define ALONE_BYTES ((size_t)16 << 10)      /* less is done sooner than said */
#define TURN_BYTES  ((size_t)32 << 10)      /* of each lane, before others may join; whole blocks */
#define GATHER_MS   2                       /* that a few wait for more: alone, a stream costs five times what it costs among eight */

/* One thread's call, and its pieces. All of it lies on that thread's stack. */
struct call {
    pthread_cond_t changed;                 /* to this one alone: its jobs are done, or it has to lead */
    size_t         n_left;                  /* jobs */
    bool           has_waited;              /* for others, long enough */
};
struct job {
    struct call   *of;
    mlr_sha256    *s;
    const mlr_sha256_piece *pieces;         /* the first of those that are left … */
    size_t         n_pieces;
    size_t         at;                      /* … and how much of it is hashed */
    struct job    *next;
};
struct lanes {
    struct job *jobs[LANES];
    size_t      n;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;   /* guards all below */
static struct job     *first, **end = &first;              /* that wait for a lane */
static size_t          n_waiting, n_running;               /* jobs */
static unsigned        n_leaders, n_cores;
static size_t          n_streams;                          /* that said they would come */

static void wait_last(struct job *j)
{
    j->next = NULL;
    *end = j;
    end = &j->next;
    n_waiting++;
}

static void wait_first(struct job *j)
{
    if (first == NULL)
        end = &j->next;
    j->next = first;
    first = j;
    n_waiting++;
}

static struct job *take_first(void)
{
    struct job *j = first;

    if ((first = j->next) == NULL)
        end = &first;
    n_waiting--;
    return j;
}

/* Lanes that one leader fills: of what the kernels do side by side, unless there are cores for every stream alone. */
static size_t most_lanes(void)
{
    size_t n = n_waiting + n_running;

    return n <= n_cores / 2 ? 1 : mlr_sha256_lanes(n);
}

/* One leader fills its lanes before a second one begins, and that one half of its own. */
static bool may_lead(void)
{
    const size_t most = most_lanes();

    if (n_waiting == 0 || n_leaders >= n_cores)
        return false;
    return n_leaders == 0 || (n_running >= n_leaders * most && 2 * n_waiting >= most);
}

/* As many as fill the lanes that there are streams for. */
static bool are_enough(void)
{
    const size_t n = n_streams < LANES ? n_streams : LANES;

    return n <= n_cores / 2 || n_waiting >= mlr_sha256_lanes(n);
}

/* ---- leading: the lock is held on entry and return ---- */

static void fill(struct lanes *l)
{
    const size_t most = most_lanes();

    for (; l->n < most && first != NULL; n_running++)
        l->jobs[l->n++] = take_first();
}

static size_t take_turn(struct job *j)
{
    const size_t left = j->pieces->len - j->at, len = left < TURN_BYTES ? left : TURN_BYTES;

    j->at += len;
    if (len == left) {
        j->pieces++;
        j->n_pieces--;
        j->at = 0;
    }
    return len;
}

/* Hashes a part of each, without the lock. */
static void turn(struct lanes *l)
{
    mlr_sha256 *s[LANES];
    const void *data[LANES];
    size_t      len[LANES];

    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < l->n; i++) {
        struct job *j = l->jobs[i];

        s[i] = j->s;
        data[i] = (const uint8_t *)j->pieces->data + j->at;
        len[i] = take_turn(j);
    }
    mlr_sha256_update_many(s, data, len, l->n);
    pthread_mutex_lock(&lock);
}

static void drop_done(struct lanes *l)
{
    size_t kept = 0;

    for (size_t i = 0; i < l->n; i++) {
        struct job *j = l->jobs[i];

        if (j->n_pieces > 0)
            l->jobs[kept++] = j;
        else if (--j->of->n_left == 0)
            pthread_cond_broadcast(&j->of->changed);
    }
    n_running -= l->n - kept;
    l->n = kept;
}

/* To the one that has most to do still: it will lead longest. */
static void hand_over(void)
{
    struct job *most = first;

    for (struct job *j = first; j != NULL; j = j->next)
        if (j->n_pieces > most->n_pieces || (j->n_pieces == most->n_pieces && j->at < most->at))
            most = j;
    if (most == NULL || !may_lead())
        return;
    most->of->has_waited = true;
    pthread_cond_broadcast(&most->of->changed);
}

/* Until its own are done: then another leads those that are not. */
static void lead(const struct call *own)
{
    struct lanes l = { .n = 0 };

    n_leaders++;
    for (fill(&l); l.n > 0; fill(&l)) {
        turn(&l);
        drop_done(&l);
        if (own->n_left == 0)
            break;
    }
    n_leaders--;
    n_running -= l.n;
    while (l.n > 0)
        wait_first(l.jobs[--l.n]);
    hand_over();
}

/* ---- calls ---- */

/* In a forked child: the threads that led and waited are not there, nor is who may have held the lock. */
static void forget(void)
{
    pthread_mutex_init(&lock, NULL);
    first = NULL;
    end = &first;
    n_waiting = n_running = n_streams = 0;
    n_leaders = 0;
}

static void begin(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    n_cores = n > 0 ? (unsigned)n : 1;
    (void)pthread_atfork(NULL, NULL, forget);
}

static void enter(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, begin);
    pthread_mutex_lock(&lock);
}

static void lead_or_wait(struct call *c)
{
    if (!may_lead()) {
        (void)mlr_work_wait(&c->changed, &lock, NULL, NULL);
    } else if (c->has_waited || are_enough()) {
        lead(c);
    } else {
        (void)mlr_work_wait_ms(&c->changed, &lock, GATHER_MS, NULL, NULL);
        c->has_waited = true;
    }
}

/* All of the jobs are of this one call. */
static void run(struct job jobs[], size_t n)
{
    struct call call = { .n_left = n };

    pthread_cond_init(&call.changed, NULL);
    enter();
    for (size_t i = 0; i < n; i++) {
        jobs[i].of = &call;
        wait_last(&jobs[i]);
    }
    while (call.n_left > 0)
        lead_or_wait(&call);
    pthread_mutex_unlock(&lock);
    pthread_cond_destroy(&call.changed);
}

void mlr_sha256_update_many_together(mlr_sha256 *const s[], const void *const data[], const size_t len[], size_t n)
{
    mlr_sha256_piece pieces[LANES];
    struct job       jobs[LANES];

    assert(n <= LANES);
    for (size_t i = 0; i < n; i++) {
        pieces[i] = (mlr_sha256_piece){ data[i], len[i] };
        jobs[i] = (struct job){ .s = s[i], .pieces = &pieces[i], .n_pieces = 1 };
    }
    run(jobs, n);
}

void mlr_sha256_pieces_together(mlr_sha256 *s, const mlr_sha256_piece *pieces, size_t n)
{
    struct job job = { .s = s, .pieces = pieces, .n_pieces = n };

    if (n > 0)
        run(&job, 1);
}

void mlr_sha256_update_together(mlr_sha256 *s, const void *data, size_t len)
{
    if (len < ALONE_BYTES)
        mlr_sha256_update(s, data, len);
    else
        mlr_sha256_pieces_together(s, &(mlr_sha256_piece){ data, len }, 1);
}

void mlr_sha256_together_join(void)
{
    enter();
    n_streams++;
    pthread_mutex_unlock(&lock);
}

void mlr_sha256_together_leave(void)
{
    enter();
    n_streams -= n_streams > 0;             /* in a forked child it may be one of the parent's */
    pthread_mutex_unlock(&lock);
}
