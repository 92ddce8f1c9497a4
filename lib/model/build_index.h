/* model/build_index.h - an index in the making: the part of a builder that has entries in place of layers. */
#ifndef MLR_MODEL_BUILD_INDEX_H
#define MLR_MODEL_BUILD_INDEX_H
#include "model/build.h"

/* Between new and commit: begin with the entries of another index; add an entry, whose place stays open until the builder is freed; remove
 * the entries of that name, or of that digest. */
int  mlr_build_add_children_of(mlr_build *b, mlr_place *from, const char *repo, const mlr_manifest *m, mlreg_error **err);
int  mlr_build_add_child(mlr_build *b, mlr_place *from, const char *repo, const mlr_manifest *m, const mlreg_variant_options *o, mlreg_error **err);
int  mlr_build_remove_child(mlr_build *b, const char *name, mlreg_error **err);

/* For build.c and build_commit.c. `index` of the builder is set by new alone. */
struct mlr_build_index;
int  mlr_build_index_new(mlr_build *b, mlreg_error **err);
void mlr_build_index_free(struct mlr_build_index *x);
size_t mlr_build_index_count(const struct mlr_build_index *x);
int  mlr_build_index_prepare(mlr_build *b, mlr_op *op, mlreg_error **err);                              /* platforms, and what is twice */
int  mlr_build_index_put(const mlr_build *b, const mlr_descriptor *subject, mlr_buf *out, mlreg_error **err);
int  mlr_build_index_bring(mlr_build *b, const char *tag, mlr_manifest *m, mlr_op *op, mlreg_error **err); /* the entries to where the index goes */
#endif
