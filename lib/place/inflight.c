/* place/inflight.c - digests in flight: one locked file of notes for each session that writes. */
#include "place/inflight.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"

#define PREFIX          ".tmp-inflight-"
#define GATE_WAIT_MS    60000
#define OWN_WAIT_MS     10000          /* for the lock on new notes: someone who tidies may just hold it */
#define NOTES_MAX_BYTES (256u << 20) /* 4 million lines */
#define LIST_MAX        100000
#define LINE_BYTES      (1 + MLR_DIGEST_HEX + 1) /* "+<hex>\n" or "-<hex>\n" */

struct mlr_inflight {
    char           *dir, *gate;
    pthread_mutex_t lock;  /* guards all below, and the order of lines in the file: held while one is written */
    mlr_digestmap   held;  /* how often, in all repositories' names */
    mlr_digestmap   names; /* how often in one repository's, by claim_of */
    size_t          live;  /* digests held at least once */
    char           *path;  /* NULL: no file now */
    int             fd;
    pid_t           owner; /* a forked child must leave the file to its parent */
    mlr_lock        alive;
    uint64_t        bytes; /* of the file */
};

int mlr_inflight_new(const char *dir, const char *gate, mlr_inflight **out, mlreg_error **err)
{
    mlr_inflight *l = mlr_alloc(sizeof(*l));

    if (l == NULL || (l->dir = mlr_strdup(dir)) == NULL || (l->gate = mlr_strdup(gate)) == NULL) {
        if (l != NULL)
            mlr_free(l->dir);
        mlr_free(l);
        return mlr_error_nomem(err);
    }
    pthread_mutex_init(&l->lock, NULL);
    l->held = l->names = (mlr_digestmap)MLR_DIGESTMAP_INIT;
    l->fd = -1;
    l->alive = (mlr_lock)MLR_LOCK_INIT;
    *out = l;
    return 0;
}

static void forget(mlr_inflight *l)
{
    mlr_digestmap_done(&l->held);
    mlr_digestmap_done(&l->names);
}

/* Removed before its lock goes: nobody shall find notes that look like a dead one's. */
static void close_file(mlr_inflight *l)
{
    mlr_fs_close(l->fd);
    if (l->path != NULL && l->owner == getpid())
        mlr_fs_unlink(l->path, NULL);
    mlr_lock_drop(&l->alive);
    mlr_free(l->path);
    l->path = NULL;
    l->fd = -1;
    l->bytes = 0;
}

void mlr_inflight_free(mlr_inflight *l)
{
    if (l == NULL)
        return;
    close_file(l);
    pthread_mutex_destroy(&l->lock);
    forget(l);
    mlr_free(l->dir);
    mlr_free(l->gate);
    mlr_free(l);
}

int mlr_inflight_enter(mlr_inflight *l, mlr_op *op, mlr_lock *gate, mlreg_error **err)
{
    int rc = mlr_lock_take(gate, l->gate, false, GATE_WAIT_MS, op, err);
    return rc == MLREG_EBUSY ? mlr_error_hint(err, rc, "a gc is running here: try again when it is done") : rc;
}

bool mlr_inflight_is_notes(const char *name)
{
    /* Of that length, for a lock may keep files of longer names beside it. */
    return strncmp(name, PREFIX, strlen(PREFIX)) == 0 && strlen(name) == strlen(PREFIX) + 16;
}

typedef int (*notes_fn)(void *user, const char *path, mlr_op *op, mlreg_error **err);

static int each_notes(const char *dir, notes_fn fn, void *user, mlr_op *op, mlreg_error **err)
{
    mlr_dir_list names = { NULL, 0, 0 };
    int          rc = mlr_fs_list_path(dir, LIST_MAX, &names, err);

    for (size_t i = 0; rc == 0 && i < names.n; i++) {
        char *path;
        if (names.items[i].type != DT_REG || !mlr_inflight_is_notes(names.items[i].name))   /* a lock would make the file that a link leads to */
            continue;
        path = mlr_path_join(dir, names.items[i].name);
        rc = path != NULL ? fn(user, path, op, err) : mlr_error_nomem(err);
        mlr_free(path);
    }
    mlr_dir_list_done(&names);
    return rc;
}

/* Removes notes whose writer has died. 1; 0: he lives. */
static int remove_if_dead(const char *path, mlr_op *op, mlreg_error **err)
{
    mlr_lock     lock = MLR_LOCK_INIT;
    mlreg_error *why = NULL;
    int          rc = mlr_lock_take(&lock, path, true, 0, op, &why);

    if (rc == 0) {
        rc = mlr_fs_unlink(path, err);
        mlr_lock_drop(&lock);
        return rc < 0 ? rc : 1;
    }
    if (rc != MLREG_EBUSY)
        mlr_error_move(err, &why);
    mlr_error_done(why);
    return rc == MLREG_EBUSY ? 0 : rc;
}

static int tidy_one(void *user, const char *path, mlr_op *op, mlreg_error **err)
{
    (void)user;
    (void)err;
    remove_if_dead(path, op, NULL); /* or gc will */
    return 0;
}

