/* place/slabs.h - a blob in slabs: which are there, and who fetches which next. Bookkeeping alone: no threads, no bytes. */
#ifndef MLR_PLACE_SLABS_H
#define MLR_PLACE_SLABS_H
#include <mlreg.h>
#include <stdbool.h>
#include <stddef.h>

#define MLR_SLAB_BYTES  ((uint64_t)8 << 20)
#define MLR_CHUNK_BYTES ((size_t)256 << 10)     /* what is read, put and hashed at once; no chunk lies in two slabs */
#define MLR_RUNS_MAX    32

/* What one connection is at: bytes [at, end) are its own to fetch. The end may come nearer while it works. */
typedef struct mlr_run { uint64_t at, end; bool is_taken; } mlr_run;

typedef struct mlr_slabs {
    uint64_t bytes;
    size_t   n;
    size_t   n_whole;             /* that are there to the last byte */
    size_t   low;                 /* below it nothing is free */
    struct mlr_slab { uint32_t received, there; bool is_taken; } *slabs;   /* bytes from its start: on their way or there; there */
    mlr_run *runs[MLR_RUNS_MAX];  /* that are taken */
    size_t   n_runs;
} mlr_slabs;

int  mlr_slabs_init(mlr_slabs *s, uint64_t bytes, mlreg_error **err);
void mlr_slabs_done(mlr_slabs *s);
size_t mlr_slabs_length(const mlr_slabs *s, size_t i);        /* of the i-th, in bytes */
void mlr_slabs_have(mlr_slabs *s, size_t i, uint32_t there);  /* so much of it is there already; before any run */
/* The lowest slabs that are free, at most `most` in a row. Where none is, part of the longest run is taken from whoever has it.
 * False: nobody can be helped. */
bool mlr_slabs_take(mlr_slabs *s, mlr_run *r, size_t most);
size_t mlr_slabs_lowest(mlr_slabs *s);                        /* that is free; n: none is */
bool mlr_slabs_can_help(mlr_slabs *s);                        /* one more could be given a run */
size_t mlr_slabs_next(const mlr_slabs *s, const mlr_run *r);  /* the length of its next chunk; 0: the run is over, or is no longer its own */
void mlr_slabs_advance(mlr_slabs *s, mlr_run *r, size_t len); /* that chunk has been received, and is going to be put */
void mlr_slabs_drop(mlr_slabs *s, mlr_run *r);                /* what it had left is free for others; not taken is fine */
void mlr_slabs_put(mlr_slabs *s, uint64_t offset, size_t len);/* a chunk that was received is there */
uint64_t mlr_slabs_there(const mlr_slabs *s, uint64_t offset);/* how many bytes are there from `offset` to the end of its slab, in one piece */
#endif
