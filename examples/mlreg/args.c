/* args.c - the command line: words and options, in any order. */
#include "cli.h"

#include <string.h>

typedef struct option {
    const char *name;
    bool *flag;                              /* set, or … */
    const char **value;                      /* … given the next word, or … */
    const char **values; size_t *n_values;   /* … added to */
    bool common;                             /* every command takes it */
} option;

#define N_OPTIONS 59

static void list_options(cli *c, option out[N_OPTIONS])
{
    const option all[N_OPTIONS] = {
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
        { "--base", NULL, &c->base, NULL, NULL, false },
        { "--model", NULL, &c->model, NULL, NULL, false },
        { "--pip", NULL, &c->pip, NULL, NULL, false },
        { "--path", NULL, &c->path, NULL, NULL, false },
        { "--platform", NULL, &c->platform, NULL, NULL, false },
        { "--workdir", NULL, &c->workdir, NULL, NULL, false },
        { "--user", NULL, &c->run_as, NULL, NULL, false },
        { "--add", NULL, NULL, c->add, &c->n_add, false },
        { "--layer", NULL, NULL, c->layers, &c->n_layers, false },
        { "--env", NULL, NULL, c->env, &c->n_env, false },
        { "--label", NULL, NULL, c->labels, &c->n_labels, false },
        { "--port", NULL, NULL, c->ports, &c->n_ports, false },
        { "--entrypoint", NULL, NULL, c->entrypoint, &c->n_entrypoint, false },
        { "--cmd", NULL, NULL, c->cmd, &c->n_cmd, false },
        { "--gzip", &c->gzip, NULL, NULL, NULL, false },
        { "--zstd", &c->zstd, NULL, NULL, NULL, false },
        { "--move", &c->move, NULL, NULL, NULL, false },
        { "--referrers", &c->referrers, NULL, NULL, NULL, false },
        { "--foreign", &c->foreign, NULL, NULL, NULL, false },
        { "--dry-run", &c->dry_run, NULL, NULL, NULL, false },
        { "--repair", &c->repair, NULL, NULL, NULL, false },
        { "--password-stdin", &c->password_stdin, NULL, NULL, NULL, false },
        { "--variant", NULL, &c->variant, NULL, NULL, false },
        { "--accelerator", NULL, &c->accelerator, NULL, NULL, false },
        { "--precision", NULL, &c->precision, NULL, NULL, false },
        { "--host", NULL, &c->host, NULL, NULL, false },
        { "--one-variant", &c->one_variant, NULL, NULL, NULL, false },
        { "--all-variants", &c->all_variants, NULL, NULL, NULL, false },
        { "--all", &c->all_variants, NULL, NULL, NULL, false },
        { "--explain", &c->explain, NULL, NULL, NULL, false },
        { "--unverified", &c->unverified, NULL, NULL, NULL, false },
        { "--listen", NULL, &c->listen, NULL, NULL, false },
        { "--htpasswd", NULL, &c->htpasswd, NULL, NULL, false },
        { "--tokens", NULL, &c->token_file, NULL, NULL, false },
        { "--cert", NULL, &c->cert, NULL, NULL, false },
        { "--key", NULL, &c->key, NULL, NULL, false },
        { "--upstream", NULL, &c->upstream, NULL, NULL, false },
        { "--max-bytes", NULL, &c->max_bytes, NULL, NULL, false },
        { "--min-free", NULL, &c->min_free, NULL, NULL, false },
        { "--max-connections", NULL, &c->max_connections, NULL, NULL, false },
        { "--max-rate", NULL, &c->max_rate, NULL, NULL, false },
        { "--read-only", &c->read_only, NULL, NULL, NULL, false },
        { "--stats", &c->stats, NULL, NULL, NULL, false },
    };

    memcpy(out, all, sizeof all);
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

/* ---- what was probably meant ---- */

#define WORD_MAX 24

/* How many letters differ, are missing or too many. */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1], n = strlen(b);

    if (strlen(a) > WORD_MAX || n > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t corner = row[0];

        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t best = corner + (a[i - 1] != b[j - 1]);

            corner = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[n];
}

typedef struct guess { const char *word; size_t off; } guess;

/* Of a short word one that differs by half is no guess. */
static guess guess_for(const char *word)
{
    size_t most = (strlen(word) + 1) / 2;

    return (guess){ NULL, most < 3 ? most : 3 };
}

static void consider(guess *g, const char *word, const char *candidate)
{
    size_t off = distance(word, candidate);

    if (off < g->off) {
        g->word = candidate;
        g->off = off;
    }
}

/* "image" names no command, nor does "image nope". */
static int fail_group(const char *group, const char *format, const char *word)
{
    char hint[200] = "";
    size_t n = strlen(group);

    for (const command *x = commands; x->name != NULL; x++)
        if (strncmp(x->name, group, n) == 0 && x->name[n] == ' ')
            snprintf(hint + strlen(hint), sizeof hint - strlen(hint), "%s%s", hint[0] != '\0' ? ", " : "there are ", x->name);
    return fail_usage(hint, format, word);
}

