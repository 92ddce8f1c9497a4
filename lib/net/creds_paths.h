/* net/creds_paths.h - where files of credentials lie, as the environment says at this moment. */
#ifndef MLR_NET_CREDS_PATHS_H
#define MLR_NET_CREDS_PATHS_H
#include <stddef.h>
#include <mlreg.h>

/* Docker's config.json: $DOCKER_CONFIG, else ~/.docker. 1 with a path (mlr_free); 0 where neither DOCKER_CONFIG nor HOME is set. A setuid program has no
 * environment here. */
int mlr_creds_paths_docker(char **path, mlreg_error **err);

#define MLR_CREDS_PATHS_CONTAINERS 3
/* The i-th place of the containers tools, in their order: $REGISTRY_AUTH_FILE, $XDG_RUNTIME_DIR, $XDG_CONFIG_HOME or ~/.config. 1 with a path; 0 where the
 * variable is not set, with the path as people write it in *shown if that is worth telling, else NULL. */
int mlr_creds_paths_containers(size_t i, char **path, const char **shown, mlreg_error **err);
#endif
