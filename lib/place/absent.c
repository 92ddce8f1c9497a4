/* place/absent.c - blobs that a store lacks by design: a base's layers, with the registry that has them, and foreign ones, with their address. */
#include "place/absent.h"

#include <dirent.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "codec/json.h"
#include "net/url.h"

#define FILE_MODE      0600
#define DIR_MODE       0700
#define FILE_MAX_BYTES 8192

void mlr_absent_done(mlr_absent *a)
{
    mlr_free(a->location);
    mlr_free(a->repo);
    mlr_free(a->url);
    *a = (mlr_absent){ NULL, NULL, NULL };
}

/* 1 */
static int set(const char *location, const char *repo, const char *url, mlr_absent *out, mlreg_error **err)
{
    out->location = mlr_strdup(location);
    out->repo = mlr_strdup(repo);
    out->url = url != NULL ? mlr_strdup(url) : NULL;
    if (out->location != NULL && out->repo != NULL && (out->url != NULL || url == NULL))
        return 1;
    mlr_absent_done(out);
    return mlr_error_nomem(err);
}

/* ---- the files ---- */

static char *name_of(const mlr_digest *d)
{
    return mlr_asprintf(MLR_ABSENT_DIR "/%s", mlr_digest_hex(d));
}

static int put(const mlr_blob *b, const mlr_absent *where, mlr_buf *out, mlreg_error **err)
{
    mlr_json_out o;

    mlr_json_begin(&o, out, err);
    mlr_json_open(&o, NULL, '{');
    mlr_json_put_string(&o, "location", where->location);
    mlr_json_put_string(&o, "repository", where->repo);
    mlr_json_put_string(&o, "url", where->url);
    mlr_json_put_u64(&o, "size", b->bytes);
    mlr_json_close(&o, '}');
    return mlr_json_end(&o);
}

int mlr_absent_write(const mlr_folder *f, const mlr_blob *b, const mlr_absent *where, mlreg_error **err)
{
    mlr_buf text = MLR_BUF_INIT(FILE_MAX_BYTES);
    char   *name = name_of(&b->digest), *path = name != NULL ? mlr_folder_path(f, name) : NULL;
    int     rc = path != NULL ? put(b, where, &text, err) : mlr_error_nomem(err);

    if (rc == 0 && (rc = mlr_folder_make(f, MLR_ABSENT_DIR, DIR_MODE, err)) == 0)
        rc = mlr_fs_write_file(path, text.data, text.len, FILE_MODE, err);
    mlr_buf_done(&text);
    mlr_free(name);
    mlr_free(path);
    return rc;
}

static int take(const mlr_json *j, mlr_absent *out, mlreg_error **err)
{
    const char *location = mlr_json_string(mlr_json_get(j, "location")), *repo = mlr_json_string(mlr_json_get(j, "repository"));
    const char *url = mlr_json_string(mlr_json_get(j, "url"));

    return location == NULL || repo == NULL || (location[0] == '\0' && url == NULL) ? 0 : set(location, repo, url, out, err);
}

/* A file that is torn is as good as none: the blob is missing then. */
static int parse(const mlr_buf *text, mlr_absent *out, mlreg_error **err)
{
    mlr_json *j = NULL;
    int       rc = mlr_json_parse(text->data != NULL ? text->data : "", text->len, "a record of a blob", &j, NULL);

    rc = rc == MLREG_ENOMEM ? mlr_error_nomem(err) : rc < 0 ? 0 : take(j, out, err);
    mlr_json_free(j);
    return rc;
}

int mlr_absent_read(const mlr_folder *f, const mlr_digest *d, mlr_absent *out, mlreg_error **err)
{
    mlr_buf      text = MLR_BUF_INIT(FILE_MAX_BYTES);
    mlreg_error *why = NULL;
    char        *name = name_of(d);
    int          rc = name != NULL ? mlr_folder_read(f, name, &text, &why) : mlr_error_nomem(err);

    if (rc == MLREG_ENOTFOUND || rc == MLREG_ELIMIT)
        rc = 0;
    else if (rc == 0)
        rc = parse(&text, out, err);
    else
        mlr_error_move(err, &why);
    mlr_error_done(why);
    mlr_buf_done(&text);
    mlr_free(name);
    return rc;
}

