/* cmd_keep.c - tag, rm, gc, fsck: keeping a place in order. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

/* ---- tag and rm ---- */

static bool same_place(const spot *a, const spot *b)
{
    return a->stored == b->stored && (a->stored || strcmp(mlreg_name_location(a->name), mlreg_name_location(b->name)) == 0);
}

static void print_tagged(const cli *c, const spot *to, const char *before, const mlreg_artifact *a)
{
    if (c->json) {
        printf("{");
        json_field("reference", to->shown, true);
        json_field("digest", digest_of(a), false);
        json_field("was", before[0] != '\0' ? before : NULL, false);
        printf("}\n");
    } else if (c->quiet) {
        printf("%s\n", digest_of(a));
    } else {
        printf("tagged %s\n  %s\n", to->shown, digest_of(a));
    }
}

static int give_tag(cli *c, const spot *from, const spot *to)
{
    mlreg_copy_options o;
    mlreg_artifact *a = NULL;
    mlreg_error *err = NULL;
    char before[80], hint[HINT_BYTES];
    int rc;

    MLREG_INIT(o);
    o.flags = !to->remote || c->move ? MLREG_COPY_MOVE_TAG : 0;
    digest_now(to, before);
    if ((rc = mlreg_copy(from->session, from->ref, to->session, to->ref, &o, op_quiet(), &a, &err)) < 0)
        return fail(err, rc == MLREG_EEXISTS ? "another tag, or --move to let this one go" : spot_hint(from, err, hint), "tag %s as %s", from->shown, to->shown);
    say_moved(c, to, before, a);
    print_tagged(c, to, before, a);
    mlreg_artifact_free(a);
    return EXIT_OK;
}

int cmd_tag(cli *c)
{
    spot from, to = { 0 };
    int status = spot_open(c, c->words[0], SPOT_NEEDS_ONE, &from);

    if (status == EXIT_OK && (status = spot_open(c, c->words[1], SPOT_NEEDS_TAG | SPOT_CLOSED, &to)) == EXIT_OK && !same_place(&from, &to))
        status = fail_usage("`mlreg copy FROM TO` goes from place to place", "%s and %s are not in one place", from.shown, to.shown);
    spot_close(&to);
    if (status == EXIT_OK && (status = spot_open(c, c->words[1], SPOT_NEEDS_TAG, &to)) == EXIT_OK)
        status = give_tag(c, &from, &to);
    spot_close(&from);
    spot_close(&to);
    return status;
}

int cmd_rm(cli *c)
{
    spot at;
    mlreg_error *err = NULL;
    char hint[HINT_BYTES];
    int status = spot_open(c, c->words[0], SPOT_NEEDS_ONE, &at);

    if (status == EXIT_OK && mlreg_session_delete(at.session, at.ref, op_quiet(), &err) < 0)
        status = fail(err, spot_hint(&at, err, hint), "remove %s", at.shown);
    if (status == EXIT_OK && c->json) {
        printf("{");
        json_field("removed", at.shown, true);
        printf("}\n");
    } else if (status == EXIT_OK) {
        printf("removed %s\n", at.shown);
    }
    spot_close(&at);
    return status;
}

/* ---- gc ---- */

/* The store, or the layout that is named. */
static int open_kept(cli *c, spot *at)
{
    int status;

    memset(at, 0, sizeof *at);
    if (c->n_words == 0)
        return store_open(c, false, &at->session);
    if ((status = spot_open(c, c->words[0], 0, at)) == EXIT_OK && (at->remote || at->stored))
        return fail_usage("name a layout as oci:DIR, or nothing for the store; --store DIR says which", "\"%s\" is no layout", c->words[0]);
    return status;
}

static int parse_grace(const char *text, uint64_t *ms)
{
    char *end;
    unsigned long long s;

    if (text == NULL)
        return EXIT_OK;
    s = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || s > 1000000000)
        return fail_usage("write --grace 600 for ten minutes", "\"%s\" is no number of seconds", text);
    *ms = s == 0 ? MLREG_NONE : s * 1000;
    return EXIT_OK;
}

int cmd_gc(cli *c)
{
    spot at = { 0 };
    mlreg_gc_options o;
    mlreg_gc_report r;
    mlreg_error *err = NULL;
    char size[32];
    int status;

    MLREG_INIT(o);
    MLREG_INIT(r);
    o.flags = c->dry_run ? MLREG_GC_DRY_RUN : 0;
    if ((status = parse_grace(c->grace, &o.grace_ms)) != EXIT_OK || (status = open_kept(c, &at)) != EXIT_OK)
        ; /* said */
    else if (mlreg_session_gc(at.session, &o, op_quiet(), &r, &err) < 0)
        status = fail(err, mlreg_error_code(err) == MLREG_EPROTO ? "`mlreg fsck` names what is broken" : NULL, "collect what nothing names");
    else if (c->json)
        printf("{\"blobs\":%llu,\"bytes\":%llu,\"dry_run\":%s}\n", (unsigned long long)r.blobs, (unsigned long long)r.bytes, c->dry_run ? "true" : "false");
    else
        printf("%s %llu blob%s, %s\n", c->dry_run ? "would remove" : "removed", (unsigned long long)r.blobs, r.blobs == 1 ? "" : "s", human(r.bytes, size));
    spot_close(&at);
    return status;
}

/* ---- fsck ---- */

static void print_problems(const cli *c, const mlreg_list *problems, bool sound)
{
    if (c->json)
        printf("{\"sound\":%s,\"problems\":[", sound ? "true" : "false");
    for (size_t i = 0; i < mlreg_list_count(problems); i++) {
        if (c->json) {
            printf("%s", i > 0 ? "," : "");
            json_string(mlreg_list_name(problems, i));
        } else {
            print_text(mlreg_list_name(problems, i));
            printf("\n");
        }
    }
    if (c->json)
        printf("]}\n");
    else if (sound)
        printf("all is sound%s\n", mlreg_list_count(problems) > 0 ? " now" : "");
}

/* After a repair the store is looked at again: what could not be mended decides. */
static int check(const cli *c, mlreg_session *s)
{
    mlreg_list *problems = NULL, *left = NULL;
    mlreg_error *err = NULL;
    int rc = mlreg_session_fsck(s, c->repair ? MLREG_FSCK_REPAIR : 0, op_quiet(), &problems, &err);
    bool sound = rc == 0 && mlreg_list_count(problems) == 0;

    if (rc == 0 && !sound && c->repair && (rc = mlreg_session_fsck(s, 0, op_quiet(), &left, &err)) == 0)
        sound = mlreg_list_count(left) == 0;
    if (rc < 0)
        fail(err, NULL, "check it");
    else
        print_problems(c, problems, sound);
    if (rc == 0 && !sound && !c->repair)
        note(c, "mlreg fsck --repair mends what can be mended");
    mlreg_list_free(problems);
    mlreg_list_free(left);
    return sound ? EXIT_OK : EXIT_FAILED;
}

int cmd_fsck(cli *c)
{
    spot at;
    int status = open_kept(c, &at);

    if (status == EXIT_OK)
        status = check(c, at.session);
    spot_close(&at);
    return status;
}
