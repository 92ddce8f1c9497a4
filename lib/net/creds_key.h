/* net/creds_key.h - the names under which files and helpers keep a registry's credentials. */
#ifndef MLR_NET_CREDS_KEY_H
#define MLR_NET_CREDS_KEY_H
#include <stdbool.h>

/* The one name to store under and to ask a helper for: the host, but "https://index.docker.io/v1/" for docker.io. */
const char *mlr_creds_key_of(const char *host);

/* How well `key` names `host`: 0 not at all, else the higher the better. A key is the host alone, or with "http(s)://" before and "/", "/v1/" or "/v2/"
 * behind it; never a part of a host name. With `repo` (not NULL) a key may also be "host/name/space" above or equal to "host/repo", whole components
 * compared, and the longest such key is best. */
unsigned mlr_creds_key_rank(const char *key, const char *host, const char *repo);

/* Whether `key` speaks of some repositories of the host only: "host/name". */
bool mlr_creds_key_is_below(const char *key, const char *host);
#endif
