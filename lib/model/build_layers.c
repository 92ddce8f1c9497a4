/* model/build_layers.c - a builder's files and sources, each read, looked at and written where it goes, side by side. */
#include "model/build_parts.h"

#include <string.h>
#include <sys/stat.h>
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/work.h"
#include "model/counted.h"
#include "model/kinds.h"
#include "model/modelpack.h"

#define HEAD_BYTES         512
#define HASHED_AHEAD_BYTES (1u << 20)     /* what is smaller is hashed in less time than it takes to ask who has */

static const char *name_of(const struct mlr_build_layer *l)
{
    return l->path != NULL ? l->path : l->title;
}

static int open_layer(struct mlr_build_layer *l, mlr_op *op, mlr_reader **out, bool *executable, mlreg_error **err)
{
    mlr_reader *r = NULL;
    struct stat st;
    int rc;

    *executable = false;
    if (l->path == NULL)
        return mlr_reader_from_source(&l->source, op, out, err);
    if ((rc = mlr_reader_open_file(l->path, &r, err)) == 0 && (rc = mlr_fs_stat_fd(r->fd, l->path, &st, err)) == 0) {
        *executable = (st.st_mode & S_IXUSR) != 0;
        *out = r;
        r = NULL;
    }
    mlr_reader_free(r);
    return rc;
}

static int look(struct mlr_build_layer *l, mlr_reader *r, mlr_op *op, mlreg_error **err)
{
    uint8_t head[HEAD_BYTES];
    int64_t n = mlr_reader_read_at(r, 0, head, sizeof head, op, err);

    if (n < 0)
        return (int)n;
    if (l->media_type == NULL &&
        (l->media_type = mlr_strdup(mlr_kind_media_type(mlr_kind_of(l->title, head, (size_t)n, r->bytes)))) == NULL)
        return mlr_error_nomem(err);
    return l->of->artifact_type != NULL || l->of->config != NULL ? 0 : mlr_facts_read(l->title, r, op, &l->facts, err);
}

/* The file's digest is remembered: what is there already is neither read nor sent. 1; 0: it must be read after all, for the memory
 * was wrong. */
static int move_known(struct mlr_build_layer *l, mlr_reader *r, const mlr_digest *digest, mlr_op *op, mlreg_error **err)
{
    const mlr_blob blob = { l->of->repo, *digest, r->bytes, l->media_type };
    mlreg_error *why = NULL;
    int rc = mlr_place_blob_has(l->of->to, &blob, op, err);

    if (rc == 1) {
        mlr_op_count(op, MLR_N_BYTES_REUSED, (int64_t)r->bytes);
        return 1;
    }
    if (rc < 0)
        return rc;
    if ((rc = mlr_place_blob_write(l->of->to, &blob, r, op, &why)) == MLREG_EDIGEST) {
        mlr_digests_forget(l->of->digests, r);
        mlr_error_done(why);
        return 0;
    }
    mlr_error_move(err, &why);
    return rc < 0 ? rc : 1;
}

static int move(struct mlr_build_layer *l, mlr_reader *r, mlr_digest *digest, mlr_op *op, mlreg_error **err)
{
    const mlr_ahead_file ahead = { l->of->ahead, (size_t)(l - l->of->layers) };
    int rc;

    if (mlr_digests_find(l->of->digests, r, digest) && (rc = move_known(l, r, digest, op, err)) != 0)
        return rc < 0 ? rc : 0;
    if ((rc = mlr_place_blob_take(l->of->to, l->of->repo, r, ahead.of != NULL ? &ahead : NULL, op, digest, err)) == 0)
        mlr_digests_keep(l->of->digests, r, l->of->began_ms, digest);
    return rc;
}

static int in_turn(struct mlr_build_layer *l, mlr_reader *r, mlr_digest *digest, uint64_t *from_ms, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_wide_enter(l->of->wide, r->bytes, op, err);

    if (rc == 0) {
        *from_ms = mlr_clock_ms();
        rc = move(l, r, digest, op, err);
        mlr_wide_leave(l->of->wide, r->bytes);
    }
    return rc;
}

