/* place/fsck_blobs.c - every file of content read and compared with its name; what is bad is moved out of reach. */
#include "place/fsck_parts.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "place/blobdir.h"
#include "place/intake.h"

#define PRIVATE_MODE 0700

/* What a file of content turned out to be. */
typedef enum verdict { SOUND, WRONG, UNREADABLE } verdict;

/* Reads a blob. What cannot be read is told here: whether it is wrong, nobody knows. */
static int verify(mlr_check *c, const char *where, const mlr_folder *f, const mlr_digest *d, verdict *out,
                  mlr_digest *got,
                  mlreg_error **err)
{
    mlr_reader  *r = NULL;
    mlreg_error *why = NULL;
    int          rc = mlr_blobdir_open(f, d, true, &r, &why);

    if (rc == 0) {
        mlr_op_count(c->op, MLR_N_BYTES_TOTAL, (int64_t)r->bytes);
        if ((rc = mlr_intake(c->disk->place.rt, r, NULL, NULL, c->op, got, &why)) == 0)
            mlr_op_count(c->op, MLR_N_BYTES_DONE, (int64_t)r->bytes);
    }
    mlr_reader_free(r);
    if (rc == 0) {
        *out = mlr_digest_equal(got, d) ? SOUND : WRONG;
    } else if (mlr_fsck_is_fatal(rc)) {
        mlr_error_move(err, &why);
    } else {
        *out = UNREADABLE;
        rc = mlr_fsck_report(c, where, err, "blob %s cannot be read: %s", d->text, why->message);
    }
    mlr_error_done(why);
    return rc;
}

/* Out of reach, but not thrown away. */
static int quarantine(const mlr_check *c, const mlr_folder *f, const mlr_digest *d, mlreg_error **err)
{
    mlr_blobname name = mlr_blobdir_name(d);
    char        *from = mlr_folder_path(f, name.text), *dir = mlr_folder_path(&c->disk->root, c->disk->quarantine);
    char        *to = dir != NULL ? mlr_path_join(dir, mlr_digest_hex(d)) : NULL;
    int          rc = from != NULL && to != NULL ? 0 : mlr_error_nomem(err);

    if (rc == 0 && (rc = mlr_folder_make(&c->disk->root, c->disk->quarantine, PRIVATE_MODE, err)) == 0)
        rc = mlr_fs_rename(from, to, err);
    if (rc == 0) /* where both are names of one file, rename leaves both */
        rc = mlr_folder_remove(f, name.text, err);
    mlr_free(from);
    mlr_free(dir);
    mlr_free(to);
    return rc;
}

bool mlr_fsck_is_sound(const mlr_check *c, const mlr_digest *d)
{
    const uint64_t *sound = mlr_digestmap_find(&c->sound, d);
    return sound != NULL && *sound == 1;
}

/* A good copy in the pool takes the place of a wrong one, where there is one. */
static int wrong_content(mlr_check *c, const char *where, const mlr_folder *f, const mlr_digest *d, uint64_t bytes,
                         const mlr_digest *got, mlreg_error **err)
{
    const char  *done = "";
    mlreg_error *why = NULL;
    int          rc = 0;

    if (c->repair) {
        rc = mlr_fsck_managed(quarantine(c, f, d, &why), &why, err);
        done = rc == 1 ? ": moved to quarantine" : ": cannot be moved to quarantine";
    }
    if (rc == 1 && f != &c->disk->pool && mlr_fsck_is_sound(c, d)) {
        rc = mlr_fsck_managed(mlr_blobdir_link(&c->disk->pool, f, d, bytes, MLR_FSCK_SHARED_MODE, &why), &why, err);
        if (rc == 1)
            done = ": moved to quarantine, the store's own copy linked in its place";
    }
    return rc < 0 ? rc : mlr_fsck_report(c, where, err, "blob %s: content is %s%s", d->text, got->text, done);
}

static const char *kind_of(const mlr_dir_entry *e)
{
    return e->type == DT_DIR ? "a directory" : e->type == DT_LNK ? "a link" : e->type == DT_FIFO ? "a FIFO" : "a device or socket";
}

