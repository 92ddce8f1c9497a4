/* place/shelf.h - blobs and repositories in memory: each blob once, each repository with an index and the blobs it holds. */
#ifndef MLR_PLACE_SHELF_H
#define MLR_PLACE_SHELF_H
#include "place/digestmap.h"
#include "place/index.h"

/* Never changed and never freed while the shelf stands, so readers borrow the bytes. */
typedef struct mlr_shelf_blob {
    mlr_digest digest;
    uint64_t   bytes;
    char      *data;
} mlr_shelf_blob;
typedef struct mlr_shelf_repo {
    char         *name;
    mlr_index    *index;
    mlr_digestmap blobs;                   /* those it holds, numbered as by_digest does */
} mlr_shelf_repo;
/* One thread at a time. */
typedef struct mlr_shelf {
    mlr_shelf_repo **repos; size_t n_repos, cap_repos;
    mlr_shelf_blob **blobs; size_t n_blobs, cap_blobs;
    mlr_digestmap    by_digest;            /* 1 + the place in `blobs`; 0: none after all */
} mlr_shelf;
void mlr_shelf_done(mlr_shelf *s);

mlr_shelf_repo *mlr_shelf_repository(const mlr_shelf *s, const char *name);                    /* NULL if there is none */
int  mlr_shelf_make_repository(mlr_shelf *s, const char *name, mlr_shelf_repo **out, mlreg_error **err);
mlr_shelf_blob *mlr_shelf_find(const mlr_shelf *s, const mlr_shelf_repo *r, const mlr_digest *d, uint64_t bytes);  /* `r` may be NULL; NULL if it lacks it */
/* Makes `b` known to the repository. Takes it in any case: what is there already need not be there twice. */
int  mlr_shelf_keep(mlr_shelf *s, mlr_shelf_repo *r, mlr_shelf_blob *b, mlreg_error **err);
int  mlr_shelf_share(mlr_shelf *s, mlr_shelf_repo *r, const mlr_digest *d, mlreg_error **err); /* one that another repository has */

mlr_shelf_blob *mlr_shelf_blob_new(uint64_t bytes);                                            /* NULL: out of memory */
void mlr_shelf_blob_free(mlr_shelf_blob *b);                                                   /* one that no shelf has taken; NULL is fine */
#endif
