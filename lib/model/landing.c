/* model/landing.c - one verified file put in its place beneath a folder: whole, or not at all. */
#include "model/landing.h"

#include <fcntl.h>
#include "base/alloc.h"
#include "base/beneath.h"
#include "base/error.h"
#include "codec/json.h"
#include "place/intake.h"

#define METADATA_KEY "org.cncf.model.file.metadata+json"

int mlr_landing_open_existing(int root, const char *path, uint64_t bytes, int *fd, mlreg_error **err)
{
    mlreg_error *why = NULL;
    struct stat st;
    int found, rc = mlr_beneath_open(root, path, O_RDONLY | O_NONBLOCK, 0, &found, &why);

    if (rc == MLREG_ENOTFOUND) {
        mlr_error_done(why);
        return 0;
    }
    if (rc < 0) {
        mlr_error_move(err, &why);
        return rc;
    }
    if (fstat(found, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != bytes) {
        bool odd = !S_ISREG(st.st_mode);

        mlr_fs_close(found);
        return odd ? mlr_error_hint(err, mlr_error_set(err, MLREG_EEXISTS, "%s is there, and is no regular file", path), "move it away, or check out into another folder") : 0;
    }
    *fd = found;
    return 1;
}

/* The folder was opened once; /proc names it for calls that want a path, whatever happens to its name meanwhile. */
static char *through_proc(int dir, const char *name)
{
    return name == NULL ? mlr_asprintf("/proc/self/fd/%d", dir) : mlr_asprintf("/proc/self/fd/%d/%s", dir, name);
}

int mlr_landing_begin(mlr_landing *l, int root, const char *path, unsigned mode, mlreg_error **err)
{
    const char *last;
    char *dir;
    int rc = mlr_beneath_parent(root, path, 0755, &l->dir, &last, err);

    if (rc < 0)
        return rc;
    dir = through_proc(l->dir, NULL);
    l->target = through_proc(l->dir, last);
    rc = dir == NULL || l->target == NULL ? mlr_error_nomem(err) : mlr_temp_open(&l->temp, dir, mode, err);
    mlr_free(dir);
    return rc;
}

int mlr_landing_end(mlr_landing *l, mlreg_error **err)
{
    return mlr_temp_publish(&l->temp, l->target, true, err);
}

void mlr_landing_done(mlr_landing *l)
{
    mlr_temp_done(&l->temp);
    mlr_fs_close(l->dir);
    mlr_free(l->target);
    *l = (mlr_landing)MLR_LANDING_INIT;
}

/* ModelPack keeps a file's mode in an annotation; of it only "may be executed" is taken over. */
static unsigned mode_of(const mlr_descriptor *layer)
{
    const char *text = mlr_descriptor_annotation(layer, METADATA_KEY);
    mlr_json *j = NULL;
    uint64_t mode = 0;

    if (text == NULL || mlr_json_parse(text, strlen(text), METADATA_KEY, &j, NULL) < 0)
        return 0644;
    if (!mlr_json_u64(mlr_json_get(j, "mode"), &mode))
        mode = 0;
    mlr_json_free(j);
    return mode & 0100 ? 0755 : 0644;
}

struct sink { int fd; const char *name; };

static int put(void *user, uint64_t offset, const void *data, size_t len, mlreg_error **err)
{
    const struct sink *s = user;

    return mlr_fs_write_at(s->fd, offset, data, len, s->name, err);
}

static int fill(mlr_runtime *rt, mlr_reader *r, const mlr_descriptor *layer, int fd, const char *path, mlr_op *op, mlreg_error **err)
{
    struct sink s = { fd, path };
    mlr_digest got;
    int rc;

    if (r->trusted && r->fd >= 0 && mlr_fs_reflink(r->fd, fd)) {
        mlr_op_count(op, MLR_N_BYTES_REUSED, (int64_t)r->bytes);
        return 0;
    }
    if ((rc = mlr_intake(rt, r, put, &s, op, &got, err)) < 0)
        return rc;
    return mlr_digest_check(&got, &layer->digest, path, err);
}

int mlr_landing_file(mlr_runtime *rt, mlr_reader *r, const mlr_descriptor *layer, int root, const char *path, mlr_op *op, mlreg_error **err)
{
    mlr_landing l = MLR_LANDING_INIT;
    int rc;

    if ((rc = mlr_landing_begin(&l, root, path, mode_of(layer), err)) == 0 &&
        (rc = fill(rt, r, layer, l.temp.fd, path, op, err)) == 0)
        rc = mlr_landing_end(&l, err);
    mlr_landing_done(&l);
    return rc;
}
