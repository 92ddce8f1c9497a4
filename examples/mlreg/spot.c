/* spot.c - from the words that people write to open places. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FOLDER "dir:"
#define STORED "store:"
#define LAYOUT "oci:"

/* ---- opening ---- */

static void log_line(int level, const char *line, void *user)
{
    (void)user;
    clear_live_line();
    fprintf(stderr, "mlreg: %s%s\n", level <= MLREG_LOG_WARN ? "warning: " : "", line);
}

static void log_warning(int level, const char *line, void *user)
{
    if (level <= MLREG_LOG_WARN)
        log_line(level, line, user);
}

static int open_place(const cli *c, const char *location, bool create, mlreg_session **out, mlreg_error **err)
{
    mlreg_session_options o;

    MLREG_INIT(o);
    o.flags = (create ? MLREG_OPEN_CREATE : 0) | (c->plain_http ? MLREG_OPEN_PLAIN_HTTP : 0);
    o.ca_file = c->ca_file;
    o.log = c->verbose ? log_line : c->quiet ? NULL : log_warning;
    return mlreg_session_open(location, &o, out, err);
}

/* --store, $MLREG_STORE, $XDG_DATA_HOME/mlreg/store, ~/.local/share/mlreg/store; NULL where none of them is set. */
char *store_path(const cli *c)
{
    const char *env = getenv("MLREG_STORE"), *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    const char *begin = "", *end = "";
    char *path;

    if (c->store != NULL)
        begin = c->store;
    else if (env != NULL && env[0] != '\0')
        begin = env;
    else if (data != NULL && data[0] == '/')
        begin = data, end = "/mlreg/store";
    else if (home != NULL && home[0] == '/')
        begin = home, end = "/.local/share/mlreg/store";
    if (begin[0] == '\0' || (path = malloc(strlen(begin) + strlen(end) + 3)) == NULL)
        return NULL;
    /* What looks like another kind of place ("oci:x", "https://x") is still a directory here. */
    sprintf(path, "%s%s%s", begin[0] != '/' && strchr(begin, ':') != NULL ? "./" : "", begin, end);
    return path;
}

int store_open(cli *c, bool write, mlreg_session **out)
{
    char *path = store_path(c);
    mlreg_error *err = NULL;
    int rc;

    if (path == NULL)
        return fail_usage("give --store DIR, or set MLREG_STORE", "there is no place for a store: neither HOME nor XDG_DATA_HOME is an absolute path");
    if ((rc = open_place(c, path, write, out, &err)) < 0)
        fail(err, rc == MLREG_ENOTFOUND && !write ? "`build` and `pull` make a store; --store DIR or MLREG_STORE say where another one is" : NULL,
            "open the store");
    free(path);
    return rc == 0 ? EXIT_OK : EXIT_FAILED;
}

static int open_there(cli *c, bool write, spot *out)
{
    mlreg_error *err = NULL;
    const char *location = mlreg_name_location(out->name);
    int rc = open_place(c, location, write, &out->session, &err);

    if (rc == 0)
        return EXIT_OK;
    return fail(err, rc == MLREG_EDENIED && strncmp(location, "http", 4) == 0 ? "give --plain-http if this registry has no TLS" :
        rc == MLREG_ENOTFOUND && !write ? "`copy` makes a layout; check the path" : NULL, "open %s", location);
}

/* ---- what is written ---- */

bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* "store:ghcr.io/team/llama:v1" is what a pull left; "store:v1" is tag v1 of a repository called store. */
static bool is_stored(const char *text)
{
    mlreg_name *n = NULL;
    bool yes = strncmp(text, STORED, strlen(STORED)) == 0 && mlreg_name_parse(text + strlen(STORED), &n, NULL) == 0 &&
        mlreg_name_location(n) != NULL && strncmp(mlreg_name_location(n), LAYOUT, strlen(LAYOUT)) != 0;

    mlreg_name_free(n);
    return yes;
}

static int parse(const char *text, mlreg_name **out)
{
    mlreg_error *err = NULL;

    if (text[0] == '/' || text[0] == '.' || text[0] == '~')
        return fail_usage("write oci:DIR:TAG for a layout; `copy` also takes dir:DIR for a folder", "\"%s\" is a path, not a name", text);
    if (mlreg_name_parse(text, out, &err) == 0)
        return EXIT_OK;
    fail(err, NULL, "take \"%s\" for a name", text);
    return EXIT_USAGE;
}

static int check_name(const spot *s, unsigned how)
{
    const char *text = s->shown;
    char hint[HINT_BYTES];

    if ((how & SPOT_REGISTRY) != 0 && mlreg_name_location(s->name) == NULL) {
        snprintf(hint, sizeof hint, "put a registry's host in front, as in docker.io/%s", text);
        return fail_usage(hint, "\"%s\" names no registry", text);
    }
    if ((how & (SPOT_REGISTRY | SPOT_STORED)) != 0 && !s->remote && !s->stored)
        return fail_usage("`mlreg copy FROM TO` goes between any two places", "\"%s\" is a layout, which will not do here", text);
    if (mlreg_name_tag(s->name) == NULL &&
        ((how & SPOT_NEEDS_TAG) != 0 || ((how & SPOT_NEEDS_ONE) != 0 && mlreg_name_digest(s->name) == NULL))) {
        snprintf(hint, sizeof hint, "add one, as in %.*s:v1%s", (int)strcspn(text, "@"), text, (how & SPOT_NEEDS_TAG) != 0 ? "" : ", or a digest: @sha256:…");
        return fail_usage(hint, "\"%s\" names no tag", text);
    }
    return EXIT_OK;
}

