/* cmd_show.c - ls and tags: what is there. */
#include "cli.h"

#include <string.h>

#define LS_HINT "`mlreg ls` lists what the store has"

typedef struct listing { cli *c; mlreg_session *s; size_t n; int status; } listing;

static void print_one(listing *l, const char *name, const mlreg_artifact *a)
{
    char size[32];

    if (l->c->json) {
        printf("%s{", l->n > 0 ? "," : "");
        json_field("name", name, true);
        json_field("digest", digest_of(a), false);
        json_number("bytes", artifact_bytes(a), false);
        printf("}");
    } else {
        if (l->n == 0)
            printf("%-44s  %-20s  %s\n", "NAME", "DIGEST", "SIZE");
        printf("%-44s  %.19s…  %s\n", name, digest_of(a), human(artifact_bytes(a), size));
    }
    l->n++;
}

/* What cannot be read is said, and does not hide the rest. What was removed meanwhile is passed over. */
static void list_tag(listing *l, const char *repo, const char *tag)
{
    mlreg_artifact *a = NULL;
    mlreg_error *err = NULL;
    char name[NAME_BYTES];

    snprintf(name, sizeof name, "%s:%s", repo, tag);
    if (mlreg_session_resolve(l->s, name, NULL, NULL, &a, &err) == 0)
        print_one(l, name, a);
    else if (mlreg_error_code(err) == MLREG_ENOTFOUND)
        mlreg_error_free(err);
    else
        l->status = fail(err, "`mlreg fsck` says what is broken", "read %s", name);
    mlreg_artifact_free(a);
}

static void list_repository(listing *l, const char *repo)
{
    mlreg_list *tags = NULL;
    mlreg_error *err = NULL;

    if (mlreg_session_tags(l->s, repo, NULL, &tags, &err) < 0)
        l->status = fail(err, mlreg_error_code(err) == MLREG_ENOTFOUND ? LS_HINT : NULL, "list %s", repo);
    for (size_t i = 0; i < mlreg_list_count(tags); i++)
        list_tag(l, repo, mlreg_list_name(tags, i));
    mlreg_list_free(tags);
}

static void list_all(listing *l)
{
    mlreg_list *repos = NULL;
    mlreg_error *err = NULL;

    if (mlreg_session_repositories(l->s, NULL, &repos, &err) < 0)
        l->status = fail(err, NULL, "list the store");
    for (size_t i = 0; i < mlreg_list_count(repos); i++)
        list_repository(l, mlreg_list_name(repos, i));
    mlreg_list_free(repos);
}

int cmd_ls(cli *c)
{
    listing l = { .c = c };
    spot at = { 0 };

    l.status = c->n_words > 0 ? spot_open(c, c->words[0], SPOT_STORED, &at) : store_open(c, false, &at.session);
    if (l.status == EXIT_OK) {
        l.s = at.session;
        if (c->json)
            printf("[");
        if (c->n_words > 0)
            list_repository(&l, at.repository);
        else
            list_all(&l);
        if (c->json)
            printf("]\n");
    }
    spot_close(&at);
    return l.status;
}

static void print_tags(const cli *c, const mlreg_list *tags)
{
    if (c->json)
        printf("[");
    for (size_t i = 0; i < mlreg_list_count(tags); i++) {
        if (c->json) {
            printf("%s", i > 0 ? "," : "");
            json_string(mlreg_list_name(tags, i));
        } else {
            print_text(mlreg_list_name(tags, i));
            printf("\n");
        }
    }
    if (c->json)
        printf("]\n");
}

int cmd_tags(cli *c)
{
    spot at;
    mlreg_list *tags = NULL;
    mlreg_error *err = NULL;
    int status = spot_open(c, c->words[0], 0, &at);

    if (status == EXIT_OK && mlreg_session_tags(at.session, at.repository, op_quiet(), &tags, &err) < 0)
        status = fail(err, at.stored && mlreg_error_code(err) == MLREG_ENOTFOUND ? LS_HINT : NULL, "list the tags of %s", at.shown);
    if (status == EXIT_OK)
        print_tags(c, tags);
    mlreg_list_free(tags);
    spot_close(&at);
    return status;
}
