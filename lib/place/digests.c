/* place/digests.c - the digest memory: what SHA-256 a file of this machine had when it was last read to its end. */
#include "place/digests.h"

#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/private.h"
#include "codec/xxh.h"

#define MAGIC      UINT64_C(0x31474944474c4d) /* "MLGDIG1", in the order of bytes of the machine that wrote it */
#define N_BUCKETS  8192u
#define BUCKET     8u                         /* records; all buckets: 8 MiB, most of it a hole in the file */
#define YOUNG_MS   2000
#define MADE_NS    UINT32_MAX                 /* no file's time: the record is of something made from files */

struct record {
    uint64_t magic, device, inode, bytes;
    int64_t mtime_s, ctime_s;
    uint32_t mtime_ns, ctime_ns;
    uint8_t digest[32];
    int64_t kept_ms;
    uint64_t spare;              /* of what was made from files: its length */
    uint64_t check;              /* XXH3 of all before it */
};
_Static_assert(sizeof(struct record) == 112 && N_BUCKETS * BUCKET * sizeof(struct record) < 8 << 20, "as it is in files");

struct mlr_digests {
    char *dir;
    pthread_mutex_t lock;        /* guards fd while it is opened */
    int fd;                      /* -1: not open (yet) */
};

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

/* -1: there is no file that could be trusted, or none yet and nothing to put in. */
static int file_of(mlr_digests *d, bool create)
{
    int fd;

    pthread_mutex_lock(&d->lock);
    if (d->fd < 0)
        mlr_private_open(d->dir, MLR_DIGESTS_FILE, create, &d->fd, NULL);
    fd = d->fd;
    pthread_mutex_unlock(&d->lock);
    return fd;
}

/* ---- records ---- */

static uint64_t check_of(const struct record *r)
{
    return mlr_xxh3(r, offsetof(struct record, check));
}

static bool is_whole(const struct record *r)
{
    return r->magic == MAGIC && r->check == check_of(r);
}

static bool is_same_place(const struct record *a, const struct record *b)
{
    return a->device == b->device && a->inode == b->inode;
}

static bool is_same_file(const struct record *a, const struct record *b)
{
    return is_same_place(a, b) && a->bytes == b->bytes && a->mtime_s == b->mtime_s && a->mtime_ns == b->mtime_ns &&
           a->ctime_s == b->ctime_s && a->ctime_ns == b->ctime_ns;
}

