/* model/checkout.c - an artifact's files into a folder, straight from wherever it lives.
 *
 * Archives say only inside which files they hold. So they are brought and verified first, and their names read, before
 * anything is written; then every name is known, and checked against all others. */
#include "model/checkout.h"

#include <fcntl.h>
#include "base/alloc.h"
#include "base/beneath.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/work.h"
#include "model/counted.h"
#include "model/glob.h"
#include "model/landing.h"
#include "model/titles.h"
#include "model/unpack.h"
#include "model/wide.h"
#include "place/absent.h"
#include "place/partdir.h"

struct checkout;
struct file {
    struct checkout *of;
    const mlr_descriptor *layer;
    const char *title;               /* of an archive: NULL, its members have names of their own */
    mlr_unpack archive;
};
struct checkout {
    mlr_place *place;
    const char *repo;
    mlr_ground ground;               /* the folder; everything happens beneath it */
    const mlr_checkout *how;
    struct file *files;
    size_t n, cap, n_archives;
    mlr_wide *wide;                  /* while files are brought */
    mlr_titles titles;
    pthread_mutex_t lock;            /* guards `titles` while archives are read */
};

static int done(struct file *f, int rc, uint64_t from_ms, mlr_op *op, mlreg_error **err)
{
    const char *name = f->title != NULL ? f->title : f->layer->digest.text;

    if (rc >= 0)
        mlr_op_blob_done(op, name, f->layer->bytes, from_ms);
    return rc < 0 ? mlr_error_subject(err, rc, name) : 0;
}

static mlr_blob blob_of(const struct file *f)
{
    return (mlr_blob){ f->of->repo, f->layer->digest, f->layer->bytes, f->layer->media_type };
}

/* Wrong bytes are the place's doing, whoever found out. */
static int blame(struct file *f, int rc, mlreg_error **err)
{
    mlr_absent_hint(f->layer, MLR_ABSENT_COPY, rc, err);
    return rc == MLREG_EDIGEST ? mlr_error_at(err, rc, f->of->place->name) : rc;
}

/* ---- one file ---- */

static int fetch(struct file *f, mlr_landing_look *seen, mlr_op *op, mlreg_error **err)
{
    const mlr_blob b = blob_of(f);
    mlr_reader *r = NULL;
    mlreg_error *why = NULL;
    int rc = mlr_wide_enter(f->of->wide, b.bytes, op, err);

    if (rc < 0)
        return rc;
    do {
        if ((rc = mlr_counted_open(f->of->place, &b, op, &r, &why)) == 0)
            rc = mlr_landing_file(f->of->place->rt, r, f->layer, &f->of->ground, f->title, seen, op, &why);
    } while (mlr_counted_again(f->of->place, &b, rc, &r, op, &why));
    if (rc == 0)
        mlr_counted_rest(r, op);
    mlr_error_move(err, &why);
    mlr_reader_free(r);
    mlr_wide_leave(f->of->wide, b.bytes);
    return blame(f, rc, err);
}

static int check_out_file(void *arg, mlr_op *op, mlreg_error **err)
{
    struct file *f = arg;
    mlr_landing_look seen = { 0 };
    uint64_t from_ms = mlr_clock_ms();
    int rc = mlr_landing_is_there(f->of->place->rt, f->layer, &f->of->ground, f->title, &seen, op, err);

    if (rc == 1) {
        mlr_op_count(op, MLR_N_BYTES_REUSED, (int64_t)f->layer->bytes);
        mlr_op_count(op, MLR_N_BYTES_DONE, (int64_t)f->layer->bytes);
    } else if (rc == 0) {
        rc = fetch(f, &seen, op, err);
    }
    return done(f, rc, from_ms, op, err);
}

/* ---- one archive ---- */

static int add_names(struct file *f, mlr_op *op, mlreg_error **err)
{
    mlr_titles own = { 0 };
    int rc = mlr_unpack_names(&f->archive, &own, op, err);

    pthread_mutex_lock(&f->of->lock);
    if (rc == 0)
        rc = mlr_titles_move(&f->of->titles, &own, err);
    pthread_mutex_unlock(&f->of->lock);
    mlr_titles_done(&own);
    return mlr_error_at(err, rc, f->of->place->name);
}

static int bring_archive(void *arg, mlr_op *op, mlreg_error **err)
{
    struct file *f = arg;
    const mlr_blob b = blob_of(f);
    mlr_reader *r = NULL;
    mlreg_error *why = NULL;
    uint64_t from_ms;
    int rc = mlr_wide_enter(f->of->wide, b.bytes, op, err);

    if (rc < 0)
        return done(f, rc, 0, op, err);
    from_ms = mlr_clock_ms();
    do {
        mlr_unpack_done(&f->archive);
        if ((rc = mlr_counted_open(f->of->place, &b, op, &r, &why)) == 0)
            rc = mlr_unpack_bring(&f->archive, f->of->place->rt, &r, f->layer, &f->of->ground, op, &why);
    } while (mlr_counted_again(f->of->place, &b, rc, &r, op, &why));
    mlr_wide_leave(f->of->wide, b.bytes);
    mlr_error_move(err, &why);
    if (rc < 0)
        mlr_reader_free(r);
    else if ((rc = add_names(f, op, err)) == 0 && r != NULL)
        mlr_counted_rest(r, op);
    return done(f, blame(f, rc, err), from_ms, op, err);
}

