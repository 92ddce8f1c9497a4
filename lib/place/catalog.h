/* place/catalog.h - what a repository answers about its manifests, from its index and its blobs, wherever these are kept. */
#ifndef MLR_PLACE_CATALOG_H
#define MLR_PLACE_CATALOG_H
#include "place/walk.h"

typedef struct mlr_catalog {
    mlr_index     *index;
    mlr_walk_fetch fetch;
    void          *user;
} mlr_catalog;
/* The descriptor under a tag or digest; by digest also what an index in it names. A copy; ENOTFOUND. */
int mlr_catalog_resolve(const mlr_catalog *c, const mlr_ref *r, mlr_op *op, mlr_descriptor *out, mlreg_error **err);
/* Takes a tag, or a digest with its tags, out of the index. ENOTFOUND; ENOTSUP for what only an index names. */
int mlr_catalog_remove(mlr_catalog *c, const mlr_ref *r, mlr_op *op, mlreg_error **err);
/* Manifests, those that only an index names too, that may have `subject` as theirs: a superset. */
int mlr_catalog_referrers(const mlr_catalog *c, const mlr_digest *subject, mlr_op *op, mlr_list *out, mlreg_error **err);

/* 1, 0, or a failure: whether the repository holds that content, of that size. */
typedef int (*mlr_catalog_has)(void *user, const mlr_descriptor *d, mlreg_error **err);
/* Everything that `m` names is there, but for its subject, layers that are to be had by URL and what it lacks by design: 0, or ENOTFOUND. */
int mlr_catalog_complete(const mlr_manifest *m, mlr_catalog_has has, void *user, mlreg_error **err);
#endif