static int describe(struct mlr_build_layer *l, const mlr_digest *digest, uint64_t bytes, bool executable, mlreg_error **err)
{
    int rc = mlr_descriptor_make(l->media_type, digest, bytes, &l->descriptor, err);

    return rc < 0 ? rc : mlr_modelpack_annotate(&l->descriptor, l->title, executable, err);
}

static int write_layer(void *arg, mlr_op *op, mlreg_error **err)
{
    struct mlr_build_layer *l = arg;
    mlr_reader *inner = NULL, *r = NULL;
    mlr_digest digest;
    uint64_t from_ms = 0;
    bool executable;
    int rc = mlr_op_check(op, err);

    if (rc < 0 || (rc = open_layer(l, op, &inner, &executable, err)) < 0)
        goto out;
    mlr_op_count(op, MLR_N_BYTES_TOTAL, (int64_t)inner->bytes);
    if ((rc = look(l, inner, op, err)) < 0 || (rc = mlr_counted_new(inner, name_of(l), &r, err)) < 0)
        goto out;
    inner = NULL;                        /* r's */
    if ((rc = in_turn(l, r, &digest, &from_ms, op, err)) < 0 || (rc = describe(l, &digest, r->bytes, executable, err)) < 0)
        goto out;
    mlr_counted_rest(r, op);
    mlr_op_blob_done(op, l->title, r->bytes, from_ms);
out:
    mlr_reader_free(r);
    mlr_reader_free(inner);
    return mlr_error_subject(err, rc, name_of(l));
}

/* What would be refused in the end is refused before the first byte of any. */
static int check_sizes(mlr_build *b, mlreg_error **err)
{
    int rc = 0;

    for (size_t i = 0; i < b->n && rc == 0 && b->to->far; i++) {
        mlr_reader *r = NULL;

        if (b->layers[i].path == NULL)
            rc = mlr_place_check_size(b->to, b->layers[i].title, b->layers[i].source.bytes, err);
        else if ((rc = mlr_reader_open_file(b->layers[i].path, &r, err)) == 0)
            rc = mlr_place_check_size(b->to, b->layers[i].path, r->bytes, err);
        mlr_reader_free(r);
    }
    return rc;
}

/* Files that go far are hashed side by side while they are sent; elsewhere who writes them hashes them. */
static int hash_ahead(mlr_build *b, mlr_op *op, mlreg_error **err)
{
    if (!b->to->far || b->n == 0)
        return 0;
    if ((b->paths = mlr_alloc_array(b->n, sizeof *b->paths)) == NULL)
        return mlr_error_nomem(err);
    for (size_t i = 0; i < b->n; i++)
        b->paths[i] = b->layers[i].path;
    return mlr_ahead_new(b->to->rt, op, b->paths, b->n, HASHED_AHEAD_BYTES, b->digests, &b->ahead, err);
}

static int write_all(mlr_build *b, mlr_op *op, mlreg_error **err)
{
    int rc;

    if ((rc = check_sizes(b, err)) < 0 || (rc = hash_ahead(b, op, err)) < 0 || (rc = mlr_wide_new(b->to->rt, op, b->n, b->to->far, &b->wide, err)) < 0)
        return rc;
    for (size_t i = 0; i < b->n && rc == 0; i++)
        rc = mlr_group_add(mlr_wide_group(b->wide), write_layer, &b->layers[i], err);
    return rc < 0 ? rc : mlr_group_wait(mlr_wide_group(b->wide), err);
}

int mlr_build_write_layers(mlr_build *b, mlr_op *op, mlreg_error **err)
{
    int rc;

    mlr_op_count(op, MLR_N_BLOBS_TOTAL, (int64_t)b->n);
    b->began_ms = mlr_clock_wall_ms();
    b->digests = mlr_digests_new(NULL);
    rc = write_all(b, op, err);
    mlr_wide_free(b->wide);
    mlr_ahead_free(b->ahead);
    mlr_free(b->paths);
    mlr_digests_free(b->digests);
    b->wide = NULL;
    b->ahead = NULL;
    b->paths = NULL;
    b->digests = NULL;
    return rc;
}
