/* net/url_text.c - URLs made into text, for requests, and for messages without their secrets. */
#include "net/url_parts.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

char *mlr_url_authority(const mlr_url *u)
{
    bool v6 = strchr(u->host, ':') != NULL;
    char port[16] = "";

    if (u->port != mlr_url_default_port(u->scheme))
        snprintf(port, sizeof port, ":%u", u->port);
    return mlr_asprintf("%s%s%s%s", v6 ? "[" : "", u->host, v6 ? "]" : "", port);
}

char *mlr_url_text(const mlr_url *u)
{
    char *authority = mlr_url_authority(u), *text = NULL;

    if (authority != NULL)
        text = mlr_asprintf("%s://%s%s", u->scheme, authority, u->target);
    mlr_free(authority);
    return text;
}

char *mlr_url_encode(const char *text, const char *keep)
{
    static const char hex[] = "0123456789ABCDEF";
    char             *out = mlr_alloc_array(strlen(text) + 1, 3), *to = out;

    if (out == NULL)
        return NULL;
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        if (strchr(MLR_URL_UNRESERVED, *p) != NULL || strchr(keep, *p) != NULL) {
            *to++ = (char)*p;
        } else {
            *to++ = '%';
            *to++ = hex[*p >> 4];
            *to++ = hex[*p & 15];
        }
    }
    *to = '\0';
    return out;
}

char *mlr_url_add_query(const char *url, const char *name, const char *value)
{
    size_t      len = strcspn(url, "#");
    const char *query = memchr(url, '?', len);
    const char *joint = query == NULL ? "?" : len > 0 && strchr("?&", url[len - 1]) != NULL ? "" : "&";
    char       *encoded = mlr_url_encode(value, ""), *out = NULL;

    if (encoded != NULL)
        out = mlr_asprintf("%.*s%s%s=%s", (int)len, url, joint, name, encoded);
    mlr_free(encoded);
    return out;
}

char *mlr_url_shown(const char *url)
{
    size_t      len = strcspn(url, "?#"), scheme = mlr_url_scheme_bytes(url);
    const char *at = NULL;

    for (size_t i = scheme; i < len && url[i] != '/'; i++)
        if (url[i] == '@')
            at = url + i + 1;            /* the last one: what is in front of it is no host */
    if (at == NULL)
        return mlr_strndup(url, len);
    return mlr_asprintf("%.*s%.*s", (int)scheme, url, (int)(len - (size_t)(at - url)), at);
}
