/* base/inside.c - a folder that serves as a root: where paths in it lead. */
#include "base/inside.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/fs_call.h"

#define DIR_FLAGS  (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define LINKS_MAX  40              /* what Linux itself follows */
#define REST_BYTES (3 * PATH_MAX)
#define SAID       (-1)            /* in place of an errno: `why` and `rc` have it */

/* On the way: `dir` is open, `real` is how it is reached without links, `rest` is still to be walked. */
typedef struct walk {
    int         root, dir;
    unsigned    links, depth;
    bool        make;
    const char *path;              /* for the seam */
    mlreg_error *why;              /* of SAID */
    int         rc;
    char        real[PATH_MAX], rest[REST_BYTES];
} walk;

static void move_to(walk *w, int dir)
{
    mlr_fs_close(w->dir);
    w->dir = dir;
}

/* To where `real` says. */
static int go_back(walk *w)
{
    int errnum, fd = -1;

    if (w->real[0] != '\0') {
        w->rc = mlr_beneath_open(w->root, w->real, DIR_FLAGS, 0, &fd, &w->why);
        errnum = w->rc == 0 ? 0 : SAID;
    } else {
        MLR_FS_TRY(errnum, MLR_FS_OPEN, w->path, fd = openat(w->root, ".", DIR_FLAGS));
    }
    if (errnum == 0)
        move_to(w, fd);
    return errnum;
}

static int go_up(walk *w)
{
    char *slash = strrchr(w->real, '/');

    if (w->real[0] == '\0')         /* above the root is the root */
        return 0;
    *(slash != NULL ? slash : w->real) = '\0';
    w->depth--;
    return go_back(w);
}

static int go_down(walk *w, const char *name)
{
    size_t len = strlen(w->real), more = strlen(name);
    int    errnum, fd = -1;

    if (len + more + 2 > sizeof w->real || ++w->depth > MLR_INSIDE_DEPTH_MAX)
        return ENAMETOOLONG;
    MLR_FS_TRY(errnum, MLR_FS_OPEN, w->path, fd = openat(w->dir, name, DIR_FLAGS));
    if (errnum != 0)
        return errnum;
    if (len > 0)
        w->real[len++] = '/';
    memcpy(w->real + len, name, more + 1);
    move_to(w, fd);
    return 0;
}

/* What the link says is to be walked before the rest. */
static int go_through(walk *w, const char *name)
{
    char   target[REST_BYTES];
    size_t rest = strlen(w->rest);
    long   len = 0;
    int    errnum;

    if (++w->links > LINKS_MAX)
        return ELOOP;
    MLR_FS_TRY(errnum, MLR_FS_STAT, w->path, len = readlinkat(w->dir, name, target, PATH_MAX));
    if (errnum != 0)
        return errnum;
    if ((size_t)len + 1 + rest + 1 > sizeof w->rest)
        return ENAMETOOLONG;
    target[len] = '/';
    memcpy(target + len + 1, w->rest, rest + 1);
    memcpy(w->rest, target, (size_t)len + 1 + rest + 1);
    if (target[0] != '/')
        return 0;
    w->real[0] = '\0';
    w->depth = 0;
    return go_back(w);
}

static int make(const walk *w, const char *name)
{
    int errnum;

    MLR_FS_TRY(errnum, MLR_FS_MKDIR, w->path, mkdirat(w->dir, name, 0700));
    if (errnum == 0)                /* whatever the umask is */
        MLR_FS_TRY(errnum, MLR_FS_MKDIR, w->path, fchmodat(w->dir, name, 0755, 0));
    return errnum;
}

static int step(walk *w, const char *name)
{
    struct stat st;
    int         errnum;

    if (name[0] == '\0' || strcmp(name, ".") == 0)
        return 0;
    if (strcmp(name, "..") == 0)
        return go_up(w);
    MLR_FS_TRY(errnum, MLR_FS_STAT, w->path, fstatat(w->dir, name, &st, AT_SYMLINK_NOFOLLOW));
    if (errnum == ENOENT && w->make)
        return (errnum = make(w, name)) != 0 ? errnum : go_down(w, name);
    if (errnum == 0 && S_ISLNK(st.st_mode))
        return go_through(w, name);
    if (errnum == 0 && !S_ISDIR(st.st_mode))
        return ENOTDIR;
    return errnum != 0 ? errnum : go_down(w, name);
}

static int walk_rest(walk *w)
{
    int errnum = go_back(w);

    while (errnum == 0 && w->rest[0] != '\0') {
        char   name[MLR_BENEATH_NAME_MAX_BYTES + 1];
        size_t len = strcspn(w->rest, "/"), skip = len + (w->rest[len] == '/');

        if (len > MLR_BENEATH_NAME_MAX_BYTES)
            return ENAMETOOLONG;
        memcpy(name, w->rest, len);
        name[len] = '\0';
        memmove(w->rest, w->rest + skip, strlen(w->rest + skip) + 1);
        errnum = step(w, name);
    }
    return errnum;
}

static int failed(walk *w, int errnum, mlreg_error **err)
{
    const char *path = w->path;
    int         rc;

    switch (errnum) {
    case SAID: mlr_error_move(err, &w->why); return w->rc;
    case ENOTDIR: rc = mlr_error_set(err, MLREG_EPROTO, "%s leads through something that is no folder", path); break;
    case ELOOP: rc = mlr_error_set(err, MLREG_EPROTO, "%s leads through more than %d links", path, LINKS_MAX); break;
    case ENAMETOOLONG: rc = mlr_error_set(err, MLREG_ELIMIT, "%s lies too deep: more than %d folders or %d bytes", path, MLR_INSIDE_DEPTH_MAX, PATH_MAX); break;
    default: return mlr_fs_failed(err, errnum, "open the folder of", path);
    }
    return mlr_error_subject(err, rc, path);
}

int mlr_inside_parent(int root, const char *path, bool make_missing, int *dir, const char **last, mlreg_error **err)
{
    walk        w = { .root = root, .dir = -1, .make = make_missing, .path = path };
    const char *slash = strrchr(path, '/');
    int         errnum, rc;

    if (path[0] != '\0' && (rc = mlr_beneath_check_form(path, err)) < 0)
        return rc;
    if (slash != NULL)
        memcpy(w.rest, path, (size_t)(slash - path));
    if ((errnum = walk_rest(&w)) != 0) {
        mlr_fs_close(w.dir);
        return failed(&w, errnum, err);
    }
    *dir = w.dir;
    *last = slash != NULL ? slash + 1 : path;
    return 0;
}
