/* net/http_setup.c - one request as options of a libcurl handle. */
#include "net/http_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define RECEIVE_BUFFER_BYTES (256L << 10)   /* measured: 16 KiB moves half as much per second, 512 KiB no more */
#define SEND_BUFFER_BYTES    (1L << 20)
#define SEND_BUFFER_LEAST    (16L << 10)
/* Sent over HTTP/1.1 even where 2 is offered, over which libcurl spins while the server's window is shut (7.88, nginx:
 * 5 CPU seconds per GB where 1.1 takes 1.4, at two thirds of its rate). */
#define LARGE_BODY_BYTES     (1 << 20)
#define KEPT_MAX_S           60L            /* an idle connection of that age is not tried again */

static CURLcode set_manners(const mlr_http *h, CURL *easy)
{
    CURLcode rc = CURLE_OK;

    MLR_HTTP_SET(CURLOPT_NOSIGNAL, 1L);
    MLR_HTTP_SET(CURLOPT_PROTOCOLS_STR, "http,https");
    MLR_HTTP_SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    MLR_HTTP_SET(CURLOPT_PATH_AS_IS, 1L);
    MLR_HTTP_SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    MLR_HTTP_SET(CURLOPT_HTTP_CONTENT_DECODING, 0L);
    MLR_HTTP_SET(CURLOPT_CONNECTTIMEOUT_MS, (long)h->connect_timeout_ms);
    MLR_HTTP_SET(CURLOPT_MAXAGE_CONN, KEPT_MAX_S);
    MLR_HTTP_SET(CURLOPT_TCP_KEEPALIVE, 1L);
    MLR_HTTP_SET(CURLOPT_BUFFERSIZE, RECEIVE_BUFFER_BYTES);
    MLR_HTTP_SET(CURLOPT_USERAGENT, "libmlreg");
#if LIBCURL_VERSION_NUM >= 0x075700
    MLR_HTTP_SET(CURLOPT_QUICK_EXIT, 1L);            /* a name that resolves slowly must not hold up a cancel */
#endif
    return rc;
}

static CURLcode set_tls(const mlr_http *h, CURL *easy, bool foreign)
{
    CURLcode rc = CURLE_OK;

    /* a libcurl without HTTP/2 may refuse */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    MLR_HTTP_SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    MLR_HTTP_SET(CURLOPT_SSL_VERIFYPEER, 1L);
    MLR_HTTP_SET(CURLOPT_SSL_VERIFYHOST, 2L);
    if (h->ca_file != NULL)
        MLR_HTTP_SET(CURLOPT_CAINFO, h->ca_file);
    if (h->ca_alone)
        MLR_HTTP_SET(CURLOPT_CAPATH, NULL);
    if (h->client_cert_file != NULL && !foreign)
        MLR_HTTP_SET(CURLOPT_SSLCERT, h->client_cert_file);
    if (h->client_key_file != NULL && !foreign)
        MLR_HTTP_SET(CURLOPT_SSLKEY, h->client_key_file);
    return rc;
}

static bool takes_body(const char *method)
{
    return strcmp(method, "PUT") == 0 || strcmp(method, "POST") == 0 || strcmp(method, "PATCH") == 0;
}

static CURLcode set_method(CURL *easy, const mlr_request *r)
{
    uint64_t bytes = r->source != NULL ? r->source_bytes : r->body_bytes;
    long     buffer = bytes < (uint64_t)SEND_BUFFER_BYTES ? (long)bytes : SEND_BUFFER_BYTES;
    CURLcode rc = CURLE_OK;

    if (strcmp(r->method, "HEAD") == 0)
        return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    MLR_HTTP_SET(CURLOPT_CUSTOMREQUEST, r->method);
    if (!takes_body(r->method) && bytes == 0)
        return rc;
    MLR_HTTP_SET(CURLOPT_UPLOAD, 1L);
    MLR_HTTP_SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)bytes);
    MLR_HTTP_SET(CURLOPT_UPLOAD_BUFFERSIZE, buffer < SEND_BUFFER_LEAST ? SEND_BUFFER_LEAST : buffer);
    if (bytes >= LARGE_BODY_BYTES)
        MLR_HTTP_SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    return rc;
}

static int add_line(struct curl_slist **list, const char *name, const char *value)
{
    /* "Name;" is how libcurl is told to send a header without a value */
    char              *line = *value != '\0' ? mlr_asprintf("%s: %s", name, value) : mlr_asprintf("%s;", name);
    struct curl_slist *longer = line != NULL ? curl_slist_append(*list, line) : NULL;

    mlr_free(line);
    if (longer == NULL)
        return -1;
    *list = longer;
    return 0;
}

static CURLcode set_headers(CURL *easy, const mlr_request *r, struct curl_slist **list)
{
    struct curl_slist *longer;

    for (size_t i = 0; i < r->n_headers; i++)
        if (add_line(list, r->headers[i].name, r->headers[i].value) < 0)
            return CURLE_OUT_OF_MEMORY;
    if ((longer = curl_slist_append(*list, "Expect:")) == NULL)     /* proxies mishandle 100-continue */
        return CURLE_OUT_OF_MEMORY;
    *list = longer;
    return curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *list);
}

/* From 8.20 on libcurl writes %2f as %2F, and a Location is its server's to understand. What a proxy is asked in the clear begins
 * with the scheme and is left to libcurl. */
static CURLcode set_target(CURL *easy, const mlr_url *url, const char *proxy)
{
    return proxy != NULL && strcmp(url->scheme, "http") == 0 ? CURLE_OK : curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, url->target);
}

int mlr_http_setup(const mlr_http *h, CURL *easy, const mlr_request *r, const mlr_url *url, const char *proxy, struct curl_slist **headers,
                   mlreg_error **err)
{
    char    *text = mlr_url_text(url);
    CURLcode rc = CURLE_OUT_OF_MEMORY;

    if (text != NULL && (rc = set_manners(h, easy)) == CURLE_OK && (rc = set_tls(h, easy, r->foreign)) == CURLE_OK &&
        (rc = set_method(easy, r)) == CURLE_OK && (rc = set_headers(easy, r, headers)) == CURLE_OK &&
        (rc = set_target(easy, url, proxy)) == CURLE_OK) {
        MLR_HTTP_SET(CURLOPT_URL, text);
        if (mlr_url_is_loopback(url))
            MLR_HTTP_SET(CURLOPT_PROXY, "");          /* no proxy, whatever the environment says */
    }
    mlr_free(text);
    if (rc == CURLE_OUT_OF_MEMORY)
        return mlr_error_nomem(err);
    if (rc != CURLE_OK)
        return mlr_error_set(err, MLREG_ENOTSUP, "libcurl refuses a setting: %s", curl_easy_strerror(rc));
    return 0;
}
