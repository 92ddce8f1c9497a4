/* place/indexfile.c - index.json on disk: other tools may write it too, so nothing about it is taken for granted. */
#include "place/indexfile.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define LOCK_WAIT_MS     60000
#define BROKEN_TRIES     16    /* two seconds in all: a foreign writer needs a moment, but on a busy machine */
#define BROKEN_FIRST_MS  5     /* then twice as long each time, */
#define BROKEN_DOUBLINGS 5     /* so often */
#define LAYOUT_MAX_BYTES 4096
#define FILE_MODE        0644
#define COPY_DIR_MODE    0700
#define COPY_MODE        0600

/* ---- reading ---- */

static int broken(const mlr_indexfile *f, const char *file, const char *why, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_EPROTO, "%s/%s cannot be used: %s", f->at->path, file, why);
    mlr_error_hint(err, rc, "fsck with repair restores what can be restored");
    return mlr_error_subject(err, rc, f->at->path);
}

static int read_version(const mlr_indexfile *f, const mlr_buf *text, mlreg_error **err)
{
    mlr_json   *root = NULL;
    const char *version;
    int         rc = mlr_json_parse(text->len > 0 ? text->data : "", text->len, MLR_LAYOUTFILE, &root, NULL);

    if (rc < 0)
        return rc == MLREG_ENOMEM ? mlr_error_nomem(err) : broken(f, MLR_LAYOUTFILE, "it is no JSON", err);
    version = mlr_json_string(mlr_json_get(root, "imageLayoutVersion"));
    if (version == NULL)
        rc = broken(f, MLR_LAYOUTFILE, "it names no version", err);
    else if (strncmp(version, "1.", 2) != 0)
        rc = mlr_error_set(err, MLREG_ENOTSUP, "%s is an OCI layout of version %.20s; versions 1.x are supported",
                           f->at->path, version);
    mlr_json_free(root);
    return rc;
}

int mlr_indexfile_check_layout(const mlr_indexfile *f, mlreg_error **err)
{
    mlr_buf      text = MLR_BUF_INIT(LAYOUT_MAX_BYTES);
    mlreg_error *why = NULL;
    int          rc = mlr_folder_read(f->at, MLR_LAYOUTFILE, &text, &why);

    if (rc == 0)
        rc = read_version(f, &text, err);
    else if (rc == MLREG_ELIMIT || rc == MLREG_EINVAL)
        rc = broken(f, MLR_LAYOUTFILE, why->message, err);
    else
        mlr_error_move(err, &why);
    mlr_error_done(why);
    mlr_buf_done(&text);
    return rc;
}

static int read_once(const mlr_folder *at, mlr_index **out, mlreg_error **err)
{
    mlr_buf text = MLR_BUF_INIT(MLR_JSON_MAX_BYTES);
    int     rc = mlr_folder_read(at, MLR_INDEXFILE, &text, err);

    if (rc == 0)
        rc = mlr_index_parse(text.len > 0 ? text.data : "", text.len, out, err);
    mlr_buf_done(&text);
    return rc;
}

/* 1: look again. */
static int wait_for_writer(int tries, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_op_sleep(op, BROKEN_FIRST_MS << (tries < BROKEN_DOUBLINGS ? tries : BROKEN_DOUBLINGS), err);
    return rc < 0 ? rc : 1;
}

static int read_patiently(const mlr_indexfile *f, mlr_op *op, mlr_index **out, mlreg_error **err)
{
    for (int tries = 1;; tries++) {
        mlreg_error *why = NULL;
        int          rc = read_once(f->at, out, &why);

        if (rc == MLREG_EPROTO && tries < BROKEN_TRIES)
            rc = wait_for_writer(tries, op, err);
        else if (rc == MLREG_EPROTO || rc == MLREG_EINVAL)
            rc = broken(f, MLR_INDEXFILE, why->message, err);
        else if (rc < 0)
            mlr_error_move(err, &why);
        mlr_error_done(why);
        if (rc <= 0)
            return rc;
    }
}

/* A layout that is just being made has its version but no index yet: it is not there yet. */
int mlr_indexfile_read(const mlr_indexfile *f, mlr_op *op, mlr_index **out, mlreg_error **err)
{
    mlreg_error *why = NULL;
    struct stat  st;
    int          rc = mlr_indexfile_check_layout(f, &why);

    if (rc == MLREG_ENOTFOUND && mlr_folder_look(f->at, MLR_INDEXFILE, &st, NULL) == 1)
        rc = broken(f, MLR_LAYOUTFILE, "it is missing", err);
    else if (rc < 0)
        mlr_error_move(err, &why);
    else
        rc = read_patiently(f, op, out, err);
    mlr_error_done(why);
    return rc;
}

/* ---- writing ---- */

int mlr_indexfile_lock(const mlr_indexfile *f, mlr_op *op, mlr_lock *lock, mlreg_error **err)
{
    /* The directory itself, so that a store's session and one that opened its repository as a layout exclude each
     * other. By its ".", so that what a network file system needs in place of a lock is kept inside the directory:
     * beside it may stand another repository's. */
    char *path = mlr_folder_path(f->at, ".");
    int   rc = path != NULL ? mlr_lock_take(lock, path, true, LOCK_WAIT_MS, op, err) : mlr_error_nomem(err);

    mlr_free(path);
    return rc;
}

