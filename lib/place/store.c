/* place/store.c - many repositories in one directory, an OCI layout each, every blob once on the disk. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "place/absent.h"
#include "place/blobdir.h"
#include "place/claims.h"
#include "place/disk.h"
#include "place/fsck.h"
#include "place/gc.h"
#include "place/repopath.h"

/* Our own part of a store. Nobody else has business in it. */
#define PRIVATE        ".mlreg"
#define PRIVATE_MODE   0700
#define FORMAT         PRIVATE "/format"
#define FORMAT_NOW     1
#define FORMAT_TEXT    "1\n"
#define FORMAT_MAX_LEN 16
#define PATH_MAX_LEN   (2 * MLR_NAME_MAX) /* of a repository, escaped */

/* ---- names ---- */

static int store_repository(const mlr_disk *disk, const char *name, mlr_repodir *out, mlreg_error **err)
{
    mlr_repodir r = { .own = MLR_FOLDER_INIT, .copy = MLR_FOLDER_INIT, .name = name, .pool = &disk->pool,
                      .receiving = disk->receiving, .inflight = disk->inflight, .gather = disk->gather, .claims = disk->claims,
                      .rt = disk->place.rt };
    char       *path = NULL, *copy = NULL;
    int         rc;

    if (name[0] == 0) {
        rc = mlr_error_set(err, MLREG_EINVAL, "the repository's name is missing");
        return mlr_error_hint(err, rc, "a store holds many: write 'NAME:TAG'");
    }
    if ((rc = mlr_repopath_make(name, &path, err)) < 0)
        return rc;
    if ((copy = mlr_asprintf(PRIVATE "/index/%s", path)) == NULL)
        rc = mlr_error_nomem(err);
    else if ((rc = mlr_folder_init(&r.own, disk->top, disk->root.path, path, err)) == 0)
        rc = mlr_folder_init(&r.copy, disk->top, disk->root.path, copy, err);
    mlr_free(path);
    mlr_free(copy);
    if (rc < 0)
        mlr_repodir_done(&r);
    else
        *out = r;
    return rc;
}

static bool is_layout_part(const char *name)
{
    return strcmp(name, MLR_LAYOUTFILE) == 0 || strcmp(name, MLR_INDEXFILE) == 0 || strcmp(name, "blobs") == 0;
}

static int add_subdirectory(const char *path, const char *name, mlr_list *paths, mlreg_error **err)
{
    char *below = path[0] != 0 ? mlr_path_join(path, name) : mlr_strdup(name);
    int   rc = below != NULL ? mlr_list_add(paths, below, NULL, err) : mlr_error_nomem(err);

    mlr_free(below);
    return rc;
}

/* Looks into one directory: adds its repository, if it is one, and queues its subdirectories but "blobs" and hidden
 * ones. */
static int scan(const mlr_disk *disk, const char *path, mlr_list *paths, mlr_list *out, mlreg_error **err)
{
    mlr_dir_list names = { NULL, 0, 0 };
    char        *repo = NULL;
    bool         is_layout = false;
    int          rc = mlr_folder_list(&disk->root, path, &names, err);

    for (size_t i = 0; rc == 0 && i < names.n; i++) {
        const char *name = names.items[i].name;
        is_layout = is_layout || is_layout_part(name);
        if (names.items[i].type == DT_DIR && name[0] != '.' && !is_layout_part(name))
            rc = add_subdirectory(path, name, paths, err);
    }
    mlr_dir_list_done(&names);
    if (rc == 0 && is_layout && path[0] != 0 && (rc = mlr_repopath_read(path, &repo, err)) == 1) {
        rc = mlr_list_add(out, repo, NULL, err);
        mlr_free(repo);
    }
    return rc;
}

static int store_names(const mlr_disk *disk, mlr_op *op, mlr_list *out, mlreg_error **err)
{
    mlr_list *paths = NULL;
    int       rc = mlr_list_new(&paths, err);

    if (rc == 0)
        rc = mlr_list_add(paths, "", NULL, err);
    for (size_t i = 0; rc == 0 && i < paths->n; i++)
        if ((rc = mlr_op_check(op, err)) == 0 && strlen(paths->items[i].name) <= PATH_MAX_LEN)
            rc = scan(disk, paths->items[i].name, paths, out, err);
    mlr_list_free(paths);
    return rc;
}

/* ---- what is absent by design ---- */

static int absent_note(mlr_place *p, const mlr_blob *b, const mlr_absent *where, mlreg_error **err)
{
    return mlr_absent_write(&((const mlr_disk *)p)->pool, b, where, err);
}

static int absent_find(mlr_place *p, const mlr_digest *d, mlr_absent *out, mlreg_error **err)
{
    return mlr_absent_read(&((const mlr_disk *)p)->pool, d, out, err);
}

static const mlr_place_ops store_ops = {
    .kind = "store",
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
    .incoming = mlr_disk_incoming,
    .arrive = mlr_disk_arrive,
    .release = mlr_disk_release,
    .mount = mlr_disk_mount,
    .absent_note = absent_note,
    .absent_find = absent_find,
    .gc = mlr_gc_run,
    .fsck = mlr_fsck_run,
};

