/* place/memory.c - repositories in memory: the same answers as a store gives, with nothing on disk. */
#include "place/place.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "place/catalog.h"
#include "place/digestmap.h"
#include "place/intake.h"

/* Never changed and never freed while the place is open, so readers borrow the bytes. */
typedef struct blob {
    mlr_digest digest;
    uint64_t   bytes;
    char      *data;
} blob;

typedef struct repository {
    char         *name;
    mlr_index    *index;
    mlr_digestmap blobs; /* those it holds, numbered as by_digest does */
} repository;

typedef struct memory {
    mlr_place       place;
    pthread_mutex_t lock; /* guards all below; held for copies in memory only */
    repository    **repos;
    size_t          n_repos, cap_repos;
    blob          **blobs;
    size_t          n_blobs, cap_blobs;
    mlr_digestmap   by_digest; /* 1 + the place in `blobs`; 0: none after all */
} memory;

/* ---- inside the lock ---- */

static repository *find_repo(const memory *m, const char *name)
{
    for (size_t i = 0; i < m->n_repos; i++)
        if (strcmp(m->repos[i]->name, name) == 0)
            return m->repos[i];
    return NULL;
}

static void free_repo(repository *r)
{
    if (r == NULL)
        return;
    mlr_index_free(r->index);
    mlr_digestmap_done(&r->blobs);
    mlr_free(r->name);
    mlr_free(r);
}

static int need_repo(memory *m, const char *name, repository **out, mlreg_error **err)
{
    repository *r = find_repo(m, name);

    if (r == NULL) {
        r = mlr_alloc(sizeof(*r));
        if (r == NULL || (r->name = mlr_strdup(name)) == NULL || mlr_index_new(&r->index, err) < 0 ||
            mlr_grow(&m->repos, &m->cap_repos, m->n_repos, sizeof(*m->repos)) < 0) {
            free_repo(r);
            return mlr_error_nomem(err);
        }
        m->repos[m->n_repos++] = r;
    }
    *out = r;
    return 0;
}

static blob *find_blob(const memory *m, const repository *r, const mlr_digest *d, uint64_t bytes)
{
    const uint64_t *number = r != NULL ? mlr_digestmap_find(&r->blobs, d) : NULL;
    blob           *b = number != NULL && *number > 0 ? m->blobs[*number - 1] : NULL;
    return b != NULL && b->bytes == bytes ? b : NULL;
}

static void free_blob(blob *b)
{
    if (b != NULL)
        mlr_free(b->data);
    mlr_free(b);
}

/* Makes `b` known to the repository. Takes it in any case: what is there already need not be there twice. */
static int keep_blob(memory *m, const char *repo, blob *b, mlreg_error **err)
{
    repository *r = NULL;
    uint64_t   *all, *own;

    if (need_repo(m, repo, &r, err) < 0 || mlr_grow(&m->blobs, &m->cap_blobs, m->n_blobs, sizeof(*m->blobs)) < 0 ||
        (all = mlr_digestmap_add(&m->by_digest, &b->digest, err)) == NULL ||
        (own = mlr_digestmap_add(&r->blobs, &b->digest, err)) == NULL) {
        free_blob(b);
        return mlr_error_nomem(err);
    }
    if (*all > 0) {
        free_blob(b);
    } else {
        m->blobs[m->n_blobs++] = b;
        *all = m->n_blobs;
    }
    *own = *all;
    return 0;
}

typedef struct scope {
    memory     *m;
    repository *r;
} scope;

static int fetch(void *user, const mlr_descriptor *d, mlr_op *op, mlr_buf *out, mlreg_error **err)
{
    const scope *s = user;
    const blob  *b = find_blob(s->m, s->r, &d->digest, d->bytes);

    (void)op;
    if (b == NULL)
        return mlr_error_set(err, MLREG_ENOTFOUND, "manifest %s is not there", d->digest.text);
    return mlr_buf_add(out, b->data, (size_t)b->bytes, err);
}

static int has(void *user, const mlr_descriptor *d, mlreg_error **err)
{
    const scope *s = user;
    (void)err;
    return find_blob(s->m, s->r, &d->digest, d->bytes) != NULL;
}

static int need_scope(memory *m, const char *repo, scope *out, mlr_catalog *catalog, mlreg_error **err)
{
    *out = (scope){ m, find_repo(m, repo) };
    if (out->r == NULL || (out->r->index->n == 0 && out->r->blobs.used == 0))
        return mlr_error_set(err, MLREG_ENOTFOUND, "repository '%s' is not there", repo);
    *catalog = (mlr_catalog){ out->r->index, fetch, out };
    return 0;
}

