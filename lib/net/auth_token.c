/* net/auth_token.c - one bearer token, asked of a token server. */
#include "net/auth_token.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "codec/json.h"
#include "net/auth_server.h"
#include "net/retry.h"

#define CLIENT_ID      "libmlreg"
#define LIFE_DEFAULT_S 60               /* where expires_in is missing: distribution's token specification */
#define LIFE_MAX_S     (366u * 86400u)
#define FORM_MAX_BYTES (256u << 10)

void mlr_token_done(mlr_token *t)
{
    mlr_creds_wipe(t->value);
    mlr_creds_wipe(t->refresh);
    *t = (mlr_token){0};
}

/* ---- the server ---- */

/* "https://auth.docker.io/token", for messages; NULL: out of memory. */
static char *shown(const mlr_url *u)
{
    char *text = mlr_url_text(u), *cut = text != NULL ? mlr_url_shown(text) : NULL;

    mlr_free(text);
    return cut;
}

static int without_tls(const char *host, const mlr_url *u, mlreg_error **err)
{
    char *server = shown(u);
    int   rc = server == NULL ? mlr_error_nomem(err)
                              : mlr_error_set(err, MLREG_EDENIED, "%s names a token server without TLS: %s", host, server);

    mlr_free(server);
    return rc;
}

int mlr_token_realm(const mlr_url *registry, const char *host, const char *realm, mlr_url *out, mlreg_error **err)
{
    mlreg_error *e = NULL;
    mlr_url      url = {0};
    int          rc = mlr_url_resolve(registry, realm, &url, &e);

    if (rc == MLREG_EINVAL)
        rc = mlr_error_set(err, MLREG_EPROTO, "%s names a token server that cannot be used: %s", host, e->message);
    else if (rc < 0)
        mlr_error_move(err, &e);
    else if (strcmp(url.scheme, "https") != 0 && strcmp(registry->scheme, "https") == 0)
        rc = without_tls(host, &url, err);
    else
        *out = url;
    mlr_error_done(e);
    if (rc < 0)
        mlr_url_done(&url);
    return rc;
}

