/* place/walk.h - what an index names, found by reading: manifests, their configs and layers, indexes within indexes. */
#ifndef MLR_PLACE_WALK_H
#define MLR_PLACE_WALK_H
#include "place/index.h"

#define MLR_WALK_MAX_DEPTH 8               /* indexes within indexes */

/* Brings the bytes behind a descriptor, with size and digest checked; ENOTFOUND, EDIGEST, … */
typedef int (*mlr_walk_fetch)(void *user, const mlr_descriptor *d, mlr_op *op, mlr_buf *out, mlreg_error **err);
typedef struct mlr_walk {
    mlr_walk_fetch fetch;
    void *fetch_user;
    /* Once for each place where something is named. `by`: the manifest that names it; NULL: the index itself. 0; 1: enough, the walk ends with 1; or a failure. */
    int (*named)(void *user, const mlr_descriptor *d, const mlr_manifest *by, mlreg_error **err);
    /* A manifest that cannot be read, with the reason, which stays the walk's. As named. NULL: passed over. */
    int (*broken)(void *user, const mlr_descriptor *d, const mlr_manifest *by, const mlreg_error *why, mlreg_error **err);
    void *user;
    bool  indexes_only;                    /* reads no manifest but indexes */
} mlr_walk;
/* Each manifest is read once, however often it is named, by the same type and size.
 * Of entries whose type is unknown, the digests that stand in their text count as named. */
int mlr_walk_index(const mlr_walk *w, const mlr_index *x, mlr_op *op, mlreg_error **err);
#endif