/* ---- the verbs ---- */

static int memory_resolve(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_descriptor *out, mlreg_error **err)
{
    memory     *m = (memory *)p;
    mlr_catalog catalog;
    scope       s;
    int         rc;

    (void)op;
    pthread_mutex_lock(&m->lock);
    if ((rc = need_scope(m, r->repo, &s, &catalog, err)) == 0)
        rc = mlr_catalog_resolve(&catalog, r, NULL, out, err);
    pthread_mutex_unlock(&m->lock);
    return rc;
}

static int memory_tags(mlr_place *p, const char *repo, mlr_op *op, mlr_list *out, mlreg_error **err)
{
    memory     *m = (memory *)p;
    mlr_catalog catalog = { 0 };
    scope       s;
    int         rc;

    (void)op;
    pthread_mutex_lock(&m->lock);
    if ((rc = need_scope(m, repo, &s, &catalog, err)) == 0)
        rc = mlr_index_tags(catalog.index, out, err);
    pthread_mutex_unlock(&m->lock);
    return rc;
}

static int memory_repositories(mlr_place *p, mlr_op *op, mlr_list *out, mlreg_error **err)
{
    memory *m = (memory *)p;
    int     rc = 0;

    (void)op;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; rc == 0 && i < m->n_repos; i++)
        if (m->repos[i]->index->n > 0)
            rc = mlr_list_add(out, m->repos[i]->name, NULL, err);
    pthread_mutex_unlock(&m->lock);
    return rc;
}

static int memory_manifest_read(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_buf *out, char **media_type, mlreg_error **err)
{
    memory        *m = (memory *)p;
    mlr_descriptor d = { 0 };
    mlr_catalog    catalog;
    scope          s;
    int            rc;

    (void)op;
    pthread_mutex_lock(&m->lock);
    if ((rc = need_scope(m, r->repo, &s, &catalog, err)) == 0 &&
        (rc = mlr_catalog_resolve(&catalog, r, NULL, &d, err)) == 0)
        rc = fetch(&s, &d, NULL, out, err);
    pthread_mutex_unlock(&m->lock);
    if (rc == 0) {
        *media_type = d.media_type;
        d.media_type = NULL;
    }
    mlr_descriptor_done(&d);
    return rc;
}

static blob *new_blob(const mlr_digest *d, uint64_t bytes)
{
    blob *b = bytes < SIZE_MAX ? mlr_alloc(sizeof(*b)) : NULL;

    if (b == NULL || (b->data = mlr_alloc((size_t)bytes)) == NULL) {
        mlr_free(b);
        return NULL;
    }
    b->digest = *d;
    b->bytes = bytes;
    return b;
}

static int memory_manifest_write(mlr_place *p, const mlr_ref *r, const mlr_tag_rule *rule, const mlr_manifest *manifest,
                                 mlr_op *op, mlreg_error **err)
{
    memory *m = (memory *)p;
    blob   *b = new_blob(&manifest->self.digest, manifest->json_bytes);
    scope   s = { m, NULL };
    int     rc;

    (void)op;
    if (b == NULL)
        return mlr_error_nomem(err);
    memcpy(b->data, manifest->json, manifest->json_bytes);
    pthread_mutex_lock(&m->lock);
    s.r = find_repo(m, r->repo);
    if ((rc = mlr_catalog_complete(manifest, has, &s, err)) < 0) {
        free_blob(b);
    } else if ((rc = keep_blob(m, r->repo, b, err)) == 0) {
        s.r = find_repo(m, r->repo);
        rc = mlr_index_put(s.r->index, r->tag, rule, manifest, err);
    }
    pthread_mutex_unlock(&m->lock);
    return rc < 0 ? rc : 0;
}

static int memory_remove(mlr_place *p, const mlr_ref *r, mlr_op *op, mlreg_error **err)
{
    memory     *m = (memory *)p;
    mlr_catalog catalog;
    scope       s;
    int         rc;

    (void)op;
    pthread_mutex_lock(&m->lock);
    if ((rc = need_scope(m, r->repo, &s, &catalog, err)) == 0)
        rc = mlr_catalog_remove(&catalog, r, NULL, err);
    pthread_mutex_unlock(&m->lock);
    return rc;
}

