/* net/creds_store.c - login and logout: credentials put where docker puts its own, and taken from there. */
#include "net/creds.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/lock.h"
#include "net/creds_config.h"
#include "net/creds_edit.h"
#include "net/creds_helper.h"
#include "net/creds_key.h"
#include "net/creds_paths.h"

#define LOCK_WAIT_MS     10000          /* a rewrite takes milliseconds */
#define SECRET_MAX_BYTES (16u << 10)    /* keys of clouds have 2 to 4 KiB */

/* docker's config.json while it is rewritten. */
typedef struct rewriting {
    char    *path;                      /* as people know it */
    char    *target;                    /* where links lead from there: this file is replaced, and the links stay */
    char    *dir;                       /* of the target */
    struct stat was;                    /* the target's, where it was there */
    mlr_lock lock;
    mlr_buf  text;
} rewriting;

static int docker_path(char **path, mlreg_error **err)
{
    int rc = mlr_creds_paths_docker(path, err);

    if (rc != 0)
        return rc < 0 ? rc : 0;
    rc = mlr_error_set(err, MLREG_EDENIED, "credentials can be kept nowhere: neither DOCKER_CONFIG nor HOME is set");
    return mlr_error_hint(err, rc, "set DOCKER_CONFIG to a directory of your own");
}

/* 1, 0, or the failure to find out: a disk that does not answer is no missing file. */
static int is_there(const char *path, struct stat *st, mlreg_error **err)
{
    mlreg_error *e = NULL;
    int          rc = mlr_fs_stat(path, st, &e);

    if (rc == 0 || rc == MLREG_ENOTFOUND) {
        mlr_error_done(e);
        return rc == 0;
    }
    mlr_error_move(err, &e);
    return rc;
}

/* A file that someone has marked read-only is not replaced, though a rename could. */
static int check_writable(const rewriting *r, const struct stat *st, mlreg_error **err)
{
    int fd = -1, rc;

    if (!(st->st_mode & S_IWUSR))
        return mlr_error_set(err, MLREG_EDENIED, "%s is read-only (mode %04o)", r->path, st->st_mode & 07777u);
    rc = mlr_fs_open(r->target, O_WRONLY | O_NOFOLLOW | O_NONBLOCK, 0, &fd, err);
    mlr_fs_close(fd);
    return rc;
}

static int find_target(rewriting *r, const char *path, mlreg_error **err)
{
    int rc;

    if ((r->path = mlr_strdup(path)) == NULL)
        return mlr_error_nomem(err);
    if ((rc = mlr_fs_follow(path, &r->target, err)) < 0)
        return rc;
    r->dir = mlr_path_dir(r->target);
    return r->dir != NULL ? 0 : mlr_error_nomem(err);
}

/* Locks and reads. 1, or 0 where there is no file yet. */
static int begin(rewriting *r, const char *path, mlr_op *op, mlreg_error **err)
{
    int rc;

    *r = (rewriting){.lock = MLR_LOCK_INIT, .text = MLR_BUF_INIT(MLR_CREDS_CONFIG_MAX_BYTES)};
    if ((rc = find_target(r, path, err)) < 0 || (rc = mlr_fs_mkdirs(r->dir, 0700, err)) < 0 ||
        (rc = mlr_lock_take(&r->lock, r->dir, true, LOCK_WAIT_MS, op, err)) < 0 ||
        (rc = is_there(r->target, &r->was, err)) <= 0 || (rc = check_writable(r, &r->was, err)) < 0 ||
        (rc = mlr_fs_read_file(r->target, &r->text, err)) < 0)
        return rc;
    return 1;
}

/* Under sudo -E it is somebody else's file, and docker leaves it to him as well. */
static void keep_owner(const rewriting *r, int fd)
{
    bool is_ours = r->was.st_nlink == 0 || (r->was.st_uid == geteuid() && r->was.st_gid == getegid());

    if (!is_ours && fchown(fd, r->was.st_uid, r->was.st_gid) < 0)
        return;                                        /* who may write it need not be able to give it away */
}

static int commit(rewriting *r, mlreg_error **err)
{
    mlr_temp t = MLR_TEMP_INIT;
    int      rc;

    if ((rc = mlr_lock_check(&r->lock, err)) == 0 && (rc = mlr_temp_open(&t, r->dir, 0600, err)) == 0 &&
        (rc = mlr_fs_write_at(t.fd, 0, r->text.data, r->text.len, r->target, err)) == 0) {
        keep_owner(r, t.fd);
        rc = mlr_temp_publish(&t, r->target, true, err);
    }
    mlr_temp_done(&t);
    return rc;
}

static int end(rewriting *r, int rc, mlreg_error **err)
{
    if (rc == MLREG_EDENIED)
        mlr_error_hint(err, rc, "make %s writable, or set DOCKER_CONFIG to a directory that is", r->path);
    mlr_buf_wipe(&r->text);
    mlr_lock_drop(&r->lock);
    mlr_free(r->dir);
    mlr_free(r->target);
    mlr_free(r->path);
    return rc;
}

