/* place/place_blobs.c - the one door to every place: its blobs, and the checks that all kinds share. */
#include "base/alloc.h"
#include "base/error.h"
#include "place/absent.h"
#include "place/intake.h"
#include "place/place_parts.h"

static int at_blob(mlr_place *p, const mlr_blob *b, int rc, mlreg_error **err)
{
    mlr_error_subject(err, rc, b->digest.text);
    return mlr_error_at(err, rc, p->name);
}

int mlr_place_check_size(mlr_place *p, const char *name, uint64_t bytes, mlreg_error **err)
{
    uint64_t most = p->ops->max_blob != NULL ? p->ops->max_blob(p) : UINT64_MAX;
    int      rc;

    if (bytes <= most)
        return 0;
    rc = mlr_error_set(err, MLREG_ELIMIT, "%s has %llu bytes, %s takes layers of at most %llu", name,
                       (unsigned long long)bytes, p->name, (unsigned long long)most);
    mlr_error_hint(err, rc, "write it as several smaller files, as most tools do when told a shard size");
    mlr_error_subject(err, rc, name);
    return mlr_error_at(err, rc, p->name);
}

int mlr_place_blob_has(mlr_place *p, const mlr_blob *b, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_place_check_repo(b->repo, err);
    if (rc == 0)
        rc = p->ops->blob_has(p, b, op, err);
    return at_blob(p, b, rc, err);
}

static int say_where(const mlr_blob *b, const mlr_absent *where, int rc, mlreg_error **err)
{
    if (where->url != NULL) {
        mlr_error_set(err, rc, "blob %s is not to be distributed, and was left where it is: %s", b->digest.text, where->url);
        return mlr_error_hint(err, rc, "pull it once more with MLREG_COPY_FOREIGN, which fetches it from there");
    }
    mlr_error_set(err, rc, "blob %s was left where it is when the image was built: in %s of %s", b->digest.text, where->repo, where->location);
    return mlr_error_hint(err, rc, "pull the base as well: mlreg pull %s@DIGEST", where->repo);
}

/* A blob that is not there because it need not be: where it is, is known. */
static int tell_absent(mlr_place *p, const mlr_blob *b, int rc, mlreg_error **err, mlreg_error **why)
{
    mlr_absent where = { NULL, NULL, NULL };

    if (rc == MLREG_ENOTFOUND && mlr_absent_find(p, &b->digest, &where, NULL) == 1)
        say_where(b, &where, rc, err);
    mlr_absent_done(&where);
    mlr_error_move(err, why);
    mlr_error_done(*why);
    return rc;
}

int mlr_place_blob_open(mlr_place *p, const mlr_blob *b, mlr_op *op, mlr_reader **out, mlreg_error **err)
{
    mlreg_error *why = NULL;
    mlr_reader  *r = NULL;
    int          rc = mlr_place_check_repo(b->repo, err);

    if (rc == 0 && (rc = p->ops->blob_open(p, b, op, &r, &why)) < 0)
        rc = tell_absent(p, b, rc, err, &why);
    else if (rc == 0 && r->bytes != b->bytes) {
        rc = mlr_error_set(err, MLREG_EDIGEST, "blob %s has %llu bytes, not %llu as named", b->digest.text,
                           (unsigned long long)r->bytes, (unsigned long long)b->bytes);
        mlr_reader_free(r);
    }
    if (rc == 0)
        *out = r;
    return at_blob(p, b, rc, err);
}

int mlr_place_blob_find(mlr_place *p, const char *repo, const mlr_digest *d, mlr_op *op, mlr_reader **out, mlreg_error **err)
{
    const mlr_blob b = { repo, *d, MLR_ANY_SIZE, NULL };
    int            rc = mlr_place_check_repo(repo, err);

    if (rc == 0)
        rc = mlr_place_asks(p) ? mlr_place_cannot(p, "be asked for a blob of unknown size", err) : p->ops->blob_open(p, &b, op, out, err);
    return at_blob(p, &b, rc, err);
}

