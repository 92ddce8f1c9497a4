/* base/fs_hint.c - telling the system what is coming: space that will be needed, bytes that should be on their way. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/fs.h"
#include "base/fs_call.h"

int mlr_fs_reserve(int fd, uint64_t bytes, const char *name, mlreg_error **err)
{
    char what[64];
    int errnum;

    if (bytes == 0)
        return 0;
    MLR_FS_TRY(errnum, MLR_FS_WRITE, name, fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)bytes));
    if (errnum == 0 || errnum == EOPNOTSUPP || errnum == ENOSYS)
        return 0;
    snprintf(what, sizeof what, "make room for %" PRIu64 " bytes in", bytes);
    return mlr_fs_failed(err, errnum, what, name);
}

void mlr_fs_write_behind(int fd, uint64_t offset, uint64_t bytes)
{
    sync_file_range(fd, (off_t)offset, (off_t)bytes, SYNC_FILE_RANGE_WRITE);
}
