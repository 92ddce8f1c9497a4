/* place/repoblobs_parts.h - how a blob gets into a repository on disk; for repoblobs*.c alone. */
#ifndef MLR_PLACE_REPOBLOBS_PARTS_H
#define MLR_PLACE_REPOBLOBS_PARTS_H
#include "place/partial.h"
#include "place/repoblobs.h"

unsigned mlr_repoblobs_mode(const mlr_repodir *r);                 /* of its files */
int mlr_repoblobs_reused(uint64_t bytes, mlr_op *op);              /* counts it */

/* Inside the gate, content that is held cannot go away: so hold it first, look then. A look gives 1, 0 or a failure. */
typedef int (*mlr_repoblobs_look)(const mlr_repodir *r, const mlr_digest *d, uint64_t bytes, mlreg_error **err);
int mlr_repoblobs_hold_and_look(const mlr_repodir *r, const mlr_digest *d, uint64_t bytes, mlr_repoblobs_look look, mlr_op *op, mlreg_error **err);
int mlr_repoblobs_look_in_own(const mlr_repodir *r, const mlr_digest *d, uint64_t bytes, mlreg_error **err);
int mlr_repoblobs_link_from_pool(const mlr_repodir *r, const mlr_digest *d, uint64_t bytes, mlreg_error **err);
/* 1: it was in the pool, and is held and in the repository now; 0: it was not. */
int mlr_repoblobs_take_from_pool(const mlr_repodir *r, const mlr_digest *d, uint64_t bytes, mlr_op *op, mlreg_error **err);

/* And gives back the claim on it, if there was one. Inside the gate *t is made of `p` (NULL: it is made already): whoever does not get in keeps that. */
int mlr_repoblobs_hold_and_publish(const mlr_repodir *r, const mlr_digest *d, uint64_t bytes, mlr_partial *p, mlr_temp *t, mlr_op *op, mlreg_error **err);
/* Received, checked, and published or left waiting. `want`: the digest that it must have, or NULL: then only now it shows whether it was there. */
int mlr_repoblobs_bring(const mlr_repodir *r, const mlr_digest *want, mlr_reader *from, mlr_op *op, mlr_digest *got, mlreg_error **err);
/* What is not in the repository, by the best way: from the pool, from whoever is bringing it, or from `from`. */
int mlr_repoblobs_fetch(const mlr_repodir *r, const mlr_digest *d, mlr_reader *from, mlr_op *op, mlreg_error **err);
#endif
