/* codec/gguf_metadata.c - the keys of a GGUF header and their values: short ones kept as text, the rest passed over. */
#include "codec/gguf_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"

#define ARRAY_MAX_DEPTH 4

enum { VALUE_U8, VALUE_I8, VALUE_U16, VALUE_I16, VALUE_U32, VALUE_I32, VALUE_F32, VALUE_BOOL, VALUE_STRING, VALUE_ARRAY,
       VALUE_U64, VALUE_I64, VALUE_F64, N_VALUE_TYPES };
static const uint8_t value_bytes[N_VALUE_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

int mlr_gguf_broken(const mlr_gguf *g, const char *what, const char *name, const char *rule)
{
    return mlr_error_set(g->err, MLREG_EPROTO, "%s: %s \"%s\": %s", g->file, what, name, rule);
}

/* ---- strings ---- */

static int read_text(mlr_gguf *g, mlr_buf *to, uint64_t len)
{
    int rc;

    mlr_buf_clear(to);
    if ((rc = mlr_buf_reserve(to, (size_t)len, g->err)) < 0 ||
        (rc = mlr_cursor_bytes(&g->in, to->data, (size_t)len, g->err)) < 0)
        return rc;
    to->len = (size_t)len;
    to->data[len] = '\0';
    return 0;
}

static bool is_plain(const mlr_buf *text)
{
    return memchr(text->data, '\0', text->len) == NULL && mlr_utf8_valid(text->data, text->len);
}

int mlr_gguf_read_name(mlr_gguf *g, const char *of_what)
{
    uint64_t len;
    int      rc = mlr_cursor_u64(&g->in, &len, g->err);

    if (rc < 0)
        return rc;
    if (len > MLR_GGUF_NAME_MAX_BYTES)
        return mlr_error_set(g->err, MLREG_ELIMIT, "%s: the name of a %s is longer than %d bytes", g->file, of_what,
                             MLR_GGUF_NAME_MAX_BYTES);
    if ((rc = read_text(g, &g->name, len)) < 0)
        return rc;
    if (!is_plain(&g->name))
        return mlr_error_set(g->err, MLREG_EPROTO, "%s: the name of a %s is no UTF-8 text", g->file, of_what);
    return 0;
}

/* ---- metadata ---- */

/* snprintf writes the locale's decimal point; whatever that is becomes '.'. */
static void undo_locale(char *number)
{
    char *to = number;

    for (const char *s = number; *s != '\0'; s++) {
        if ((unsigned char)*s < 0x80 && strchr("+-0123456789abcdefinx", *s) != NULL)
            *to++ = *s;
        else if (to == number || to[-1] != '.')
            *to++ = '.';
    }
    *to = '\0';
}

/* The shortest text that gives the same number again. */
static void print_float(char *out, size_t size, double value, bool single)
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(out, size, "%.*g", digits, value);
        double again = strtod(out, NULL);
        if (single ? (float)again == (float)value : again == value)
            break;
    }
    undo_locale(out);
}

static void print_number(char *out, size_t size, uint32_t type, uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float    f;
    double   d;

    switch (type) {
    case VALUE_I8: snprintf(out, size, "%d", (int)(int8_t)bits); break;
    case VALUE_I16: snprintf(out, size, "%d", (int)(int16_t)bits); break;
    case VALUE_I32: snprintf(out, size, "%" PRId32, (int32_t)bits); break;
    case VALUE_I64: snprintf(out, size, "%" PRId64, (int64_t)bits); break;
    case VALUE_BOOL: snprintf(out, size, "%s", bits != 0 ? "true" : "false"); break;
    case VALUE_F32:
        memcpy(&f, &low, sizeof f);
        print_float(out, size, f, true);
        break;
    case VALUE_F64:
        memcpy(&d, &bits, sizeof d);
        print_float(out, size, d, false);
        break;
    default: snprintf(out, size, "%" PRIu64, bits); break;
    }
}

static bool is_alignment(const mlr_gguf *g)
{
    return strcmp(g->name.data, "general.alignment") == 0;
}

