/* base/buf.c - a byte buffer that grows, and never past its bound. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define FIRST_BYTES 256

static int over_limit(const mlr_buf *b, mlreg_error **err)
{
    return mlr_error_set(err, MLREG_ELIMIT, "more than the %zu bytes allowed here", b->max);
}

int mlr_buf_reserve(mlr_buf *b, size_t more, mlreg_error **err)
{
    size_t need, cap;
    char  *data;

    if (more > b->max - b->len)
        return over_limit(b, err);
    if (__builtin_add_overflow(b->len, more, &need) || __builtin_add_overflow(need, 1, &need))
        return mlr_error_nomem(err);
    if (need <= b->cap)
        return 0;
    cap = b->cap > SIZE_MAX / 2 ? need : b->cap * 2;
    cap = cap < FIRST_BYTES ? FIRST_BYTES : cap;
    if (cap - 1 > b->max)
        cap = b->max + 1;                /* no wrap: max < cap - 1 */
    cap = cap < need ? need : cap;
    if ((data = mlr_realloc_array(b->data, cap, 1)) == NULL)
        return mlr_error_nomem(err);
    b->data = data;
    b->cap = cap;
    b->data[b->len] = '\0';
    return 0;
}

int mlr_buf_add(mlr_buf *b, const void *data, size_t len, mlreg_error **err)
{
    int rc = mlr_buf_reserve(b, len, err);

    if (rc < 0)
        return rc;
    if (len > 0)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
    return 0;
}

int mlr_buf_puts(mlr_buf *b, const char *text, mlreg_error **err)
{
    return mlr_buf_add(b, text, strlen(text), err);
}

int mlr_buf_printf(mlr_buf *b, mlreg_error **err, const char *format, ...)
{
    va_list args;
    int     len, rc;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        return over_limit(b, err);       /* longer than an int can say */
    if ((rc = mlr_buf_reserve(b, (size_t)len, err)) < 0)
        return rc;
    va_start(args, format);
    vsnprintf(b->data + b->len, (size_t)len + 1, format, args);
    va_end(args);
    b->len += (size_t)len;
    return 0;
}

void mlr_buf_clear(mlr_buf *b)
{
    b->len = 0;
    if (b->data != NULL)
        b->data[0] = '\0';
}

char *mlr_buf_take(mlr_buf *b)
{
    char *data = b->data != NULL ? b->data : mlr_strdup("");

    b->data = NULL;
    b->len = b->cap = 0;
    return data;
}

void mlr_buf_done(mlr_buf *b)
{
    mlr_free(b->data);
    b->data = NULL;
    b->len = b->cap = 0;
}

void mlr_buf_wipe(mlr_buf *b)
{
    if (b->data != NULL)
        explicit_bzero(b->data, b->cap);
    mlr_buf_done(b);
}
