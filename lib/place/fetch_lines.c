/* place/fetch_lines.c - the connections of one blob: each takes the lowest slabs that nobody has begun, and fetches them. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "place/fetch_parts.h"

#define ASK_SHARE   8           /* a request's bytes take so many times what it takes to answer … */
#define ASK_SHARE_AHEAD 25      /* … where enough is there to be hashed meanwhile */
#define SLABS_MAX   16          /* of one request, where there are several connections */
#define AHEAD_SLABS 8           /* of what is hashed, besides one for each connection */

/* ---- what one fetches next ---- */

static size_t slabs_hashed(const mlr_fetch_state *f)
{
    return (size_t)(f->hashed / MLR_SLAB_BYTES);
}

/* How many times longer than an answer takes a request shall be. Whoever hashes goes through the runs in turn, and waits for the end of
 * one that is longer than those beside it: so as long as connections are added all are short. */
static unsigned ask_share(const mlr_fetch_state *f)
{
    if (f->slabs.n_whole - slabs_hashed(f) >= f->n_live)
        return ASK_SHARE_AHEAD;
    return f->width.state == MLR_WIDTH_SETTLED ? ASK_SHARE : 0;
}

/* Long enough for its waiting not to count, and short enough for all to end together. */
static size_t slabs_at_once(const mlr_fetch_state *f)
{
    uint64_t left = f->slabs.n - f->slabs.n_whole, n;

    if (f->n_live == 1)
        return SIZE_MAX;
    if (mlr_width_is_dear(&f->width))
        return (size_t)(left > f->n_live ? left / f->n_live : 1);
    n = 1 + (uint64_t)((double)(f->seen.ask_ms * ask_share(f)) * f->line_rate / (double)MLR_SLAB_BYTES);
    n = n < SLABS_MAX ? n : SLABS_MAX;
    left /= 8 * f->n_live;
    return (size_t)(n < left ? n : left > 0 ? left : 1);
}

/* More would only take the processor from who hashes. */
static bool is_far_ahead(mlr_fetch_state *f)
{
    size_t low = mlr_slabs_lowest(&f->slabs);

    return f->n_live > 1 && low < f->slabs.n && low >= slabs_hashed(f) + f->n_live + AHEAD_SLABS;
}

static int wait_for_hash(mlr_fetch_state *f, mlr_op *op, mlreg_error **err)
{
    uint64_t from_ms = mlr_clock_ms();
    int      rc = mlr_work_wait(&f->nearer, &f->lock, op, err);

    f->seen.held_ms += mlr_clock_ms() - from_ms;
    return rc;
}

static bool is_first(const mlr_line *l)
{
    return l == &l->of->lines[0];
}

static int start_run(mlr_line *l)
{
    l->bytes = 0;
    l->since_ms = mlr_clock_ms();
    return 1;
}

/* 1: l->run; 0: there is nothing left that it could do. The first stays for what others may leave undone. */
static int next_run(mlr_line *l, mlr_op *op, mlreg_error **err)
{
    mlr_fetch_state *f = l->of;
    int              rc = 0;

    pthread_mutex_lock(&f->lock);
    while (rc == 0 && f->slabs.n_whole < f->slabs.n) {
        if (!is_first(l) && f->n_live > f->width.n)
            break;
        if (is_far_ahead(f))
            rc = wait_for_hash(f, op, err);
        else if (mlr_slabs_take(&f->slabs, &l->run, slabs_at_once(f)))
            rc = start_run(l);
        else if (is_first(l))
            rc = mlr_work_wait(&f->changed, &f->lock, op, err);
        else
            break;
    }
    pthread_mutex_unlock(&f->lock);
    return rc;
}

/* ---- fetching it ---- */

static int take_chunk(mlr_line *l, mlr_chunk **out, mlr_op *op, mlreg_error **err)
{
    uint64_t from_ms = mlr_clock_ms();
    void    *c;
    int      rc = mlr_queue_take(l->of->empty, &c, op, err);

    if (rc < 0)
        return rc;
    *out = c;
    pthread_mutex_lock(&l->of->lock);
    l->of->seen.held_ms += mlr_clock_ms() - from_ms;
    pthread_mutex_unlock(&l->of->lock);
    return 0;
}

/* The chunk that is due; 0: none is. */
static size_t due(mlr_line *l, uint64_t *at)
{
    size_t len;

    pthread_mutex_lock(&l->of->lock);
    len = l->is_stopped ? 0 : mlr_slabs_next(&l->of->slabs, &l->run);
    *at = l->run.at;
    pthread_mutex_unlock(&l->of->lock);
    return len;
}

/* What was read, if it is still this one's to deliver. All with the lock, or whoever is given the rest of its slab could be faster: chunks
 * of a slab are put in the order in which they are received. The queues have room for all that there ever are. */
static int deliver(mlr_line *l, mlr_chunk *c, mlr_op *op, mlreg_error **err)
{
    mlr_fetch_state *f = l->of;
    mlr_queue       *to = f->empty;
    int              rc;

    pthread_mutex_lock(&f->lock);
    if (l->run.is_taken && !l->is_stopped) {
        mlr_slabs_advance(&f->slabs, &l->run, c->len);
        f->seen.bytes += c->len;
        l->bytes += c->len;
        to = f->full;
    }
    rc = mlr_queue_put(to, c, op, err);
    pthread_mutex_unlock(&f->lock);
    return rc;
}

