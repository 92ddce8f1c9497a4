/* cmd_keep.c - tag, rm, gc, fsck: keeping a place in order. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static bool same_place(const spot *a, const spot *b)
{
    const char *x = mlreg_name_location(a->name), *y = mlreg_name_location(b->name);

    if (a->in_store || b->in_store)
        return a->in_store && b->in_store;
    return x == y || (x != NULL && y != NULL && strcmp(x, y) == 0);
}

int cmd_tag(cli *c)
{
    spot from = { 0 }, to = { 0 };
    mlreg_copy_options o;
    mlreg_artifact *a = NULL, *before = NULL;
    mlreg_error *err = NULL;
    int rc, status;

    MLREG_INIT(o);
    if ((status = spot_open(c, c->words[0], SPOT_NEEDS_TAG, &from)) != EXIT_OK ||
        (status = spot_open(c, c->words[1], SPOT_WRITE | SPOT_NEEDS_TAG, &to)) != EXIT_OK)
        goto out;
    if (!same_place(&from, &to)) {
        status = fail_usage("`mlreg copy FROM TO` copies from place to place", "\"%s\" and \"%s\" are not in one place", c->words[0], c->words[1]);
        goto out;
    }
    if (!to.remote && mlreg_session_resolve(to.session, to.ref, NULL, NULL, &before, NULL) < 0)
        before = NULL;
    o.flags = !to.remote || c->move ? MLREG_COPY_MOVE_TAG : 0;
    rc = mlreg_copy(from.session, from.ref, to.session, to.ref, &o, NULL, &a, &err);
    if (rc == MLREG_EEXISTS)
        note(c, "mlreg: --move moves the tag");
    if (rc < 0) {
        status = fail(err, "tag it");
        goto out;
    }
    const char *now = mlreg_descriptor_digest(mlreg_artifact_at(a, MLREG_PART_SELF, 0));
    if (before != NULL && strcmp(mlreg_descriptor_digest(mlreg_artifact_at(before, MLREG_PART_SELF, 0)), now) != 0)
        note(c, "%s was %.19s… and is now %.19s…", c->words[1], mlreg_descriptor_digest(mlreg_artifact_at(before, MLREG_PART_SELF, 0)), now);
    if (c->json) {
        printf("{");
        json_field("reference", c->words[1], true);
        json_field("digest", now, false);
        printf("}\n");
    } else {
        printf("%s\n  %s\n", c->words[1], now);
    }
out:
    mlreg_artifact_free(a);
    mlreg_artifact_free(before);
    spot_close(&from);
    spot_close(&to);
    return status;
}

int cmd_rm(cli *c)
{
    spot at = { 0 };
    mlreg_error *err = NULL;
    int status = spot_open(c, c->words[0], SPOT_NEEDS_TAG, &at);

    if (status == EXIT_OK && mlreg_session_delete(at.session, at.ref, NULL, &err) < 0)
        status = fail(err, "remove it");
    if (status == EXIT_OK && c->json)
        printf("{\"removed\":"), json_string(c->words[0]), printf("}\n");
    else if (status == EXIT_OK)
        printf("removed %s\n", c->words[0]);
    spot_close(&at);
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
    mlreg_session *s = NULL;
    mlreg_gc_options o;
    mlreg_gc_report r;
    mlreg_error *err = NULL;
    char size[32];
    int status;

    MLREG_INIT(o);
    MLREG_INIT(r);
    o.flags = c->dry_run ? MLREG_GC_DRY_RUN : 0;
    if ((status = parse_grace(c->grace, &o.grace_ms)) != EXIT_OK || (status = store_open(c, false, &s)) != EXIT_OK)
        return status;
    if (mlreg_session_gc(s, &o, NULL, &r, &err) < 0)
        status = fail(err, "collect");
    else if (c->json)
        printf("{\"blobs\":%llu,\"bytes\":%llu,\"dry_run\":%s}\n", (unsigned long long)r.blobs, (unsigned long long)r.bytes, c->dry_run ? "true" : "false");
    else
        printf("%s %llu blobs, %s\n", c->dry_run ? "would remove" : "removed", (unsigned long long)r.blobs, human(r.bytes, size));
    mlreg_session_free(s);
    return status;
}

int cmd_fsck(cli *c)
{
    mlreg_session *s = NULL;
    mlreg_list *problems = NULL;
    mlreg_error *err = NULL;
    int status = store_open(c, false, &s);

    if (status != EXIT_OK)
        return status;
    if (mlreg_session_fsck(s, c->repair ? MLREG_FSCK_REPAIR : 0, NULL, &problems, &err) < 0) {
        mlreg_session_free(s);
        return fail(err, "check the store");
    }
    printf("%s", c->json ? "[" : "");
    for (size_t i = 0; i < mlreg_list_count(problems); i++) {
        if (c->json) {
            printf("%s", i > 0 ? "," : "");
            json_string(mlreg_list_name(problems, i));
        } else {
            printf("%s\n", mlreg_list_name(problems, i));
        }
    }
    printf("%s", c->json ? "]\n" : "");
    status = mlreg_list_count(problems) > 0 ? EXIT_FAILED : EXIT_OK;
    if (status == EXIT_OK && !c->json)
        printf("the store is sound\n");
    mlreg_list_free(problems);
    mlreg_session_free(s);
    return status;
}
