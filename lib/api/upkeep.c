/* api/upkeep.c - keeping a store: collecting what nothing names, checking what is there. */
#include "api/door.h"

int mlreg_session_gc(mlreg_session *s, const mlreg_gc_options *opts, mlreg_op *remote, mlreg_gc_report *inout, mlreg_error **err)
{
    mlreg_gc_options o;
    mlreg_gc_report report = { 0 };
    mlr_op *op = NULL;
    int rc;

    if ((rc = mlr_door_session(s, err)) < 0 || (rc = mlr_door_options(&o, sizeof o, sizeof o, MLREG_GC_DRY_RUN, opts, "mlreg_gc_options", err)) < 0 ||
        (inout != NULL && (rc = mlr_door_report(inout, sizeof report, sizeof report, "mlreg_gc_report", err)) < 0) || (rc = mlr_door_begin(remote, &op, err)) < 0)
        return rc;
    rc = mlr_place_gc(s->place, &o, op, &report, err);
    mlr_op_end(op);
    if (rc == 0 && inout != NULL)
        mlr_door_fill(inout, &report, sizeof report);
    return rc;
}

int mlreg_session_fsck(mlreg_session *s, uint32_t flags, mlreg_op *remote, mlreg_list **problems, mlreg_error **err)
{
    mlr_op *op = NULL;
    int rc;

    if ((rc = mlr_door_session(s, err)) < 0 || (rc = mlr_door_needs(problems, "problems", err)) < 0 || (rc = mlr_door_flags(flags, MLREG_FSCK_REPAIR, "mlreg_session_fsck", err)) < 0 ||
        (rc = mlr_door_begin(remote, &op, err)) < 0)
        return rc;
    rc = mlr_place_fsck(s->place, flags, op, problems, err);
    mlr_op_end(op);
    return rc;
}
