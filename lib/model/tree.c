/* model/tree.c - the files below a folder, as an artifact would name them. */
#include "model/tree.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/beneath.h"
#include "base/error.h"
#include "base/fs.h"
#include "model/kinds.h"

#define HEAD_BYTES 512u

static int add(mlr_tree *t, char *path, char *title, mlreg_error **err)
{
    int rc = 0;

    if (path == NULL || title == NULL)
        rc = mlr_error_nomem(err);
    else if (t->n >= MLR_TREE_MAX_FILES)
        rc = mlr_error_set(err, MLREG_ELIMIT, "over %d files in one folder", MLR_TREE_MAX_FILES);
    else if ((rc = mlr_beneath_check_name(title, err)) == 0 && t->n == t->cap && mlr_grow(&t->items, &t->cap, t->n, sizeof *t->items) < 0)
        rc = mlr_error_nomem(err);
    if (rc < 0) {
        mlr_free(path);
        mlr_free(title);
        return rc;
    }
    t->items[t->n++] = (mlr_tree_file){ path, title };
    return 0;
}

static int walk(mlr_tree *t, const char *dir, const char *prefix, unsigned depth, mlr_op *op, mlreg_error **err);

static int refuse(const char *path, const char *what, const char *hint, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_EINVAL, "%s is %s", path, what);

    mlr_error_subject(err, rc, path);
    return mlr_error_hint(err, rc, "%s", hint);
}

static int visit_link(mlr_tree *t, char *path, char *title, mlreg_error **err)
{
    struct stat st;
    int rc;

    if (stat(path, &st) < 0)
        rc = refuse(path, "a link to nothing", "remove it, or bring back what it points to", err);
    else if (!S_ISREG(st.st_mode))
        rc = refuse(path, "a link to something that is no file", "put the folder itself there, or leave the link out", err);
    else
        return add(t, path, title, err);
    mlr_free(path);
    mlr_free(title);
    return rc;
}

static int visit(mlr_tree *t, const mlr_dir_entry *e, const char *dir, const char *prefix, unsigned depth, mlr_op *op, mlreg_error **err)
{
    char *path = mlr_path_join(dir, e->name);
    char *title = prefix[0] != '\0' ? mlr_path_join(prefix, e->name) : mlr_strdup(e->name);
    int rc;

    if (path == NULL || title == NULL)
        rc = mlr_error_nomem(err);
    else if (e->type == DT_REG)
        return add(t, path, title, err);
    else if (e->type == DT_LNK)
        return visit_link(t, path, title, err);
    else if (e->type == DT_DIR)
        rc = walk(t, path, title, depth + 1, op, err);
    else
        rc = refuse(path, "no file: a pipe, socket or device", "an artifact holds files only; move it away", err);
    mlr_free(path);
    mlr_free(title);
    return rc;
}

static int walk(mlr_tree *t, const char *dir, const char *prefix, unsigned depth, mlr_op *op, mlreg_error **err)
{
    mlr_dir_list l = { 0 };
    int rc = mlr_op_check(op, err);

    if (rc == 0 && depth > MLR_TREE_MAX_DEPTH)
        rc = mlr_error_set(err, MLREG_ELIMIT, "%s: over %d folders deep", dir, MLR_TREE_MAX_DEPTH);
    if (rc == 0)
        rc = mlr_fs_list_path(dir, MLR_TREE_MAX_FILES, &l, err);
    for (size_t i = 0; i < l.n && rc == 0; i++)
        if (l.items[i].name[0] != '.')
            rc = visit(t, &l.items[i], dir, prefix, depth, op, err);
    mlr_dir_list_done(&l);
    return rc;
}

static int by_title(const void *a, const void *b)
{
    return strcmp(((const mlr_tree_file *)a)->title, ((const mlr_tree_file *)b)->title);
}

int mlr_tree_read(const char *dir, const char *prefix, mlr_op *op, mlr_tree *out, mlreg_error **err)
{
    mlr_tree t = { 0 };
    int rc = walk(&t, dir, prefix != NULL ? prefix : "", 0, op, err);

    if (rc == 0 && t.n == 0)
        rc = refuse(dir, "empty", "name a folder that holds the model's files; hidden ones are left out", err);
    if (rc < 0) {
        mlr_tree_done(&t);
        return rc;
    }
    qsort(t.items, t.n, sizeof *t.items, by_title);
    *out = t;
    return 0;
}

/* ---- by kind ---- */

/* What cannot be read says so when it is to be moved. */
static mlr_file_kind kind_of(const mlr_tree_file *f, mlr_op *op)
{
    uint8_t head[HEAD_BYTES];
    mlr_reader *r = NULL;
    uint64_t bytes = 0;
    int64_t n = 0;

    if (mlr_reader_open_file(f->path, &r, NULL) == 0) {
        bytes = r->bytes;
        n = mlr_reader_read_at(r, 0, head, sizeof head, op, NULL);
    }
    mlr_reader_free(r);
    return mlr_kind_of(f->title, head, n > 0 ? (size_t)n : 0, bytes);
}

int mlr_tree_by_kind(mlr_tree *t, mlr_op *op, mlreg_error **err)
{
    static const mlr_file_kind order[] = { MLR_KIND_WEIGHT, MLR_KIND_DATASET, MLR_KIND_CONFIG, MLR_KIND_DOC, MLR_KIND_CODE };
    mlr_tree_file *sorted = mlr_alloc_array(t->n, sizeof *sorted);
    mlr_file_kind *kinds = mlr_alloc_array(t->n, sizeof *kinds);
    size_t n = 0;
    int rc = sorted != NULL && kinds != NULL ? 0 : mlr_error_nomem(err);

    for (size_t i = 0; i < t->n && rc == 0; i++) {
        kinds[i] = kind_of(&t->items[i], op);
        rc = mlr_op_check(op, err);
    }
    for (size_t k = 0; k < sizeof order / sizeof *order && rc == 0; k++)
        for (size_t i = 0; i < t->n; i++)
            if (kinds[i] == order[k])
                sorted[n++] = t->items[i];
    if (rc == 0)
        memcpy(t->items, sorted, n * sizeof *sorted);
    mlr_free(sorted);
    mlr_free(kinds);
    return rc;
}

void mlr_tree_done(mlr_tree *t)
{
    for (size_t i = 0; i < t->n; i++) {
        mlr_free(t->items[i].path);
        mlr_free(t->items[i].title);
    }
    mlr_free(t->items);
    *t = (mlr_tree){ 0 };
}
