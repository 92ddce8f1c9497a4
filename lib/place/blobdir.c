/* place/blobdir.c - content by digest: looked at through no link, published whole, shared by hard links. */
#include "place/blobdir.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "place/fetch.h"

#define SMALL_BYTES (1u << 20)   /* is written before its space could be taken */

mlr_blobname mlr_blobdir_name(const mlr_digest *d)
{
    mlr_blobname name;
    snprintf(name.text, sizeof(name.text), MLR_BLOBDIR "/%s", mlr_digest_hex(d));
    return name;
}

static char *path_of(const mlr_folder *f, const mlr_digest *d)
{
    mlr_blobname name = mlr_blobdir_name(d);
    return mlr_folder_path(f, name.text);
}

int mlr_blobdir_look(const mlr_folder *f, const mlr_digest *d, struct stat *out, mlreg_error **err)
{
    mlr_blobname name = mlr_blobdir_name(d);
    int          rc = mlr_folder_look(f, name.text, out, err);

    if (rc != 1 || S_ISREG(out->st_mode))
        return rc;
    rc = mlr_error_set(err, MLREG_EPROTO, "%s/%s is no regular file", f->path, name.text);
    return mlr_error_hint(err, rc, "content is kept in regular files: whatever put this there, remove it");
}

int mlr_blobdir_has(const mlr_folder *f, const mlr_digest *d, uint64_t bytes, mlreg_error **err)
{
    struct stat st;
    int         rc = mlr_blobdir_look(f, d, &st, err);
    return rc == 1 ? (uint64_t)st.st_size == bytes : rc;
}

int mlr_blobdir_open(const mlr_folder *f, const mlr_digest *d, bool trusted, mlr_reader **out, mlreg_error **err)
{
    mlr_blobname name = mlr_blobdir_name(d);
    struct stat  st;
    int          rc = mlr_blobdir_look(f, d, &st, err);

    if (rc == 0)
        return mlr_error_set(err, MLREG_ENOTFOUND, "blob %s is not there", d->text);
    return rc < 0 ? rc : mlr_folder_reader(f, name.text, trusted, out, err);
}

int mlr_blobdir_make(const mlr_folder *f, unsigned mode, mlreg_error **err)
{
    return mlr_folder_make(f, MLR_BLOBDIR, mode, err);
}

/* ---- receiving ---- */

int mlr_blobdir_receive(mlr_runtime *rt, const char *dir, unsigned mode, mlr_reader *r, mlr_op *op, mlr_temp *out,
                        mlr_digest *got, mlreg_error **err)
{
    mlr_temp t = MLR_TEMP_INIT;
    int      rc;

    if ((rc = mlr_temp_open(&t, dir, mode, err)) < 0 || (r->bytes > SMALL_BYTES && (rc = mlr_fs_reserve(t.fd, r->bytes, dir, err)) < 0))
        goto out;
    if ((rc = mlr_fetch(rt, r, t.fd, dir, NULL, op, got, err)) < 0)
        goto out;
    *out = t;
    t = (mlr_temp)MLR_TEMP_INIT;
out:
    mlr_temp_done(&t);
    return rc;
}

typedef int (*name_fn)(mlr_temp *t, const char *path, bool replace, mlreg_error **err);

static int publish(const mlr_folder *f, const mlr_digest *d, uint64_t bytes, mlr_temp *t, name_fn name, mlreg_error **err)
{
    mlreg_error *why = NULL;
    struct stat  st;
    char        *path;
    int          there = mlr_blobdir_look(f, d, &st, err), rc;

    if (there < 0 || (there == 1 && (uint64_t)st.st_size == bytes))
        return there < 0 ? there : 0;
    if ((path = path_of(f, d)) == NULL)
        return mlr_error_nomem(err);
    rc = name(t, path, there == 1, &why);
    if (rc == MLREG_EEXISTS) /* someone else was faster, with the same bytes */
        rc = 0;
    else if (rc < 0)
        mlr_error_move(err, &why);
    mlr_error_done(why);
    mlr_free(path);
    return rc;
}

int mlr_blobdir_publish(const mlr_folder *f, const mlr_digest *d, uint64_t bytes, mlr_temp *t, mlreg_error **err)
{
    return publish(f, d, bytes, t, mlr_temp_publish, err);
}

int mlr_blobdir_enlist(const mlr_folder *f, const mlr_digest *d, uint64_t bytes, mlr_temp *t, mlreg_error **err)
{
    return publish(f, d, bytes, t, mlr_temp_give_name, err);
}

/* ---- sharing ---- */

static int copy(const mlr_folder *from, const mlr_folder *to, const mlr_digest *d, uint64_t bytes, unsigned mode,
                mlreg_error **err)
{
    mlr_reader *r = NULL;
    mlr_temp    t = MLR_TEMP_INIT;
    char       *dir = mlr_folder_path(to, MLR_BLOBDIR);
    int         rc = dir != NULL ? 0 : mlr_error_nomem(err);

    if (rc == 0 && (rc = mlr_blobdir_open(from, d, true, &r, err)) == 0 &&
        (rc = mlr_temp_open(&t, dir, mode, err)) == 0 &&
        (rc = mlr_fs_clone(r->fd, t.fd, bytes, r->name, err)) == 0)
        rc = mlr_blobdir_publish(to, d, bytes, &t, err);
    mlr_temp_done(&t);
    mlr_reader_free(r);
    mlr_free(dir);
    return rc;
}

/* What has the wrong size is no blob; gone, it is no longer in the way. */
static int clear_way(const mlr_folder *to, const mlr_digest *d, uint64_t bytes, mlreg_error **err)
{
    mlr_blobname name = mlr_blobdir_name(d);
    struct stat  st;
    int          rc = mlr_blobdir_look(to, d, &st, err);

    if (rc == 1 && (uint64_t)st.st_size != bytes)
        return mlr_folder_remove(to, name.text, err);
    return rc; /* 1: it is there */
}

int mlr_blobdir_link(const mlr_folder *from, const mlr_folder *to, const mlr_digest *d, uint64_t bytes, unsigned mode,
                     mlreg_error **err)
{
    char *source = path_of(from, d), *target = path_of(to, d);
    int   rc = source != NULL && target != NULL ? clear_way(to, d, bytes, err) : mlr_error_nomem(err);

    /* Too many links, another file system, a foreign owner: whatever it is, a copy serves as well, or says better why
     * not. */
    if (rc == 0 && (rc = mlr_fs_link(source, target, NULL)) < 0 && rc != MLREG_EEXISTS)
        rc = copy(from, to, d, bytes, mode, err);
    mlr_free(source);
    mlr_free(target);
    return rc == MLREG_EEXISTS || rc == 1 ? 0 : rc;
}
