/* model/landing.c - one verified file put in its place beneath a folder: whole, or not at all. */
#include "model/landing.h"

#include <fcntl.h>
#include "base/alloc.h"
#include "base/clock.h"
#include "base/beneath.h"
#include "base/error.h"
#include "codec/json.h"
#include "place/fetch.h"

#define METADATA_KEY "org.cncf.model.file.metadata+json"

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

/* ---- by hand ---- */

int mlr_landing_begin(mlr_landing *l, const mlr_ground *ground, const char *path, unsigned mode, mlreg_error **err)
{
    int rc;

    if ((l->shown = mlr_path_join(ground->path, path)) == NULL)
        return mlr_error_nomem(err);
    if ((rc = mlr_beneath_parent(ground->fd, path, 0755, &l->dir, &l->last, err)) < 0)
        return rc;
    return mlr_temp_open_in(&l->temp, l->dir, l->shown, mode, err);
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

/* ModelPack keeps a file's mode in an annotation; of it only "may be executed" is taken over. */
static int mode_of(const mlr_descriptor *layer, unsigned *out, mlreg_error **err)
{
    const char *text = mlr_descriptor_annotation(layer, METADATA_KEY);
    mlr_json *j = NULL;
    uint64_t mode = 0;

    if (text != NULL && mlr_json_parse(text, strlen(text), METADATA_KEY, &j, NULL) == MLREG_ENOMEM)
        return mlr_error_nomem(err);
    *out = mlr_json_u64(mlr_json_get(j, "mode"), &mode) && (mode & 0100) ? 0755 : 0644;
    mlr_json_free(j);
    return 0;
}

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

int mlr_landing_file(mlr_runtime *rt, mlr_reader *r, const mlr_descriptor *layer, const mlr_ground *ground, const char *path, mlr_op *op, mlreg_error **err)
{
    mlr_landing l = MLR_LANDING_INIT;
    unsigned mode = 0;
    int rc;

    if ((rc = mode_of(layer, &mode, err)) == 0 && (rc = mlr_landing_begin(&l, ground, path, mode, err)) == 0 &&
        (rc = fill(rt, r, layer, &l, op, err)) == 0)
        rc = mlr_landing_end(&l, op, err);
    mlr_landing_done(&l);
    return rc;
}
