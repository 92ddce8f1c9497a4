/* model/rootfs.c - an image's file system, out of all its layers, into a folder: beside it first, and there when all is checked. */
#include "model/rootfs.h"

#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "model/image.h"
#include "model/rootfs_parts.h"

#define BYTES_MAX   ((uint64_t)1 << 40)    /* of all layers, unpacked */
#define MEMBERS_MAX 2000000u
#define CONFIG_MAX  ((size_t)16 << 20)

struct unpacking {
    mlr_rootfs_source from;
    const char *dir;
    mlr_digest *diff_ids;                  /* one for each layer */
    char *whole, *parent;                  /* `dir` without slashes behind it; the folder that holds it */
    const char *name;                      /* of `dir` in it: a part of `whole` */
    int parent_fd;
    char temp[MLR_ROOTFS_TEMP_BYTES];      /* beside `dir`; "": none */
    mlr_rootfs_work work;
    mlr_op *op;
};

/* ---- is it an image, and what does its config say? ---- */

static int no_image(const mlr_manifest *m, const char *what, const char *type, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_ENOTSUP, "%s is no image: its %s is of type \"%s\"", m->self.digest.text, what, type);

    mlr_error_subject(err, rc, m->self.digest.text);
    return mlr_error_hint(err, rc, "the files of an artifact come out by checkout: mlreg pull REF -o DIR");
}

int mlr_rootfs_check(const mlr_manifest *m, mlreg_error **err)
{
    const char *config = m->config != NULL ? m->config->media_type : "";
    int rc;

    if (m->is_index) {
        rc = mlr_error_set(err, MLREG_ENOTSUP, "%s is an index: it has no layers itself", m->self.digest.text);
        return mlr_error_hint(err, rc, "choose one of its manifests, by digest: mlreg inspect lists them");
    }
    if (!mlr_image_config_type(config))
        return no_image(m, "config", config, err);
    for (size_t i = 0; i < m->n_layers; i++)
        if (mlr_image_layer_type(m->layers[i].media_type) == NULL)
            return no_image(m, "layer", m->layers[i].media_type, err);
    return 0;
}

static int read_config(struct unpacking *u, mlreg_error **err)
{
    const mlr_descriptor *d = u->from.manifest->config;
    const size_t n = u->from.manifest->n_layers;
    mlr_blob b = { u->from.repo, d->digest, d->bytes, d->media_type };
    mlr_buf text = MLR_BUF_INIT(CONFIG_MAX);
    int rc;

    if ((u->diff_ids = mlr_alloc_array(n + 1, sizeof *u->diff_ids)) == NULL)
        return mlr_error_nomem(err);
    if ((rc = mlr_place_blob_bytes(u->from.place, &b, CONFIG_MAX, u->op, &text, err)) == 0)
        rc = mlr_image_diff_ids(text.data, text.len, n, u->diff_ids, err);
    u->from.diff_ids = u->diff_ids;
    mlr_buf_done(&text);
    return mlr_error_at(err, mlr_error_subject(err, rc, d->digest.text), u->from.place->name);
}

/* ---- the folder ---- */

static int in_the_way(const struct unpacking *u, const char *what, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_EEXISTS, "%s %s", u->dir, what);

    return mlr_error_hint(err, rc, "name a folder that is not there yet, or is empty: an image is never mixed with other files");
}

static int check_empty(const struct unpacking *u, mlreg_error **err)
{
    mlr_dir_list l = { 0 };
    mlreg_error *why = NULL;
    int fd = -1, rc = mlr_inside_open_dir(u->parent_fd, u->name, u->dir, &fd, &why);

    if (rc == 0)
        rc = mlr_fs_list(fd, u->dir, 1, &l, &why);
    if (l.n > 0 || rc == MLREG_ELIMIT)
        rc = in_the_way(u, "is there already, and not empty", err);
    mlr_fs_close(fd);
    mlr_dir_list_done(&l);
    mlr_error_move(err, &why);
    return rc;
}

static int check_target(const struct unpacking *u, mlreg_error **err)
{
    struct stat st;
    int rc = mlr_inside_stat(u->parent_fd, u->name, u->dir, &st, err);

    if (rc <= 0)
        return rc;
    if (!S_ISDIR(st.st_mode))
        return in_the_way(u, S_ISLNK(st.st_mode) ? "is a link" : "is there already, and is no folder", err);
    return check_empty(u, err);
}

static int find_target(struct unpacking *u, mlreg_error **err)
{
    size_t len = strlen(u->dir);
    const char *slash;
    int rc;

    while (len > 1 && u->dir[len - 1] == '/')
        len--;
    if ((u->whole = mlr_strndup(u->dir, len)) == NULL || (u->parent = mlr_path_dir(u->whole)) == NULL)
        return mlr_error_nomem(err);
    slash = strrchr(u->whole, '/');
    u->name = slash != NULL ? slash + 1 : u->whole;
    if (u->name[0] == '\0' || strcmp(u->name, ".") == 0 || strcmp(u->name, "..") == 0) {
        rc = mlr_error_set(err, MLREG_EINVAL, "\"%s\" is no name that a new folder can have", u->dir);
        return mlr_error_hint(err, rc, "name the folder itself, as in ./rootfs: it is put in its place when all of it is there");
    }
    if ((rc = mlr_fs_open(u->parent, O_RDONLY | O_DIRECTORY, 0, &u->parent_fd, err)) < 0)
        return mlr_error_hint(err, rc, "check the path, or make it first: mkdir -p %s", u->parent);
    return check_target(u, err);
}

