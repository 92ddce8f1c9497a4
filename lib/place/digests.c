/* place/digests.c - the digest memory: what SHA-256 a file of this machine had when it was last read to its end. */
#include "place/digests_parts.h"

#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/private.h"

#define YOUNG_MS 2000
#define MADE_NS  UINT32_MAX /* no file's time: the record is of something made from files */

mlr_digests *mlr_digests_new(const char *dir)
{
    char *own = dir != NULL ? mlr_strdup(dir) : mlr_private_dir("XDG_CACHE_HOME", ".cache");
    mlr_digests *d = own != NULL ? mlr_alloc(sizeof *d) : NULL;

    if (d == NULL) {
        mlr_free(own);
        return NULL;
    }
    d->dir = own;
    d->fd = -1;
    pthread_mutex_init(&d->lock, NULL);
    return d;
}

void mlr_digests_free(mlr_digests *d)
{
    if (d == NULL)
        return;
    mlr_fs_close(d->fd);
    pthread_mutex_destroy(&d->lock);
    mlr_free(d->dir);
    mlr_free(d);
}

/* ---- files ---- */

/* What the file is at this moment, as a record without its digest. */
static bool identify(const mlr_reader *r, struct stat *st, mlr_digest_record *out)
{
    if (r->fd < 0 || r->trusted || mlr_fs_is_network_fd(r->fd, r->name) || mlr_fs_stat_fd(r->fd, r->name, st, NULL) < 0)
        return false;
    memset(out, 0, sizeof *out);
    out->magic = MLR_DIGESTS_MAGIC;
    out->device = (uint64_t)st->st_dev;
    out->inode = (uint64_t)st->st_ino;
    out->bytes = (uint64_t)st->st_size;
    out->mtime_s = st->st_mtim.tv_sec;
    out->mtime_ns = (uint32_t)st->st_mtim.tv_nsec;
    out->ctime_s = st->st_ctim.tv_sec;
    out->ctime_ns = (uint32_t)st->st_ctim.tv_nsec;
    return out->bytes == r->bytes;
}

static bool is_young(const struct timespec *t, int64_t at_ms)
{
    return t->tv_sec > at_ms / 1000 || at_ms - (t->tv_sec * 1000 + t->tv_nsec / 1000000) < YOUNG_MS;
}

bool mlr_digests_steady(const struct stat *st, int64_t at_ms)
{
    return !is_young(&st->st_mtim, at_ms) && !is_young(&st->st_ctim, at_ms);
}

bool mlr_digests_find(mlr_digests *d, const mlr_reader *r, mlr_digest *out)
{
    mlr_digest_record want, found;
    struct stat st;

    if (d == NULL || !identify(r, &st, &want) || !mlr_digests_look_up(d, &want, &found))
        return false;
    mlr_digests_unpack(found.digest, out);
    return true;
}

void mlr_digests_keep(mlr_digests *d, mlr_reader *r, int64_t began_ms, const mlr_digest *digest)
{
    mlr_digest_record new;
    struct stat st;

    if (d != NULL && r->fd >= 0 && mlr_reader_unchanged(r, NULL) == 0 && identify(r, &st, &new) && mlr_digests_steady(&st, began_ms))
        mlr_digests_put(d, &new, digest);
}

void mlr_digests_forget(mlr_digests *d, const mlr_reader *r)
{
    mlr_digest_record none;
    struct stat st;

    if (d != NULL && identify(r, &st, &none))
        mlr_digests_void(d, &none);
}

/* ---- what is made from files ---- */

/* The key takes the place of a file's device, inode and times; its length is what is remembered, not what it is known by. */
static void identify_made(const mlr_digest *key, mlr_digest_record *out)
{
    uint8_t bytes[32];

    mlr_digests_pack(key, bytes);
    memset(out, 0, sizeof *out);
    out->magic = MLR_DIGESTS_MAGIC;
    memcpy(&out->device, bytes, 8);
    memcpy(&out->inode, bytes + 8, 8);
    memcpy(&out->mtime_s, bytes + 16, 8);
    memcpy(&out->ctime_s, bytes + 24, 8);
    out->mtime_ns = out->ctime_ns = MADE_NS;
}

bool mlr_digests_find_made(mlr_digests *d, const mlr_digest *key, mlr_digest *out, uint64_t *bytes)
{
    mlr_digest_record want, found;

    if (d == NULL)
        return false;
    identify_made(key, &want);
    if (!mlr_digests_look_up(d, &want, &found))
        return false;
    mlr_digests_unpack(found.digest, out);
    *bytes = found.spare;
    return true;
}

void mlr_digests_keep_made(mlr_digests *d, const mlr_digest *key, const mlr_digest *digest, uint64_t bytes)
{
    mlr_digest_record new;

    if (d == NULL)
        return;
    identify_made(key, &new);
    new.spare = bytes;
    mlr_digests_put(d, &new, digest);
}

void mlr_digests_forget_made(mlr_digests *d, const mlr_digest *key)
{
    mlr_digest_record none;

    if (d == NULL)
        return;
    identify_made(key, &none);
    mlr_digests_void(d, &none);
}
