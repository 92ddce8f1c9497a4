/* place/disk.h - places on disk, which are repositories in directories: what a store and a layout have in common. */
#ifndef MLR_PLACE_DISK_H
#define MLR_PLACE_DISK_H
#include "place/place.h"
#include "place/repodir.h"

typedef struct mlr_disk {
    mlr_place   place;
    int         top;               /* descriptor of the directory */
    mlr_folder  root;              /* the same as a folder */
    mlr_folder  pool;              /* path NULL: a layout, which has none */
    char       *receiving;         /* where blobs of a store are received; NULL in a layout */
    char       *gate, *notes;      /* paths, place/inflight.h */
    mlr_inflight *inflight;        /* NULL: read only */
    struct mlr_gather *gather;     /* likewise */
    struct mlr_claims *claims;     /* NULL: read only, or no store */
    const char *quarantine;        /* where fsck moves bad blobs, from root */
    /* The repository of that name; nothing is made. EINVAL for a name that cannot be one here. `name` must outlive it. */
    int (*repository)(const struct mlr_disk *disk, const char *name, mlr_repodir *out, mlreg_error **err);
    /* All names under which there is something, also of repositories that are broken or not yet whole. */
    int (*names)(const struct mlr_disk *disk, mlr_op *op, mlr_list *out, mlreg_error **err);
} mlr_disk;

/* The directory for a place: made where it is missing and `create` says so. ENOTFOUND; EPROTO for what is no directory. */
int  mlr_disk_ready(const char *dir, bool create, mlreg_error **err);
/* Whether a directory, but for `except`, holds nothing of anybody's, so that a place may be made in it. 1, 0. */
int  mlr_disk_is_fresh(const char *dir, const char *except, mlreg_error **err);
/* Opens `dir`, which is there. Fields not named are the caller's to fill in. */
int  mlr_disk_new(const char *dir, const mlr_place_ops *ops, const mlreg_session_options *o, mlr_runtime *rt, mlr_disk **out, mlreg_error **err);
/* Once `notes` and `gate` are set: what a writing session needs. */
int  mlr_disk_be_writable(mlr_disk *disk, mlreg_error **err);
void mlr_disk_abandon(mlr_disk *disk);         /* one that no place's door has seen yet; NULL is fine */

/* The operations of a place, for both tables. */
void mlr_disk_close(mlr_place *p);
int  mlr_disk_resolve(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_descriptor *out, mlreg_error **err);
int  mlr_disk_tags(mlr_place *p, const char *repo, mlr_op *op, mlr_list *out, mlreg_error **err);
int  mlr_disk_repositories(mlr_place *p, mlr_op *op, mlr_list *out, mlreg_error **err);
int  mlr_disk_manifest_read(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_buf *out, char **media_type, mlreg_error **err);
int  mlr_disk_manifest_write(mlr_place *p, const mlr_ref *r, const mlr_tag_rule *rule, const mlr_manifest *m, mlr_op *op, mlreg_error **err);
int  mlr_disk_remove(mlr_place *p, const mlr_ref *r, mlr_op *op, mlreg_error **err);
int  mlr_disk_referrers(mlr_place *p, const char *repo, const mlr_digest *subject, mlr_op *op, mlr_list *out, mlreg_error **err);
int  mlr_disk_blob_has(mlr_place *p, const mlr_blob *b, mlr_op *op, mlreg_error **err);
int  mlr_disk_blob_open(mlr_place *p, const mlr_blob *b, mlr_op *op, mlr_reader **out, mlreg_error **err);
int  mlr_disk_blob_write(mlr_place *p, const mlr_blob *b, mlr_reader *r, mlr_op *op, mlreg_error **err);
int  mlr_disk_blob_take(mlr_place *p, const char *repo, mlr_reader *r, mlr_op *op, mlr_digest *digest, mlreg_error **err);
int  mlr_disk_gather(mlr_place *p, bool begin, mlr_op *op, mlreg_error **err);
int  mlr_disk_incoming(mlr_place *p, const char *repo, const char *id, mlr_op *op, mlr_incoming **out, mlreg_error **err);
int  mlr_disk_arrive(mlr_place *p, const char *repo, mlr_incoming *in, const mlr_digest *d, mlr_op *op, mlreg_error **err);
int  mlr_disk_release(mlr_place *p, const char *repo, const mlr_digest *d, mlreg_error **err);
int  mlr_disk_mount(mlr_place *p, const mlr_blob *b, const char *from_repo, mlr_op *op, mlreg_error **err);
#endif
