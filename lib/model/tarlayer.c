/* model/tarlayer.c - one layer as a reproducible tar: what is in it, in which order, and where. */
#include "model/tarlayer_parts.h"

#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/beneath.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/utf8.h"
#include "place/digests.h"

#define MAX_MEMBERS  1000000
#define HEAD_MAX     (4u << 20)
#define KEY_MAX      (1u << 30)

int mlr_tarlayer_new(int64_t mtime_s, mlr_tarlayer **out, mlreg_error **err)
{
    mlr_tarlayer *t = mlr_alloc(sizeof *t);

    if (t == NULL)
        return mlr_error_nomem(err);
    t->mtime_s = mtime_s;
    *out = t;
    return 0;
}

void mlr_tarlayer_item_done(struct mlr_tar_item *i)
{
    mlr_free((char *)i->m.name);
    mlr_free((char *)i->m.link);
    mlr_free(i->path);
    mlr_reader_free(i->bytes);
}

void mlr_tarlayer_free(mlr_tarlayer *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->n; i++)
        mlr_tarlayer_item_done(&t->items[i]);
    mlr_free(t->items);
    mlr_free(t);
}

/* ---- adding ---- */

/* A name that this host has, or that its user chose: only what would leave the image, or that no reader could tell, is refused. */
static int check_name(const char *name, mlreg_error **err)
{
    int rc = mlr_beneath_check_form(name, err);

    if (rc == 0 && !mlr_utf8_valid(name, strlen(name)))
        rc = mlr_error_set(err, MLREG_EINVAL, "\"%.200s\" is no UTF-8, which names in an image are", name);
    return rc;
}

int mlr_tarlayer_put(mlr_tarlayer *t, struct mlr_tar_item item, const char *name, const char *link, mlreg_error **err)
{
    int rc = check_name(name, err);

    item.m.name = mlr_strdup(name);
    item.m.link = link != NULL ? mlr_strdup(link) : NULL;
    item.m.mtime_s = t->mtime_s;
    if (rc == 0 && t->n >= MAX_MEMBERS)
        rc = mlr_error_set(err, MLREG_ELIMIT, "over %d files in one layer", MAX_MEMBERS);
    if (rc == 0 && (item.m.name == NULL || (link != NULL && item.m.link == NULL) || mlr_grow(&t->items, &t->cap, t->n, sizeof *t->items) < 0))
        rc = mlr_error_nomem(err);
    if (rc < 0) {
        mlr_tarlayer_item_done(&item);
        return rc;
    }
    t->items[t->n++] = item;
    t->n_files += item.m.kind == MLR_MEMBER_FILE;
    return 0;
}

int mlr_tarlayer_put_folder(mlr_tarlayer *t, const char *name, unsigned mode, mlreg_error **err)
{
    return mlr_tarlayer_put(t, (struct mlr_tar_item){ .m = { .kind = MLR_MEMBER_DIR, .mode = mode } }, name, NULL, err);
}

/* Opened once, so that what cannot be read is said now. */
int mlr_tarlayer_put_file(mlr_tarlayer *t, const char *name, const char *path, mlreg_error **err)
{
    struct mlr_tar_item item = { .m = { .kind = MLR_MEMBER_FILE } };
    mlr_reader *r = NULL;
    int rc;

    if ((rc = mlr_reader_open_file(path, &r, err)) < 0)
        return rc;
    if ((rc = mlr_fs_stat_fd(r->fd, path, &item.seen, err)) == 0 && (item.path = mlr_strdup(path)) == NULL)
        rc = mlr_error_nomem(err);
    mlr_reader_free(r);
    if (rc < 0)
        return rc;
    item.m.bytes = (uint64_t)item.seen.st_size;
    item.m.mode = (item.seen.st_mode & S_IXUSR) != 0 ? 0755 : 0644;
    return mlr_tarlayer_put(t, item, name, NULL, err);
}

int mlr_tarlayer_add_file(mlr_tarlayer *t, const char *name, const char *path, mlreg_error **err)
{
    int rc = check_name(name, err);

    if (rc < 0 || (rc = mlr_tarlayer_put_parents(t, name, false, err)) < 0)
        return rc;
    return mlr_tarlayer_put_file(t, name, path, err);
}

static int put_reader(mlr_tarlayer *t, const char *name, struct mlr_tar_item item, mlr_reader *r, mlreg_error **err)
{
    int rc = check_name(name, err);

    item.m.kind = MLR_MEMBER_FILE;
    item.m.bytes = r->bytes;
    item.bytes = r;

    if (rc < 0 || (rc = mlr_tarlayer_put_parents(t, name, false, err)) < 0) {
        mlr_reader_free(r);
        return rc;
    }
    return mlr_tarlayer_put(t, item, name, NULL, err);
}

