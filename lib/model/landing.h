/* model/landing.h - one verified file put in its place beneath a folder: whole, or not at all. */
#ifndef MLR_MODEL_LANDING_H
#define MLR_MODEL_LANDING_H
#include "base/fs.h"
#include "place/place.h"

/* The folder. Opened once: whatever becomes of its name meanwhile, everything happens beneath `fd`. */
typedef struct mlr_ground { int fd; const char *path; } mlr_ground;   /* path: for messages */

/* 1 and an open descriptor: a regular file of that size stands at `path`; 0: it does not. EDENIED for a link there or on the way;
 * EEXISTS for a folder or device there, or a file on the way. */
int mlr_landing_open_existing(const mlr_ground *ground, const char *path, uint64_t bytes, int *fd, mlreg_error **err);
/* A file that was looked at and is not the wanted one: as long as it is the same file, it need not be read again. All zeros: none was. */
typedef struct mlr_landing_look { uint64_t dev, ino; int64_t bytes, mtime_s, mtime_ns, ctime_s, ctime_ns; } mlr_landing_look;
/* 1: what stands there already has that size and digest. 0: it has not, and `seen`, in and out, says which file was found to be another. */
int mlr_landing_is_there(mlr_runtime *rt, const mlr_descriptor *layer, const mlr_ground *ground, const char *path, mlr_landing_look *seen, mlr_op *op, mlreg_error **err);
/* The layer's bytes to `path`, digest checked, mode from the layer's metadata (executable or not). Directories are made. A large one from
 * afar goes on where a process stopped that died, and waits for one that is bringing it. `seen`: of mlr_landing_is_there. */
int mlr_landing_file(mlr_runtime *rt, mlr_reader *r, const mlr_descriptor *layer, const mlr_ground *ground, const char *path, mlr_landing_look *seen, mlr_op *op, mlreg_error **err);

/* The same by hand, for bytes from elsewhere: begin, write through temp.fd, end or not. `path` outlives it. */
typedef struct mlr_landing { int dir; mlr_temp temp; const char *last; char *shown; } mlr_landing;   /* shown: for messages */
#define MLR_LANDING_INIT { -1, MLR_TEMP_INIT, NULL, NULL }
int  mlr_landing_begin(mlr_landing *l, const mlr_ground *ground, const char *path, unsigned mode, mlreg_error **err);
int  mlr_landing_end(mlr_landing *l, mlr_op *op, mlreg_error **err);       /* publishes over a regular file that is there */
void mlr_landing_done(mlr_landing *l);                         /* and removes what was not published */

/* Small files that are published a few at a time: to sync each of them takes longer than to write it. Each is durable before it has its
 * name, and its name before end returns. Of one thread; begin stands before the first is written. */
#define MLR_LANDINGS_MAX 16u
typedef struct mlr_landings { mlr_landing items[MLR_LANDINGS_MAX]; char *names[MLR_LANDINGS_MAX]; size_t n; int ground; uint64_t device; } mlr_landings;
#define MLR_LANDINGS_INIT { .ground = -1 }
int  mlr_landings_begin(mlr_landings *s, const mlr_ground *ground, mlreg_error **err);
int  mlr_landings_add(mlr_landings *s, mlr_landing *l, mlr_op *op, mlreg_error **err);   /* takes what is in `l`, on success only */
int  mlr_landings_end(mlr_landings *s, mlr_op *op, mlreg_error **err);                   /* publishes those that are left */
void mlr_landings_done(mlr_landings *s);                       /* and removes what was not published */
#endif
