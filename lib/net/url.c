/* net/url.c - URLs taken apart, strictly, and compared. */
#include "net/url_parts.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/error.h"

#define URL_MAX_BYTES  8192
#define HOST_MAX_BYTES 255
#define PORT_MAX       65535

unsigned mlr_url_default_port(const char *scheme)
{
    return strcmp(scheme, "https") == 0 ? 443 : 80;
}

static void lower(char *s)
{
    for (; *s != '\0'; s++)
        if (*s >= 'A' && *s <= 'Z')
            *s = (char)(*s - 'A' + 'a');
}

/* ---- taking apart ---- */

/* Text that is quoted in the error loses its query first: it may hold a signature. */
static int invalid(mlreg_error **err, const char *text, const char *why)
{
    char *shown = mlr_url_shown(text);
    int   rc = mlr_error_set(err, MLREG_EINVAL, "\"%s\" is no usable URL: %s", shown != NULL ? shown : "?", why);

    mlr_free(shown);
    return rc;
}

int mlr_url_check_bytes(const char *text, mlreg_error **err)
{
    size_t len = strlen(text);

    if (len > URL_MAX_BYTES)
        return mlr_error_set(err, MLREG_EINVAL, "a URL of %zu bytes is longer than the %d allowed", len, URL_MAX_BYTES);
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
        if (*p <= ' ' || *p == 0x7f)
            return invalid(err, text, "it holds a blank or a control character");
    return 0;
}

size_t mlr_url_scheme_bytes(const char *text)
{
    return strncasecmp(text, "http://", 7) == 0 ? 7 : strncasecmp(text, "https://", 8) == 0 ? 8 : 0;
}

/* One address has many spellings; inet_ntop's makes them equal. The zone of a link-local one is not allowed. */
static char *ipv6_host(const char *text, size_t len)
{
    char            spelled[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (len >= sizeof spelled)
        return NULL;
    memcpy(spelled, text, len);
    spelled[len] = '\0';
    if (inet_pton(AF_INET6, spelled, &address) != 1)
        return NULL;
    inet_ntop(AF_INET6, &address, spelled, sizeof spelled);
    return mlr_strdup(spelled);
}

static bool is_host_name(const char *host)
{
    size_t len = strlen(host);

    return len > 0 && len <= HOST_MAX_BYTES && host[strspn(host, MLR_URL_LETTERS MLR_URL_DIGITS "-._")] == '\0' && host[0] != '.' &&
           strstr(host, "..") == NULL;
}

static bool read_port(const char *text, size_t len, unsigned *port)
{
    unsigned value = 0;

    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || value > PORT_MAX)
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    if (len > 0 && (value == 0 || value > PORT_MAX))
        return false;
    if (len > 0)
        *port = value;               /* "host:" without a number means the scheme's port, RFC 3986 §3.2.3 */
    return true;
}

/* The authority "host[:port]" of `len` bytes at `at`. */
static int read_authority(const char *text, const char *at, size_t len, mlr_url *u, mlreg_error **err)
{
    bool        bracketed = len > 0 && at[0] == '[';
    const char *end = bracketed ? memchr(at, ']', len) : memchr(at, ':', len);
    size_t      host_bytes;

    if (memchr(at, '@', len) != NULL)
        return invalid(err, text, "it names a user; credentials do not belong into URLs");
    if (bracketed && end == NULL)
        return invalid(err, text, "its '[' is not closed");
    host_bytes = end != NULL ? (size_t)(end - at) : len;
    u->host = bracketed ? ipv6_host(at + 1, host_bytes - 1) : mlr_strndup(at, host_bytes);
    if (u->host == NULL)
        return bracketed ? invalid(err, text, "what stands in its brackets is no IPv6 address") : mlr_error_nomem(err);
    lower(u->host);
    if (!bracketed && !is_host_name(u->host))
        return invalid(err, text, "its host name is empty or holds a character that no host name has");
    host_bytes += bracketed;
    u->port = mlr_url_default_port(u->scheme);
    if (host_bytes < len && (at[host_bytes] != ':' || !read_port(at + host_bytes + 1, len - host_bytes - 1, &u->port)))
        return invalid(err, text, "its port is no number from 1 to 65535");
    return 0;
}

/* Path and query, without the fragment; a '/' is put in front of a query that has no path. */
static char *read_target(const char *at)
{
    size_t len = strcspn(at, "#");

    return at[0] == '/' ? mlr_strndup(at, len) : mlr_asprintf("/%.*s", (int)len, at);
}

int mlr_url_parse(const char *text, mlr_url *out, mlreg_error **err)
{
    mlr_url     u = {NULL, NULL, 0, NULL};
    size_t      prefix;
    const char *authority;
    size_t      len;
    int         rc;

    if ((rc = mlr_url_check_bytes(text, err)) < 0)
        return rc;
    if ((prefix = mlr_url_scheme_bytes(text)) == 0)
        return invalid(err, text, "it does not begin with https:// or http://");
    authority = text + prefix;
    len = strcspn(authority, "/?#");
    if ((u.scheme = mlr_strdup(prefix == 8 ? "https" : "http")) == NULL)
        return mlr_error_nomem(err);
    if ((rc = read_authority(text, authority, len, &u, err)) < 0)
        goto out;
    if ((u.target = read_target(authority + len)) == NULL) {
        rc = mlr_error_nomem(err);
        goto out;
    }
    *out = u;
    return 0;
out:
    mlr_url_done(&u);
    return rc;
}

void mlr_url_done(mlr_url *u)
{
    mlr_free(u->scheme);
    mlr_free(u->host);
    mlr_free(u->target);
    memset(u, 0, sizeof *u);
}

int mlr_url_copy(const mlr_url *u, mlr_url *out, mlreg_error **err)
{
    mlr_url copy = {mlr_strdup(u->scheme), mlr_strdup(u->host), u->port, mlr_strdup(u->target)};

    if (copy.scheme == NULL || copy.host == NULL || copy.target == NULL) {
        mlr_url_done(&copy);
        return mlr_error_nomem(err);
    }
    *out = copy;
    return 0;
}

/* ---- comparing ---- */

bool mlr_url_same_origin(const mlr_url *a, const mlr_url *b)
{
    return strcmp(a->scheme, b->scheme) == 0 && strcmp(a->host, b->host) == 0 && a->port == b->port;
}

bool mlr_url_is_loopback(const mlr_url *u)
{
    static const char local[] = "localhost";
    size_t            len = strlen(u->host), end = sizeof local - 1;
    struct in_addr    v4;
    struct in6_addr   v6;

    if (inet_pton(AF_INET, u->host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
    if (inet_pton(AF_INET6, u->host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return len >= end && strcmp(u->host + len - end, local) == 0 && (len == end || u->host[len - end - 1] == '.');
}
