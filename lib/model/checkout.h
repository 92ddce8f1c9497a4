/* model/checkout.h - an artifact's files into a folder, straight from wherever it lives. */
#ifndef MLR_MODEL_CHECKOUT_H
#define MLR_MODEL_CHECKOUT_H
#include "place/place.h"

typedef struct mlr_checkout { const char *const *include, *const *exclude; size_t n_include, n_exclude; } mlr_checkout;
/* Every name is checked before a byte is fetched (relative, no "..", no clash by case); no link is followed or replaced by writing through it; a file appears
 * whole and verified, or not at all; one that already has the right size and digest stays untouched (mtime too). Titled layers that are tar, tar+gzip or tar+zstd
 * are unpacked. Patterns: '*' and '?' within a component, '**' across; a pattern without '/' matches the last component. `repo` says where in `p` it lives. */
int mlr_checkout_run(mlr_place *p, const char *repo, const mlr_manifest *m, const char *dir, const mlr_checkout *o, mlr_op *op, mlreg_error **err);
#endif