static int memory_referrers(mlr_place *p, const char *repo, const mlr_digest *subject, mlr_op *op, mlr_list *out,
                            mlreg_error **err)
{
    memory     *m = (memory *)p;
    mlr_catalog catalog;
    scope       s;
    int         rc;

    (void)op;
    pthread_mutex_lock(&m->lock);
    if ((rc = need_scope(m, repo, &s, &catalog, err)) == 0)
        rc = mlr_catalog_referrers(&catalog, subject, NULL, out, err);
    pthread_mutex_unlock(&m->lock);
    return rc;
}

static int memory_blob_has(mlr_place *p, const mlr_blob *b, mlr_op *op, mlreg_error **err)
{
    memory *m = (memory *)p;
    int     there;

    (void)op;
    (void)err;
    pthread_mutex_lock(&m->lock);
    there = find_blob(m, find_repo(m, b->repo), &b->digest, b->bytes) != NULL;
    pthread_mutex_unlock(&m->lock);
    return there;
}

static int memory_blob_open(mlr_place *p, const mlr_blob *b, mlr_op *op, mlr_reader **out, mlreg_error **err)
{
    memory *m = (memory *)p;
    blob   *found;
    int     rc;

    (void)op;
    pthread_mutex_lock(&m->lock);
    found = find_blob(m, find_repo(m, b->repo), &b->digest, b->bytes);
    pthread_mutex_unlock(&m->lock);
    if (found == NULL)
        return mlr_error_set(err, MLREG_ENOTFOUND, "blob %s of %llu bytes is not there", b->digest.text,
                             (unsigned long long)b->bytes);
    if ((rc = mlr_reader_from_memory(found->data, (size_t)found->bytes, found->digest.text, out, err)) == 0)
        (*out)->trusted = true;
    return rc;
}

static int put_slab(void *user, uint64_t offset, const void *data, size_t len, mlreg_error **err)
{
    blob *b = user;
    (void)err;
    memcpy(b->data + offset, data, len);
    return 0;
}

/* Reads all into memory. `want`: the digest that it must have, or NULL. */
static int receive(memory *m, const char *repo, const mlr_digest *want, mlr_reader *r, mlr_op *op, mlr_digest *got,
                   mlreg_error **err)
{
    static const mlr_digest none = { "" };
    blob *b = new_blob(&none, r->bytes);
    int   rc;

    if (b == NULL)
        return mlr_error_nomem(err);
    if ((rc = mlr_intake(m->place.rt, r, put_slab, b, op, &b->digest, err)) < 0 ||
        (want != NULL && (rc = mlr_digest_check(&b->digest, want, r->name, err)) < 0)) {
        free_blob(b);
        return rc;
    }
    *got = b->digest;
    pthread_mutex_lock(&m->lock);
    rc = keep_blob(m, repo, b, err);
    pthread_mutex_unlock(&m->lock);
    return rc;
}

static int memory_blob_write(mlr_place *p, const mlr_blob *b, mlr_reader *r, mlr_op *op, mlreg_error **err)
{
    mlr_digest got;
    return memory_blob_has(p, b, op, err) ? 0 : receive((memory *)p, b->repo, &b->digest, r, op, &got, err);
}

static int memory_blob_take(mlr_place *p, const char *repo, mlr_reader *r, mlr_op *op, mlr_digest *digest, mlreg_error **err)
{
    return receive((memory *)p, repo, NULL, r, op, digest, err);
}

static int memory_mount(mlr_place *p, const mlr_blob *b, const char *from_repo, mlr_op *op, mlreg_error **err)
{
    memory     *m = (memory *)p;
    repository *to = NULL;
    uint64_t   *own;
    int         rc = 0;

    (void)op;
    pthread_mutex_lock(&m->lock);
    if (find_blob(m, find_repo(m, from_repo), &b->digest, b->bytes) != NULL &&
        (rc = need_repo(m, b->repo, &to, err)) == 0) {
        own = mlr_digestmap_add(&to->blobs, &b->digest, err);
        if (own != NULL)
            *own = *mlr_digestmap_find(&m->by_digest, &b->digest);
        rc = own != NULL ? 1 : MLREG_ENOMEM;
    }
    pthread_mutex_unlock(&m->lock);
    return rc;
}

static void memory_close(mlr_place *p)
{
    memory *m = (memory *)p;

    for (size_t i = 0; i < m->n_repos; i++)
        free_repo(m->repos[i]);
    for (size_t i = 0; i < m->n_blobs; i++)
        free_blob(m->blobs[i]);
    mlr_free(m->repos);
    mlr_free(m->blobs);
    mlr_digestmap_done(&m->by_digest);
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
    m->place.rt = mlr_runtime_ref(rt);
    mlr_random(&m->place.identity, sizeof(m->place.identity));
    *out = &m->place;
    return 0;
}
