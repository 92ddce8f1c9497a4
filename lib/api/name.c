/* api/name.c - how people write where something is, taken apart. */
#include "api/door.h"

#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "net/url.h"

#define LAYOUT "oci:"

struct mlreg_name {
    char   *location;              /* NULL: a store is meant */
    char   *stored, *text;         /* text: within the location */
    mlr_ref ref;
};

/* The length of the host that `text` begins with, or 0: a first part with a dot or a colon, or "localhost". */
static size_t host_length(const char *text)
{
    size_t n = strcspn(text, "/");

    if (text[n] == '\0' || n == 0)
        return 0;
    if (n == 9 && strncmp(text, "localhost", n) == 0)
        return n;
    for (size_t i = 0; i < n; i++)
        if (text[i] == '.' || text[i] == ':')
            return n;
    return 0;
}

/* What lies on this machine is usually without TLS; who means otherwise writes the scheme. */
static int make_location(mlreg_name *n, const char *scheme, const char *host, mlreg_error **err)
{
    char *text = mlr_asprintf("http://%s", host);
    mlr_url u = { 0 };
    int rc = text != NULL ? mlr_url_parse(text, &u, err) : mlr_error_nomem(err);

    if (rc == 0 && scheme == NULL)
        scheme = mlr_url_is_loopback(&u) ? "http://" : "https://";
    if (rc == 0 && (n->location = mlr_asprintf("%s%s", scheme, host)) == NULL)
        rc = mlr_error_nomem(err);
    mlr_url_done(&u);
    mlr_free(text);
    return rc;
}

