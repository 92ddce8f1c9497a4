/* place/memory.c - repositories in memory: the same answers as a store gives, with nothing on disk. */
#include "place/place.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "place/catalog.h"
#include "place/intake.h"
#include "place/shelf.h"

typedef struct memory {
    mlr_place       place;
    pthread_mutex_t lock;  /* guards the shelf; held for copies in memory only */
    mlr_shelf       shelf;
} memory;

/* A repository with the lock held. */
typedef struct scope {
    memory         *m;
    mlr_shelf_repo *r;
    mlr_catalog     catalog;
} scope;

static int fetch(void *user, const mlr_descriptor *d, mlr_op *op, mlr_buf *out, mlreg_error **err)
{
    const scope          *s = user;
    const mlr_shelf_blob *b = mlr_shelf_find(&s->m->shelf, s->r, &d->digest, d->bytes);

    (void)op;
    if (b == NULL)
        return mlr_error_set(err, MLREG_ENOTFOUND, "manifest %s is not there", d->digest.text);
    return mlr_buf_add(out, b->data, (size_t)b->bytes, err);
}

static int has(void *user, const mlr_descriptor *d, mlreg_error **err)
{
    const scope *s = user;
    (void)err;
    return mlr_shelf_find(&s->m->shelf, s->r, &d->digest, d->bytes) != NULL;
}

/* Takes the lock, and finds the repository: ENOTFOUND. Whatever comes back, leave. */
static int enter(mlr_place *p, const char *repo, scope *s, mlreg_error **err)
{
    *s = (scope){ .m = (memory *)p };
    pthread_mutex_lock(&s->m->lock);
    s->r = mlr_shelf_repository(&s->m->shelf, repo);
    if (s->r == NULL || (s->r->index->n == 0 && s->r->blobs.used == 0))
        return mlr_error_set(err, MLREG_ENOTFOUND, "repository '%s' is not there", repo);
    s->catalog = (mlr_catalog){ s->r->index, fetch, s };
    return 0;
}

static void leave(scope *s)
{
    pthread_mutex_unlock(&s->m->lock);
}

/* ---- the verbs: no op goes below, for it might call the user back with the lock held ---- */

static int memory_resolve(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_descriptor *out, mlreg_error **err)
{
    scope s;
    int   rc = enter(p, r->repo, &s, err);

    (void)op;
    if (rc == 0)
        rc = mlr_catalog_resolve(&s.catalog, r, NULL, out, err);
    leave(&s);
    return rc;
}

static int memory_tags(mlr_place *p, const char *repo, mlr_op *op, mlr_list *out, mlreg_error **err)
{
    scope s;
    int   rc = enter(p, repo, &s, err);

    (void)op;
    if (rc == 0)
        rc = mlr_index_tags(s.r->index, out, err);
    leave(&s);
    return rc;
}

static int memory_repositories(mlr_place *p, mlr_op *op, mlr_list *out, mlreg_error **err)
{
    memory *m = (memory *)p;
    int     rc = 0;

    (void)op;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; rc == 0 && i < m->shelf.n_repos; i++)
        if (m->shelf.repos[i]->index->n > 0)
            rc = mlr_list_add(out, m->shelf.repos[i]->name, NULL, err);
    pthread_mutex_unlock(&m->lock);
    return rc;
}

static int memory_manifest_read(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_buf *out, char **media_type,
                                mlreg_error **err)
{
    mlr_descriptor d = { 0 };
    scope          s;
    int            rc = enter(p, r->repo, &s, err);

    (void)op;
    if (rc == 0 && (rc = mlr_catalog_resolve(&s.catalog, r, NULL, &d, err)) == 0)
        rc = fetch(&s, &d, NULL, out, err);
    leave(&s);
    if (rc == 0) {
        *media_type = d.media_type;
        d.media_type = NULL;
    }
    mlr_descriptor_done(&d);
    return rc;
}

static int memory_remove(mlr_place *p, const mlr_ref *r, mlr_op *op, mlreg_error **err)
{
    scope s;
    int   rc = enter(p, r->repo, &s, err);

    (void)op;
    if (rc == 0)
        rc = mlr_catalog_remove(&s.catalog, r, NULL, err);
    leave(&s);
    return rc;
}

static int memory_referrers(mlr_place *p, const char *repo, const mlr_digest *subject, mlr_op *op, mlr_list *out,
                            mlreg_error **err)
{
    scope s;
    int   rc = enter(p, repo, &s, err);

    (void)op;
    if (rc == 0)
        rc = mlr_catalog_referrers(&s.catalog, subject, NULL, out, err);
    leave(&s);
    return rc;
}

static int memory_manifest_write(mlr_place *p, const mlr_ref *r, const mlr_tag_rule *rule, const mlr_manifest *manifest,
                                 mlr_op *op, mlreg_error **err)
{
    mlr_shelf_blob *b = mlr_shelf_blob_new(manifest->json_bytes);
    scope           s;
    int             rc;

    (void)op;
    if (b == NULL)
        return mlr_error_nomem(err);
    b->digest = manifest->self.digest;
    memcpy(b->data, manifest->json, manifest->json_bytes);
    enter(p, r->repo, &s, NULL); /* one that is not there yet is made */
    if ((rc = mlr_catalog_complete(manifest, has, &s, err)) < 0 ||
        (rc = mlr_shelf_make_repository(&s.m->shelf, r->repo, &s.r, err)) < 0)
        mlr_shelf_blob_free(b);
    else if ((rc = mlr_shelf_keep(&s.m->shelf, s.r, b, err)) == 0)
        rc = mlr_index_put(s.r->index, r->tag, rule, manifest, err);
    leave(&s);
    return rc < 0 ? rc : 0;
}

