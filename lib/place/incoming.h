/* place/incoming.h - a blob that comes in pieces, when its sender likes: hashed on the way, and there for the next process. */
#ifndef MLR_PLACE_INCOMING_H
#define MLR_PLACE_INCOMING_H
#include "base/fs.h"
#include "base/op.h"
#include "codec/digest.h"

/* Two files in a private directory, named as what gc removes a day after the last byte: the bytes, and a journal that says whose they
 * are and how far they are hashed. One holder at a time, here or in another process. */
typedef struct mlr_incoming mlr_incoming;

/* `id` NULL: a new one; else ENOTFOUND for one that is not there, or belongs to another repository; EBUSY while another holds it. What the
 * journal cannot vouch for is hashed again. */
int  mlr_incoming_open(const char *dir, const char *repo, const char *id, mlr_op *op, mlr_incoming **out, mlreg_error **err);
const char *mlr_incoming_id(const mlr_incoming *in);
uint64_t mlr_incoming_bytes(const mlr_incoming *in);
int  mlr_incoming_write(mlr_incoming *in, const void *data, size_t len, mlreg_error **err);   /* all or an error; then the file is as before */
/* What was written outlives this process. A power cut may take it, and then it is not mistaken for what it was. */
int  mlr_incoming_keep(mlr_incoming *in, mlreg_error **err);
/* It is whole. EDIGEST if it is not `want`: it is as before. Then it is synced and no longer this one's: publish `out`, by a name that has
 * `mode`. */
int  mlr_incoming_finish(mlr_incoming *in, const mlr_digest *want, unsigned mode, mlr_temp *out, mlreg_error **err);
void mlr_incoming_spoil(mlr_incoming *in);     /* nothing of it is kept */
void mlr_incoming_free(mlr_incoming *in);      /* lets go of it; NULL is fine */
#endif