int mlr_place_blob_later(mlr_place *p, const mlr_blob *b, mlr_op *op, mlr_reader **out, mlreg_error **err)
{
    int rc;

    if (p->ops->blob_later == NULL || b->bytes == 0)
        return mlr_place_blob_open(p, b, op, out, err);
    if ((rc = mlr_place_check_repo(b->repo, err)) == 0)
        rc = p->ops->blob_later(p, b, out, err);
    return at_blob(p, b, rc, err);
}

bool mlr_place_asks(const mlr_place *p)
{
    return p->ops->blob_at != NULL;
}

int mlr_place_blob_at(mlr_place *p, const mlr_blob *b, const char *url, mlr_reader **out, mlreg_error **err)
{
    return at_blob(p, b, p->ops->blob_at(p, b, url, out, err), err);
}

int mlr_place_blob_wrong(mlr_place *p, const mlr_blob *b, mlr_op *op)
{
    return p->ops->blob_wrong != NULL ? p->ops->blob_wrong(p, b, op) : 0;
}

int mlr_place_blob_write(mlr_place *p, const mlr_blob *b, mlr_reader *r, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_place_check_writable(p, err);
    if (rc == 0 && (rc = mlr_place_check_repo(b->repo, err)) == 0 && r->bytes != b->bytes)
        rc = mlr_error_set(err, MLREG_EDIGEST, "%s has %llu bytes, not %llu as %s is named", r->name,
                           (unsigned long long)r->bytes, (unsigned long long)b->bytes, b->digest.text);
    if (rc == 0)
        rc = p->ops->blob_write(p, b, r, op, err);
    return at_blob(p, b, rc, err);
}

static int gather(mlr_place *p, bool begin, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_place_check_writable(p, err);

    if (rc == 0 && p->ops->gather != NULL)
        rc = p->ops->gather(p, begin, op, err);
    return mlr_error_at(err, rc, p->name);
}

int mlr_place_gather_begin(mlr_place *p, mlr_op *op, mlreg_error **err)
{
    return gather(p, true, op, err);
}

int mlr_place_gather_end(mlr_place *p, mlr_op *op, mlreg_error **err)
{
    return gather(p, false, op, err);
}

int mlr_place_mount(mlr_place *p, const mlr_blob *b, const char *from_repo, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_place_check_writable(p, err);
    if (rc == 0 && (rc = mlr_place_check_repo(b->repo, err)) == 0 && (rc = mlr_place_check_repo(from_repo, err)) == 0)
        rc = p->ops->mount != NULL && (p->can & MLREG_CAN_MOUNT) ? p->ops->mount(p, b, from_repo, op, err) : 0;
    return at_blob(p, b, rc, err);
}

static int hash_then_write(mlr_place *p, const char *repo, mlr_reader *r, mlr_op *op, mlr_digest *digest,
                           mlreg_error **err)
{
    mlr_blob b = { repo, { "" }, r->bytes, NULL };
    int      rc = mlr_intake(p->rt, r, NULL, NULL, op, &b.digest, err);

    if (rc == 0 && (rc = p->ops->blob_write(p, &b, r, op, err)) == 0)
        *digest = b.digest;
    return rc;
}

static int take(mlr_place *p, const char *repo, mlr_reader *r, const mlr_ahead_file *ahead, mlr_op *op,
                mlr_digest *digest, mlreg_error **err)
{
    if (ahead != NULL && p->ops->blob_take_ahead != NULL)
        return p->ops->blob_take_ahead(p, repo, r, ahead, op, digest, err);
    return p->ops->blob_take != NULL ? p->ops->blob_take(p, repo, r, op, digest, err)
                                     : hash_then_write(p, repo, r, op, digest, err);
}

