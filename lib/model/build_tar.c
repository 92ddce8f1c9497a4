/* model/build_tar.c - a builder's layers that are tars: made while they are written, and remembered. */
#include "model/build_parts.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/text.h"
#include "model/counted.h"
#include "model/modelpack.h"

#define RAW ".raw"

/* ---- what kind of layer it is ---- */

/* "….raw" is "….tar" in a tar; a type that was chosen otherwise is its chooser's affair. */
static int choose_type(struct mlr_build_layer *l, mlreg_error **err)
{
    const char *suffix = mlr_pack_suffix(l->pack);
    char *as;

    if (l->media_type != NULL && !mlr_text_has_extension(l->media_type, RAW))
        return 0;
    if (l->media_type == NULL)
        as = mlr_asprintf("%s%s", MLR_TYPE_LAYER_TAR, suffix);
    else
        as = mlr_asprintf("%.*s.tar%s", (int)(strlen(l->media_type) - strlen(RAW)), l->media_type, suffix);
    if (as == NULL)
        return mlr_error_nomem(err);
    mlr_free(l->media_type);
    l->media_type = as;
    return 0;
}

/* What the file in it is to a model, which only an artifact says. */
static int look(struct mlr_build_layer *l, mlr_op *op, mlreg_error **err)
{
    mlr_reader *r = NULL;
    bool executable;
    int rc = 0;

    if (l->of->image == NULL && !l->is_blob && (rc = mlr_build_open_raw(l, op, &r, &executable, err)) == 0)
        rc = mlr_build_look(l, r, op, err);
    mlr_reader_free(r);
    return rc < 0 ? rc : choose_type(l, err);
}

/* ---- what it is remembered by ---- */

static bool find_key(struct mlr_build_layer *l)
{
    return l->key.text[0] != '\0' || mlr_tarlayer_key(l->tar, l->of->began_ms, &l->key);
}

/* By another key than the plain tar, which goes on to name what is inside. */
static void packed_key(const struct mlr_build_layer *l, mlr_digest *out)
{
    char text[MLR_DIGEST_TEXT + 16];

    snprintf(text, sizeof text, "%s%s", l->key.text, mlr_pack_suffix(l->pack));
    mlr_digest_of(text, strlen(text), out);
}

/* 1: what it becomes is remembered, and there. */
static int is_there(struct mlr_build_layer *l, mlr_blob *b, mlr_op *op, mlreg_error **err)
{
    mlr_digest key = l->key;
    uint64_t plain_bytes;
    int rc;

    if (l->pack != MLR_PACK_NONE)
        packed_key(l, &key);
    if (!mlr_digests_find_made(l->of->digests, &l->key, &l->diff_id, &plain_bytes) ||
        !mlr_digests_find_made(l->of->digests, &key, &b->digest, &b->bytes))
        return 0;
    b->repo = l->of->repo;
    b->media_type = l->media_type;
    if ((rc = mlr_place_blob_has(l->of->to, b, op, err)) == 1)
        mlr_op_count(op, MLR_N_BYTES_REUSED, (int64_t)b->bytes);
    return rc;
}

int mlr_build_tar_is_there(struct mlr_build_layer *l, mlr_op *op, mlreg_error **err)
{
    mlr_blob b = { 0 };
    int rc;

    if ((rc = choose_type(l, err)) < 0 || (rc = is_there(l, &b, op, err)) <= 0)
        return rc;
    mlr_op_count(op, MLR_N_BYTES_TOTAL, (int64_t)b.bytes);
    mlr_op_count(op, MLR_N_BYTES_DONE, (int64_t)b.bytes);
    rc = mlr_descriptor_make(l->media_type, &b.digest, b.bytes, &l->descriptor, err);
    return rc < 0 ? rc : 1;
}

/* ---- plain ---- */

/* The tar is remembered: what is there already is neither read nor sent. 1; 0: it must be read after all. */
static int move_known(struct mlr_build_layer *l, mlr_reader *r, const mlr_digest *digest, mlr_op *op, mlreg_error **err)
{
    const int rc = mlr_build_move_known(l, r, digest, op, err);

    if (rc == 0)
        mlr_digests_forget_made(l->of->digests, &l->key);
    return rc;
}

