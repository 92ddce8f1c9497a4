/* place/repoblobs.h - the blobs of one repository on disk: received once, shared through the store's pool, safe from gc while in flight. */
#ifndef MLR_PLACE_REPOBLOBS_H
#define MLR_PLACE_REPOBLOBS_H
#include "place/incoming.h"
#include "place/place.h"
#include "place/repodir.h"

int mlr_repoblobs_has(const mlr_repodir *r, const mlr_digest *d, uint64_t bytes, mlr_op *op, mlreg_error **err);   /* 1 (and noted as in flight), 0 */
int mlr_repoblobs_open(const mlr_repodir *r, const mlr_digest *d, mlr_reader **out, mlreg_error **err);            /* trusted where the pool shares the file */
int mlr_repoblobs_write(const mlr_repodir *r, const mlr_digest *d, mlr_reader *from, mlr_op *op, mlreg_error **err);
int mlr_repoblobs_take(const mlr_repodir *r, mlr_reader *from, mlr_op *op, mlr_digest *out, mlreg_error **err);
int mlr_repoblobs_mount(const mlr_repodir *r, const mlr_repodir *from, const mlr_digest *d, uint64_t bytes, mlr_op *op, mlreg_error **err); /* 1, 0 */
/* An upload that is whole: EDIGEST if it is not `d`; then it is published, durably. */
int mlr_repoblobs_arrive(const mlr_repodir *r, mlr_incoming *in, const mlr_digest *d, mlr_op *op, mlreg_error **err);
/* Files that were received, checked and synced: published together. */
typedef struct mlr_repoblobs_whole { const mlr_digest *digest; uint64_t bytes; mlr_temp *temp; } mlr_repoblobs_whole;
int mlr_repoblobs_publish(const mlr_repodir *r, const mlr_repoblobs_whole *blobs, size_t n, mlr_op *op, mlreg_error **err);
/* Bytes in memory, with the gate already passed. */
int mlr_repoblobs_put(const mlr_repodir *r, const mlr_digest *d, const void *data, size_t len, mlr_op *op, mlreg_error **err);
#endif
