/* net/url_parts.h - what the files of the room url share: the alphabet of URLs, and small questions about them. */
#ifndef MLR_NET_URL_PARTS_H
#define MLR_NET_URL_PARTS_H
#include "net/url.h"

#define MLR_URL_LETTERS    "abcdefghijklmnopqrstuvwxyz"
#define MLR_URL_DIGITS     "0123456789"
#define MLR_URL_UNRESERVED "ABCDEFGHIJKLMNOPQRSTUVWXYZ" MLR_URL_LETTERS MLR_URL_DIGITS "-._~"   /* RFC 3986 §2.3 */

unsigned mlr_url_default_port(const char *scheme);
size_t   mlr_url_scheme_bytes(const char *text);      /* of "http://" or "https://" in any case, or 0 */
int      mlr_url_check_bytes(const char *text, mlreg_error **err);   /* EINVAL: too long, blanks, control characters */
#endif
