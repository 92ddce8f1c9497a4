/* place/claims.h - small blobs that somebody is bringing: known to all threads and processes, so that each comes once. */
#ifndef MLR_PLACE_CLAIMS_H
#define MLR_PLACE_CLAIMS_H
#include "base/op.h"
#include "codec/digest.h"

/* A claim is a lock on one byte of a file that stays empty, at a place that the digest says: no file for each blob, nothing to
 * clear away, and gone with the process that had it. Claims save work and protect nothing. */
typedef struct mlr_claims mlr_claims;              /* of one open place; any thread */
int  mlr_claims_new(const char *file, mlr_claims **out, mlreg_error **err);    /* the file is made with the first claim */
void mlr_claims_free(mlr_claims *c);               /* NULL is fine */
/* Whether it is now this caller's, who gives it back, or somebody else's. Where there can be no such locks, everybody has them. */
bool mlr_claims_take(mlr_claims *c, const mlr_digest *d);
void mlr_claims_give(mlr_claims *c, const mlr_digest *d);      /* not taken is fine */
/* For a while, or until this process gives one back; *step_ms begins with 0. 0, ECANCELLED. */
int  mlr_claims_wait(mlr_claims *c, uint64_t *step_ms, mlr_op *op, mlreg_error **err);
#endif