static int put_into_file(const char *path, const char *host, const char *name, const char *secret, mlr_op *op,
    mlreg_error **err)
{
    mlr_buf   auth = MLR_BUF_INIT(4 * SECRET_MAX_BYTES);
    rewriting r;
    int       rc = begin(&r, path, op, err);

    if (rc >= 0 && (rc = mlr_creds_encode(name, secret, &auth, err)) == 0 &&
        (rc = mlr_creds_edit_put(&r.text, path, mlr_creds_key_of(host), auth.data, err)) == 0)
        rc = commit(&r, err);
    mlr_buf_wipe(&auth);
    return end(&r, rc, err);
}

/* 1; 0 if there was nothing. */
static int remove_from_file(const char *path, const char *host, mlr_op *op, mlreg_error **err)
{
    struct stat st;
    rewriting   r;
    int         rc = is_there(path, &st, err);

    if (rc <= 0)
        return rc;                                     /* and no directory is made */
    rc = begin(&r, path, op, err);
    if (rc > 0 && (rc = mlr_creds_edit_remove(&r.text, path, host, err)) > 0 && (rc = commit(&r, err)) == 0)
        rc = 1;
    return end(&r, rc, err);
}

/* The helper that config.json names for the host: its suffix (mlr_free), or NULL. */
static int helper_of(const char *path, const char *host, char **suffix, mlreg_error **err)
{
    mlr_creds_config c = {0};
    const char      *why, *named = NULL;
    int              rc = mlr_creds_config_open(&c, path, false, &why, err);

    *suffix = NULL;
    if (rc > 0)
        rc = mlr_creds_config_helper(&c, host, &named, err);
    if (rc == 0 && named != NULL && (*suffix = mlr_strdup(named)) == NULL)
        rc = mlr_error_nomem(err);
    mlr_creds_config_close(&c);
    return rc < 0 ? rc : 0;
}

static int check(const char *host, const char *name, const char *secret, mlreg_error **err)
{
    mlr_creds c = {0};
    int       rc;

    if (host[0] == '\0' || name[0] == '\0' || secret[0] == '\0')
        return mlr_error_set(err, MLREG_EINVAL, "host, user name and secret must not be empty");
    if (strlen(name) > SECRET_MAX_BYTES || strlen(secret) > SECRET_MAX_BYTES)
        return mlr_error_set(err, MLREG_EINVAL, "user name and secret may have %u bytes at most", SECRET_MAX_BYTES);
    rc = mlr_creds_set(&c, MLR_CREDS_BASIC, name, secret, err);
    mlr_creds_done(&c);
    return rc;
}

int mlr_creds_store(const char *host, const char *name, const char *secret, mlr_op *op, char **where, mlreg_error **err)
{
    char *path = NULL, *suffix = NULL, *kept = NULL;
    int   rc;

    if ((rc = check(host, name, secret, err)) < 0 || (rc = docker_path(&path, err)) < 0 ||
        (rc = helper_of(path, host, &suffix, err)) < 0)
        goto out;
    kept = suffix != NULL ? mlr_asprintf("docker-credential-%s", suffix) : mlr_strdup(path);
    if (kept == NULL)
        rc = mlr_error_nomem(err);
    else if (suffix != NULL)
        rc = mlr_creds_helper_store(suffix, host, name, secret, op, err);
    else
        rc = put_into_file(path, host, name, secret, op, err);
    if (rc == 0 && where != NULL) {
        *where = kept;
        kept = NULL;                                   /* moved */
    }
out:
    mlr_free(kept);
    mlr_free(suffix);
    mlr_free(path);
    return rc;
}

/* "PATH", "docker-credential-SUFFIX", or both. */
static int tell_erased(const char *path, const char *suffix, char **where, mlreg_error **err)
{
    if (where == NULL)
        return 0;
    *where = mlr_asprintf("%s%s%s%s", path != NULL ? path : "", path != NULL && suffix != NULL ? ", " : "",
        suffix != NULL ? "docker-credential-" : "", suffix != NULL ? suffix : "");
    return *where != NULL ? 0 : mlr_error_nomem(err);
}

int mlr_creds_erase(const char *host, mlr_op *op, char **where, mlreg_error **err)
{
    char *path = NULL, *suffix = NULL;
    int   rc, from_file = 0, from_helper = 0;

    if ((rc = docker_path(&path, err)) < 0 || (rc = helper_of(path, host, &suffix, err)) < 0 ||
        (rc = from_file = remove_from_file(path, host, op, err)) < 0 ||
        (rc = from_helper = suffix != NULL ? mlr_creds_helper_erase(suffix, host, op, err) : 0) < 0)
        goto out;
    if (from_file > 0 || from_helper > 0)
        rc = tell_erased(from_file > 0 ? path : NULL, from_helper > 0 ? suffix : NULL, where, err);
    else
        rc = mlr_error_set(err, MLREG_ENOTFOUND, "no credentials for %s are kept in %s%s%s", host, path,
            suffix != NULL ? " or by docker-credential-" : "", suffix != NULL ? suffix : "");
out:
    mlr_free(suffix);
    mlr_free(path);
    return rc;
}
