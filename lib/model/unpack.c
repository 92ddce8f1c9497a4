/* model/unpack.c - a layer that is an archive of files, unpacked beneath a folder. */
#include "model/unpack.h"

#include <errno.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/beneath.h"
#include "base/error.h"
#include "codec/archive.h"
#include "model/glob.h"
#include "model/landing.h"
#include "model/titles.h"
#include "place/intake.h"

#define PIECE_BYTES (256u << 10)

/* ---- which layers ---- */

static bool ends_in_tar(const char *type)
{
    static const char *const ends[] = { ".tar", ".tar+gzip", ".tar+zstd", ".tar.gzip", ".tar.gz" };
    size_t len = strlen(type);

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t n = strlen(ends[i]);

        if (len >= n && strcmp(type + len - n, ends[i]) == 0)
            return true;
    }
    return false;
}

static bool is_model_type(const char *type)
{
    static const char *const starts[] = { "application/vnd.cncf.model.", "application/vnd.cnai.model.", "application/vnd.kitops.modelkit." };

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (strncmp(type, starts[i], strlen(starts[i])) == 0)
            return true;
    return false;
}

bool mlr_unpack_is_archive(const mlr_descriptor *layer)
{
    const char *marked = mlr_descriptor_annotation(layer, "io.deis.oras.content.unpack");

    if (marked != NULL && strcmp(marked, "true") == 0)
        return true;
    return ends_in_tar(layer->media_type) && (is_model_type(layer->media_type) || mlr_descriptor_title(layer) == NULL);
}

/* ---- the bytes, verified before they are decoded ---- */

static int put(void *user, uint64_t offset, const void *data, size_t len, mlreg_error **err)
{
    return mlr_fs_write_at(*(int *)user, offset, data, len, "a temporary file", err);
}

static int bring(mlr_runtime *rt, mlr_reader *r, const mlr_descriptor *layer, int root, mlr_temp *t, mlr_reader **out, mlr_op *op, mlreg_error **err)
{
    char *dir = mlr_asprintf("/proc/self/fd/%d", root);
    mlr_digest got;
    int fd, rc = dir == NULL ? mlr_error_nomem(err) : mlr_temp_open(t, dir, 0600, err);

    mlr_free(dir);
    if (rc < 0 || (rc = mlr_intake(rt, r, put, &t->fd, op, &got, err)) < 0 ||
        (rc = mlr_digest_check(&got, &layer->digest, layer->digest.text, err)) < 0)
        return rc;
    fd = dup(t->fd);
    if (fd < 0)
        return mlr_error_errno(err, errno, "%s", layer->digest.text);
    if ((rc = mlr_reader_from_fd(fd, layer->digest.text, true, out, err)) < 0)
        mlr_fs_close(fd);
    return rc;
}

/* ---- members ---- */

/* The archive's own root. */
static bool is_root(const mlr_member *m)
{
    return m->kind == MLR_MEMBER_DIR && strcmp(m->name, ".") == 0;
}

static int check_member(const mlr_member *m, mlr_titles *t, mlreg_error **err)
{
    if (is_root(m))
        return 0;
    if (m->kind == MLR_MEMBER_FILE)
        return mlr_titles_add(t, m->name, err);
    if (m->kind == MLR_MEMBER_DIR)
        return mlr_beneath_check_name(m->name, err);
    int rc = mlr_error_set(err, MLREG_EDENIED, "the archive holds \"%s\", which is a %s", m->name,
        m->kind == MLR_MEMBER_OTHER ? "device or pipe" : "link");
    return mlr_error_hint(err, rc, "only files and directories are unpacked; have the layer made again without it");
}

static int check_all(mlr_reader *r, mlr_op *op, mlreg_error **err)
{
    mlr_archive *a = NULL;
    mlr_titles titles = { 0 };
    mlr_member m;
    int rc = mlr_archive_open(r, NULL, op, &a, err);

    while (rc >= 0 && (rc = mlr_archive_next(a, &m, err)) == 1)
        rc = check_member(&m, &titles, err);
    if (rc == 0)
        rc = mlr_titles_check(&titles, err);
    mlr_titles_done(&titles);
    mlr_archive_free(a);
    return rc;
}

static int write_member(mlr_archive *a, const mlr_member *m, mlr_landing *l, char *piece, mlr_op *op, mlreg_error **err)
{
    uint64_t at = 0;
    int64_t n = 0;
    int rc = 0;

    while (rc == 0 && (n = mlr_archive_read(a, piece, PIECE_BYTES, err)) > 0) {
        if ((rc = mlr_op_check(op, err)) == 0)
            rc = mlr_fs_write_at(l->temp.fd, at, piece, (size_t)n, m->name, err);
        at += (uint64_t)n;
    }
    return rc < 0 ? rc : (int)n;
}

static int land_member(mlr_archive *a, const mlr_member *m, int root, char *piece, mlr_op *op, mlreg_error **err)
{
    mlr_landing l = MLR_LANDING_INIT;
    char *path = mlr_strdup(m->name);   /* reading on may overwrite the archive's own */
    int fd, rc;

    if (path == NULL)
        return mlr_error_nomem(err);
    if ((rc = mlr_landing_open_existing(root, path, 0, &fd, err)) == 1)
        mlr_fs_close(fd);
    if (rc >= 0 && (rc = mlr_landing_begin(&l, root, path, m->mode & 0100 ? 0755 : 0644, err)) == 0 &&
        (rc = write_member(a, m, &l, piece, op, err)) == 0)
        rc = mlr_landing_end(&l, err);
    mlr_landing_done(&l);
    mlr_free(path);
    return rc;
}

static int land_all(mlr_reader *r, int root, const mlr_checkout *how, mlr_op *op, mlreg_error **err)
{
    mlr_archive *a = NULL;
    mlr_member m;
    char *piece = mlr_alloc(PIECE_BYTES);
    int rc = piece == NULL ? mlr_error_nomem(err) : mlr_archive_open(r, NULL, op, &a, err);

    while (rc >= 0 && (rc = mlr_archive_next(a, &m, err)) == 1) {
        if (m.kind == MLR_MEMBER_FILE && mlr_glob_selected(how, m.name))
            rc = land_member(a, &m, root, piece, op, err);
        else if (m.kind == MLR_MEMBER_DIR && !is_root(&m) && how->n_include == 0)
            rc = mlr_beneath_mkdirs(root, m.name, 0755, err);
    }
    mlr_archive_free(a);
    mlr_free(piece);
    return rc;
}

int mlr_unpack(mlr_runtime *rt, mlr_reader *r, const mlr_descriptor *layer, int root, const mlr_checkout *how, mlr_op *op, mlreg_error **err)
{
    mlr_temp t = MLR_TEMP_INIT;
    mlr_reader *verified = NULL;
    int rc = r->trusted ? 0 : bring(rt, r, layer, root, &t, &verified, op, err);
    mlr_reader *from = verified != NULL ? verified : r;

    if (rc == 0 && (rc = check_all(from, op, err)) == 0)
        rc = land_all(from, root, how, op, err);
    mlr_reader_free(verified);
    mlr_temp_done(&t);
    return rc;
}
