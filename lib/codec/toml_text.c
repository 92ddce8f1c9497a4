/* codec/toml_text.c - TOML's small parts: blanks and comments, strings, names. */
#include "codec/toml_parts.h"

#include <string.h>

#include "base/error.h"

int mlr_toml_fault(const mlr_toml *t, const char *what, mlreg_error **err)
{
    return mlr_error_set(err, MLREG_EPROTO, "%s, line %u: %s", t->name, t->line, what);
}

mlr_buf mlr_toml_buf(const mlr_toml *t)
{
    return (mlr_buf)MLR_BUF_INIT(t->key.max);
}

char mlr_toml_peek(const mlr_toml *t)
{
    return t->at < t->end ? *t->at : '\0';
}

bool mlr_toml_accept(mlr_toml *t, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(t->end - t->at) < len || memcmp(t->at, word, len) != 0)
        return false;
    t->at += len;
    return true;
}

void mlr_toml_skip_blanks(mlr_toml *t)
{
    while (mlr_toml_peek(t) == ' ' || mlr_toml_peek(t) == '\t')
        t->at++;
}

bool mlr_toml_skip_to_end(mlr_toml *t)
{
    mlr_toml_skip_blanks(t);
    if (mlr_toml_peek(t) == '#')
        while (t->at < t->end && *t->at != '\n')
            t->at++;
    if (mlr_toml_peek(t) == '\r')
        t->at++;
    return t->at == t->end || *t->at == '\n';
}

void mlr_toml_skip_lines(mlr_toml *t)
{
    while (mlr_toml_skip_to_end(t) && t->at < t->end) {
        t->at++;
        t->line++;
    }
}

/* ---- strings ---- */

static int add_code_point(mlr_toml *t, uint32_t c, mlr_buf *out, mlreg_error **err)
{
    char   s[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return mlr_toml_fault(t, "an escape that is no character", err);
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        s[i] = (char)(0x80 | (c & 0x3f));
    s[0] = (char)(n == 1 ? c : (0xf0u << (4 - n) & 0xff) | c);
    return mlr_buf_add(out, s, n, err);
}

static int read_hex(mlr_toml *t, size_t digits, mlr_buf *out, mlreg_error **err)
{
    static const char all[] = "0123456789abcdef";
    uint32_t          c = 0;

    for (size_t i = 0; i < digits; i++, t->at++) {
        const char *d = mlr_toml_peek(t) != '\0' ? strchr(all, mlr_toml_peek(t) | ('A' <= mlr_toml_peek(t) && mlr_toml_peek(t) <= 'F' ? 0x20 : 0)) : NULL;

        if (d == NULL)
            return mlr_toml_fault(t, "an escape that is no character", err);
        c = c << 4 | (uint32_t)(d - all);
    }
    return add_code_point(t, c, out, err);
}

static int read_escape(mlr_toml *t, mlr_buf *out, mlreg_error **err)
{
    static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
    char              c = mlr_toml_peek(t);
    const char       *known = c != '\0' ? strchr(from, c) : NULL;

    if (c != '\0')
        t->at++;
    if (known != NULL)
        return mlr_buf_add(out, &to[known - from], 1, err);
    if (c == 'u' || c == 'U')
        return read_hex(t, c == 'u' ? 4 : 8, out, err);
    return mlr_toml_fault(t, "an unknown escape in a string", err);
}

int mlr_toml_string(mlr_toml *t, mlr_buf *out, mlreg_error **err)
{
    char quote = *t->at++;
    int  rc = mlr_buf_add(out, "", 0, err);

    if (rc == 0 && t->end - t->at >= 2 && t->at[0] == quote && t->at[1] == quote)
        return mlr_toml_fault(t, "a string over several lines, which is not read here", err);
    while (rc == 0 && mlr_toml_peek(t) != quote) {
        if (t->at == t->end || *t->at == '\n')
            return mlr_toml_fault(t, "a string without its end", err);
        if (*t->at == '\\' && quote == '"') {
            t->at++;
            rc = read_escape(t, out, err);
        } else {
            rc = mlr_buf_add(out, t->at++, 1, err);
        }
    }
    t->at += rc == 0;
    return rc;
}

/* ---- keys ---- */

bool mlr_toml_is_bare(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static size_t bare_length(const char *s, const char *end)
{
    const char *from = s;

    while (s < end && mlr_toml_is_bare(*s))
        s++;
    return (size_t)(s - from);
}

/* A part in quotes loses them where it could stand without. */
static int read_quoted_part(mlr_toml *t, mlr_buf *out, mlreg_error **err)
{
    mlr_buf part = mlr_toml_buf(t);
    int     rc = mlr_toml_string(t, &part, err);

    if (rc == 0 && part.len > 0 && bare_length(part.data, part.data + part.len) == part.len)
        rc = mlr_buf_add(out, part.data, part.len, err);
    else if (rc == 0)
        rc = mlr_buf_printf(out, err, "\"%s\"", part.len > 0 ? part.data : "");
    mlr_buf_done(&part);
    return rc;
}

int mlr_toml_key(mlr_toml *t, mlr_buf *out, mlreg_error **err)
{
    int rc;

    for (;;) {
        size_t n;

        mlr_toml_skip_blanks(t);
        n = bare_length(t->at, t->end);
        if (n == 0 && mlr_toml_peek(t) != '"' && mlr_toml_peek(t) != '\'')
            return mlr_toml_fault(t, "a name is missing or malformed", err);
        rc = n > 0 ? mlr_buf_add(out, t->at, n, err) : read_quoted_part(t, out, err);
        t->at += n;
        mlr_toml_skip_blanks(t);
        if (rc < 0 || !mlr_toml_accept(t, "."))
            return rc;
        if ((rc = mlr_buf_puts(out, ".", err)) < 0)
            return rc;
    }
}
