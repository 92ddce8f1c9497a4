/* place/disk.c - places on disk: opened, made and closed. */
#include "place/disk.h"

#include <fcntl.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "codec/xxh.h"
#include "place/claims.h"
#include "place/gather.h"

#define DIR_MODE          0755
#define FRESH_MAX_ENTRIES 16 /* more than a fresh directory can hold */

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
        return S_ISDIR(st.st_mode) ? 1 : mlr_error_hint(err, mlr_error_set(err, MLREG_EPROTO, "%s is no directory", dir), "choose another path");
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
    mlr_claims_free(disk->claims);
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
