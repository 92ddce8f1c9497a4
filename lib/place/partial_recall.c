/* place/partial_recall.c - what an earlier process left of a blob in the making: what its journal vouches for, and no more. */
#include "place/partial_parts.h"

#include <fcntl.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "codec/xxh.h"
#include "place/slabs.h"

static size_t slab_bytes(const mlr_partial *p, size_t i)
{
    uint64_t left = p->bytes - i * MLR_SLAB_BYTES;

    return (size_t)(left < MLR_SLAB_BYTES ? left : MLR_SLAB_BYTES);
}

/* Whether so much of slab i can have been noted: all of it, or whole chunks. */
static bool is_likely(const mlr_partial *p, size_t i, uint32_t there)
{
    return there > 0 && (there == slab_bytes(p, i) || (there < slab_bytes(p, i) && there % MLR_CHUNK_BYTES == 0));
}

/* Whether the first `left` bytes of slab i are in the file as they were when they were noted. */
static int check_slab(const mlr_partial *p, size_t i, size_t left, uint64_t want, void *room, mlr_op *op, mlreg_error **err)
{
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

/* Who died cannot tell whether the disk takes what it wrote; in memory it would look well in any case. */
static bool is_on_disk(const mlr_partial *p, const mlr_journal_said *said)
{
    return said->ended || mlr_fs_sync(p->fd, p->path, NULL) == 0;
}

static int take_over(mlr_partial *p, const mlr_journal_said *said, bool trusted, mlr_op *op, mlreg_error **err)
{
    void *room = mlr_alloc(MLR_CHUNK_BYTES);
    int   rc = room != NULL ? 0 : mlr_error_nomem(err);

    for (size_t i = 0; rc >= 0 && i < p->n; i++) {
        if (!is_likely(p, i, said->there[i]) ||
            (!trusted && (rc = check_slab(p, i, said->there[i], said->sums[i], room, op, err)) != 1))
            continue;
        p->there[i] = said->there[i];
        p->sums[i] = said->sums[i];
    }
    mlr_free(room);
    return rc < 0 ? rc : 0;
}

static uint64_t prefix_of(const mlr_partial *p)
{
    size_t i = 0;

    while (i < p->n && p->there[i] == slab_bytes(p, i))
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
        said.head.ino == now->ino && is_on_disk(p, &said) &&
        (rc = take_over(p, &said, is_untouched(&said, now, st), op, err)) == 0 && (p->shown == NULL || is_of_this_boot(&said, now)))
        rc = mlr_journal_state(p->journal, prefix_of(p), &p->midstate, p->journal_path, err);
    mlr_journal_said_done(&said);
    return rc < 0 ? rc : 0;
}

/* What was found out becomes a journal without history. */
static int write_anew(mlr_partial *p, const mlr_journal_head *head, mlreg_error **err)
{
    char *path = mlr_asprintf("%s" MLR_PARTIAL_NEW_EXT, p->journal_path);
    int   fd = -1, rc;

    p->end = 0;
    if (path == NULL)
        return mlr_error_nomem(err);
    /* A new one: what stands there may be a link, in a folder that came from elsewhere. */
    if ((rc = mlr_fs_unlink(path, err)) == 0 && (rc = mlr_fs_open(path, O_RDWR | O_CREAT | O_EXCL, 0600, &fd, err)) == 0)
        rc = mlr_journal_add_head(fd, &p->end, head, path, err);
    for (size_t i = 0; rc == 0 && i < p->n; i++)
        if (p->there[i] > 0)
            rc = mlr_journal_add_slab(fd, &p->end, &(mlr_journal_slab){ p->sums[i], (uint32_t)i, p->there[i] }, path, err);
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

static bool is_anything_there(const mlr_partial *p)
{
    size_t i = 0;

    while (i < p->n && p->there[i] == 0)
        i++;
    return i < p->n;
}

int mlr_partial_recall(mlr_partial *p, const struct stat *st, mlr_op *op, mlreg_error **err)
{
    mlr_journal_head head;
    int              rc;

    p->sums = mlr_alloc_array(p->n, sizeof *p->sums);
    p->there = mlr_alloc_array(p->n, sizeof *p->there);
    if (p->sums == NULL || p->there == NULL)
        return mlr_error_nomem(err);
    mlr_journal_head_of(&p->digest, p->bytes, st, &head);
    if ((rc = go_on(p, &head, st, op, err)) < 0 || (rc = write_anew(p, &head, err)) < 0)
        return rc;
    p->is_recalled = true;
    p->any = is_anything_there(p);
    return 0;
}
