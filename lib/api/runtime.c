/* api/runtime.c - the runtime handle: budgets that sessions share. */
#include "api/door.h"

int mlreg_runtime_new(const mlreg_runtime_options *opts, mlreg_runtime **out, mlreg_error **err)
{
    mlreg_runtime_options o;
    mlr_limits limits;
    int rc = mlr_door_needs(out, "out", err);

    if (rc < 0 || (rc = mlr_door_options(&o, sizeof o, sizeof o, 0, opts, "mlreg_runtime_options", err)) < 0)
        return rc;
    limits = (mlr_limits){ .threads = o.max_threads, .connections = o.max_connections, .memory_bytes = o.memory_bytes,
                           .bytes_per_s = o.max_bytes_per_s };
    return mlr_runtime_new(&limits, out, err);
}

void mlreg_runtime_free(mlreg_runtime *r)
{
    mlr_runtime_unref(r);
}
