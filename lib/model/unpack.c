/* model/unpack.c - a layer that is an archive of files, unpacked beneath a folder. */
#include "model/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/beneath.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "codec/archive.h"
#include "model/glob.h"
#include "model/modelpack.h"
#include "place/fetch.h"
#include "place/partdir.h"

#define PIECE_BYTES (256u << 10)
#define SMALL_BYTES (1u << 20)   /* up to here files are published together */

/* ---- which layers ---- */

static bool ends_in_tar(const char *type)
{
    static const char ends[][10] = { ".tar", ".tar+gzip", ".tar+zstd", ".tar.gzip", ".tar.gz" };

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (mlr_text_ends_in(type, strlen(type), ends[i]))
            return true;
    return false;
}

static bool is_model_type(const char *type)
{
    static const char starts[][33] = { "application/vnd.cncf.model.", "application/vnd.cnai.model.", "application/vnd.kitops.modelkit." };

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
    return ends_in_tar(layer->media_type) && (is_model_type(layer->media_type) || mlr_descriptor_annotation(layer, MLR_TITLE_KEY) == NULL);
}

/* ---- the bytes, verified before they are decoded ---- */

/* Whole, it loses its name: others who want it bring their own. */
static int into_partial(mlr_runtime *rt, mlr_reader *r, const mlr_descriptor *layer, mlr_partial *p, mlr_temp *t, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_fetch_partial(rt, r, p, &layer->digest, op, err);

    if (rc == 0 && (rc = mlr_partial_finish(p, 0600, t, err)) == 0 && (rc = mlr_fs_unlink(t->path, err)) == 0) {
        mlr_free(t->path);
        t->path = NULL;
    }
    return rc;
}

static int into_nameless(mlr_runtime *rt, mlr_reader *r, const mlr_descriptor *layer, const mlr_ground *ground, mlr_temp *t, mlr_op *op, mlreg_error **err)
{
    mlr_digest got;
    int rc;

    if ((rc = mlr_temp_open_in(t, ground->fd, ground->path, 0600, err)) < 0)
        return rc;
    if ((rc = mlr_fs_reserve(t->fd, r->bytes, ground->path, err)) < 0 || (rc = mlr_fetch(rt, r, t->fd, ground->path, NULL, op, &got, err)) < 0)
        return rc;
    return mlr_digest_check(&got, &layer->digest, r->name, err);
}

static int into_file(mlr_runtime *rt, mlr_reader *r, const mlr_descriptor *layer, const mlr_ground *ground, mlr_temp *t, mlr_op *op, mlreg_error **err)
{
    mlr_partdir part = MLR_PARTDIR_INIT;
    int rc = mlr_partdir_suits(r) ? mlr_partdir_lock(&part, ground->fd, ground->fd, ground->path, &layer->digest, r->bytes, op, err) : 0;

    if (rc >= 0)
        rc = rc == 1 ? into_partial(rt, r, layer, part.partial, t, op, err) : into_nameless(rt, r, layer, ground, t, op, err);
    if (rc < 0)
        mlr_temp_done(t);
    mlr_partdir_done(&part);
    return rc;
}

static int read_back(const mlr_temp *t, const char *name, mlr_reader **out, mlreg_error **err)
{
    int rc, fd = fcntl(t->fd, F_DUPFD_CLOEXEC, 0);

    if (fd < 0)
        return mlr_error_errno(err, errno, "%s", name);
    if ((rc = mlr_reader_from_fd(fd, name, true, out, err)) < 0)
        mlr_fs_close(fd);
    return rc;
}

int mlr_unpack_bring(mlr_unpack *u, mlr_runtime *rt, mlr_reader **r, const mlr_descriptor *layer, const mlr_ground *ground, mlr_op *op, mlreg_error **err)
{
    int rc;

    if ((*r)->trusted) {
        u->bytes = *r;
        return 0;
    }
    if ((rc = into_file(rt, *r, layer, ground, &u->temp, op, err)) < 0 ||
        (rc = read_back(&u->temp, layer->digest.text, &u->bytes, err)) < 0)
        return rc;
    mlr_reader_free(*r);
    *r = NULL;
    return 0;
}

void mlr_unpack_done(mlr_unpack *u)
{
    mlr_reader_free(u->bytes);
    mlr_temp_done(&u->temp);
    *u = (mlr_unpack)MLR_UNPACK_INIT;
}

/* ---- names ---- */

/* The archive's own root. */
static bool is_root(const mlr_member *m)
{
    return m->kind == MLR_MEMBER_DIR && strcmp(m->name, ".") == 0;
}

static int refuse_kind(const mlr_member *m, mlreg_error **err)
{
    const char *what = m->kind == MLR_MEMBER_OTHER ? "device or pipe" : "link";
    int rc = mlr_error_set(err, MLREG_EDENIED, "the archive holds \"%s\", which is a %s", m->name, what);

    mlr_error_subject(err, rc, m->name);
    return mlr_error_hint(err, rc, "only files and directories are unpacked; have the layer made again without it");
}

/* OCI image-spec, "Whiteouts": a name that stands for the absence of another one in the layers below. */
static bool is_whiteout(const mlr_member *m)
{
    const char *slash = strrchr(m->name, '/');

    return strncmp(slash != NULL ? slash + 1 : m->name, ".wh.", 4) == 0;
}

