/* model/found.h - the files that were found in an image so far, and what a later layer hides of them. */
#ifndef MLR_MODEL_FOUND_H
#define MLR_MODEL_FOUND_H
#include <mlreg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mlr_found_file {
    char *path;                    /* as mlr_rootfs_clean gives it */
    uint64_t bytes;
    const char *format;            /* or NULL; not its own */
    size_t layer, turn;            /* which one holds it; when it was added */
    size_t hidden;                 /* 0: it can be seen; else it and all up to there are hidden */
} mlr_found_file;
/* `below`: so many are of earlier layers, in the order of mlr_rootfs_order. */
typedef struct mlr_found { mlr_found_file *items; size_t n, cap, below, n_hidden, bytes; } mlr_found;   /* bytes: of all paths */
#define MLR_FOUND_MAX_BYTES ((size_t)64 << 20)

/* One that the current layer holds; its path is copied. ELIMIT past MLR_FOUND_MAX_BYTES. */
int  mlr_found_add(mlr_found *f, const char *path, uint64_t bytes, const char *format, size_t layer, mlreg_error **err);
/* Of earlier layers. `itself`: what has that name; `inside`: what lies below it. However often it is asked, each file is passed over few times. */
void mlr_found_hide(mlr_found *f, const char *path, bool itself, bool inside);
/* At the end of a layer: what is hidden goes, and of a name that the layer has twice the last one stays. */
int  mlr_found_settle(mlr_found *f, mlreg_error **err);
void mlr_found_done(mlr_found *f);
#endif
