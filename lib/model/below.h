/* model/below.h - the file system that a base's layers make, by names and kinds alone: what stands where a new layer puts something. */
#ifndef MLR_MODEL_BELOW_H
#define MLR_MODEL_BELOW_H
#include "model/listing.h"

typedef struct mlr_below mlr_below;
int  mlr_below_new(mlr_below **out, mlreg_error **err);
void mlr_below_free(mlr_below *b);             /* NULL is fine */
/* One more layer over those that were laid. Behind one that is not known nothing is known any more of what lies below it. After a failure `b` is of no more use. */
int  mlr_below_lay(mlr_below *b, const mlr_listing *l, mlr_op *op, mlreg_error **err);

typedef enum mlr_below_says {
    MLR_BELOW_FREE,                            /* nothing speaks against it, as far as is known */
    MLR_BELOW_THROUGH,                         /* likewise, and a link on the way leads to where it will be */
    MLR_BELOW_LINK,                            /* it is to be a folder, and is a link to one */
    MLR_BELOW_CLASH                            /* it would hide a folder, or a link to one, or make a folder of what is none; or a part of its name would */
} mlr_below_says;
typedef struct mlr_below_found { size_t len; mlr_member_kind kind; const char *link; } mlr_below_found;   /* of a LINK or CLASH: so much of the name; what is there; where the link leads */
/* Whether `name` may become what it shall. Any number of threads, once all layers are laid. `name` as in a tar of our own. */
mlr_below_says mlr_below_look(mlr_below *b, const char *name, mlr_member_kind kind, mlr_below_found *out);
#endif
