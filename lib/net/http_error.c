/* net/http_error.c - what libcurl says, as an error that names the host and tells what to do. */
#include "net/http_parts.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

static int hint_proxy(int rc, mlreg_error **err)
{
    return mlr_error_hint(err, rc, "the environment names that proxy, in http_proxy, https_proxy or all_proxy; no_proxy says for whom not");
}

static long errnum_of(CURL *easy)
{
    long errnum = 0;

    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &errnum);
    return errnum;
}

static int cannot_connect(CURL *easy, const char *text, const char *host, mlreg_error **err)
{
    long errnum = errnum_of(easy);
    char why[128];

    return mlr_error_set(err, MLREG_ENET, "cannot connect to %s: %s", host, errnum != 0 ? strerror_r((int)errnum, why, sizeof why) : text);
}

/* The system's word for it, where it had one, for libcurl's change from version to version. Any other than these may be left over
 * from an address that was tried before. */
static int broken(CURL *easy, const char *text, const char *host, mlreg_error **err)
{
    long errnum = errnum_of(easy);
    char why[128];

    if (errnum == ECONNRESET || errnum == EPIPE || errnum == ETIMEDOUT)
        text = strerror_r((int)errnum, why, sizeof why);
    return mlr_error_set(err, MLREG_ENET, "the connection to %s failed: %s", host, text);
}

static int cannot_resolve(const char *host, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_ENET, "cannot find the host %s", host);

    return mlr_error_hint(err, rc, "check the name, and that this machine can look up names (DNS)");
}

/* That it is for another name, libcurl says in many ways; all have "subject name" in them. */
static int untrusted(const char *text, const char *host, mlreg_error **err)
{
    bool        for_another = strstr(text, "subject name") != NULL, out_of_time = strstr(text, "expired") != NULL || strstr(text, "not yet valid") != NULL;
    const char *why = for_another ? "it is for another name" : text;
    int         rc = mlr_error_set(err, MLREG_EDENIED, "the certificate of %s is not trusted: %s", host, why);

    if (for_another)
        return mlr_error_hint(err, rc, "check the address: it must be one of those that the certificate holds");
    if (out_of_time)
        return mlr_error_hint(err, rc, "check this machine's clock; else it is for those who look after the server to renew it");
    return mlr_error_hint(err, rc,
                          "if %s has an authority of its own, name that one's PEM file as ca_file or in SSL_CERT_FILE",
                          host);
}

/* What TLS libraries say when the other side speaks in the clear. */
static bool is_plain_text_answer(const char *text)
{
    return strstr(text, "wrong version number") != NULL || strstr(text, "unexpected TLS packet") != NULL ||
           strstr(text, "packet length too long") != NULL || strstr(text, "http request") != NULL;
}

static int no_tls(const char *text, const char *host, mlreg_error **err)
{
    const char *why = strstr(text, "error:0");         /* OpenSSL's own words, behind what libcurl has for it */
    int         rc = is_plain_text_answer(text) ? mlr_error_set(err, MLREG_EPROTO, "%s does not speak TLS on this port", host)
                                                : mlr_error_set(err, MLREG_ENET, "no TLS connection to %s: %s", host, why != NULL ? why : text);

    return mlr_error_hint(err, rc, "if it serves plain http, say so: --plain-http, or MLREG_OPEN_PLAIN_HTTP");
}

static int no_ca_file(const mlr_http *h, mlreg_error **err)
{
    const char *file = h->ca_file;
    int         rc = mlr_error_set(err, MLREG_EIO, "cannot read certificate authorities from %s",
                                   file != NULL ? file : "the system's file");

    if (file != NULL)
        return mlr_error_hint(err, rc, "it is named by ca_file, SSL_CERT_FILE or CURL_CA_BUNDLE and must be PEM");
    return mlr_error_hint(err, rc, "install the package ca-certificates, or name a PEM file in SSL_CERT_FILE");
}

