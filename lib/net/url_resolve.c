/* net/url_resolve.c - what a reference means where another URL is: RFC 3986 §5.2. */
#include "net/url_parts.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

static bool has_scheme(const char *reference)
{
    size_t n = strspn(reference, MLR_URL_UNRESERVED);   /* what a scheme may hold is among these, '+' apart */

    return n > 0 && reference[n] == ':';
}

/* Takes "." and ".." out of the path at the front of `target`, in place (RFC 3986 §5.2.4); the query is left alone. */
static void remove_dots(char *target)
{
    size_t path_bytes = strcspn(target, "?");
    char  *in = target, *end = target + path_bytes, *out = target;

    while (in < end) {
        char  *next = memchr(in + 1, '/', (size_t)(end - in - 1));
        size_t len = (size_t)((next != NULL ? next : end) - in);          /* of "/segment" */
        bool   one = len == 2 && in[1] == '.', two = len == 3 && in[1] == '.' && in[2] == '.';

        if (two)
            while (out > target && *--out != '/')
                ;
        if (!one && !two) {
            memmove(out, in, len);
            out += len;
        } else if (next == NULL) {
            *out++ = '/';                                                 /* "/a/.." names the directory "/" */
        }
        in += len;
    }
    memmove(out, end, strlen(end) + 1);
}

/* The target that `reference`, which has neither scheme nor authority, means where `base` is. */
static char *merge(const char *base, const char *reference)
{
    size_t path_bytes = strcspn(base, "?"), keep = path_bytes;

    if (reference[0] == '/')
        return mlr_strdup(reference);
    if (reference[0] == '\0')
        return mlr_strdup(base);
    if (reference[0] != '?')
        while (keep > 0 && base[keep - 1] != '/')
            keep--;
    return mlr_asprintf("%.*s%s", (int)keep, base, reference);
}

/* "//host/path" */
static int resolve_authority(const mlr_url *base, const char *reference, mlr_url *out, mlreg_error **err)
{
    char *text = mlr_asprintf("%s:%s", base->scheme, reference);
    int   rc = text != NULL ? mlr_url_parse(text, out, err) : mlr_error_nomem(err);

    mlr_free(text);
    return rc;
}

int mlr_url_resolve(const mlr_url *base, const char *reference, mlr_url *out, mlreg_error **err)
{
    mlr_url u = {NULL, NULL, 0, NULL};
    char   *path = NULL;
    int     rc;

    if ((rc = mlr_url_check_bytes(reference, err)) < 0)
        return rc;
    if (has_scheme(reference))
        return mlr_url_parse(reference, out, err);
    if (reference[0] == '/' && reference[1] == '/')
        return resolve_authority(base, reference, out, err);
    if ((rc = mlr_url_copy(base, &u, err)) < 0)
        return rc;
    mlr_free(u.target);
    if ((path = mlr_strndup(reference, strcspn(reference, "#"))) == NULL ||
        (u.target = merge(base->target, path)) == NULL) {
        u.target = NULL;
        rc = mlr_error_nomem(err);
        goto out;
    }
    remove_dots(u.target);
    *out = u;
    memset(&u, 0, sizeof u);
out:
    mlr_free(path);
    mlr_url_done(&u);
    return rc;
}
