/* base/lock.h - locks that hold between processes and go with the process that held them. */
#ifndef MLR_BASE_LOCK_H
#define MLR_BASE_LOCK_H
#include <mlreg.h>
#include <stdbool.h>
#include "base/op.h"

struct mlr_lease;
typedef struct mlr_lock {
    int  fd;                     /* -1: none */
    int  owner;                  /* the process that took it: a forked child only forgets it */
    bool names_holder;           /* the file says who holds it */
    struct mlr_lease *lease;     /* where advisory locks lie, else NULL */
} mlr_lock;
#define MLR_LOCK_INIT { -1, 0, false, NULL }

/* Waits until it has the lock on `path` (a file, made if missing; or a directory that exists), at most `wait_ms`.
 * 0; EBUSY with a hint that names the holder where known; ECANCELLED; errno's codes. Between threads it excludes as
 * between processes. The holder of an exclusive lock writes itself into the file if that is empty. Where
 * mlr_fs_is_network says so, or the file system has no advisory locks, the lock is a lease file beside `path`
 * (base/lease.h), renewed while held and taken over when 60 s stale. */
int  mlr_lock_take(mlr_lock *l, const char *path, bool exclusive, uint64_t wait_ms, mlr_op *op, mlreg_error **err);
/* Before what cannot be undone: 0 if the lock is still held; EBUSY if it was a lease that another has taken over. */
int  mlr_lock_check(mlr_lock *l, mlreg_error **err);
/* An open folder's own lock, exclusive, for as long as it is open, without a wait: 1; 0: somebody else has it, or there are no locks
 * here. It moves with the folder when that is renamed. `path` is for messages. */
int  mlr_lock_try_dir(int fd, const char *path, mlreg_error **err);
void mlr_lock_drop(mlr_lock *l);              /* not held is fine */
/* One byte of a file that is open for writing, against other processes and other openings of it, without a wait. false: held. Where there
 * are no such locks each has what it asks for: this saves work, and guards nothing. */
bool mlr_lock_try_byte(int fd, uint64_t at);
void mlr_lock_drop_byte(int fd, uint64_t at);
#endif