int mlr_absent_each(const mlr_folder *f, int (*fn)(void *user, const mlr_digest *d, const char *name, mlreg_error **err), void *user, mlreg_error **err)
{
    mlr_dir_list names = { NULL, 0, 0 };
    int          rc = mlr_folder_list(f, MLR_ABSENT_DIR, &names, err);

    for (size_t i = 0; rc == 0 && i < names.n; i++) {
        char       text[MLR_DIGEST_TEXT + 1] = "sha256:", *name;
        mlr_digest d;

        if (names.items[i].type != DT_REG || strlen(names.items[i].name) != MLR_DIGEST_HEX)
            continue;
        strcat(text, names.items[i].name);
        if (mlr_digest_parse(text, &d, NULL) < 0)
            continue;
        name = name_of(&d);
        rc = name != NULL ? fn(user, &d, name, err) : mlr_error_nomem(err);
        mlr_free(name);
    }
    mlr_dir_list_done(&names);
    return rc;
}

/* ---- places ---- */

bool mlr_absent_can(const mlr_place *p)
{
    return p->ops->absent_note != NULL && !p->read_only;
}

int mlr_absent_note(mlr_place *p, const mlr_blob *b, const mlr_absent *where, mlreg_error **err)
{
    return mlr_error_at(err, p->ops->absent_note(p, b, where, err), p->name);
}

int mlr_absent_find(mlr_place *p, const mlr_digest *d, mlr_absent *out, mlreg_error **err)
{
    return p->ops->absent_find != NULL ? mlr_error_at(err, p->ops->absent_find(p, d, out, err), p->name) : 0;
}

int mlr_absent_of(const mlr_place *p, const char *repo, mlr_absent *out, mlreg_error **err)
{
    const char *location = p->ops->location != NULL ? p->ops->location(p) : NULL;

    return location == NULL ? 0 : set(location, repo, NULL, out, err);
}

int mlr_absent_at(const char *url, mlr_absent *out, mlreg_error **err)
{
    return set("", "", url, out, err);
}

int mlr_absent_hint(const mlr_descriptor *d, const char *how, int rc, mlreg_error **err)
{
    if (rc != MLREG_ENOTFOUND || !mlr_descriptor_is_foreign(d))
        return rc;
    return mlr_error_hint(err, rc, "the layer is not to be distributed: %s fetches it from %s", how, d->urls[0]);
}

/* Scheme, host and port of an address. */
static int origin_of(const char *url, char **out, mlreg_error **err)
{
    mlr_url u = { NULL, NULL, 0, NULL };
    char   *authority = NULL;
    int     rc = mlr_url_parse(url, &u, err);

    if (rc == 0 && ((authority = mlr_url_authority(&u)) == NULL || (*out = mlr_asprintf("%s://%s", u.scheme, authority)) == NULL))
        rc = mlr_error_nomem(err);
    mlr_free(authority);
    mlr_url_done(&u);
    return rc;
}

/* Whoever wrote "http://" was allowed to. */
int mlr_absent_open(const mlr_absent *a, mlr_runtime *rt, mlr_op *op, mlr_place **out, mlreg_error **err)
{
    mlreg_session_options o;
    char *origin = NULL;
    int   rc = a->location[0] == '\0' ? origin_of(a->url, &origin, err) : 0;
    const char *location = origin != NULL ? origin : a->location;

    MLREG_INIT(o);
    o.flags = MLREG_OPEN_READONLY | (strncmp(location, "http://", 7) == 0 ? MLREG_OPEN_PLAIN_HTTP : 0);
    if (rc == 0)
        rc = mlr_place_open(location, &o, rt, op, out, err);
    mlr_free(origin);
    return rc;
}
