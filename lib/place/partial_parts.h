/* place/partial_parts.h - what the files of the room partial share: a blob in the making, and how its files are called. */
#ifndef MLR_PLACE_PARTIAL_PARTS_H
#define MLR_PLACE_PARTIAL_PARTS_H
#include "base/lock.h"
#include "codec/sha256.h"
#include "place/partial.h"

#define MLR_PARTIAL_LOCK_EXT    ".lock"
#define MLR_PARTIAL_JOURNAL_EXT ".journal"
#define MLR_PARTIAL_NEW_EXT     ".new"       /* behind a journal's name: the one that takes its place */

struct mlr_partial {
    char      *dir, *path, *journal_path, *lock_path;
    const char *shown;            /* for messages; NULL: path */
    mlr_lock   lock;
    mlr_digest digest;
    uint64_t   bytes;
    size_t     n;                 /* slabs */
    uint64_t  *sums;
    uint32_t  *there;
    bool       any;               /* there is something worth keeping; or, before all is recalled, there may be … */
    bool       is_lost;           /* … or was: the disk did not take it */
    bool       is_recalled;       /* the journal is this one's; until then it is as the last left it */
    int        fd, journal;
    uint64_t   end;               /* of the journal */
    mlr_sha256 midstate;
};

/* As mlr_partial_lock, for `wait_ms` at most: then EBUSY. */
int  mlr_partial_lock_within(const char *dir, const mlr_digest *d, uint64_t bytes, uint64_t wait_ms, mlr_op *op, mlr_partial **out, mlreg_error **err);
/* With both files open and `st` of the one with the bytes as it was found: fills in what can be gone on with, and begins a journal of that. */
int  mlr_partial_recall(mlr_partial *p, const struct stat *st, mlr_op *op, mlreg_error **err);
#endif
