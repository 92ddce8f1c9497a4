/* codec/safetensors.c - the header of a safetensors file, believed only as far as it adds up. FORMATS.md §6 */
#include "codec/safetensors.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "codec/json.h"

#define HEADER_MAX_BYTES 100000000             /* as the format's own reader has it */
#define LENGTH_BYTES 8                         /* of the number in front of the header */

static const struct { char name[12]; uint32_t bits; } dtypes[] = {
    {"BOOL", 8}, {"U8", 8}, {"I8", 8}, {"U16", 16}, {"I16", 16}, {"U32", 32}, {"I32", 32}, {"U64", 64}, {"I64", 64},
    {"F16", 16}, {"BF16", 16}, {"F32", 32}, {"F64", 64}, {"C64", 64},
    {"F8_E4M3", 8}, {"F8_E5M2", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8},
    {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F4", 4},
};

typedef struct header {
    const char  *file;
    uint64_t     data_at;                      /* where the header ends, which is where offsets count from */
    uint64_t     data_bytes;
    mlr_tensors *tensors;
} header;

static uint64_t bits_of(const char *dtype)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++)
        if (strcmp(dtypes[i].name, dtype) == 0)
            return dtypes[i].bits;
    return 0;
}

static int broken(const header *h, const mlr_tensor *x, mlreg_error **err, const char *rule)
{
    return mlr_error_set(err, MLREG_EPROTO, "%s: tensor \"%s\": %s", h->file, x->name, rule);
}

static int read_metadata(const header *h, const mlr_json *metadata, mlreg_error **err)
{
    int rc = 0;

    if (mlr_json_type_of(metadata) != MLR_JSON_OBJECT)
        return mlr_error_set(err, MLREG_EPROTO, "%s: __metadata__ is no object", h->file);
    for (const mlr_json *m = mlr_json_first(metadata); m != NULL && rc == 0; m = mlr_json_next(m)) {
        if (mlr_json_type_of(m) != MLR_JSON_STRING)
            return mlr_error_set(err, MLREG_EPROTO, "%s: __metadata__ \"%s\" is no string", h->file, mlr_json_key(m));
        rc = mlr_tensors_add_metadata(h->tensors, mlr_json_key(m), mlr_json_string(m), err);
    }
    return rc;
}

static int read_shape(const header *h, const mlr_json *shape, mlr_tensor *x, mlreg_error **err)
{
    if (mlr_json_type_of(shape) != MLR_JSON_ARRAY)
        return broken(h, x, err, "no shape");
    if (mlr_json_count(shape) > MLR_TENSOR_MAX_RANK)
        return mlr_error_set(err, MLREG_ELIMIT, "%s: tensor \"%s\": %zu dimensions, more than %d", h->file, x->name,
                             mlr_json_count(shape), MLR_TENSOR_MAX_RANK);
    for (const mlr_json *d = mlr_json_first(shape); d != NULL; d = mlr_json_next(d))
        if (!mlr_json_u64(d, &x->shape[x->rank++]))
            return broken(h, x, err, "a dimension that is no size");
    return 0;
}

/* Offsets must lie inside the file and hold exactly what shape and dtype say. */
static int read_place(const header *h, const mlr_json *offsets, mlr_tensor *x, mlreg_error **err)
{
    uint64_t bits = bits_of(x->dtype), n;

    if (mlr_json_type_of(offsets) != MLR_JSON_ARRAY || mlr_json_count(offsets) != 2 ||
        !mlr_json_u64(mlr_json_at(offsets, 0), &x->begin) || !mlr_json_u64(mlr_json_at(offsets, 1), &x->end))
        return broken(h, x, err, "data_offsets are not two sizes");
    if (x->begin > x->end || x->end > h->data_bytes)
        return broken(h, x, err, "data_offsets lie outside the file");
    if (bits == 0)
        return mlr_error_set(err, MLREG_EPROTO, "%s: tensor \"%s\": unknown dtype \"%s\"", h->file, x->name, x->dtype);
    if (!mlr_tensor_elements(x, &n) || __builtin_mul_overflow(n, bits, &n))
        return broken(h, x, err, "a shape of more bytes than any file has");
    if (n % 8 != 0 || n / 8 != x->end - x->begin)
        return broken(h, x, err, "data_offsets disagree with shape and dtype");
    x->begin += h->data_at;
    x->end += h->data_at;
    return 0;
}