/* 1: a chunk; 0: the run is over. */
static int fetch_chunk(mlr_line *l, mlr_op *op, mlreg_error **err)
{
    mlr_chunk *c = NULL;
    uint64_t   at;
    int64_t    n;
    int        rc;

    if (due(l, &at) == 0)
        return 0;
    if ((rc = mlr_fetch_await_journal(l, op, err)) < 0 || (rc = take_chunk(l, &c, op, err)) < 0)
        return rc;
    if ((c->len = due(l, &at)) == 0)            /* meanwhile it may have become shorter, or another's */
        return mlr_queue_put(l->of->empty, c, op, err);
    c->offset = at;
    n = mlr_reader_read_at(l->reader, at, c->data, c->len, l->op, err);
    if (n < 0)
        mlr_queue_put(l->of->empty, c, NULL, NULL);
    else
        rc = deliver(l, c, op, err);
    return n < 0 ? (int)n : rc < 0 ? rc : 1;
}

/* What the first chunk of a run took more than the others is what asking takes. */
static void note_pace(mlr_line *l, uint64_t first_ms, uint64_t all_ms, uint64_t bytes)
{
    mlr_fetch_state *f = l->of;
    uint64_t         chunks = bytes / MLR_CHUNK_BYTES, rest_ms = all_ms - first_ms, each_ms;

    each_ms = chunks > 1 ? rest_ms / (chunks - 1) : first_ms;
    pthread_mutex_lock(&f->lock);
    f->seen.ask_ms = first_ms > each_ms ? first_ms - each_ms : 0;
    if (chunks > 1 && rest_ms > 0)
        l->usual = f->line_rate = (double)(bytes - MLR_CHUNK_BYTES) / (double)rest_ms;
    pthread_mutex_unlock(&f->lock);
}

static uint64_t end_of(mlr_line *l)
{
    uint64_t end;

    pthread_mutex_lock(&l->of->lock);
    end = l->run.end;
    pthread_mutex_unlock(&l->of->lock);
    return end;
}

static int fetch_run(mlr_line *l, mlr_op *op, mlreg_error **err)
{
    uint64_t from_ms = mlr_clock_ms(), first_ms = 0, bytes = 0;
    int      rc;

    mlr_reader_until(l->reader, end_of(l));
    for (; (rc = fetch_chunk(l, op, err)) == 1; bytes += MLR_CHUNK_BYTES)
        if (bytes == 0) {
            first_ms = mlr_clock_ms() - from_ms;
            note_pace(l, first_ms, first_ms, MLR_CHUNK_BYTES);
        }
    if (rc == 0)
        note_pace(l, first_ms, mlr_clock_ms() - from_ms, bytes);
    return rc;
}

/* Whether it was stopped, in a read or between two, for others to go on; then it may begin anew, on another connection. */
static bool was_stopped(mlr_line *l)
{
    bool stopped;

    pthread_mutex_lock(&l->of->lock);
    stopped = l->is_stopped && !mlr_op_cancelled(l->of->op);
    if (stopped) {
        l->is_stopped = false;
        mlr_op_rearm(l->op);
    }
    mlr_slabs_drop(&l->of->slabs, &l->run);
    pthread_cond_broadcast(&l->of->changed);
    pthread_mutex_unlock(&l->of->lock);
    return stopped;
}

static int fetch_runs(mlr_line *l, mlr_op *op, mlreg_error **err)
{
    int rc;

    while ((rc = next_run(l, op, err)) == 1) {
        mlreg_error *why = NULL;

        rc = fetch_run(l, op, &why);
        if (!was_stopped(l) && rc < 0) {
            mlr_error_move(err, &why);
            break;
        }
        mlr_error_done(why);
    }
    return rc;
}

/* ---- one thread for each ---- */

static int run_first(void *line, mlr_op *op, mlreg_error **err)
{
    mlr_line    *l = line;
    mlreg_error *why = NULL;
    int          rc = fetch_runs(l, op, &why);

    (void)err;
    if (rc < 0)
        mlr_fetch_fail(l->of, rc, &why);
    return 0;
}

/* Whatever stops it, the first knows better what it means. */
static int run_twin(void *line, mlr_op *op, mlreg_error **err)
{
    mlr_line        *l = line;
    mlr_fetch_state *f = l->of;
    int              rc = fetch_runs(l, op, NULL);

    (void)err;
    mlr_reader_free(l->reader);
    mlr_fetch_chunk_less(f);
    pthread_mutex_lock(&f->lock);
    l->reader = NULL;
    l->is_live = false;
    f->n_live--;
    if (rc < 0)
        mlr_width_refused(&f->width, f->n_live);
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    return 0;
}

static int begin(mlr_fetch_state *f, mlr_line *l, mlr_task_fn run, mlreg_error **err)
{
    int rc;

    l->of = f;
    l->bytes = 0;
    l->since_ms = mlr_clock_ms();
    if (l->op == NULL && (rc = mlr_op_child(f->op, &l->op, err)) < 0)
        return rc;
    if ((rc = mlr_group_add(f->lines_group, run, l, err)) < 0)
        return rc;
    l->is_live = true;
    f->n_live++;
    return 0;
}

int mlr_fetch_lines_begin(mlr_fetch_state *f, mlreg_error **err)
{
    int rc;

    f->lines[0].reader = f->reader;
    pthread_mutex_lock(&f->lock);
    rc = begin(f, &f->lines[0], run_first, err);
    pthread_mutex_unlock(&f->lock);
    return rc;
}

int mlr_fetch_lines_twin(mlr_fetch_state *f, mlr_line *l, mlreg_error **err)
{
    return begin(f, l, run_twin, err);
}
