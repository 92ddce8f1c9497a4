/* net/client_refused.c - what an unwelcome answer means: its status first, then what its body says. */
#include "net/client_parts.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "codec/json.h"
#include "net/retry.h"

#define SHOWN_MAX_BYTES 300
#define CODE_MAX_BYTES  64
#define BLANKS          " \t\r\n"

/* What is known of the answer. The texts lie in `json` or `line`. */
struct refusal {
    int         status;
    bool        is_ours;               /* the registry itself gave it, not one that it led to */
    bool        is_html;
    const char *code;                  /* of the specification; or NULL */
    const char *message;               /* or NULL */
    mlr_json   *json;
    char       *line;
};

/* ---- reading it ---- */

/* Only what looks like a code of the specification is passed on as one. */
static const char *plain_code(const char *code)
{
    size_t n = code != NULL ? strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") : 0;

    return n > 0 && n <= CODE_MAX_BYTES && code[n] == '\0' ? code : NULL;
}

static const char *non_empty(const char *text)
{
    return text != NULL && text[strspn(text, BLANKS)] != '\0' ? text : NULL;
}

/* OCI distribution-spec, "Error codes": {"errors":[{"code","message","detail"}]}, every member optional in practice. */
static void take_json(struct refusal *r)
{
    const mlr_json *first = mlr_json_at(mlr_json_get(r->json, "errors"), 0);

    r->code = plain_code(mlr_json_string(mlr_json_get(first, "code")));
    r->message = non_empty(mlr_json_string(mlr_json_get(first, "message")));
    if (r->message == NULL)
        r->message = non_empty(mlr_json_string(mlr_json_get(first, "detail")));
}

/* What a person would read of it: the first line of plain text, or that it is a page. */
static void take_text(struct refusal *r, const char *type, const char *text)
{
    text += strspn(text, BLANKS);
    r->is_html = *text == '<' || (type != NULL && strncasecmp(type, "text/html", 9) == 0);
    if (r->is_html)
        r->message = "an HTML page";
    else if (*text != '\0' && *text != '{' && *text != '[')
        r->message = r->line = mlr_strndup(text, strcspn(text, "\r\n"));
}

/* A body that breaks off, or was cut at 64 KiB, still says something. */
static void read_refusal(const mlr_client *c, mlr_exchange *x, mlr_op *op, struct refusal *r)
{
    char       *own = mlr_url_authority(&c->base), *text = NULL;
    const void *body;
    size_t      len;

    r->status = mlr_exchange_status(x);
    r->is_ours = own != NULL && strcmp(own, mlr_exchange_host(x)) == 0;
    mlr_free(own);
    mlr_exchange_settle(x, op);
    body = mlr_exchange_kept(x, &len);
    if (mlr_json_parse(body, len, "the answer", &r->json, NULL) == 0)
        take_json(r);
    else if ((text = mlr_strndup(body, len)) != NULL)
        take_text(r, mlr_exchange_header(x, "Content-Type", 0), text);
    mlr_free(text);
}

static void refusal_done(struct refusal *r)
{
    mlr_json_free(r->json);
    mlr_free(r->line);
}

/* ---- telling it ---- */

static bool is_rate_limit(const struct refusal *r)
{
    /* GHCR sends the code with 403 */
    return r->status == 429 || (r->code != NULL && strcmp(r->code, "TOOMANYREQUESTS") == 0);
}

static int code_of(const struct refusal *r)
{
    if (is_rate_limit(r))
        return MLREG_ENET;
    if (r->status == 400 && r->code != NULL && strcmp(r->code, "UNSUPPORTED") == 0)
        return MLREG_ENOTSUP;
    switch (r->status) {
    case 401: return MLREG_EAUTH;
    case 403:
    case 407: return MLREG_EDENIED;
    case 404: return MLREG_ENOTFOUND;
    case 405:
    case 501: return MLREG_ENOTSUP;
    case 408: return MLREG_ENET;
    case 413: return MLREG_ELIMIT;
    default:  return r->status >= 500 ? MLREG_ENET : MLREG_EPROTO;
    }
}

static int say(const mlr_client *c, const mlr_exchange *x, const char *what, const struct refusal *r, mlreg_error **err)
{
    const char *who = r->is_ours ? c->host : mlr_exchange_host(x);
    const char *code = r->code != NULL ? r->code : "", *message = r->message != NULL ? r->message : "";
    int         rc = mlr_error_set(err, code_of(r), "%s: %s answered %d%s%s%s%.*s", what, who, r->status,
                                   *code != '\0' ? " " : "", code, *message != '\0' ? ": " : "", SHOWN_MAX_BYTES,
                                   message);

    return mlr_error_http(err, rc, r->status, r->code);
}

static int hint_rate(const mlr_client *c, const mlr_exchange *x, int rc, mlreg_error **err)
{
    const char *after = mlr_exchange_header(x, "Retry-After", 0), *limit = mlr_exchange_header(x, "RateLimit-Limit", 0);
    int64_t     ms = after != NULL ? mlr_retry_after_ms(after, mlr_clock_wall_ms()) : -1;

    if (ms > 0)
        return mlr_error_hint(err, rc, "%s asks to wait for %lld s", c->host, (long long)(ms + 999) / 1000);
    if (limit != NULL)       /* Docker Hub: "100;w=21600" */
        return mlr_error_hint(err, rc, "%s limits requests to %.40s (w: in seconds): log in, or try again later",
                              c->host, limit);
    return mlr_error_hint(err, rc, "%s asks to go slower: log in, or try again later", c->host);
}

static int hint(mlr_client *c, const mlr_exchange *x, const struct refusal *r, int rc, mlreg_error **err)
{
    if (is_rate_limit(r))
        return hint_rate(c, x, rc, err);
    if (r->status == 407)
        return mlr_error_hint(err, rc, "a proxy wants a name and a password, which stand in its URL in the environment: http_proxy=http://NAME:PASSWORD@PROXY");
    if (r->is_ours && (rc == MLREG_EAUTH || rc == MLREG_EDENIED))
        return mlr_auth_hint(c->auth, rc, err);
    if (r->status == 413)
        return mlr_error_hint(err, rc, "the registry, or a proxy before it, takes nothing so large: have its limit raised");
    if (r->status >= 500 && rc == MLREG_ENET)
        return mlr_error_hint(err, rc, "the server has trouble of its own: try again later");
    if (r->is_html)
        return mlr_error_hint(err, rc, "check the address: a web server or a proxy answered, not a registry");
    return rc;
}

int mlr_client_refused(mlr_client *c, mlr_exchange *x, const char *what, mlr_op *op, mlreg_error **err)
{
    struct refusal r = {0};
    int            rc;

    read_refusal(c, x, op, &r);
    rc = say(c, x, what, &r, err);
    rc = hint(c, x, &r, rc, err);
    refusal_done(&r);
    return rc;
}
