/* model/tagrule.h - whether a tag may go where it shall, said before the work is done; the place decides again when it comes. */
#ifndef MLR_MODEL_TAGRULE_H
#define MLR_MODEL_TAGRULE_H
#include "place/place.h"

/* 0: nothing speaks against it. EEXISTS: the tag is at another digest than `wanted`, and may not move off that one; ENOTFOUND: it should be at
 * rule->expect and is not there. A tag that may not be looked at is none of these. `tag` NULL: 0. */
int mlr_tagrule_check(mlr_place *p, const char *repo, const char *tag, const mlr_tag_rule *rule, const mlr_digest *wanted, mlr_op *op, mlreg_error **err);
#endif
