/* base/buf.h - a byte buffer that grows, and never past its bound. */
#ifndef MLR_BASE_BUF_H
#define MLR_BASE_BUF_H
#include <mlreg.h>

typedef struct mlr_buf {
    char  *data;           /* always followed by a zero byte once anything was added; else NULL */
    size_t len, cap;
    size_t max;            /* bytes, without the zero */
} mlr_buf;
#define MLR_BUF_INIT(max_bytes) { NULL, 0, 0, (max_bytes) }

/* 0; ENOMEM; ELIMIT past `max`. On failure the buffer is as before. */
int  mlr_buf_add(mlr_buf *b, const void *data, size_t len, mlreg_error **err);
int  mlr_buf_puts(mlr_buf *b, const char *text, mlreg_error **err);
int  mlr_buf_printf(mlr_buf *b, mlreg_error **err, const char *format, ...) __attribute__((format(printf, 3, 4)));
int  mlr_buf_reserve(mlr_buf *b, size_t more, mlreg_error **err);   /* room for `more` bytes behind len */
void mlr_buf_clear(mlr_buf *b);                              /* empty, memory kept */
char *mlr_buf_take(mlr_buf *b);                              /* the bytes, now the caller's (mlr_free); "" becomes a real empty string; NULL: out of memory */
void mlr_buf_done(mlr_buf *b);
void mlr_buf_wipe(mlr_buf *b);                               /* zeroes the bytes, then done: for secrets (reserve first: growing leaves copies) */
#endif
