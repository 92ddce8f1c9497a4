/* model/rootfs.h - an image's file system, out of all its layers, into a folder. */
#ifndef MLR_MODEL_ROOTFS_H
#define MLR_MODEL_ROOTFS_H
#include "place/place.h"

int mlr_rootfs_check(const mlr_manifest *m, mlreg_error **err);   /* ENOTSUP for what is no image */

typedef struct mlr_rootfs {
    const char *path;              /* only what lies there in the image; NULL or "/": all of it */
    const char *const *layers; size_t n_layers;   /* digests: only these of its layers; none: all */
    bool foreign;                  /* layers that are not to be distributed are fetched from their addresses, where the place lacks them */
    bool owners;                   /* owners and set-uid bits as in the image: for root alone */
} mlr_rootfs;
/* `dir` is not there yet, or is an empty folder; its parent is there. Everything is unpacked beside it and gets its name at the end: until then, and after any failure,
 * `dir` is as it was. Each layer is checked against its digest before it is decoded, and against its diff_id before anything is published. Devices and sockets
 * are left out. EEXISTS; ENOTSUP for what is no image; EPROTO for a config that names other layers, or names that lead elsewhere; EDIGEST. */
int mlr_rootfs_unpack(mlr_place *p, const char *repo, const mlr_manifest *m, const char *dir, const mlr_rootfs *how, mlr_op *op, mlreg_error **err);
#endif
