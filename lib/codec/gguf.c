/* codec/gguf.c - the header of a GGUF file, versions 2 and 3: metadata and tensor places. FORMATS.md §6 */
#include "codec/gguf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/utf8.h"
#include "codec/cursor.h"
#include "codec/gguf_types.h"

#define HEADER_MAX_BYTES 100000000
#define MAX_KEYS 1000000                       /* and tensors */
#define NAME_MAX_BYTES 65535                   /* of a key or a tensor's name */
#define METADATA_MAX_BYTES (64u << 10)         /* longer strings are passed over: templates and licences, not facts */
#define ARRAY_MAX_DEPTH 4
#define MAX_DIMENSIONS 4
#define DEFAULT_ALIGNMENT 32
#define END_UNKNOWN UINT64_MAX                 /* of a tensor whose type is not in our table */

enum { VALUE_U8, VALUE_I8, VALUE_U16, VALUE_I16, VALUE_U32, VALUE_I32, VALUE_F32, VALUE_BOOL, VALUE_STRING, VALUE_ARRAY,
       VALUE_U64, VALUE_I64, VALUE_F64, N_VALUE_TYPES };
static const uint8_t value_bytes[N_VALUE_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

typedef struct gguf {
    mlr_cursor   in;
    const char  *file;
    mlr_buf      key, text;                    /* reused from one to the next */
    uint64_t     n_tensors, n_keys;
    uint32_t     alignment;
    mlr_tensors *tensors;
    mlreg_error **err;
} gguf;

static int broken(const gguf *g, const char *what, const char *name, const char *rule)
{
    return mlr_error_set(g->err, MLREG_EPROTO, "%s: %s \"%s\": %s", g->file, what, name, rule);
}

/* ---- strings ---- */

static int read_text(gguf *g, mlr_buf *to, uint64_t len)
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

static int read_name(gguf *g, const char *of_what)
{
    uint64_t len;
    int      rc = mlr_cursor_u64(&g->in, &len, g->err);

    if (rc < 0)
        return rc;
    if (len > NAME_MAX_BYTES)
        return mlr_error_set(g->err, MLREG_ELIMIT, "%s: the name of a %s is longer than %d bytes", g->file, of_what,
                             NAME_MAX_BYTES);
    if ((rc = read_text(g, &g->key, len)) < 0)
        return rc;
    if (!is_plain(&g->key))
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

static bool is_alignment(const gguf *g)
{
    return strcmp(g->key.data, "general.alignment") == 0;
}

static int set_alignment(gguf *g, uint64_t value)
{
    if (value == 0 || (value & (value - 1)) != 0)
        return broken(g, "metadata", g->key.data, "no power of two");
    g->alignment = (uint32_t)value;
    return 0;
}

static int read_scalar(gguf *g, uint32_t type)
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
        return broken(g, "metadata", g->key.data, "neither true nor false");
    if (is_alignment(g) && (rc = set_alignment(g, bits)) < 0)
        return rc;
    print_number(text, sizeof text, type, bits);
    return mlr_tensors_add_metadata(g->tensors, g->key.data, text, g->err);
}

static int read_string(gguf *g)
{
    uint64_t len;
    int      rc = mlr_cursor_u64(&g->in, &len, g->err);

    if (rc < 0)
        return rc;
    if (len > METADATA_MAX_BYTES) {
        if ((rc = mlr_cursor_skip(&g->in, len, g->err)) < 0)
            return rc;
        return mlr_tensors_add_metadata(g->tensors, g->key.data, NULL, g->err);
    }
    if ((rc = read_text(g, &g->text, len)) < 0)
        return rc;
    return mlr_tensors_add_metadata(g->tensors, g->key.data, is_plain(&g->text) ? g->text.data : NULL, g->err);
}

static int skip_array(gguf *g, unsigned depth)
{
    uint32_t type;
    uint64_t n, len;
    int      rc;

    if (depth == ARRAY_MAX_DEPTH)
        return mlr_error_set(g->err, MLREG_ELIMIT, "%s: metadata \"%s\": arrays nested more than %d deep", g->file,
                             g->key.data, ARRAY_MAX_DEPTH);
    if ((rc = mlr_cursor_u32(&g->in, &type, g->err)) < 0 || (rc = mlr_cursor_u64(&g->in, &n, g->err)) < 0)
        return rc;
    if (type >= N_VALUE_TYPES)
        return broken(g, "metadata", g->key.data, "an array of an unknown type");
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

static int read_pair(gguf *g)
{
    uint32_t type;
    int      rc;

    if ((rc = read_name(g, "metadata key")) < 0 || (rc = mlr_cursor_u32(&g->in, &type, g->err)) < 0)
        return rc;
    if (type >= N_VALUE_TYPES)
        return broken(g, "metadata", g->key.data, "a value of an unknown type");
    if (is_alignment(g) && type != VALUE_U32)
        return broken(g, "metadata", g->key.data, "no 32-bit number");
    if (type == VALUE_STRING)
        return read_string(g);
    if (type != VALUE_ARRAY)
        return read_scalar(g, type);
    if ((rc = skip_array(g, 0)) < 0)
        return rc;
    return mlr_tensors_add_metadata(g->tensors, g->key.data, NULL, g->err);
}

/* ---- tensors ---- */

static int read_dimensions(gguf *g, mlr_tensor *x)
{
    int rc = mlr_cursor_u32(&g->in, &x->rank, g->err);

    if (rc < 0)
        return rc;
    if (x->rank > MAX_DIMENSIONS)
        return broken(g, "tensor", x->name, "more than 4 dimensions");
    for (unsigned i = x->rank; i-- > 0 && rc == 0;)    /* stored innermost first */
        rc = mlr_cursor_u64(&g->in, &x->shape[i], g->err);
    return rc;
}

/* The bytes that shape and type ask for; END_UNKNOWN where the type is not known. */
static int bytes_of(const gguf *g, const mlr_tensor *x, const mlr_gguf_type *type, uint64_t *out)
{
    uint64_t n, row = x->rank > 0 ? x->shape[x->rank - 1] : 1;

    if (!mlr_tensor_elements(x, &n))
        return broken(g, "tensor", x->name, "a shape of more bytes than any file has");
    *out = END_UNKNOWN;
    if (type == NULL)
        return 0;
    if (row % type->block != 0)
        return broken(g, "tensor", x->name, "its rows are no whole number of blocks");
    if (__builtin_mul_overflow(n / type->block, type->block_bytes, out))
        return broken(g, "tensor", x->name, "a shape of more bytes than any file has");
    return 0;
}

/* Places still count from where the data begins, which is known only behind the last of these. */
static int read_tensor(gguf *g)
{
    mlr_tensor           x = {.name = NULL};
    const mlr_gguf_type *type;
    uint32_t             id;
    uint64_t             bytes = 0;
    char                 unknown[24];
    int                  rc;

    if ((rc = read_name(g, "tensor")) < 0)
        return rc;
    x.name = g->key.data;
    if ((rc = read_dimensions(g, &x)) < 0 || (rc = mlr_cursor_u32(&g->in, &id, g->err)) < 0 ||
        (rc = mlr_cursor_u64(&g->in, &x.begin, g->err)) < 0)
        return rc;
    type = mlr_gguf_type_of(id);
    snprintf(unknown, sizeof unknown, "type %" PRIu32, id);
    x.dtype = type != NULL ? type->name : unknown;
    if ((rc = bytes_of(g, &x, type, &bytes)) < 0)
        return rc;
    if (x.begin % g->alignment != 0)
        return broken(g, "tensor", x.name, "its offset is not aligned");
    x.end = bytes;
    if (type != NULL && __builtin_add_overflow(x.begin, bytes, &x.end))
        return broken(g, "tensor", x.name, "lies outside the file");
    return mlr_tensors_add(g->tensors, &x, g->err);
}

/* Turns offsets into places in the file; none may lie outside. */
static int place_tensors(gguf *g, uint64_t data_at, uint64_t file_bytes)
{
    uint64_t data_bytes = file_bytes > data_at ? file_bytes - data_at : 0;

    for (size_t i = 0; i < mlr_tensors_count(g->tensors); i++) {
        mlr_tensor *x = mlr_tensors_edit(g->tensors, i);
        if (data_at > file_bytes || x->begin > data_bytes || (x->end != END_UNKNOWN && x->end > data_bytes))
            return broken(g, "tensor", x->name, "lies outside the file");
        x->begin += data_at;
        if (x->end != END_UNKNOWN)
            x->end += data_at;
    }
    return mlr_tensors_finish(g->tensors, g->err);
}

/* No two may share bytes; one of unknown type is taken to reach to the next. */
static int bound_tensors(gguf *g, uint64_t file_bytes)
{
    uint64_t next = file_bytes;

    for (size_t i = mlr_tensors_count(g->tensors); i-- > 0;) {
        mlr_tensor *x = mlr_tensors_edit(g->tensors, i);
        if (x->end == END_UNKNOWN)
            x->end = next;
        if (x->end > next)
            return broken(g, "tensor", x->name, "overlaps another");
        next = x->begin;
    }
    return mlr_tensors_check_names(g->tensors, g->file, g->err);
}

/* ---- the whole ---- */

static int read_start(gguf *g)
{
    char     magic[4];
    uint32_t version;
    int      rc;

    if ((rc = mlr_cursor_bytes(&g->in, magic, sizeof magic, g->err)) < 0)
        return rc;
    if (memcmp(magic, "GGUF", sizeof magic) != 0)
        return mlr_error_set(g->err, MLREG_EPROTO, "%s: no GGUF file", g->file);
    if ((rc = mlr_cursor_u32(&g->in, &version, g->err)) < 0)
        return rc;
    if (version != 0 && (version & 0xFFFF) == 0)
        return mlr_error_set(g->err, MLREG_ENOTSUP, "%s: big-endian GGUF is not supported", g->file);
    if (version != 2 && version != 3)
        return mlr_error_set(g->err, MLREG_ENOTSUP, "%s: GGUF version %" PRIu32 " is not supported, 2 and 3 are",
                             g->file, version);
    if ((rc = mlr_cursor_u64(&g->in, &g->n_tensors, g->err)) < 0 ||
        (rc = mlr_cursor_u64(&g->in, &g->n_keys, g->err)) < 0)
        return rc;
    if (g->n_tensors > MAX_KEYS || g->n_keys > MAX_KEYS)
        return mlr_error_set(g->err, MLREG_ELIMIT, "%s: more than %d metadata keys or tensors", g->file, MAX_KEYS);
    return 0;
}

static int read_header(gguf *g)
{
    uint64_t file_bytes = g->in.reader->bytes, mask;
    int      rc = read_start(g);

    for (uint64_t i = 0; i < g->n_keys && rc == 0; i++)
        rc = read_pair(g);
    for (uint64_t i = 0; i < g->n_tensors && rc == 0; i++)
        rc = read_tensor(g);
    mask = g->alignment - 1;
    if (rc < 0 || (rc = place_tensors(g, (g->in.at + mask) & ~mask, file_bytes)) < 0)
        return rc;
    return bound_tensors(g, file_bytes);
}

int mlr_gguf_read(mlr_reader *r, mlr_op *op, mlr_tensors **out, mlreg_error **err)
{
    gguf g = {.file = r->name, .key = MLR_BUF_INIT(NAME_MAX_BYTES), .text = MLR_BUF_INIT(METADATA_MAX_BYTES),
              .alignment = DEFAULT_ALIGNMENT, .err = err};
    int  rc;

    if ((rc = mlr_cursor_init(&g.in, r, HEADER_MAX_BYTES, op, err)) < 0 ||
        (rc = mlr_tensors_new(&g.tensors, err)) < 0 ||
        (rc = read_header(&g)) < 0)
        goto out;
    *out = g.tensors;
    g.tensors = NULL;
out:
    mlr_tensors_free(g.tensors);
    mlr_buf_done(&g.key);
    mlr_buf_done(&g.text);
    mlr_cursor_done(&g.in);
    return rc;
}
