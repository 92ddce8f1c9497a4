/* place/registry_ask.c - one request about a repository: its path, its scope, and what may be wrong with the answer. */
#include "place/registry_ask.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/error.h"
#include "place/mirrored.h"

static bool reads(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* What a message calls it: "manifests v1 of team/x" reads badly, "manifest v1 of team/x" well. */
static void name_it(mlr_ask *a, const char *repo, const char *kind, const char *word)
{
    size_t len = strcspn(kind, "/");

    if (len > 0 && kind[len - 1] == 's')
        len--;
    if (word != NULL)
        snprintf(a->what, sizeof a->what, "%.*s %s of %s", (int)len, kind, word, repo);
    else
        snprintf(a->what, sizeof a->what, "%.*s of %s", (int)strcspn(kind, "/"), kind, repo);
}

int mlr_ask_init(mlr_ask *a, const mlr_registry *g, const char *method, const char *repo, const char *kind,
                 const char *word, const char *may, mlreg_error **err)
{
    char *name;
    int   rc;

    memset(a, 0, sizeof *a);
    if (repo[0] == '\0') {
        rc = mlr_error_set(err, MLREG_EINVAL, "no repository is named");
        return mlr_error_hint(err, rc, "in a registry everything is in a repository, as in 'team/model:v1'");
    }
    if ((rc = mlr_ref_check_repo(repo, false, err)) < 0 || (rc = mlr_mirrored_allow(g, repo, err)) < 0)
        return rc;
    if ((name = mlr_registry_repo(g, repo)) == NULL)
        return mlr_error_nomem(err);
    a->url = mlr_asprintf("/v2/%s/%s%s%s", name, kind, word != NULL ? "/" : "", word != NULL ? word : "");
    a->scope = mlr_asprintf("repository:%s:%s", name, may);
    mlr_free(name);
    if (a->url == NULL || a->scope == NULL)
        return mlr_error_nomem(err);
    name_it(a, repo, kind, word);
    a->call.request.method = method;
    a->call.request.url = a->url;
    a->call.request.headers = a->headers;
    a->call.scope = a->scope;
    a->call.again = a->call.follow = reads(method);
    return 0;
}

int mlr_ask_address(mlr_ask *a, const char *url, mlreg_error **err)
{
    char *shown = mlr_url_shown(url);

    memset(a, 0, sizeof *a);
    a->url = mlr_strdup(url);
    snprintf(a->what, sizeof a->what, "%s", shown != NULL ? shown : "");
    mlr_free(shown);
    if (a->url == NULL)
        return mlr_error_nomem(err);
    a->call.request = (mlr_request){.method = "GET", .url = a->url, .headers = a->headers, .foreign = true};
    a->call.again = a->call.follow = true;
    return 0;
}

void mlr_ask_header(mlr_ask *a, const char *name, const char *value)
{
    assert(a->call.request.n_headers < sizeof a->headers / sizeof a->headers[0]);
    a->headers[a->call.request.n_headers++] = (mlr_header){name, value};
}

int mlr_ask_query(mlr_ask *a, const char *name, const char *value, mlreg_error **err)
{
    char *longer = mlr_url_add_query(a->url, name, value);

    if (longer == NULL)
        return mlr_error_nomem(err);
    mlr_free(a->url);
    a->call.request.url = a->url = longer;
    return 0;
}

int mlr_ask_begin(mlr_ask *a, mlr_registry *g, mlr_op *op, mlr_exchange **x, mlreg_error **err)
{
    int rc = mlr_client_begin(g->client, &a->call, op, x, err);

    return rc < 0 ? rc : mlr_exchange_status(*x);
}

int mlr_ask_fetch(mlr_ask *a, mlr_registry *g, mlr_op *op, mlr_buf *body, mlr_exchange **x, mlreg_error **err)
{
    int status = 0, rc = mlr_client_fetch(g->client, &a->call, op, &status, body, x, err);

    if (rc == 0 && status == 200)
        rc = mlr_ask_unencoded(*x, a->what, err);
    return rc < 0 ? rc : status;
}

int mlr_ask_refused(const mlr_ask *a, mlr_registry *g, mlr_exchange *x, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_client_refused(g->client, x, a->what, op, err);

    if (mlr_exchange_status(x) == 405 && (strcmp(a->call.request.method, "POST") == 0 || strcmp(a->call.request.method, "PUT") == 0))
        mlr_error_hint(err, rc, "it can only be read, for now or by its setup: push elsewhere, or ask who runs it");
    return rc;
}

void mlr_ask_done(mlr_ask *a)
{
    mlr_free(a->url);
    mlr_free(a->scope);
    a->url = a->scope = NULL;
}

bool mlr_ask_written(int status)
{
    return status == 200 || status == 201 || status == 202 || status == 204;
}

void mlr_ask_retry_after(const mlr_exchange *x, char out[MLR_RETRY_AFTER_MAX])
{
    const char *value = mlr_exchange_header(x, "Retry-After", 0);

    snprintf(out, MLR_RETRY_AFTER_MAX, "%s", value != NULL ? value : "");
}

int mlr_ask_leads_nowhere(const char *what, const char *text, mlreg_error **err)
{
    char *shown = mlr_url_shown(text);
    int   rc = mlr_error_set(err, MLREG_EPROTO, "%s is no URL: '%.200s'", what, shown != NULL ? shown : "");

    mlr_free(shown);
    return rc;
}

int mlr_ask_unencoded(const mlr_exchange *x, const char *what, mlreg_error **err)
{
    const char *encoding = mlr_exchange_header(x, "Content-Encoding", 0);
    int         rc;

    if (encoding == NULL || encoding[0] == '\0' || strcasecmp(encoding, "identity") == 0)
        return 0;
    rc = mlr_error_set(err, MLREG_EPROTO, "%s came with Content-Encoding '%.40s', unasked", what, encoding);
    return mlr_error_hint(err, rc, "a proxy on the way may compress what passes, and digests no longer hold");
}