/* ---- opening ---- */

/* The format comes last: a store that has it has all the rest. */
static int make_store(const mlr_disk *disk, mlreg_error **err)
{
    static const char parts[][16] = { "", MLR_BLOBDIR, "partial", "locks", "index" };
    char *format;
    int   rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
        rc = mlr_folder_make(&disk->pool, parts[i], PRIVATE_MODE, err);
    if (rc < 0)
        return rc;
    if ((format = mlr_folder_path(&disk->root, FORMAT)) == NULL)
        return mlr_error_nomem(err);
    rc = mlr_fs_write_file(format, FORMAT_TEXT, strlen(FORMAT_TEXT), 0600, err);
    mlr_free(format);
    return rc;
}

static int check_format(const char *dir, const char *text, mlreg_error **err)
{
    char         *end;
    unsigned long format = strtoul(text, &end, 10);
    int           rc;

    if (end == text || strcmp(end, "\n") != 0 || format == 0) {
        rc = mlr_error_set(err, MLREG_EPROTO, "%s/" FORMAT " does not name a store's format", dir);
        return mlr_error_hint(err, rc, "a store of this version has the line \"%d\" there", FORMAT_NOW);
    }
    if (format == FORMAT_NOW)
        return 0;
    rc = mlr_error_set(err, MLREG_ENOTSUP, "the store %s has format %lu; this library knows format %d", dir, format,
                       FORMAT_NOW);
    return mlr_error_hint(err, rc, "a newer libmlreg made it: use that one, or a newer one still");
}

static int not_a_store(const mlr_disk *disk, const char *dir, mlreg_error **err)
{
    struct stat st;
    int         rc = mlr_error_set(err, MLREG_EPROTO, "%s holds something else than a store", dir);

    if (mlr_folder_look(&disk->root, MLR_LAYOUTFILE, &st, NULL) == 1)
        return mlr_error_hint(err, rc, "it is an OCI layout: open it as \"oci:%s\"", dir);
    return mlr_error_hint(err, rc, "choose an empty directory, or one that does not exist yet");
}

static int check_store(const mlr_disk *disk, const char *dir, bool create, mlreg_error **err)
{
    mlr_buf      text = MLR_BUF_INIT(FORMAT_MAX_LEN);
    mlreg_error *why = NULL;
    int          rc = mlr_folder_read(&disk->root, FORMAT, &text, &why);

    if (rc == 0) {
        rc = check_format(dir, text.data, err);
    } else if (rc == MLREG_ELIMIT) {
        rc = check_format(dir, "", err);
    } else if (rc != MLREG_ENOTFOUND) {
        mlr_error_move(err, &why);
    } else if ((rc = mlr_disk_is_fresh(dir, PRIVATE, err)) == 0) {
        rc = not_a_store(disk, dir, err);
    } else if (rc == 1 && create) {
        rc = make_store(disk, err);
    } else if (rc == 1) {
        rc = mlr_error_set(err, MLREG_ENOTFOUND, "there is no store in %s", dir);
        mlr_error_hint(err, rc, "check the path, or open it with MLREG_OPEN_CREATE to have one made");
    }
    mlr_error_done(why);
    mlr_buf_done(&text);
    return rc;
}

static int be_writable(mlr_disk *disk, mlreg_error **err)
{
    char *claims = mlr_folder_path(&disk->pool, "locks/claims");
    int   rc = claims != NULL ? mlr_claims_new(claims, &disk->claims, err) : mlr_error_nomem(err);

    mlr_free(claims);
    return rc < 0 ? rc : mlr_disk_be_writable(disk, err);
}

static int name_private_parts(mlr_disk *disk, mlreg_error **err)
{
    if ((disk->receiving = mlr_folder_path(&disk->pool, "partial")) == NULL ||
        (disk->notes = mlr_folder_path(&disk->pool, "locks")) == NULL ||
        (disk->gate = mlr_folder_path(&disk->pool, "locks/gate")) == NULL)
        return mlr_error_nomem(err);
    disk->quarantine = PRIVATE "/quarantine";
    return disk->place.read_only ? 0 : be_writable(disk, err);
}

int mlr_store_open(const char *dir, const mlreg_session_options *o, mlr_runtime *rt, mlr_op *op, mlr_place **out,
                   mlreg_error **err)
{
    bool      create = o != NULL && (o->flags & MLREG_OPEN_CREATE) && !(o->flags & MLREG_OPEN_READONLY);
    mlr_disk *disk = NULL;
    int       rc;

    (void)op;
    if ((rc = mlr_disk_ready(dir, create, err)) < 0 || (rc = mlr_disk_new(dir, &store_ops, o, rt, &disk, err)) < 0)
        return rc;
    disk->repository = store_repository;
    disk->names = store_names;
    if ((rc = mlr_folder_init(&disk->pool, disk->top, disk->root.path, PRIVATE, err)) < 0 ||
        (rc = check_store(disk, dir, create, err)) < 0 || (rc = name_private_parts(disk, err)) < 0) {
        mlr_disk_abandon(disk);
        return rc;
    }
    *out = &disk->place;
    return 0;
}
