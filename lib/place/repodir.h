/* place/repodir.h - one repository on disk: an OCI layout, with or without a store around it. */
#ifndef MLR_PLACE_REPODIR_H
#define MLR_PLACE_REPODIR_H
#include "base/runtime.h"
#include "place/catalog.h"
#include "place/folder.h"
#include "place/indexfile.h"
#include "place/inflight.h"

typedef struct mlr_repodir {
    mlr_folder  own;               /* oci-layout, index.json, blobs/sha256 */
    mlr_folder  copy;              /* where the copy of its index is; path NULL: none is kept */
    const char *name;              /* of the repository, for messages; "" in a layout of its own; borrowed, like the rest */
    const mlr_folder *pool;        /* every blob of the store once; NULL: no store */
    const char *receiving;         /* the directory in which blobs are received; NULL: the repository's own */
    mlr_inflight *inflight;        /* NULL: read only */
    struct mlr_gather *gather;     /* NULL: every blob is published when it comes */
    struct mlr_claims *claims;     /* NULL: small blobs come as often as they are asked for at once */
    mlr_runtime *rt;
} mlr_repodir;
void mlr_repodir_done(mlr_repodir *r);
mlr_indexfile mlr_repodir_index(const mlr_repodir *r);

/* The place's operations, for this repository. */
int mlr_repodir_resolve(const mlr_repodir *r, const mlr_ref *ref, mlr_op *op, mlr_descriptor *out, mlreg_error **err);
int mlr_repodir_tags(const mlr_repodir *r, mlr_op *op, mlr_list *out, mlreg_error **err);
int mlr_repodir_manifest_read(const mlr_repodir *r, const mlr_ref *ref, mlr_op *op, mlr_buf *out, char **media_type, mlreg_error **err);
int mlr_repodir_manifest_write(const mlr_repodir *r, const mlr_ref *ref, const mlr_tag_rule *rule, const mlr_manifest *m, mlr_op *op, mlreg_error **err);
int mlr_repodir_remove(const mlr_repodir *r, const mlr_ref *ref, mlr_op *op, mlreg_error **err);
int mlr_repodir_referrers(const mlr_repodir *r, const mlr_digest *subject, mlr_op *op, mlr_list *out, mlreg_error **err);

/* A walk's fetch over this repository (`user`), checked against size and digest. */
int mlr_repodir_fetch(void *user, const mlr_descriptor *d, mlr_op *op, mlr_buf *out, mlreg_error **err);
#endif
