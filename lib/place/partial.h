/* place/partial.h - a blob in the making that outlives its process: one writer at a time, and the next goes on where it stopped. */
#ifndef MLR_PLACE_PARTIAL_H
#define MLR_PLACE_PARTIAL_H
#include "base/fs.h"
#include "base/op.h"
#include "codec/digest.h"
#include "place/journal.h"

#define MLR_PARTIAL_LEAST_BYTES ((uint64_t)16 << 20)   /* smaller ones are sooner fetched again than gone on with */

/* Three files in one private directory: <hex> with the bytes, <hex>.journal, <hex>.lock. */
typedef struct mlr_partial mlr_partial;

/* Waits until nobody else has this blob in the making. Whoever comes first, here or in another process, brings it; so look again
 * whether it is there, then begin. Free with mlr_partial_free, which lets go of it. EBUSY never. */
int  mlr_partial_lock(const char *dir, const mlr_digest *d, uint64_t bytes, mlr_op *op, mlr_partial **out, mlreg_error **err);
/* Before it is begun: it lies in a folder of others, which may have come from elsewhere with whatever is in it. So a state of the hash counts only
 * if it was noted since this machine started. `shown` is how messages call the file; borrowed. */
void mlr_partial_in_folder(mlr_partial *p, const char *shown);
/* The file, and what is known of it: all that its journal vouches for, by when and where it was last seen, else by reading it again
 * (XXH3 of each slab). Anything odd is forgotten. Space for all of it is taken. */
int  mlr_partial_begin(mlr_partial *p, mlr_op *op, mlreg_error **err);
int  mlr_partial_fd(const mlr_partial *p);
const char *mlr_partial_name(const mlr_partial *p);
uint32_t mlr_partial_there(const mlr_partial *p, size_t i, uint64_t *sum);   /* bytes of slab i from its start, and their sum */
void mlr_partial_midstate(const mlr_partial *p, mlr_sha256 *out);       /* of what lies before the first slab that is missing, or less */
uint64_t mlr_partial_hashed(const mlr_partial *p);                      /* how far the last noted state goes */
/* So much of these slabs is in the file, and such is the state of the hash: noted, for whoever comes when this process is dead. */
int  mlr_partial_note(mlr_partial *p, const mlr_journal_slab *slabs, size_t n, const mlr_sha256 *midstate, mlreg_error **err);
/* What is there is on the disk, or nothing of it is kept. Beside the other calls. */
int  mlr_partial_sync(mlr_partial *p, mlreg_error **err);
/* It is whole and right: the file becomes one that can be published, and is no longer this one's. */
int  mlr_partial_finish(mlr_partial *p, unsigned mode, mlr_temp *out, mlreg_error **err);
void mlr_partial_spoil(mlr_partial *p);        /* it is whole and wrong: nothing of it is kept */
void mlr_partial_free(mlr_partial *p);         /* keeps what is there for later, if anything is and the disk takes it; NULL is fine */

/* For gc: whether `name` in that directory is one of these files, and the blob that it belongs to. */
bool mlr_partial_is_part(const char *name, mlr_digest *out);
bool mlr_partial_is_lock_alone(const char *dir, const char *name);      /* it is a lock, and there are no bytes to go on with */
/* 1: gone, with all its files; 0: somebody has it in the making now. */
int  mlr_partial_remove(const char *dir, const mlr_digest *d, mlr_op *op, mlreg_error **err);
#endif
