/* place/digests_file.c - the file of the digest memory: buckets of records, each as good as missing if anything is wrong with it. */
#include "place/digests_parts.h"

#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/private.h"
#include "codec/xxh.h"

#define N_BUCKETS 8192u
#define BUCKET    8u      /* records; all buckets: 8 MiB, most of it a hole in the file */
_Static_assert(sizeof(mlr_digest_record) == 112 && N_BUCKETS * BUCKET * sizeof(mlr_digest_record) < 8 << 20, "as it is in files");

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

static uint64_t check_of(const mlr_digest_record *r)
{
    return mlr_xxh3(r, offsetof(mlr_digest_record, check));
}

static bool is_whole(const mlr_digest_record *r)
{
    return r->magic == MLR_DIGESTS_MAGIC && r->check == check_of(r);
}

static bool is_same_place(const mlr_digest_record *a, const mlr_digest_record *b)
{
    return a->device == b->device && a->inode == b->inode;
}

static bool is_same_file(const mlr_digest_record *a, const mlr_digest_record *b)
{
    return is_same_place(a, b) && a->bytes == b->bytes && a->mtime_s == b->mtime_s && a->mtime_ns == b->mtime_ns &&
           a->ctime_s == b->ctime_s && a->ctime_ns == b->ctime_ns;
}

/* ---- buckets ---- */

struct bucket {
    uint64_t offset;             /* in the file */
    mlr_digest_record at[BUCKET];
};

static bool read_bucket(int fd, const mlr_digest_record *key, struct bucket *b)
{
    const uint64_t place[2] = { key->device, key->inode };
    int64_t n;

    memset(b, 0, sizeof *b);
    b->offset = mlr_xxh3(place, sizeof place) % N_BUCKETS * sizeof b->at;
    n = mlr_fs_read_at(fd, b->offset, b->at, sizeof b->at, MLR_DIGESTS_FILE, NULL);
    return n >= 0;
}

/* Where a new record goes: over what it says of the same file, else over nothing, else over the oldest. */
static size_t slot_for(const struct bucket *b, const mlr_digest_record *r)
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

static void write_record(int fd, mlr_digest_record *r)
{
    struct bucket b;

    if (!read_bucket(fd, r, &b))
        return;
    r->check = check_of(r);
    mlr_fs_write_at(fd, b.offset + slot_for(&b, r) * sizeof *r, r, sizeof *r, MLR_DIGESTS_FILE, NULL);
}

/* ---- digests in them ---- */

static int digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

void mlr_digests_pack(const mlr_digest *d, uint8_t out[32])
{
    const char *hex = mlr_digest_hex(d);

    for (size_t i = 0; i < 32; i++)
        out[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
}

void mlr_digests_unpack(const uint8_t in[32], mlr_digest *out)
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

bool mlr_digests_look_up(mlr_digests *d, const mlr_digest_record *want, mlr_digest_record *out)
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

void mlr_digests_put(mlr_digests *d, mlr_digest_record *new, const mlr_digest *digest)
{
    int fd = file_of(d, true);

    if (fd < 0)
        return;
    new->kept_ms = mlr_clock_wall_ms();
    mlr_digests_pack(digest, new->digest);
    write_record(fd, new);
}

void mlr_digests_void(mlr_digests *d, mlr_digest_record *none)
{
    int fd = file_of(d, false);

    if (fd < 0)
        return;
    none->mtime_s = none->ctime_s = -1;       /* of no file */
    write_record(fd, none);
}
