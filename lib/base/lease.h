/* base/lease.h - locks made of files, for file systems on which advisory locks lie: good for a while, then renewed. */
#ifndef MLR_BASE_LEASE_H
#define MLR_BASE_LEASE_H
#include <mlreg.h>
#include <stdbool.h>
#include "base/holder.h"

/* The exclusive lease on PATH is the file PATH.lease; shared ones are PATH.lease.shared-NAME, any number of them. Made
 * with O_EXCL, their times renewed by a thread of the holder while it lives. Ages are differences of two times of the
 * file system, so no clocks need to agree. No lease can stop a holder who sleeps longer than it lasts and then goes
 * on: such a one must look (mlr_lease_check) before it does what cannot be undone. */
typedef struct mlr_lease mlr_lease;
typedef struct mlr_lease_times {
    uint64_t stale_ms;      /* a lease older than this is taken over */
    uint64_t renew_ms;      /* a fraction of it */
} mlr_lease_times;
#define MLR_LEASE_TIMES {60000, 15000}

/* One try, without waiting. 1: taken; 0: held by whom `holder` says; or an error. */
int  mlr_lease_try(const char *path, bool exclusive, const mlr_lease_times *times, mlr_lease **out,
                   char holder[MLR_HOLDER_BYTES], mlreg_error **err);
int  mlr_lease_check(mlr_lease *l, mlreg_error **err);   /* renews it. 0; EBUSY if another has taken it over */
void mlr_lease_drop(mlr_lease *l);                       /* NULL is fine */
/* In a forked child: the lease stays its parent's. */
void mlr_lease_forget(mlr_lease *l);
#endif
