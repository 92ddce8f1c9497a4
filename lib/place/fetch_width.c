/* place/fetch_width.c - how many connections a blob has: more, fewer, a slow one replaced; and the chunks that they bring along. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "place/fetch_parts.h"

#define LINE_BYTES     (2 * MLR_CHUNK_BYTES + (128u << 10))      /* its chunk, the transport's buffer, thread and socket */
#define SLOW           4                        /* times slower than the middle one: replaced */
#define SLOW_AFTER_MS  1000

/* ---- chunks ---- */

int mlr_fetch_chunk_more(mlr_fetch_state *f, mlreg_error **err)
{
    mlr_chunk *c = f->chunks;

    while (c->data != NULL)
        c++;
    if ((c->data = mlr_alloc(MLR_CHUNK_BYTES)) == NULL)
        return mlr_error_nomem(err);
    return mlr_queue_put(f->empty, c, NULL, err);       /* it has room for all that there ever are */
}

/* Any one: all of them come by here. */
void mlr_fetch_chunk_less(mlr_fetch_state *f)
{
    void *c;

    if (mlr_queue_take(f->empty, &c, f->op, NULL) < 0)
        return;
    pthread_mutex_lock(&f->lock);
    mlr_free(((mlr_chunk *)c)->data);
    ((mlr_chunk *)c)->data = NULL;
    mlr_runtime_memory_give(f->rt, LINE_BYTES);
    f->n_brought--;
    pthread_mutex_unlock(&f->lock);
}

/* One for each connection beyond the first; it may be there from one that could not begin. */
static bool bring_chunk(mlr_fetch_state *f)
{
    if (f->n_brought >= f->n_live)
        return true;
    if (!mlr_runtime_memory_try(f->rt, LINE_BYTES))
        return false;
    if (mlr_fetch_chunk_more(f, NULL) < 0) {
        mlr_runtime_memory_give(f->rt, LINE_BYTES);
        return false;
    }
    f->n_brought++;
    return true;
}

/* ---- connections ---- */

static bool add_one(mlr_fetch_state *f)
{
    size_t    i = 1;
    mlr_line *l;

    while (i < MLR_RUNS_MAX && f->lines[i].is_live)
        i++;
    if (i == MLR_RUNS_MAX || !mlr_runtime_connection_spare(f->rt) || !bring_chunk(f))
        return false;
    l = &f->lines[i];
    if (mlr_reader_twin(f->reader, &l->reader, NULL) < 0) {
        f->width.most = f->n_live;
        return false;
    }
    if (mlr_fetch_lines_twin(f, l, NULL) == 0)
        return true;
    mlr_reader_free(l->reader);
    l->reader = NULL;
    return false;
}

static double rate_of(const mlr_line *l, uint64_t now_ms)
{
    return (double)l->bytes / (double)(now_ms - l->since_ms + 1);
}

/* What has brought nothing may still wait for its answer: whoever asked anew would begin to wait anew. */
static bool has_run_long(const mlr_fetch_state *f, const mlr_line *l, uint64_t now_ms)
{
    uint64_t patience_ms = SLOW_AFTER_MS + (l->bytes == 0 ? SLOW * f->width.answer_ms : 0);

    return l->is_live && l->run.is_taken && now_ms - l->since_ms >= patience_ms;
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

        if (!has_run_long(f, l, now_ms))
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

void mlr_fetch_width_adjust(mlr_fetch_state *f)
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

void mlr_fetch_width_done(mlr_fetch_state *f)
{
    for (size_t i = 0; i < MLR_RUNS_MAX; i++) {
        mlr_line *l = &f->lines[i];

        if (i > 0)
            mlr_reader_free(l->reader);
        if (l->op != NULL)
            mlr_op_end(l->op);
    }
    for (size_t i = 0; i < sizeof f->chunks / sizeof f->chunks[0]; i++)
        mlr_free(f->chunks[i].data);
    mlr_runtime_memory_give(f->rt, f->n_brought * (uint64_t)LINE_BYTES);
}
