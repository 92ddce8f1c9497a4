/* place/repodir.c - one repository on disk: its manifests and tags. */
#include "place/repodir.h"

#include "base/alloc.h"
#include "base/error.h"
#include "place/absent.h"
#include "place/blobdir.h"
#include "place/gather.h"
#include "place/repoblobs.h"

#define DIR_MODE 0755

void mlr_repodir_done(mlr_repodir *r)
{
    mlr_folder_done(&r->own);
    mlr_folder_done(&r->copy);
}

mlr_indexfile mlr_repodir_index(const mlr_repodir *r)
{
    return (mlr_indexfile){ &r->own, r->copy.path != NULL ? &r->copy : NULL };
}

int mlr_repodir_fetch(void *user, const mlr_descriptor *d, mlr_op *op, mlr_buf *out, mlreg_error **err)
{
    const mlr_repodir *r = user;
    mlr_reader        *from = NULL;
    mlr_digest         got;
    int64_t            n = 0;
    int                rc;

    if ((rc = mlr_blobdir_open(&r->own, &d->digest, false, &from, err)) < 0)
        return rc;
    if (from->bytes != d->bytes)
        rc = mlr_error_set(err, MLREG_EDIGEST, "blob %s has %llu bytes, not %llu as named", d->digest.text,
                           (unsigned long long)from->bytes, (unsigned long long)d->bytes);
    else if ((rc = mlr_buf_reserve(out, (size_t)d->bytes, err)) == 0 &&
             (n = mlr_reader_read_at(from, 0, out->data + out->len, (size_t)d->bytes, op, err)) < 0)
        rc = (int)n;
    if (rc == 0) {
        mlr_digest_of(out->data + out->len, (size_t)n, &got);
        rc = mlr_digest_check(&got, &d->digest, "manifest", err);
    }
    if (rc == 0) {
        out->len += (size_t)n;
        out->data[out->len] = 0;
    }
    mlr_reader_free(from);
    return rc;
}

/* ---- reading ---- */

static int no_repository(const mlr_repodir *r, mlreg_error **err)
{
    if (r->name[0] == 0)
        return mlr_error_set(err, MLREG_ENOTFOUND, "there is no artifact yet");
    return mlr_error_set(err, MLREG_ENOTFOUND, "repository '%s' is not there", r->name);
}

static int read_catalog(const mlr_repodir *r, mlr_op *op, mlr_catalog *out, mlreg_error **err)
{
    mlr_indexfile file = mlr_repodir_index(r);
    mlreg_error  *why = NULL;
    int           rc;

    *out = (mlr_catalog){ NULL, mlr_repodir_fetch, (void *)r };
    rc = mlr_indexfile_read(&file, op, &out->index, &why);
    if (rc == MLREG_ENOTFOUND)
        rc = no_repository(r, err);
    else if (rc < 0)
        mlr_error_move(err, &why);
    mlr_error_done(why);
    return rc;
}

int mlr_repodir_resolve(const mlr_repodir *r, const mlr_ref *ref, mlr_op *op, mlr_descriptor *out, mlreg_error **err)
{
    mlr_catalog c;
    int         rc = read_catalog(r, op, &c, err);

    if (rc < 0)
        return rc;
    rc = mlr_catalog_resolve(&c, ref, op, out, err);
    mlr_index_free(c.index);
    return rc;
}

int mlr_repodir_tags(const mlr_repodir *r, mlr_op *op, mlr_list *out, mlreg_error **err)
{
    mlr_catalog c;
    int         rc = read_catalog(r, op, &c, err);

    if (rc < 0)
        return rc;
    rc = mlr_index_tags(c.index, out, err);
    mlr_index_free(c.index);
    return rc;
}

int mlr_repodir_referrers(const mlr_repodir *r, const mlr_digest *subject, mlr_op *op, mlr_list *out, mlreg_error **err)
{
    mlr_catalog c;
    int         rc = read_catalog(r, op, &c, err);

    if (rc < 0)
        return rc;
    rc = mlr_catalog_referrers(&c, subject, op, out, err);
    mlr_index_free(c.index);
    return rc;
}

