/* base/fs_remove.c - a folder and all that is in it, gone. */
#include <dirent.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/fs_call.h"

#define MAX_ENTRIES 1000000

static int remove_content(const char *path, mlreg_error **err)
{
    mlr_dir_list l = { 0 };
    int rc = mlr_fs_list_path(path, MAX_ENTRIES, &l, err);

    for (size_t i = 0; i < l.n && rc == 0; i++) {
        char *inner = mlr_path_join(path, l.items[i].name);

        if (inner == NULL)
            rc = mlr_error_nomem(err);
        else
            rc = l.items[i].type == DT_DIR ? mlr_fs_remove_tree(inner, err) : mlr_fs_unlink(inner, err);
        mlr_free(inner);
    }
    mlr_dir_list_done(&l);
    return rc;
}

int mlr_fs_remove_tree(const char *path, mlreg_error **err)
{
    int errnum, rc;

    if (!mlr_fs_exists(path))
        return 0;
    if ((rc = remove_content(path, err)) < 0)
        return rc;
    MLR_FS_TRY(errnum, MLR_FS_UNLINK, path, rmdir(path));
    return errnum == 0 ? 0 : mlr_fs_failed(err, errnum, "remove", path);
}
