/* spot.c - from the names that people write to open places. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#define FOLDER "dir:"
#define STORE  "store:"   /* how to name what the store keeps of a registry */

static void log_line(int level, const char *line, void *user)
{
    (void)user;
    fprintf(stderr, "mlreg: %s%s\n", level <= MLREG_LOG_WARN ? "warning: " : "", line);
}

static int open_place(cli *c, const char *location, bool create, mlreg_session **out)
{
    mlreg_session_options o;
    mlreg_error *err = NULL;

    MLREG_INIT(o);
    o.flags = (create ? MLREG_OPEN_CREATE : 0) | (c->plain_http ? MLREG_OPEN_PLAIN_HTTP : 0);
    o.ca_file = c->ca_file;
    o.log = c->verbose ? log_line : NULL;
    return mlreg_session_open(location, &o, out, &err) == 0 ? EXIT_OK : fail(err, "open it");
}

/* --store, $MLREG_STORE, $XDG_DATA_HOME/mlreg/store, ~/.local/share/mlreg/store. */
static const char *store_path(cli *c)
{
    const char *env = getenv("MLREG_STORE"), *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

    if (c->store != NULL && c->store[0] != '\0')
        return c->store;
    if (env != NULL && env[0] != '\0')
        return env;
    if (data != NULL && data[0] == '/')
        snprintf(c->store_buf, sizeof c->store_buf, "%s/mlreg/store", data);
    else if (home != NULL && home[0] == '/')
        snprintf(c->store_buf, sizeof c->store_buf, "%s/.local/share/mlreg/store", home);
    else
        return NULL;
    return c->store_buf;
}

int store_open(cli *c, bool write, mlreg_session **out)
{
    const char *path = store_path(c);
    char *location;
    int status;

    if (path == NULL)
        return fail_usage("give --store DIR, or set MLREG_STORE", "there is no place for a store: neither HOME nor XDG_DATA_HOME is set");
    /* What looks like another kind of place is still a directory here. */
    if ((location = malloc(strlen(path) + 3)) == NULL)
        return fail_usage(NULL, "out of memory");
    sprintf(location, "%s%s", path[0] == '/' || path[0] == '.' ? "" : "./", path);
    status = open_place(c, location, write, out);
    free(location);
    return status;
}

static int parse(const char *text, mlreg_name **out)
{
    mlreg_error *err = NULL;

    if (mlreg_name_parse(text, out, &err) == 0)
        return EXIT_OK;
    fail(err, "understand that name");
    return EXIT_USAGE;
}

static int check_name(const char *text, const mlreg_name *n, unsigned how, bool store)
{
    char hint[1200];

    if ((how & SPOT_REGISTRY) != 0 && (store || mlreg_name_location(n) == NULL)) {
        snprintf(hint, sizeof hint, "put a registry's host in front, as in docker.io/%s", text);
        return fail_usage(hint, "\"%s\" names no registry", text);
    }
    if ((how & SPOT_NEEDS_TAG) != 0 && mlreg_name_tag(n) == NULL && ((how & SPOT_WRITE) != 0 || mlreg_name_digest(n) == NULL)) {
        snprintf(hint, sizeof hint, "add one, as in %s:v1%s", text, (how & SPOT_WRITE) != 0 ? "" : ", or a digest: @sha256:…");
        return fail_usage(hint, "\"%s\" names no tag", text);
    }
    return EXIT_OK;
}

static int open_in_store(cli *c, bool write, spot *out)
{
    out->in_store = true;
    snprintf(out->ref, sizeof out->ref, "%s", mlreg_name_stored(out->name));
    snprintf(out->shown, sizeof out->shown, "%s", out->ref);
    return store_open(c, write, &out->session);
}

static int take_folder(const char *text, unsigned how, spot *out)
{
    if ((how & SPOT_FOLDER) == 0)
        return fail_usage("`copy` reads and writes folders; `push DIR REF` and `pull REF -o DIR` do, too", "a folder will not do here: %s", text);
    out->folder = text + strlen(FOLDER);
    return out->folder[0] != '\0' ? EXIT_OK : fail_usage(NULL, "\"%s\" names no folder", text);
}

int spot_open(cli *c, const char *text, unsigned how, spot *out)
{
    bool write = (how & SPOT_WRITE) != 0, store = strncmp(text, STORE, strlen(STORE)) == 0;
    const char *location;
    int status;

    memset(out, 0, sizeof *out);
    if (strncmp(text, FOLDER, strlen(FOLDER)) == 0)
        return take_folder(text, how, out);
    if ((status = parse(text + (store ? strlen(STORE) : 0), &out->name)) != EXIT_OK || (status = check_name(text, out->name, how, store)) != EXIT_OK)
        return status;
    location = store ? NULL : mlreg_name_location(out->name);
    if (location == NULL)
        return open_in_store(c, write, out);
    out->remote = strncmp(location, "oci:", 4) != 0;
    snprintf(out->ref, sizeof out->ref, "%s", mlreg_name_ref(out->name));
    snprintf(out->shown, sizeof out->shown, "%s", text);
    return open_place(c, location, write, &out->session);
}

int spot_open_stored(cli *c, const mlreg_name *n, unsigned how, spot *out)
{
    mlreg_error *err = NULL;

    memset(out, 0, sizeof *out);
    if (mlreg_name_parse(mlreg_name_stored(n), &out->name, &err) < 0)
        return fail(err, "understand that name");
    return open_in_store(c, (how & SPOT_WRITE) != 0, out);
}

void spot_close(spot *s)
{
    mlreg_session_free(s->session);
    mlreg_name_free(s->name);
    memset(s, 0, sizeof *s);
}