/* Whoever begins to write tidies first: a layout shall not keep for ever what a killed process left in it. */
static int open_file(mlr_inflight *l, mlreg_error **err)
{
    char name[17];
    int  rc;

    if (l->path != NULL)
        return 0;
    each_notes(l->dir, tidy_one, NULL, NULL, NULL);
    mlr_random_name(name);
    if ((l->path = mlr_asprintf("%s/" PREFIX "%s", l->dir, name)) == NULL)
        return mlr_error_nomem(err);
    l->owner = getpid();
    /* Emptied, for a lock writes its holder into an empty file. */
    if ((rc = mlr_lock_take(&l->alive, l->path, true, OWN_WAIT_MS, NULL, err)) < 0 ||
        (rc = mlr_fs_open(l->path, O_WRONLY | O_CREAT | O_TRUNC, 0600, &l->fd, err)) < 0)
        close_file(l);
    return rc;
}

static int write_line(mlr_inflight *l, char sign, const mlr_digest *d, mlreg_error **err)
{
    char line[LINE_BYTES];
    int  rc;

    line[0] = sign;
    memcpy(line + 1, mlr_digest_hex(d), MLR_DIGEST_HEX);
    line[LINE_BYTES - 1] = '\n';
    if ((rc = mlr_fs_write_at(l->fd, l->bytes, line, sizeof(line), l->path, err)) == 0)
        l->bytes += sizeof(line);
    return rc;
}

/* Content under a repository's name, as a key. */
static mlr_digest claim_of(const char *repo, const mlr_digest *d)
{
    mlr_sha256 s;
    mlr_digest claim;

    mlr_sha256_init(&s);
    mlr_sha256_update(&s, d->text, MLR_DIGEST_TEXT);
    mlr_sha256_update(&s, repo, strlen(repo));
    mlr_digest_final(&s, &claim);
    return claim;
}

static int hold(mlr_inflight *l, const char *repo, const mlr_digest *d, mlreg_error **err)
{
    mlr_digest claim = claim_of(repo, d);
    uint64_t  *times = mlr_digestmap_add(&l->held, d, err), *named = NULL;
    int        rc = times != NULL && (named = mlr_digestmap_add(&l->names, &claim, err)) != NULL ? 0 : MLREG_ENOMEM;

    if (rc == 0 && *times == 0 && (rc = open_file(l, err)) == 0 && (rc = write_line(l, '+', d, err)) == 0)
        l->live++;
    if (rc == 0) {
        ++*times;
        ++*named;
    }
    return rc;
}

int mlr_inflight_hold(mlr_inflight *l, const char *repo, const mlr_digest *d, mlreg_error **err)
{
    int rc;

    pthread_mutex_lock(&l->lock);
    rc = hold(l, repo, d, err);
    pthread_mutex_unlock(&l->lock);
    return rc;
}

static int release(mlr_inflight *l, const char *repo, const mlr_digest *d, mlreg_error **err)
{
    mlr_digest claim = claim_of(repo, d);
    uint64_t  *named = mlr_digestmap_find(&l->names, &claim), *times = mlr_digestmap_find(&l->held, d);
    int        rc = 0;

    if (named == NULL || *named == 0 || times == NULL)
        return 0;
    if (*times == 1 && l->live > 1 && (rc = write_line(l, '-', d, err)) < 0)
        return rc;
    --*named;
    if (--*times == 0 && --l->live == 0) {
        close_file(l);
        forget(l);
    }
    return 0;
}

int mlr_inflight_release(mlr_inflight *l, const char *repo, const mlr_digest *d, mlreg_error **err)
{
    int rc;

    pthread_mutex_lock(&l->lock);
    rc = release(l, repo, d, err);
    pthread_mutex_unlock(&l->lock);
    return rc;
}

/* ---- gc's side ---- */

static int read_line(const char *line, mlr_digestmap *here, mlreg_error **err)
{
    mlr_digest d;
    char       text[MLR_DIGEST_TEXT + 1] = "sha256:";
    uint64_t  *held;

    memcpy(text + strlen(text), line + 1, MLR_DIGEST_HEX);
    if ((line[0] != '+' && line[0] != '-') || line[LINE_BYTES - 1] != '\n' || mlr_digest_parse(text, &d, NULL) < 0)
        return 0; /* a write that failed half-way held nothing */
    if ((held = mlr_digestmap_add(here, &d, err)) == NULL)
        return MLREG_ENOMEM;
    *held = line[0] == '+';
    return 0;
}

static int add_held(const mlr_digestmap *here, mlr_digestmap *out, mlreg_error **err)
{
    for (size_t i = 0; i < here->cap; i++) {
        const struct mlr_digestmap_slot *slot = &here->slots[i];
        if (slot->digest.text[0] != 0 && slot->n > 0 && mlr_digestmap_add(out, &slot->digest, err) == NULL)
            return MLREG_ENOMEM;
    }
    return 0;
}

static int read_notes(const char *path, mlr_digestmap *out, mlreg_error **err)
{
    mlr_buf       text = MLR_BUF_INIT(NOTES_MAX_BYTES);
    mlr_digestmap here = MLR_DIGESTMAP_INIT;
    int           rc = mlr_fs_read_file(path, &text, err);

    for (size_t at = 0; rc == 0 && at + LINE_BYTES <= text.len; at += LINE_BYTES)
        rc = read_line(text.data + at, &here, err);
    if (rc == 0)
        rc = add_held(&here, out, err);
    mlr_digestmap_done(&here);
    mlr_buf_done(&text);
    return rc;
}

static int collect_one(void *user, const char *path, mlr_op *op, mlreg_error **err)
{
    int rc = remove_if_dead(path, op, err);
    return rc == 0 ? read_notes(path, user, err) : rc < 0 ? rc : 0;
}

int mlr_inflight_collect(const char *dir, mlr_op *op, mlr_digestmap *out, mlreg_error **err)
{
    return each_notes(dir, collect_one, out, op, err);
}
