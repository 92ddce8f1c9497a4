/* model/checkout.c - an artifact's files into a folder, straight from wherever it lives. */
#include "model/checkout.h"

#include <fcntl.h>
#include "base/alloc.h"
#include "base/beneath.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/work.h"
#include "model/counted.h"
#include "model/glob.h"
#include "model/landing.h"
#include "model/titles.h"
#include "model/unpack.h"
#include "place/intake.h"

struct checkout;
struct file {
    struct checkout *of;
    const mlr_descriptor *layer;
    const char *title;               /* of an archive: NULL, its members have names of their own */
};
struct checkout {
    mlr_place *place;
    const char *repo;
    int root;                        /* the folder; everything happens beneath it */
    const mlr_checkout *how;
    struct file *files;
    size_t n, cap;
    mlr_titles titles;
};

/* ---- one file ---- */

/* 1: what stands there already has the right content. */
static int is_there(struct file *f, mlr_op *op, mlreg_error **err)
{
    mlr_reader *r = NULL;
    mlr_digest got;
    int fd, rc = mlr_landing_open_existing(f->of->root, f->title, f->layer->bytes, &fd, err);

    if (rc <= 0)
        return rc;
    if ((rc = mlr_reader_from_fd(fd, f->title, false, &r, err)) < 0) {
        mlr_fs_close(fd);
        return rc;
    }
    rc = mlr_intake(f->of->place->rt, r, NULL, NULL, op, &got, err);
    mlr_reader_free(r);
    return rc < 0 ? rc : mlr_digest_equal(&got, &f->layer->digest);
}

static int fetch(struct file *f, mlr_op *op, mlreg_error **err)
{
    mlr_blob b = { f->of->repo, f->layer->digest, f->layer->bytes, f->layer->media_type };
    mlr_reader *inner = NULL, *r = NULL;
    int rc = mlr_place_blob_open(f->of->place, &b, op, &inner, err);

    if (rc < 0)
        return rc;
    if ((rc = mlr_counted_new(inner, &r, err)) < 0) {
        mlr_reader_free(inner);
        return rc;
    }
    if (f->title == NULL)
        rc = mlr_unpack(f->of->place->rt, r, f->layer, f->of->root, f->of->how, op, err);
    else
        rc = mlr_landing_file(f->of->place->rt, r, f->layer, f->of->root, f->title, op, err);
    if (rc == 0)
        mlr_counted_rest(r, op);
    mlr_reader_free(r);
    return rc;
}

static int check_out(void *arg, mlr_op *op, mlreg_error **err)
{
    struct file *f = arg;
    int rc = mlr_op_check(op, err);

    if (rc == 0 && f->title != NULL)
        rc = is_there(f, op, err);
    if (rc == 1) {
        mlr_op_count(op, MLR_N_BYTES_REUSED, (int64_t)f->layer->bytes);
        mlr_op_count(op, MLR_N_BYTES_DONE, (int64_t)f->layer->bytes);
    } else if (rc == 0) {
        rc = fetch(f, op, err);
    }
    if (rc >= 0)
        mlr_op_count(op, MLR_N_BLOBS_DONE, 1);
    return rc < 0 ? mlr_error_subject(err, rc, f->title != NULL ? f->title : f->layer->digest.text) : 0;
}

/* ---- all of them ---- */

static int add(struct checkout *c, const mlr_descriptor *layer, mlr_op *op, mlreg_error **err)
{
    bool archive = mlr_unpack_is_archive(layer);
    const char *title = archive ? NULL : mlr_descriptor_title(layer);
    int rc;

    if (title == NULL && !archive)
        return 0; /* no file: a prompt template of another tool, say */
    if (title != NULL && (rc = mlr_titles_add(&c->titles, title, err)) < 0)
        return mlr_error_subject(err, rc, title);
    if (title != NULL && !mlr_glob_selected(c->how, title))
        return 0;
    if (c->n == c->cap && mlr_grow(&c->files, &c->cap, c->n, sizeof *c->files) < 0)
        return mlr_error_nomem(err);
    c->files[c->n++] = (struct file){ c, layer, title };
    mlr_op_count(op, MLR_N_BLOBS_TOTAL, 1);
    mlr_op_count(op, MLR_N_BYTES_TOTAL, (int64_t)layer->bytes);
    return 0;
}

static int plan(struct checkout *c, const mlr_manifest *m, mlr_op *op, mlreg_error **err)
{
    int rc = 0;

    if (m->is_index) {
        rc = mlr_error_set(err, MLREG_ENOTSUP, "%s is an index of %zu manifests, which holds no files itself", m->self.digest.text, m->n_children);
        return mlr_error_hint(err, rc, "name one of its manifests by digest; inspecting the index lists them");
    }
    for (size_t i = 0; i < m->n_layers && rc == 0; i++)
        rc = add(c, &m->layers[i], op, err);
    if (rc == 0)
        rc = mlr_titles_check(&c->titles, err);
    if (rc == 0 && c->titles.n == 0 && c->n == 0)
        rc = mlr_error_set(err, MLREG_ENOTSUP, "no layer of %s is a file or an archive of files", m->self.digest.text);
    return rc;
}

/* One folder is made, but no path to it: where even the parent is missing, the path is more likely a slip. */
static int make_root(const char *dir, mlreg_error **err)
{
    char *parent = mlr_path_dir(dir);
    int rc = parent != NULL ? 0 : mlr_error_nomem(err);

    if (rc == 0 && !mlr_fs_exists(parent)) {
        rc = mlr_error_set(err, MLREG_ENOTFOUND, "%s cannot be made: there is no folder %s", dir, parent);
        mlr_error_hint(err, rc, "check the path, or make it first: mkdir -p %s", parent);
    }
    mlr_free(parent);
    return rc < 0 ? rc : mlr_fs_mkdirs(dir, 0755, err);
}

static int open_root(const char *dir, int *fd, mlreg_error **err)
{
    int rc = mlr_fs_exists(dir) ? 0 : make_root(dir, err);

    return rc < 0 ? rc : mlr_fs_open(dir, O_RDONLY | O_DIRECTORY, 0, fd, err);
}

static int run(struct checkout *c, mlr_op *op, mlreg_error **err)
{
    mlr_group *g = NULL;
    int rc = mlr_group_new(c->place->rt, op, mlr_runtime_limits(c->place->rt)->threads, &g, err);

    for (size_t i = 0; i < c->n && rc == 0; i++)
        rc = mlr_group_add(g, check_out, &c->files[i], err);
    if (rc == 0)
        rc = mlr_group_wait(g, err);
    mlr_group_free(g);
    return rc;
}

int mlr_checkout_run(mlr_place *p, const char *repo, const mlr_manifest *m, const char *dir, const mlr_checkout *how,
        mlr_op *op, mlreg_error **err)
{
    struct checkout c = { .place = p, .repo = repo, .root = -1, .how = how };
    int rc;

    if ((rc = plan(&c, m, op, err)) == 0 && (rc = open_root(dir, &c.root, err)) == 0)
        rc = run(&c, op, err);
    mlr_fs_close(c.root);
    mlr_titles_done(&c.titles);
    mlr_free(c.files);
    return rc;
}
