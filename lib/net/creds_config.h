/* net/creds_config.h - one file of credentials, docker's or the containers tools': what it says of a host. */
#ifndef MLR_NET_CREDS_CONFIG_H
#define MLR_NET_CREDS_CONFIG_H
#include <stdbool.h>
#include "codec/json.h"
#include "net/creds.h"

#define MLR_CREDS_CONFIG_MAX_BYTES (4u << 20)

typedef struct mlr_creds_config {
    char     *path;
    bool      has_paths;       /* a containers file: keys may be "host/name/space", and there is no credsStore */
    mlr_json *root;
} mlr_creds_config;
/* 1; 0 where it is to be passed over, with *why in words: not there, empty, not readable. EPROTO names the file: no JSON object, over 4 MiB, no plain file. */
int  mlr_creds_config_open(mlr_creds_config *c, const char *path, bool has_paths, const char **why, mlreg_error **err);
void mlr_creds_config_close(mlr_creds_config *c);

/* The helper that is named for `host` (credHelpers, else credsStore): its suffix, or NULL. EPROTO where it is no string. */
int  mlr_creds_config_helper(const mlr_creds_config *c, const char *host, const char **suffix, mlreg_error **err);
/* The entry of auths: 1, or 0 if there is none or an empty one. EPROTO where it is malformed. *out gets no `looked`. */
int  mlr_creds_config_find(const mlr_creds_config *c, const char *host, const char *repo, mlr_creds *out, mlreg_error **err);
/* Whether what the file says differs between repositories of the host. */
bool mlr_creds_config_tells_paths(const mlr_creds_config *c, const char *host);
#endif
