/* net/http_headers.c - the head of an answer, within limits; and what may be sent as a header. */
#include "net/http_parts.h"

#include <string.h>
#include <strings.h>

#include "base/error.h"

#define VALUE_BLANKS " \t\r\n"

int mlr_headers_over_limit(mlreg_error **err)
{
    return mlr_error_set(err, MLREG_EPROTO, "an answer with more than %d headers or %u KiB of them", MLR_HEADERS_MAX,
                         MLR_HEADERS_MAX_BYTES >> 10);
}

void mlr_headers_begin(mlr_headers *h)
{
    h->text.max = 2 * MLR_HEADERS_MAX_BYTES;       /* what seen_bytes allows, and a zero for each short line */
    mlr_buf_clear(&h->text);
    h->n = 0;
    h->is_open = false;
}

/* The value between `from` and `end`, without the blanks around it, and the zero that ends it. */
static int add_value(mlr_headers *h, const char *from, const char *end, mlreg_error **err)
{
    int rc;

    while (from < end && strchr(VALUE_BLANKS, *from) != NULL)
        from++;
    while (end > from && strchr(VALUE_BLANKS, end[-1]) != NULL)
        end--;
    if ((rc = mlr_buf_add(&h->text, from, (size_t)(end - from), err)) == 0)
        rc = mlr_buf_add(&h->text, "", 1, err);
    return rc;
}

/* A line that begins with a blank goes on with the value before it (RFC 9112 §5.2), if that is one of a header. */
static int add_folded(mlr_headers *h, const char *line, size_t len, mlreg_error **err)
{
    int rc = 0;

    if (!h->is_open)
        return 0;
    if (memchr(line, '\0', len) != NULL) {
        h->text.len = h->at[--h->n];
        h->is_open = false;
        return 0;
    }
    while (len > 0 && strchr(VALUE_BLANKS, *line) != NULL) {
        line++;
        len--;
    }
    if (len == 0)
        return 0;
    h->text.len--;                                 /* the zero that ended it */
    if (h->text.data[h->text.len - 1] != '\0')
        rc = mlr_buf_add(&h->text, " ", 1, err);
    return rc < 0 ? rc : add_value(h, line, line + len, err);
}

/* Lines that are no "name: value", such as the status line, are passed over: nobody asks for them. */
int mlr_headers_add(mlr_headers *h, const char *line, size_t len, mlreg_error **err)
{
    const char *colon = memchr(line, ':', len);
    size_t      at = h->text.len;
    int         rc;

    h->seen_bytes += len;
    if (h->seen_bytes > MLR_HEADERS_MAX_BYTES)
        return mlr_headers_over_limit(err);
    if (len > 0 && (line[0] == ' ' || line[0] == '\t'))
        return add_folded(h, line, len, err);
    h->is_open = colon != NULL && colon != line && memchr(line, '\0', len) == NULL;
    if (!h->is_open)
        return 0;
    if (h->n == MLR_HEADERS_MAX)
        return mlr_headers_over_limit(err);
    if ((rc = mlr_buf_add(&h->text, line, (size_t)(colon - line), err)) < 0 || (rc = mlr_buf_add(&h->text, "", 1, err)) < 0 ||
        (rc = add_value(h, colon + 1, line + len, err)) < 0)
        return rc;
    h->at[h->n++] = (uint32_t)at;
    return 0;
}

const char *mlr_headers_get(const mlr_headers *h, const char *name, size_t i)
{
    for (size_t k = 0; k < h->n; k++) {
        const char *found = h->text.data + h->at[k];

        if (strcasecmp(found, name) == 0 && i-- == 0)
            return found + strlen(found) + 1;
    }
    return NULL;
}

bool mlr_headers_length(const mlr_headers *h, uint64_t *out)
{
    const char *text = mlr_headers_get(h, "Content-Length", 0);
    uint64_t    value = 0;

    if (text == NULL || *text == '\0' || mlr_headers_get(h, "Transfer-Encoding", 0) != NULL)
        return false;
    for (; *text != '\0'; text++)
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
            return false;
    *out = value;
    return true;
}

void mlr_headers_done(mlr_headers *h)
{
    mlr_buf_done(&h->text);
    h->n = 0;
}

/* ---- headers to be sent ---- */

/* RFC 9110 §5.6.2 */
static bool is_token(const char *s)
{
    static const char of_tokens[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    return *s != '\0' && s[strspn(s, of_tokens)] == '\0';
}

static bool is_value(const char *s)
{
    for (; *s != '\0'; s++)
        if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f)
            return false;
    return true;
}

int mlr_headers_check_sent(const mlr_header *headers, size_t n, mlreg_error **err)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_token(headers[i].name))
            return mlr_error_set(err, MLREG_EINVAL, "\"%s\" is no name of an HTTP header", headers[i].name);
        if (!is_value(headers[i].value))     /* not shown: it may be a credential */
            return mlr_error_set(err, MLREG_EINVAL, "the value of the HTTP header %s holds a control character",
                                 headers[i].name);
    }
    return 0;
}
