/* base/fs_link.c - where a path leads to through symbolic links. */
#include "base/fs.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs_call.h"

#define MAX_LINKS 40                /* what Linux itself follows */

int mlr_fs_read_link(const char *path, char **target, mlreg_error **err)
{
    char text[PATH_MAX];
    long len = 0;
    int  errnum;

    MLR_FS_TRY(errnum, MLR_FS_STAT, path, len = readlink(path, text, sizeof text - 1));
    if (errnum != 0)
        return mlr_fs_failed(err, errnum, "read the link", path);
    return (*target = mlr_strndup(text, (size_t)len)) == NULL ? mlr_error_nomem(err) : 0;
}

/* Of the link `path`, made relative to the working directory where the link was relative to its own. */
static int read_link(const char *path, char **target, mlreg_error **err)
{
    char *text = NULL, *dir = NULL;
    int   rc = mlr_fs_read_link(path, &text, err);

    if (rc < 0)
        return rc;
    if (text[0] != '/') {
        if ((dir = mlr_path_dir(path)) != NULL)
            *target = mlr_path_join(dir, text);
        mlr_free(dir);
        mlr_free(text);
    } else {
        *target = text;
    }
    return *target == NULL ? mlr_error_nomem(err) : 0;
}

int mlr_fs_follow(const char *path, char **out, mlreg_error **err)
{
    char *at = mlr_strdup(path);
    int   rc = at != NULL ? 0 : mlr_error_nomem(err);

    for (int links = 0; rc == 0; links++) {
        struct stat  st;
        char        *target = NULL;
        mlreg_error *e = NULL;

        rc = mlr_fs_stat(at, &st, &e);
        if (rc == MLREG_ENOTFOUND || (rc == 0 && !S_ISLNK(st.st_mode))) {
            mlr_error_done(e);
            *out = at;
            return 0;
        }
        mlr_error_move(err, &e);
        if (rc == 0 && links == MAX_LINKS)
            rc = mlr_fs_failed(err, ELOOP, "follow", path);
        if (rc == 0 && (rc = read_link(at, &target, err)) == 0) {
            mlr_free(at);
            at = target;
        }
    }
    mlr_free(at);
    return rc;
}
