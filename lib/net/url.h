/* net/url.h - URLs: taking apart, resolving, comparing origins, and showing without secrets. */
#ifndef MLR_NET_URL_H
#define MLR_NET_URL_H
#include <mlreg.h>
#include <stdbool.h>

typedef struct mlr_url {
    char *scheme;          /* "http" or "https", lower case */
    char *host;            /* lower case; IPv6 without brackets */
    unsigned port;         /* the scheme's where none is written */
    char *target;          /* path and query, begins with '/', exactly as written */
} mlr_url;
/* EINVAL for anything but http and https, for userinfo, control characters, blanks, an empty host, a bad port, over
 * 8,192 bytes. A fragment is cut. */
int  mlr_url_parse(const char *text, mlr_url *out, mlreg_error **err);
/* RFC 3986 §5. */
int  mlr_url_resolve(const mlr_url *base, const char *reference, mlr_url *out, mlreg_error **err);
int  mlr_url_copy(const mlr_url *u, mlr_url *out, mlreg_error **err);
/* What gives text gives it to the caller (mlr_free); NULL: out of memory. */
char *mlr_url_text(const mlr_url *u);                               /* the port only where it is not the scheme's */
char *mlr_url_authority(const mlr_url *u);                          /* "ghcr.io", "127.0.0.1:5000", "[::1]:5000" */
/* Appends ?name=value or &…, the value percent-encoded; the rest stays as it is, without its fragment. */
char *mlr_url_add_query(const char *url, const char *name, const char *value);
char *mlr_url_encode(const char *text, const char *keep);           /* all but unreserved characters and `keep` */
char *mlr_url_shown(const char *url);                               /* for messages: query and userinfo cut */
bool mlr_url_same_origin(const mlr_url *a, const mlr_url *b);       /* scheme, host and port */
bool mlr_url_is_loopback(const mlr_url *u);                         /* localhost, *.localhost, 127.0.0.0/8, ::1 */
void mlr_url_done(mlr_url *u);
#endif
