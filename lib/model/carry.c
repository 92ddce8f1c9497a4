/* model/carry.c - one blob from one place to another, by the cheapest way there is. */
#include "model/carry.h"

#include "base/alloc.h"
#include "base/error.h"
#include "model/counted.h"
#include "model/foreign.h"
#include "place/absent.h"

static int move(mlr_place *from, const mlr_blob *a, mlr_place *to, const mlr_blob *b, mlr_op *op, mlreg_error **err)
{
    mlr_reader *r = NULL;
    mlreg_error *why = NULL;
    int rc;

    do {
        if ((rc = mlr_counted_open(from, a, op, &r, &why)) == 0)
            rc = mlr_place_blob_write(to, b, r, op, &why);
    } while (mlr_counted_again(from, a, rc, &r, op, &why));
    if (rc == 0)
        mlr_counted_rest(r, op);
    mlr_reader_free(r);
    return mlr_foreign_blame(from, rc, err, &why);
}

/* 1: what `from` has becomes known to `to` without being moved. */
static int mount(const mlr_place *from, const mlr_blob *a, mlr_place *to, const mlr_blob *b, mlr_op *op, mlreg_error **err)
{
    return from->identity == to->identity ? mlr_place_mount(to, b, a->repo, op, err) : 0;
}

/* 1: it is there without being moved. */
static int there_already(const mlr_place *from, const mlr_blob *a, mlr_place *to, const mlr_blob *b, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_place_blob_has(to, b, op, err);

    return rc != 0 ? rc : mount(from, a, to, b, op, err);
}

static void count(const mlr_blob *b, mlr_op *op)
{
    mlr_op_count(op, MLR_N_BYTES_REUSED, (int64_t)b->bytes);
    mlr_op_count(op, MLR_N_BYTES_DONE, (int64_t)b->bytes);
}

/* Of a blob that `to` has not under that name. */
static int bring(mlr_place *from, const mlr_blob *a, mlr_place *to, const mlr_blob *b, mlr_op *op, mlreg_error **err)
{
    int rc = mount(from, a, to, b, op, err);

    if (rc == 1)
        count(b, op);
    else if (rc == 0)
        rc = move(from, a, to, b, op, err);
    return rc < 0 ? rc : 0;
}

/* ---- what is somewhere else ---- */

static int from_afar(const mlr_absent *where, const mlr_blob *a, mlr_place *to, const mlr_blob *b, mlr_op *op, mlreg_error **err)
{
    mlr_blob   there = *a;
    mlr_place *p = NULL;
    int        rc = mlr_absent_open(where, to->rt, op, &p, err);

    there.repo = where->repo;
    if (rc == 0)
        rc = bring(p, &there, to, b, op, err);
    mlr_place_close(p);
    if (rc == MLREG_ENET || rc == MLREG_ETIMEDOUT || rc == MLREG_ENOTFOUND)
        mlr_error_hint(err, rc, "the store has left this layer in %s of %s, and it must come from there", where->repo, where->location);
    return rc;
}

/* 1: `from` lacks it by design. */
static int is_absent(mlr_place *from, const mlr_blob *a, mlr_absent *where, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_absent_find(from, &a->digest, where, err);

    if (rc == 1 && where->location[0] == '\0')       /* who names that address names it in a manifest */
        return 0;
    if (rc == 1 && (rc = mlr_place_blob_has(from, a, op, err)) >= 0)
        rc = rc == 1 ? 0 : 1;
    return rc;
}

/* From a store that has no more than the record: to one that can keep it goes the record. */
static int pass_on(const mlr_absent *where, const mlr_blob *a, mlr_place *to, const mlr_blob *b, mlr_op *op, mlreg_error **err)
{
    int rc;

    if (!mlr_absent_can(to))
        return from_afar(where, a, to, b, op, err);
    if ((rc = mlr_absent_note(to, b, where, err)) == 0)
        count(b, op);
    return rc;
}

