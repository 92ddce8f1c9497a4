/* base/epoch.c - SOURCE_DATE_EPOCH: the one time that goes into what is built, so that the same inputs give the same bytes. */
#include "base/epoch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"

#define VARIABLE "SOURCE_DATE_EPOCH"

int mlr_epoch(int64_t max, int64_t *out, mlreg_error **err)
{
    const char *text = getenv(VARIABLE);
    long long n = 0;
    int rc;

    if (text != NULL && text[0] != '\0') {
        errno = 0;
        n = strtoll(text, NULL, 10);
        if (text[strspn(text, "0123456789")] != '\0' || errno != 0 || n > max) {
            rc = mlr_error_set(err, MLREG_EINVAL, VARIABLE " is \"%.40s\", not a time in seconds since 1970", text);
            return mlr_error_hint(err, rc, "unset it, or set it to a number such as the output of: git log -1 --format=%%ct");
        }
    }
    *out = n;
    return 0;
}
