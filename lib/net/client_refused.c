/* net/client_refused.c - what an unwelcome answer means: its status first, then what its body says, as far as that can be shown. */
#include "net/client.h"

#include <strings.h>
#include "base/alloc.h"
#include "base/error.h"
#include "codec/json.h"
#include "net/client_parts.h"

#define BODY_MAX_BYTES (64u << 10)
#define SHOWN_MAX_BYTES 300
#define CODE_MAX_BYTES 64

static int code_of(int status)
{
    switch (status) {
    case 401:
        return MLREG_EAUTH;
    case 403:
        return MLREG_EDENIED;
    case 404:
        return MLREG_ENOTFOUND;
    case 405:
    case 501:
        return MLREG_ENOTSUP;
    case 413:
        return MLREG_ELIMIT;
    case 408:
    case 429:
        return MLREG_ENET;
    default:
        return status >= 500 ? MLREG_ENET : MLREG_EPROTO;
    }
}

/* As much as there is, up to the limit; a body that breaks off still says something. */
static void read_some(mlr_exchange *x, mlr_buf *body, mlr_op *op)
{
    char piece[4096];
    int64_t n;

    while (body->len < BODY_MAX_BYTES && (n = mlr_exchange_read(x, piece, sizeof piece, op, NULL)) > 0)
        if (mlr_buf_add(body, piece, (size_t)n < BODY_MAX_BYTES - body->len ? (size_t)n : BODY_MAX_BYTES - body->len, NULL) < 0)
            return;
}

/* Only what looks like a code of the specification is passed on as one. */
static const char *plain_code(const char *code)
{
    size_t n = code != NULL ? strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") : 0;

    return n > 0 && n <= CODE_MAX_BYTES && code[n] == '\0' ? code : NULL;
}

/* OCI distribution-spec, "Error codes": {"errors":[{"code","message","detail"}]}, every member optional in practice. */
static void from_json(const mlr_json *j, const char **code, const char **message)
{
    const mlr_json *first = mlr_json_at(mlr_json_get(j, "errors"), 0);

    *code = plain_code(mlr_json_string(mlr_json_get(first, "code")));
    *message = mlr_json_string(mlr_json_get(first, "message"));
}

static bool is_html(const char *type, const char *text)
{
    return (type != NULL && strncasecmp(type, "text/html", 9) == 0) || text[strspn(text, " \t\r\n")] == '<';
}

/* What a person would read of it: the first line of plain text, or that it is a page. */
static char *first_line(const mlr_exchange *x, const mlr_buf *body)
{
    const char *text = body->data != NULL ? body->data + strspn(body->data, " \t\r\n") : "";
    size_t n = strcspn(text, "\r\n");

    if (text[0] == '\0')
        return NULL;
    if (is_html(mlr_exchange_header(x, "Content-Type", 0), text))
        return mlr_strdup("an HTML page");
    if (text[0] == '{' || text[0] == '[')
        return NULL;
    return mlr_strndup(text, n < SHOWN_MAX_BYTES ? n : SHOWN_MAX_BYTES);
}

static int say(const mlr_client *c, mlr_exchange *x, const char *what, const char *message, mlreg_error **err)
{
    int status = mlr_exchange_status(x);

    if (message == NULL || message[0] == '\0')
        return mlr_error_set(err, code_of(status), "%s: %s answered %d", what, c->host, status);
    return mlr_error_set(err, code_of(status), "%s: %s answered %d: %.*s", what, c->host, status, SHOWN_MAX_BYTES, message);
}

static int hint(mlr_client *c, mlr_exchange *x, int rc, mlreg_error **err)
{
    const char *after = mlr_exchange_header(x, "Retry-After", 0);
    int status = mlr_exchange_status(x);

    if (status == 401 || status == 403)
        return mlr_auth_hint(c->auth, rc, err);
    if (status == 429 && after != NULL)
        return mlr_error_hint(err, rc, "the registry asks to wait: Retry-After %.40s", after);
    if (status == 429)
        return mlr_error_hint(err, rc, "the registry asks to go slower; try again later");
    return status >= 500 ? mlr_error_hint(err, rc, "the registry has trouble of its own; try again later") : rc;
}

int mlr_client_refused(mlr_client *c, mlr_exchange *x, const char *what, mlr_op *op, mlreg_error **err)
{
    mlr_buf body = MLR_BUF_INIT(BODY_MAX_BYTES);
    const char *code = NULL, *message = NULL;
    char *line = NULL;
    mlr_json *j = NULL;
    int rc;

    read_some(x, &body, op);
    if (body.len > 0 && mlr_json_parse(body.data, body.len, "the answer", &j, NULL) == 0)
        from_json(j, &code, &message);
    else
        message = line = first_line(x, &body);
    rc = say(c, x, what, message, err);
    mlr_error_http(err, rc, mlr_exchange_status(x), code);
    rc = hint(c, x, rc, err);
    mlr_json_free(j);
    mlr_free(line);
    mlr_buf_done(&body);
    return rc;
}
