/* base/lock.h - locks that hold between processes and go with the process that held them. */
#ifndef MLR_BASE_LOCK_H
#define MLR_BASE_LOCK_H
#include <mlreg.h>
#include <stdbool.h>
#include "base/op.h"

typedef struct mlr_lock { int fd; char *lease; /* path of the lease file where advisory locks lie, else NULL */ } mlr_lock;
#define MLR_LOCK_INIT { -1, NULL }

/* Waits until it has the lock on `path` (a file, made if missing; or a directory that exists), at most `wait_ms`.
 * 0; EBUSY with a hint that names the holder where known; ECANCELLED; errno's codes. Between threads it excludes as
 * between processes. Where mlr_fs_is_network says so, exclusive locks are a lease file `path`.lease made with O_EXCL,
 * renewed while held and taken over when 60 s stale. */
int  mlr_lock_take(mlr_lock *l, const char *path, bool exclusive, uint64_t wait_ms, mlr_op *op, mlreg_error **err);
void mlr_lock_drop(mlr_lock *l);              /* not held is fine */
#endif