/* ---- the end ---- */

static int nothing_there(const struct unpacking *u, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_ENOTFOUND, "the image has nothing at /%s", u->work.only.text);

    mlr_error_subject(err, rc, u->work.only.text);
    return mlr_error_hint(err, rc, "a path that leads through a link of the image has to be named without it");
}

/* The folder that is to be published; of a file, and of a link, the one that holds it. */
static int find_published(struct unpacking *u, int *dir, const char **last, mlreg_error **err)
{
    mlreg_error *why = NULL;
    struct stat st;
    char *slash;
    int rc = mlr_inside_parent(u->work.root, u->work.only.text, false, dir, last, &why);

    if (rc == 0)
        rc = mlr_inside_stat(*dir, *last, u->work.only.text, &st, &why);
    if (rc == 0 || rc == MLREG_ENOTFOUND || rc == MLREG_EPROTO) {
        mlr_error_done(why);
        return nothing_there(u, err);
    }
    mlr_error_move(err, &why);
    if (rc < 0 || S_ISDIR(st.st_mode))
        return rc < 0 ? rc : 0;
    slash = strrchr(u->work.only.text, '/');
    *(slash != NULL ? slash : u->work.only.text) = '\0';
    if (slash == NULL)
        return 0;
    mlr_fs_close(*dir);
    *dir = -1;
    return find_published(u, dir, last, err);
}

/* A folder that is closed cannot go below another one: its mode comes back behind that. */
static int move_out(const struct unpacking *u, int dir, const char *last, mlreg_error **err)
{
    struct stat st;
    int fd = -1, rc;

    if ((rc = mlr_inside_open_dir(dir, last, u->dir, &fd, err)) == 0 && (rc = mlr_fs_stat_fd(fd, u->dir, &st, err)) == 0 &&
        (rc = mlr_fs_set_mode(fd, 0700, u->dir, err)) == 0 && (rc = mlr_inside_rename(dir, last, u->parent_fd, u->name, u->dir, err)) == 0)
        rc = mlr_fs_set_mode(fd, st.st_mode & 07777, u->dir, err);
    mlr_fs_close(fd);
    return rc;
}

static int put_in_place(struct unpacking *u, int dir, const char *last, mlreg_error **err)
{
    int rc;

    if (u->work.only.text[0] != '\0')
        rc = move_out(u, dir, last, err);
    else if ((rc = mlr_inside_rename(u->parent_fd, u->temp, u->parent_fd, u->name, u->dir, err)) == 0)
        u->temp[0] = '\0';
    return rc == MLREG_EIO ? mlr_error_hint(err, rc, "a mount point cannot be the target: name a folder in it") : rc;
}

static int publish(struct unpacking *u, mlreg_error **err)
{
    const char *last = "";
    int dir = -1, rc = 0;

    if (u->work.only.text[0] != '\0')
        rc = find_published(u, &dir, &last, err);
    if (rc == 0 && (rc = mlr_fs_set_mode(u->work.root, 0755, u->dir, err)) == 0 && (rc = mlr_rootfs_notes_apply(&u->work.notes, u->work.root, err)) == 0 &&
        (rc = mlr_inside_sync(u->work.root, u->dir, err)) == 0 && (rc = mlr_op_check(u->op, err)) == 0)
        rc = put_in_place(u, dir, last, err);
    mlr_fs_close(dir);
    return rc < 0 ? rc : mlr_fs_sync_dir(u->parent, err);
}

static void release(struct unpacking *u)
{
    if (u->temp[0] != '\0')
        mlr_inside_remove(u->parent_fd, u->temp, u->dir, NULL, NULL, NULL);
    mlr_fs_close(u->work.root);
    mlr_fs_close(u->parent_fd);
    mlr_rootfs_notes_done(&u->work.notes);
    mlr_free(u->diff_ids);
    mlr_free(u->parent);
    mlr_free(u->whole);
}

int mlr_rootfs_unpack(mlr_place *p, const char *repo, const mlr_manifest *m, const char *dir, const mlr_rootfs *how, mlr_op *op, mlreg_error **err)
{
    struct unpacking u = { .from = { p, repo, m, NULL, dir, how->layers, how->n_layers, how->foreign }, .dir = dir, .parent_fd = -1, .op = op,
        .work = { .root = -1, .owners = how->owners, .members_left = MEMBERS_MAX, .bytes_left = BYTES_MAX, .op = op } };
    int rc;

    if ((rc = mlr_rootfs_check(m, err)) == 0 && (rc = mlr_rootfs_clean(how->path != NULL ? how->path : "", &u.work.only, err)) == 0 &&
        (rc = find_target(&u, err)) == 0 && (rc = read_config(&u, err)) == 0 && (rc = mlr_rootfs_temp_make(u.parent_fd, u.dir, u.temp, &u.work.root, err)) == 0 && (rc = mlr_rootfs_take(&u.from, &u.work, err)) == 0)
        rc = publish(&u, err);
    release(&u);
    return rc == MLREG_EIO || rc == MLREG_EDENIED || rc == MLREG_EEXISTS ? mlr_error_at(err, rc, dir) : rc;
}
