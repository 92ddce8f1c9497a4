/* args.c - the command line: words and options, in any order. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

typedef struct option {
    const char *name;
    bool *flag;                              /* set, or … */
    const char **value;                      /* … given the next word, or … */
    const char **values; size_t *n_values;   /* … added to */
    bool common;                             /* every command takes it */
} option;

/* The option's entry for this cli; NULL if there is no such option. */
static const option *find(cli *c, const char *name, option *room)
{
    const option all[] = {
        { "--store", NULL, &c->store, NULL, NULL, true },
        { "--ca-file", NULL, &c->ca_file, NULL, NULL, true },
        { "--plain-http", &c->plain_http, NULL, NULL, NULL, true },
        { "--json", &c->json, NULL, NULL, NULL, true },
        { "-q", &c->quiet, NULL, NULL, NULL, true },
        { "-v", &c->verbose, NULL, NULL, NULL, true },
        { "-h", &c->help, NULL, NULL, NULL, true },
        { "--help", &c->help, NULL, NULL, NULL, true },
        { "-t", NULL, NULL, c->tags, &c->n_tags, false },
        { "-o", NULL, &c->output, NULL, NULL, false },
        { "-u", NULL, &c->user, NULL, NULL, false },
        { "--range", NULL, &c->range, NULL, NULL, false },
        { "--grace", NULL, &c->grace, NULL, NULL, false },
        { "--include", NULL, NULL, c->include, &c->n_include, false },
        { "--exclude", NULL, NULL, c->exclude, &c->n_exclude, false },
        { "--annotation", NULL, NULL, c->annotations, &c->n_annotations, false },
        { "--move", &c->move, NULL, NULL, NULL, false },
        { "--referrers", &c->referrers, NULL, NULL, NULL, false },
        { "--dry-run", &c->dry_run, NULL, NULL, NULL, false },
        { "--repair", &c->repair, NULL, NULL, NULL, false },
        { "--password-stdin", &c->password_stdin, NULL, NULL, NULL, false },
        { "--unverified", &c->unverified, NULL, NULL, NULL, false },
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i].name, name) == 0) {
            *room = all[i];
            return room;
        }
    return NULL;
}

bool args_listed(const char *list, const char *name)
{
    size_t n = strcspn(name, " ");

    for (const char *at = list; *at != '\0'; at += strspn(at, " ")) {
        if (strcspn(at, " ") == n && strncmp(at, name, n) == 0)
            return true;
        at += strcspn(at, " ");
    }
    return false;
}

/* "--name=value" is cut in two; `value` is NULL for "--name". */
static int take_option(cli *c, char *name, char *value, const command *cmd, char ***next)
{
    option room;
    const option *o = find(c, name, &room);

    if (o == NULL || (!o->common && cmd != NULL && !args_listed(cmd->options, name)))
        return fail_usage("`mlreg --help` lists the commands, `mlreg COMMAND --help` its options", "%s%s%s has no option %s",
            "mlreg", cmd != NULL ? " " : "", cmd != NULL ? cmd->name : "", name);
    if (o->flag != NULL) {
        *o->flag = true;
        return value == NULL ? EXIT_OK : fail_usage(NULL, "%s takes no value", name);
    }
    if (value == NULL && (value = **next) != NULL)
        ++*next;
    if (value == NULL)
        return fail_usage(NULL, "%s needs a value", name);
    if (o->value != NULL) {
        *o->value = value;
    } else {
        if (*o->n_values == MAX_WORDS)
            return fail_usage(NULL, "%s is given over %d times", name, MAX_WORDS);
        o->values[(*o->n_values)++] = value;
    }
    return EXIT_OK;
}

static int take_word(cli *c, const char *word, const command **cmd)
{
    if (*cmd == NULL) {
        for (const command *x = commands; x->name != NULL; x++)
            if (strcmp(x->name, word) == 0)
                *cmd = x;
        c->command = word;
        return *cmd != NULL ? EXIT_OK : fail_usage("`mlreg --help` lists the commands", "there is no command \"%s\"", word);
    }
    if (c->n_words == (*cmd)->most)
        return fail_usage("`mlreg COMMAND --help` shows its arguments", "\"%s\" is one argument too many: mlreg %s %s", word, (*cmd)->name, (*cmd)->arguments);
    c->words[c->n_words++] = word;
    return EXIT_OK;
}

int args_parse(cli *c, int argc, char **argv, const command **out)
{
    char **next = argv + 1;
    bool words_only = false;
    int status = EXIT_OK;

    (void)argc;
    if (*next == NULL) {
        usage(stderr);
        return EXIT_USAGE;
    }
    while (*next != NULL && status == EXIT_OK) {
        char *word = *next++, *equals = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;

        if (words_only || word[0] != '-' || word[1] == '\0') {
            status = take_word(c, word, out);
        } else if (strcmp(word, "--") == 0) {
            words_only = true;
        } else {
            if (equals != NULL)
                *equals = '\0';
            status = take_option(c, word, equals != NULL ? equals + 1 : NULL, *out, &next);
        }
    }
    if (status != EXIT_OK || c->help || *out == NULL)
        return status == EXIT_OK && *out == NULL && !c->help ? fail_usage("`mlreg --help` lists the commands", "no command is given") : status;
    if (c->n_words < (*out)->least)
        return fail_usage("`mlreg COMMAND --help` shows its options", "too few arguments: mlreg %s %s", (*out)->name, (*out)->arguments);
    return EXIT_OK;
}
