/* net/creds_value.c - one set of credentials: checked, filled, wiped. */
#include "net/creds.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "codec/base64.h"

void mlr_creds_wipe(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    mlr_free(secret);
}

void mlr_creds_done(mlr_creds *c)
{
    mlr_creds_wipe(c->name);
    mlr_creds_wipe(c->secret);
    mlr_free(c->looked);
    *c = (mlr_creds){0};
}

static bool has_control(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
        if (*p < 0x20 || *p == 0x7f)
            return true;
    return false;
}

/* What a header line could not carry, or would carry as something else. No message shows the value. */
static int check(mlr_creds_kind kind, const char *name, const char *secret, mlreg_error **err)
{
    if (name != NULL && has_control(name))
        return mlr_error_set(err, MLREG_EINVAL, "the user name holds a control character, such as a line break");
    if (name != NULL && strchr(name, ':') != NULL)
        return mlr_error_set(err, MLREG_EINVAL, "the user name holds a colon, which Basic authentication cannot send");
    if (has_control(secret))
        return mlr_error_set(err, MLREG_EINVAL, "the secret holds a control character, such as a line break");
    if (kind == MLR_CREDS_BEARER && strchr(secret, ' ') != NULL)
        return mlr_error_set(err, MLREG_EINVAL, "the token holds a blank");
    return 0;
}

int mlr_creds_set(mlr_creds *c, mlr_creds_kind kind, const char *name, const char *secret, mlreg_error **err)
{
    char *name_copy = NULL, *secret_copy = NULL;
    int   rc = check(kind, kind == MLR_CREDS_BASIC ? name : NULL, secret, err);

    if (rc < 0)
        return rc;
    secret_copy = mlr_strdup(secret);
    if (kind == MLR_CREDS_BASIC)
        name_copy = mlr_strdup(name);
    if (secret_copy == NULL || (kind == MLR_CREDS_BASIC && name_copy == NULL)) {
        mlr_creds_wipe(secret_copy);
        mlr_free(name_copy);
        return mlr_error_nomem(err);
    }
    mlr_creds_wipe(c->name);
    mlr_creds_wipe(c->secret);
    c->kind = kind;
    c->name = name_copy;
    c->secret = secret_copy;
    return 0;
}

int mlr_creds_encode(const char *name, const char *secret, mlr_buf *out, mlreg_error **err)
{
    size_t  len = strlen(name) + 1 + strlen(secret);
    mlr_buf pair = MLR_BUF_INIT(len);
    int     rc;

    if ((rc = mlr_buf_reserve(&pair, len, err)) == 0 && (rc = mlr_buf_printf(&pair, err, "%s:%s", name, secret)) == 0 &&
        (rc = mlr_buf_reserve(out, (len + 2) / 3 * 4, err)) == 0)
        rc = mlr_base64_encode(pair.data, pair.len, out, err);
    mlr_buf_wipe(&pair);
    return rc;
}
