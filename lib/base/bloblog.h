/* base/bloblog.h - which blobs a call is done with, and how long each took. */
#ifndef MLR_BASE_BLOBLOG_H
#define MLR_BASE_BLOBLOG_H
#include <mlreg.h>
#include <pthread.h>
#include <stdbool.h>

#define MLR_BLOBLOG_MOST 10000         /* whoever uses an op for ever does not pay for it */

typedef struct mlr_bloblog {
    pthread_mutex_t lock;              /* guards the rest */
    mlreg_blob_stats *items;           /* whose names are ours, and stay where they are */
    size_t n, cap;
} mlr_bloblog;
void mlr_bloblog_init(mlr_bloblog *l);
void mlr_bloblog_done(mlr_bloblog *l);
/* What there is no memory for, and what comes after the most, is left out. */
void mlr_bloblog_add(mlr_bloblog *l, const char *name, uint64_t bytes, uint64_t began_ms, uint64_t elapsed_ms);
bool mlr_bloblog_at(mlr_bloblog *l, size_t i, mlreg_blob_stats *out);     /* every field but `size`; false past the last */
#endif