static int fail_command(const char *word)
{
    guess g = guess_for(word);
    char hint[100];

    for (const command *x = commands; x->name != NULL; x++)
        consider(&g, word, x->name);
    snprintf(hint, sizeof hint, g.word != NULL ? "did you mean %s? `mlreg --help` lists the commands" : "`mlreg --help` lists the commands", g.word);
    return fail_usage(hint, "there is no command \"%s\"", word);
}

static int fail_option(const option all[N_OPTIONS], const char *name, const command *cmd)
{
    guess g = guess_for(name);
    const char *of = cmd != NULL ? cmd->name : "";
    char hint[100];

    for (size_t i = 0; i < N_OPTIONS; i++)
        if (all[i].common || (cmd != NULL && args_listed(cmd->options, all[i].name)))
            consider(&g, name, all[i].name);
    snprintf(hint, sizeof hint, "%s%s%s`mlreg %s%s--help` lists the options", g.word != NULL ? "did you mean " : "", g.word != NULL ? g.word : "",
        g.word != NULL ? "? " : "", of, cmd != NULL ? " " : "");
    return fail_usage(hint, "mlreg%s%s has no option %s", cmd != NULL ? " " : "", of, name);
}

/* ---- words and options ---- */

/* `value` is what follows '=', or NULL. */
static int take_option(cli *c, const char *name, const char *value, const command *cmd, char ***next)
{
    option all[N_OPTIONS];
    const option *o = all;

    list_options(c, all);
    while (o < all + N_OPTIONS && strcmp(o->name, name) != 0)
        o++;
    if (o == all + N_OPTIONS || (!o->common && (cmd == NULL || !args_listed(cmd->options, name))))
        return fail_option(all, name, cmd);
    if (o->flag != NULL) {
        *o->flag = true;
        return value == NULL ? EXIT_OK : fail_usage(NULL, "%s takes no value", name);
    }
    if (value == NULL && (value = **next) != NULL)
        ++*next;
    if (value == NULL || value[0] == '\0')
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

/* Of "image build", "image" alone. */
static bool is_group(const char *word)
{
    for (const command *x = commands; x->name != NULL; x++)
        if (strncmp(x->name, word, strlen(word)) == 0 && x->name[strlen(word)] == ' ')
            return true;
    return false;
}

static int take_command(cli *c, const char *word, const command **cmd)
{
    char name[64];

    if (c->group == NULL && strcmp(word, "help") == 0) {
        c->help = true;                /* "help pull", as other programs write "pull --help" */
        return EXIT_OK;
    }
    if (c->group == NULL && is_group(word)) {
        c->group = word;
        return EXIT_OK;
    }
    snprintf(name, sizeof name, "%s%s%s", c->group != NULL ? c->group : "", c->group != NULL ? " " : "", word);
    for (const command *x = commands; x->name != NULL; x++)
        if (strcmp(x->name, name) == 0)
            *cmd = x;
    if (*cmd != NULL)
        return EXIT_OK;
    return c->group != NULL ? fail_group(c->group, "there is no command \"%s\"", name) : fail_command(name);
}

static int take_word(cli *c, const char *word, const command **cmd)
{
    if (*cmd == NULL)
        return take_command(c, word, cmd);
    if (c->help)
        return EXIT_OK;
    if (word[0] == '\0')
        return fail_usage("a variable of the shell that is not set, perhaps", "an argument is empty: mlreg %s %s", (*cmd)->name, (*cmd)->arguments);
    if (c->n_words == (*cmd)->most)
        return fail_usage("quote a name that holds blanks", "\"%s\" is one argument too many: mlreg %s%s%s", word, (*cmd)->name,
            (*cmd)->arguments[0] != '\0' ? " " : "", (*cmd)->arguments);
    c->words[c->n_words++] = word;
    return EXIT_OK;
}

static int take(cli *c, char *word, bool *words_only, const command **cmd, char ***next)
{
    char *equals;

    if (*words_only || word[0] != '-' || word[1] == '\0')
        return take_word(c, word, cmd);
    if (*cmd == NULL && strcmp(word, "--version") == 0)
        return take_command(c, "version", cmd);
    if (strcmp(word, "--") == 0) {
        *words_only = true;
        return EXIT_OK;
    }
    if (strncmp(word, "--", 2) == 0 && (equals = strchr(word, '=')) != NULL) {
        *equals = '\0';
        return take_option(c, word, equals + 1, *cmd, next);
    }
    return take_option(c, word, NULL, *cmd, next);
}

int args_parse(cli *c, char **argv, const command **out)
{
    char **next = argv + 1;
    bool words_only = false;
    int status = EXIT_OK;

    while (*next != NULL && status == EXIT_OK) {
        char *word = *next++;

        status = take(c, word, &words_only, out, &next);
    }
    if (status != EXIT_OK || c->help)
        return status;
    if (*out == NULL && c->group != NULL)
        return fail_group(c->group, "%s has several commands", c->group);
    if (*out == NULL)
        return fail_usage("`mlreg --help` lists the commands", "no command is given");
    if (c->n_words < (*out)->least)
        return fail_usage((*out)->what, "arguments are missing: mlreg %s %s", (*out)->name, (*out)->arguments);
    return EXIT_OK;
}