/* Records are few and blobs are many: one is looked for where the blob was not found. */
static int bring_or_pass_on(mlr_place *from, const mlr_blob *a, mlr_place *to, const mlr_blob *b, mlr_op *op, mlreg_error **err)
{
    mlr_absent where = { NULL, NULL, NULL };
    mlreg_error *why = NULL;
    int rc = bring(from, a, to, b, op, &why), absent = rc == MLREG_ENOTFOUND ? is_absent(from, a, &where, op, err) : 0;

    if (absent != 0)
        rc = absent < 0 ? absent : pass_on(&where, a, to, b, op, err);
    else
        mlr_error_move(err, &why);
    mlr_error_done(why);
    mlr_absent_done(&where);
    return rc;
}

int mlr_carry_leave(mlr_place *from, const mlr_blob *a, mlr_place *to, const mlr_blob *b, mlr_op *op, mlreg_error **err)
{
    mlr_absent where = { NULL, NULL, NULL };
    int rc = mlr_absent_can(to) ? mlr_absent_of(from, a->repo, &where, err) : 0;

    if (rc == 1 && (rc = mlr_place_blob_has(to, b, op, err)) >= 0)
        rc = rc == 1 ? 0 : 1;
    if (rc == 1 && (rc = mlr_absent_note(to, b, &where, err)) == 0) {
        count(b, op);
        rc = 1;
    }
    mlr_absent_done(&where);
    return rc;
}

int mlr_carry(mlr_place *from, const mlr_blob *a, mlr_place *to, const mlr_blob *b, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_op_check(op, err);

    if (rc == 0 && (rc = mlr_place_blob_has(to, b, op, err)) == 1)
        count(b, op);
    else if (rc == 0)
        rc = bring_or_pass_on(from, a, to, b, op, err);
    return rc < 0 ? rc : 0;
}

/* ---- what is not to be distributed ---- */

static int note_foreign(mlr_place *from, const mlr_blob *a, const char *url, mlr_place *to, const mlr_blob *b, mlreg_error **err)
{
    mlr_absent where = { NULL, NULL, NULL };
    int rc = mlr_absent_find(from, &a->digest, &where, err);

    if (rc == 0)
        rc = mlr_absent_of(from, a->repo, &where, err);
    if (rc == 0)
        rc = mlr_absent_at(url, &where, err);
    if (rc == 1 && where.url == NULL && (where.url = mlr_strdup(url)) == NULL)
        rc = mlr_error_nomem(err);
    if (rc == 1)
        rc = mlr_absent_note(to, b, &where, err);
    mlr_absent_done(&where);
    return rc;
}

int mlr_carry_leave_foreign(mlr_place *from, const mlr_blob *a, const char *url, mlr_place *to, const mlr_blob *b, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_absent_can(to) ? mlr_place_blob_has(to, b, op, err) : 1;

    if (rc == 0)
        rc = note_foreign(from, a, url, to, b, err);
    if (rc >= 0)
        count(b, op);
    return rc < 0 ? rc : 0;
}

struct written { mlr_place *to; const mlr_blob *as; };

static int write_foreign(void *user, mlr_reader **r, mlr_op *op, mlreg_error **err)
{
    const struct written *w = user;

    return mlr_place_blob_write(w->to, w->as, *r, op, err);
}

int mlr_carry_foreign(mlr_place *from, const mlr_blob *a, const mlr_descriptor *d, mlr_place *to, const mlr_blob *b, mlr_op *op, mlreg_error **err)
{
    struct written w = { to, b };
    int rc = there_already(from, a, to, b, op, err);

    if (rc == 1)
        count(b, op);
    else if (rc == 0 && (rc = mlr_place_blob_has(from, a, op, err)) >= 0)
        rc = rc == 1 ? move(from, a, to, b, op, err) : mlr_foreign_bring(from, a, d, to->rt, write_foreign, &w, op, err);
    return rc < 0 ? rc : 0;
}
