/* place/disk.c - places on disk: each operation finds its repository's directory and does it there. */
#include "place/disk.h"

#include <fcntl.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "codec/xxh.h"
#include "place/gather.h"
#include "place/repoblobs.h"

#define DIR_MODE          0755
#define FRESH_MAX_ENTRIES 16 /* more than a fresh directory can hold */

/* ---- opening and closing ---- */

/* 1: a directory; 0: nothing. */
static int look_at(const char *dir, mlreg_error **err)
{
    mlreg_error *why = NULL;
    struct stat  st;
    int          fd, rc = mlr_fs_open(dir, O_PATH, 0, &fd, &why); /* links above the top are the host's own */

    if (rc == MLREG_ENOTFOUND) {
        mlr_error_done(why);
        return 0;
    }
    if (rc == 0) {
        rc = mlr_fs_stat_fd(fd, dir, &st, &why);
        mlr_fs_close(fd);
    }
    if (rc == 0)
        return S_ISDIR(st.st_mode) ? 1 : mlr_error_set(err, MLREG_EPROTO, "%s is no directory", dir);
    mlr_error_move(err, &why);
    return rc;
}

int mlr_disk_ready(const char *dir, bool create, mlreg_error **err)
{
    int rc = look_at(dir, err);

    if (rc != 0)
        return rc < 0 ? rc : 0;
    if (create)
        return mlr_fs_mkdirs(dir, DIR_MODE, err);
    rc = mlr_error_set(err, MLREG_ENOTFOUND, "%s is not there", dir);
    return mlr_error_hint(err, rc, "check the path, or open it with MLREG_OPEN_CREATE to have it made");
}

static bool is_nobodys(const char *name, const char *except)
{
    return strcmp(name, "lost+found") == 0 || strncmp(name, ".tmp-", 5) == 0 ||
           (except != NULL && strcmp(name, except) == 0);
}

int mlr_disk_is_fresh(const char *dir, const char *except, mlreg_error **err)
{
    mlr_dir_list names = { NULL, 0, 0 };
    mlreg_error *why = NULL;
    int          rc = mlr_fs_list_path(dir, FRESH_MAX_ENTRIES, &names, &why);

    if (rc == MLREG_ELIMIT) {
        rc = 0;
    } else if (rc < 0) {
        mlr_error_move(err, &why);
    } else {
        rc = 1;
        for (size_t i = 0; i < names.n; i++)
            rc = rc && is_nobodys(names.items[i].name, except);
    }
    mlr_error_done(why);
    mlr_dir_list_done(&names);
    return rc;
}

static int note_identity(mlr_disk *disk, mlreg_error **err)
{
    struct stat st;
    uint64_t    id[2];
    int         rc = mlr_fs_stat_fd(disk->top, disk->place.name, &st, err);

    if (rc == 0) {
        id[0] = st.st_dev;
        id[1] = st.st_ino;
        disk->place.identity = mlr_xxh3(id, sizeof(id));
    }
    return rc;
}

int mlr_disk_new(const char *dir, const mlr_place_ops *ops, const mlreg_session_options *o, mlr_runtime *rt,
                 mlr_disk **out, mlreg_error **err)
{
    mlr_disk *disk = mlr_alloc(sizeof(*disk));
    int       rc;

    if (disk == NULL)
        return mlr_error_nomem(err);
    disk->top = -1;
    disk->root = disk->pool = (mlr_folder)MLR_FOLDER_INIT;
    disk->place.rt = mlr_runtime_ref(rt);
    disk->place.ops = ops;
    disk->place.can = MLREG_CAN_RANGE | MLREG_CAN_REFERRERS | MLREG_CAN_DELETE;
    if (ops->mount != NULL)
        disk->place.can |= MLREG_CAN_MOUNT;
    disk->place.holds_parts = true;
    disk->place.read_only = o != NULL && (o->flags & MLREG_OPEN_READONLY);
    if ((disk->place.name = mlr_strdup(dir)) == NULL)
        rc = mlr_error_nomem(err);
    else if ((rc = mlr_fs_open(dir, O_RDONLY | O_DIRECTORY, 0, &disk->top, err)) == 0 &&
             (rc = mlr_folder_init(&disk->root, disk->top, dir, "", err)) == 0)
        rc = note_identity(disk, err);
    if (rc < 0)
        mlr_disk_abandon(disk);
    else
        *out = disk;
    return rc;
}

int mlr_disk_be_writable(mlr_disk *disk, mlreg_error **err)
{
    int rc = mlr_inflight_new(disk->notes, disk->gate, &disk->inflight, err);

    return rc < 0 ? rc : mlr_gather_new(disk, &disk->gather, err);
}

void mlr_disk_close(mlr_place *p)
{
    mlr_disk *disk = (mlr_disk *)p;

    mlr_gather_free(disk->gather);
    mlr_inflight_free(disk->inflight);
    mlr_folder_done(&disk->pool);
    mlr_folder_done(&disk->root);
    mlr_free(disk->receiving);
    mlr_free(disk->gate);
    mlr_free(disk->notes);
    mlr_fs_close(disk->top);
    mlr_free(disk);
}

void mlr_disk_abandon(mlr_disk *disk)
{
    mlr_place_close(disk != NULL ? &disk->place : NULL);
}

/* ---- operations ---- */

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