static int land_archive(void *arg, mlr_op *op, mlreg_error **err)
{
    struct file *f = arg;
    int rc = mlr_unpack_land(&f->archive, &f->of->ground, f->of->how, op, err);

    return rc < 0 ? mlr_error_subject(err, rc, f->layer->digest.text) : 0;
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
    c->files[c->n++] = (struct file){ c, layer, title, MLR_UNPACK_INIT };
    c->n_archives += archive;
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
static int make_dir(const char *dir, mlreg_error **err)
{
    char *parent = mlr_path_dir(dir);
    mlreg_error *why = NULL;
    struct stat st;
    int rc = parent != NULL ? mlr_fs_stat(parent, &st, &why) : mlr_error_nomem(err);

    if (rc == MLREG_ENOTFOUND) {
        mlr_error_set(err, rc, "%s cannot be made: there is no folder %s", dir, parent);
        mlr_error_hint(err, rc, "check the path, or make it first: mkdir -p %s", parent);
    }
    mlr_error_move(err, &why);
    mlr_free(parent);
    return rc < 0 ? rc : mlr_fs_mkdirs(dir, 0755, err);
}

static int open_ground(const char *dir, mlr_ground *out, mlreg_error **err)
{
    mlreg_error *why = NULL;
    int rc = mlr_fs_open(dir, O_RDONLY | O_DIRECTORY, 0, &out->fd, &why);

    if (rc != MLREG_ENOTFOUND) {
        mlr_error_move(err, &why);
        return rc;
    }
    mlr_error_done(why);
    return (rc = make_dir(dir, err)) < 0 ? rc : mlr_fs_open(dir, O_RDONLY | O_DIRECTORY, 0, &out->fd, err);
}

static int for_each(struct checkout *c, mlr_group *g, bool archives, mlr_task_fn task, mlreg_error **err)
{
    int rc = 0;

    for (size_t i = 0; i < c->n && rc == 0; i++)
        if ((c->files[i].title == NULL) == archives)
            rc = mlr_group_add(g, task, &c->files[i], err);
    return rc;
}

static int run(struct checkout *c, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_wide_new(c->place->rt, op, c->n, c->place->far, &c->wide, err);
    mlr_group *g = rc == 0 ? mlr_wide_group(c->wide) : NULL;

    if (rc == 0 && c->n_archives > 0 && (rc = for_each(c, g, true, bring_archive, err)) == 0 && (rc = mlr_group_wait(g, err)) == 0)
        rc = mlr_titles_check(&c->titles, err);
    if (rc == 0 && (rc = for_each(c, g, false, check_out_file, err)) == 0 && (rc = for_each(c, g, true, land_archive, err)) == 0)
        rc = mlr_group_wait(g, err);
    mlr_wide_free(c->wide);
    return rc;
}

static void release(struct checkout *c)
{
    for (size_t i = 0; i < c->n; i++)
        mlr_unpack_done(&c->files[i].archive);
    mlr_fs_close(c->ground.fd);
    mlr_titles_done(&c->titles);
    mlr_free(c->files);
    pthread_mutex_destroy(&c->lock);
}

/* What is not the place's failure is the folder's, if it is about files at all. */
static int at_folder(const char *dir, int rc, mlreg_error **err)
{
    bool is_local = rc == MLREG_EIO || rc == MLREG_EDENIED || rc == MLREG_EEXISTS || rc == MLREG_ENOTFOUND;

    return is_local ? mlr_error_at(err, rc, dir) : rc;
}

int mlr_checkout_run(mlr_place *p, const char *repo, const mlr_manifest *m, const char *dir, const mlr_checkout *how,
        mlr_op *op, mlreg_error **err)
{
    struct checkout c = { .place = p, .repo = repo, .ground = { -1, dir }, .how = how };
    int rc;

    pthread_mutex_init(&c.lock, NULL);
    if ((rc = plan(&c, m, op, err)) == 0 && (rc = open_ground(dir, &c.ground, err)) == 0) {
        mlr_partdir_tidy(c.ground.fd, MLR_PARTDIR_OLD_MS, m, op);
        rc = run(&c, op, err);
    }
    if (rc == 0)
        mlr_partdir_tidy(c.ground.fd, 0, NULL, op);      /* a folder that is whole has nothing else in it */
    release(&c);
    return at_folder(dir, rc, err);
}