int mlr_repodir_manifest_read(const mlr_repodir *r, const mlr_ref *ref, mlr_op *op, mlr_buf *out, char **media_type,
                              mlreg_error **err)
{
    mlr_descriptor d = { 0 };
    int            rc = mlr_repodir_resolve(r, ref, op, &d, err);

    if (rc == 0 && (rc = mlr_repodir_fetch((void *)r, &d, op, out, err)) == 0) {
        *media_type = d.media_type;
        d.media_type = NULL;
    }
    mlr_descriptor_done(&d);
    return rc;
}

/* ---- writing ---- */

typedef struct writing {
    const mlr_repodir  *r;
    const mlr_ref      *ref;
    const mlr_tag_rule *rule;
    const mlr_manifest *m;
} writing;

/* Or has it been left somewhere else on purpose. */
static int has_part(void *user, const mlr_descriptor *d, mlreg_error **err)
{
    const mlr_repodir *r = user;
    mlr_absent         where = { NULL, NULL, NULL };
    int                rc = mlr_blobdir_has(&r->own, &d->digest, d->bytes, err);

    if (rc == 0 && r->pool != NULL)
        rc = mlr_absent_read(r->pool, &d->digest, &where, err);
    mlr_absent_done(&where);
    return rc;
}

/* The rule first, so that a refusal leaves nothing; then all that the index will name, on the disk; then the index. */
static int put_manifest(void *user, mlr_index *x, mlr_op *op, mlreg_error **err)
{
    const writing      *w = user;
    const mlr_manifest *m = w->m;
    int                 rc, changed = mlr_index_put(x, w->ref->tag, w->rule, m, err);

    if ((rc = changed) < 0 || (rc = mlr_catalog_complete(m, has_part, (void *)w->r, err)) < 0 ||
        (rc = mlr_repoblobs_put(w->r, &m->self.digest, m->json, m->json_bytes, op, err)) < 0 ||
        (rc = mlr_folder_sync(&w->r->own, MLR_BLOBDIR, err)) < 0)
        return rc;
    return changed;
}

/* The index names them now. A failure keeps them held until the session ends, which is harmless. */
static void release_parts(const mlr_repodir *r, const mlr_manifest *m)
{
    if (m->config != NULL)
        mlr_inflight_release(r->inflight, r->name, &m->config->digest, NULL);
    for (size_t i = 0; i < m->n_layers; i++)
        mlr_inflight_release(r->inflight, r->name, &m->layers[i].digest, NULL);
}

int mlr_repodir_manifest_write(const mlr_repodir *r, const mlr_ref *ref, const mlr_tag_rule *rule,
                               const mlr_manifest *m, mlr_op *op, mlreg_error **err)
{
    writing       w = { r, ref, rule, m };
    mlr_indexfile file = mlr_repodir_index(r);
    mlr_lock      gate = MLR_LOCK_INIT;
    int           rc;

    if ((rc = mlr_gather_flush(r->gather, op, err)) < 0 ||      /* it may name what waits while another copies */
        (rc = mlr_blobdir_make(&r->own, DIR_MODE, err)) < 0 ||
        (rc = mlr_inflight_enter(r->inflight, op, &gate, err)) < 0)
        return rc;
    if ((rc = mlr_indexfile_change(&file, true, put_manifest, &w, op, err)) == 0)
        release_parts(r, m);
    mlr_lock_drop(&gate);
    return rc;
}

typedef struct removal {
    const mlr_repodir *r;
    const mlr_ref     *ref;
} removal;

static int take_out(void *user, mlr_index *x, mlr_op *op, mlreg_error **err)
{
    const removal *w = user;
    mlr_catalog    c = { x, mlr_repodir_fetch, (void *)w->r };
    int            rc = mlr_catalog_remove(&c, w->ref, op, err);
    return rc < 0 ? rc : 1;
}

int mlr_repodir_remove(const mlr_repodir *r, const mlr_ref *ref, mlr_op *op, mlreg_error **err)
{
    removal       w = { r, ref };
    mlr_indexfile file = mlr_repodir_index(r);
    struct stat   st;
    int           rc = mlr_folder_look(&r->own, MLR_INDEXFILE, &st, err);

    if (rc == 0)
        return no_repository(r, err);
    return rc < 0 ? rc : mlr_indexfile_change(&file, false, take_out, &w, op, err);
}
