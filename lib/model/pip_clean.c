/* model/pip_clean.c - what pip leaves that differs from machine to machine, taken out. */
#include "model/pip_clean.h"

#include <dirent.h>
#include <stdbool.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/text.h"

#define MAX_FILES        1000000
#define MAX_DEPTH        100
#define SCRIPT_MAX_BYTES (1u << 20)
#define ANY_PYTHON       "#!/usr/bin/env python3"

/* "#!/home/me/venv/bin/python3" */
static int clean_script(const char *path, mlreg_error **err)
{
    mlr_buf text = MLR_BUF_INIT(SCRIPT_MAX_BYTES), out = MLR_BUF_INIT(2 * SCRIPT_MAX_BYTES);
    size_t line;
    int rc = mlr_fs_read_file(path, &text, NULL);

    if (rc < 0)                              /* too long for a script: a program */
        return 0;
    line = text.len > 0 ? strcspn(text.data, "\n") : 0;
    if (line > 2 && memcmp(text.data, "#!", 2) == 0 && memmem(text.data, line, "python", 6) != NULL &&
        (rc = mlr_buf_puts(&out, ANY_PYTHON, err)) == 0 && (rc = mlr_buf_add(&out, text.data + line, text.len - line, err)) == 0)
        rc = mlr_fs_write_file(path, out.data, out.len, 0755, err);
    mlr_buf_done(&text);
    mlr_buf_done(&out);
    return rc;
}

static int walk(const char *dir, bool scripts, unsigned depth, mlr_op *op, mlreg_error **err);

static int visit(const mlr_dir_entry *e, const char *path, bool scripts, unsigned depth, mlr_op *op, mlreg_error **err)
{
    if (e->type == DT_DIR && strcmp(e->name, "__pycache__") == 0)
        return mlr_fs_remove_tree(path, err);
    if (e->type == DT_DIR)
        return walk(path, depth == 0 && strcmp(e->name, "bin") == 0, depth + 1, op, err);
    if (mlr_text_ends_in(e->name, strlen(e->name), ".pyc") || strcmp(e->name, "direct_url.json") == 0)
        return mlr_fs_unlink(path, err);
    return scripts && e->type == DT_REG ? clean_script(path, err) : 0;
}

static int walk(const char *dir, bool scripts, unsigned depth, mlr_op *op, mlreg_error **err)
{
    mlr_dir_list l = { 0 };
    int rc = mlr_op_check(op, err);

    if (rc == 0 && depth > MAX_DEPTH)
        rc = mlr_error_set(err, MLREG_ELIMIT, "%s: over %d folders deep", dir, MAX_DEPTH);
    if (rc == 0)
        rc = mlr_fs_list_path(dir, MAX_FILES, &l, err);
    for (size_t i = 0; i < l.n && rc == 0; i++) {
        char *path = mlr_path_join(dir, l.items[i].name);

        rc = path == NULL ? mlr_error_nomem(err) : visit(&l.items[i], path, scripts, depth, op, err);
        mlr_free(path);
    }
    mlr_dir_list_done(&l);
    return rc;
}

int mlr_pip_clean(const char *dir, mlr_op *op, mlreg_error **err)
{
    return walk(dir, false, 0, op, err);
}
