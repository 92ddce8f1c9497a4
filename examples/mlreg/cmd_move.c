/* cmd_move.c - build, push, pull, copy: everything that moves bytes. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- the two ways of moving ---- */

/* The digest that `ref` names there now, or "". */
static void digest_now(mlreg_session *s, const char *ref, char out[80])
{
    mlreg_artifact *a = NULL;

    out[0] = '\0';
    if (mlreg_session_resolve(s, ref, NULL, NULL, &a, NULL) == 0)
        snprintf(out, 80, "%s", mlreg_descriptor_digest(mlreg_artifact_at(a, MLREG_PART_SELF, 0)));
    mlreg_artifact_free(a);
}

/* Local tags move freely, and that is said. */
static void say_moved(const cli *c, const char *name, const char *before, const mlreg_artifact *a)
{
    const char *now = mlreg_descriptor_digest(mlreg_artifact_at(a, MLREG_PART_SELF, 0));

    if (before[0] != '\0' && strcmp(before, now) != 0)
        note(c, "%s was %.19s… and is now %.19s…", name, before, now);
}

static int copy_between(cli *c, const char *verb, spot *from, spot *to, const char *as)
{
    mlreg_copy_options o;
    mlreg_artifact *a = NULL;
    mlreg_error *err = NULL;
    mlreg_stats stats;
    char before[80] = "";
    job j;
    int rc;

    MLREG_INIT(o);
    o.flags = (!to->remote || c->move ? MLREG_COPY_MOVE_TAG : 0) | (c->referrers ? MLREG_COPY_REFERRERS : 0);
    if (!to->remote)
        digest_now(to->session, as, before);
    if (job_begin(&j, c, verb) != EXIT_OK)
        return EXIT_FAILED;
    rc = mlreg_copy(from->session, from->ref, to->session, as, &o, j.op, &a, &err);
    job_end(&j, &stats);
    if (rc == MLREG_EEXISTS)
        note(c, "mlreg: --move moves the tag to what is sent now");
    if (rc < 0)
        return fail(err, verb);
    say_moved(c, to->shown, before, a);
    print_moved(c, verb, to->shown, a, &stats);
    mlreg_artifact_free(a);
    return EXIT_OK;
}

static int annotate(const cli *c, mlreg_builder *b, mlreg_error **err)
{
    int rc = 0;

    for (size_t i = 0; i < c->n_annotations && rc == 0; i++) {
        const char *equals = strchr(c->annotations[i], '=');
        char key[256];

        if (equals == NULL || equals - c->annotations[i] >= (long)sizeof key)
            return fail_usage("write --annotation KEY=VALUE", "\"%s\" is no annotation", c->annotations[i]);
        snprintf(key, sizeof key, "%.*s", (int)(equals - c->annotations[i]), c->annotations[i]);
        rc = mlreg_builder_set_annotation(b, key, equals + 1, err);
    }
    return rc;
}

static int build_into(cli *c, const char *verb, const char *dir, spot *to, const char *as)
{
    mlreg_commit_options o;
    mlreg_builder *b = NULL;
    mlreg_artifact *a = NULL;
    mlreg_error *err = NULL;
    mlreg_stats stats;
    char before[80] = "";
    job j;
    int rc;

    MLREG_INIT(o);
    o.flags = !to->remote || c->move ? MLREG_COPY_MOVE_TAG : 0;
    if (!to->remote)
        digest_now(to->session, as, before);
    if (job_begin(&j, c, verb) != EXIT_OK)
        return EXIT_FAILED;
    if ((rc = mlreg_builder_new(to->session, MLREG_BUILD_ARTIFACT, NULL, &b, &err)) == 0 &&
        (rc = annotate(c, b, &err)) == 0 && (rc = mlreg_builder_add_tree(b, NULL, dir, j.op, &err)) == 0)
        rc = mlreg_builder_commit(b, as, &o, j.op, &a, &err);
    job_end(&j, &stats);
    mlreg_builder_free(b);
    if (rc == EXIT_USAGE)
        return rc;
    if (rc == MLREG_EEXISTS)
        note(c, "mlreg: --move moves the tag to what is sent now");
    if (rc < 0)
        return fail(err, verb);
    say_moved(c, to->shown, before, a);
    print_moved(c, verb, to->shown, a, &stats);
    mlreg_artifact_free(a);
    return EXIT_OK;
}

static int files_into(cli *c, const char *verb, spot *from, const char *name, const char *dir)
{
    mlreg_checkout_options o;
    mlreg_artifact *a = NULL;
    mlreg_error *err = NULL;
    mlreg_stats stats;
    job j;
    int rc;

    MLREG_INIT(o);
    o.include = c->include;
    o.n_include = c->n_include;
    o.exclude = c->exclude;
    o.n_exclude = c->n_exclude;
    if (job_begin(&j, c, verb) != EXIT_OK)
        return EXIT_FAILED;
    if ((rc = mlreg_session_resolve(from->session, from->ref, NULL, j.op, &a, &err)) == 0)
        rc = mlreg_checkout(a, dir, &o, j.op, &err);
    job_end(&j, &stats);
    if (rc == 0)
        print_moved(c, verb, name, a, &stats);
    mlreg_artifact_free(a);
    return rc == 0 ? EXIT_OK : fail(err, verb);
}

