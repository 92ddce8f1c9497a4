/* model/landing.c - one verified file put in its place beneath a folder: whole, or not at all. */
#include "model/landing.h"

#include <fcntl.h>
#include "base/alloc.h"
#include "base/clock.h"
#include "base/beneath.h"
#include "base/error.h"
#include "codec/json.h"
#include "model/modelpack.h"
#include "place/fetch.h"
#include "place/intake.h"
#include "place/partdir.h"

/* ---- what stands there already ---- */

static int in_the_way(const char *path, const char *what, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_EEXISTS, "%s is there already, and is no %s", path, what);

    mlr_error_subject(err, rc, path);
    return mlr_error_hint(err, rc, "move it away, or check out into another folder");
}

/* The first part of `path` that is there and no folder, if there is one: why nothing could be opened below it. */
static int explain(const mlr_ground *ground, const char *path, mlreg_error **err)
{
    int rc = 0;

    for (const char *slash = strchr(path, '/'); slash != NULL && rc == 0; slash = strchr(slash + 1, '/')) {
        char *part = mlr_strndup(path, (size_t)(slash - path));
        struct stat st;
        int fd;

        if (part == NULL)
            return mlr_error_nomem(err);
        if (mlr_beneath_open(ground->fd, part, O_PATH, 0, &fd, NULL) == 0) {
            if (mlr_fs_stat_fd(fd, part, &st, NULL) == 0 && !S_ISDIR(st.st_mode))
                rc = in_the_way(part, "folder", err);
            mlr_fs_close(fd);
        }
        mlr_free(part);
    }
    return rc;
}

int mlr_landing_open_existing(const mlr_ground *ground, const char *path, uint64_t bytes, int *fd, mlreg_error **err)
{
    mlreg_error *why = NULL;
    struct stat st;
    int found = -1, said, rc = mlr_beneath_open(ground->fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &found, &why);

    if (rc == MLREG_ENOTFOUND) {
        mlr_error_done(why);
        return 0;
    }
    if (rc == 0)
        rc = mlr_fs_stat_fd(found, path, &st, &why);
    if (rc == 0 && !S_ISREG(st.st_mode))
        rc = in_the_way(path, "regular file", &why);
    if (rc == 0 && (uint64_t)st.st_size == bytes) {
        *fd = found;
        return 1;
    }
    mlr_fs_close(found);
    if (rc == MLREG_EIO && (said = explain(ground, path, err)) < 0)
        rc = said;
    mlr_error_move(err, &why);
    return rc;
}

static int look_at(int fd, const char *path, mlr_landing_look *out, mlreg_error **err)
{
    struct stat st;
    int rc = mlr_fs_stat_fd(fd, path, &st, err);

    if (rc == 0)
        *out = (mlr_landing_look){ st.st_dev, st.st_ino, st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec, st.st_ctim.tv_sec, st.st_ctim.tv_nsec };
    return rc;
}

/* The descriptor is taken over. */
static int digest_of(mlr_runtime *rt, int fd, const char *path, mlr_op *op, mlr_digest *out, mlreg_error **err)
{
    mlr_reader *r = NULL;
    int rc = mlr_reader_from_fd(fd, path, false, &r, err);

    if (rc < 0) {
        mlr_fs_close(fd);
        return rc;
    }
    rc = mlr_intake(rt, r, NULL, NULL, op, out, err);
    mlr_reader_free(r);
    return rc;
}

int mlr_landing_is_there(mlr_runtime *rt, const mlr_descriptor *layer, const mlr_ground *ground, const char *path, mlr_landing_look *seen, mlr_op *op, mlreg_error **err)
{
    mlr_landing_look now;
    mlr_digest got;
    int fd, rc = mlr_landing_open_existing(ground, path, layer->bytes, &fd, err);

    if (rc <= 0)
        return rc;
    if ((rc = look_at(fd, path, &now, err)) < 0 || memcmp(&now, seen, sizeof now) == 0) {
        mlr_fs_close(fd);
        return rc;
    }
    if ((rc = digest_of(rt, fd, path, op, &got, err)) < 0)
        return rc;
    *seen = now;
    return mlr_digest_equal(&got, &layer->digest);
}

/* ---- by hand ---- */

