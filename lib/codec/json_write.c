/* codec/json_write.c - the writer: JSON as RFC 8259 has it, nothing escaped that need not be. */
#include "codec/json.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"

void mlr_json_begin(mlr_json_out *o, mlr_buf *to, mlreg_error **err)
{
    *o = (mlr_json_out){.to = to, .err = err};
}

static void add(mlr_json_out *o, const char *text, size_t len)
{
    if (o->rc == 0)
        o->rc = mlr_buf_add(o->to, text, len, o->err);
}

static void escape(mlr_json_out *o, unsigned char c)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *p = strchr(plain, c);

    if (p != NULL)
        add(o, (const char[]){'\\', letters[p - plain]}, 2);
    else if (o->rc == 0)
        o->rc = mlr_buf_printf(o->to, o->err, "\\u%04x", c);
}

static bool must_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

static void quote(mlr_json_out *o, const char *text)
{
    if (o->rc < 0)
        return;
    if (!mlr_utf8_valid(text, strlen(text))) {
        o->rc = mlr_error_set(o->err, MLREG_EINVAL, "text that is not UTF-8 cannot be written as JSON");
        return;
    }
    add(o, "\"", 1);
    while (*text != '\0') {
        size_t n = 0;
        while (text[n] != '\0' && !must_escape((unsigned char)text[n]))
            n++;
        add(o, text, n);
        text += n;
        if (*text != '\0')
            escape(o, (unsigned char)*text++);
    }
    add(o, "\"", 1);
}

/* What stands before a value: the comma, and the key in objects. */
static void lead(mlr_json_out *o, const char *key)
{
    if (o->comma)
        add(o, ",", 1);
    if (key != NULL) {
        quote(o, key);
        add(o, ":", 1);
    }
    o->comma = true;
}

void mlr_json_open(mlr_json_out *o, const char *key, char bracket)
{
    assert(bracket == '{' || bracket == '[');
    lead(o, key);
    add(o, &bracket, 1);
    o->comma = false;
}

void mlr_json_close(mlr_json_out *o, char bracket)
{
    assert(bracket == '}' || bracket == ']');
    add(o, &bracket, 1);
    o->comma = true;
}

void mlr_json_put_string(mlr_json_out *o, const char *key, const char *value)
{
    if (value == NULL)
        return;
    lead(o, key);
    quote(o, value);
}

void mlr_json_put_u64(mlr_json_out *o, const char *key, uint64_t value)
{
    lead(o, key);
    if (o->rc == 0)
        o->rc = mlr_buf_printf(o->to, o->err, "%" PRIu64, value);
}

void mlr_json_put_raw(mlr_json_out *o, const char *key, const char *raw, size_t len)
{
    lead(o, key);
    add(o, raw, len);
}

int mlr_json_end(mlr_json_out *o)
{
    return o->rc;
}
