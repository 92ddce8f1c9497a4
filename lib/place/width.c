/* place/width.c - how many connections one blob is worth. */
#include "place/width.h"

#define PERIOD_MS   100        /* measured at least; … */
#define PERIOD_ASKS 3          /* … so many times what a request takes; … */
#define PERIOD_BYTES ((uint64_t)1 << 20)   /* … and until so many came over each: servers and buffers give by bursts */
#define PERIOD_MAX_MS 1000
#define AGAIN_MS    1500       /* lines change, and one measurement may be wrong: tried again, and put off twice as long each time */
#define REFUSED_MS  10000      /* likewise where the other side said no */
#define SETTLE_MS   50         /* before a change shows, and the time of two requests */
#define GROWTH      4
#define WORTH       1.15       /* by what the rate must rise for more connections to be kept */
#define HELD_SHARE  0.1        /* of the time held up by ourselves: the line is not what is slow */
#define FALLEN      0.6
#define N_FALLEN    3
#define SLOW_ANSWER_MS 1000    /* what reads all of a blob before it answers, or has to fetch it from elsewhere; … */
#define WORTH_ASKING 2         /* … it is asked again only if what is left takes so many times as long */

static void measure_from(mlr_width *w, const mlr_seen *now, uint64_t pause_ms)
{
    w->from = *now;
    w->from.ms += pause_ms;
}

static void change(mlr_width *w, unsigned n, int state, double rate, const mlr_seen *now)
{
    w->before = w->n;
    w->n = n;
    w->state = state;
    w->rate = rate;
    w->n_low = 0;
    measure_from(w, now, SETTLE_MS + 2 * now->ask_ms);
}

static void put_off(mlr_width *w, uint64_t least_ms, uint64_t now_ms)
{
    w->wait_ms = 2 * w->wait_ms > least_ms ? 2 * w->wait_ms : least_ms;
    w->again_ms = now_ms + w->wait_ms;
}

static void settle(mlr_width *w, double rate)
{
    w->state = MLR_WIDTH_SETTLED;
    w->rate = rate;
    w->n_low = 0;
}

bool mlr_width_is_dear(const mlr_width *w)
{
    return w->answer_ms >= SLOW_ANSWER_MS;
}

static bool may_grow(const mlr_width *w, double rate, const mlr_seen *now)
{
    return w->n < w->most && (!mlr_width_is_dear(w) || (double)(now->all_bytes - now->bytes) > rate * (double)(w->answer_ms * WORTH_ASKING));
}

static unsigned grown(const mlr_width *w)
{
    return w->n * GROWTH < w->most ? w->n * GROWTH : w->most;
}

void mlr_width_init(mlr_width *w, unsigned most, const mlr_seen *now)
{
    *w = (mlr_width){ .n = 1, .most = most, .before = 1, .began_ms = now->ms, .from = *now };
}

void mlr_width_refused(mlr_width *w, unsigned n)
{
    w->n = n > 0 ? n : 1;
    if (w->from.ms >= w->again_ms)         /* several that are refused at once are one answer */
        put_off(w, REFUSED_MS, w->from.ms);
    settle(w, 0);
}

void mlr_width_limited(mlr_width *w, unsigned n)
{
    w->n = n > 0 ? n : 1;
    w->state = MLR_WIDTH_FIRST;
}

/* Settled: better than ever raises the mark; far below it for a while, half of the connections may do as well. */
static void watch(mlr_width *w, double rate, const mlr_seen *now)
{
    if (rate > w->rate)
        w->rate = rate;
    w->n_low = rate < w->rate * FALLEN ? w->n_low + 1 : 0;
    if (w->n_low == N_FALLEN && w->n > 1)
        change(w, w->n / 2, MLR_WIDTH_SHRANK, rate, now);
    else if (w->n_low == N_FALLEN)
        settle(w, rate);
    else if (w->again_ms > 0 && now->ms >= w->again_ms && may_grow(w, rate, now))
        change(w, grown(w), MLR_WIDTH_GREW, rate, now);
}

static void judge(mlr_width *w, double rate, const mlr_seen *now)
{
    bool is_better = rate > w->rate * WORTH;

    switch (w->state) {
    case MLR_WIDTH_GREW:
        if (!is_better) {
            change(w, w->before, MLR_WIDTH_SETTLED, w->rate, now);
            put_off(w, AGAIN_MS, now->ms);
            break;
        }
        /* fall through */
    case MLR_WIDTH_FIRST:
        if (may_grow(w, rate, now)) {
            change(w, grown(w), MLR_WIDTH_GREW, rate, now);
            break;
        }
        settle(w, rate);
        if (w->n < w->most)
            put_off(w, AGAIN_MS, now->ms);
        break;
    case MLR_WIDTH_SHRANK:
        if (rate * WORTH < w->rate)
            change(w, w->before, MLR_WIDTH_SETTLED, w->rate, now);
        else
            settle(w, rate);
        break;
    case MLR_WIDTH_SETTLED:
    default:
        watch(w, rate, now);
    }
}

/* For the first answer; where that is slow, what comes after it is measured by itself. */
static unsigned waits(mlr_width *w, const mlr_seen *now)
{
    w->answer_ms = now->ms - w->began_ms;
    if (mlr_width_is_dear(w))
        measure_from(w, now, 0);
    return w->n;
}

unsigned mlr_width_look(mlr_width *w, const mlr_seen *now)
{
    uint64_t period_ms = now->ask_ms * PERIOD_ASKS > PERIOD_MS ? now->ask_ms * PERIOD_ASKS : PERIOD_MS, spent_ms;

    if (now->ms < w->from.ms) {                  /* a change has not shown yet: bytes count from when it has */
        measure_from(w, now, w->from.ms - now->ms);
        return w->n;
    }
    if (now->bytes == 0)                         /* asking more often one that has not answered at all would not help */
        return waits(w, now);
    spent_ms = now->ms - w->from.ms;
    if (spent_ms < period_ms || (spent_ms < PERIOD_MAX_MS && now->bytes - w->from.bytes < w->n * PERIOD_BYTES))
        return w->n;
    if ((double)(now->held_ms - w->from.held_ms) < HELD_SHARE * (double)spent_ms * w->n)
        judge(w, (double)(now->bytes - w->from.bytes) / (double)spent_ms, now);
    if (w->from.ms <= now->ms)
        measure_from(w, now, 0);
    return w->n;
}
