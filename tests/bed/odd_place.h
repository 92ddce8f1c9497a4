/* bed/odd_place.h - a place in front of another one, which counts what it is asked for and lies, fails or waits where it is told to.
 * Include after cmocka.h. */
#ifndef MLR_BED_ODD_PLACE_H
#define MLR_BED_ODD_PLACE_H
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "place/place.h"

typedef struct odd_place {
    mlr_place  place;
    mlr_place *inner;                  /* borrowed */
    mlr_digest lie;                    /* of this blob the first byte comes back changed */
    mlr_digest missing;                /* this blob is not there */
    mlr_digest fails;                  /* this blob breaks off halfway with `code` */
    int        code;
    const char *manifest;              /* what every reference leads to, in place of the truth */
    uint64_t   real_bytes;             /* that a blob has, whatever it is asked for with; 0: as asked */
    bool       trusted;                /* readers keep their trust and descriptors; else as from afar */
    void     (*on_read)(void *user);   /* before every read of a blob, on whatever thread */
    void      *user;
    atomic_int resolves, manifests_read, manifests_written, looks, opens, writes, takes, mounts, readers;
} odd_place;

struct odd_reader { mlr_reader base; mlr_reader *inner; odd_place *of; bool lies, fails; };

static inline int64_t odd_read_at(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    struct odd_reader *x = (struct odd_reader *)r;
    int64_t            n;

    if (x->of->on_read != NULL)
        x->of->on_read(x->of->user);
    if (x->fails && offset + len > r->bytes / 2)
        return mlr_error_set(err, x->of->code, "it broke off");
    n = mlr_reader_read_at(x->inner, offset, buf, len, op, err);
    if (n > 0 && offset == 0 && x->lies)
        ((unsigned char *)buf)[0] ^= 1;
    return n;
}

static inline void odd_reader_free(mlr_reader *r)
{
    struct odd_reader *x = (struct odd_reader *)r;

    atomic_fetch_sub(&x->of->readers, 1);
    mlr_reader_free(x->inner);
    mlr_free(x);
}

static const mlr_reader_ops odd_reader_ops = { .read_at = odd_read_at, .free = odd_reader_free };

#define ODD(p) ((odd_place *)(p))

static inline void odd_close(mlr_place *p)
{
    free(p);
}

static inline int odd_resolve(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_descriptor *out, mlreg_error **err)
{
    atomic_fetch_add(&ODD(p)->resolves, 1);
    return ODD(p)->inner->ops->resolve(ODD(p)->inner, r, op, out, err);
}

static inline int odd_tags(mlr_place *p, const char *repo, mlr_op *op, mlr_list *out, mlreg_error **err)
{
    return ODD(p)->inner->ops->tags(ODD(p)->inner, repo, op, out, err);
}

static inline int odd_manifest_read(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_buf *out, char **media_type, mlreg_error **err)
{
    atomic_fetch_add(&ODD(p)->manifests_read, 1);
    if (ODD(p)->manifest != NULL)
        return mlr_buf_puts(out, ODD(p)->manifest, err);
    return ODD(p)->inner->ops->manifest_read(ODD(p)->inner, r, op, out, media_type, err);
}

static inline int odd_manifest_write(mlr_place *p, const mlr_ref *r, const mlr_tag_rule *rule, const mlr_manifest *m, mlr_op *op, mlreg_error **err)
{
    atomic_fetch_add(&ODD(p)->manifests_written, 1);
    return ODD(p)->inner->ops->manifest_write(ODD(p)->inner, r, rule, m, op, err);
}

static inline int odd_referrers(mlr_place *p, const char *repo, const mlr_digest *subject, mlr_op *op, mlr_list *out, mlreg_error **err)
{
    return ODD(p)->inner->ops->referrers(ODD(p)->inner, repo, subject, op, out, err);
}

static inline int odd_blob_has(mlr_place *p, const mlr_blob *b, mlr_op *op, mlreg_error **err)
{
    atomic_fetch_add(&ODD(p)->looks, 1);
    return ODD(p)->inner->ops->blob_has(ODD(p)->inner, b, op, err);
}

static inline int odd_wrap(odd_place *o, const mlr_blob *b, mlr_reader *inner, mlr_reader **out, mlreg_error **err)
{
    struct odd_reader *x = mlr_alloc(sizeof *x);

    if (x == NULL) {
        mlr_reader_free(inner);
        return mlr_error_nomem(err);
    }
    x->base = *inner;
    x->base.ops = &odd_reader_ops;
    if (!o->trusted) {
        x->base.trusted = false;
        x->base.fd = -1;
    }
    x->inner = inner;
    x->of = o;
    x->lies = mlr_digest_equal(&b->digest, &o->lie);
    x->fails = mlr_digest_equal(&b->digest, &o->fails);
    atomic_fetch_add(&o->readers, 1);
    *out = &x->base;
    return 0;
}

static inline int odd_blob_open(mlr_place *p, const mlr_blob *b, mlr_op *op, mlr_reader **out, mlreg_error **err)
{
    odd_place  *o = ODD(p);
    mlr_blob    real = *b;
    mlr_reader *inner = NULL;
    int         rc;

    atomic_fetch_add(&o->opens, 1);
    if (o->real_bytes > 0)
        real.bytes = o->real_bytes;
    if (mlr_digest_equal(&b->digest, &o->missing))
        return mlr_error_set(err, MLREG_ENOTFOUND, "blob %s is not there", b->digest.text);
    if ((rc = o->inner->ops->blob_open(o->inner, &real, op, &inner, err)) < 0)
        return rc;
    return odd_wrap(o, b, inner, out, err);
}

static inline int odd_blob_write(mlr_place *p, const mlr_blob *b, mlr_reader *r, mlr_op *op, mlreg_error **err)
{
    atomic_fetch_add(&ODD(p)->writes, 1);
    return ODD(p)->inner->ops->blob_write(ODD(p)->inner, b, r, op, err);
}

static inline int odd_mount(mlr_place *p, const mlr_blob *b, const char *from_repo, mlr_op *op, mlreg_error **err)
{
    atomic_fetch_add(&ODD(p)->mounts, 1);
    return ODD(p)->inner->ops->mount(ODD(p)->inner, b, from_repo, op, err);
}

static inline int odd_blob_take(mlr_place *p, const char *repo, mlr_reader *r, mlr_op *op, mlr_digest *digest, mlreg_error **err)
{
    atomic_fetch_add(&ODD(p)->takes, 1);
    return ODD(p)->inner->ops->blob_take(ODD(p)->inner, repo, r, op, digest, err);
}

static const mlr_place_ops odd_ops = {
    .kind = "odd place", .close = odd_close, .resolve = odd_resolve, .tags = odd_tags, .manifest_read = odd_manifest_read,
    .manifest_write = odd_manifest_write, .referrers = odd_referrers, .blob_has = odd_blob_has, .blob_open = odd_blob_open,
    .blob_write = odd_blob_write, .mount = odd_mount, .blob_take = odd_blob_take,
};

/* In front of `inner`, which must outlive it; give it to mlr_place_close. */
static inline odd_place *odd_place_new(mlr_place *inner, const char *name)
{
    odd_place *o = calloc(1, sizeof *o);

    assert_non_null(o);
    o->place.ops = &odd_ops;
    o->place.name = mlr_strdup(name);
    assert_non_null(o->place.name);
    o->place.can = inner->can;
    o->place.read_only = inner->read_only;
    o->place.one_repo = inner->one_repo;
    o->place.rt = mlr_runtime_ref(inner->rt);
    o->place.identity = inner->identity;
    o->inner = inner;
    return o;
}
#endif
