/* net/creds_paths.c - where files of credentials lie, as the environment says at this moment. */
#include "net/creds_paths.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"

static const char *variable(const char *name)
{
    const char *value = secure_getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* "$name/file": 1, or 0 with NULL where the variable is not set. */
static int below_variable(const char *name, const char *file, char **path, mlreg_error **err)
{
    const char *dir = variable(name);

    *path = NULL;
    if (dir == NULL)
        return 0;
    *path = mlr_path_join(dir, file);
    return *path != NULL ? 1 : mlr_error_nomem(err);
}

int mlr_creds_paths_docker(char **path, mlreg_error **err)
{
    int rc = below_variable("DOCKER_CONFIG", "config.json", path, err);

    if (rc == 0)
        rc = below_variable("HOME", ".docker/config.json", path, err);
    return rc;
}

int mlr_creds_paths_containers(size_t i, char **path, const char **shown, mlreg_error **err)
{
    int rc;

    *path = NULL;
    *shown = NULL;
    switch (i) {
    case 0:
        if (variable("REGISTRY_AUTH_FILE") == NULL)
            return 0;
        *path = mlr_strdup(variable("REGISTRY_AUTH_FILE"));
        return *path != NULL ? 1 : mlr_error_nomem(err);
    case 1:
        return below_variable("XDG_RUNTIME_DIR", "containers/auth.json", path, err);
    default:
        if ((rc = below_variable("XDG_CONFIG_HOME", "containers/auth.json", path, err)) == 0)
            rc = below_variable("HOME", ".config/containers/auth.json", path, err);
        *shown = "~/.config/containers/auth.json";
        return rc;
    }
}
