/* api/op.c - the op handle: cancel, progress and statistics of one call that takes long. */
#include "api/door.h"

#include "base/error.h"

int mlreg_op_new(mlreg_op **out, mlreg_error **err)
{
    int rc = mlr_door_needs(out, "out", err);

    return rc < 0 ? rc : mlr_remote_new(out, err);
}

void mlreg_op_on_progress(mlreg_op *op, mlreg_progress_fn fn, void *user, uint32_t interval_ms)
{
    if (op != NULL)
        mlr_remote_on_progress(op, fn, user, interval_ms);
}

void mlreg_op_cancel(mlreg_op *op)
{
    if (op != NULL)
        mlr_remote_cancel(op);
}

int mlreg_op_stats(const mlreg_op *op, mlreg_stats *inout, mlreg_error **err)
{
    mlreg_stats now;
    int rc = mlr_door_op(op, err);

    if (rc < 0 || (rc = mlr_door_report(inout, sizeof now, offsetof(mlreg_stats, wait_ms), "mlreg_stats", err)) < 0)
        return rc;
    memset(&now, 0, sizeof now);
    mlr_remote_stats(op, &now);
    mlr_door_fill(inout, &now, sizeof now);
    return 0;
}

int mlreg_op_blob_at(const mlreg_op *op, size_t i, mlreg_blob_stats *inout, mlreg_error **err)
{
    mlreg_blob_stats it;
    int rc = mlr_door_op(op, err);

    if (rc < 0 || (rc = mlr_door_report(inout, sizeof it, sizeof it, "mlreg_blob_stats", err)) < 0)
        return rc;
    memset(&it, 0, sizeof it);
    if (!mlr_remote_blob_at((mlreg_op *)op, i, &it))
        return mlr_error_set(err, MLREG_ENOTFOUND, "fewer than %zu blobs are done", i + 1);
    mlr_door_fill(inout, &it, sizeof it);
    return 0;
}

void mlreg_op_free(mlreg_op *op)
{
    mlr_remote_free(op);
}
