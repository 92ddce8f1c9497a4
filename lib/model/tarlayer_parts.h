/* model/tarlayer_parts.h - what a tar in the making is made of; for tarlayer*.c alone. */
#ifndef MLR_MODEL_TARLAYER_PARTS_H
#define MLR_MODEL_TARLAYER_PARTS_H
#include <sys/stat.h>
#include "codec/tarhead.h"
#include "model/tarlayer.h"

struct mlr_tar_item {
    mlr_member m;                    /* name and link are its own */
    char *path;                      /* of a file; NULL: */
    mlr_reader *bytes;               /* its own; NULL for what has none */
    mlr_digest digest;               /* of these bytes; "": nobody said */
    struct stat seen;                /* of the file, when it was added */
    uint64_t at, data_at;            /* where its headers and its bytes begin */
    bool implied;                    /* a folder that was not asked for, but leads to what was */
};
struct mlr_tarlayer {
    int64_t mtime_s;
    struct mlr_tar_item *items; size_t n, cap;
    size_t n_files;
    uint64_t end;                    /* of the last member */
};
/* Takes `item` with all it holds, on failure too; its name and link (NULL: none) are copied. */
int  mlr_tarlayer_put(mlr_tarlayer *t, struct mlr_tar_item item, const char *name, const char *link, mlreg_error **err);
int  mlr_tarlayer_put_file(mlr_tarlayer *t, const char *name, const char *path, mlreg_error **err);
int  mlr_tarlayer_put_folder(mlr_tarlayer *t, const char *name, unsigned mode, mlreg_error **err);
int  mlr_tarlayer_put_parents(mlr_tarlayer *t, const char *name, bool itself, mlreg_error **err);   /* itself: it is a folder that leads to others, too */
void mlr_tarlayer_item_done(struct mlr_tar_item *i);
bool mlr_tarlayer_aligned(const mlr_tarlayer *t, const struct mlr_tar_item *item);
#endif
