/* place/incoming.c - a blob that comes in pieces, when its sender likes. */
#include "place/incoming.h"

#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/lock.h"
#include "codec/together.h"
#include "place/journal.h"

#define PREFIX      ".tmp-upload-"
#define ID_LENGTH   32
#define PIECE_BYTES ((size_t)256 << 10)
#define BEHIND_BYTES ((uint64_t)8 << 20) /* what comes in this much at a time is on its way to the disk before the end */

struct mlr_incoming {
    char       id[ID_LENGTH + 1];
    char      *dir, *path, *journal_path;
    int        fd, journal;
    mlr_lock   lock;              /* on the journal */
    mlr_sha256 hash;              /* of all the bytes there are; their number is hash.bytes */
    bool       spoilt;
    pid_t      owner;             /* a forked child must leave the files to its parent */
};

/* ---- whose it is ---- */

/* An upload belongs to one repository: that is the digest in the journal's head. */
static void owner_of(const char *repo, mlr_digest *out)
{
    mlr_digest_of(repo, strlen(repo), out);
}

static bool is_id(const char *id)
{
    return strlen(id) == ID_LENGTH && strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789") == ID_LENGTH;
}

static int not_there(const char *id, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_ENOTFOUND, "there is no upload '%.64s' here", id);
    return mlr_error_hint(err, rc, "begin a new one: it was finished, cancelled, or a day went by");
}

static int make(const char *dir, const char *id, mlr_incoming **out, mlreg_error **err)
{
    mlr_incoming *in = mlr_alloc(sizeof(*in));

    if (in == NULL)
        return mlr_error_nomem(err);
    in->fd = in->journal = -1;
    in->owner = getpid();
    in->lock = (mlr_lock)MLR_LOCK_INIT;
    mlr_sha256_init(&in->hash);
    if (id != NULL) {
        memcpy(in->id, id, ID_LENGTH);
    } else {
        mlr_random_name(in->id);
        mlr_random_name(in->id + ID_LENGTH / 2);
    }
    in->dir = mlr_strdup(dir);
    in->path = mlr_asprintf("%s/" PREFIX "%s", dir, in->id);
    in->journal_path = mlr_asprintf("%s/" PREFIX "%s.journal", dir, in->id);
    if (in->dir == NULL || in->path == NULL || in->journal_path == NULL) {
        mlr_incoming_free(in);
        return mlr_error_nomem(err);
    }
    *out = in;
    return 0;
}

/* ---- the journal: a head, then one state and one look, which are written over ---- */

static int write_head(mlr_incoming *in, const char *repo, mlreg_error **err)
{
    mlr_journal_head head;
    mlr_digest       owner;
    struct stat      st;
    uint64_t         at = 0;
    int              rc = mlr_fs_stat_fd(in->fd, in->path, &st, err);

    if (rc < 0)
        return rc;
    owner_of(repo, &owner);
    mlr_journal_head_of(&owner, 0, &st, &head);
    return mlr_journal_add_head(in->journal, &at, &head, in->journal_path, err);
}

int mlr_incoming_keep(mlr_incoming *in, mlreg_error **err)
{
    mlr_journal_look look;
    struct stat      st;
    uint64_t         at = MLR_JOURNAL_RECORD_BYTES;
    int              rc = mlr_fs_stat_fd(in->fd, in->path, &st, err);

    if (rc < 0 || (rc = mlr_journal_add_state(in->journal, &at, &in->hash, in->journal_path, err)) < 0)
        return rc;
    mlr_journal_look_of(&st, &look);
    return mlr_journal_add_look(in->journal, &at, &look, in->journal_path, err);
}

/* Nobody has touched the file since: not another process, and not a power cut. */
static bool is_as_it_was(const mlr_journal_said *said, const struct stat *st)
{
    mlr_journal_head head;
    mlr_journal_look look;

    mlr_journal_head_of(&said->head.digest, said->head.bytes, st, &head);
    mlr_journal_look_of(st, &look);
    return said->ended && memcmp(&head, &said->head, sizeof(head)) == 0 && memcmp(&look, &said->look, sizeof(look)) == 0;
}

static int hash_again(mlr_incoming *in, mlr_op *op, mlreg_error **err)
{
    char   *piece = mlr_alloc(PIECE_BYTES);
    int64_t n = 0;
    int     rc = piece != NULL ? 0 : mlr_error_nomem(err);

    mlr_sha256_init(&in->hash);
    while (rc == 0 && (rc = mlr_op_check(op, err)) == 0 &&
           (n = mlr_fs_read_at(in->fd, in->hash.bytes, piece, PIECE_BYTES, in->path, err)) > 0)
        mlr_sha256_update(&in->hash, piece, (size_t)n);
    mlr_free(piece);
    return rc < 0 ? rc : n < 0 ? (int)n : 0;
}

