/* bed/tar.h - tar archives written byte by byte, honest ones and others, plain or compressed. */
#ifndef BED_TAR_H
#define BED_TAR_H
#include <archive.h>
#include <archive_entry.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"

#define BED_TAR_BLOCK 512u
#define BED_TAR_INIT MLR_BUF_INIT((size_t)256 << 20)

static inline void bed_tar_bytes(mlr_buf *tar, const void *data, size_t len)
{
    if (mlr_buf_add(tar, data, len, NULL) < 0)
        abort();
}

/* `data` and the zeros that fill its last block. */
static inline void bed_tar_body(mlr_buf *tar, const void *data, size_t len)
{
    static const char zeros[BED_TAR_BLOCK];

    bed_tar_bytes(tar, data, len);
    bed_tar_bytes(tar, zeros, (BED_TAR_BLOCK - len % BED_TAR_BLOCK) % BED_TAR_BLOCK);
}

/* Sums up the header that ends the archive so far; for those that were changed by hand. */
static inline void bed_tar_seal(mlr_buf *tar)
{
    char    *h = tar->data + tar->len - BED_TAR_BLOCK;
    unsigned sum = 0;

    memset(h + 148, ' ', 8);
    for (size_t i = 0; i < BED_TAR_BLOCK; i++)
        sum += (unsigned char)h[i];
    snprintf(h + 148, 8, "%06o", sum);
}

/* One ustar header; type '0' file, '1' hard link, '2' symbolic link, '3' device, '5' directory, '6' FIFO… */
static inline void bed_tar_header(mlr_buf *tar, char type, const char *name, const char *link, uint64_t bytes)
{
    char h[BED_TAR_BLOCK] = {0};

    memcpy(h, name, strnlen(name, 100));
    memcpy(h + 100, "0000644", 8);
    memcpy(h + 108, "0000000", 8);
    memcpy(h + 116, "0000000", 8);
    snprintf(h + 124, 12, "%011llo", (unsigned long long)(bytes & 077777777777));
    snprintf(h + 136, 12, "%011o", 1700000000u);
    h[156] = type;
    if (link != NULL)
        memcpy(h + 157, link, strnlen(link, 100));
    memcpy(h + 257, "ustar\0" "00", 8);
    bed_tar_bytes(tar, h, sizeof h);
    bed_tar_seal(tar);
}

static inline void bed_tar_file(mlr_buf *tar, const char *name, const void *data, size_t len)
{
    bed_tar_header(tar, '0', name, NULL, len);
    bed_tar_body(tar, data, len);
}

/* A pax header ('x' for the next member, 'g' for all) with one record. */
static inline void bed_tar_pax(mlr_buf *tar, char type, const char *key, const char *value)
{
    size_t len = strlen(key) + strlen(value) + 3, digits = 1;
    char  *record;

    while ((size_t)snprintf(NULL, 0, "%zu", len + digits) != digits)
        digits++;
    if ((record = malloc(len + digits + 1)) == NULL)
        abort();
    snprintf(record, len + digits + 1, "%zu %s=%s\n", len + digits, key, value);
    bed_tar_header(tar, type, "PaxHeader", NULL, len + digits);
    bed_tar_body(tar, record, len + digits);
    free(record);
}

static inline void bed_tar_end(mlr_buf *tar)
{
    static const char zeros[2 * BED_TAR_BLOCK];

    bed_tar_bytes(tar, zeros, sizeof zeros);
}

/* Appends one gzip member or zstd frame that holds `data` to `out`. */
static inline void bed_compress(mlr_buf *out, const char *filter, const void *data, size_t len)
{
    struct archive       *w = archive_write_new();
    struct archive_entry *e = archive_entry_new();
    size_t                room = len + len / 8 + 65536, used = 0;
    char                 *packed = malloc(room);

    if (w == NULL || e == NULL || packed == NULL)
        abort();
    archive_entry_set_filetype(e, AE_IFREG);
    archive_write_set_bytes_in_last_block(w, 1);
    if (archive_write_set_format_raw(w) != ARCHIVE_OK || archive_write_add_filter_by_name(w, filter) != ARCHIVE_OK ||
        archive_write_open_memory(w, packed, room, &used) != ARCHIVE_OK ||
        archive_write_header(w, e) != ARCHIVE_OK || archive_write_data(w, data, len) != (la_ssize_t)len ||
        archive_write_close(w) != ARCHIVE_OK)
        abort();
    bed_tar_bytes(out, packed, used);
    archive_write_free(w);
    archive_entry_free(e);
    free(packed);
}

/* Appends `n` zeros, compressed: the stuff that bombs are made of. */
static inline void bed_compress_zeros(mlr_buf *out, const char *filter, uint64_t n)
{
    const size_t piece = (size_t)16 << 20;
    char        *zeros = calloc(1, piece);
    mlr_buf      one = BED_TAR_INIT;

    if (zeros == NULL)
        abort();
    bed_compress(&one, filter, zeros, piece);
    for (; n >= piece; n -= piece)
        bed_tar_bytes(out, one.data, one.len);
    if (n > 0)
        bed_compress(out, filter, zeros, (size_t)n);
    mlr_buf_done(&one);
    free(zeros);
}
#endif
