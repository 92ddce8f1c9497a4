/* model/copy.h - an artifact and all it names from one place to another: the one verb behind pull, push, promote and export. */
#ifndef MLR_MODEL_COPY_H
#define MLR_MODEL_COPY_H
#include "place/place.h"

typedef struct mlr_copy {
    mlr_tag_rule rule;
    bool referrers;
    bool foreign;                    /* layers that are not to be distributed come along */
    bool all;                        /* an index that is here in part is refused */
    const struct mlr_wish *wish;     /* of an index the entry that fits it; NULL: all */
} mlr_copy;
/* As mlreg_copy promises. `as` may have no tag and no digest: then r's own. *out (may be NULL): the manifest as it is in `to`. */
int mlr_copy_run(mlr_place *from, const mlr_ref *r, mlr_place *to, const mlr_ref *as, const mlr_copy *o, mlr_op *op, mlr_manifest **out, mlreg_error **err);
#endif
