/* model/build_index_parts.h - what the files of the room build_index share: the entries of an index in the making. */
#ifndef MLR_MODEL_BUILD_INDEX_PARTS_H
#define MLR_MODEL_BUILD_INDEX_PARTS_H
#include "model/build_parts.h"

typedef struct mlr_build_child {
    mlr_place *from; char *repo;     /* where it is now; the place is its caller's to keep open */
    mlr_descriptor entry;
    mlr_descriptor config;           /* that tells its platform; no media type: nothing to be asked */
    bool is_kept;                    /* stood in the index that this one began with */
    bool is_plain;
} mlr_build_child;
struct mlr_build_index {
    mlr_build_child *children; size_t n, cap;
    char *base; size_t base_bytes;   /* the index it began with, for members that are not ours; NULL: none */
    mlr_digest base_digest;
    char *base_absent;               /* what that one lacks */
};

int mlr_build_refuse_itself(const mlr_digest *d, mlreg_error **err);   /* an index that becomes an entry of itself */
#endif
