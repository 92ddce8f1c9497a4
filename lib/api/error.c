/* api/error.c - reading an error. */
#include <mlreg.h>

#include "base/error.h"

const char *mlreg_strerror(int code)
{
    switch (code) {
    case MLREG_OK:
        return "success";
#define MLREG_X(name, value, text)                                                                                    \
    case value:                                                                                                       \
        return text;
        MLREG_ERROR_MAP(MLREG_X)
#undef MLREG_X
    default:
        return "unknown error";
    }
}

int mlreg_error_code(const mlreg_error *e)
{
    return e != NULL ? e->code : 0;
}

const char *mlreg_error_message(const mlreg_error *e)
{
    return e != NULL && e->message != NULL ? e->message : mlreg_strerror(mlreg_error_code(e));
}

const char *mlreg_error_subject(const mlreg_error *e)
{
    return e != NULL ? e->subject : NULL;
}

const char *mlreg_error_place(const mlreg_error *e)
{
    return e != NULL ? e->place : NULL;
}

int mlreg_error_http_status(const mlreg_error *e)
{
    return e != NULL ? e->http_status : 0;
}

const char *mlreg_error_registry_code(const mlreg_error *e)
{
    return e != NULL ? e->registry_code : NULL;
}

const char *mlreg_error_hint(const mlreg_error *e)
{
    return e != NULL ? e->hint : NULL;
}

void mlreg_error_free(mlreg_error *e)
{
    mlr_error_done(e);
}
