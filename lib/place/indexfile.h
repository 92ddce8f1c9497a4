/* place/indexfile.h - index.json and oci-layout of one repository on disk: read while others write, changed by one writer at a time. */
#ifndef MLR_PLACE_INDEXFILE_H
#define MLR_PLACE_INDEXFILE_H
#include "base/lock.h"
#include "place/folder.h"
#include "place/index.h"

#define MLR_INDEXFILE     "index.json"
#define MLR_LAYOUTFILE    "oci-layout"
#define MLR_LAYOUTFILE_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}"

typedef struct mlr_indexfile {
    const mlr_folder *at;          /* the layout */
    const mlr_folder *copy;        /* where a copy of the last index that we wrote is kept, as index.json too; NULL: none is */
} mlr_indexfile;

/* ENOTFOUND where no layout is; ENOTSUP for a layout version that is not 1; EPROTO for a file that stays broken, with a hint.
 * Other tools rewrite the file in place, so one that is broken is read again for a moment. */
int mlr_indexfile_read(const mlr_indexfile *f, mlr_op *op, mlr_index **out, mlreg_error **err);
int mlr_indexfile_check_layout(const mlr_indexfile *f, mlreg_error **err);

/* Changes `x`: 1 to have it written, 0 to leave the file alone, or a failure. Whatever the new index names is durable when it returns. */
typedef int (*mlr_indexfile_edit)(void *user, mlr_index *x, mlr_op *op, mlreg_error **err);
/* Every writer comes through here: locks the directory, reads, edits, writes durably, unlocks. create: a layout that is not there begins
 * with an empty index, in a directory that is. EBUSY after a minute. */
int mlr_indexfile_change(const mlr_indexfile *f, bool create, mlr_indexfile_edit edit, void *user, mlr_op *op, mlreg_error **err);

/* For fsck, under the lock that it gives. */
int mlr_indexfile_lock(const mlr_indexfile *f, mlr_op *op, mlr_lock *lock, mlreg_error **err);
int mlr_indexfile_write_layout(const mlr_indexfile *f, mlreg_error **err);
bool mlr_indexfile_has_copy(const mlr_indexfile *f);
int mlr_indexfile_restore(const mlr_indexfile *f, mlreg_error **err);      /* the copy becomes index.json; ENOTFOUND: there is none that can be read */
#endif
