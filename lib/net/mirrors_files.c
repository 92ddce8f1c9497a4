/* net/mirrors_files.c - the files of registries.conf, as the environment says at this moment. */
#include "net/mirrors_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/text.h"

#define FILE_MAX_BYTES (1u << 20)
#define DROP_INS_MAX   1000
#define SYSTEM_DIR     "/etc/containers"
#define MAIN_FILE      "registries.conf"
#define DROP_IN_DIR    "registries.conf.d"

static const char *variable(const char *name)
{
    const char *value = secure_getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* "…/containers" of the user: 1; 0 where nothing says where it is. */
static int user_dir(char **out, mlreg_error **err)
{
    const char *config = variable("XDG_CONFIG_HOME"), *home = variable("HOME");

    if (config == NULL && home == NULL)
        return 0;
    *out = config != NULL ? mlr_path_join(config, "containers") : mlr_path_join(home, ".config/containers");
    return *out != NULL ? 1 : mlr_error_nomem(err);
}

static int blame_file(const char *path, int rc, mlreg_error **err, mlreg_error **why)
{
    if (rc == MLREG_EINVAL || rc == MLREG_ELIMIT)
        rc = mlr_error_set(err, MLREG_EPROTO, "%s: %s", path,
                           rc == MLREG_EINVAL ? "no plain file" : "too large for a file of settings");
    mlr_error_move(err, why);
    return mlr_error_hint(err, rc, "mirrors are read from it: correct the file, or name another by "
                                   "$CONTAINERS_REGISTRIES_CONF");
}

/* What leads through a file, as in HOME=/dev/null, is not there either. */
static bool is_missing(const char *path, int rc)
{
    return rc == MLREG_ENOTFOUND || (rc == MLREG_EIO && !mlr_fs_exists(path));
}

/* 1; 0: there is none. */
static int read_file(mlr_mirrors *m, const char *path, mlreg_error **err)
{
    mlr_buf      text = MLR_BUF_INIT(FILE_MAX_BYTES);
    mlreg_error *why = NULL;
    int          rc = mlr_fs_read_file(path, &text, &why);

    if (is_missing(path, rc)) {
        mlr_buf_done(&text);
        mlr_error_done(why);
        return 0;
    }
    if (rc == 0)
        rc = mlr_mirrors_read(m, path, text.data != NULL ? text.data : "", text.len, &why);
    mlr_buf_done(&text);
    return rc < 0 ? blame_file(path, rc, err, &why) : 1;
}

static int read_below(mlr_mirrors *m, const char *dir, const char *name, mlreg_error **err)
{
    char *path = mlr_path_join(dir, name);
    int   rc = path != NULL ? read_file(m, path, err) : mlr_error_nomem(err);

    mlr_free(path);
    return rc;
}

static int read_drop_ins(mlr_mirrors *m, const char *below, mlreg_error **err)
{
    char        *dir = mlr_path_join(below, DROP_IN_DIR);
    mlr_dir_list list = {NULL, 0, 0};
    mlreg_error *why = NULL;
    int          rc;

    if (dir == NULL)
        return mlr_error_nomem(err);
    rc = mlr_fs_list_path(dir, DROP_INS_MAX, &list, &why);
    if (is_missing(dir, rc))
        rc = 0;
    else
        mlr_error_move(err, &why);
    mlr_error_done(why);
    for (size_t i = 0; rc >= 0 && i < list.n; i++)
        if (mlr_text_has_extension(list.items[i].name, ".conf"))
            rc = read_below(m, dir, list.items[i].name, err);
    mlr_dir_list_done(&list);
    mlr_free(dir);
    return rc < 0 ? rc : 0;
}

/* The one file below which all drop-ins lie. "/dev/null" is how one says: none. */
static int read_main(mlr_mirrors *m, const char *user, mlreg_error **err)
{
    const char *named = variable("CONTAINERS_REGISTRIES_CONF");
    int         rc;

    if (named != NULL) {
        if (strcmp(named, "/dev/null") == 0 || (rc = read_file(m, named, err)) == 1)
            return 0;
        return rc < 0 ? rc : mlr_error_set(err, MLREG_EPROTO, "%s, which $CONTAINERS_REGISTRIES_CONF names, is not there",
                                           named);
    }
    rc = user != NULL ? read_below(m, user, MAIN_FILE, err) : 0;
    return rc == 0 ? read_below(m, SYSTEM_DIR, MAIN_FILE, err) : rc;
}

int mlr_mirrors_open(mlr_mirrors **out, mlreg_error **err)
{
    mlr_mirrors *m = mlr_alloc(sizeof *m);
    char        *user = NULL;
    int          rc;

    *out = NULL;
    if (m == NULL)
        return mlr_error_nomem(err);
    if ((rc = user_dir(&user, err)) < 0 || (rc = read_main(m, user, err)) < 0 ||
        (rc = read_drop_ins(m, SYSTEM_DIR, err)) < 0 || (user != NULL && (rc = read_drop_ins(m, user, err)) < 0) ||
        m->n == 0) {
        mlr_mirrors_free(m);
        m = NULL;
    }
    mlr_free(user);
    *out = m;
    return rc < 0 ? rc : 0;
}
