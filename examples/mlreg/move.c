/* move.c - two ways of moving an artifact: copied from place to place, and built. */
#include "cli.h"

#include <string.h>

#define MOVES_HINT "another tag, or --move to let this one go to what is sent now"

void digest_now(const spot *at, char out[80])
{
    mlreg_artifact *a = NULL;

    out[0] = '\0';
    if (!at->remote && mlreg_name_tag(at->name) != NULL && mlreg_session_resolve(at->session, at->ref, NULL, NULL, &a, NULL) == 0)
        snprintf(out, 80, "%s", digest_of(a));
    mlreg_artifact_free(a);
}

void say_moved(const cli *c, const spot *at, const char *before, const mlreg_artifact *now)
{
    if (before[0] != '\0' && strcmp(before, digest_of(now)) != 0)
        note(c, "note: %s was %.19s… and is now %.19s…", at->shown, before, digest_of(now));
}

static const char *past(const char *verb)
{
    static const char *const words[][2] = { { "build", "built" }, { "copy", "copied" }, { "push", "pushed" }, { "pull", "pulled" }, { "unpack", "unpacked" } };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i][0], verb) == 0)
            return words[i][1];
    return verb;
}

void print_moved(const cli *c, const char *verb, const char *name, const char *before, const mlreg_artifact *a, const job *j)
{
    const mlreg_stats *s = &j->stats;
    uint64_t moved = s->bytes_done - s->bytes_reused;
    char text[32];

    if (c->json) {
        printf("{");
        json_field("reference", name, true);
        json_field("digest", digest_of(a), false);
        json_field("was", before[0] != '\0' ? before : NULL, false);
        json_number("bytes", s->bytes_done, false);
        json_number("bytes_moved", moved, false);
        json_number("bytes_reused", s->bytes_reused, false);
        json_number("elapsed_ms", s->elapsed_ms, false);
        if (c->stats)
            json_stats(j);
        printf("}\n");
    } else if (c->quiet) {
        printf("%s\n", digest_of(a));
    } else {
        printf("%s %s\n  %s\n  ", past(verb), name, digest_of(a));
        if (moved > 0 || s->bytes_reused == 0)
            printf("%s moved%s", human(moved, text), s->bytes_reused > 0 ? ", " : "\n");
        if (s->bytes_reused > 0)
            printf("%s there already\n", human(s->bytes_reused, text));
    }
    if (c->stats && !c->json)
        say_stats(j);
}

static const char *hint_of(const mlreg_error *err, const spot *from, char room[HINT_BYTES])
{
    return mlreg_error_code(err) == MLREG_EEXISTS ? MOVES_HINT : spot_hint(from, err, room);
}

/* Nothing is made for what cannot be had. To ask for that costs the first copy to a new place two requests. */
static int make_place(cli *c, const spot *from, const choice *ch, job *j, spot *to)
{
    mlreg_artifact *a = NULL;
    mlreg_error *err = NULL;
    char hint[HINT_BYTES];

    if (to->session == NULL && mlreg_session_resolve(from->session, from->ref, &ch->options, j->op, &a, &err) < 0)
        return fail(err, hint_of(err, from, hint), "%s %s", j->verb, from->shown);
    mlreg_artifact_free(a);
    return spot_make(c, to);
}

