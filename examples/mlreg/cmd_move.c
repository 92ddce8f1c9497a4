/* cmd_move.c - build, push, pull, copy: everything that moves bytes. */
#include "cli.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* ---- build ---- */

/* Further names are copies of the first: within a store that costs a manifest. */
static int name_also(cli *c, const spot *first, const char *text)
{
    mlreg_copy_options o;
    mlreg_artifact *a = NULL;
    mlreg_error *err = NULL;
    char before[80];
    spot to;
    int status = spot_open(c, text, SPOT_WRITE | SPOT_NEEDS_TAG | SPOT_STORED, &to);

    MLREG_INIT(o);
    o.flags = MLREG_COPY_MOVE_TAG;
    if (status == EXIT_OK) {
        digest_now(&to, before);
        if (mlreg_copy(first->session, first->ref, to.session, to.ref, &o, op_quiet(), &a, &err) < 0)
            status = fail(err, NULL, "name it %s as well", text);
        else
            say_moved(c, &to, before, a);
    }
    mlreg_artifact_free(a);
    spot_close(&to);
    return status;
}

/* All names are looked at before the work begins. */
static int check_names(cli *c)
{
    int status = c->n_tags > 0 ? EXIT_OK : fail_usage("name it: mlreg build DIR -t NAME:v1", "the artifact needs a name");

    for (size_t i = 1; i < c->n_tags && status == EXIT_OK; i++) {
        spot s;

        status = spot_open(c, c->tags[i], SPOT_WRITE | SPOT_NEEDS_TAG | SPOT_STORED, &s);
        spot_close(&s);
    }
    return status;
}

/* Before a store is made for it; what keeps it from being looked at is for the library to say. */
static int check_folder(const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0 ? S_ISDIR(st.st_mode) : errno != ENOENT && errno != ENOTDIR)
        return EXIT_OK;
    return fail_plainly("name the folder that holds the model's files", "there is no folder %s", path);
}

int cmd_build(cli *c)
{
    spot to = { 0 };
    int status = check_folder(c->words[0]);

    if (status == EXIT_OK)
        status = check_names(c);
    if (status == EXIT_OK && (status = spot_open(c, c->tags[0], SPOT_WRITE | SPOT_NEEDS_TAG | SPOT_STORED, &to)) == EXIT_OK)
        status = move_build(c, "build", c->words[0], &to, false);
    for (size_t i = 1; i < c->n_tags && status == EXIT_OK; i++)
        status = name_also(c, &to, c->tags[i]);
    spot_close(&to);
    return status;
}

/* ---- push and pull ---- */

/* What a folder or an artifact may be called, but is neither. */
static int fail_source(const char *text)
{
    return fail_plainly("push takes a folder, or NAME:TAG of the store", "there is no folder %s", text);
}

/* A manifest that is there already goes byte for byte. */
static int check_unchanged(const cli *c)
{
    return c->n_annotations == 0 ? EXIT_OK : fail_usage("annotate it where it is made: `mlreg build`", "--annotation goes with a folder: an artifact stays as it is");
}

static int push_stored(cli *c, const char *name, spot *to)
{
    spot from = { 0 };
    int status = check_unchanged(c);

    if (status == EXIT_OK)
        status = spot_open(c, name, SPOT_NEEDS_ONE | SPOT_STORED, &from);
    if (status == EXIT_OK)
        status = move_copy(c, "push", &from, to);
    spot_close(&from);
    return status;
}

/* Kept in the store under a name of its own on the way. */
static int push_built(cli *c, const char *folder, const char *name, spot *to)
{
    spot kept;
    int status = spot_open(c, name, SPOT_WRITE | SPOT_NEEDS_TAG | SPOT_STORED, &kept);

    if (status == EXIT_OK && (status = move_build(c, "build", folder, &kept, true)) == EXIT_OK)
        status = move_copy(c, "push", &kept, to);
    spot_close(&kept);
    return status;
}

/* push REF | push NAME REF | push DIR REF | push DIR NAME REF */
int cmd_push(cli *c)
{
    const char *first = c->words[0], *last = c->words[c->n_words - 1];
    bool folder = c->n_words == 3 || (c->n_words == 2 && is_folder(first));
    spot to;
    int status = spot_open(c, last, SPOT_WRITE | SPOT_REGISTRY | (folder ? SPOT_NEEDS_TAG : SPOT_NEEDS_ONE), &to);

    if (status != EXIT_OK)
        ; /* said */
    else if (c->n_words == 3)
        status = is_folder(first) ? push_built(c, first, c->words[1], &to) : fail_source(first);
    else if (folder)
        status = move_build(c, "push", first, &to, false);
    else if (c->n_words == 2 && (strchr("./~", first[0]) != NULL || strpbrk(first, ":@") == NULL))
        status = fail_source(first);
    else
        status = push_stored(c, first, &to);
    spot_close(&to);
    return status;
}

int cmd_pull(cli *c)
{
    spot from, to = { 0 };
    int status = spot_open(c, c->words[0], SPOT_NEEDS_ONE | SPOT_REGISTRY, &from);

    if (status == EXIT_OK && c->output != NULL)
        status = move_files(c, "pull", &from, c->output);
    else if (status == EXIT_OK && c->n_include + c->n_exclude > 0)
        status = fail_usage("give -o DIR as well", "--include and --exclude choose files, and the store keeps whole artifacts");
    else if (status == EXIT_OK && (status = spot_open(c, c->words[0], SPOT_LATER | SPOT_STORED, &to)) == EXIT_OK)
        status = move_copy(c, "pull", &from, &to);
    spot_close(&from);
    spot_close(&to);
    return status;
}

/* ---- copy ---- */

static int copy_spots(cli *c, const spot *from, spot *to)
{
    if (from->folder != NULL && to->folder != NULL)
        return fail_usage("`cp -r` does that", "both are folders");
    if (to->folder == NULL && c->n_include + c->n_exclude > 0)
        return fail_usage("copy to dir:DIR", "--include and --exclude choose files, and other places keep whole artifacts");
    if (to->folder != NULL)
        return move_files(c, "copy", from, to->folder);
    if (from->folder != NULL)
        return move_build(c, "copy", from->folder, to, false);
    spot_take_tag(to, from);
    return move_copy(c, "copy", from, to);
}

int cmd_copy(cli *c)
{
    bool builds = strncmp(c->words[0], "dir:", 4) == 0;
    spot from = { 0 }, to = { 0 };
    int status = builds ? EXIT_OK : check_unchanged(c);

    if (status == EXIT_OK && (status = spot_open(c, c->words[0], SPOT_FOLDER | SPOT_NEEDS_ONE, &from)) == EXIT_OK && builds && strncmp(c->words[1], "dir:", 4) != 0)
        status = check_folder(from.folder);
    if (status == EXIT_OK)
        status = spot_open(c, c->words[1], (builds ? SPOT_WRITE | SPOT_NEEDS_TAG : SPOT_LATER) | SPOT_FOLDER, &to);
    if (status == EXIT_OK)
        status = copy_spots(c, &from, &to);
    spot_close(&from);
    spot_close(&to);
    return status;
}
