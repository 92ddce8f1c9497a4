/* model/carry.c - one blob from one place to another, by the cheapest way there is. */
#include "model/carry.h"

#include "base/alloc.h"
#include "base/error.h"
#include "model/counted.h"

/* A reader's bytes fail in the hands of the other place: wrong ones are still the doing of where they came from, unless the other end
 * of a line says that they did not arrive. */
static int blame(const mlr_place *from, int rc, mlreg_error **err, mlreg_error **why)
{
    if (rc == MLREG_EDIGEST && *why != NULL && (*why)->http_status == 0) {
        mlr_free((*why)->place);
        (*why)->place = NULL;
        mlr_error_at(why, rc, from->name);
    }
    mlr_error_move(err, why);
    return rc;
}

static int move(mlr_place *from, const mlr_blob *a, mlr_place *to, const mlr_blob *b, mlr_op *op, mlreg_error **err)
{
    mlr_reader *r = NULL;
    mlreg_error *why = NULL;
    int rc = mlr_counted_open(from, a, op, &r, &why);

    if (rc == 0 && (rc = mlr_place_blob_write(to, b, r, op, &why)) == 0)
        mlr_counted_rest(r, op);
    mlr_reader_free(r);
    return blame(from, rc, err, &why);
}

/* 1: it is there without being moved. */
static int there_already(const mlr_place *from, const mlr_blob *a, mlr_place *to, const mlr_blob *b, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_place_blob_has(to, b, op, err);

    if (rc != 0 || from->identity != to->identity)
        return rc;
    return mlr_place_mount(to, b, a->repo, op, err);
}

int mlr_carry(mlr_place *from, const mlr_blob *a, mlr_place *to, const mlr_blob *b, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_op_check(op, err);

    if (rc == 0)
        rc = there_already(from, a, to, b, op, err);
    if (rc == 1) {
        mlr_op_count(op, MLR_N_BYTES_REUSED, (int64_t)b->bytes);
        mlr_op_count(op, MLR_N_BYTES_DONE, (int64_t)b->bytes);
    } else if (rc == 0) {
        rc = move(from, a, to, b, op, err);
    }
    if (rc >= 0)
        mlr_op_count(op, MLR_N_BLOBS_DONE, 1);
    return rc < 0 ? rc : 0;
}