static int add_name(const mlr_member *m, mlr_titles *t, mlreg_error **err)
{
    int rc;

    if (is_root(m))
        return 0;
    if (m->kind != MLR_MEMBER_FILE && m->kind != MLR_MEMBER_DIR)
        return refuse_kind(m, err);
    if (!is_whiteout(m))
        return m->kind == MLR_MEMBER_FILE ? mlr_titles_add(t, m->name, err) : mlr_titles_add_folder(t, m->name, err);
    rc = mlr_error_set(err, MLREG_ENOTSUP, "the archive holds \"%s\", which removes a file of another layer", m->name);
    return mlr_error_hint(err, rc, "this is a layer of a container's file system: let a container runtime unpack it");
}

int mlr_unpack_names(const mlr_unpack *u, mlr_titles *add_to, mlr_op *op, mlreg_error **err)
{
    mlr_archive *a = NULL;
    mlr_member m;
    int rc = mlr_archive_open(u->bytes, NULL, op, &a, err);

    while (rc >= 0 && (rc = mlr_archive_next(a, &m, err)) == 1)
        rc = add_name(&m, add_to, err);
    mlr_archive_free(a);
    return rc;
}

/* ---- files ---- */

struct unpacking { mlr_archive *archive; const mlr_ground *ground; const mlr_checkout *how; mlr_op *op; char *piece, *other; mlr_landings small; };

static int write_member(const struct unpacking *x, mlr_landing *l, mlreg_error **err)
{
    uint64_t at = 0, from_us;
    int64_t n = 0;
    int rc = 0;

    while (rc == 0 && (n = mlr_archive_read(x->archive, x->piece, PIECE_BYTES, err)) > 0) {
        from_us = mlr_clock_us();
        rc = mlr_fs_write_at(l->temp.fd, at, x->piece, (size_t)n, l->shown, err);
        mlr_op_spent(x->op, MLR_N_US_WRITTEN, from_us);
        at += (uint64_t)n;
    }
    return rc < 0 ? rc : (int)n;
}

/* 1: both files, of the same size, hold the same. What cannot be read is different. */
static int is_same(const struct unpacking *x, int fd, int there, uint64_t bytes, mlreg_error **err)
{
    for (uint64_t at = 0; at < bytes; at += PIECE_BYTES) {
        int64_t n = mlr_fs_read_at(fd, at, x->piece, PIECE_BYTES, "", NULL), m = mlr_fs_read_at(there, at, x->other, PIECE_BYTES, "", NULL);
        int rc = mlr_op_check(x->op, err);

        if (rc < 0)
            return rc;
        if (n <= 0 || n != m || memcmp(x->piece, x->other, (size_t)n) != 0)
            return 0;
    }
    return 1;
}

/* `there`: a file of that size in its place, or -1. */
static int write_and_publish(struct unpacking *x, const mlr_member *m, int there, mlreg_error **err)
{
    mlr_landing l = MLR_LANDING_INIT;
    int rc;

    if ((rc = mlr_landing_begin(&l, x->ground, m->name, m->mode & 0100 ? 0755 : 0644, err)) == 0 &&
        (rc = mlr_fs_reserve(l.temp.fd, m->bytes, l.shown, err)) == 0 && (rc = write_member(x, &l, err)) == 0) {
        rc = there >= 0 ? is_same(x, l.temp.fd, there, m->bytes, err) : 0;
        if (rc == 0)
            rc = m->bytes <= SMALL_BYTES ? mlr_landings_add(&x->small, &l, x->op, err) : mlr_landing_end(&l, x->op, err);
    }
    mlr_landing_done(&l);
    return rc < 0 ? rc : 0;
}

static int land_file(struct unpacking *x, const mlr_member *m, mlreg_error **err)
{
    int there = -1, rc = mlr_landing_open_existing(x->ground, m->name, m->bytes, &there, err);

    if (rc >= 0)
        rc = write_and_publish(x, m, there, err);
    mlr_fs_close(there);
    return rc;
}

static int land_member(struct unpacking *x, const mlr_member *m, mlreg_error **err)
{
    if (is_root(m) || !mlr_glob_selected(x->how, m->name))
        return 0;
    if (m->kind == MLR_MEMBER_FILE)
        return land_file(x, m, err);
    if (m->kind != MLR_MEMBER_DIR || x->how->n_include > 0) /* files were asked for */
        return 0;
    return mlr_beneath_mkdirs(x->ground->fd, m->name, 0755, err);
}

int mlr_unpack_land(const mlr_unpack *u, const mlr_ground *ground, const mlr_checkout *how, mlr_op *op, mlreg_error **err)
{
    struct unpacking x = { .ground = ground, .how = how, .op = op, .piece = mlr_alloc(PIECE_BYTES), .other = mlr_alloc(PIECE_BYTES), .small = MLR_LANDINGS_INIT };
    mlr_member m;
    int rc = x.piece == NULL || x.other == NULL ? mlr_error_nomem(err) : mlr_landings_begin(&x.small, ground, err);

    if (rc == 0)
        rc = mlr_archive_open(u->bytes, NULL, op, &x.archive, err);
    while (rc >= 0 && (rc = mlr_archive_next(x.archive, &m, err)) == 1)
        rc = land_member(&x, &m, err);
    if (rc == 0)
        rc = mlr_landings_end(&x.small, op, err);
    mlr_landings_done(&x.small);
    mlr_archive_free(x.archive);
    mlr_free(x.piece);
    mlr_free(x.other);
    return rc;
}
