/* base/fs_sync.c - many files made durable by few calls. */
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/fs_call.h"

#define ONE_BY_ONE 4             /* so few are synced sooner than a whole file system */

/* Before Linux 5.8 syncfs said 0 whatever became of the bytes. */
static bool syncfs_tells(void)
{
    struct utsname u;
    unsigned       major = 0, minor = 0;

    return uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2 && (major > 5 || (major == 5 && minor >= 8));
}

static int sync_each(const int fds[], const char *const names[], size_t n, mlreg_error **err)
{
    int errnum;

    for (size_t i = 0; i < n; i++) {
        MLR_FS_TRY(errnum, MLR_FS_SYNC, names[i], fsync(fds[i]));
        if (errnum != 0)
            return mlr_fs_failed(err, errnum, "sync", names[i]);
    }
    return 0;
}

int mlr_fs_sync_many(int dir, const int fds[], const char *const names[], size_t n, mlreg_error **err)
{
    int errnum;

    if (n <= ONE_BY_ONE || !syncfs_tells())
        return sync_each(fds, names, n, err);
    MLR_FS_TRY(errnum, MLR_FS_SYNC, names[0], syncfs(dir));
    return errnum != 0 ? mlr_fs_failed(err, errnum, "sync", names[0]) : 0;
}
