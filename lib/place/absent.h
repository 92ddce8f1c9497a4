/* place/absent.h - blobs that a store lacks by design: a base's layers, with the registry that has them, and foreign ones, with their address. */
#ifndef MLR_PLACE_ABSENT_H
#define MLR_PLACE_ABSENT_H
#include "place/folder.h"
#include "place/place.h"

/* One small file for each blob in a directory of the store's own part. It lives as long as a manifest of the store names its blob, and
 * says nothing any more once the blob is there. */
#define MLR_ABSENT_DIR "absent"
typedef struct mlr_absent {
    char *location, *repo;           /* as mlr_place_open takes it; the repository there. Both "" where only an address is known */
    char *url;                       /* of what is not to be distributed: its address; else NULL */
} mlr_absent;
void mlr_absent_done(mlr_absent *a);

/* `f`: the store's own part. */
int  mlr_absent_write(const mlr_folder *f, const mlr_blob *b, const mlr_absent *where, mlreg_error **err);   /* durable; replaces */
int  mlr_absent_read(const mlr_folder *f, const mlr_digest *d, mlr_absent *out, mlreg_error **err);          /* 1; 0: nothing is recorded */
/* For gc: the names in the directory, as digests. */
int  mlr_absent_each(const mlr_folder *f, int (*fn)(void *user, const mlr_digest *d, const char *name, mlreg_error **err), void *user, mlreg_error **err);

/* Of any place. */
bool mlr_absent_can(const mlr_place *p);                             /* records can be kept there */
int  mlr_absent_note(mlr_place *p, const mlr_blob *b, const mlr_absent *where, mlreg_error **err);
int  mlr_absent_find(mlr_place *p, const mlr_digest *d, mlr_absent *out, mlreg_error **err);   /* 1, 0 */
int  mlr_absent_of(const mlr_place *p, const char *repo, mlr_absent *out, mlreg_error **err);  /* a place, as a record names it: 1; 0: nobody else could find it */
int  mlr_absent_at(const char *url, mlr_absent *out, mlreg_error **err);                       /* nothing but the address: 1 */
/* The place of the record; where there is none, whoever answers at the address, which then serves mlr_place_blob_at alone. */
int  mlr_absent_open(const mlr_absent *a, mlr_runtime *rt, mlr_op *op, mlr_place **out, mlreg_error **err);
/* A foreign layer that was not found: what to do about it, and `how` it would come. Gives back rc. */
#define MLR_ABSENT_COPY "a copy with MLREG_COPY_FOREIGN"
int  mlr_absent_hint(const mlr_descriptor *d, const char *how, int rc, mlreg_error **err);
#endif