static int no_client_certificate(const mlr_http *h, const char *text, mlreg_error **err)
{
    const char *file = h->client_cert_file != NULL ? h->client_cert_file : "";
    int         rc = mlr_error_set(err, MLREG_EIO, "cannot use the client certificate %s: %s", file, text);

    return mlr_error_hint(err, rc, "client_cert_file and client_key_file must be PEM and belong together");
}

static int no_http(const char *text, const char *host, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_EPROTO, "%s does not answer in HTTP: %s", host, text);

    return mlr_error_hint(err, rc, "check the port; a server that wants TLS is opened by https://");
}

static int from_libcurl(const mlr_http *h, CURL *easy, CURLcode code, const char *text, const char *host, mlreg_error **err)
{
    switch (code) {
    case CURLE_OUT_OF_MEMORY:
        return mlr_error_nomem(err);
    case CURLE_COULDNT_CONNECT:
        return cannot_connect(easy, text, host, err);
    case CURLE_COULDNT_RESOLVE_HOST:
        return cannot_resolve(host, err);
    case CURLE_OPERATION_TIMEDOUT:       /* libcurl has one time limit from us */
        return mlr_error_set(err, MLREG_ETIMEDOUT, "no connection to %s within %.3g s", host,
                             h->connect_timeout_ms / 1000.0);
    case CURLE_PEER_FAILED_VERIFICATION:
        return untrusted(text, host, err);
    case CURLE_SSL_CONNECT_ERROR:
        return no_tls(text, host, err);
    case CURLE_SSL_CACERT_BADFILE:
        return no_ca_file(h, err);
    case CURLE_SSL_CERTPROBLEM:
        return no_client_certificate(h, text, err);
    case CURLE_UNSUPPORTED_PROTOCOL:     /* HTTP/0.9: bytes that are no head */
    case CURLE_WEIRD_SERVER_REPLY:
        return no_http(text, host, err);
    case CURLE_PARTIAL_FILE:
        return mlr_error_set(err, MLREG_ENET, "%s broke off its answer: the connection ended before it did", host);
    case CURLE_GOT_NOTHING:
        return mlr_error_set(err, MLREG_ENET, "%s closed the connection without an answer", host);
    default:
        return broken(easy, text, host, err);
    }
}

/* The proxy would not open a way: asking again does not help where it wants to be told who asks, or forbids it. */
static int refused_by_proxy(long status, const char *host, const char *proxy, mlreg_error **err)
{
    bool is_final = status == 403 || status == 407;
    int  rc = mlr_error_set(err, is_final ? MLREG_EDENIED : MLREG_ENET, "the proxy %s opens no way to %s: it answered %ld", proxy, host, status);

    if (status == 407)
        return mlr_error_hint(err, rc, "it wants a name and a password, which stand in its URL in the environment: https_proxy=http://NAME:PASSWORD@%s", proxy);
    return hint_proxy(rc, err);
}

static int by_proxy(const mlr_http *h, CURL *easy, CURLcode code, const char *text, const char *host, const char *proxy, mlreg_error **err)
{
    char *both = mlr_asprintf("%s by way of the proxy %s", host, proxy);
    long  status = 0;
    int   rc;

    curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status);
    if (both == NULL)
        return mlr_error_nomem(err);
    if (status >= 300)
        rc = refused_by_proxy(status, host, proxy, err);
    else if (code == CURLE_COULDNT_RESOLVE_PROXY)
        rc = hint_proxy(mlr_error_set(err, MLREG_ENET, "cannot find the proxy %s, by way of which %s is asked", proxy, host), err);
    else if ((rc = from_libcurl(h, easy, code, text, both, err)) == MLREG_ENET || rc == MLREG_ETIMEDOUT)
        rc = hint_proxy(rc, err);
    mlr_free(both);
    return rc;
}

int mlr_http_error(const mlr_http *h, CURL *easy, CURLcode code, const char *text, const char *host, const char *proxy, mlreg_error **err)
{
    if (text[0] == '\0')
        text = curl_easy_strerror(code);
    return proxy != NULL ? by_proxy(h, easy, code, text, host, proxy, err) : from_libcurl(h, easy, code, text, host, err);
}