static int move(struct mlr_build_layer *l, mlr_reader *r, mlr_digest *digest, mlr_op *op, mlreg_error **err)
{
    bool has_key = find_key(l);
    uint64_t bytes;
    int rc;

    if (has_key && mlr_digests_find_made(l->of->digests, &l->key, digest, &bytes) && bytes == r->bytes &&
        (rc = move_known(l, r, digest, op, err)) != 0)
        return rc < 0 ? rc : 0;
    if ((rc = mlr_place_blob_take(l->of->to, l->of->repo, r, NULL, op, digest, err)) == 0 && has_key)
        mlr_digests_keep_made(l->of->digests, &l->key, digest, r->bytes);
    return rc;
}

static int write_plain(struct mlr_build_layer *l, mlr_reader *r, mlr_op *op, mlreg_error **err)
{
    mlr_digest digest;
    int rc = move(l, r, &digest, op, err);

    if (rc < 0)
        return rc;
    l->diff_id = digest;
    return mlr_descriptor_make(l->media_type, &digest, r->bytes, &l->descriptor, err);
}

/* ---- packed ---- */

/* How long it will be shows only when it is packed, and who takes it wants to know before: so it is packed into a file first. */
static int pack(struct mlr_build_layer *l, mlr_reader *r, mlr_blob *b, mlr_op *op, mlreg_error **err)
{
    mlr_reader *packed = NULL;
    int fd = -1, rc;

    if ((rc = mlr_temp_scratch(0, &fd, err)) == 0 && (rc = mlr_pack_into(r, l->pack, fd, op, &l->diff_id, err)) == 0 &&
        (rc = mlr_reader_from_fd(fd, MLR_TEMP_SCRATCH, false, &packed, err)) == 0) {
        fd = -1;                     /* the reader's */
        b->bytes = packed->bytes;
        rc = mlr_place_blob_take(l->of->to, l->of->repo, packed, NULL, op, &b->digest, err);
    }
    mlr_reader_free(packed);
    mlr_fs_close(fd);
    return rc;
}

static int write_packed(struct mlr_build_layer *l, mlr_reader *r, mlr_op *op, mlreg_error **err)
{
    bool has_key = find_key(l);
    mlr_digest key;
    mlr_blob b = { 0 };
    int rc = 0;

    if (has_key) {
        packed_key(l, &key);
        rc = is_there(l, &b, op, err);
    }
    if (rc == 0 && (rc = pack(l, r, &b, op, err)) == 0 && has_key) {
        mlr_digests_keep_made(l->of->digests, &l->key, &l->diff_id, r->bytes);
        mlr_digests_keep_made(l->of->digests, &key, &b.digest, b.bytes);
    }
    return rc < 0 ? rc : mlr_descriptor_make(l->media_type, &b.digest, b.bytes, &l->descriptor, err);
}

/* ---- both ---- */

static int in_turn(struct mlr_build_layer *l, mlr_reader *r, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_wide_enter(l->of->wide, r->bytes, op, err);

    if (rc < 0)
        return rc;
    rc = l->pack == MLR_PACK_NONE ? write_plain(l, r, op, err) : write_packed(l, r, op, err);
    mlr_wide_leave(l->of->wide, r->bytes);
    return rc;
}

int mlr_build_annotate_tar(struct mlr_build_layer *l, mlreg_error **err)
{
    if (l->of->image == NULL)
        return mlr_modelpack_annotate_tar(&l->descriptor, l->title, err);
    return l->is_tree ? 0 : mlr_descriptor_annotate(&l->descriptor, MLR_FILEPATH_KEY, l->title, err);
}

int mlr_build_write_tar(struct mlr_build_layer *l, mlr_op *op, mlreg_error **err)
{
    mlr_reader *inner = NULL, *r = NULL;
    int rc;

    if ((rc = look(l, op, err)) < 0 || (rc = mlr_tarlayer_open(l->tar, l->title, &inner, err)) < 0)
        return rc;
    mlr_op_count(op, MLR_N_BYTES_TOTAL, (int64_t)inner->bytes);
    if ((rc = mlr_counted_new(inner, l->path != NULL ? l->path : l->title, &r, err)) < 0) {
        mlr_reader_free(inner);
        return rc;
    }
    if ((rc = in_turn(l, r, op, err)) == 0 && (rc = mlr_build_annotate_tar(l, err)) == 0)
        mlr_counted_rest(r, op);
    mlr_reader_free(r);
    return rc;
}
