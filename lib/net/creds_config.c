/* net/creds_config.c - one file of credentials, docker's or the containers tools': what it says of a host. */
#include "net/creds_config.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "codec/base64.h"
#include "net/creds_key.h"

#define PAIR_MAX_BYTES (256u << 10)            /* "name:secret", decoded; keys of clouds reach some KiB */

/* Whether something on the way to `path` is no directory, as in HOME=/dev/null: then the file is simply not there. */
static bool is_below_a_file(const char *path)
{
    char *dir = mlr_strdup(path), *slash;
    bool  found = false;

    while (dir != NULL && !found && (slash = strrchr(dir, '/')) != NULL && slash != dir) {
        struct stat st;

        *slash = '\0';
        if (mlr_fs_stat(dir, &st, NULL) < 0)
            continue;
        found = !S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode);
        break;
    }
    mlr_free(dir);
    return found;
}

/* 1 with the bytes; 0 with *why; what is neither of both is a failure that names the file. */
static int read_config(const char *path, mlr_buf *bytes, const char **why, mlreg_error **err)
{
    mlreg_error *e = NULL;
    int          rc = mlr_fs_read_file(path, bytes, &e);

    *why = NULL;
    if (rc == MLREG_ENOTFOUND || (rc == MLREG_EIO && is_below_a_file(path)))
        *why = "not there";
    else if (rc == MLREG_EDENIED)
        *why = "not readable";
    else if (rc == 0 && (bytes->len == 0 || strspn(bytes->data, " \t\r\n") == bytes->len))
        *why = "empty";
    else if (rc == MLREG_ELIMIT)
        rc = mlr_error_set(err, MLREG_EPROTO, "%s: larger than %u bytes", path, MLR_CREDS_CONFIG_MAX_BYTES);
    else if (rc == MLREG_EINVAL)
        rc = mlr_error_set(err, MLREG_EPROTO, "%s: no plain file", path);
    else
        mlr_error_move(err, &e);
    mlr_error_done(e);
    return *why != NULL ? 0 : rc < 0 ? rc : 1;
}

int mlr_creds_config_open(mlr_creds_config *c, const char *path, bool has_paths, const char **why, mlreg_error **err)
{
    mlr_buf   bytes = MLR_BUF_INIT(MLR_CREDS_CONFIG_MAX_BYTES);
    mlr_json *root = NULL;
    char     *copy = NULL;
    int       rc;

    if ((rc = read_config(path, &bytes, why, err)) <= 0)
        goto out;
    if ((rc = mlr_json_parse(bytes.data, bytes.len, path, &root, err)) < 0)
        goto out;
    if (mlr_json_type_of(root) != MLR_JSON_OBJECT) {
        rc = mlr_error_set(err, MLREG_EPROTO, "%s: no JSON object", path);
        goto out;
    }
    if ((copy = mlr_strdup(path)) == NULL) {
        rc = mlr_error_nomem(err);
        goto out;
    }
    *c = (mlr_creds_config){copy, has_paths, root};
    root = NULL;
    rc = 1;
out:
    if (rc < 0 && rc != MLREG_ENOMEM) {
        mlr_error_subject(err, rc, path);
        mlr_error_hint(err, rc, "mend or remove %s: credentials are looked for in it", path);
    }
    mlr_json_free(root);
    mlr_buf_wipe(&bytes);
    return rc;
}

void mlr_creds_config_close(mlr_creds_config *c)
{
    mlr_json_free(c->root);
    mlr_free(c->path);
    *c = (mlr_creds_config){0};
}

static int malformed(const mlr_creds_config *c, const char *where, const char *key, const char *what, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_EPROTO, "%s: %s of \"%s\": %s", c->path, where, key, what);

    return mlr_error_subject(err, rc, c->path);
}

/* The member of `object` whose key names the host best, or NULL. */
static const mlr_json *best(const mlr_json *object, const char *host, const char *repo)
{
    const mlr_json *found = NULL;
    unsigned        highest = 0;

    for (const mlr_json *m = mlr_json_first_member(object); m != NULL; m = mlr_json_next(m)) {
        unsigned rank = mlr_creds_key_rank(mlr_json_key(m), host, repo);

        if (rank > highest) {
            highest = rank;
            found = m;
        }
    }
    return found;
}

int mlr_creds_config_helper(const mlr_creds_config *c, const char *host, const char **suffix, mlreg_error **err)
{
    const mlr_json *m = best(mlr_json_get(c->root, "credHelpers"), host, NULL);

    *suffix = NULL;
    if (m == NULL && !c->has_paths)
        m = mlr_json_get(c->root, "credsStore");
    if (m == NULL || mlr_json_type_of(m) == MLR_JSON_NULL)
        return 0;
    if (mlr_json_string(m) == NULL)
        return malformed(c, "the helper", host, "no string", err);
    if (mlr_json_string(m)[0] != '\0')                 /* "" of a host switches credsStore off for it */
        *suffix = mlr_json_string(m);
    return 0;
}

