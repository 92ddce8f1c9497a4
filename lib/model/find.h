/* model/find.h - the files of an image, found by path and by what they are. */
#ifndef MLR_MODEL_FIND_H
#define MLR_MODEL_FIND_H
#include "place/place.h"

#define MLR_FIND_BYTES_KEY  "io.github.libmlreg.image.bytes"
#define MLR_FIND_FORMAT_KEY "io.github.libmlreg.image.format"
/* Those that a container would see below `path`, or that match it as a pattern; NULL: model files by their content, or else their name. Sorted; each with its layer's descriptor, the
 * path as its title, and what the keys above say. Layers that name their one file are read by range; all others to their end, verified. ENOTSUP for what is no image. */
int mlr_find(mlr_place *p, const char *repo, const mlr_manifest *m, const char *path, mlr_op *op, mlr_list **out, mlreg_error **err);
#endif
