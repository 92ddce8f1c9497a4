/* codec/cursor.h - little-endian numbers and strings of a header, in order, through a window of bounded memory. */
#ifndef MLR_CODEC_CURSOR_H
#define MLR_CODEC_CURSOR_H
#include "base/reader.h"

typedef struct mlr_cursor {
    mlr_reader *reader;
    mlr_op     *op;
    uint64_t    max_bytes;         /* of the header; past it: ELIMIT */
    uint64_t    at;                /* offset in the file of the next byte */
    uint8_t    *window;            /* holds the bytes window_at … window_at + window_bytes */
    uint64_t    window_at;
    size_t      window_bytes;
} mlr_cursor;

int  mlr_cursor_init(mlr_cursor *c, mlr_reader *r, uint64_t max_bytes, mlr_op *op, mlreg_error **err);
void mlr_cursor_done(mlr_cursor *c);           /* zeroed is fine */

/* Each moves on by what it read. EPROTO "ends inside its header" where the file is too short; ELIMIT past max_bytes. */
int  mlr_cursor_bytes(mlr_cursor *c, void *out, size_t len, mlreg_error **err);
int  mlr_cursor_skip(mlr_cursor *c, uint64_t len, mlreg_error **err);
int  mlr_cursor_u32(mlr_cursor *c, uint32_t *out, mlreg_error **err);
int  mlr_cursor_u64(mlr_cursor *c, uint64_t *out, mlreg_error **err);
#endif
