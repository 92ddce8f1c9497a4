/* model/tree.h - the files below a folder, as an artifact would name them. */
#ifndef MLR_MODEL_TREE_H
#define MLR_MODEL_TREE_H
#include <mlreg.h>
#include "base/op.h"

typedef struct mlr_tree_file { char *path, *title; } mlr_tree_file;      /* path: to open; title: relative to the folder, behind the prefix */
typedef struct mlr_tree { mlr_tree_file *items; size_t n, cap; } mlr_tree;   /* sorted by title, unless by kind */
#define MLR_TREE_MAX_FILES 100000
#define MLR_TREE_MAX_DEPTH 64
/* Hidden files and folders are left out. A link to a file counts as the file (Hugging Face's cache is made of them). ENOTFOUND; EINVAL: no folder, no file in it, a link to
 * a folder, a FIFO, socket or device, a name that could not be checked out; ELIMIT. */
int  mlr_tree_read(const char *dir, const char *prefix, mlr_op *op, mlr_tree *out, mlreg_error **err);
/* What changes seldom and weighs much comes first: weights, data, configuration, documents, code; within each by title. */
int  mlr_tree_by_kind(mlr_tree *t, mlr_op *op, mlreg_error **err);
void mlr_tree_done(mlr_tree *t);
#endif
