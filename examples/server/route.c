/* route.c - which request goes where: one table. */
#include "serve.h"

#include <string.h>

/* distribution-spec 1.1, "Endpoints". HEAD goes where GET goes: libmicrohttpd leaves the body out. */
static const route routes[] = {
    { "GET", "/blobs/*", MAY_READ, NULL, NULL, blob_end },
    { "DELETE", "/blobs/*", MAY_WRITE, NULL, NULL, blob_delete_end },
    { "POST", "/blobs/uploads/", MAY_WRITE, upload_begin, upload_body, upload_post_end },
    { "GET", "/blobs/uploads/*", MAY_WRITE, NULL, NULL, upload_status_end },
    { "PATCH", "/blobs/uploads/*", MAY_WRITE, upload_go_on, upload_body, upload_patch_end },
    { "PUT", "/blobs/uploads/*", MAY_WRITE, upload_go_on, upload_body, upload_put_end },
    { "DELETE", "/blobs/uploads/*", MAY_WRITE, NULL, NULL, upload_cancel_end },
    { "GET", "/manifests/*", MAY_READ, NULL, NULL, manifest_end },
    { "PUT", "/manifests/*", MAY_WRITE, NULL, manifest_body, manifest_put_end },
    { "DELETE", "/manifests/*", MAY_WRITE, NULL, NULL, manifest_delete_end },
    { "GET", "/tags/list", MAY_READ, NULL, NULL, tags_end },
    { "GET", "/referrers/*", MAY_READ, NULL, NULL, referrers_end },
    { NULL, NULL, MAY_NOTHING, NULL, NULL, NULL },
};
/* Of no repository. */
static const route fixed[] = {
    { "GET", "/v2/", MAY_READ, NULL, NULL, ping_end },
    { "GET", "/v2", MAY_READ, NULL, NULL, ping_end },
    { "GET", "/v2/_catalog", MAY_READ, NULL, NULL, catalog_end },
    { "GET", "/healthz", MAY_NOTHING, NULL, NULL, health_end },
    { "GET", "/metrics", MAY_READ, NULL, NULL, metrics_end },
    { "GET", "/", MAY_READ, NULL, NULL, page_end },
    { NULL, NULL, MAY_NOTHING, NULL, NULL, NULL },
};

bool is_digest(const char *ref)
{
    return strchr(ref, ':') != NULL;
}

full_name name_of(const char *repo, const char *ref)
{
    full_name n;

    snprintf(n.text, sizeof n.text, "%s%c%s", repo, is_digest(ref) ? '@' : ':', ref);
    return n;
}

void ping_end(request *r)
{
    text t = { NULL, 0, 0, false };

    text_put(&t, "{}");
    answer_text(r, MHD_HTTP_OK, "application/json", &t, NULL);
}

static bool same_method(const route *at, const char *method)
{
    return strcmp(at->method, strcmp(method, "HEAD") == 0 ? "GET" : method) == 0;
}

/* [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/…)*, distribution-spec 1.1, "Pulling manifests": nothing of it can leave a directory. */
static bool is_name(const char *s)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";

    for (;;) {
        size_t n = strspn(s, letters);
        if (n == 0)
            return false;
        s += n;
        if (*s == '\0')
            return true;
        if (*s == '/' || *s == '.')
            s++;
        else if (*s == '_')
            s += s[1] == '_' ? 2 : 1;
        else if (*s == '-')
            s += strspn(s, "-");
        else
            return false;
    }
}

/* Whether `path`, which follows "/v2/", ends as `tail` says; then the rest is the repository. */
static bool matches(const char *path, const char *tail, size_t *name_len, const char **ref)
{
    size_t len = strlen(path), fixed_len = strlen(tail);
    const char *last = path + len;

    if (tail[fixed_len - 1] == '*') {
        while (last > path && last[-1] != '/')
            last--;
        fixed_len--;
        if (*last == '\0' || (size_t)(last - path) <= fixed_len)
            return false;
    } else if (len <= fixed_len) {
        return false;
    }
    *ref = last;
    *name_len = (size_t)(last - path) - fixed_len;
    return memcmp(path + *name_len, tail, fixed_len) == 0;
}

static const route *in_repository(request *r, bool *is_known)
{
    const char *path = r->url + strlen("/v2/");

    for (const route *at = routes; at->method != NULL; at++) {
        size_t name_len;
        const char *ref;
        if (!matches(path, at->tail, &name_len, &ref))
            continue;
        *is_known = true;
        if (!same_method(at, r->method))
            continue;
        if (name_len > NAME_MAX_BYTES || strlen(ref) >= REF_MAX_BYTES) {
            answer_error(r, MHD_HTTP_BAD_REQUEST, "NAME_INVALID", "the name is too long", NULL);
            return NULL;
        }
        memcpy(r->repo, path, name_len);
        r->repo[name_len] = '\0';
        strcpy(r->ref, ref);
        if (is_name(r->repo))
            return at;
        answer_error(r, MHD_HTTP_BAD_REQUEST, "NAME_INVALID", "this is no repository's name", NULL);
        return NULL;
    }
    return NULL;
}

const route *route_find(request *r)
{
    const route *found = NULL;
    bool is_known = false;

    for (const route *at = fixed; found == NULL && at->method != NULL; at++)
        if (strcmp(r->url, at->tail) == 0) {
            is_known = true;
            found = same_method(at, r->method) ? at : NULL;
        }
    if (found == NULL && strncmp(r->url, "/v2/", 4) == 0)
        found = in_repository(r, &is_known);
    if (found == NULL && is_known)
        answer_error(r, MHD_HTTP_METHOD_NOT_ALLOWED, "UNSUPPORTED", "this cannot be done here", NULL);
    else if (found == NULL)
        answer_error(r, MHD_HTTP_NOT_FOUND, "NAME_UNKNOWN", "there is no such page", NULL);
    return found;
}
