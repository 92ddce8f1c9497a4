/* codec/tarfile.c - where in a plain tar of one file that file's bytes lie. POSIX.1-2017, "pax". */
#include "codec/tarfile.h"

#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "codec/tarhead.h"

#define HEADERS_MAX   64
#define PAX_MAX_BYTES (64u << 10)
#define PIECE_BYTES   8192u

struct look {
    mlr_reader *reader;
    mlr_op *op;
    uint64_t at;                   /* of the next header */
    uint64_t piece_at, piece_bytes;
    uint64_t pax_size;             /* of the next member, as pax has it; MLREG_NONE: it says nothing */
    bool has_holes;                /* of the next member, only a map and what lies between its holes are here */
    uint8_t piece[PIECE_BYTES];
};

static int no_file(const struct look *k, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_ENOTSUP, "%s is no plain tar of one file", k->reader->name);

    return mlr_error_hint(err, rc, "check the artifact out, or unpack the image, and read the file there");
}

static int has_holes(const struct look *k, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_ENOTSUP, "%s is a tar that leaves out the holes of its file", k->reader->name);

    return mlr_error_hint(err, rc, "check the artifact out, or unpack the image, and read the file there");
}

/* The block at `at`, borrowed until the next call. */
static int block_at(struct look *k, uint64_t at, const uint8_t **out, mlreg_error **err)
{
    if (at < k->piece_at || at + MLR_TAR_BLOCK_BYTES > k->piece_at + k->piece_bytes) {
        int64_t n = mlr_reader_read_at(k->reader, at, k->piece, PIECE_BYTES, k->op, err);

        if (n < 0)
            return (int)n;
        k->piece_at = at;
        k->piece_bytes = (uint64_t)n;
        if (n < (int64_t)MLR_TAR_BLOCK_BYTES)
            return no_file(k, err);
    }
    *out = k->piece + (at - k->piece_at);
    return 0;
}

/* ---- a header ---- */

static bool number(const uint8_t *text, size_t len, unsigned base, uint64_t *out)
{
    uint64_t n = 0;
    size_t i = 0;

    for (; i < len && text[i] >= '0' && text[i] < '0' + base; i++) {
        if (n > (UINT64_C(1) << 59))
            return false;
        n = n * base + (text[i] - '0');
    }
    *out = n;
    return i > 0;
}

static bool sound(const uint8_t *h)
{
    uint64_t want = 0, sum = 0;
    const uint8_t *digits = h + 148;

    for (size_t i = 0; i < MLR_TAR_BLOCK_BYTES; i++)
        sum += i >= 148 && i < 156 ? ' ' : h[i];
    while (*digits == ' ' && digits < h + 155)
        digits++;
    return number(digits, (size_t)(h + 156 - digits), 8, &want) && want == sum && memcmp(h + 257, "ustar", 5) == 0;
}

/* Octal, or behind a bit a binary number, of which eleven bytes are here. */
static bool size_of(const uint8_t *h, uint64_t *out)
{
    uint64_t n = 0;

    if (h[124] != 0x80)
        return number(h + 124, 12, 8, out);
    for (size_t i = 125; i < 136; i++) {
        if (n >= UINT64_C(1) << 54)
            return false;
        n = n << 8 | h[i];
    }
    *out = n;
    return true;
}

