/* place/partdir.c - a blob in the making in somebody's folder.
 *
 * Others may write to that folder and put something else under any name in it. So the private one is opened once, through no link, taken
 * only if it is ours alone, and then reached by its descriptor: whatever becomes of its name, nothing is written elsewhere. */
#include "place/partdir.h"

#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/inside.h"

#define TRIES       16               /* whoever ends removes the folder, also from under one who begins */
#define MAX_ENTRIES 100000

typedef struct fd_path { char text[32]; } fd_path;

static fd_path path_of(int fd)
{
    fd_path p;

    snprintf(p.text, sizeof p.text, "/proc/self/fd/%d", fd);
    return p;
}

static int open_private(int top, int *fd, mlreg_error **err)
{
    struct stat st;
    int         rc = mlr_inside_open_dir(top, MLR_PARTDIR, MLR_PARTDIR, fd, err);

    if (rc == 0 && (rc = mlr_fs_stat_fd(*fd, MLR_PARTDIR, &st, err)) == 0 && (st.st_uid != geteuid() || (st.st_mode & 077) != 0))
        rc = mlr_error_set(err, MLREG_EDENIED, "%s is not ours alone", MLR_PARTDIR);
    if (rc < 0) {
        mlr_fs_close(*fd);
        *fd = -1;
    }
    return rc;
}

static int make_private(int top, int *fd, mlreg_error **err)
{
    int rc = mlr_inside_make_dir(top, MLR_PARTDIR, MLR_PARTDIR, err);

    return rc < 0 ? rc : open_private(top, fd, err);
}

bool mlr_partdir_suits(const mlr_reader *r)
{
    return mlr_reader_has_twins(r) && r->bytes >= MLR_PARTIAL_LEAST_BYTES;
}

static int try_lock(mlr_partdir *d, int to, const mlr_digest *digest, uint64_t bytes, mlr_op *op, mlreg_error **err)
{
    int rc = make_private(d->top, &d->fd, err);

    if (rc == 0 && !mlr_fs_is_one_mount(d->fd, to))
        rc = mlr_error_set(err, MLREG_ENOTSUP, "%s is on another mount", MLR_PARTDIR);
    return rc < 0 ? rc : mlr_partial_lock(path_of(d->fd).text, digest, bytes, op, &d->partial, err);
}

int mlr_partdir_lock(mlr_partdir *d, int top, int to, const char *shown, const mlr_digest *digest, uint64_t bytes, mlr_op *op, mlreg_error **err)
{
    mlreg_error *why = NULL;
    int          rc = MLREG_ENOTFOUND;

    for (int i = 0; i < TRIES && rc == MLREG_ENOTFOUND; i++) {
        mlr_error_done(why);
        why = NULL;
        d->top = top;
        if ((rc = try_lock(d, to, digest, bytes, op, &why)) < 0)
            mlr_partdir_done(d);
    }
    if (rc == 0)
        mlr_partial_in_folder(d->partial, shown);
    else if (rc == MLREG_ENOMEM || rc == MLREG_ECANCELLED)
        mlr_error_move(err, &why);
    mlr_error_done(why);
    return rc == 0 ? 1 : rc == MLREG_ENOMEM || rc == MLREG_ECANCELLED ? rc : 0;
}

void mlr_partdir_done(mlr_partdir *d)
{
    mlr_partial_free(d->partial);
    if (d->fd >= 0)
        mlr_inside_remove_empty(d->top, MLR_PARTDIR, MLR_PARTDIR, NULL);
    mlr_fs_close(d->fd);
    *d = (mlr_partdir)MLR_PARTDIR_INIT;
}

/* ---- what nobody came back for ---- */

static bool is_layer_of(const mlr_manifest *m, const mlr_digest *d)
{
    for (size_t i = 0; m != NULL && i < m->n_layers; i++)
        if (mlr_digest_equal(&m->layers[i].digest, d))
            return true;
    return false;
}

/* By its bytes: those change to the last, and a lock or a journal without them is of no use. */
static bool is_old(const char *dir, const mlr_digest *d, int64_t older_ms)
{
    char       *path = mlr_path_join(dir, mlr_digest_hex(d));
    struct stat st;
    bool        old = path != NULL && (mlr_fs_stat(path, &st, NULL) < 0 || mlr_clock_wall_ms() - st.st_mtim.tv_sec * INT64_C(1000) >= older_ms);

    mlr_free(path);
    return old;
}

void mlr_partdir_tidy(int top, int64_t older_ms, const mlr_manifest *named, mlr_op *op)
{
    mlr_dir_list names = { NULL, 0, 0 };
    mlr_partdir  d = { top, -1, NULL };
    mlr_digest   digest;

    if (open_private(top, &d.fd, NULL) < 0)
        return;
    mlr_fs_list(d.fd, MLR_PARTDIR, MAX_ENTRIES, &names, NULL);
    for (size_t i = 0; i < names.n; i++) {
        fd_path dir = path_of(d.fd);

        if (mlr_partial_is_part(names.items[i].name, &digest) && !is_layer_of(named, &digest) && is_old(dir.text, &digest, older_ms))
            mlr_partial_remove(dir.text, &digest, op, NULL);
    }
    mlr_dir_list_done(&names);
    mlr_partdir_done(&d);
}
