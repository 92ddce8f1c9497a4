/* model/rootfs_layer.c - one layer of an image laid over those below it. OCI image-spec 1.1, "Image Layer Filesystem Changeset". */
#include "model/rootfs_parts.h"

#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"

#define PIECE_BYTES  (256u << 10)

struct layering {
    mlr_rootfs_work *work;
    mlr_archive *archive;
    mlr_rootfs_own own;
    char *piece;
};
/* Where one member goes. */
struct spot {
    int dir;
    uint64_t dir_inode;
    const char *last, *path;       /* last: a part of path */
};

static int open_spot(struct layering *x, const char *path, bool make, struct spot *out, mlreg_error **err)
{
    struct stat st;
    int rc = mlr_inside_parent(x->work->root, path, make, &out->dir, &out->last, err);

    if (rc == 0 && (rc = mlr_fs_stat_fd(out->dir, path, &st, err)) == 0)
        out->dir_inode = st.st_ino;
    out->path = path;
    return rc;
}

/* ---- what the layer removes ---- */

static bool is_own(const struct stat *dir, const char *name, void *user)
{
    return mlr_rootfs_own_has(user, dir->st_ino, name);
}

/* What is not there needs no removing. */
static int unless_missing(int rc, mlreg_error **why, mlreg_error **err)
{
    if (rc == MLREG_ENOTFOUND) {
        mlr_error_done(*why);
        return 0;
    }
    mlr_error_move(err, why);
    return rc;
}

/* Said again it says nothing new: what is there now is all the layer's own. */
static int remove_once(struct layering *x, const struct spot *s, const char *name, mlreg_error **err)
{
    int rc;

    if (mlr_rootfs_own_has(&x->own, s->dir_inode, name))
        return 0;
    if (strcmp(name, MLR_OPAQUE) == 0)
        rc = mlr_inside_empty(s->dir, s->path, is_own, &x->own, err);
    else
        rc = mlr_inside_remove(s->dir, name + MLR_WHITEOUT_LEN, s->path, is_own, &x->own, err);
    return rc < 0 ? rc : mlr_rootfs_own_put(&x->own, s->dir_inode, name, err);
}

static int white_out(struct layering *x, const char *path, const char *name, mlreg_error **err)
{
    mlreg_error *why = NULL;
    struct spot s = { .dir = -1 };
    int rc = open_spot(x, path, false, &s, &why);

    if (rc == 0)
        rc = remove_once(x, &s, name, &why);
    mlr_fs_close(s.dir);
    return unless_missing(rc, &why, err);
}

static int refuse_whiteout(const char *path, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_EPROTO, "\"%s\" removes no name that a file can have", path);

    return mlr_error_subject(err, rc, path);
}

/* Whether what it removes is asked for, or holds what is. */
static bool concerns(const mlr_rootfs_work *w, const char *path, const char *name)
{
    mlr_rootfs_name target = { "" };
    size_t parent = (size_t)(name - path);

    memcpy(target.text, path, parent);
    target.text[parent] = '\0';
    if (strcmp(name, MLR_OPAQUE) != 0)
        memcpy(target.text + parent, name + MLR_WHITEOUT_LEN, strlen(name + MLR_WHITEOUT_LEN) + 1);
    else if (parent > 0)
        target.text[parent - 1] = '\0';
    return mlr_rootfs_is_below(target.text, w->only.text) || mlr_rootfs_is_below(w->only.text, target.text);
}

static int take_whiteout(struct layering *x, const char *path, const char *name, mlreg_error **err)
{
    const char *removed = name + MLR_WHITEOUT_LEN;

    if (removed[0] == '\0' || strcmp(removed, ".") == 0 || strcmp(removed, "..") == 0)
        return refuse_whiteout(path, err);
    if (strcmp(name, MLR_OPAQUE) != 0 && strncmp(removed, MLR_WHITEOUT, MLR_WHITEOUT_LEN) == 0)
        return 0;                  /* aufs' own notes */
    return concerns(x->work, path, name) ? white_out(x, path, name, err) : 0;
}

/* ---- what it brings ---- */

/* Without owners all is the user's: a set-uid bit would lend out the user's rights. */
static mlr_inside_marks marks_of(const mlr_rootfs_work *w, const mlr_member *m)
{
    return (mlr_inside_marks){ .mode = m->mode & (w->owners ? 07777 : 01777), .mtime_s = m->mtime_s, .owned = w->owners, .uid = (uint32_t)m->uid, .gid = (uint32_t)m->gid };
}

