/* place/ref.c - references inside a place: taken apart, checked against the grammar, put together again. */
#include "place/ref.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define SHOWN "%.300s" /* of a stranger's text, in messages */

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_alnum(char c)
{
    return is_lower_alnum(c) || is_upper(c);
}

/* How many of a separator may stand together between letters and digits; 0: it is none. */
static size_t longest_run(char separator)
{
    return separator == '.' ? 1 : separator == '_' ? 2 : separator == '-' ? MLR_NAME_MAX : 0;
}

/* [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)* */
static bool is_component(const char *s, size_t len)
{
    size_t run = 0;
    if (len == 0 || !is_lower_alnum(s[0]) || !is_lower_alnum(s[len - 1]))
        return false;
    for (size_t i = 1; i < len; i++) {
        run = is_lower_alnum(s[i]) ? 0 : run + 1;
        if (run > 0 && (run > longest_run(s[i]) || (run > 1 && s[i] != s[i - 1])))
            return false;
    }
    return true;
}

static bool is_port(const char *s, size_t len)
{
    unsigned value = 0;
    if (len == 0 || len > 5)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        value = value * 10 + (unsigned)(s[i] - '0');
    }
    return value >= 1 && value <= 65535;
}

/* Labels of letters, digits and inner '-', joined by '.'. */
static bool is_host_name(const char *s, size_t len)
{
    char before = '.';
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '.' ? before == '.' || before == '-' : s[i] == '-' ? before == '.' : !is_lower_alnum(s[i]))
            return false;
        before = s[i];
    }
    return len > 0 && before != '.' && before != '-';
}

static bool is_ipv6(const char *s, size_t len)
{
    if (len < 4 || s[0] != '[' || s[len - 1] != ']')
        return false;
    for (size_t i = 1; i < len - 1; i++)
        if (strchr("0123456789abcdef:.", s[i]) == NULL)
            return false;
    return true;
}

/* A host with or without port, in lower case: "ghcr.io", "127.0.0.1:5000", "[::1]:5000". */
static bool is_host(const char *s, size_t len)
{
    size_t name = len;
    const char *from = memchr(s, ']', len);
    const char *colon = memchr(from != NULL ? from : s, ':', len - (from != NULL ? (size_t)(from - s) : 0));
    if (colon != NULL) {
        name = (size_t)(colon - s);
        if (!is_port(colon + 1, len - name - 1))
            return false;
    }
    return is_ipv6(s, name) || is_host_name(s, name);
}

static bool is_hex_of_digest(const char *s)
{
    return strlen(s) == MLR_DIGEST_HEX && strspn(s, "0123456789abcdef") == MLR_DIGEST_HEX;
}

/* Why `c` may not stand in a repository's name, with the hint. */
static int explain_component(const char *repo, const char *c, size_t len, mlreg_error **err)
{
    int rc;
    for (size_t i = 0; i < len; i++)
        if (is_upper(c[i])) {
            rc = mlr_error_set(err, MLREG_EINVAL, "repository '" SHOWN "' has upper-case letters", repo);
            return mlr_error_hint(err, rc, "names of repositories are written in lower case; tags need not be");
        }
    if (len == 0)
        rc = mlr_error_set(err, MLREG_EINVAL, "repository '" SHOWN "' has an empty part", repo);
    else
        rc = mlr_error_set(err, MLREG_EINVAL, "repository '" SHOWN "': '%.*s' is no name", repo,
                           (int)(len > 100 ? 100 : len), c);
    return mlr_error_hint(err, rc,
                          "parts between '/' are lower-case letters and digits, joined by '.', '_', '__' or '-'");
}

int mlr_ref_check_repo(const char *repo, bool with_host, mlreg_error **err)
{
    int rc = 0;
    if (strlen(repo) > MLR_NAME_MAX)
        rc = mlr_error_set(err, MLREG_EINVAL, "repository '" SHOWN "' is longer than %d characters", repo,
                           MLR_NAME_MAX);
    else if (is_hex_of_digest(repo)) {
        rc = mlr_error_set(err, MLREG_EINVAL, "repository '" SHOWN "' looks like a digest", repo);
        mlr_error_hint(err, rc, "a digest is written behind the repository: 'repo@sha256:%s'", repo);
    }
    for (const char *c = repo; rc == 0; c++) {
        size_t len = strcspn(c, "/");
        bool host = with_host && c == repo && c[len] == '/';
        if (!is_component(c, len) && !(host && is_host(c, len)))
            rc = explain_component(repo, c, len, err);
        c += len;
        if (*c == 0)
            break;
    }
    return rc;
}

