/* model/landing.h - one verified file put in its place beneath a folder: whole, or not at all. */
#ifndef MLR_MODEL_LANDING_H
#define MLR_MODEL_LANDING_H
#include "base/fs.h"
#include "place/place.h"

/* 1 and an open descriptor: a regular file of that size stands at `path`; 0: it does not. EDENIED for a link there or on the way. */
int mlr_landing_open_existing(int root, const char *path, uint64_t bytes, int *fd, mlreg_error **err);
/* The layer's bytes to `path`, digest checked, mode from the layer's metadata (executable or not). Directories are made. */
int mlr_landing_file(mlr_runtime *rt, mlr_reader *r, const mlr_descriptor *layer, int root, const char *path, mlr_op *op, mlreg_error **err);

/* The same by hand, for bytes from elsewhere: begin, write through temp.fd, end or abort. */
typedef struct mlr_landing { int dir; mlr_temp temp; char *target; } mlr_landing;
#define MLR_LANDING_INIT { -1, MLR_TEMP_INIT, NULL }
int  mlr_landing_begin(mlr_landing *l, int root, const char *path, unsigned mode, mlreg_error **err);
int  mlr_landing_end(mlr_landing *l, mlreg_error **err);       /* publishes over a regular file that is there */
void mlr_landing_done(mlr_landing *l);                         /* and removes what was not published */
#endif