static int read_member(const mlr_json *m, void *user, mlreg_error **err)
{
    const header *h = user;
    mlr_tensor    x = {.name = mlr_json_key(m), .dtype = mlr_json_string(mlr_json_get(m, "dtype"))};
    int           rc;

    if (strcmp(x.name, "__metadata__") == 0)
        return read_metadata(h, m, err);
    if (mlr_json_type_of(m) != MLR_JSON_OBJECT)
        return broken(h, &x, err, "no object");
    if (x.dtype == NULL)
        return broken(h, &x, err, "no dtype");
    if ((rc = read_shape(h, mlr_json_get(m, "shape"), &x, err)) < 0 ||
        (rc = read_place(h, mlr_json_get(m, "data_offsets"), &x, err)) < 0)
        return rc;
    return mlr_tensors_add(h->tensors, &x, err);
}

/* The tensors, sorted, follow one another from the header to the last byte. */
static int check_cover(const header *h, mlreg_error **err)
{
    uint64_t at = h->data_at, end = h->data_at + h->data_bytes;

    for (size_t i = 0; i < mlr_tensors_count(h->tensors); i++) {
        const mlr_tensor *x = mlr_tensors_at(h->tensors, i);
        if (x->begin != at)
            return broken(h, x, err, x->begin < at ? "overlaps another" : "leaves a hole before it");
        at = x->end;
    }
    if (at != end)
        return mlr_error_set(err, MLREG_EPROTO, "%s: %" PRIu64 " bytes at its end belong to no tensor", h->file,
                             end - at);
    return 0;
}

static int read_exactly(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    int64_t got = mlr_reader_read_at(r, offset, buf, len, op, err);

    if (got < 0)
        return (int)got;
    return (uint64_t)got == len ? 0 : mlr_error_set(err, MLREG_EIO, "%s: changed while it was read", r->name);
}

static int not_one(mlreg_error **err, int rc)
{
    return mlr_error_hint(err, rc, "what git-lfs leaves in place of a file looks like this, and a download that was cut short: fetch it again");
}

static int read_text(mlr_reader *r, mlr_op *op, mlr_buf *text, mlreg_error **err)
{
    uint8_t  le[LENGTH_BYTES];
    uint64_t len = 0;
    int      rc;

    if (r->bytes < LENGTH_BYTES)
        return not_one(err, mlr_error_set(err, MLREG_EPROTO, "%s: too short for a safetensors file", r->name));
    if ((rc = read_exactly(r, 0, le, sizeof le, op, err)) < 0)
        return rc;
    for (int i = LENGTH_BYTES; i-- > 0;)
        len = len << 8 | le[i];
    if (len > HEADER_MAX_BYTES || len > r->bytes - LENGTH_BYTES)
        return not_one(err, mlr_error_set(err, MLREG_EPROTO, "%s: a header of %" PRIu64 " bytes, more than %s", r->name, len,
                                          len > HEADER_MAX_BYTES ? "100,000,000" : "the file has"));
    if ((rc = mlr_buf_reserve(text, (size_t)len, err)) < 0 ||
        (rc = read_exactly(r, LENGTH_BYTES, text->data, (size_t)len, op, err)) < 0)
        return rc;
    text->len = (size_t)len;
    if (len == 0 || text->data[0] != '{')
        return mlr_error_set(err, MLREG_EPROTO, "%s: its header is no JSON object", r->name);
    return 0;
}

int mlr_safetensors_read(mlr_reader *r, mlr_op *op, mlr_tensors **out, mlreg_error **err)
{
    /* "W" and "w" are two tensors. */
    const mlr_json_rules rules = {.max_bytes = HEADER_MAX_BYTES, .case_matters = true};
    mlr_buf              text = MLR_BUF_INIT(HEADER_MAX_BYTES);
    header               h = {.file = r->name};
    int                  rc;

    if ((rc = mlr_tensors_new(&h.tensors, err)) < 0 || (rc = read_text(r, op, &text, err)) < 0)
        goto out;
    h.data_at = LENGTH_BYTES + text.len;
    h.data_bytes = r->bytes - h.data_at;
    if ((rc = mlr_json_each(&rules, text.data, text.len, r->name, read_member, &h, err)) < 0)
        goto out;
    mlr_tensors_finish(h.tensors);
    if ((rc = check_cover(&h, err)) < 0)
        goto out;
    *out = h.tensors;
    h.tensors = NULL;
out:
    mlr_tensors_free(h.tensors);
    mlr_buf_done(&text);
    return rc;
}
