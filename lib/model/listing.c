/* model/listing.c - what a layer holds, by names and kinds alone: read out of it once, and remembered. */
#include "model/listing.h"

#include <string.h>
#include "base/error.h"
#include "place/listings.h"

#define BYTES_MAX   ((uint64_t)1 << 40)
#define MEMBERS_MAX 2000000u

void mlr_listing_done(mlr_listing *l)
{
    mlr_buf_done(&l->bytes);
    l->known = false;
}

/* ---- entries ---- */

static size_t in_common(const char *a, const char *b)
{
    size_t n = 0;

    while (a[n] != '\0' && a[n] == b[n])
        n++;
    return n;
}

/* The numbers stand lowest byte first; texts end in a zero. */
static int put(mlr_buf *out, const mlr_rootfs_name *before, const mlr_rootfs_name *name, const mlr_member *m, mlreg_error **err)
{
    const size_t same = in_common(before->text, name->text);
    const uint8_t head[3] = { (uint8_t)m->kind, (uint8_t)same, (uint8_t)(same >> 8) };
    const char *rest = name->text + same;
    int rc;

    if ((rc = mlr_buf_add(out, head, sizeof head, err)) == 0 && (rc = mlr_buf_add(out, rest, strlen(rest) + 1, err)) == 0 && m->kind == MLR_MEMBER_SYMLINK)
        rc = mlr_buf_add(out, m->link, strlen(m->link) + 1, err);
    return rc;
}

static const char *text_at(const mlr_buf *b, size_t *at)
{
    const char *text = b->data + *at, *end = memchr(text, '\0', b->len - *at);

    if (end == NULL)
        return NULL;
    *at += (size_t)(end - text) + 1;
    return text;
}

int mlr_listing_next(const mlr_listing *l, mlr_listing_at *at)
{
    size_t next = at->next + 3, same;
    const uint8_t *head;
    const char *rest;

    if (l->bytes.len < next)
        return 0;
    head = (const uint8_t *)l->bytes.data + at->next;
    same = head[1] | (size_t)head[2] << 8;
    if ((rest = text_at(&l->bytes, &next)) == NULL || same > strlen(at->name.text) || same + strlen(rest) >= sizeof at->name.text)
        return 0;
    strcpy(at->name.text + same, rest);
    at->kind = (mlr_member_kind)head[0];
    if (at->kind == MLR_MEMBER_SYMLINK && (at->link = text_at(&l->bytes, &next)) == NULL)
        return 0;
    at->next = next;
    return 1;
}

/* ---- out of the layer ---- */

static int take_members(mlr_listing *l, mlr_archive *a, mlreg_error **err)
{
    mlr_rootfs_name names[2] = { { { 0 } } };
    mlr_member m;
    size_t i = 0;
    int rc;

    while ((rc = mlr_archive_next(a, &m, err)) == 1) {
        if ((rc = mlr_rootfs_clean(m.name, &names[i], err)) < 0 || (rc = put(&l->bytes, &names[!i], &names[i], &m, err)) < 0)
            break;
        i = !i;
    }
    return rc;
}

/* What was verified when it was stored, and is not packed, is that plain tar: its headers are enough. */
static int read_layer(mlr_listing *l, mlr_reader *r, const mlr_blob *b, const mlr_digest *diff_id, mlr_op *op, mlreg_error **err)
{
    const mlr_archive_limits limits = { .bytes = BYTES_MAX, .members = MEMBERS_MAX };
    const bool is_sure = r->trusted && mlr_digest_equal(&b->digest, diff_id);
    mlr_archive *a = NULL;
    mlr_sha256 sum;
    mlr_digest got = *diff_id;
    int rc;

    mlr_sha256_init(&sum);
    if ((rc = mlr_archive_open_summed(r, &limits, is_sure ? NULL : &sum, op, &a, err)) == 0) {
        mlr_archive_skim(a);
        rc = take_members(l, a, err);
    }
    mlr_archive_free(a);
    if (!is_sure)
        mlr_digest_final(&sum, &got);
    return rc < 0 ? rc : mlr_digest_check(&got, diff_id, r->name, err);
}

static int find_layer(mlr_listing *l, mlr_place *p, const mlr_blob *b, const mlr_digest *diff_id, mlr_op *op, mlreg_error **err)
{
    mlr_reader *r = NULL;
    int rc = mlr_place_blob_open(p, b, op, &r, err);

    if (rc == 0)
        rc = read_layer(l, r, b, diff_id, op, err);
    mlr_reader_free(r);
    return rc;
}

int mlr_listing_read(mlr_listing *l, mlr_place *p, const mlr_blob *b, const mlr_digest *diff_id, mlr_op *op, mlreg_error **err)
{
    mlreg_error *why = NULL;
    int rc;

    *l = (mlr_listing){ MLR_BUF_INIT(MLR_LISTINGS_MAX_BYTES), false };
    l->known = mlr_listings_find(diff_id, &l->bytes);
    if (l->known || p->far)
        return 0;
    if ((rc = find_layer(l, p, b, diff_id, op, &why)) == 0) {
        l->known = true;
        mlr_listings_keep(diff_id, &l->bytes);
    } else if (rc == MLREG_ECANCELLED || rc == MLREG_ENOMEM) {
        mlr_error_move(err, &why);
        return rc;
    }
    mlr_error_done(why);
    return 0;
}