static int go_on(mlr_incoming *in, const char *repo, mlr_op *op, mlreg_error **err)
{
    mlr_journal_said said = { .n = 0 };
    mlr_digest       owner;
    struct stat      st;
    bool             known = false;
    int              rc = mlr_journal_read(in->journal, 0, &said, in->journal_path, err);

    owner_of(repo, &owner);
    if (rc < 0 || rc == 0 || !mlr_digest_equal(&owner, &said.head.digest))
        rc = rc < 0 ? rc : not_there(in->id, err);
    else if ((rc = mlr_fs_stat_fd(in->fd, in->path, &st, err)) == 0 && is_as_it_was(&said, &st) &&
             (rc = mlr_journal_state(in->journal, (uint64_t)st.st_size, &in->hash, in->journal_path, err)) == 1)
        known = in->hash.bytes == (uint64_t)st.st_size;
    mlr_journal_said_done(&said);
    return rc < 0 || known ? (rc < 0 ? rc : 0) : hash_again(in, op, err);
}

/* ---- opening ---- */

/* Nobody knows its name yet; and a lock writes its holder only into an empty file. */
static int open_new(mlr_incoming *in, const char *repo, mlreg_error **err)
{
    int rc;

    if ((rc = mlr_fs_open(in->path, O_RDWR | O_CREAT | O_EXCL, 0666, &in->fd, err)) < 0 ||
        (rc = mlr_fs_open(in->journal_path, O_RDWR | O_CREAT | O_EXCL, 0600, &in->journal, err)) < 0 ||
        (rc = write_head(in, repo, err)) < 0 || (rc = mlr_lock_take(&in->lock, in->journal_path, true, 0, NULL, err)) < 0)
        in->spoilt = true;
    return rc;
}

static int open_old(mlr_incoming *in, const char *repo, mlr_op *op, mlreg_error **err)
{
    int rc;

    if (!mlr_fs_exists(in->path) || !mlr_fs_exists(in->journal_path))
        return not_there(in->id, err);
    if ((rc = mlr_lock_take(&in->lock, in->journal_path, true, 0, op, err)) < 0)
        return rc == MLREG_EBUSY ? mlr_error_hint(err, rc, "one request at a time works on an upload") : rc;
    /* Between look and lock another may have finished it, and the lock made an empty journal. */
    if (!mlr_fs_exists(in->path)) {
        in->spoilt = true;
        return not_there(in->id, err);
    }
    if ((rc = mlr_fs_open(in->journal_path, O_RDWR, 0, &in->journal, err)) == 0 &&
        (rc = mlr_fs_open(in->path, O_RDWR, 0, &in->fd, err)) == 0)
        rc = go_on(in, repo, op, err);
    return rc;
}

int mlr_incoming_open(const char *dir, const char *repo, const char *id, mlr_op *op, mlr_incoming **out, mlreg_error **err)
{
    mlr_incoming *in = NULL;
    int           rc;

    if (id != NULL && !is_id(id))
        return not_there(id, err);
    if ((rc = make(dir, id, &in, err)) < 0)
        return rc;
    if ((rc = id != NULL ? open_old(in, repo, op, err) : open_new(in, repo, err)) < 0)
        mlr_incoming_free(in);
    else
        *out = in;
    return rc;
}

const char *mlr_incoming_id(const mlr_incoming *in)
{
    return in->id;
}

uint64_t mlr_incoming_bytes(const mlr_incoming *in)
{
    return in->hash.bytes;
}

/* ---- writing and what comes of it ---- */

int mlr_incoming_write(mlr_incoming *in, const void *data, size_t len, mlreg_error **err)
{
    int rc = mlr_fs_write_at(in->fd, in->hash.bytes, data, len, in->path, err);

    if (rc < 0)
        return rc;
    mlr_sha256_update_together(&in->hash, data, len);
    if (in->hash.bytes / BEHIND_BYTES > (in->hash.bytes - len) / BEHIND_BYTES)
        mlr_fs_write_behind(in->fd, (in->hash.bytes / BEHIND_BYTES - 1) * BEHIND_BYTES, BEHIND_BYTES);
    return 0;
}

int mlr_incoming_finish(mlr_incoming *in, const mlr_digest *want, unsigned mode, mlr_temp *out, mlreg_error **err)
{
    mlr_sha256  hash = in->hash;
    mlr_digest  got;
    struct stat st;
    int         rc;

    mlr_digest_final(&hash, &got);
    if ((rc = mlr_digest_check(&got, want, "the upload", err)) < 0 || (rc = mlr_fs_stat_fd(in->fd, in->path, &st, err)) < 0)
        return rc;
    if ((uint64_t)st.st_size != in->hash.bytes) /* a write that failed half-way */
        return mlr_error_set(err, MLREG_EIO, "%s has %llu bytes, not %llu", in->path, (unsigned long long)st.st_size,
                             (unsigned long long)in->hash.bytes);
    if ((rc = mlr_temp_adopt(out, &in->fd, in->path, in->dir, mode, err)) == 0)
        in->spoilt = true; /* what is left of it is the journal */
    return rc;
}

void mlr_incoming_spoil(mlr_incoming *in)
{
    in->spoilt = true;
}

void mlr_incoming_free(mlr_incoming *in)
{
    if (in == NULL)
        return;
    if (in->spoilt && in->fd >= 0 && in->owner == getpid())
        mlr_fs_unlink(in->path, NULL);
    if (in->spoilt && in->owner == getpid())
        mlr_fs_unlink(in->journal_path, NULL);
    mlr_fs_close(in->fd);
    mlr_fs_close(in->journal);
    mlr_lock_drop(&in->lock);
    mlr_free(in->dir);
    mlr_free(in->path);
    mlr_free(in->journal_path);
    mlr_free(in);
}
