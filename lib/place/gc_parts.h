/* place/gc_parts.h - what the files of the room gc share: one sweep over a place. */
#ifndef MLR_PLACE_GC_PARTS_H
#define MLR_PLACE_GC_PARTS_H
#include "place/digestmap.h"
#include "place/disk.h"

#define MLR_GC_PARTIAL_MS (24u * 60 * 60 * 1000) /* nothing is received for a day without being written to */

/* A file that goes. */
typedef struct mlr_victim {
    char    *name;    /* from the root of the place */
    bool     is_last; /* no other name keeps its content: it counts */
    uint64_t bytes;
} mlr_victim;

typedef struct mlr_sweep {
    const mlr_disk *disk;
    mlr_op         *op;
    uint64_t        grace_ms;
    int64_t         now_ms;
    mlr_digestmap   held;     /* in flight, in any process */
    mlr_digestmap   named;    /* by a manifest of any repository */
    mlr_digestmap   unlinked; /* how many links to a file of the pool are among the victims */
    mlr_victim     *victims;
    size_t          n, cap;
} mlr_sweep;

/* Neither made, written nor linked for more than `ms`; of 0 everything is. */
bool mlr_gc_is_older(const struct stat *st, int64_t now_ms, uint64_t ms);
/* Reads every manifest, and notes which are named and which files go: blobs, and what killed processes left of them. Removes nothing. */
int  mlr_gc_choose(mlr_sweep *s, mlreg_error **err);
#endif
