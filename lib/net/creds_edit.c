/* net/creds_edit.c - one entry of config.json's auths put in or taken out, every other byte of the text kept. */
#include "net/creds_edit.h"

#include <string.h>

#include "base/error.h"
#include "codec/json.h"
#include "net/creds_key.h"

#define BLANKS " \t\r\n"

/* The text as it now is, and its tree. Each change makes both anew: the files are small and changes are few. */
typedef struct doc {
    const char *path;
    mlr_buf     text;
    mlr_json   *root;
} doc;

/* The bytes of a value, as a range of the text. */
typedef struct span { size_t from, to; } span;

static int parse(doc *d, mlreg_error **err)
{
    mlr_json *root = NULL;
    int       rc = mlr_json_parse(d->text.data, d->text.len, d->path, &root, err);

    if (rc == 0 && mlr_json_type_of(root) != MLR_JSON_OBJECT)
        rc = mlr_error_set(err, MLREG_EPROTO, "%s: no JSON object", d->path);
    if (rc < 0) {
        mlr_json_free(root);
        return mlr_error_subject(err, rc, d->path);
    }
    mlr_json_free(d->root);
    d->root = root;
    return 0;
}

static int open_doc(doc *d, const mlr_buf *text, const char *path, mlreg_error **err)
{
    bool is_empty = text->len == 0 || strspn(text->data, BLANKS) == text->len;
    int  rc;

    *d = (doc){.path = path, .text = MLR_BUF_INIT(text->max)};
    rc = is_empty ? mlr_buf_puts(&d->text, "{}\n", err) : mlr_buf_add(&d->text, text->data, text->len, err);
    return rc < 0 ? rc : parse(d, err);
}

static void close_doc(doc *d)
{
    mlr_json_free(d->root);
    mlr_buf_wipe(&d->text);
}

/* Puts `with` in place of a range of the text; what was taken from the tree before is void then. */
static int replace(doc *d, span where, const char *with, mlreg_error **err)
{
    mlr_buf old = d->text;
    int     rc;

    d->text = (mlr_buf)MLR_BUF_INIT(old.max);
    if ((rc = mlr_buf_reserve(&d->text, old.len - (where.to - where.from) + strlen(with), err)) == 0 &&
        (rc = mlr_buf_add(&d->text, old.data, where.from, err)) == 0 && (rc = mlr_buf_puts(&d->text, with, err)) == 0 &&
        (rc = mlr_buf_add(&d->text, old.data + where.to, old.len - where.to, err)) == 0)
        rc = parse(d, err);
    mlr_buf_wipe(&old);
    return rc;
}

static span span_of(const doc *d, const mlr_json *v)
{
    size_t      all, len;
    const char *start = mlr_json_raw(d->root, &all), *raw = mlr_json_raw(v, &len);
    size_t      from = strspn(d->text.data, BLANKS) + (size_t)(raw - start);

    return (span){from, from + len};
}

/* Right behind the bracket that opens an object. */
static span inside(const doc *d, const mlr_json *object)
{
    size_t at = span_of(d, object).from + 1;

    return (span){at, at};
}

/* Where the key stands that follows what ends at `end`. */
static size_t key_behind(const doc *d, size_t end)
{
    return end + strspn(d->text.data + end, BLANKS ",");
}

/* A member with its key and with one comma, so that what remains is JSON and looks as before. */
static span span_of_member(const doc *d, const mlr_json *object, const mlr_json *member)
{
    const mlr_json *before = NULL;
    span            all = span_of(d, object), own = span_of(d, member);
    size_t          end_before;

    for (const mlr_json *m = mlr_json_first(object); m != member; m = mlr_json_next(m))
        before = m;
    end_before = before != NULL ? span_of(d, before).to : all.from + 1;
    if (mlr_json_next(member) != NULL)
        return (span){key_behind(d, end_before), key_behind(d, own.to)};
    if (before != NULL)
        return (span){end_before, own.to};
    return (span){all.from + 1, all.to - 1};
}

static bool needs_no_escapes(const char *text)
{
    for (const char *p = text; *p != '\0'; p++)
        if (*p <= ' ' || *p == '"' || *p == '\\' || *p == 0x7f)
            return false;
    return text[0] != '\0';
}

