/* bed/fs_fault.h - makes the n-th file call fail, once or from then on; any thread. */
#ifndef MLR_BED_FS_FAULT_H
#define MLR_BED_FS_FAULT_H
#include <stdatomic.h>
#include "base/fs.h"

static struct {
    atomic_int calls, fired;
    int        nth, for_good, errnum;
    int        only;            /* a mlr_fs_call, or -1: any */
    char       last_name[256];  /* of the last call that failed; for single-threaded tests */
    mlr_fs_call last_call;
} fs_fault;

static inline int fs_fault_hook(mlr_fs_call call, const char *name, void *user)
{
    int n;

    (void)user;
    if (fs_fault.only >= 0 && call != (mlr_fs_call)fs_fault.only)
        return 0;
    n = atomic_fetch_add(&fs_fault.calls, 1) + 1;
    if (n != fs_fault.nth && !(fs_fault.for_good && n > fs_fault.nth))
        return 0;
    if (atomic_fetch_add(&fs_fault.fired, 1) == 0) {
        size_t len = strlen(name);

        fs_fault.last_call = call;
        len = len < sizeof fs_fault.last_name - 1 ? len : sizeof fs_fault.last_name - 1;
        memcpy(fs_fault.last_name, name, len);
        fs_fault.last_name[len] = '\0';
    }
    return fs_fault.errnum;
}

/* `nth` counts from 1, over the calls of the kind `only` (-1: of every kind). */
static inline void fs_fault_arm_only(int only, int nth, int for_good, int errnum)
{
    atomic_store(&fs_fault.calls, 0);
    atomic_store(&fs_fault.fired, 0);
    fs_fault.nth = nth;
    fs_fault.for_good = for_good;
    fs_fault.errnum = errnum;
    fs_fault.only = only;
    mlr_fs_use(fs_fault_hook, NULL);
}

static inline void fs_fault_arm(int nth, int for_good, int errnum)
{
    fs_fault_arm_only(-1, nth, for_good, errnum);
}

/* How many calls failed. */
static inline int fs_fault_disarm(void)
{
    mlr_fs_use(NULL, NULL);
    return atomic_load(&fs_fault.fired);
}
#endif
