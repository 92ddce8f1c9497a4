/* place/width.h - how many connections one blob is worth: more while that moves more bytes, fewer when it no longer does. */
#ifndef MLR_PLACE_WIDTH_H
#define MLR_PLACE_WIDTH_H
#include <stdbool.h>
#include <stdint.h>

/* What has been seen so far, all of it counted from the start. */
typedef struct mlr_seen {
    uint64_t ms;               /* a clock's time */
    uint64_t bytes;            /* that have arrived */
    uint64_t all_bytes;        /* that shall arrive */
    uint64_t held_ms;          /* in which connections waited for our own side: disk and hash */
    uint64_t ask_ms;           /* from a request to its first bytes */
} mlr_seen;

typedef struct mlr_width {
    unsigned n, most;          /* wanted now; ever */
    unsigned before;           /* as the last change left it */
    enum { MLR_WIDTH_FIRST, MLR_WIDTH_GREW, MLR_WIDTH_SHRANK, MLR_WIDTH_SETTLED } state;
    double   rate;             /* bytes per ms before the last change; once settled: the best with this many */
    uint64_t again_ms, wait_ms;/* when it is tried again whether more are better; how long that was put off */
    uint64_t began_ms, answer_ms;       /* what the first answer took */
    unsigned n_low;            /* periods in a row that were far below it */
    mlr_seen from;             /* where the period began that is measured; its ms may lie ahead */
} mlr_width;

void mlr_width_init(mlr_width *w, unsigned most, const mlr_seen *now);
unsigned mlr_width_look(mlr_width *w, const mlr_seen *now);    /* w->n, changed or not */
bool mlr_width_is_dear(const mlr_width *w);                    /* the first answer took so long that one request shall bring much */
void mlr_width_refused(mlr_width *w, unsigned n);              /* the other side gives so many and no more, for a while */
void mlr_width_limited(mlr_width *w, unsigned n);              /* there are no more at this moment */
#endif