static bool has_text(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* ---- its answer ---- */

static bool is_sendable(const char *token)
{
    for (const char *p = token; *p != '\0'; p++)
        if (*p <= ' ' || *p >= 0x7f)
            return false;
    return token[0] != '\0';
}

static uint64_t life_ms(const mlr_json *root)
{
    uint64_t s;

    if (!mlr_json_u64(mlr_json_get(root, "expires_in"), &s) || s == 0)
        s = LIFE_DEFAULT_S;
    return (s < LIFE_MAX_S ? s : LIFE_MAX_S) * 1000;
}

static int take(const mlr_json *root, const char *server, mlr_token *out, mlreg_error **err)
{
    const char *value = mlr_json_string(mlr_json_get(root, "token"));
    const char *refresh = mlr_json_string(mlr_json_get(root, "refresh_token"));

    if (!has_text(value))
        value = mlr_json_string(mlr_json_get(root, "access_token"));
    if (!has_text(value))
        return mlr_error_set(err, MLREG_EPROTO, "%s: answered without a token", server);
    if (!is_sendable(value))
        return mlr_error_set(err, MLREG_EPROTO, "%s: answered with a token that no header can carry", server);
    out->life_ms = life_ms(root);
    if ((out->value = mlr_strdup(value)) == NULL)
        return mlr_error_nomem(err);
    if (refresh != NULL && is_sendable(refresh) && (out->refresh = mlr_strdup(refresh)) == NULL)
        return mlr_error_nomem(err);
    return 0;
}

int mlr_token_parse(const char *text, size_t len, const char *server, mlr_token *out, mlreg_error **err)
{
    mlr_json *root = NULL;
    mlr_token token = {0};
    int       rc = mlr_json_parse(text, len, server, &root, err);

    if (rc == 0 && (rc = take(root, server, &token, err)) == 0)
        *out = token;
    else
        mlr_token_done(&token);
    mlr_json_free(root);
    return rc;
}

/* What a status that is no success means. `grant`: an OAuth2 grant was posted, for which 400 says that it is not
 * valid. */
static int refused(const mlr_token_ask *ask, int status, bool grant, mlreg_error **err)
{
    char *server = shown(ask->realm);
    int   rc;

    if (server == NULL)
        return mlr_error_nomem(err);
    if (status >= 300 && status < 400)
        rc = mlr_error_set(err, MLREG_EPROTO, "%s: answered with a redirect; credentials do not follow it", server);
    else if ((status == 401 || status == 403 || (grant && status == 400)) && ask->creds->kind == MLR_CREDS_NONE)
        rc = mlr_error_set(err, MLREG_EAUTH, "%s asks for a login", ask->host);
    else if (status == 401 || status == 403 || (grant && status == 400))
        rc = mlr_error_set(err, MLREG_EAUTH, "%s refused the credentials for %s", server, ask->host);
    else if (mlr_retry_status(status))
        rc = mlr_error_set(err, MLREG_ENET, "%s: the token server is not available (HTTP status %d)", server, status);
    else
        rc = mlr_error_set(err, MLREG_EPROTO, "%s: no token server answers there (HTTP status %d)", server, status);
    mlr_free(server);
    return mlr_error_http(err, rc, status, NULL);
}

static int accept_answer(const mlr_token_ask *ask, const mlr_token_answer *a, bool grant, mlr_token *out,
    mlreg_error **err)
{
    char *server;
    int   rc;

    if (a->status < 200 || a->status >= 300)
        return refused(ask, a->status, grant, err);
    if ((server = shown(ask->realm)) == NULL)
        return mlr_error_nomem(err);
    rc = mlr_token_parse(a->body.data, a->body.len, server, out, err);
    mlr_free(server);
    return rc;
}

/* ---- asking ---- */

static int add_query(char **url, const char *name, const char *value, mlreg_error **err)
{
    char *longer = mlr_url_add_query(*url, name, value);

    if (longer == NULL)
        return mlr_error_nomem(err);
    mlr_free(*url);
    *url = longer;
    return 0;
}

/* realm?service=S&scope=A&scope=B: one parameter per scope. */
static int url_of_get(const mlr_token_ask *ask, char **out, mlreg_error **err)
{
    char *url = mlr_url_text(ask->realm);
    char *scopes = mlr_strdup(ask->scope != NULL ? ask->scope : ""), *rest = scopes, *scope;
    int   rc = url != NULL && scopes != NULL ? 0 : mlr_error_nomem(err);

    if (rc == 0 && has_text(ask->service))
        rc = add_query(&url, "service", ask->service, err);
    while (rc == 0 && (scope = strsep(&rest, " ")) != NULL)
        if (scope[0] != '\0')
            rc = add_query(&url, "scope", scope, err);
    mlr_free(scopes);
    if (rc == 0)
        *out = url;
    else
        mlr_free(url);
    return rc;
}

static int get(const mlr_token_ask *ask, mlr_op *op, mlr_token_answer *out, mlreg_error **err)
{
    mlr_buf    basic = MLR_BUF_INIT(FORM_MAX_BYTES);
    mlr_header headers[2] = {{"Accept", "application/json"}, {"Authorization", NULL}};
    bool       is_basic = ask->creds->kind == MLR_CREDS_BASIC;
    char      *url = NULL;
    int        rc = url_of_get(ask, &url, err);

    if (rc == 0 && is_basic && (rc = mlr_buf_puts(&basic, "Basic ", err)) == 0)
        rc = mlr_creds_encode(ask->creds->name, ask->creds->secret, &basic, err);
    headers[1].value = basic.data;
    if (rc == 0)
        rc = mlr_token_send(ask->http, &(mlr_request){.method = "GET", .url = url, .headers = headers,
                                        .n_headers = is_basic ? 2 : 1,
                                        .foreign = !mlr_url_same_origin(ask->registry, ask->realm)}, op, out, err);
    mlr_buf_wipe(&basic);
    mlr_free(url);
    return rc;
}

static int add_field(mlr_buf *form, const char *name, const char *value, mlreg_error **err)
{
    char *encoded;
    int   rc;

    if (!has_text(value))
        return 0;
    if ((encoded = mlr_url_encode(value, "")) == NULL)
        return mlr_error_nomem(err);
    rc = mlr_buf_printf(form, err, "%s%s=%s", form->len > 0 ? "&" : "", name, encoded);
    mlr_creds_wipe(encoded);
    return rc;
}

static int put_grant(const mlr_token_ask *ask, mlr_buf *form, mlreg_error **err)
{
    bool        is_token = ask->creds->kind == MLR_CREDS_IDENTITY;
    const char *secret = ask->creds->secret;
    int         rc;

    if ((rc = mlr_buf_reserve(form, FORM_MAX_BYTES, err)) < 0 ||         /* at once: what grows leaves copies behind */
        (rc = add_field(form, "grant_type", is_token ? "refresh_token" : "password", err)) < 0 ||
        (rc = add_field(form, "client_id", CLIENT_ID, err)) < 0 ||
        (rc = add_field(form, "service", ask->service, err)) < 0 ||
        (rc = add_field(form, "scope", ask->scope, err)) < 0)
        return rc;
    if (is_token)
        return add_field(form, "refresh_token", secret, err);
    if ((rc = add_field(form, "username", ask->creds->name, err)) < 0)
        return rc;
    return add_field(form, "password", secret, err);
}

static int post(const mlr_token_ask *ask, mlr_op *op, mlr_token_answer *out, mlreg_error **err)
{
    const mlr_header headers[2] = {{"Accept", "application/json"},
                                   {"Content-Type", "application/x-www-form-urlencoded"}};
    mlr_buf          form = MLR_BUF_INIT(FORM_MAX_BYTES);
    char            *url = mlr_url_text(ask->realm);
    int              rc = url != NULL ? put_grant(ask, &form, err) : mlr_error_nomem(err);

    if (rc == 0)
        rc = mlr_token_send(ask->http, &(mlr_request){.method = "POST", .url = url, .headers = headers, .n_headers = 2,
                                        .body = form.data, .body_bytes = form.len,
                                        .foreign = !mlr_url_same_origin(ask->registry, ask->realm)}, op, out, err);
    mlr_buf_wipe(&form);
    mlr_free(url);
    return rc;
}

static int check_secrecy(const mlr_token_ask *ask, mlreg_error **err)
{
    const mlr_url *realm = ask->realm;
    char          *authority;
    int            rc;

    if (ask->creds->kind == MLR_CREDS_NONE || strcmp(realm->scheme, "https") == 0 || mlr_url_is_loopback(realm))
        return 0;
    authority = mlr_url_authority(realm);
    rc = mlr_error_set(err, MLREG_EDENIED, "the credentials for %s would go over plain http to %s", ask->host,
        authority != NULL ? authority : realm->host);
    mlr_free(authority);
    return mlr_error_hint(err, rc, "have %s ask for tokens over https, or log out of it", ask->host);
}

int mlr_token_fetch(const mlr_token_ask *ask, mlr_op *op, mlr_token *out, mlreg_error **err)
{
    bool             grant = ask->creds->kind == MLR_CREDS_IDENTITY;
    mlr_token_answer a = {0};
    int              rc;

    if ((rc = check_secrecy(ask, err)) < 0 || (rc = grant ? post(ask, op, &a, err) : get(ask, op, &a, err)) < 0)
        return rc;
    if ((a.status == 404 || a.status == 405) && ask->creds->kind == MLR_CREDS_BASIC) {
        mlr_token_answer_done(&a);
        grant = true;
        if ((rc = post(ask, op, &a, err)) < 0)
            return rc;
    }
    rc = accept_answer(ask, &a, grant, out, err);
    mlr_token_answer_done(&a);
    return rc;
}
