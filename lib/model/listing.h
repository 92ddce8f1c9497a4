/* model/listing.h - what a layer holds, by names and kinds alone: read out of it once, and remembered. */
#ifndef MLR_MODEL_LISTING_H
#define MLR_MODEL_LISTING_H
#include "model/rootfs_parts.h"
#include "place/place.h"

/* Entries in the order of the layer, whiteouts among them; each is the kind, what its name has in common with the one before it, the rest of the name, and where a
 * link leads. */
typedef struct mlr_listing { mlr_buf bytes; bool known; } mlr_listing;
void mlr_listing_done(mlr_listing *l);

/* Of a layer whose plain tar is `diff_id`: as remembered, else out of the layer, if `p` has it on this machine. What cannot be had without a network, or is
 * no sound tar of that digest, stays unknown: 0. ECANCELLED, ENOMEM. */
int mlr_listing_read(mlr_listing *l, mlr_place *p, const mlr_blob *b, const mlr_digest *diff_id, mlr_op *op, mlreg_error **err);

/* All of it, one by one. `name`: empty before the first; then the last one. 1; 0 at the end, or where nothing more makes sense. */
typedef struct mlr_listing_at { size_t next; mlr_rootfs_name name; mlr_member_kind kind; const char *link; } mlr_listing_at;   /* all zero: before the first */
int mlr_listing_next(const mlr_listing *l, mlr_listing_at *at);
#endif
