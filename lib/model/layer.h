/* model/layer.h - one layer's bytes as a stream: in order and verified, or by range where something vouches for it. */
#ifndef MLR_MODEL_LAYER_H
#define MLR_MODEL_LAYER_H
#include "place/place.h"

typedef struct mlr_layer mlr_layer;
typedef struct mlr_layer_open { uint64_t offset, bytes; bool unverified; } mlr_layer_open;   /* bytes 0: to the end */
/* From a place that verified the bytes when it stored them (reader->trusted) everything is allowed. Elsewhere: a whole-layer sequential read is verified slab by slab only at the end,
 * so without `unverified` bytes are first brought, verified, into an unlinked temporary file, then read from there (up to the runtime's memory for small ones: in memory). */
int  mlr_layer_open_at(mlr_place *p, const mlr_blob *b, const mlr_layer_open *o, mlr_op *op, mlr_layer **out, mlreg_error **err);
/* The file that the layer stands for: what is in it, if it is a plain tar of one file (ENOTSUP if it is another tar), else the layer. The range is the file's. */
int  mlr_layer_open_file(mlr_place *p, const mlr_blob *b, const mlr_layer_open *o, mlr_op *op, mlr_layer **out, mlreg_error **err);
int  mlr_layer_narrow(mlr_layer *l, uint64_t offset, uint64_t bytes, mlreg_error **err);   /* to a part of what it is, before it is read */
uint64_t mlr_layer_begin(const mlr_layer *l);  /* of the stream within the blob */
int64_t mlr_layer_read(mlr_layer *l, void *buf, size_t len, mlr_op *op, mlreg_error **err);
int64_t mlr_layer_read_at(mlr_layer *l, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err);   /* any number of threads */
int  mlr_layer_seek(mlr_layer *l, uint64_t offset, mlreg_error **err);
/* As the codecs read, whatever it is made of; `v` and `name` live as long as the reader, which needs no freeing. */
typedef struct mlr_layer_view { mlr_reader reader; mlr_layer *of; } mlr_layer_view;
mlr_reader *mlr_layer_as_reader(mlr_layer_view *v, mlr_layer *l, const char *name);
uint64_t mlr_layer_bytes(const mlr_layer *l);
void mlr_layer_free(mlr_layer *l);
int  mlr_layer_fd(mlr_place *p, const mlr_blob *b, mlr_op *op, int *fd, mlreg_error **err);           /* ENOTSUP unless the place has verified plain files */
#endif
