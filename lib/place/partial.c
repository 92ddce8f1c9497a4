/* place/partial.c - a blob in the making that outlives its process. */
#include "place/partial.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/lock.h"
#include "codec/xxh.h"
#include "place/journal.h"
#include "place/slabs.h"

#define MODE     0755             /* until it is published; the directory is private */
#define LOCK_EXT ".lock"
#define JOURNAL_EXT ".journal"

struct mlr_partial {
    char      *dir, *path, *journal_path, *lock_path;
    const char *shown;            /* for messages; NULL: path */
    mlr_lock   lock;
    mlr_digest digest;
    uint64_t   bytes;
    size_t     n;                 /* slabs */
    uint64_t  *sums;
    bool      *has;
    bool       any;               /* there is something worth keeping */
    int        fd, journal;
    uint64_t   end;               /* of the journal */
    mlr_sha256 midstate;
};

/* ---- one at a time ---- */

static int name_files(mlr_partial *p, const char *dir)
{
    const char *hex = mlr_digest_hex(&p->digest);

    p->dir = mlr_strdup(dir);
    p->path = mlr_path_join(dir, hex);
    p->journal_path = mlr_asprintf("%s/%s" JOURNAL_EXT, dir, hex);
    p->lock_path = mlr_asprintf("%s/%s" LOCK_EXT, dir, hex);
    return p->dir != NULL && p->path != NULL && p->journal_path != NULL && p->lock_path != NULL ? 0 : MLREG_ENOMEM;
}

static int take_lock(const char *dir, const mlr_digest *d, uint64_t bytes, uint64_t wait_ms, mlr_op *op, mlr_partial **out,
                     mlreg_error **err)
{
    mlr_partial *p = mlr_alloc(sizeof *p);
    int          rc;

    if (p == NULL)
        return mlr_error_nomem(err);
    p->digest = *d;
    p->bytes = bytes;
    p->n = (size_t)((bytes + MLR_SLAB_BYTES - 1) / MLR_SLAB_BYTES);
    p->fd = p->journal = -1;
    p->lock = (mlr_lock)MLR_LOCK_INIT;
    mlr_sha256_init(&p->midstate);
    if (name_files(p, dir) < 0)
        rc = mlr_error_nomem(err);
    else
        rc = mlr_lock_take(&p->lock, p->lock_path, true, wait_ms, op, err);
    if (rc < 0)
        mlr_partial_free(p);
    else
        *out = p;
    return rc;
}

int mlr_partial_lock(const char *dir, const mlr_digest *d, uint64_t bytes, mlr_op *op, mlr_partial **out, mlreg_error **err)
{
    return take_lock(dir, d, bytes, UINT64_MAX, op, out, err);
}

/* Removed before the lock goes: whoever waits for it sees that it lost its name, and makes a new one. */
static void unlock(mlr_partial *p)
{
    if (p->lock.fd < 0 && p->lock.lease == NULL)
        return;
    if (p->lock.owner == (int)getpid())
        mlr_fs_unlink(p->lock_path, NULL);
    mlr_lock_drop(&p->lock);
}

/* ---- what is there ---- */

static size_t slab_bytes(const mlr_partial *p, size_t i)
{
    uint64_t left = p->bytes - i * MLR_SLAB_BYTES;

    return (size_t)(left < MLR_SLAB_BYTES ? left : MLR_SLAB_BYTES);
}

/* Whether slab i is in the file as it was when it was noted. */
static int check_slab(const mlr_partial *p, size_t i, uint64_t want, void *room, mlr_op *op, mlreg_error **err)
{
    size_t   left = slab_bytes(p, i);
    uint64_t at = i * MLR_SLAB_BYTES, sum = 0;
    int      rc = mlr_op_check(op, err);

    while (rc == 0 && left > 0) {
        size_t  len = left < MLR_CHUNK_BYTES ? left : MLR_CHUNK_BYTES;
        int64_t n = mlr_fs_read_at(p->fd, at, room, len, p->path, err);

        if (n != (int64_t)len)
            return n < 0 ? (int)n : 0;
        sum = mlr_xxh3_join(sum, mlr_xxh3(room, len));
        at += len;
        left -= len;
    }
    return rc < 0 ? rc : sum == want;
}

static bool is_of_this_boot(const mlr_journal_said *said, const mlr_journal_head *now)
{
    static const uint8_t unknown[sizeof now->boot];

    return memcmp(said->head.boot, now->boot, sizeof now->boot) == 0 && memcmp(now->boot, unknown, sizeof unknown) != 0;
}

/* As it was left, by this very system, and by nobody touched since. */
static bool is_untouched(const mlr_journal_said *said, const mlr_journal_head *now, const struct stat *st)
{
    mlr_journal_look look;

    mlr_journal_look_of(st, &look);
    return said->ended && memcmp(&said->look, &look, sizeof look) == 0 && is_of_this_boot(said, now);
}

