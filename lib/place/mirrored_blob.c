/* place/mirrored_blob.c - a blob as it arrives from the first source that has it, and from the next where that fails. */
#include "place/mirrored.h"

#include <pthread.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"

typedef struct mirrored_reader {
    mlr_reader  reader;
    mlr_walk    walk;
    mlr_blob    blob;                  /* its repository is ours */
    char       *repo;
    uint64_t    until;                 /* reads are planned to there; 0: nobody said */
    bool        has_given;
    pthread_mutex_t lock;              /* guards what others see of the next: they ask for twins while it is read */
    mlr_reader *inner;                 /* of the source whose turn it is; NULL: not opened */
} mirrored_reader;

static void set_inner(mirrored_reader *m, mlr_reader *inner)
{
    mlr_reader *before;

    pthread_mutex_lock(&m->lock);
    before = m->inner;
    m->inner = inner;
    pthread_mutex_unlock(&m->lock);
    mlr_reader_free(before);
}

/* `later`: a read follows, which asks for just what it needs and tells what opening would have. */
static int open_here(mirrored_reader *m, bool later, mlr_op *op, mlreg_error **err)
{
    mlr_registry *place = NULL;
    mlr_reader   *inner = NULL;
    mlr_blob      there = m->blob;
    int           rc = mlr_walk_here(&m->walk, &place, &there.repo, err);

    if (rc == 0)
        rc = later ? mlr_registry_blob_later(&place->place, &there, &inner, err)
                   : mlr_registry_blob_open(&place->place, &there, op, &inner, err);
    if (rc < 0)
        return rc;
    if (m->until > 0)
        mlr_reader_until(inner, m->until);
    set_inner(m, inner);
    return 0;
}

/* Whoever gave the first bytes answers for all of them. */
static int note_giver(mirrored_reader *m, mlreg_error **err)
{
    if (m->has_given || m->walk.sources.n == 0)
        return 0;
    m->has_given = true;
    return mlr_mirrored_gave(m->walk.g, &m->blob.digest, m->walk.at, m->walk.sources.n, err);
}

static int64_t read_here(mirrored_reader *m, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    int     rc;
    int64_t n;

    if (m->inner == NULL && (rc = open_here(m, len > 0, op, err)) < 0)
        return rc;
    if (len == 0 || (n = m->inner->ops->read_at(m->inner, offset, buf, len, op, err)) <= 0)
        return len == 0 ? 0 : n;
    rc = note_giver(m, err);
    return rc < 0 ? rc : n;
}

/* With `len` 0 only opens. */
static int64_t read_somewhere(mirrored_reader *m, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    mlreg_error *why = NULL;
    int64_t      n;

    while ((n = read_here(m, offset, buf, len, op, &why)) < 0) {
        set_inner(m, NULL);
        if (!mlr_walk_on(&m->walk, (int)n, op, &why))
            break;
    }
    mlr_error_move(err, &why);
    return n;
}

static int64_t read_at(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    return offset >= r->bytes || len == 0 ? 0 : read_somewhere((mirrored_reader *)r, offset, buf, len, op, err);
}

static void free_reader(mlr_reader *r)
{
    mirrored_reader *m = (mirrored_reader *)r;

    set_inner(m, NULL);
    pthread_mutex_destroy(&m->lock);
    mlr_walk_done(&m->walk);
    mlr_free(m->repo);
    mlr_free(m);
}

static void plan_until(mlr_reader *r, uint64_t end)
{
    mirrored_reader *m = (mirrored_reader *)r;

    m->until = end;
    if (m->inner != NULL)
        mlr_reader_until(m->inner, end);
}

/* Of the source that is read now. It needs nothing of ours but the names in the walk, and ends with its source. */
static int twin_of(mlr_reader *r, mlr_reader **out, mlreg_error **err)
{
    mirrored_reader *m = (mirrored_reader *)r;
    int              rc;

    pthread_mutex_lock(&m->lock);
    if (m->inner != NULL)
        rc = mlr_reader_twin(m->inner, out, err);
    else
        rc = mlr_error_set(err, MLREG_ENOTSUP, "%s: nobody gives it yet", r->name);
    pthread_mutex_unlock(&m->lock);
    return rc;
}

static const mlr_reader_ops reader_ops = {.read_at = read_at, .free = free_reader, .twin = twin_of, .until = plan_until};

static int begin(mirrored_reader *m, mlr_registry *g, const mlr_blob *b, mlreg_error **err)
{
    char what[MLR_DIGEST_TEXT + 8];
    int  rc;

    snprintf(what, sizeof what, "blob %s", b->digest.text);
    if ((rc = mlr_walk_begin(&m->walk, g, b->repo, "", what, err)) < 0 || m->walk.sources.n == 0)
        return rc;
    if ((m->repo = mlr_strdup(b->repo)) == NULL)
        return mlr_error_nomem(err);
    m->blob = *b;
    m->blob.repo = m->repo;
    m->blob.media_type = NULL;
    m->reader = (mlr_reader){&reader_ops, b->bytes, -1, false, m->walk.what};
    mlr_walk_skip(&m->walk, mlr_mirrored_skipped(g, &b->digest), "other bytes");
    return 0;
}

/* *out NULL: there are no mirrors for it. */
static int new_reader(mlr_place *p, const mlr_blob *b, mirrored_reader **out, mlreg_error **err)
{
    mirrored_reader *m;
    int              rc;

    *out = NULL;
    if (((mlr_registry *)p)->mirrored == NULL)
        return 0;
    if ((m = mlr_alloc(sizeof *m)) == NULL)
        return mlr_error_nomem(err);
    pthread_mutex_init(&m->lock, NULL);
    if ((rc = begin(m, (mlr_registry *)p, b, err)) == 0 && m->walk.sources.n > 0)
        *out = m;
    else
        free_reader(&m->reader);
    return rc;
}

int mlr_mirrored_blob_open(mlr_place *p, const mlr_blob *b, mlr_op *op, mlr_reader **out, mlreg_error **err)
{
    mirrored_reader *m;
    int              rc = new_reader(p, b, &m, err);

    if (rc == 0 && m == NULL)
        return mlr_registry_blob_open(p, b, op, out, err);
    if (rc == 0 && (rc = (int)read_somewhere(m, 0, NULL, 0, op, err)) < 0)
        free_reader(&m->reader);
    if (rc == 0)
        *out = &m->reader;
    return rc;
}

int mlr_mirrored_blob_later(mlr_place *p, const mlr_blob *b, mlr_reader **out, mlreg_error **err)
{
    mirrored_reader *m;
    int              rc = new_reader(p, b, &m, err);

    if (rc == 0 && m == NULL)
        return mlr_registry_blob_later(p, b, out, err);
    if (rc == 0)
        *out = &m->reader;
    return rc;
}