static char *lower(const char *text, size_t len)
{
    char *s = mlr_strndup(text, len);

    for (char *c = s; c != NULL && *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return s;
}

/* "host/repository", as one: the grammar of both. */
static int check_stored(const char *host, const char *repo, mlreg_error **err)
{
    char *both = mlr_asprintf("%s/%s", host, repo);
    int rc = both != NULL ? mlr_ref_check_repo(both, true, err) : mlr_error_nomem(err);

    mlr_free(both);
    return rc;
}

static int take_registry(mlreg_name *n, const char *scheme, const char *text, size_t host_bytes, mlreg_error **err)
{
    char *host = lower(text, host_bytes);
    int rc;

    if (host == NULL)
        return mlr_error_nomem(err);
    if ((rc = mlr_ref_parse(text + host_bytes + 1, &n->ref, err)) == 0 && n->ref.repo[0] == '\0')
        rc = mlr_error_set(err, MLREG_EINVAL, "\"%s\" names no repository behind the host", text);
    if (rc == 0 && (rc = check_stored(host, n->ref.repo, err)) == 0 && (rc = make_location(n, scheme, host, err)) == 0) {
        n->text = mlr_ref_text(&n->ref);
        n->stored = n->text != NULL ? mlr_asprintf("%s/%s", host, n->text) : NULL;
    }
    mlr_free(host);
    return rc;
}

/* "DIR[:TAG][@DIGEST]": the tag is behind the last colon, if no slash follows. */
static int take_layout(mlreg_name *n, const char *text, mlreg_error **err)
{
    const char *at = strstr(text, "@sha256:"), *end = at != NULL ? at : text + strlen(text), *colon = NULL;
    char *word;
    int rc;

    for (const char *c = text; c < end; c++)
        colon = *c == ':' ? c : *c == '/' ? NULL : colon;
    n->location = mlr_asprintf("%s%.*s", LAYOUT, (int)((colon != NULL ? colon : end) - text), text);
    if (n->location == NULL)
        return mlr_error_nomem(err);
    if ((colon != NULL ? colon : end) == text)
        return mlr_error_set(err, MLREG_EINVAL, "\"%s%s\" names no folder", LAYOUT, text);
    if ((word = mlr_strdup(colon != NULL ? colon : end)) == NULL)
        return mlr_error_nomem(err);
    if ((rc = mlr_ref_parse(word, &n->ref, err)) == 0) {
        n->text = mlr_strdup(word);
        n->stored = mlr_strdup(n->ref.tag != NULL ? n->ref.tag : n->ref.digest.text);
    }
    mlr_free(word);
    return rc;
}

static int take_store(mlreg_name *n, const char *text, mlreg_error **err)
{
    int rc = mlr_ref_parse(text, &n->ref, err);

    if (rc == 0 && n->ref.repo[0] == '\0') {
        rc = mlr_error_set(err, MLREG_EINVAL, "\"%s\" names no repository", text);
        mlr_error_hint(err, rc, "write NAME:TAG, as in llama:v1, or host/NAME:TAG");
    }
    if (rc == 0) {
        n->text = mlr_ref_text(&n->ref);
        n->stored = mlr_ref_text(&n->ref);
    }
    return rc;
}

static int take(mlreg_name *n, const char *text, mlreg_error **err)
{
    static const char schemes[][9] = { "https://", "http://" };
    size_t host;

    for (size_t i = 0; i < 2; i++)
        if (strncmp(text, schemes[i], strlen(schemes[i])) == 0) {
            const char *rest = text + strlen(schemes[i]);

            if ((host = strcspn(rest, "/")) == 0 || rest[host] == '\0')
                return mlr_error_set(err, MLREG_EINVAL, "\"%s\" names no repository behind the host", text);
            return take_registry(n, schemes[i], rest, host, err);
        }
    if (strncmp(text, LAYOUT, strlen(LAYOUT)) == 0)
        return take_layout(n, text + strlen(LAYOUT), err);
    if (strstr(text, "://") != NULL)
        return mlr_error_hint(err, mlr_error_set(err, MLREG_EINVAL, "\"%s\" is of no scheme that registries have", text), "write https:// or http://, or neither");
    if ((host = host_length(text)) > 0)
        return take_registry(n, NULL, text, host, err);
    return take_store(n, text, err);
}

int mlreg_name_parse(const char *text, mlreg_name **out, mlreg_error **err)
{
    mlreg_name *n;
    int rc;

    if ((rc = mlr_door_needs(text, "text", err)) < 0 || (rc = mlr_door_needs(out, "out", err)) < 0)
        return rc;
    if ((n = mlr_alloc(sizeof *n)) == NULL)
        return mlr_error_nomem(err);
    if ((rc = take(n, text, err)) == 0 && (n->text == NULL || n->stored == NULL))
        rc = mlr_error_nomem(err);
    if (rc < 0) {
        mlreg_name_free(n);
        mlr_error_hint(err, rc, "write host/NAME:TAG, NAME:TAG or oci:DIR:TAG, with @sha256:<64 hex digits> where a digest is meant");
        return mlr_error_subject(err, rc, text);
    }
    *out = n;
    return 0;
}

const char *mlreg_name_location(const mlreg_name *n)
{
    return n != NULL ? n->location : NULL;
}

const char *mlreg_name_ref(const mlreg_name *n)
{
    return n != NULL ? n->text : "";
}

const char *mlreg_name_stored(const mlreg_name *n)
{
    return n != NULL ? n->stored : "";
}

const char *mlreg_name_repository(const mlreg_name *n)
{
    return n != NULL ? n->ref.repo : "";
}

const char *mlreg_name_tag(const mlreg_name *n)
{
    return n != NULL ? n->ref.tag : NULL;
}

const char *mlreg_name_digest(const mlreg_name *n)
{
    return n != NULL && n->ref.digest.text[0] != '\0' ? n->ref.digest.text : NULL;
}

void mlreg_name_free(mlreg_name *n)
{
    if (n == NULL)
        return;
    mlr_ref_done(&n->ref);
    mlr_free(n->location);
    mlr_free(n->stored);
    mlr_free(n->text);
    mlr_free(n);
}
