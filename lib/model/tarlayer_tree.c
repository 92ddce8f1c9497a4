/* model/tarlayer_tree.c - a folder as it stands, into a layer. */
#include "model/tarlayer_parts.h"

#include <dirent.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"

#define MAX_FILES 1000000
#define MAX_DEPTH 200

static int walk(mlr_tarlayer *t, const char *name, const char *dir, unsigned depth, mlr_op *op, mlreg_error **err);

static int add_link(mlr_tarlayer *t, const char *name, const char *path, mlreg_error **err)
{
    char *target = NULL;
    int rc = mlr_fs_read_link(path, &target, err);

    if (rc == 0)
        rc = mlr_tarlayer_put(t, (struct mlr_tar_item){ .m = { .kind = MLR_MEMBER_SYMLINK, .mode = 0777 } }, name, target, err);
    mlr_free(target);
    return rc;
}

/* Who may do what is reproducible only as far as git keeps it; a folder for everybody's files stays one. */
static int add_folder(mlr_tarlayer *t, const char *name, const char *path, mlreg_error **err)
{
    struct stat st;
    int rc = mlr_fs_stat(path, &st, err);

    return rc < 0 ? rc : mlr_tarlayer_put_folder(t, name, (st.st_mode & 01777) == 01777 ? 01777 : 0755, err);
}

static int visit(mlr_tarlayer *t, const mlr_dir_entry *e, const char *name, const char *path, unsigned depth, mlr_op *op, mlreg_error **err)
{
    int rc;

    if (e->type == DT_REG)
        return mlr_tarlayer_put_file(t, name, path, err);
    if (e->type == DT_LNK)
        return add_link(t, name, path, err);
    if (e->type == DT_DIR)
        return (rc = add_folder(t, name, path, err)) < 0 ? rc : walk(t, name, path, depth + 1, op, err);
    rc = mlr_error_set(err, MLREG_EINVAL, "%s is a pipe, socket or device", path);
    mlr_error_subject(err, rc, path);
    return mlr_error_hint(err, rc, "a layer holds files, folders and links; move it away");
}

static int walk(mlr_tarlayer *t, const char *name, const char *dir, unsigned depth, mlr_op *op, mlreg_error **err)
{
    mlr_dir_list l = { 0 };
    int rc = mlr_op_check(op, err);

    if (rc == 0 && depth > MAX_DEPTH)
        rc = mlr_error_set(err, MLREG_ELIMIT, "%s: over %d folders deep", dir, MAX_DEPTH);
    if (rc == 0)
        rc = mlr_fs_list_path(dir, MAX_FILES, &l, err);
    for (size_t i = 0; i < l.n && rc == 0; i++) {
        char *path = mlr_path_join(dir, l.items[i].name);
        char *inside = name[0] != '\0' ? mlr_path_join(name, l.items[i].name) : mlr_strdup(l.items[i].name);

        rc = path == NULL || inside == NULL ? mlr_error_nomem(err) : visit(t, &l.items[i], inside, path, depth, op, err);
        mlr_free(path);
        mlr_free(inside);
    }
    mlr_dir_list_done(&l);
    return rc;
}

int mlr_tarlayer_add_tree(mlr_tarlayer *t, const char *name, const char *dir, mlr_op *op, mlreg_error **err)
{
    int rc = 0;

    if (name[0] != '\0')
        rc = mlr_tarlayer_put_parents(t, name, true, err);
    return rc < 0 ? rc : walk(t, name, dir, 0, op, err);
}