static int write_file(const mlr_folder *at, const char *name, const char *text, size_t len, unsigned mode,
                      mlreg_error **err)
{
    char *path = mlr_folder_path(at, name);
    int   rc = path != NULL ? mlr_fs_write_file(path, text, len, mode, err) : mlr_error_nomem(err);

    mlr_free(path);
    return rc;
}

int mlr_indexfile_write_layout(const mlr_indexfile *f, mlreg_error **err)
{
    return write_file(f->at, MLR_LAYOUTFILE, MLR_LAYOUTFILE_TEXT, strlen(MLR_LAYOUTFILE_TEXT), FILE_MODE, err);
}

/* Where it cannot be kept there is none: an older one would bring back what has changed since. */
static int keep_copy(const mlr_folder *at, const mlr_buf *text, mlreg_error **err)
{
    mlreg_error *why = NULL;
    int          rc = mlr_folder_make(at, "", COPY_DIR_MODE, &why);

    if (rc == 0)
        rc = write_file(at, MLR_INDEXFILE, text->data, text->len, COPY_MODE, &why);
    if (rc < 0 && mlr_folder_remove(at, MLR_INDEXFILE, NULL) == 0)
        rc = 0;
    if (rc < 0)
        mlr_error_move(err, &why);
    mlr_error_done(why);
    return rc;
}

static bool is_there(const mlr_folder *at, const mlr_buf *text)
{
    mlr_buf now = MLR_BUF_INIT(MLR_JSON_MAX_BYTES);
    bool    same = mlr_folder_read(at, MLR_INDEXFILE, &now, NULL) == 0 && now.len == text->len && memcmp(now.data, text->data, now.len) == 0;

    mlr_buf_done(&now);
    return same;
}

/* The copy comes second: it never holds a change that was not made. One that was made, though it may not outlive a power cut, it holds. */
static int write_index(const mlr_indexfile *f, const mlr_index *x, mlreg_error **err)
{
    mlr_buf text = MLR_BUF_INIT(MLR_JSON_MAX_BYTES);
    int     rc, kept;

    if ((rc = mlr_index_print(x, &text, err)) == 0) {
        rc = write_file(f->at, MLR_INDEXFILE, text.data, text.len, FILE_MODE, err);
        if (f->copy != NULL && (rc == 0 || is_there(f->at, &text)) && (kept = keep_copy(f->copy, &text, rc == 0 ? err : NULL)) < 0)
            rc = rc < 0 ? rc : kept;
    }
    mlr_buf_done(&text);
    if (rc == MLREG_ELIMIT)
        mlr_error_hint(err, rc, "remove tags from this repository, or use another one");
    return rc;
}

static int read_or_begin(const mlr_indexfile *f, mlr_op *op, mlr_index **out, mlreg_error **err)
{
    mlreg_error *why = NULL;
    int          rc = mlr_indexfile_read(f, op, out, &why);

    if (rc == MLREG_ENOTFOUND) {
        if ((rc = mlr_indexfile_write_layout(f, err)) == 0)
            rc = mlr_index_new(out, err);
    } else if (rc < 0)
        mlr_error_move(err, &why);
    mlr_error_done(why);
    return rc;
}

int mlr_indexfile_change(const mlr_indexfile *f, bool create, mlr_indexfile_edit edit, void *user, mlr_op *op,
                         mlreg_error **err)
{
    mlr_lock   lock = MLR_LOCK_INIT;
    mlr_index *x = NULL;
    int        rc;

    if ((rc = mlr_indexfile_lock(f, op, &lock, err)) < 0)
        return rc;
    if ((rc = create ? read_or_begin(f, op, &x, err) : mlr_indexfile_read(f, op, &x, err)) == 0 &&
        (rc = edit(user, x, op, err)) > 0 && (rc = mlr_lock_check(&lock, err)) == 0)
        rc = write_index(f, x, err);
    mlr_index_free(x);
    mlr_lock_drop(&lock);
    return rc;
}

bool mlr_indexfile_has_copy(const mlr_indexfile *f)
{
    struct stat st;
    return f->copy != NULL && mlr_folder_look(f->copy, MLR_INDEXFILE, &st, NULL) == 1;
}

int mlr_indexfile_restore(const mlr_indexfile *f, mlreg_error **err)
{
    mlr_index *x = NULL;
    mlr_buf    text = MLR_BUF_INIT(MLR_JSON_MAX_BYTES);
    int        rc;

    if (read_once(f->at, &x, NULL) == 0) { /* whoever was writing has finished */
        mlr_index_free(x);
        return 0;
    }
    if (f->copy == NULL || read_once(f->copy, &x, NULL) < 0)
        return mlr_error_set(err, MLREG_ENOTFOUND, "there is no copy of %s/" MLR_INDEXFILE, f->at->path);
    if ((rc = mlr_index_print(x, &text, err)) == 0)
        rc = write_file(f->at, MLR_INDEXFILE, text.data, text.len, FILE_MODE, err);
    mlr_index_free(x);
    mlr_buf_done(&text);
    return rc;
}