/* A member that is a string with something in it; *value NULL if it is missing, null or empty. */
static int text_of(const mlr_creds_config *c, const mlr_json *entry, const char *name, const char **value,
    mlreg_error **err)
{
    const mlr_json *m = mlr_json_get(entry, name);

    *value = mlr_json_string(m);
    if (*value == NULL && m != NULL && mlr_json_type_of(m) != MLR_JSON_NULL)
        return malformed(c, name, mlr_json_key(entry), "no string", err);
    if (*value != NULL && (*value)[0] == '\0')
        *value = NULL;
    return 0;
}

/* What mlr_creds_set does not take stands in the file: said with the file's name. */
static int set(const mlr_creds_config *c, const mlr_json *entry, mlr_creds_kind kind, const char *name,
    const char *secret, mlr_creds *out, mlreg_error **err)
{
    mlreg_error *e = NULL;
    int          rc = mlr_creds_set(out, kind, name, secret, &e);

    if (rc == MLREG_EINVAL) {
        rc = malformed(c, "auths", mlr_json_key(entry), e->message, err);
        mlr_error_hint(err, rc, "made by hand? use printf, not echo: printf %%s NAME:SECRET | base64 -w0");
    } else if (rc < 0) {
        mlr_error_move(err, &e);
    }
    mlr_error_done(e);
    return rc < 0 ? rc : 1;
}

/* As docker reads it: without the line breaks in the text. Nothing, where it is no base64. */
static int decode(const char *auth, mlr_buf *pair, mlreg_error **err)
{
    mlr_buf text = MLR_BUF_INIT(strlen(auth));
    int     rc = mlr_buf_reserve(&text, strlen(auth), err);      /* at once: what grows leaves copies behind */

    for (size_t n; rc == 0 && *auth != '\0'; auth += n) {
        auth += strspn(auth, "\r\n");
        n = strcspn(auth, "\r\n");
        rc = mlr_buf_add(&text, auth, n, err);
    }
    if (rc == 0 && (rc = mlr_buf_reserve(pair, text.len, err)) == 0 && mlr_base64_decode(text.data, text.len, pair, NULL) < 0)
        mlr_buf_clear(pair);
    mlr_buf_wipe(&text);
    return rc;
}

/* "auth": base64 of name:secret, split at the first colon. */
static int from_auth(const mlr_creds_config *c, const mlr_json *entry, const char *auth, mlr_creds *out,
    mlreg_error **err)
{
    mlr_buf pair = MLR_BUF_INIT(PAIR_MAX_BYTES);
    char   *colon = NULL;
    int     rc = decode(auth, &pair, err);

    if (rc == 0 && pair.len > 0 && strlen(pair.data) == pair.len)
        colon = strchr(pair.data, ':');
    if (rc == 0 && colon == NULL)
        rc = malformed(c, "auth", mlr_json_key(entry), "not the base64 of NAME:SECRET", err);
    if (rc == 0 && pair.len > 1) {
        *colon = '\0';
        rc = set(c, entry, MLR_CREDS_BASIC, pair.data, colon + 1, out, err);
    }
    mlr_buf_wipe(&pair);
    return rc;
}

static int from_entry(const mlr_creds_config *c, const mlr_json *entry, mlr_creds *out, mlreg_error **err)
{
    const char *bearer, *identity, *auth, *name, *secret;
    int         rc;

    if (mlr_json_type_of(entry) == MLR_JSON_NULL)
        return 0;
    if (mlr_json_type_of(entry) != MLR_JSON_OBJECT)
        return malformed(c, "auths", mlr_json_key(entry), "no object", err);
    if ((rc = text_of(c, entry, "registrytoken", &bearer, err)) < 0 ||
        (rc = text_of(c, entry, "identitytoken", &identity, err)) < 0 ||
        (rc = text_of(c, entry, "auth", &auth, err)) < 0 || (rc = text_of(c, entry, "username", &name, err)) < 0 ||
        (rc = text_of(c, entry, "password", &secret, err)) < 0)
        return rc;
    if (bearer != NULL)
        return set(c, entry, MLR_CREDS_BEARER, NULL, bearer, out, err);
    if (identity != NULL)
        return set(c, entry, MLR_CREDS_IDENTITY, NULL, identity, out, err);
    if (auth != NULL)
        return from_auth(c, entry, auth, out, err);
    if (name != NULL && secret != NULL)
        return set(c, entry, MLR_CREDS_BASIC, name, secret, out, err);
    return 0;
}

int mlr_creds_config_find(const mlr_creds_config *c, const char *host, const char *repo, mlr_creds *out,
    mlreg_error **err)
{
    const mlr_json *auths = mlr_json_get(c->root, "auths"), *entry;

    if (auths != NULL && mlr_json_type_of(auths) != MLR_JSON_OBJECT && mlr_json_type_of(auths) != MLR_JSON_NULL)
        return malformed(c, "auths", host, "no object", err);
    entry = best(auths, host, c->has_paths ? repo : NULL);
    return entry != NULL ? from_entry(c, entry, out, err) : 0;
}

bool mlr_creds_config_tells_paths(const mlr_creds_config *c, const char *host)
{
    const mlr_json *auths = mlr_json_get(c->root, "auths");

    for (const mlr_json *m = c->has_paths ? mlr_json_first_member(auths) : NULL; m != NULL; m = mlr_json_next(m))
        if (mlr_creds_key_is_below(mlr_json_key(m), host))
            return true;
    return false;
}