static int take_over(mlr_partial *p, const mlr_journal_said *said, bool trusted, mlr_op *op, mlreg_error **err)
{
    void *room = mlr_alloc(MLR_CHUNK_BYTES);
    int   rc = room != NULL ? 0 : mlr_error_nomem(err);

    for (size_t i = 0; rc >= 0 && i < p->n; i++) {
        if (!said->has[i] || (!trusted && (rc = check_slab(p, i, said->sums[i], room, op, err)) != 1))
            continue;
        p->has[i] = p->any = true;
        p->sums[i] = said->sums[i];
    }
    mlr_free(room);
    return rc < 0 ? rc : 0;
}

static uint64_t prefix_of(const mlr_partial *p)
{
    size_t i = 0;

    while (i < p->n && p->has[i])
        i++;
    return i < p->n ? i * MLR_SLAB_BYTES : p->bytes;
}

static int go_on(mlr_partial *p, const mlr_journal_head *now, const struct stat *st, mlr_op *op, mlreg_error **err)
{
    mlr_journal_said said;
    int              rc = mlr_journal_read(p->journal, p->n, &said, p->journal_path, err);

    if (rc < 1)
        return rc;
    if (mlr_digest_equal(&said.head.digest, &p->digest) && said.head.bytes == p->bytes && said.head.dev == now->dev &&
        said.head.ino == now->ino &&
        (rc = take_over(p, &said, is_untouched(&said, now, st), op, err)) == 0 && (p->shown == NULL || is_of_this_boot(&said, now)))
        rc = mlr_journal_state(p->journal, prefix_of(p), &p->midstate, p->journal_path, err);
    mlr_journal_said_done(&said);
    return rc < 0 ? rc : 0;
}

/* What was found out becomes a journal without history. */
static int write_anew(mlr_partial *p, const mlr_journal_head *head, mlreg_error **err)
{
    char *path = mlr_asprintf("%s.new", p->journal_path);
    int   fd = -1, rc;

    p->end = 0;
    if (path == NULL)
        return mlr_error_nomem(err);
    if ((rc = mlr_fs_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600, &fd, err)) == 0)
        rc = mlr_journal_add_head(fd, &p->end, head, path, err);
    for (size_t i = 0; rc == 0 && i < p->n; i++)
        if (p->has[i])
            rc = mlr_journal_add_slab(fd, &p->end, i, p->sums[i], path, err);
    if (rc == 0 && p->midstate.bytes > 0)
        rc = mlr_journal_add_state(fd, &p->end, &p->midstate, path, err);
    if (rc == 0 && (rc = mlr_fs_rename(path, p->journal_path, err)) == 0) {
        mlr_fs_close(p->journal);
        p->journal = fd;
        fd = -1;
    }
    mlr_fs_close(fd);
    mlr_free(path);
    return rc;
}

/* A file of our own and of one name; whatever else stands there makes way. */
static int open_own(const char *path, unsigned mode, int *fd, struct stat *st, mlreg_error **err)
{
    const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
    int       rc = mlr_fs_open(path, flags, mode, fd, NULL);

    if (rc == 0 && (rc = mlr_fs_stat_fd(*fd, path, st, err)) < 0)
        return rc;
    if (rc == 0 && S_ISREG(st->st_mode) && st->st_nlink == 1)
        return 0;
    mlr_fs_close(*fd);
    *fd = -1;
    if ((rc = mlr_fs_unlink(path, err)) < 0 || (rc = mlr_fs_open(path, flags | O_EXCL, mode, fd, err)) < 0)
        return rc;
    return mlr_fs_stat_fd(*fd, path, st, err);
}

static int open_files(mlr_partial *p, struct stat *st, mlreg_error **err)
{
    struct stat journal;
    int         rc = open_own(p->path, MODE, &p->fd, st, err);

    return rc < 0 ? rc : open_own(p->journal_path, 0600, &p->journal, &journal, err);
}

void mlr_partial_in_folder(mlr_partial *p, const char *shown)
{
    p->shown = shown;
}

int mlr_partial_begin(mlr_partial *p, mlr_op *op, mlreg_error **err)
{
    mlr_journal_head head;
    struct stat      st;
    int              rc;

    /* Room on the disk first: a size that is a lie then costs no memory. */
    if ((rc = open_files(p, &st, err)) < 0 || (rc = mlr_fs_reserve(p->fd, p->bytes, mlr_partial_name(p), err)) < 0)
        return rc;
    p->sums = mlr_alloc_array(p->n, sizeof *p->sums);
    p->has = mlr_alloc_array(p->n, sizeof *p->has);
    if (p->sums == NULL || p->has == NULL)
        return mlr_error_nomem(err);
    mlr_journal_head_of(&p->digest, p->bytes, &st, &head);
    if ((rc = go_on(p, &head, &st, op, err)) < 0)
        return rc;
    return write_anew(p, &head, err);
}

