/* api/door.h - what every public call passes on its way in: handles that are there, options of any age, one op per call. */
#ifndef MLR_API_DOOR_H
#define MLR_API_DOOR_H
#include <sys/types.h>
#include "base/op.h"
#include "model/build.h"
#include "model/layer.h"
#include "model/variant.h"
#include "place/place.h"

struct mlreg_session {
    uint32_t   refs;           /* atomic: artifacts, streams and builders hold one each */
    pid_t      pid;            /* that opened it: a forked child may only free */
    mlr_place *place;
};
struct mlreg_artifact {
    mlreg_session *session;
    char          *repo;
    mlr_manifest  *manifest;
    char          *config;     /* set once, atomically; NULL until asked for */
};
mlreg_session *mlr_session_ref(mlreg_session *s);
/* Takes `m` over on success. */
int mlr_artifact_new(mlreg_session *s, const char *repo, mlr_manifest *m, mlreg_artifact **out, mlreg_error **err);

/* EINVAL naming what is NULL; ESTATE in a forked child. */
int mlr_door_needs(const void *thing, const char *what, mlreg_error **err);
int mlr_door_session(const mlreg_session *s, mlreg_error **err);
int mlr_door_runtime(const mlreg_runtime *rt, mlreg_error **err);   /* NULL is fine */
int mlr_door_op(const mlreg_op *op, mlreg_error **err);

/* mlr_op_begin, and ECANCELLED at once for an op that was cancelled before. */
int mlr_door_begin(mlreg_op *remote, mlr_op **out, mlreg_error **err);

#define MLR_DOOR_LARGEST_BYTES 4096 /* more than any struct of options will ever have */
/* Copies the caller's struct, of whatever age, into `ours` (zeroed first; `theirs` NULL: defaults). Both begin with `uint32_t size, flags`.
 * EINVAL: a size below `first_bytes` or above 4096, flags not in `flags_known`; ESTRUCT: bytes set that this library does not know. */
int mlr_door_options(void *ours, size_t our_bytes, size_t first_bytes, uint32_t flags_known, const void *theirs, const char *name, mlreg_error **err);
int mlr_door_flags(uint32_t flags, uint32_t known, const char *name, mlreg_error **err);
/* `flags` with MLREG_COPY_MOVE_TAG or not; EINVAL for a digest to be expected without it, or one that is none. */
int mlr_door_tag_rule(uint32_t flags, const char *expect_digest, mlr_tag_rule *out, mlreg_error **err);
/* What is wanted of an index; `own` is filled if a machine is described, and is the caller's to release either way. */
int mlr_door_wish(const mlreg_resolve_options *theirs, mlr_wish *out, mlr_host *own, mlreg_error **err);
int mlr_door_reserved(uint32_t reserved, const char *name, mlreg_error **err);
/* Fills the caller's report, of whatever age, from ours; mlr_door_report looks first: EINVAL, ESTRUCT as for options. */
int mlr_door_report(const void *theirs, size_t our_bytes, size_t first_bytes, const char *name, mlreg_error **err);
void mlr_door_fill(void *theirs, const void *ours, size_t our_bytes);
#endif
