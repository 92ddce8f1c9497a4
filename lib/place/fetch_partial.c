/* place/fetch_partial.c - one blob into a file that another process can go on with. */
#include "base/error.h"
#include "place/fetch.h"
#include "place/partial.h"

int mlr_fetch_partial(mlr_runtime *rt, mlr_reader *r, mlr_partial *p, const mlr_digest *d, mlr_op *op, mlreg_error **err)
{
    mlr_digest got;
    int        rc;

    if ((rc = mlr_partial_begin(p, op, err)) < 0 ||
        (rc = mlr_fetch(rt, r, mlr_partial_fd(p), mlr_partial_name(p), p, op, &got, err)) < 0)
        return rc;
    if ((rc = mlr_digest_check(&got, d, r->name, err)) < 0)
        mlr_partial_spoil(p);
    return rc;
}
