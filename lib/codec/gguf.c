/* codec/gguf.c - the header of a GGUF file, versions 2 and 3: where its tensors lie. FORMATS.md §6 */
#include "codec/gguf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "codec/gguf_parts.h"
#include "codec/gguf_types.h"

#define HEADER_MAX_BYTES 100000000
#define MAX_KEYS 1000000                       /* and tensors */
#define MAX_DIMENSIONS 4
#define DEFAULT_ALIGNMENT 32
#define END_UNKNOWN UINT64_MAX                 /* of a tensor whose type is not in our table */

/* ---- tensors ---- */

static int read_dimensions(mlr_gguf *g, mlr_tensor *x)
{
    int rc = mlr_cursor_u32(&g->in, &x->rank, g->err);

    if (rc < 0)
        return rc;
    if (x->rank > MAX_DIMENSIONS)
        return mlr_gguf_broken(g, "tensor", x->name, "more than 4 dimensions");
    for (unsigned i = x->rank; i-- > 0 && rc == 0;)    /* stored innermost first */
        rc = mlr_cursor_u64(&g->in, &x->shape[i], g->err);
    return rc;
}

/* The bytes that shape and type ask for; END_UNKNOWN where the type is not known. */
static int bytes_of(const mlr_gguf *g, const mlr_tensor *x, const mlr_gguf_type *type, uint64_t *out)
{
    uint64_t n, row = x->rank > 0 ? x->shape[x->rank - 1] : 1;

    if (!mlr_tensor_elements(x, &n))
        return mlr_gguf_broken(g, "tensor", x->name, "a shape of more bytes than any file has");
    *out = END_UNKNOWN;
    if (type == NULL)
        return 0;
    if (row % type->block != 0)
        return mlr_gguf_broken(g, "tensor", x->name, "its rows are no whole number of blocks");
    if (__builtin_mul_overflow(n / type->block, type->block_bytes, out))
        return mlr_gguf_broken(g, "tensor", x->name, "a shape of more bytes than any file has");
    return 0;
}

/* Places still count from where the data begins, which is known only behind the last of these. */
static int read_tensor(mlr_gguf *g)
{
    mlr_tensor           x = {.name = NULL};
    const mlr_gguf_type *type;
    uint32_t             id;
    uint64_t             bytes = 0;
    char                 unknown[24];
    int                  rc;

    if ((rc = mlr_gguf_read_name(g, "tensor")) < 0)
        return rc;
    x.name = g->name.data;
    if ((rc = read_dimensions(g, &x)) < 0 || (rc = mlr_cursor_u32(&g->in, &id, g->err)) < 0 ||
        (rc = mlr_cursor_u64(&g->in, &x.begin, g->err)) < 0)
        return rc;
    type = mlr_gguf_type_of(id);
    snprintf(unknown, sizeof unknown, "type %" PRIu32, id);
    x.dtype = type != NULL ? type->name : unknown;
    if ((rc = bytes_of(g, &x, type, &bytes)) < 0)
        return rc;
    if (x.begin % g->alignment != 0)
        return mlr_gguf_broken(g, "tensor", x.name, "its offset is not aligned");
    x.end = bytes;
    if (type != NULL && (__builtin_add_overflow(x.begin, bytes, &x.end) || x.end == END_UNKNOWN))
        return mlr_gguf_broken(g, "tensor", x.name, "lies outside the file");
    return mlr_tensors_add(g->tensors, &x, g->err);
}

/* Turns offsets into places in the file; none may lie outside. */
static int place_tensors(mlr_gguf *g, uint64_t data_at, uint64_t file_bytes)
{
    uint64_t data_bytes = file_bytes > data_at ? file_bytes - data_at : 0;

    for (size_t i = 0; i < mlr_tensors_count(g->tensors); i++) {
        mlr_tensor *x = mlr_tensors_edit(g->tensors, i);
        if (data_at > file_bytes || x->begin > data_bytes || (x->end != END_UNKNOWN && x->end > data_bytes))
            return mlr_gguf_broken(g, "tensor", x->name, "lies outside the file");
        x->begin += data_at;
        if (x->end != END_UNKNOWN)
            x->end += data_at;
    }
    mlr_tensors_finish(g->tensors);
    return 0;
}

/* No two may share bytes; one of unknown type is taken to reach to the next. */
static int bound_tensors(mlr_gguf *g, uint64_t file_bytes)
{
    uint64_t next = file_bytes;

    for (size_t i = mlr_tensors_count(g->tensors); i-- > 0;) {
        mlr_tensor *x = mlr_tensors_edit(g->tensors, i);
        if (x->end == END_UNKNOWN)
            x->end = next;
        if (x->end > next)
            return mlr_gguf_broken(g, "tensor", x->name, "overlaps another");
        next = x->begin;
    }
    return mlr_tensors_check_names(g->tensors, g->file, g->err);
}

/* ---- the whole ---- */

static int read_start(mlr_gguf *g)
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

static int read_header(mlr_gguf *g)
{
    uint64_t file_bytes = g->in.reader->bytes, mask;
    int      rc = read_start(g);

    for (uint64_t i = 0; i < g->n_keys && rc == 0; i++)
        rc = mlr_gguf_read_pair(g);
    for (uint64_t i = 0; i < g->n_tensors && rc == 0; i++)
        rc = read_tensor(g);
    mask = g->alignment - 1;
    if (rc < 0 || (rc = place_tensors(g, (g->in.at + mask) & ~mask, file_bytes)) < 0)
        return rc;
    return bound_tensors(g, file_bytes);
}

int mlr_gguf_read(mlr_reader *r, mlr_op *op, mlr_tensors **out, mlreg_error **err)
{
    mlr_gguf g = {.file = r->name, .name = MLR_BUF_INIT(MLR_GGUF_NAME_MAX_BYTES),
                  .text = MLR_BUF_INIT(MLR_GGUF_TEXT_MAX_BYTES), .alignment = DEFAULT_ALIGNMENT, .err = err};
    int      rc;

    if ((rc = mlr_cursor_init(&g.in, r, HEADER_MAX_BYTES, op, err)) < 0 ||
        (rc = mlr_tensors_new(&g.tensors, err)) < 0 ||
        (rc = read_header(&g)) < 0)
        goto out;
    *out = g.tensors;
    g.tensors = NULL;
out:
    mlr_tensors_free(g.tensors);
    mlr_buf_done(&g.name);
    mlr_buf_done(&g.text);
    mlr_cursor_done(&g.in);
    return rc;
}