static bool begins(const uint8_t *text, size_t len, const char *with)
{
    return len >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

/* "key=value", without the length before it and the line's end. */
static bool take_record(struct look *k, const uint8_t *text, size_t len)
{
    k->has_holes = k->has_holes || begins(text, len, "GNU.sparse.");
    if (!begins(text, len, "size="))
        return true;
    for (size_t i = 5; i < len; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return number(text + 5, len - 5, 10, &k->pax_size);
}

/* What cannot be read is no size that may be passed over. */
static bool take_records(struct look *k, const uint8_t *text, size_t len)
{
    while (len > 0) {
        uint64_t whole;
        size_t key = 0;

        if (!number(text, len, 10, &whole) || whole > len)
            return false;
        while (key < whole && text[key++] != ' ')
            continue;
        if (key >= whole || text[whole - 1] != '\n' || !take_record(k, text + key, (size_t)whole - key - 1))
            return false;
        text += whole;
        len -= (size_t)whole;
    }
    return true;
}

static int take_pax(struct look *k, uint64_t bytes, mlreg_error **err)
{
    uint8_t *text;
    int64_t n;
    bool is_sound;

    if (bytes > PAX_MAX_BYTES)
        return no_file(k, err);
    if ((text = mlr_alloc((size_t)bytes + 1)) == NULL)
        return mlr_error_nomem(err);
    n = mlr_reader_read_at(k->reader, k->at + MLR_TAR_BLOCK_BYTES, text, (size_t)bytes, k->op, err);
    is_sound = n >= 0 && take_records(k, text, (size_t)n);
    mlr_free(text);
    if (n < 0)
        return (int)n;
    return is_sound ? 0 : no_file(k, err);
}

/* ---- the tar ---- */

static int check_end(struct look *k, uint64_t end, mlreg_error **err)
{
    static const uint8_t zeros[MLR_TAR_BLOCK_BYTES];
    const uint8_t *h;
    int rc;

    if (end > k->reader->bytes)
        return no_file(k, err);
    if (end == k->reader->bytes)
        return 0;
    if ((rc = block_at(k, end, &h, err)) < 0)
        return rc;
    return memcmp(h, zeros, sizeof zeros) == 0 ? 0 : no_file(k, err);
}

/* The file whose header is at `at`, `size` long unless pax says otherwise: 1. */
static int take_file(struct look *k, uint64_t size, uint64_t *offset, uint64_t *bytes, mlreg_error **err)
{
    int rc;

    *offset = k->at + MLR_TAR_BLOCK_BYTES;
    *bytes = k->pax_size != MLREG_NONE ? k->pax_size : size;
    rc = *bytes > k->reader->bytes ? no_file(k, err) : check_end(k, *offset + *bytes + mlr_tarhead_fill(*bytes), err);
    return rc < 0 ? rc : 1;
}

/* 1: the file was found; 0: look on. */
static int take_header(struct look *k, uint64_t *offset, uint64_t *bytes, mlreg_error **err)
{
    const uint8_t *h;
    uint64_t size;
    char type;
    int rc;

    if ((rc = block_at(k, k->at, &h, err)) < 0)
        return rc;
    if (!sound(h) || !size_of(h, &size))
        return no_file(k, err);
    type = h[156] != '\0' ? (char)h[156] : '0';
    if (type == 'S' || (type == '0' && k->has_holes))
        return has_holes(k, err);
    if (type == '0')
        return take_file(k, size, offset, bytes, err);
    if (strchr("5xgLK", type) == NULL)
        return no_file(k, err);
    if (type == '5') {
        k->pax_size = MLREG_NONE;
        k->has_holes = false;
        size = 0;
    }
    rc = type == 'x' ? take_pax(k, size, err) : 0;
    if (size > k->reader->bytes)
        return no_file(k, err);
    k->at += MLR_TAR_BLOCK_BYTES + size + mlr_tarhead_fill(size);
    return rc;
}

int mlr_tarfile_find(mlr_reader *r, mlr_op *op, uint64_t *offset, uint64_t *bytes, mlreg_error **err)
{
    struct look *k = mlr_alloc(sizeof *k);
    int rc = 0;

    if (k == NULL)
        return mlr_error_nomem(err);
    k->reader = r;
    k->op = op;
    k->pax_size = MLREG_NONE;
    for (int i = 0; i < HEADERS_MAX && rc == 0; i++)
        rc = take_header(k, offset, bytes, err);
    if (rc == 0)
        rc = no_file(k, err);
    mlr_free(k);
    return rc < 0 ? rc : 0;
}