static int check_owner(const mlr_rootfs_work *w, const mlr_member *m, mlreg_error **err)
{
    if (!w->owners || (m->uid >= 0 && m->uid < UINT32_MAX && m->gid >= 0 && m->gid < UINT32_MAX))
        return 0;
    return mlr_error_set(err, MLREG_EPROTO, "\"%.200s\" has an owner that no system knows: %lld:%lld", m->name, (long long)m->uid, (long long)m->gid);
}

static int put_dir(struct layering *x, const struct spot *s, const mlr_inside_marks *marks, mlreg_error **err)
{
    struct stat st;
    int fd = -1, rc = mlr_inside_stat(s->dir, s->last, s->path, &st, err);

    if (rc == 1 && !S_ISDIR(st.st_mode))
        rc = mlr_inside_remove(s->dir, s->last, s->path, NULL, NULL, err);
    if (rc >= 0 && (rc = mlr_inside_make_dir(s->dir, s->last, s->path, err)) == 0 && (rc = mlr_inside_open_dir(s->dir, s->last, s->path, &fd, err)) == 0 &&
        (rc = mlr_fs_stat_fd(fd, s->path, &st, err)) == 0)
        rc = mlr_rootfs_note_add(&x->work->notes, s->path, st.st_ino, marks, err);
    mlr_fs_close(fd);
    return rc;
}

static int fill(struct layering *x, int fd, const char *path, mlreg_error **err)
{
    uint64_t at = 0;
    int64_t n;
    int rc = 0;

    while (rc == 0 && (n = mlr_archive_read(x->archive, x->piece, PIECE_BYTES, err)) != 0) {
        rc = n < 0 ? (int)n : mlr_fs_write_at(fd, at, x->piece, (size_t)n, path, err);
        at += n > 0 ? (uint64_t)n : 0;
    }
    return rc;
}

static int put_file(struct layering *x, const struct spot *s, const mlr_member *m, const mlr_inside_marks *marks, mlreg_error **err)
{
    int fd = -1, rc;

    if ((rc = mlr_inside_make_file(s->dir, s->last, s->path, &fd, err)) == 0 && (rc = mlr_fs_reserve(fd, m->bytes, s->path, err)) == 0 &&
        (rc = fill(x, fd, s->path, err)) == 0)
        rc = mlr_inside_mark_fd(fd, marks, s->path, err);
    mlr_fs_close(fd);
    return rc;
}

static int no_target(const char *path, const char *target, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_EPROTO, "\"%s\" is a hard link to \"%s\", which is no file that was unpacked", path, target);

    mlr_error_subject(err, rc, path);
    return mlr_error_hint(err, rc, "where only a part of an image is unpacked, what it links to may lie outside: unpack all of it");
}

/* To a file or a symbolic link that was unpacked before: there is nothing else in the root. */
static int put_hard_link(struct layering *x, const struct spot *s, const char *link, mlreg_error **err)
{
    mlreg_error *why = NULL;
    mlr_rootfs_name target;
    struct spot from = { .dir = -1 };
    struct stat st;
    int rc = mlr_rootfs_clean(link, &target, err);

    if (rc < 0)
        return rc;
    if ((rc = open_spot(x, target.text, false, &from, &why)) == 0 && from.last[0] != '\0')
        rc = mlr_inside_stat(from.dir, from.last, target.text, &st, &why);
    if (rc == 1 && !S_ISDIR(st.st_mode))
        rc = mlr_inside_make_link(from.dir, from.last, s->dir, s->last, s->path, &why);
    else if (rc >= 0 || rc == MLREG_ENOTFOUND)
        rc = no_target(s->path, link, err);
    mlr_fs_close(from.dir);
    mlr_error_move(err, &why);
    return rc;
}

static int mark(const struct spot *s, const mlr_inside_marks *marks, int rc, mlreg_error **err)
{
    return rc < 0 ? rc : mlr_inside_mark_name(s->dir, s->last, marks, s->path, err);
}

