/* base/error.c - making errors: a code, one line, and what to do about it. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

#define MESSAGE_MAX_BYTES 2048   /* of each text; what strangers put into one must not fill a log */
#define ERRNO_TEXT_BYTES  128    /* kept free for what errno says behind a message */

/* Served when there is no memory for an error. Shared by all threads, so nothing is ever written to it. */
static char        no_memory_message[] = "out of memory";
static mlreg_error no_memory = {MLREG_ENOMEM, 0, no_memory_message, NULL, NULL, NULL, NULL};

/* A copy of `text` that is one line of well-formed UTF-8: every control character and stray byte becomes '?'. Text
 * longer than the cap ends in "...". NULL: out of memory. */
static char *clean(const char *text)
{
    size_t len = strlen(text), end = len > MESSAGE_MAX_BYTES ? MESSAGE_MAX_BYTES - 3 : len, used = 0;
    char  *out = mlr_alloc(end + sizeof "...");

    if (out == NULL)
        return NULL;
    for (size_t at = 0, n; at < end; at += n) {
        uint32_t c = 0;

        n = mlr_utf8_next(text + at, len - at, &c);
        if (at + n > end)
            break;                               /* the cap falls into this character */
        if (n == 0 || mlr_utf8_is_control(c)) {
            out[used++] = '?';
            n = n > 0 ? n : 1;
        } else {
            memcpy(out + used, text + at, n);
            used += n;
        }
    }
    if (end < len)
        memcpy(out + used, "...", 3);
    return out;
}

/* Formats, then cleans; one byte beyond the cap tells clean() that something is missing. */
static char *clean_format(const char *format, va_list args)
{
    char text[MESSAGE_MAX_BYTES + 2];

    if (vsnprintf(text, sizeof text, format, args) < 0)
        return NULL;
    return clean(text);
}

/* Puts an error that consists of `code` and `message` (now its own; NULL: out of memory) into *err, which is empty. */
static int put(mlreg_error **err, int code, char *message)
{
    mlreg_error *e = message != NULL ? mlr_alloc(sizeof *e) : NULL;

    if (e == NULL) {
        mlr_free(message);
        return mlr_error_nomem(err);
    }
    e->code = code;
    e->message = message;
    *err = e;
    return code;
}

int mlr_error_set(mlreg_error **err, int code, const char *format, ...)
{
    va_list args;
    char   *message;

    if (err == NULL)
        return code;
    if (*err != NULL)
        return (*err)->code;
    va_start(args, format);
    message = clean_format(format, args);
    va_end(args);
    return put(err, code, message);
}

int mlr_error_nomem(mlreg_error **err)
{
    if (err != NULL && *err == NULL)
        *err = &no_memory;
    return err != NULL ? (*err)->code : MLREG_ENOMEM;
}

static int code_of_errno(int errnum)
{
    switch (errnum) {
    case ENOMEM: return MLREG_ENOMEM;
    case ENOENT: return MLREG_ENOTFOUND;
    case EEXIST: return MLREG_EEXISTS;
    case EACCES:
    case EPERM:
    case EROFS:  return MLREG_EDENIED;
    default:     return MLREG_EIO;
    }
}

static const char *hint_of_errno(int errnum)
{
    switch (errnum) {
    case ENOSPC: return "free some space on that file system and try again";
    case EDQUOT: return "the disk quota is used up: delete files or have it raised, and try again";
    case EMFILE: return "the process has too many files open: raise its limit (ulimit -n)";
    case EROFS:  return "the file system is mounted read-only: mount it writable or choose another directory";
    case ENOTDIR: return "a file stands where that path needs a directory";
    case ENAMETOOLONG: return "choose a shorter path";
    case ELOOP:  return "links on that path lead round in a circle";
    default:     return NULL;
    }
}

int mlr_error_errno(mlreg_error **err, int errnum, const char *format, ...)
{
    int     code = code_of_errno(errnum);
    char    text[MESSAGE_MAX_BYTES], why[ERRNO_TEXT_BYTES];
    size_t  len;
    va_list args;

    if (err == NULL)
        return code;
    if (*err != NULL)
        return (*err)->code;
    va_start(args, format);
    vsnprintf(text, sizeof text - ERRNO_TEXT_BYTES, format, args);
    va_end(args);
    len = strlen(text);
    snprintf(text + len, sizeof text - len, ": %s", strerror_r(errnum, why, sizeof why));
    code = put(err, code, clean(text));
    if (hint_of_errno(errnum) != NULL)
        mlr_error_hint(err, code, "%s", hint_of_errno(errnum));
    return code;
}

/* The error that may still be added to, or NULL. */
static mlreg_error *addable(mlreg_error **err, int rc)
{
    return rc < 0 && err != NULL && *err != &no_memory ? *err : NULL;
}

int mlr_error_hint(mlreg_error **err, int rc, const char *format, ...)
{
    mlreg_error *e = addable(err, rc);
    va_list      args;

    if (e != NULL && e->hint == NULL) {
        va_start(args, format);
        e->hint = clean_format(format, args);
        va_end(args);
    }
    return rc;
}

int mlr_error_subject(mlreg_error **err, int rc, const char *subject)
{
    mlreg_error *e = addable(err, rc);

    if (e != NULL && e->subject == NULL && subject != NULL)
        e->subject = clean(subject);
    return rc;
}

int mlr_error_at(mlreg_error **err, int rc, const char *place)
{
    mlreg_error *e = addable(err, rc);

    if (e != NULL && e->place == NULL && place != NULL)
        e->place = clean(place);
    return rc;
}

int mlr_error_http(mlreg_error **err, int rc, int status, const char *registry_code)
{
    mlreg_error *e = addable(err, rc);

    if (e != NULL && e->http_status == 0)
        e->http_status = status;
    if (e != NULL && e->registry_code == NULL && registry_code != NULL)
        e->registry_code = clean(registry_code);
    return rc;
}

void mlr_error_move(mlreg_error **to, mlreg_error **from)
{
    if (to != NULL && *to == NULL)
        *to = *from;
    else
        mlr_error_done(*from);
    *from = NULL;
}

void mlr_error_done(mlreg_error *e)
{
    if (e == NULL || e == &no_memory)
        return;
    mlr_free(e->message);
    mlr_free(e->subject);
    mlr_free(e->place);
    mlr_free(e->registry_code);
    mlr_free(e->hint);
    mlr_free(e);
}
