/* place/repopath.h - a repository's name as a path below a store, and back: one to one. */
#ifndef MLR_PLACE_REPOPATH_H
#define MLR_PLACE_REPOPATH_H
#include <mlreg.h>

/* "127.0.0.1:5000/team/blobs" <-> "127.0.0.1+5000/team/blobs+". ':' is no character for file names everywhere; parts that a layout
 * uses itself (blobs, oci-layout, index.json) get a '+', which no name has. */
int mlr_repopath_make(const char *repo, char **out, mlreg_error **err);
/* 1; 0: not a path that make gives; ENOMEM. */
int mlr_repopath_read(const char *path, char **repo, mlreg_error **err);
#endif