int mlr_place_blob_take(mlr_place *p, const char *repo, mlr_reader *r, const mlr_ahead_file *ahead, mlr_op *op,
                        mlr_digest *digest, mlreg_error **err)
{
    int rc = mlr_place_check_writable(p, err);
    if (rc == 0 && (rc = mlr_place_check_repo(repo, err)) == 0)
        rc = take(p, repo, r, ahead, op, digest, err);
    mlr_error_subject(err, rc, r->name);
    return mlr_error_at(err, rc, p->name);
}

/* ---- what comes in pieces ---- */

int mlr_place_incoming(mlr_place *p, const char *repo, const char *id, mlr_op *op, mlr_incoming **out, mlreg_error **err)
{
    int rc = mlr_place_check_writable(p, err);

    if (rc == 0 && (rc = mlr_place_check_repo(repo, err)) == 0)
        rc = p->ops->incoming != NULL ? p->ops->incoming(p, repo, id, op, out, err) : mlr_place_cannot(p, "take blobs in pieces", err);
    mlr_error_subject(err, rc, id != NULL ? id : repo);
    return mlr_error_at(err, rc, p->name);
}

int mlr_place_arrive(mlr_place *p, const char *repo, mlr_incoming *in, const mlr_digest *d, mlr_op *op, mlreg_error **err)
{
    return mlr_error_at(err, p->ops->arrive(p, repo, in, d, op, err), p->name);
}

int mlr_place_release(mlr_place *p, const char *repo, const mlr_digest *d, mlreg_error **err)
{
    int rc = mlr_place_check_writable(p, err);

    if (rc == 0 && (rc = mlr_place_check_repo(repo, err)) == 0 && p->ops->release != NULL)
        rc = p->ops->release(p, repo, d, err);
    return mlr_error_at(err, rc, p->name);
}

static int read_all(const mlr_blob *b, mlr_reader *r, mlr_op *op, mlr_buf *out, mlreg_error **err)
{
    mlr_digest got;
    int64_t    n = 0;
    int        rc;

    if ((rc = mlr_buf_reserve(out, (size_t)b->bytes, err)) < 0 ||
        (b->bytes > 0 && (n = mlr_reader_read_at(r, 0, out->data + out->len, (size_t)b->bytes, op, err)) < 0))
        return rc < 0 ? rc : (int)n;
    if ((uint64_t)n != b->bytes)
        return mlr_error_set(err, MLREG_EDIGEST, "blob %s ends after %lld of %llu bytes", b->digest.text, (long long)n,
                             (unsigned long long)b->bytes);
    mlr_digest_of(out->data + out->len, (size_t)n, &got);
    if ((rc = mlr_digest_check(&got, &b->digest, "blob", err)) < 0)
        return rc;
    out->len += (size_t)n;
    out->data[out->len] = 0;
    return 0;
}

static int open_and_read(mlr_place *p, const mlr_blob *b, mlr_op *op, mlr_buf *out, mlreg_error **err)
{
    mlr_reader *r = NULL;
    int         rc = mlr_place_blob_open(p, b, op, &r, err);

    if (rc == 0)
        rc = read_all(b, r, op, out, err);
    mlr_reader_free(r);
    return rc;
}

int mlr_place_blob_bytes(mlr_place *p, const mlr_blob *b, size_t max, mlr_op *op, mlr_buf *out, mlreg_error **err)
{
    mlreg_error *why = NULL;
    int          rc;

    if (b->bytes > max) {
        rc = mlr_error_set(err, MLREG_ELIMIT, "blob %s has %llu bytes, %zu are allowed here", b->digest.text,
                           (unsigned long long)b->bytes, max);
        return at_blob(p, b, rc, err);
    }
    do {
        mlr_error_done(why);
        why = NULL;
        rc = open_and_read(p, b, op, out, &why);
    } while (rc == MLREG_EDIGEST && mlr_place_blob_wrong(p, b, op) > 0);
    mlr_error_move(err, &why);
    return at_blob(p, b, rc, err);
}
