/* net/auth_challenge.c - WWW-Authenticate values, read one challenge at a time. */
#include "net/auth.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/error.h"

#define VALUE_MAX_BYTES (16u << 10)
#define PARAMETERS_MAX  64               /* of one challenge; known are five */

#define BLANKS "\t "

void mlr_challenge_done(mlr_challenge *c)
{
    mlr_free(c->scheme);
    mlr_free(c->realm);
    mlr_free(c->service);
    mlr_free(c->scope);
    mlr_free(c->error);
    *c = (mlr_challenge){0};
}

static size_t token_length(const char *at)
{
    return strspn(at, "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
}

/* Behind a token68 ("Negotiate YIIB==") if one stands here as all there is until the next comma, else `at`. */
static const char *skip_token68(const char *at)
{
    const char *end = at + strspn(at, "-._~+/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    end += strspn(end, "=");
    end += strspn(end, BLANKS);
    return *end == ',' || *end == '\0' ? end : at;
}

/* Where a quoted string ends that began before `at`: behind its quote, or NULL if it has none. */
static const char *quoted_end(const char *at)
{
    for (; *at != '"'; at++) {
        if (*at == '\\' && at[1] != '\0')
            at++;
        if (*at == '\0')
            return NULL;
    }
    return at + 1;
}

static int copy_unescaped(const char *from, const char *end, char **out, mlreg_error **err)
{
    char *to = mlr_alloc((size_t)(end - from) + 1);

    if (to == NULL)
        return mlr_error_nomem(err);
    *out = to;
    while (from < end) {
        if (*from == '\\' && from + 1 < end)
            from++;
        *to++ = *from++;
    }
    return 0;
}

/* The parameter whose name stands at `name`; NULL if it is none that anybody here reads. */
static char **member_of(mlr_challenge *c, const char *name, size_t len)
{
    const struct {
        const char *name;
        char      **member;
    } known[] = {{"realm", &c->realm}, {"service", &c->service}, {"scope", &c->scope}, {"error", &c->error}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i].name) == len && strncasecmp(known[i].name, name, len) == 0)
            return known[i].member;
    return NULL;
}

/* Reads `name = value` at *at into its member: 1; 0, and *at as it was, if something else stands there. Of a name
 * that comes twice the first counts. */
static int parameter(const char **at, mlr_challenge *c, mlreg_error **err)
{
    size_t      len = token_length(*at);
    const char *value = *at + len + strspn(*at + len, BLANKS), *end;
    char      **member = member_of(c, *at, len), *ignored = NULL;
    bool        is_quoted;
    int         rc = 0;

    if (len == 0 || *value != '=')
        return 0;
    value++;
    value += strspn(value, BLANKS);
    if ((is_quoted = *value == '"')) {
        value++;
        end = quoted_end(value);
    } else {
        end = value + strcspn(value, BLANKS ",");
    }
    if (end == NULL) {                                 /* a quote without an end: nothing behind it can be trusted */
        *at += strlen(*at);
        return 1;
    }
    if (member == NULL || *member != NULL)
        member = &ignored;
    rc = copy_unescaped(value, is_quoted ? end - 1 : end, member, err);
    mlr_free(ignored);
    *at = end;
    return rc < 0 ? rc : 1;
}

/* To where the next challenge's scheme stands; what belongs to none is skipped. */
static int seek_scheme(const char **at, mlreg_error **err)
{
    mlr_challenge stray = {0};
    int           rc = 0;

    for (;;) {
        *at += strspn(*at, BLANKS ",");
        if ((rc = parameter(at, &stray, err)) < 0 || (rc == 0 && (**at == '\0' || token_length(*at) > 0)))
            break;
        if (rc == 0)
            *at += **at == '"' && quoted_end(*at + 1) != NULL ? (size_t)(quoted_end(*at + 1) - *at) : 1;
    }
    mlr_challenge_done(&stray);
    return rc;
}

static int read_challenge(const char **at, mlr_challenge *c, mlreg_error **err)
{
    size_t len = token_length(*at);
    int    rc = 1;

    if ((c->scheme = mlr_strndup(*at, len)) == NULL)
        return mlr_error_nomem(err);
    *at += len;
    *at = skip_token68(*at + strspn(*at, BLANKS));
    for (int n = 0; rc > 0; n++) {
        *at += strspn(*at, BLANKS ",");
        if (n > PARAMETERS_MAX)
            return mlr_error_set(err, MLREG_EPROTO, "WWW-Authenticate: more than %d parameters", PARAMETERS_MAX);
        rc = parameter(at, c, err);
    }
    return rc;
}

int mlr_challenge_next(const char **cursor, mlr_challenge *out, mlreg_error **err)
{
    mlr_challenge c = {0};
    const char   *at = *cursor;
    int           rc;

    if (strnlen(at, VALUE_MAX_BYTES + 1) > VALUE_MAX_BYTES)
        return mlr_error_set(err, MLREG_EPROTO, "WWW-Authenticate: more than %u bytes", VALUE_MAX_BYTES);
    if ((rc = seek_scheme(&at, err)) < 0)
        return rc;
    if (*at == '\0') {
        *cursor = at;
        return 0;
    }
    if ((rc = read_challenge(&at, &c, err)) < 0) {
        mlr_challenge_done(&c);
        return rc;
    }
    *out = c;
    *cursor = at;
    return 1;
}
