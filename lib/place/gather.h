/* place/gather.h - small blobs on a place's disk: synced and published many at a time, for a sync of each would take longer than all else. */
#ifndef MLR_PLACE_GATHER_H
#define MLR_PLACE_GATHER_H
#include "base/fs.h"
#include "base/op.h"
#include "codec/digest.h"

#define MLR_GATHER_MOST_BYTES ((uint64_t)1 << 20)    /* of one */
struct mlr_disk;

typedef struct mlr_gather mlr_gather;                /* of one open place; any thread */
int  mlr_gather_new(struct mlr_disk *disk, mlr_gather **out, mlreg_error **err);
void mlr_gather_free(mlr_gather *g);                 /* what was not published is gone; NULL is fine */
/* Between begin and end, blobs may wait. Nested and side by side: whoever ends publishes all that waits, also others', and waits for what
 * others are publishing. Whoever is cancelled leaves it to them. */
int  mlr_gather_begin(mlr_gather *g, mlreg_error **err);
int  mlr_gather_end(mlr_gather *g, mlr_op *op, mlreg_error **err);
bool mlr_gather_wants(mlr_gather *g, uint64_t bytes);
/* All that waits, now. NULL is fine. */
int  mlr_gather_flush(mlr_gather *g, mlr_op *op, mlreg_error **err);
/* A file that was received and checked; *t is empty then. May publish all that waits. Gives back the claim on it, once it is published or
 * given up. */
int  mlr_gather_add(mlr_gather *g, const char *repo, const mlr_digest *d, uint64_t bytes, mlr_temp *t, mlr_op *op, mlreg_error **err);
#endif