/* 1: the name of a blob. Links and FIFOs among them are problems, and directories in their place; other names are nobody's affair. */
static int read_name(mlr_check *c, const char *where, const mlr_dir_entry *e, mlr_digest *out, mlreg_error **err)
{
    char text[MLR_DIGEST_TEXT + 1] = "sha256:";
    bool is_name = strlen(e->name) == MLR_DIGEST_HEX;

    if (is_name)
        is_name = mlr_digest_parse(strcat(text, e->name), out, NULL) == 0;
    if (e->type == DT_REG || (e->type == DT_DIR && !is_name))
        return is_name && e->type == DT_REG;
    return mlr_fsck_report(c, where, err, MLR_BLOBDIR "/%.200s is %s, not a regular file", e->name, kind_of(e));
}

typedef int (*blob_fn)(void *user, const mlr_digest *d, mlreg_error **err);

static int each_blob(mlr_check *c, const char *where, const mlr_folder *f, blob_fn fn, void *user, mlreg_error **err)
{
    mlr_dir_list names = { NULL, 0, 0 };
    mlr_digest   d;
    int          rc = mlr_folder_list(f, MLR_BLOBDIR, &names, err);

    for (size_t i = 0; rc >= 0 && i < names.n; i++)
        if ((rc = mlr_op_check(c->op, err)) == 0 && (rc = read_name(c, where, &names.items[i], &d, err)) == 1)
            rc = fn(user, &d, err);
    mlr_dir_list_done(&names);
    return rc;
}

static int check_pooled(void *user, const mlr_digest *d, mlreg_error **err)
{
    mlr_check *c = user;
    uint64_t  *sound = mlr_digestmap_add(&c->sound, d, err);
    mlr_digest got;
    verdict    found;
    int        rc = sound != NULL ? verify(c, "store", &c->disk->pool, d, &found, &got, err) : MLREG_ENOMEM;

    if (rc < 0)
        return rc;
    *sound = found == SOUND;
    return found == WRONG ? wrong_content(c, "store", &c->disk->pool, d, 0, &got, err) : 0;
}

/* Whether the repository's file is the pool's, which has been read. */
static int is_checked(const mlr_repo_check *k, const mlr_digest *d, const struct stat *own, bool *in_pool,
                      mlreg_error **err)
{
    struct stat pooled;
    int         rc = k->r.pool != NULL ? mlr_blobdir_look(k->r.pool, d, &pooled, err) : 0;

    *in_pool = rc == 1;
    return rc < 0 ? rc : rc == 1 && own->st_ino == pooled.st_ino && own->st_dev == pooled.st_dev &&
        mlr_fsck_is_sound(k->c, d);
}

/* What another tool put there, and rightly, is taken into the pool. */
static int check_own(void *user, const mlr_digest *d, mlreg_error **err)
{
    mlr_repo_check *k = user;
    mlr_digest      got;
    struct stat     own;
    verdict         found;
    bool            in_pool;
    int             rc = mlr_blobdir_look(&k->r.own, d, &own, err);

    if (rc != 1 || (rc = is_checked(k, d, &own, &in_pool, err)) != 0)
        return rc < 0 ? rc : 0;
    if ((rc = verify(k->c, k->shown, &k->r.own, d, &found, &got, err)) < 0)
        return rc;
    if (found == WRONG)
        return wrong_content(k->c, k->shown, &k->r.own, d, (uint64_t)own.st_size, &got, err);
    if (found == SOUND && k->c->repair && k->r.pool != NULL && !in_pool)
        mlr_blobdir_link(&k->r.own, k->r.pool, d, (uint64_t)own.st_size, MLR_FSCK_SHARED_MODE, NULL);
    return 0;
}

int mlr_fsck_pool(mlr_check *c, mlreg_error **err)
{
    return each_blob(c, "store", &c->disk->pool, check_pooled, c, err);
}

int mlr_fsck_blobs(mlr_repo_check *k, mlreg_error **err)
{
    return each_blob(k->c, k->shown, &k->r.own, check_own, k, err);
}
