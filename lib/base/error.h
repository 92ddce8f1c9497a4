/* base/error.h - making errors: a code, one line, and what to do about it. */
#ifndef MLR_BASE_ERROR_H
#define MLR_BASE_ERROR_H
#include <mlreg.h>

struct mlreg_error {
    int   code;            /* MLREG_E* */
    int   http_status;     /* 0: no HTTP answer */
    char *message;         /* one line, control characters replaced */
    char *subject;         /* reference, digest or path; or NULL */
    char *place;           /* or NULL */
    char *registry_code;   /* or NULL */
    char *hint;            /* or NULL */
};

/* Every function below takes `err` as the caller got it (NULL: nobody wants to know) and returns a code, so
 * that `return mlr_error_set(...)` reads well. The first cause stays: a second set changes nothing. */
int mlr_error_set(mlreg_error **err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
int mlr_error_nomem(mlreg_error **err);                      /* static: needs no memory */
/* From errno: the message gets ": <what errno says>". ENOMEM -> ENOMEM, ENOENT -> ENOTFOUND, EACCES, EPERM and
 * EROFS -> EDENIED, EEXIST -> EEXISTS, all else -> EIO; ENOSPC, EDQUOT, EMFILE and EROFS bring a hint. */
int mlr_error_errno(mlreg_error **err, int errnum, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Additions to a failure on its way up; each fills only what is still empty, does nothing for rc >= 0, and
 * returns rc. What runs out of memory here is left out. */
int mlr_error_hint(mlreg_error **err, int rc, const char *format, ...) __attribute__((format(printf, 3, 4)));
int mlr_error_subject(mlreg_error **err, int rc, const char *subject);
int mlr_error_at(mlreg_error **err, int rc, const char *place);
int mlr_error_http(mlreg_error **err, int rc, int status, const char *registry_code);

/* Hands `*from` over to `*to` if that wants it and has none, else frees it; *from is NULL afterwards. */
void mlr_error_move(mlreg_error **to, mlreg_error **from);
void mlr_error_done(mlreg_error *e);                         /* frees; NULL and the static one are fine */
#endif
