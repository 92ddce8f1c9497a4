/* place/fetch_parts.h - what the files of the room fetch share: one blob on its way into its file. */
#ifndef MLR_PLACE_FETCH_PARTS_H
#define MLR_PLACE_FETCH_PARTS_H
#include "base/work.h"
#include "place/fetch.h"
#include "place/slabs.h"
#include "place/width.h"

#define MLR_FETCH_CHUNKS    8             /* of the first connection: how far ahead of disk and hash it may be */

typedef struct mlr_chunk {
    uint64_t offset;
    size_t   len;
    uint8_t *data;
    struct mlr_chunk *next;               /* in turn to be hashed */
} mlr_chunk;

/* One connection. */
typedef struct mlr_line {
    struct mlr_fetch *of;
    mlr_reader *reader;
    mlr_op     *op;                       /* of its own, so that it alone can be stopped */
    mlr_run     run;
    uint64_t    bytes, since_ms;          /* moved since then, for its rate */
    double      usual;                    /* bytes per ms of its last whole run; 0: none yet */
    bool        is_live;                  /* on a thread */
    bool        is_stopped;               /* its run was taken away: what it reads on is nobody's */
} mlr_line;

typedef struct mlr_fetch {
    mlr_runtime *rt;
    mlr_reader  *reader;
    int          fd;
    const char  *name;                    /* of the file, for messages */
    struct mlr_partial *partial;          /* may be NULL */
    mlr_op      *op;                      /* below the caller's: the first failure cancels it */
    mlr_queue   *empty, *full;            /* chunks to be filled, to be put */
    mlr_group   *lines_group, *workers;
    pthread_mutex_t lock;                 /* guards all below */
    pthread_cond_t  changed;              /* to workers and connections */
    pthread_cond_t  nearer;               /* to connections that are far ahead: a slab is hashed, or noted */
    pthread_cond_t  news;                 /* to the one that watches: a slab is noted, it is over */
    mlr_slabs    slabs;
    uint64_t    *sums;                    /* of each slab as far as it is there, for the journal */
    uint32_t    *begun;                   /* slabs of which something is there, and which the journal does not have whole */
    size_t       n_begun;
    uint64_t     noted, synced;           /* bytes of those received that the journal has; and that are on the disk */
    bool         is_noting;               /* one thread at a time */
    mlr_chunk   *first, *last;            /* in turn */
    uint64_t     handed, hashed;          /* all below is on its way to be hashed; is hashed */
    mlr_sha256   hash, midstate;          /* now; at the last end of a slab */
    mlr_line     lines[MLR_RUNS_MAX];     /* the first is the one that does not give up */
    unsigned     n_live;
    mlr_width    width;
    mlr_seen     seen;
    double       line_rate;               /* bytes per ms of one connection, roughly */
    bool         is_done;
    int          rc;                      /* the first failure */
    mlreg_error *err;
    mlr_chunk    chunks[MLR_FETCH_CHUNKS + MLR_RUNS_MAX];   /* those without data are not there */
    unsigned     n_brought;               /* by connections */
} mlr_fetch_state;

/* fetch.c: keeps the first failure and stops everything else. */
void mlr_fetch_fail(mlr_fetch_state *f, int rc, mlreg_error **err);

/* fetch_lines.c */
int  mlr_fetch_lines_begin(mlr_fetch_state *f, mlreg_error **err);   /* the first */
int  mlr_fetch_lines_twin(mlr_fetch_state *f, mlr_line *l, mlreg_error **err);      /* another, with its reader; with the lock */

/* fetch_journal.c. The first two with the lock, which they let go of if they give 1; 0: there was nothing to do. */
int  mlr_fetch_note(mlr_fetch_state *f, bool all, mlreg_error **err);        /* what is new and worth it, or all */
int  mlr_fetch_sync(mlr_fetch_state *f, mlreg_error **err);                  /* a slab or more of what is noted; waits for the disk */
int  mlr_fetch_await_journal(mlr_line *l, mlr_op *op, mlreg_error **err);    /* until one more chunk is not too far ahead of it */

/* fetch_width.c */
int  mlr_fetch_chunk_more(mlr_fetch_state *f, mlreg_error **err);
void mlr_fetch_chunk_less(mlr_fetch_state *f);                       /* for one that a connection brought along; waits for it */
void mlr_fetch_width_adjust(mlr_fetch_state *f);                     /* now and then, with the lock: more, fewer, one replaced */
void mlr_fetch_width_done(mlr_fetch_state *f);                       /* none runs any more */

/* fetch_flow.c: the two workers. */
int  mlr_fetch_put(void *fetch, mlr_op *op, mlreg_error **err);
int  mlr_fetch_hash(void *fetch, mlr_op *op, mlreg_error **err);
#endif