/* Something that is no folder: what is there gives way, were it a folder. A hard link to itself is there already. */
static int put_other(struct layering *x, const struct spot *s, const mlr_member *m, const mlr_inside_marks *marks, mlreg_error **err)
{
    mlr_rootfs_name target;
    int rc;

    if (m->kind == MLR_MEMBER_HARDLINK && ((rc = mlr_rootfs_clean(m->link, &target, err)) < 0 || strcmp(target.text, s->path) == 0))
        return rc;
    if ((rc = mlr_inside_remove(s->dir, s->last, s->path, NULL, NULL, err)) < 0)
        return rc;
    switch (m->kind) {
    case MLR_MEMBER_FILE: return put_file(x, s, m, marks, err);
    case MLR_MEMBER_HARDLINK: return put_hard_link(x, s, m->link, err);
    case MLR_MEMBER_SYMLINK: return mark(s, marks, mlr_inside_make_symlink(s->dir, s->last, m->link, s->path, err), err);
    default: return mark(s, marks, mlr_inside_make_fifo(s->dir, s->last, s->path, err), err);
    }
}

static int put(struct layering *x, const char *path, const mlr_member *m, mlreg_error **err)
{
    mlr_inside_marks marks = marks_of(x->work, m);
    struct spot s = { .dir = -1 };
    int rc;

    if ((rc = check_owner(x->work, m, err)) < 0 || (rc = open_spot(x, path, true, &s, err)) < 0)
        goto out;
    if (path[0] == '\0')
        rc = m->kind == MLR_MEMBER_DIR ? mlr_rootfs_note_add(&x->work->notes, "", s.dir_inode, &marks, err) : 0;
    else if ((rc = mlr_rootfs_own_put(&x->own, s.dir_inode, s.last, err)) == 0)
        rc = m->kind == MLR_MEMBER_DIR ? put_dir(x, &s, &marks, err) : put_other(x, &s, m, &marks, err);
out:
    mlr_fs_close(s.dir);
    return rc;
}

static int take(struct layering *x, const mlr_member *m, mlreg_error **err)
{
    mlr_rootfs_name path;
    const char *slash, *name;
    int rc = mlr_rootfs_clean(m->name, &path, err);

    if (rc < 0)
        return rc;
    slash = strrchr(path.text, '/');
    name = slash != NULL ? slash + 1 : path.text;
    if (strncmp(name, MLR_WHITEOUT, MLR_WHITEOUT_LEN) == 0)
        return take_whiteout(x, path.text, name, err);
    if (m->kind == MLR_MEMBER_OTHER && !m->is_fifo)
        return 0;                  /* a device opens the machine, not the image; a runtime makes those that are needed */
    if (mlr_rootfs_is_below(path.text, x->work->only.text) || mlr_rootfs_is_below(x->work->only.text, path.text))
        return put(x, path.text, m, err);
    return 0;
}

/* ---- the layer ---- */

static int check_sum(mlr_sha256 *sum, const mlr_digest *diff_id, const char *name, mlreg_error **err)
{
    mlr_digest got;
    int rc;

    mlr_digest_final(sum, &got);
    if (mlr_digest_equal(&got, diff_id))
        return 0;
    rc = mlr_error_set(err, MLREG_EDIGEST, "layer %s unpacks to %s, not to %s as the image's config says", name, got.text, diff_id->text);
    mlr_error_subject(err, rc, name);
    return mlr_error_hint(err, rc, "config and layers are not of one image: it has to be made, or pushed, again");
}

int mlr_rootfs_layer(mlr_rootfs_work *w, mlr_reader *bytes, const mlr_digest *diff_id, mlreg_error **err)
{
    struct layering x = { .work = w, .piece = mlr_alloc(PIECE_BYTES) };
    mlr_archive_limits limits = { .bytes = w->bytes_left, .members = w->members_left };
    mlr_sha256 sum;
    mlr_member m;
    int rc = x.piece != NULL ? 0 : mlr_error_nomem(err);

    mlr_sha256_init(&sum);
    if (rc == 0)
        rc = mlr_archive_open_summed(bytes, &limits, &sum, w->op, &x.archive, err);
    while (rc >= 0 && (rc = mlr_archive_next(x.archive, &m, err)) == 1) {
        rc = take(&x, &m, err);
        w->members_left -= w->members_left > 1;
        w->bytes_left -= w->bytes_left > m.bytes ? m.bytes : w->bytes_left - 1;
    }
    if (rc == 0)
        rc = check_sum(&sum, diff_id, bytes->name, err);
    mlr_archive_free(x.archive);
    mlr_rootfs_own_done(&x.own);
    mlr_free(x.piece);
    return rc;
}