static int open_parent(mlr_landing *l, const mlr_ground *ground, const char *path, mlreg_error **err)
{
    if ((l->shown = mlr_path_join(ground->path, path)) == NULL)
        return mlr_error_nomem(err);
    return mlr_beneath_parent(ground->fd, path, 0755, &l->dir, &l->last, err);
}

int mlr_landing_begin(mlr_landing *l, const mlr_ground *ground, const char *path, unsigned mode, mlreg_error **err)
{
    int rc = open_parent(l, ground, path, err);

    return rc < 0 ? rc : mlr_temp_open_in(&l->temp, l->dir, l->shown, mode, err);
}

int mlr_landing_end(mlr_landing *l, mlr_op *op, mlreg_error **err)
{
    uint64_t from_us = mlr_clock_us();
    int rc = mlr_temp_publish_in(&l->temp, l->last, l->shown, true, err);

    mlr_op_spent(op, MLR_N_US_SYNCED, from_us);
    return rc;
}

void mlr_landing_done(mlr_landing *l)
{
    mlr_temp_done(&l->temp);
    mlr_fs_close(l->dir);
    mlr_free(l->shown);
    *l = (mlr_landing)MLR_LANDING_INIT;
}

/* ---- a layer ---- */

static int fill(mlr_runtime *rt, mlr_reader *r, const mlr_descriptor *layer, mlr_landing *l, mlr_op *op, mlreg_error **err)
{
    mlr_digest got;
    int rc;

    if (r->trusted && r->fd >= 0 && mlr_fs_reflink(r->fd, l->temp.fd)) {
        mlr_op_count(op, MLR_N_BYTES_REUSED, (int64_t)r->bytes);
        return 0;
    }
    if ((rc = mlr_fs_reserve(l->temp.fd, r->bytes, l->shown, err)) < 0 || (rc = mlr_fetch(rt, r, l->temp.fd, l->shown, NULL, op, &got, err)) < 0)
        return rc;
    return mlr_digest_check(&got, &layer->digest, r->name, err);
}

static int land_at_once(mlr_runtime *rt, mlr_reader *r, const mlr_descriptor *layer, mlr_landing *l, unsigned mode, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_temp_open_in(&l->temp, l->dir, l->shown, mode, err);

    return rc < 0 ? rc : fill(rt, r, layer, l, op, err);
}

/* 1: somebody else has brought it meanwhile. */
static int go_on(mlr_runtime *rt, mlr_reader *r, const mlr_descriptor *layer, mlr_landing *l, mlr_partial *p, const mlr_ground *ground, const char *path, mlr_landing_look *seen,
    unsigned mode, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_landing_is_there(rt, layer, ground, path, seen, op, err);

    if (rc == 1)
        mlr_op_count(op, MLR_N_BYTES_REUSED, (int64_t)r->bytes);
    else if (rc == 0 && (rc = mlr_fetch_partial(rt, r, p, &layer->digest, op, err)) == 0 && (rc = mlr_partial_finish(p, mode, &l->temp, err)) == 0)
        l->temp.at = l->dir;
    return rc;
}

int mlr_landing_file(mlr_runtime *rt, mlr_reader *r, const mlr_descriptor *layer, const mlr_ground *ground, const char *path, mlr_landing_look *seen, mlr_op *op, mlreg_error **err)
{
    mlr_landing l = MLR_LANDING_INIT;
    mlr_partdir part = MLR_PARTDIR_INIT;
    unsigned mode = 0;
    int rc;

    if ((rc = mlr_modelpack_mode(layer, &mode, err)) == 0 && (rc = open_parent(&l, ground, path, err)) == 0 && mlr_partdir_suits(r))
        rc = mlr_partdir_lock(&part, ground->fd, l.dir, l.shown, &layer->digest, r->bytes, op, err);
    if (rc == 0)
        rc = land_at_once(rt, r, layer, &l, mode, op, err);
    else if (rc == 1)
        rc = go_on(rt, r, layer, &l, part.partial, ground, path, seen, mode, op, err);
    if (rc == 0)
        rc = mlr_landing_end(&l, op, err);
    mlr_landing_done(&l);
    mlr_partdir_done(&part);
    return rc < 0 ? rc : 0;
}
