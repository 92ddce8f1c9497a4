/* place/fetch_lines.c - the connections of one blob: each takes the lowest slabs that nobody has begun, and fetches them. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "place/fetch_parts.h"

#define TWIN_BYTES     (MLR_FETCH_TWIN_CHUNKS * MLR_CHUNK_BYTES)
#define LINE_BYTES     (TWIN_BYTES + MLR_CHUNK_BYTES)   /* with what the transport keeps for a connection */
#define ASK_SHARE      25       /* a request's bytes take so many times what it takes to answer */
#define SLABS_MAX      16       /* of one request, where there are several connections */
#define SLOW           4        /* times slower than the middle one: replaced */
#define SLOW_AFTER_MS  1000

/* ---- what one fetches next ---- */

/* Long enough for its waiting not to count, and short enough for all to end together. */
static size_t slabs_at_once(const mlr_fetch_state *f)
{
    uint64_t left = f->slabs.n - f->slabs.n_whole, n;

    if (f->n_live == 1)
        return SIZE_MAX;
    n = 1 + (uint64_t)((double)(f->seen.ask_ms * ASK_SHARE) * f->line_rate / (double)MLR_SLAB_BYTES);
    n = n < SLABS_MAX ? n : SLABS_MAX;
    left /= 2 * f->n_live;
    return (size_t)(n < left ? n : left > 0 ? left : 1);
}

static bool is_first(const mlr_line *l)
{
    return l == &l->of->lines[0];
}

/* 1: l->run; 0: there is nothing left that it could do. The first stays for what others may leave undone. */
static int next_run(mlr_line *l, mlr_op *op, mlreg_error **err)
{
    mlr_fetch_state *f = l->of;
    int              rc = 0;

    pthread_mutex_lock(&f->lock);
    l->bytes = 0;
    l->since_ms = mlr_clock_ms();
    while (rc == 0 && f->slabs.n_whole < f->slabs.n) {
        if (!is_first(l) && f->n_live > f->width.n)
            break;
        if (mlr_slabs_take(&f->slabs, &l->run, slabs_at_once(f)))
            rc = 1;
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

/* Whether what was read is still this one's to deliver. */
static bool deliver(mlr_line *l, size_t len)
{
    mlr_fetch_state *f = l->of;
    bool             is_ours;

    pthread_mutex_lock(&f->lock);
    if ((is_ours = l->run.is_taken && !l->is_stopped)) {
        mlr_slabs_advance(&f->slabs, &l->run, len);
        f->seen.bytes += len;
        l->bytes += len;
    }
    pthread_mutex_unlock(&f->lock);
    return is_ours;
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
    if ((rc = take_chunk(l, &c, op, err)) < 0)
        return rc;
    if ((c->len = due(l, &at)) == 0)            /* meanwhile it may have become shorter, or another's */
        return mlr_queue_put(l->of->empty, c, op, err);
    c->offset = at;
    n = mlr_reader_read_at(l->reader, at, c->data, c->len, l->op, err);
    if (n < 0)
        mlr_queue_put(l->of->empty, c, NULL, NULL);
    else if (!deliver(l, c->len))
        rc = mlr_queue_put(l->of->empty, c, op, err);
    else
        rc = mlr_queue_put(l->of->full, c, op, err);
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

/* ---- more and fewer ---- */

static int bring_chunks(mlr_fetch_state *f, size_t i)
{
    mlr_line *l = &f->lines[i];

    if (l->room != NULL)
        return 0;
    if (!mlr_runtime_memory_try(f->rt, LINE_BYTES))
        return -1;
    if ((l->room = mlr_alloc(TWIN_BYTES)) == NULL) {
        mlr_runtime_memory_give(f->rt, LINE_BYTES);
        return -1;
    }
    for (size_t k = 0; k < MLR_FETCH_TWIN_CHUNKS; k++) {
        mlr_chunk *c = &f->chunks[MLR_FETCH_CHUNKS + i * MLR_FETCH_TWIN_CHUNKS + k];

        c->data = l->room + k * MLR_CHUNK_BYTES;
        mlr_queue_put(f->empty, c, NULL, NULL);     /* it has room for all that there ever are */
    }
    return 0;
}

static bool add_one(mlr_fetch_state *f)
{
    size_t    i = 1;
    mlr_line *l;

    while (i < MLR_RUNS_MAX && f->lines[i].is_live)
        i++;
    if (i == MLR_RUNS_MAX || !mlr_runtime_connection_spare(f->rt) || bring_chunks(f, i) < 0)
        return false;
    l = &f->lines[i];
    if (mlr_reader_twin(f->reader, &l->reader, NULL) < 0) {
        f->width.most = f->n_live;
        return false;
    }
    if (begin(f, l, run_twin, NULL) == 0)
        return true;
    mlr_reader_free(l->reader);
    l->reader = NULL;
    return false;
}

static double rate_of(const mlr_line *l, uint64_t now_ms)
{
    return (double)l->bytes / (double)(now_ms - l->since_ms + 1);
}

static bool has_run_long(const mlr_line *l, uint64_t now_ms)
{
    return l->is_live && l->run.is_taken && now_ms - l->since_ms >= SLOW_AFTER_MS;
}

/* Half of those that have been through a run were slower than it; 0: too few have. */
static double middle_rate(const mlr_fetch_state *f)
{
    double rates[MLR_RUNS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < MLR_RUNS_MAX; i++)
        if (f->lines[i].usual > 0) {
            size_t k = n++;
            for (; k > 0 && rates[k - 1] > f->lines[i].usual; k--)
                rates[k] = rates[k - 1];
            rates[k] = f->lines[i].usual;
        }
    return n > 0 ? rates[n / 2] : 0;
}

/* What a slow one has left goes to others, and it itself to another connection. */
static void replace_slow(mlr_fetch_state *f)
{
    uint64_t now_ms = mlr_clock_ms();
    double   middle = middle_rate(f);

    for (size_t i = 0; i < MLR_RUNS_MAX && f->n_live > 1; i++) {
        mlr_line *l = &f->lines[i];

        if (!has_run_long(l, now_ms))
            continue;
        if (rate_of(l, now_ms) * SLOW < middle) {
            l->is_stopped = true;
            mlr_slabs_drop(&f->slabs, &l->run);
            mlr_op_cancel(l->op);
        } else if (now_ms - l->since_ms >= 2 * SLOW_AFTER_MS) {
            l->since_ms = now_ms;               /* what it did long ago does not excuse it */
            l->bytes = 0;
        }
    }
}

void mlr_fetch_lines_adjust(mlr_fetch_state *f)
{
    f->seen.ms = mlr_clock_ms();
    mlr_width_look(&f->width, &f->seen);
    while (f->n_live < f->width.n && mlr_slabs_can_help(&f->slabs))
        if (!add_one(f)) {
            mlr_width_limited(&f->width, f->n_live);
            break;
        }
    replace_slow(f);
}

void mlr_fetch_lines_done(mlr_fetch_state *f)
{
    for (size_t i = 0; i < MLR_RUNS_MAX; i++) {
        mlr_line *l = &f->lines[i];

        if (i > 0)
            mlr_reader_free(l->reader);
        if (l->op != NULL)
            mlr_op_end(l->op);
        if (l->room != NULL)
            mlr_runtime_memory_give(f->rt, LINE_BYTES);
        mlr_free(l->room);
    }
}
