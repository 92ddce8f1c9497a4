/* place/disk_ops.c - places on disk: each operation finds its repository's directory and does it there. */
#include "place/disk.h"

#include "base/error.h"
#include "place/gather.h"
#include "place/repoblobs.h"

static int find(mlr_place *p, const char *name, mlr_repodir *out, mlreg_error **err)
{
    const mlr_disk *disk = (const mlr_disk *)p;
    return disk->repository(disk, name, out, err);
}

int mlr_disk_resolve(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_descriptor *out, mlreg_error **err)
{
    mlr_repodir d;
    int         rc = find(p, r->repo, &d, err);

    if (rc < 0)
        return rc;
    rc = mlr_repodir_resolve(&d, r, op, out, err);
    mlr_repodir_done(&d);
    return rc;
}

int mlr_disk_tags(mlr_place *p, const char *repo, mlr_op *op, mlr_list *out, mlreg_error **err)
{
    mlr_repodir d;
    int         rc = find(p, repo, &d, err);

    if (rc < 0)
        return rc;
    rc = mlr_repodir_tags(&d, op, out, err);
    mlr_repodir_done(&d);
    return rc;
}

/* A repository is one that has a manifest; one that cannot be read is listed, so that it is not forgotten. */
static int add_if_any(const mlr_disk *disk, const char *name, mlr_op *op, mlr_list *out, mlreg_error **err)
{
    mlr_repodir   d;
    mlr_index    *x = NULL;
    mlr_indexfile file;
    int           rc = disk->repository(disk, name, &d, err);

    if (rc < 0)
        return rc;
    file = mlr_repodir_index(&d);
    rc = mlr_indexfile_read(&file, op, &x, NULL);
    if (rc == MLREG_ENOMEM)
        mlr_error_nomem(err);
    else if (rc == MLREG_ECANCELLED)
        rc = mlr_op_check(op, err);
    else
        rc = rc == MLREG_ENOTFOUND || (rc == 0 && x->n == 0) ? 0 : mlr_list_add(out, name, NULL, err);
    mlr_index_free(x);
    mlr_repodir_done(&d);
    return rc;
}

int mlr_disk_repositories(mlr_place *p, mlr_op *op, mlr_list *out, mlreg_error **err)
{
    const mlr_disk *disk = (const mlr_disk *)p;
    mlr_list       *names = NULL;
    int             rc = mlr_list_new(&names, err);

    if (rc < 0)
        return rc;
    rc = disk->names(disk, op, names, err);
    for (size_t i = 0; rc == 0 && i < names->n; i++)
        rc = add_if_any(disk, names->items[i].name, op, out, err);
    mlr_list_free(names);
    return rc;
}

int mlr_disk_manifest_read(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_buf *out, char **media_type,
                           mlreg_error **err)
{
    mlr_repodir d;
    int         rc = find(p, r->repo, &d, err);

    if (rc < 0)
        return rc;
    rc = mlr_repodir_manifest_read(&d, r, op, out, media_type, err);
    mlr_repodir_done(&d);
    return rc;
}

int mlr_disk_manifest_write(mlr_place *p, const mlr_ref *r, const mlr_tag_rule *rule, const mlr_manifest *m, mlr_op *op,
                            mlreg_error **err)
{
    mlr_repodir d;
    int         rc = find(p, r->repo, &d, err);

    if (rc < 0)
        return rc;
    rc = mlr_repodir_manifest_write(&d, r, rule, m, op, err);
    mlr_repodir_done(&d);
    return rc;
}

int mlr_disk_remove(mlr_place *p, const mlr_ref *r, mlr_op *op, mlreg_error **err)
{
    mlr_repodir d;
    int         rc = find(p, r->repo, &d, err);

    if (rc < 0)
        return rc;
    rc = mlr_repodir_remove(&d, r, op, err);
    mlr_repodir_done(&d);
    return rc;
}