static int set_alignment(mlr_gguf *g, uint64_t value)
{
    if (value == 0 || (value & (value - 1)) != 0)
        return mlr_gguf_broken(g, "metadata", g->name.data, "no power of two");
    g->alignment = (uint32_t)value;
    return 0;
}

static int read_scalar(mlr_gguf *g, uint32_t type)
{
    uint8_t  le[8];
    uint64_t bits = 0;
    char     text[48];
    int      rc;

    if ((rc = mlr_cursor_bytes(&g->in, le, value_bytes[type], g->err)) < 0)
        return rc;
    for (size_t i = value_bytes[type]; i-- > 0;)
        bits = bits << 8 | le[i];
    if (type == VALUE_BOOL && bits > 1)
        return mlr_gguf_broken(g, "metadata", g->name.data, "neither true nor false");
    if (is_alignment(g) && (rc = set_alignment(g, bits)) < 0)
        return rc;
    print_number(text, sizeof text, type, bits);
    return mlr_tensors_add_metadata(g->tensors, g->name.data, text, g->err);
}

static int read_string(mlr_gguf *g)
{
    uint64_t len;
    int      rc = mlr_cursor_u64(&g->in, &len, g->err);

    if (rc < 0)
        return rc;
    if (len > MLR_GGUF_TEXT_MAX_BYTES) {
        if ((rc = mlr_cursor_skip(&g->in, len, g->err)) < 0)
            return rc;
        return mlr_tensors_add_metadata(g->tensors, g->name.data, NULL, g->err);
    }
    if ((rc = read_text(g, &g->text, len)) < 0)
        return rc;
    return mlr_tensors_add_metadata(g->tensors, g->name.data, is_plain(&g->text) ? g->text.data : NULL, g->err);
}

static int skip_array(mlr_gguf *g, unsigned depth)
{
    uint32_t type;
    uint64_t n, len;
    int      rc;

    if (depth == ARRAY_MAX_DEPTH)
        return mlr_error_set(g->err, MLREG_ELIMIT, "%s: metadata \"%s\": arrays nested more than %d deep", g->file,
                             g->name.data, ARRAY_MAX_DEPTH);
    if ((rc = mlr_cursor_u32(&g->in, &type, g->err)) < 0 || (rc = mlr_cursor_u64(&g->in, &n, g->err)) < 0)
        return rc;
    if (type >= N_VALUE_TYPES)
        return mlr_gguf_broken(g, "metadata", g->name.data, "an array of an unknown type");
    if (value_bytes[type] > 0) {
        if (__builtin_mul_overflow(n, value_bytes[type], &len))
            len = UINT64_MAX;                  /* which no file has */
        return mlr_cursor_skip(&g->in, len, g->err);
    }
    /* Every element takes bytes of the header, so its limit ends this. */
    for (rc = 0; n > 0 && rc == 0; n--) {
        if (type == VALUE_ARRAY)
            rc = skip_array(g, depth + 1);
        else if ((rc = mlr_cursor_u64(&g->in, &len, g->err)) == 0)
            rc = mlr_cursor_skip(&g->in, len, g->err);
    }
    return rc;
}

int mlr_gguf_read_pair(mlr_gguf *g)
{
    uint32_t type;
    int      rc;

    if ((rc = mlr_gguf_read_name(g, "metadata key")) < 0 || (rc = mlr_cursor_u32(&g->in, &type, g->err)) < 0)
        return rc;
    if (type >= N_VALUE_TYPES)
        return mlr_gguf_broken(g, "metadata", g->name.data, "a value of an unknown type");
    if (is_alignment(g) && type != VALUE_U32)
        return mlr_gguf_broken(g, "metadata", g->name.data, "no 32-bit number");
    if (type == VALUE_STRING)
        return read_string(g);
    if (type != VALUE_ARRAY)
        return read_scalar(g, type);
    if ((rc = skip_array(g, 0)) < 0)
        return rc;
    return mlr_tensors_add_metadata(g->tensors, g->name.data, NULL, g->err);
}
