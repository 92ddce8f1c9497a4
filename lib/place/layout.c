/* place/layout.c - one OCI image layout in a directory, as other tools exchange it: nothing private stays in it. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "place/blobdir.h"
#include "place/disk.h"
#include "place/fsck.h"
#include "place/gc.h"

#define DIR_MODE 0755

/* There is but one repository, so it answers to every name: an artifact keeps its tag when it is copied here. */
static int layout_repository(const mlr_disk *disk, const char *name, mlr_repodir *out, mlreg_error **err)
{
    mlr_repodir r = { .copy = MLR_FOLDER_INIT, .name = "", .inflight = disk->inflight, .gather = disk->gather, .rt = disk->place.rt };
    int         rc = mlr_folder_init(&r.own, disk->top, disk->root.path, "", err);

    (void)name;
    if (rc == 0)
        *out = r;
    return rc;
}

static int layout_names(const mlr_disk *disk, mlr_op *op, mlr_list *out, mlreg_error **err)
{
    (void)disk;
    (void)op;
    return mlr_list_add(out, "", NULL, err);
}

static const mlr_place_ops layout_ops = {
    .kind = "layout",
    .close = mlr_disk_close,
    .resolve = mlr_disk_resolve,
    .tags = mlr_disk_tags,
    .repositories = mlr_disk_repositories,
    .manifest_read = mlr_disk_manifest_read,
    .manifest_write = mlr_disk_manifest_write,
    .remove = mlr_disk_remove,
    .referrers = mlr_disk_referrers,
    .blob_has = mlr_disk_blob_has,
    .blob_open = mlr_disk_blob_open,
    .blob_write = mlr_disk_blob_write,
    .blob_take = mlr_disk_blob_take,
    .gather = mlr_disk_gather,
    .gc = mlr_gc_run,
    .fsck = mlr_fsck_run,
};

/* 1, 0. A link in a file's place is there too: whoever reads through it says what is wrong with it. */
static int is_there(const mlr_disk *disk, const char *file, mlreg_error **err)
{
    mlreg_error *why = NULL;
    struct stat  st;
    int          rc = mlr_folder_look(&disk->root, file, &st, &why);

    if (rc == MLREG_EDENIED)
        rc = 1;
    else if (rc < 0)
        mlr_error_move(err, &why);
    mlr_error_done(why);
    return rc;
}

static int begin_index(void *user, mlr_index *x, mlr_op *op, mlreg_error **err)
{
    (void)user;
    (void)x;
    (void)op;
    (void)err;
    return 1;
}

/* The version first: a directory that has it is known for a layout that was begun. */
static int make_layout(const mlr_disk *disk, mlr_op *op, mlreg_error **err)
{
    mlr_indexfile file = { &disk->root, NULL };
    int           rc = mlr_indexfile_change(&file, true, begin_index, NULL, op, err);
    return rc == 0 ? mlr_blobdir_make(&disk->root, DIR_MODE, err) : rc;
}

static int check_layout(const mlr_disk *disk, const char *dir, bool create, mlr_op *op, mlreg_error **err)
{
    int has_index = is_there(disk, MLR_INDEXFILE, err), has_version = is_there(disk, MLR_LAYOUTFILE, err);
    int fresh = 1, rc;

    if (has_index < 0 || has_version < 0)
        return has_index < 0 ? has_index : has_version;
    if (has_index || (has_version && !create)) /* broken or not: fsck must be able to get in */
        return 0;
    if (!has_version && (fresh = mlr_disk_is_fresh(dir, NULL, err)) < 0)
        return fresh;
    if (!fresh) {
        rc = mlr_error_set(err, MLREG_EPROTO, "%s holds something else than an OCI layout", dir);
        return mlr_error_hint(err, rc, "choose an empty directory, or one that does not exist yet");
    }
    if (create)
        return make_layout(disk, op, err);
    rc = mlr_error_set(err, MLREG_ENOTFOUND, "there is no OCI layout in %s", dir);
    return mlr_error_hint(err, rc, "check the path, or open it with MLREG_OPEN_CREATE to have one made");
}

/* Both lie inside, and only while a session writes. */
static int name_locks(mlr_disk *disk, mlreg_error **err)
{
    if ((disk->notes = mlr_strdup(disk->root.path)) == NULL ||
        (disk->gate = mlr_folder_path(&disk->root, "blobs")) == NULL)
        return mlr_error_nomem(err);
    disk->quarantine = ".mlreg-quarantine";
    return disk->place.read_only ? 0 : mlr_disk_be_writable(disk, err);
}

static int name_place(mlr_disk *disk, const char *dir, mlreg_error **err)
{
    char *name = mlr_asprintf("oci:%s", dir);

    if (name == NULL)
        return mlr_error_nomem(err);
    mlr_free(disk->place.name);
    disk->place.name = name;
    return 0;
}

int mlr_layout_open(const char *dir, const mlreg_session_options *o, mlr_runtime *rt, mlr_op *op, mlr_place **out,
                    mlreg_error **err)
{
    bool      create = o != NULL && (o->flags & MLREG_OPEN_CREATE) && !(o->flags & MLREG_OPEN_READONLY);
    mlr_disk *disk = NULL;
    int       rc;

    if (dir[0] == 0)
        return mlr_error_set(err, MLREG_EINVAL, "\"oci:\" needs a directory behind it");
    if ((rc = mlr_disk_ready(dir, create, err)) < 0 || (rc = mlr_disk_new(dir, &layout_ops, o, rt, &disk, err)) < 0)
        return rc;
    disk->repository = layout_repository;
    disk->names = layout_names;
    disk->place.one_repo = true;
    if ((rc = name_place(disk, dir, err)) < 0 || (rc = check_layout(disk, dir, create, op, err)) < 0 ||
        (rc = name_locks(disk, err)) < 0) {
        mlr_disk_abandon(disk);
        return rc;
    }
    *out = &disk->place;
    return 0;
}
