/* net/creds.c - finding credentials: the caller's callback, else docker's file and helpers, else the containers
 * files. */
#include "net/creds.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "net/creds_config.h"
#include "net/creds_helper.h"
#include "net/creds_paths.h"

#define LOOKED_MAX_BYTES (64u << 10)

typedef struct search {
    const char *host, *repo, *scope;
    mlr_op     *op;
    mlr_buf     looked;            /* "PATH (no entry), …" */
    mlr_creds   found;
} search;

static int tell(search *s, const char *where, const char *what, mlreg_error **err)
{
    return mlr_buf_printf(&s->looked, err, "%s%s (%s)", s->looked.len > 0 ? ", " : "", where, what);
}

/* 1, with the one place where it was found in place of the list. */
static int found_in(search *s, const char *where, mlreg_error **err)
{
    mlr_free(s->found.looked);
    s->found.looked = mlr_strdup(where);
    return s->found.looked != NULL ? 1 : mlr_error_nomem(err);
}

struct question {
    const char   *host, *scope;
    mlreg_auth_fn fn;
    void         *user;
    mlreg_auth    answer;
};

static int put_question(void *arg, mlreg_error **err)
{
    struct question *q = arg;
    int              rc = q->fn(&q->answer, q->host, q->scope, q->user);

    if (rc >= 0)
        return 0;
    if (rc < MLREG_E_LAST)
        rc = MLREG_EAUTH;                              /* no code of ours */
    return mlr_error_set(err, rc, "the program's own credentials callback failed for %s", q->host);
}

static int ask_caller(search *s, mlreg_auth_fn fn, void *user, mlreg_error **err)
{
    struct question q = {.host = s->host, .scope = s->scope != NULL ? s->scope : "", .fn = fn, .user = user};
    int             rc = mlr_op_on_caller(s->op, put_question, &q, err);

    if (rc == 0 && q.answer.creds.kind != MLR_CREDS_NONE)      /* checked like what a file says */
        rc = mlr_creds_set(&s->found, q.answer.creds.kind, q.answer.creds.name, q.answer.creds.secret, err);
    mlr_creds_done(&q.answer.creds);
    if (rc < 0)
        return rc;
    if (s->found.kind == MLR_CREDS_NONE)
        return tell(s, "the program's own credentials callback", "gave none", err);
    return found_in(s, "the program's own credentials callback", err);
}

/* 1, 0, or a failure that says which file names the helper. */
static int ask_helper(search *s, const mlr_creds_config *c, mlreg_error **err)
{
    const char *suffix;
    char       *where = NULL;
    int         rc = mlr_creds_config_helper(c, s->host, &suffix, err);

    if (rc < 0 || suffix == NULL)
        return rc;
    if ((rc = mlr_creds_helper_get(suffix, s->host, s->op, &s->found, err)) < 0)
        return mlr_error_subject(err, rc, c->path);
    if ((where = mlr_asprintf("docker-credential-%s, named in %s", suffix, c->path)) == NULL)
        return mlr_error_nomem(err);
    rc = rc > 0 ? found_in(s, where, err) : tell(s, where, "no entry", err);
    mlr_free(where);
    return rc;
}

static int look_into(search *s, const char *path, bool has_paths, mlreg_error **err)
{
    mlr_creds_config c = {0};
    const char      *why;
    int              rc = mlr_creds_config_open(&c, path, has_paths, &why, err);

    if (rc <= 0)
        return rc < 0 ? rc : tell(s, path, why, err);
    s->found.whole_host = s->found.whole_host && !mlr_creds_config_tells_paths(&c, s->host);
    if ((rc = ask_helper(s, &c, err)) == 0 && (rc = mlr_creds_config_find(&c, s->host, s->repo, &s->found, err)) == 0)
        rc = tell(s, path, "no entry", err);
    else if (rc > 0 && s->found.looked == NULL)
        rc = found_in(s, path, err);
    mlr_creds_config_close(&c);
    return rc;
}

static int look_into_files(search *s, mlreg_error **err)
{
    const char *shown = "~/.docker/config.json";
    char       *path = NULL;
    int         rc;

    s->found.whole_host = true;
    if ((rc = mlr_creds_paths_docker(&path, err)) > 0)
        rc = look_into(s, path, false, err);
    else if (rc == 0)
        rc = tell(s, shown, "HOME is not set", err);
    for (size_t i = 0; rc == 0 && i < MLR_CREDS_PATHS_CONTAINERS; i++) {
        mlr_free(path);
        if ((rc = mlr_creds_paths_containers(i, &path, &shown, err)) > 0)
            rc = look_into(s, path, true, err);
        else if (rc == 0 && shown != NULL)
            rc = tell(s, shown, "HOME is not set", err);
    }
    mlr_free(path);
    return rc;
}

int mlr_creds_find(const char *host, const char *repo, const char *scope, mlreg_auth_fn fn, void *user, mlr_op *op,
    mlr_creds *out, mlreg_error **err)
{
    search s = {.host = host, .repo = repo, .scope = scope, .op = op, .looked = MLR_BUF_INIT(LOOKED_MAX_BYTES)};
    int    rc = fn != NULL ? ask_caller(&s, fn, user, err) : look_into_files(&s, err);

    if (rc == 0 && (s.found.looked = mlr_buf_take(&s.looked)) == NULL)
        rc = mlr_error_nomem(err);
    if (rc >= 0) {
        *out = s.found;
        s.found = (mlr_creds){0};                      /* moved */
    }
    mlr_creds_done(&s.found);
    mlr_buf_done(&s.looked);
    return rc < 0 ? rc : 0;
}
