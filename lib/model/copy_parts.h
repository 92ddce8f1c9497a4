/* model/copy_parts.h - what the files of the room copy share: one copy under way. */
#ifndef MLR_MODEL_COPY_PARTS_H
#define MLR_MODEL_COPY_PARTS_H
#include <stdatomic.h>
#include "model/copy.h"
#include "model/wide.h"
#include "place/digestmap.h"

struct mlr_copying;
typedef struct mlr_copy_blob {
    struct mlr_copying *copy;
    mlr_blob from, to;              /* the same content under both repositories' names */
    const mlr_descriptor *foreign;  /* of a layer that is not to be distributed; else NULL */
    char *name;                     /* for messages: the file, else the digest */
} mlr_copy_blob;
typedef struct mlr_copying {
    mlr_place *from, *to;
    const char *from_repo, *to_repo;
    const mlr_copy *how;
    mlr_manifest **manifests;       /* children stand before the index that names them */
    size_t n_manifests, cap_manifests;
    uint64_t manifest_bytes;        /* of all that were read */
    mlr_digestmap seen;             /* of these */
    mlr_digestmap path;             /* of an index only what is in it comes along; empty: everything */
    mlr_manifest *chosen;           /* the end of that path; NULL once it is among the manifests */
    mlr_buf absent;                 /* what does not, and is not there either */
    mlr_copy_blob *blobs;
    size_t n_blobs, cap_blobs;
    mlr_wide *wide;                 /* while blobs move */
    atomic_size_t n_small;          /* of those that have not come yet */
} mlr_copying;

/* Whether it stays where its manifest says that it is. */
static inline bool mlr_copy_is_left(const mlr_copy_blob *b)
{
    return b->foreign != NULL && !b->copy->how->foreign;
}

/* Notes `m`, which it takes over on failure too, with all that is reached from it. Its children come first in the list, what refers to it
 * behind it. */
int mlr_copy_add_tree(mlr_copying *c, mlr_manifest *m, unsigned depth, mlr_op *op, mlreg_error **err);
/* All blobs that were noted, each once. What came stays, also if others did not. */
int mlr_copy_move_blobs(mlr_copying *c, mlr_op *op, mlreg_error **err);
#endif