/* What the file is at this moment, as a record without its digest. */
static bool identify(const mlr_reader *r, struct stat *st, struct record *out)
{
    if (r->fd < 0 || r->trusted || mlr_fs_is_network_fd(r->fd, r->name) || mlr_fs_stat_fd(r->fd, r->name, st, NULL) < 0)
        return false;
    memset(out, 0, sizeof *out);
    out->magic = MAGIC;
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

/* ---- buckets ---- */

struct bucket {
    uint64_t offset;             /* in the file */
    struct record at[BUCKET];
};

static bool read_bucket(int fd, const struct record *key, struct bucket *b)
{
    const uint64_t place[2] = { key->device, key->inode };
    int64_t n;

    memset(b, 0, sizeof *b);
    b->offset = mlr_xxh3(place, sizeof place) % N_BUCKETS * sizeof b->at;
    n = mlr_fs_read_at(fd, b->offset, b->at, sizeof b->at, MLR_DIGESTS_FILE, NULL);
    return n >= 0;
}

/* Where a new record goes: over what it says of the same file, else over nothing, else over the oldest. */
static size_t slot_for(const struct bucket *b, const struct record *r)
{
    size_t best = 0;

    for (size_t i = 0; i < BUCKET; i++)
        if (is_whole(&b->at[i]) && is_same_place(&b->at[i], r))
            return i;
    for (size_t i = 0; i < BUCKET; i++) {
        if (!is_whole(&b->at[i]))
            return i;
        if (b->at[i].kept_ms < b->at[best].kept_ms)
            best = i;
    }
    return best;
}

static void write_record(int fd, struct record *r)
{
    struct bucket b;

    if (!read_bucket(fd, r, &b))
        return;
    r->check = check_of(r);
    mlr_fs_write_at(fd, b.offset + slot_for(&b, r) * sizeof *r, r, sizeof *r, MLR_DIGESTS_FILE, NULL);
}

/* ---- the memory ---- */

static int digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static void pack(const mlr_digest *d, uint8_t out[32])
{
    const char *hex = mlr_digest_hex(d);

    for (size_t i = 0; i < 32; i++)
        out[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
}

static void unpack(const uint8_t in[32], mlr_digest *out)
{
    static const char digits[] = "0123456789abcdef";
    char *hex = out->text + (MLR_DIGEST_TEXT - MLR_DIGEST_HEX);

    memcpy(out->text, "sha256:", (size_t)(hex - out->text));
    for (size_t i = 0; i < 32; i++) {
        hex[2 * i] = digits[in[i] >> 4];
        hex[2 * i + 1] = digits[in[i] & 15];
    }
    hex[MLR_DIGEST_HEX] = '\0';
}

/* The record in the bucket of `want` that says of the same: 1. */
static bool look_up(mlr_digests *d, const struct record *want, struct record *out)
{
    struct bucket b;
    int fd = file_of(d, false);

    if (fd < 0 || !read_bucket(fd, want, &b))
        return false;
    for (size_t i = 0; i < BUCKET; i++)
        if (is_whole(&b.at[i]) && is_same_file(&b.at[i], want)) {
            *out = b.at[i];
            return true;
        }
    return false;
}

static void keep(mlr_digests *d, struct record *new, const mlr_digest *digest)
{
    int fd = file_of(d, true);

    if (fd < 0)
        return;
    new->kept_ms = mlr_clock_wall_ms();
    pack(digest, new->digest);
    write_record(fd, new);
}

static void forget(mlr_digests *d, struct record *none)
{
    int fd = file_of(d, false);

    if (fd < 0)
        return;
    none->mtime_s = none->ctime_s = -1;       /* of no file */
    write_record(fd, none);
}

bool mlr_digests_find(mlr_digests *d, const mlr_reader *r, mlr_digest *out)
{
    struct record want, found;
    struct stat st;

    if (d == NULL || !identify(r, &st, &want) || !look_up(d, &want, &found))
        return false;
    unpack(found.digest, out);
    return true;
}

void mlr_digests_keep(mlr_digests *d, mlr_reader *r, int64_t began_ms, const mlr_digest *digest)
{
    struct record new;
    struct stat st;

    if (d != NULL && r->fd >= 0 && mlr_reader_unchanged(r, NULL) == 0 && identify(r, &st, &new) && mlr_digests_steady(&st, began_ms))
        keep(d, &new, digest);
}

void mlr_digests_forget(mlr_digests *d, const mlr_reader *r)
{
    struct record none;
    struct stat st;

    if (d != NULL && identify(r, &st, &none))
        forget(d, &none);
}

/* ---- what is made from files ---- */

/* The key takes the place of a file's device, inode and times; its length is what is remembered, not what it is known by. */
static void identify_made(const mlr_digest *key, struct record *out)
{
    uint8_t bytes[32];

    pack(key, bytes);
    memset(out, 0, sizeof *out);
    out->magic = MAGIC;
    memcpy(&out->device, bytes, 8);
    memcpy(&out->inode, bytes + 8, 8);
    memcpy(&out->mtime_s, bytes + 16, 8);
    memcpy(&out->ctime_s, bytes + 24, 8);
    out->mtime_ns = out->ctime_ns = MADE_NS;
}

bool mlr_digests_find_made(mlr_digests *d, const mlr_digest *key, mlr_digest *out, uint64_t *bytes)
{
    struct record want, found;

    if (d == NULL)
        return false;
    identify_made(key, &want);
    if (!look_up(d, &want, &found))
        return false;
    unpack(found.digest, out);
    *bytes = found.spare;
    return true;
}

void mlr_digests_keep_made(mlr_digests *d, const mlr_digest *key, const mlr_digest *digest, uint64_t bytes)
{
    struct record new;

    if (d == NULL)
        return;
    identify_made(key, &new);
    new.spare = bytes;
    keep(d, &new, digest);
}

void mlr_digests_forget_made(mlr_digests *d, const mlr_digest *key)
{
    struct record none;

    if (d == NULL)
        return;
    identify_made(key, &none);
    forget(d, &none);
}