/* ---- blobs ---- */

/* NULL: not there. Borrowed; it stays while the place is open. */
static mlr_shelf_blob *find(mlr_place *p, const char *repo, const mlr_digest *d, uint64_t bytes)
{
    memory         *m = (memory *)p;
    mlr_shelf_blob *b;

    pthread_mutex_lock(&m->lock);
    b = mlr_shelf_find(&m->shelf, mlr_shelf_repository(&m->shelf, repo), d, bytes);
    pthread_mutex_unlock(&m->lock);
    return b;
}

static int memory_blob_has(mlr_place *p, const mlr_blob *b, mlr_op *op, mlreg_error **err)
{
    (void)op;
    (void)err;
    return find(p, b->repo, &b->digest, b->bytes) != NULL;
}

static int memory_blob_open(mlr_place *p, const mlr_blob *b, mlr_op *op, mlr_reader **out, mlreg_error **err)
{
    const mlr_shelf_blob *found = find(p, b->repo, &b->digest, b->bytes);
    int                   rc;

    (void)op;
    if (found == NULL)
        return mlr_error_set(err, MLREG_ENOTFOUND, "blob %s is not there", b->digest.text);
    if ((rc = mlr_reader_from_memory(found->data, (size_t)found->bytes, found->digest.text, out, err)) == 0)
        (*out)->trusted = true;
    return rc;
}

static int put_slab(void *user, uint64_t offset, const void *data, size_t len, mlreg_error **err)
{
    mlr_shelf_blob *b = user;
    (void)err;
    memcpy(b->data + offset, data, len);
    return 0;
}

static int keep(memory *m, const char *repo, mlr_shelf_blob *b, mlreg_error **err)
{
    mlr_shelf_repo *r = NULL;
    int             rc;

    pthread_mutex_lock(&m->lock);
    if ((rc = mlr_shelf_make_repository(&m->shelf, repo, &r, err)) == 0)
        rc = mlr_shelf_keep(&m->shelf, r, b, err);
    else
        mlr_shelf_blob_free(b);
    pthread_mutex_unlock(&m->lock);
    return rc;
}

/* Reads all into memory. `want`: the digest that it must have, or NULL. */
static int receive(memory *m, const char *repo, const mlr_digest *want, mlr_reader *r, mlr_op *op, mlr_digest *got,
                   mlreg_error **err)
{
    mlr_shelf_blob *b = mlr_shelf_blob_new(r->bytes);
    int             rc;

    if (b == NULL)
        return mlr_error_nomem(err);
    if ((rc = mlr_intake(m->place.rt, r, put_slab, b, op, &b->digest, err)) < 0 ||
        (want != NULL && (rc = mlr_digest_check(&b->digest, want, r->name, err)) < 0)) {
        mlr_shelf_blob_free(b);
        return rc;
    }
    *got = b->digest;
    return keep(m, repo, b, err);
}

static int memory_blob_write(mlr_place *p, const mlr_blob *b, mlr_reader *r, mlr_op *op, mlreg_error **err)
{
    mlr_digest got;
    return memory_blob_has(p, b, op, err) ? 0 : receive((memory *)p, b->repo, &b->digest, r, op, &got, err);
}

static int memory_blob_take(mlr_place *p, const char *repo, mlr_reader *r, mlr_op *op, mlr_digest *digest,
                            mlreg_error **err)
{
    return receive((memory *)p, repo, NULL, r, op, digest, err);
}

static int memory_mount(mlr_place *p, const mlr_blob *b, const char *from_repo, mlr_op *op, mlreg_error **err)
{
    memory         *m = (memory *)p;
    mlr_shelf_repo *to = NULL;
    int             rc = 0;

    (void)op;
    pthread_mutex_lock(&m->lock);
    if (mlr_shelf_find(&m->shelf, mlr_shelf_repository(&m->shelf, from_repo), &b->digest, b->bytes) != NULL &&
        (rc = mlr_shelf_make_repository(&m->shelf, b->repo, &to, err)) == 0)
        rc = mlr_shelf_share(&m->shelf, to, &b->digest, err) < 0 ? MLREG_ENOMEM : 1;
    pthread_mutex_unlock(&m->lock);
    return rc;
}

static void memory_close(mlr_place *p)
{
    memory *m = (memory *)p;

    mlr_shelf_done(&m->shelf);
    pthread_mutex_destroy(&m->lock);
    mlr_free(m);
}

static const mlr_place_ops memory_ops = {
    .kind = "place in memory",
    .close = memory_close,
    .resolve = memory_resolve,
    .tags = memory_tags,
    .repositories = memory_repositories,
    .manifest_read = memory_manifest_read,
    .manifest_write = memory_manifest_write,
    .remove = memory_remove,
    .referrers = memory_referrers,
    .blob_has = memory_blob_has,
    .blob_open = memory_blob_open,
    .blob_write = memory_blob_write,
    .blob_take = memory_blob_take,
    .mount = memory_mount,
};

int mlr_memory_open(mlr_runtime *rt, mlr_place **out, mlreg_error **err)
{
    memory *m = mlr_alloc(sizeof(*m));

    if (m == NULL || (m->place.name = mlr_strdup("memory:")) == NULL) {
        mlr_free(m);
        return mlr_error_nomem(err);
    }
    pthread_mutex_init(&m->lock, NULL);
    m->place.ops = &memory_ops;
    m->place.can = MLREG_CAN_RANGE | MLREG_CAN_REFERRERS | MLREG_CAN_MOUNT | MLREG_CAN_DELETE;
    m->place.holds_parts = true;
    m->place.rt = mlr_runtime_ref(rt);
    mlr_random(&m->place.identity, sizeof(m->place.identity));
    *out = &m->place;
    return 0;
}