int move_copy(cli *c, const char *verb, const spot *from, spot *to)
{
    mlreg_copy_options o;
    mlreg_artifact *a = NULL;
    mlreg_error *err = NULL;
    char before[80], hint[HINT_BYTES];
    choice ch;
    job j;
    int rc, status = choice_open(c, false, from, &ch);

    MLREG_INIT(o);
    o.flags = (!to->remote || c->move ? MLREG_COPY_MOVE_TAG : 0) | (c->referrers ? MLREG_COPY_REFERRERS : 0) | (c->all_variants ? MLREG_COPY_ALL_VARIANTS : 0) |
        (c->foreign ? MLREG_COPY_FOREIGN : 0);
    o.variant = ch.any ? &ch.options : NULL;
    if (status == EXIT_OK && (status = job_begin(&j, c, verb)) == EXIT_OK && (status = make_place(c, from, &ch, &j, to)) != EXIT_OK)
        job_free(&j);
    if (status != EXIT_OK) {
        choice_close(&ch);
        return status;
    }
    digest_now(to, before);
    rc = mlreg_copy(from->session, from->ref, to->session, to->ref, &o, j.op, &a, &err);
    job_end(&j);
    choice_close(&ch);
    if (rc == 0) {
        say_moved(c, to, before, a);
        print_moved(c, verb, to->shown, before, a, &j);
    } else {
        fail(err, hint_of(err, from, hint), "%s %s", verb, rc == MLREG_EEXISTS ? to->shown : from->shown);
    }
    job_free(&j);
    mlreg_artifact_free(a);
    return rc == 0 ? EXIT_OK : EXIT_FAILED;
}

/* ---- from a folder ---- */

static int annotate(const cli *c, mlreg_builder *b, mlreg_error **err)
{
    int rc = 0;

    for (size_t i = 0; i < c->n_annotations && rc == 0; i++) {
        size_t key_bytes = strcspn(c->annotations[i], "=");
        char key[256];

        snprintf(key, sizeof key, "%.*s", (int)key_bytes, c->annotations[i]);
        rc = mlreg_builder_set_annotation(b, key, c->annotations[i] + key_bytes + 1, err);
    }
    return rc;
}

static int check_annotations(const cli *c)
{
    for (size_t i = 0; i < c->n_annotations; i++) {
        size_t key_bytes = strcspn(c->annotations[i], "=");

        if (key_bytes == 0 || key_bytes > 255 || c->annotations[i][key_bytes] == '\0')
            return fail_usage("write --annotation KEY=VALUE", "\"%s\" is no annotation", c->annotations[i]);
    }
    return EXIT_OK;
}

static int make(cli *c, const making *m, const spot *to, mlreg_op *op, mlreg_artifact **out, mlreg_error **err)
{
    mlreg_commit_options o;
    mlreg_builder *b = NULL;
    int rc;

    MLREG_INIT(o);
    o.flags = !to->remote || c->move ? MLREG_COPY_MOVE_TAG : 0;
    if ((rc = mlreg_builder_new(to->session, m->kind, NULL, &b, err)) == 0 && (rc = annotate(c, b, err)) == 0 &&
        (rc = m->fill(c, b, m->user, op, err)) == 0)
        rc = mlreg_builder_commit(b, to->ref, &o, op, out, err);
    mlreg_builder_free(b);
    return rc;
}

int move_made(cli *c, const char *verb, const making *m, const spot *to, bool silent)
{
    mlreg_artifact *a = NULL;
    mlreg_error *err = NULL;
    char before[80];
    job j;
    int rc;

    if (check_annotations(c) != EXIT_OK)
        return EXIT_USAGE;
    digest_now(to, before);
    if (job_begin(&j, c, verb) != EXIT_OK)
        return EXIT_FAILED;
    rc = make(c, m, to, j.op, &a, &err);
    job_end(&j);
    if (rc < 0)
        fail(err, rc == MLREG_EEXISTS ? MOVES_HINT : NULL, "%s %s", verb, rc == MLREG_EEXISTS ? to->shown : m->shown);
    else
        say_moved(c, to, before, a);
    if (rc == 0 && !silent)
        print_moved(c, verb, to->shown, before, a, &j);
    job_free(&j);
    mlreg_artifact_free(a);
    return rc == 0 ? EXIT_OK : EXIT_FAILED;
}

static int fill_tree(cli *c, mlreg_builder *b, void *user, mlreg_op *op, mlreg_error **err)
{
    const char *folder = user;

    (void)c;
    return mlreg_builder_add_tree(b, NULL, folder, op, err);
}

int move_build(cli *c, const char *verb, const char *folder, const spot *to, bool silent)
{
    const making m = { MLREG_BUILD_ARTIFACT, fill_tree, (void *)folder, folder };

    return move_made(c, verb, &m, to, silent);
}
