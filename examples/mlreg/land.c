/* land.c - the third way of moving an artifact: its files, or its file system, into a folder. */
#include "cli.h"

#include <string.h>
#include <unistd.h>

/* What is done with an artifact that was resolved: its files, or its file system, go into a folder. */
typedef int (*landing_fn)(const cli *c, mlreg_artifact *a, const char *folder, mlreg_op *op, mlreg_error **err);

static int check_out(const cli *c, mlreg_artifact *a, const char *folder, mlreg_op *op, mlreg_error **err)
{
    mlreg_checkout_options o;

    MLREG_INIT(o);
    o.include = c->include;
    o.n_include = c->n_include;
    o.exclude = c->exclude;
    o.n_exclude = c->n_exclude;
    return mlreg_checkout(a, folder, &o, op, err);
}

/* Of the one layer whose digest begins so; where there is none, or more than one, as it was written: nobody has that. */
static const char *whole_digest(const mlreg_artifact *a, const char *text)
{
    const char *found = NULL;

    for (size_t i = 0; i < mlreg_artifact_count(a, MLREG_PART_LAYER); i++) {
        const char *digest = mlreg_descriptor_digest(mlreg_artifact_at(a, MLREG_PART_LAYER, i));
        const char *hex = strchr(digest, ':');

        if (strncmp(digest, text, strlen(text)) != 0 && (hex == NULL || strncmp(hex + 1, text, strlen(text)) != 0))
            continue;
        if (found != NULL && strcmp(found, digest) != 0)
            return text;
        found = digest;
    }
    return found != NULL ? found : text;
}

static int unpack(const cli *c, mlreg_artifact *a, const char *folder, mlreg_op *op, mlreg_error **err)
{
    mlreg_image_unpack_options o;

    const char *layers[MAX_WORDS];

    for (size_t i = 0; i < c->n_layers; i++)
        layers[i] = whole_digest(a, c->layers[i]);
    MLREG_INIT(o);
    o.path = c->path;
    o.layers = layers;
    o.n_layers = c->n_layers;
    o.flags = c->foreign ? MLREG_UNPACK_FOREIGN : 0;
    return mlreg_image_unpack(a, folder, &o, op, err);
}

/* Whether the patterns left nothing over: no layer, or where archives have names of their own none of those. Then no folder is left either. */
static bool is_nothing(const cli *c, const job *j, const char *folder, bool was_there)
{
    return c->n_include + c->n_exclude > 0 && ((!was_there && rmdir(folder) == 0) || j->stats.blobs_total == 0);
}

/* A script that named files goes on with none of them otherwise. */
static int fail_nothing(const cli *c, const spot *from)
{
    char hint[HINT_BYTES];

    snprintf(hint, sizeof hint, "`mlreg inspect %s` lists its files", from->shown);
    if (c->n_include == 1 && c->n_exclude == 0)
        return fail_plainly(hint, "no file of %s matches --include \"%s\"", from->shown, c->include[0]);
    return fail_plainly(hint, "--include and --exclude leave no file of %s", from->shown);
}

static int land(cli *c, const char *verb, const spot *from, const char *folder, landing_fn into)
{
    mlreg_artifact *a = NULL;
    mlreg_error *err = NULL;
    char hint[HINT_BYTES];
    choice ch;
    job j;
    bool was_there;
    int rc, status = EXIT_OK;

    if (c->all_variants)
        return fail_usage("leave it out: the one that fits this machine is taken", "a folder takes one variant's files");
    if (c->foreign && into != unpack)
        return fail_usage("bring it into the store first: mlreg pull REF --foreign", "a folder takes files from layers that are there");
    if ((status = choice_open(c, true, from, &ch)) != EXIT_OK)
        return status;
    if (job_begin(&j, c, verb) != EXIT_OK) {
        choice_close(&ch);
        return EXIT_FAILED;
    }
    was_there = is_folder(folder);
    if ((rc = mlreg_session_resolve(from->session, from->ref, &ch.options, j.op, &a, &err)) == 0)
        rc = into(c, a, folder, j.op, &err);
    job_end(&j);
    choice_close(&ch);
    if (rc < 0)
        status = fail(err, a == NULL ? spot_hint(from, err, hint) : NULL, "%s %s", verb, from->shown);
    else if (into == check_out && is_nothing(c, &j, folder, was_there))
        status = fail_nothing(c, from);
    else
        print_moved(c, verb, from->shown, "", a, &j);
    job_free(&j);
    mlreg_artifact_free(a);
    return status;
}

int move_files(cli *c, const char *verb, const spot *from, const char *folder)
{
    return land(c, verb, from, folder, check_out);
}

int move_image(cli *c, const char *verb, const spot *from, const char *folder)
{
    return land(c, verb, from, folder, unpack);
}