int mlr_tarlayer_add_bytes(mlr_tarlayer *t, const char *name, mlr_reader *r, mlreg_error **err)
{
    return put_reader(t, name, (struct mlr_tar_item){ .m.mode = 0644 }, r, err);
}

int mlr_tarlayer_add_blob(mlr_tarlayer *t, const char *name, mlr_reader *r, const mlr_digest *digest, unsigned mode, mlreg_error **err)
{
    return put_reader(t, name, (struct mlr_tar_item){ .m.mode = mode, .digest = *digest }, r, err);
}

/* ---- the plan ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct mlr_tar_item *)a)->m.name, ((const struct mlr_tar_item *)b)->m.name);
}

/* Folders may be named again; of two the first stays, for they are alike. */
static int drop_doubles(mlr_tarlayer *t, mlreg_error **err)
{
    size_t n = 0;

    for (size_t i = 0; i < t->n; i++) {
        struct mlr_tar_item *last = n > 0 ? &t->items[n - 1] : NULL, *now = &t->items[i];

        if (last == NULL || strcmp(last->m.name, now->m.name) != 0) {
            t->items[n++] = *now;
            continue;
        }
        if (last->m.kind != MLR_MEMBER_DIR || now->m.kind != MLR_MEMBER_DIR)
            return mlr_error_set(err, MLREG_EINVAL, "\"%s\" would be in one layer twice", now->m.name);
        last->m.mode |= now->m.mode;
        last->implied &= now->implied;
        mlr_tarlayer_item_done(now);
    }
    t->n = n;
    return 0;
}

bool mlr_tarlayer_aligned(const mlr_tarlayer *t, const struct mlr_tar_item *item)
{
    return item->m.kind == MLR_MEMBER_FILE && item->m.bytes > 0 && (t->n_files == 1 || item->m.bytes >= MLR_TAR_PAGE_BYTES);
}

int mlr_tarlayer_plan(mlr_tarlayer *t, mlreg_error **err)
{
    mlr_buf head = MLR_BUF_INIT(HEAD_MAX);
    uint64_t at = 0;
    int rc;

    if (t->n > 0)
        qsort(t->items, t->n, sizeof *t->items, by_name);
    rc = drop_doubles(t, err);
    for (size_t i = 0; i < t->n && rc == 0; i++) {
        struct mlr_tar_item *item = &t->items[i];

        mlr_buf_clear(&head);
        if ((rc = mlr_tarhead_put(&item->m, at, mlr_tarlayer_aligned(t, item), &head, err)) < 0)
            break;
        item->at = at;
        item->data_at = at + head.len;
        at = item->data_at + item->m.bytes + mlr_tarhead_fill(item->m.bytes);
    }
    t->end = at;
    mlr_buf_done(&head);
    return rc;
}

uint64_t mlr_tarlayer_bytes(const mlr_tarlayer *t)
{
    return t->end + MLR_TAR_END_BYTES;
}

/* ---- what it is known by ---- */

static bool put_key(const mlr_tarlayer *t, const struct mlr_tar_item *i, int64_t at_ms, mlr_buf *out)
{
    const struct stat *st = &i->seen;

    if ((i->bytes != NULL && i->digest.text[0] == '\0') || (i->path != NULL && (!mlr_digests_steady(st, at_ms) || mlr_fs_is_network(i->path))))
        return false;
    if (mlr_buf_printf(out, NULL, "%d %o %llu %lld %zu:%s %s %s\n", (int)i->m.kind, i->m.mode, (unsigned long long)i->m.bytes,
            (long long)t->mtime_s, strlen(i->m.name), i->m.name, i->m.link != NULL ? i->m.link : "", i->digest.text) < 0)
        return false;
    return i->path == NULL ||
           mlr_buf_printf(out, NULL, "%llu %llu %lld %ld %lld %ld\n", (unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
               (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, (long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec) == 0;
}

bool mlr_tarlayer_key(const mlr_tarlayer *t, int64_t at_ms, mlr_digest *out)
{
    mlr_buf text = MLR_BUF_INIT(KEY_MAX);
    bool known = mlr_buf_puts(&text, "tar 1\n", NULL) == 0;

    for (size_t i = 0; i < t->n && known; i++)
        known = put_key(t, &t->items[i], at_ms, &text);
    if (known)
        mlr_digest_of(text.data, text.len, out);
    mlr_buf_done(&text);
    return known;
}