/* auths as an object: made where it is missing or null. */
static int have_auths(doc *d, mlreg_error **err)
{
    const mlr_json *auths = mlr_json_get(d->root, "auths");
    bool            is_first = mlr_json_count(d->root) == 0;

    switch (mlr_json_type_of(auths)) {
    case MLR_JSON_OBJECT:
        return 0;
    case MLR_JSON_NULL:
        return replace(d, span_of(d, auths), "{}", err);
    case MLR_JSON_MISSING:
        return replace(d, inside(d, d->root), is_first ? "\n\t\"auths\": {}\n" : "\n\t\"auths\": {},", err);
    default:
        return mlr_error_subject(err, mlr_error_set(err, MLREG_EPROTO, "%s: auths is no object", d->path), d->path);
    }
}

/* auths[key] as an object without secrets: made where it is missing or no object. */
static int have_entry(doc *d, const char *key, mlreg_error **err)
{
    static const char secrets[][14] = {"auth", "username", "password", "identitytoken", "registrytoken"};
    const mlr_json   *auths = mlr_json_get(d->root, "auths"), *entry = mlr_json_get(auths, key), *m;
    mlr_buf           fresh = MLR_BUF_INIT(d->text.max);
    int               rc = 0;

    if (entry == NULL) {
        rc = mlr_buf_printf(&fresh, err, "\n\t\t\"%s\": {}%s", key, mlr_json_count(auths) > 0 ? "," : "\n\t");
        if (rc == 0)
            rc = replace(d, inside(d, auths), fresh.data, err);
        mlr_buf_done(&fresh);
        return rc;
    }
    if (mlr_json_type_of(entry) != MLR_JSON_OBJECT)
        return replace(d, span_of(d, entry), "{}", err);
    for (size_t i = 0; rc == 0 && i < sizeof secrets / sizeof secrets[0]; i++) {
        entry = mlr_json_get(mlr_json_get(d->root, "auths"), key);
        if ((m = mlr_json_get(entry, secrets[i])) != NULL)
            rc = replace(d, span_of_member(d, entry, m), "", err);
    }
    return rc;
}

static int put_auth(doc *d, const char *key, const char *auth, mlreg_error **err)
{
    const mlr_json *entry = mlr_json_get(mlr_json_get(d->root, "auths"), key);
    const char     *end = mlr_json_count(entry) > 0 ? "," : "\n\t\t";
    mlr_buf         member = MLR_BUF_INIT(d->text.max);
    int             rc;

    if ((rc = mlr_buf_reserve(&member, strlen(auth) + 64, err)) == 0 &&
        (rc = mlr_buf_printf(&member, err, "\n\t\t\t\"auth\": \"%s\"%s", auth, end)) == 0)
        rc = replace(d, inside(d, entry), member.data, err);
    mlr_buf_wipe(&member);
    return rc;
}

static void hand_over(doc *d, mlr_buf *text)
{
    mlr_buf_wipe(text);
    *text = d->text;
    d->text = (mlr_buf)MLR_BUF_INIT(0);                /* moved */
}

int mlr_creds_edit_put(mlr_buf *text, const char *path, const char *key, const char *auth, mlreg_error **err)
{
    doc d;
    int rc;

    if (!needs_no_escapes(key) || !needs_no_escapes(auth))
        return mlr_error_set(err, MLREG_EINVAL, "\"%s\" is no name of a registry", key);
    if ((rc = open_doc(&d, text, path, err)) == 0 && (rc = have_auths(&d, err)) == 0 &&
        (rc = have_entry(&d, key, err)) == 0 && (rc = put_auth(&d, key, auth, err)) == 0)
        hand_over(&d, text);
    close_doc(&d);
    return rc;
}

/* The first entry that names `host`, or NULL. */
static const mlr_json *entry_of(const mlr_json *auths, const char *host)
{
    for (const mlr_json *m = mlr_json_first_member(auths); m != NULL; m = mlr_json_next(m))
        if (mlr_creds_key_rank(mlr_json_key(m), host, NULL) > 0)
            return m;
    return NULL;
}

int mlr_creds_edit_remove(mlr_buf *text, const char *path, const char *host, mlreg_error **err)
{
    const mlr_json *auths, *entry;
    doc             d;
    int             rc, n = 0;

    rc = open_doc(&d, text, path, err);
    while (rc == 0 && (entry = entry_of(auths = mlr_json_get(d.root, "auths"), host)) != NULL) {
        rc = replace(&d, span_of_member(&d, auths, entry), "", err);
        n++;
    }
    if (rc == 0 && n > 0)
        hand_over(&d, text);
    close_doc(&d);
    return rc < 0 ? rc : n > 0;
}
