/* place/shelf.c - blobs and repositories in memory. */
#include "place/shelf.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

mlr_shelf_blob *mlr_shelf_blob_new(uint64_t bytes)
{
    mlr_shelf_blob *b = bytes < SIZE_MAX ? mlr_alloc(sizeof(*b)) : NULL;

    if (b == NULL || (b->data = mlr_alloc((size_t)bytes)) == NULL) {
        mlr_free(b);
        return NULL;
    }
    b->bytes = bytes;
    return b;
}

void mlr_shelf_blob_free(mlr_shelf_blob *b)
{
    if (b != NULL)
        mlr_free(b->data);
    mlr_free(b);
}

static void free_repo(mlr_shelf_repo *r)
{
    if (r == NULL)
        return;
    mlr_index_free(r->index);
    mlr_digestmap_done(&r->blobs);
    mlr_free(r->name);
    mlr_free(r);
}

void mlr_shelf_done(mlr_shelf *s)
{
    for (size_t i = 0; i < s->n_repos; i++)
        free_repo(s->repos[i]);
    for (size_t i = 0; i < s->n_blobs; i++)
        mlr_shelf_blob_free(s->blobs[i]);
    mlr_free(s->repos);
    mlr_free(s->blobs);
    mlr_digestmap_done(&s->by_digest);
}

mlr_shelf_repo *mlr_shelf_repository(const mlr_shelf *s, const char *name)
{
    for (size_t i = 0; i < s->n_repos; i++)
        if (strcmp(s->repos[i]->name, name) == 0)
            return s->repos[i];
    return NULL;
}

int mlr_shelf_make_repository(mlr_shelf *s, const char *name, mlr_shelf_repo **out, mlreg_error **err)
{
    mlr_shelf_repo *r = mlr_shelf_repository(s, name);

    if (r == NULL) {
        r = mlr_alloc(sizeof(*r));
        if (r == NULL || (r->name = mlr_strdup(name)) == NULL || mlr_index_new(&r->index, err) < 0 ||
            mlr_grow(&s->repos, &s->cap_repos, s->n_repos, sizeof(*s->repos)) < 0) {
            free_repo(r);
            return mlr_error_nomem(err);
        }
        s->repos[s->n_repos++] = r;
    }
    *out = r;
    return 0;
}

mlr_shelf_blob *mlr_shelf_find(const mlr_shelf *s, const mlr_shelf_repo *r, const mlr_digest *d, uint64_t bytes)
{
    const uint64_t *number = r != NULL ? mlr_digestmap_find(&r->blobs, d) : NULL;
    mlr_shelf_blob *b = number != NULL && *number > 0 ? s->blobs[*number - 1] : NULL;
    return b != NULL && (b->bytes == bytes || bytes == MLR_ANY_SIZE) ? b : NULL;
}

int mlr_shelf_keep(mlr_shelf *s, mlr_shelf_repo *r, mlr_shelf_blob *b, mlreg_error **err)
{
    uint64_t *all, *own;

    if (mlr_grow(&s->blobs, &s->cap_blobs, s->n_blobs, sizeof(*s->blobs)) < 0 ||
        (all = mlr_digestmap_add(&s->by_digest, &b->digest, err)) == NULL ||
        (own = mlr_digestmap_add(&r->blobs, &b->digest, err)) == NULL) {
        mlr_shelf_blob_free(b);
        return mlr_error_nomem(err);
    }
    if (*all > 0) {
        mlr_shelf_blob_free(b);
    } else {
        s->blobs[s->n_blobs++] = b;
        *all = s->n_blobs;
    }
    *own = *all;
    return 0;
}

int mlr_shelf_share(mlr_shelf *s, mlr_shelf_repo *r, const mlr_digest *d, mlreg_error **err)
{
    const uint64_t *all = mlr_digestmap_find(&s->by_digest, d);
    uint64_t       *own = mlr_digestmap_add(&r->blobs, d, err);

    if (own == NULL)
        return MLREG_ENOMEM;
    *own = all != NULL ? *all : 0;
    return 0;
}