/* ---- commands ---- */

int cmd_build(cli *c)
{
    int status = c->n_tags > 0 ? EXIT_OK : fail_usage("name it: mlreg build DIR -t NAME:v1", "build needs a name");

    for (size_t i = 0; i < c->n_tags && status == EXIT_OK; i++) {
        spot to;
        mlreg_name *n = NULL;
        mlreg_error *err = NULL;

        if (mlreg_name_parse(c->tags[i], &n, &err) < 0) {
            fail(err, "understand that name");
            return EXIT_USAGE;
        }
        if (mlreg_name_tag(n) == NULL)
            status = fail_usage("add one, as in NAME:v1", "\"%s\" names no tag", c->tags[i]);
        else if ((status = spot_open_stored(c, n, SPOT_WRITE, &to)) == EXIT_OK) {
            status = build_into(c, "build", c->words[0], &to, to.ref);
            spot_close(&to);
        }
        mlreg_name_free(n);
    }
    return status;
}

static bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int push_stored(cli *c, const char *name, spot *to)
{
    spot from = { 0 };
    int status = name != NULL ? spot_open(c, name, SPOT_NEEDS_TAG, &from) : spot_open_stored(c, to->name, SPOT_READ, &from);

    if (status == EXIT_OK)
        status = copy_between(c, "push", &from, to, to->ref);
    spot_close(&from);
    return status;
}

/* push REF | push NAME REF | push DIR REF | push DIR NAME REF */
int cmd_push(cli *c)
{
    spot to = { 0 };
    const char *first = c->n_words > 1 ? c->words[0] : NULL;
    bool folder = c->n_words == 3 || (first != NULL && is_folder(first));
    int status = spot_open(c, c->words[c->n_words - 1], SPOT_WRITE | SPOT_NEEDS_TAG | SPOT_REGISTRY, &to);

    if (status == EXIT_OK && c->n_words == 3) {
        c->tags[0] = c->words[1];
        c->n_tags = 1;
        if ((status = cmd_build(c)) == EXIT_OK)
            status = push_stored(c, c->words[1], &to);
    } else if (status == EXIT_OK) {
        status = folder ? build_into(c, "push", first, &to, to.ref) : push_stored(c, first, &to);
    }
    spot_close(&to);
    return status;
}

int cmd_pull(cli *c)
{
    spot from = { 0 }, to = { 0 };
    int status = spot_open(c, c->words[0], SPOT_NEEDS_TAG | SPOT_REGISTRY, &from);

    if (status == EXIT_OK && c->output != NULL)
        status = files_into(c, "pull", &from, c->words[0], c->output);
    else if (status == EXIT_OK && c->n_include + c->n_exclude > 0)
        status = fail_usage("give -o DIR as well", "--include and --exclude choose files, and the store keeps whole artifacts");
    else if (status == EXIT_OK && (status = spot_open_stored(c, from.name, SPOT_WRITE, &to)) == EXIT_OK)
        status = copy_between(c, "pull", &from, &to, to.ref);
    spot_close(&from);
    spot_close(&to);
    return status;
}

/* A layout takes over the tag alone; a store keeps a registry's host in the name. */
static void name_copy(const spot *from, spot *to)
{
    const char *tag = mlreg_name_tag(from->name);
    size_t n = strlen(to->ref);

    if (mlreg_name_tag(to->name) == NULL && mlreg_name_digest(to->name) == NULL && tag != NULL)
        snprintf(to->ref + n, sizeof to->ref - n, ":%s", tag);
}

int cmd_copy(cli *c)
{
    spot from = { 0 }, to = { 0 };
    int status = spot_open(c, c->words[0], SPOT_FOLDER, &from);

    if (status == EXIT_OK)
        status = spot_open(c, c->words[1], SPOT_WRITE | SPOT_FOLDER, &to);
    if (status == EXIT_OK) {
        if (from.folder != NULL && to.folder != NULL)
            status = fail_usage("cp -r does that", "both are folders");
        else if (from.folder != NULL)
            status = mlreg_name_tag(to.name) != NULL ? build_into(c, "copy", from.folder, &to, to.ref)
                : fail_usage("add one, as in NAME:v1", "\"%s\" names no tag", c->words[1]);
        else if (to.folder != NULL)
            status = files_into(c, "copy", &from, c->words[0], to.folder);
        else {
            name_copy(&from, &to);
            status = copy_between(c, "copy", &from, &to, to.ref);
        }
    }
    spot_close(&from);
    spot_close(&to);
    return status;
}