static int take_folder(const char *text, unsigned how, spot *out)
{
    if ((how & SPOT_FOLDER) == 0)
        return fail_usage("`copy` reads and writes folders; so do `push DIR REF` and `pull REF -o DIR`", "\"%s\" is a folder, which will not do here", text);
    out->folder = text + strlen(FOLDER);
    return out->folder[0] != '\0' ? EXIT_OK : fail_usage("write dir:DIR", "\"%s\" names no folder", text);
}

/* A registry's name that the store keeps whole begins with the host. */
static void take_repository(spot *s)
{
    size_t host = strlen(s->ref) - strlen(mlreg_name_ref(s->name));

    snprintf(s->repository, sizeof s->repository, "%.*s%s", (int)host, s->ref, mlreg_name_repository(s->name));
}

static int open_it(cli *c, bool write, spot *s)
{
    return s->stored ? store_open(c, write, &s->session) : open_there(c, write, s);
}

/* Opens it if it is; what else keeps it from being opened is said by whoever tries again. */
static bool is_absent(const cli *c, spot *s)
{
    char *path = s->stored ? store_path(c) : NULL;
    const char *location = s->stored ? path : mlreg_name_location(s->name);
    mlreg_error *err = NULL;
    bool is = location != NULL && open_place(c, location, false, &s->session, &err) == MLREG_ENOTFOUND;

    mlreg_error_free(err);
    free(path);
    return is;
}

int spot_make(cli *c, spot *s)
{
    return s->session != NULL ? EXIT_OK : open_it(c, true, s);
}

int spot_open(cli *c, const char *text, unsigned how, spot *out)
{
    bool prefix = is_stored(text);
    const char *location;
    int status;

    memset(out, 0, sizeof *out);
    if (strncmp(text, FOLDER, strlen(FOLDER)) == 0)
        return take_folder(text, how, out);
    if ((status = parse(prefix ? text + strlen(STORED) : text, &out->name)) != EXIT_OK)
        return status;
    location = mlreg_name_location(out->name);
    out->remote = location != NULL && strncmp(location, LAYOUT, strlen(LAYOUT)) != 0;
    out->stored = location == NULL || prefix || (out->remote && (how & SPOT_STORED) != 0);
    out->remote = out->remote && !out->stored;
    snprintf(out->ref, sizeof out->ref, "%s", out->stored ? mlreg_name_stored(out->name) : mlreg_name_ref(out->name));
    snprintf(out->shown, sizeof out->shown, "%s", out->stored && !prefix ? out->ref : text);
    take_repository(out);
    if ((status = check_name(out, how)) != EXIT_OK || (how & SPOT_CLOSED) != 0)
        return status;
    if ((how & SPOT_LATER) != 0)
        return is_absent(c, out) ? EXIT_OK : spot_make(c, out);
    return open_it(c, (how & SPOT_WRITE) != 0, out);
}

/* How long the tag and the digest are that end what was written. */
static size_t tail_length(const spot *s)
{
    const char *tag = mlreg_name_tag(s->name), *digest = mlreg_name_digest(s->name);

    return (tag != NULL ? strlen(tag) + 1 : 0) + (digest != NULL ? strlen(digest) + 1 : 0);
}

void spot_take_tag(spot *to, const spot *from)
{
    const char *tag = mlreg_name_tag(from->name);
    size_t n = strlen(to->ref), shown = strlen(to->shown);

    if (mlreg_name_tag(to->name) != NULL || mlreg_name_digest(to->name) != NULL || tag == NULL)
        return;
    snprintf(to->ref + n, sizeof to->ref - n, ":%s", tag);
    snprintf(to->shown + shown, sizeof to->shown - shown, ":%s", tag);
}

/* Whether it is what was asked for that is missing, and not a blob on the way there. */
static bool is_about(const mlreg_error *err, const spot *s)
{
    const char *subject = mlreg_error_subject(err), *digest = mlreg_name_digest(s->name);

    return subject == NULL || strncmp(subject, "sha256:", 7) != 0 || (digest != NULL && strcmp(subject, digest) == 0);
}

/* A name that the store does not have may have been meant for a registry. */
const char *spot_hint(const spot *s, const mlreg_error *err, char room[HINT_BYTES])
{
    const char *host = s->name != NULL ? mlreg_name_location(s->name) : NULL;

    if (mlreg_error_code(err) != MLREG_ENOTFOUND || s->name == NULL || !is_about(err, s))
        return NULL;
    if (!s->stored)
        snprintf(room, HINT_BYTES, "`mlreg tags %.*s` lists what is there", (int)(strlen(s->shown) - tail_length(s)), s->shown);
    else if (host != NULL)
        snprintf(room, HINT_BYTES, "`mlreg pull %s` brings it into the store", s->ref);
    else
        snprintf(room, HINT_BYTES, "`mlreg ls` lists what the store has; if a registry is meant, write docker.io/%s", s->ref);
    return room;
}

void spot_close(spot *s)
{
    mlreg_session_free(s->session);
    mlreg_name_free(s->name);
    memset(s, 0, sizeof *s);
}
