/* net/http_proxy.c - the proxy that the environment names for a URL, as libcurl reads it, and whether an exchange took it. */
#include "net/http_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define USED_PROXY (CURLINFO_LONG + 66)      /* CURLINFO_USED_PROXY, which libcurl knows since 8.7 */

static const char *either(const char *name, const char *other)
{
    const char *value = getenv(name);

    if (value == NULL || *value == '\0')
        value = getenv(other);
    return value != NULL && *value != '\0' ? value : NULL;
}

/* HTTP_PROXY does not count: a web server makes it of a stranger's header "Proxy". */
static const char *named_for(const char *scheme)
{
    const char *own = strcmp(scheme, "https") == 0 ? either("https_proxy", "HTTPS_PROXY") : either("http_proxy", "http_proxy");

    return own != NULL ? own : either("all_proxy", "ALL_PROXY");
}

int mlr_http_proxy_name(const mlr_url *url, char **out, mlreg_error **err)
{
    const char *text = mlr_url_is_loopback(url) ? NULL : named_for(url->scheme), *behind;

    *out = NULL;
    if (text == NULL)
        return 0;
    if ((behind = strrchr(text, '@')) != NULL)          /* a password may hold anything else */
        text = behind + 1;
    else if ((behind = strstr(text, "://")) != NULL)
        text = behind + 3;
    *out = mlr_strndup(text, strcspn(text, "/?#"));
    return *out != NULL ? 0 : mlr_error_nomem(err);
}

unsigned mlr_http_proxy_port_here(const char *proxy)
{
    char    *text = proxy != NULL ? mlr_asprintf("http://%s", proxy) : NULL;
    mlr_url  u = {NULL, NULL, 0, NULL};
    unsigned port = 0;

    if (text != NULL && mlr_url_parse(text, &u, NULL) == 0 && mlr_url_is_loopback(&u))
        port = u.port;
    mlr_url_done(&u);
    mlr_free(text);
    return port;
}

/* Before 8.7, what libcurl says names whom it spoke to, unless it waited in vain; then only no_proxy could be why not. */
bool mlr_http_is_proxied(CURL *easy, const char *proxy, const char *text)
{
    long used = -1, connect_status = 0;
    char host[256];

    if (proxy == NULL)
        return false;
    curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &connect_status);
    curl_easy_getinfo(easy, USED_PROXY, &used);
    if (used >= 0 || connect_status != 0)
        return used > 0 || connect_status != 0;
    snprintf(host, sizeof host, "%.*s", (int)strcspn(proxy, ":"), proxy);
    return either("no_proxy", "NO_PROXY") == NULL || strstr(text, host) != NULL;
}