int mlr_ref_check_tag(const char *tag, mlreg_error **err)
{
    size_t len = strlen(tag);
    int    rc = 0;
    if (len == 0)
        rc = mlr_error_set(err, MLREG_EINVAL, "the tag is empty");
    else if (len > MLR_TAG_MAX)
        rc = mlr_error_set(err, MLREG_EINVAL, "tag '%.40s…' has %zu characters, %d are allowed", tag, len, MLR_TAG_MAX);
    else if (!is_alnum(tag[0]) && tag[0] != '_')
        rc = mlr_error_set(err, MLREG_EINVAL, "tag '%s' begins with neither a letter, a digit nor '_'", tag);
    for (size_t i = 0; rc == 0 && i < len; i++)
        if (!is_alnum(tag[i]) && strchr("_.-", tag[i]) == NULL)
            rc = mlr_error_set(err, MLREG_EINVAL, "tag '%s' has a character that is not allowed", tag);
    return mlr_error_hint(err, rc,
                          "a tag is 1 to %d letters, digits, '_', '.' and '-', beginning with a letter, digit or '_'",
                          MLR_TAG_MAX);
}

/* Where the tag's ':' is: the last one behind the last '/'; inside "[::1]" there is none. */
static const char *find_tag(const char *text, size_t len)
{
    for (size_t i = len; i > 0 && text[i - 1] != '/' && text[i - 1] != ']'; i--)
        if (text[i - 1] == ':')
            return text + i - 1;
    return NULL;
}

/* Hosts mean the same in any case: written small, so that one repository is one directory. */
static void lower_host(char *repo)
{
    size_t len = strcspn(repo, "/");
    if (repo[len] == 0 || (memchr(repo, '.', len) == NULL && memchr(repo, ':', len) == NULL))
        return;
    for (size_t i = 0; i < len; i++)
        if (is_upper(repo[i]))
            repo[i] = (char)(repo[i] - 'A' + 'a');
}

int mlr_ref_parse(const char *text, mlr_ref *out, mlreg_error **err)
{
    mlr_ref     r = { NULL, NULL, { "" } };
    const char *at = strchr(text, '@');
    size_t      len = at != NULL ? (size_t)(at - text) : strlen(text);
    const char *colon = find_tag(text, len);
    size_t      repo_len = colon != NULL ? (size_t)(colon - text) : len;
    int         rc = 0;

    r.repo = mlr_strndup(text, repo_len);
    if (colon != NULL)
        r.tag = mlr_strndup(colon + 1, len - repo_len - 1);
    if (r.repo == NULL || (colon != NULL && r.tag == NULL)) {
        rc = mlr_error_nomem(err);
        goto out;
    }
    lower_host(r.repo);
    if ((at != NULL && (rc = mlr_digest_parse(at + 1, &r.digest, err)) < 0) ||
        (r.tag != NULL && (rc = mlr_ref_check_tag(r.tag, err)) < 0) ||
        (r.repo[0] != 0 && (rc = mlr_ref_check_repo(r.repo, true, err)) < 0))
        goto out;
    *out = r;
    r = (mlr_ref){ NULL, NULL, { "" } };
out:
    mlr_ref_done(&r);
    return mlr_error_subject(err, rc, text);
}

int mlr_ref_copy(const mlr_ref *r, mlr_ref *out, mlreg_error **err)
{
    mlr_ref c = { NULL, NULL, r->digest };
    if ((r->repo != NULL && (c.repo = mlr_strdup(r->repo)) == NULL) ||
        (r->tag != NULL && (c.tag = mlr_strdup(r->tag)) == NULL)) {
        mlr_ref_done(&c);
        return mlr_error_nomem(err);
    }
    *out = c;
    return 0;
}

char *mlr_ref_text(const mlr_ref *r)
{
    return mlr_asprintf("%s%s%s%s%s", r->repo != NULL ? r->repo : "", r->tag != NULL ? ":" : "",
                        r->tag != NULL ? r->tag : "", r->digest.text[0] != 0 ? "@" : "", r->digest.text);
}

void mlr_ref_done(mlr_ref *r)
{
    mlr_free(r->repo);
    mlr_free(r->tag);
    *r = (mlr_ref){ NULL, NULL, { "" } };
}

const char *mlr_ref_word(const mlr_ref *r)
{
    return r->digest.text[0] != 0 ? r->digest.text : r->tag;
}
