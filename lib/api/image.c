/* api/image.c - an image's file system into a folder, and the files in it. */
#include "api/door.h"

#include <unistd.h>
#include "model/find.h"
#include "model/rootfs.h"

static int digests(const mlreg_image_unpack_options *o, mlreg_error **err)
{
    int rc = o->n_layers > 0 ? mlr_door_needs(o->layers, "layers", err) : 0;

    for (size_t i = 0; i < o->n_layers && rc == 0; i++)
        rc = mlr_door_needs(o->layers[i], "a layer's digest", err);
    return rc;
}

int mlreg_image_unpack(mlreg_artifact *a, const char *dir, const mlreg_image_unpack_options *opts, mlreg_op *remote, mlreg_error **err)
{
    mlreg_image_unpack_options o;
    mlr_op *op = NULL;
    int rc;

    if ((rc = mlr_door_needs(a, "the artifact", err)) < 0 || (rc = mlr_door_session(a->session, err)) < 0 || (rc = mlr_door_needs(dir, "dir", err)) < 0 ||
        (rc = mlr_door_options(&o, sizeof o, sizeof o, MLREG_UNPACK_ROOTLESS | MLREG_UNPACK_FOREIGN, opts, "mlreg_image_unpack_options", err)) < 0 ||
        (rc = digests(&o, err)) < 0 ||
        (rc = mlr_door_begin(remote, &op, err)) < 0)
        return rc;
    mlr_rootfs how = { o.path, o.layers, o.n_layers, (o.flags & MLREG_UNPACK_FOREIGN) != 0, geteuid() == 0 && (o.flags & MLREG_UNPACK_ROOTLESS) == 0 };
    rc = mlr_rootfs_unpack(a->session->place, a->repo, a->manifest, dir, &how, op, err);
    mlr_op_end(op);
    return rc;
}

int mlreg_image_find(mlreg_artifact *a, const char *path, mlreg_op *remote, mlreg_list **out, mlreg_error **err)
{
    mlr_op *op = NULL;
    int rc;

    if ((rc = mlr_door_needs(a, "the artifact", err)) < 0 || (rc = mlr_door_session(a->session, err)) < 0 || (rc = mlr_door_needs(out, "out", err)) < 0 ||
        (rc = mlr_door_begin(remote, &op, err)) < 0)
        return rc;
    rc = mlr_find(a->session->place, a->repo, a->manifest, path, op, out, err);
    mlr_op_end(op);
    return rc;
}
