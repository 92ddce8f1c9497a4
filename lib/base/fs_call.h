/* base/fs_call.h - one system call on files: through the seam, and again where a signal interrupted it. */
#ifndef MLR_BASE_FS_CALL_H
#define MLR_BASE_FS_CALL_H
#include <errno.h>
#include "base/fs.h"

/* Leaves 0 or an errno in `errnum`. `expression` is negative on failure; it may run more than once. */
#define MLR_FS_TRY(errnum, call, name, expression)                                                                    \
    do {                                                                                                              \
        (errnum) = mlr_fs_fault((call), (name));                                                                      \
        if ((errnum) == 0 && (expression) < 0)                                                                        \
            (errnum) = errno;                                                                                         \
    } while ((errnum) == EINTR)

/* "cannot VERB PATH: <errno>", with the path as subject. */
int mlr_fs_failed(mlreg_error **err, int errnum, const char *verb, const char *path);
/* fsync where the directory itself is known by descriptor. `name` is for messages. */
int mlr_fs_sync_dir_fd(int dir_fd, const char *name, mlreg_error **err);
#endif