int mlr_partial_fd(const mlr_partial *p)
{
    return p->fd;
}

const char *mlr_partial_name(const mlr_partial *p)
{
    return p->shown != NULL ? p->shown : p->path;
}

bool mlr_partial_has(const mlr_partial *p, size_t i, uint64_t *sum)
{
    if (p->has[i])
        *sum = p->sums[i];
    return p->has[i];
}

void mlr_partial_midstate(const mlr_partial *p, mlr_sha256 *out)
{
    *out = p->midstate;
}

uint64_t mlr_partial_hashed(const mlr_partial *p)
{
    return p->midstate.bytes;
}

int mlr_partial_advance(mlr_partial *p, const uint32_t *slabs, size_t n, const uint64_t *sums, const mlr_sha256 *midstate, mlreg_error **err)
{
    int rc = n > 0 ? mlr_fs_sync(p->fd, p->path, err) : 0;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        p->any = true;
        rc = mlr_journal_add_slab(p->journal, &p->end, slabs[i], sums[slabs[i]], p->journal_path, err);
    }
    if (rc == 0 && midstate->bytes > p->midstate.bytes &&
        (rc = mlr_journal_add_state(p->journal, &p->end, midstate, p->journal_path, err)) == 0)
        p->midstate = *midstate;
    return rc;
}

/* ---- the end ---- */

static void remove_journal(mlr_partial *p)
{
    char *unfinished = mlr_asprintf("%s.new", p->journal_path);

    mlr_fs_close(p->journal);
    p->journal = -1;
    mlr_fs_unlink(p->journal_path, NULL);
    if (unfinished != NULL)
        mlr_fs_unlink(unfinished, NULL);
    mlr_free(unfinished);
}

int mlr_partial_finish(mlr_partial *p, unsigned mode, mlr_temp *out, mlreg_error **err)
{
    int rc = mlr_temp_adopt(out, &p->fd, p->path, p->dir, mode, err);

    if (rc == 0)
        remove_journal(p);
    return rc;
}

void mlr_partial_spoil(mlr_partial *p)
{
    mlr_fs_close(p->fd);
    p->fd = -1;
    mlr_fs_unlink(p->path, NULL);
    remove_journal(p);
}

/* How it looks now, so that it need not be read again. */
static void note_look(mlr_partial *p)
{
    mlr_journal_look look;
    struct stat      st;

    if (mlr_fs_stat_fd(p->fd, p->path, &st, NULL) < 0)
        return;
    mlr_journal_look_of(&st, &look);
    mlr_journal_add_look(p->journal, &p->end, &look, p->journal_path, NULL);
}

void mlr_partial_free(mlr_partial *p)
{
    if (p == NULL)
        return;
    if (p->fd >= 0 && p->journal >= 0 && p->any)
        note_look(p);
    else if (p->fd >= 0)
        mlr_partial_spoil(p);
    mlr_fs_close(p->fd);
    mlr_fs_close(p->journal);
    unlock(p);
    mlr_free(p->sums);
    mlr_free(p->has);
    mlr_free(p->dir);
    mlr_free(p->path);
    mlr_free(p->journal_path);
    mlr_free(p->lock_path);
    mlr_free(p);
}

/* ---- for gc ---- */

bool mlr_partial_is_part(const char *name, mlr_digest *out)
{
    static const char *const endings[] = { "", LOCK_EXT, JOURNAL_EXT, JOURNAL_EXT ".new" };
    char                     text[MLR_DIGEST_TEXT + 1] = "sha256:";
    bool                     known = false;

    if (strlen(name) < MLR_DIGEST_HEX)
        return false;
    memcpy(text + strlen(text), name, MLR_DIGEST_HEX);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        known = known || strcmp(name + MLR_DIGEST_HEX, endings[i]) == 0;
    return known && mlr_digest_parse(text, out, NULL) == 0;
}

bool mlr_partial_is_lock_alone(const char *dir, const char *name)
{
    char       *path = mlr_asprintf("%s/%.*s", dir, MLR_DIGEST_HEX, name);
    struct stat st;
    bool        alone = strcmp(name + MLR_DIGEST_HEX, LOCK_EXT) == 0 && path != NULL && mlr_fs_stat(path, &st, NULL) == MLREG_ENOTFOUND;

    mlr_free(path);
    return alone;
}

int mlr_partial_remove(const char *dir, const mlr_digest *d, mlr_op *op, mlreg_error **err)
{
    mlreg_error *why = NULL;
    mlr_partial *p = NULL;
    int          rc = take_lock(dir, d, 0, 0, op, &p, &why);

    if (rc == 0) {
        mlr_partial_spoil(p);
        mlr_partial_free(p);
    } else if (rc != MLREG_EBUSY) {
        mlr_error_move(err, &why);
    }
    mlr_error_done(why);
    return rc == MLREG_EBUSY ? 0 : rc < 0 ? rc : 1;
}