int mlr_disk_referrers(mlr_place *p, const char *repo, const mlr_digest *subject, mlr_op *op, mlr_list *out,
                       mlreg_error **err)
{
    mlr_repodir d;
    int         rc = find(p, repo, &d, err);

    if (rc < 0)
        return rc;
    rc = mlr_repodir_referrers(&d, subject, op, out, err);
    mlr_repodir_done(&d);
    return rc;
}

int mlr_disk_blob_has(mlr_place *p, const mlr_blob *b, mlr_op *op, mlreg_error **err)
{
    mlr_repodir d;
    int         rc = find(p, b->repo, &d, err);

    if (rc < 0)
        return rc;
    rc = mlr_repoblobs_has(&d, &b->digest, b->bytes, op, err);
    mlr_repodir_done(&d);
    return rc;
}

int mlr_disk_blob_open(mlr_place *p, const mlr_blob *b, mlr_op *op, mlr_reader **out, mlreg_error **err)
{
    mlr_repodir d;
    int         rc = find(p, b->repo, &d, err);

    (void)op;
    if (rc < 0)
        return rc;
    rc = mlr_repoblobs_open(&d, &b->digest, out, err);
    mlr_repodir_done(&d);
    return rc;
}

int mlr_disk_blob_write(mlr_place *p, const mlr_blob *b, mlr_reader *r, mlr_op *op, mlreg_error **err)
{
    mlr_repodir d;
    int         rc = find(p, b->repo, &d, err);

    if (rc < 0)
        return rc;
    rc = mlr_repoblobs_write(&d, &b->digest, r, op, err);
    mlr_repodir_done(&d);
    return rc;
}

int mlr_disk_gather(mlr_place *p, bool begin, mlr_op *op, mlreg_error **err)
{
    const mlr_disk *disk = (const mlr_disk *)p;
    return begin ? mlr_gather_begin(disk->gather, err) : mlr_gather_end(disk->gather, op, err);
}

int mlr_disk_blob_take(mlr_place *p, const char *repo, mlr_reader *r, mlr_op *op, mlr_digest *digest, mlreg_error **err)
{
    mlr_repodir d;
    int         rc = find(p, repo, &d, err);

    if (rc < 0)
        return rc;
    rc = mlr_repoblobs_take(&d, r, op, digest, err);
    mlr_repodir_done(&d);
    return rc;
}

int mlr_disk_mount(mlr_place *p, const mlr_blob *b, const char *from_repo, mlr_op *op, mlreg_error **err)
{
    mlr_repodir d, from;
    int         rc = find(p, b->repo, &d, err);

    if (rc < 0)
        return rc;
    if ((rc = find(p, from_repo, &from, err)) == 0) {
        rc = mlr_repoblobs_mount(&d, &from, &b->digest, b->bytes, op, err);
        mlr_repodir_done(&from);
    }
    mlr_repodir_done(&d);
    return rc;
}

/* ---- what comes in pieces ---- */

int mlr_disk_incoming(mlr_place *p, const char *repo, const char *id, mlr_op *op, mlr_incoming **out, mlreg_error **err)
{
    const mlr_disk *disk = (const mlr_disk *)p;
    mlr_repodir     d;
    int             rc = find(p, repo, &d, err); /* that it may be one here */

    if (rc < 0)
        return rc;
    mlr_repodir_done(&d);
    return mlr_incoming_open(disk->receiving, repo, id, op, out, err);
}

int mlr_disk_arrive(mlr_place *p, const char *repo, mlr_incoming *in, const mlr_digest *d, mlr_op *op, mlreg_error **err)
{
    mlr_repodir r;
    int         rc = find(p, repo, &r, err);

    if (rc < 0)
        return rc;
    rc = mlr_repoblobs_arrive(&r, in, d, op, err);
    mlr_repodir_done(&r);
    return rc;
}

int mlr_disk_release(mlr_place *p, const char *repo, const mlr_digest *d, mlreg_error **err)
{
    const mlr_disk *disk = (const mlr_disk *)p;
    return mlr_inflight_release(disk->inflight, repo, d, err);
}
