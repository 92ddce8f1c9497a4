/* cmd_index.c - index create, add and remove: one name for several variants, each for another kind of machine. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#define VARIANT_HINT "write NAME=REF, and behind it what it needs: cuda=model:cuda,compute=8.0,memory=40GB"

/* "cuda=model:cuda,compute=8.0,memory=40GB", taken apart in its own memory. */
typedef struct entry { char *text, *ref; mlreg_variant_options options; } entry;

static int read_memory(const char *text, uint64_t *out)
{
    static const struct { const char *unit; double bytes; } units[] = { { "", 1 }, { "B", 1 }, { "MB", 1e6 }, { "M", 1e6 }, { "MiB", 1048576 }, { "GB", 1e9 },
        { "G", 1e9 }, { "GiB", 1073741824 }, { "TB", 1e12 }, { "TiB", 1099511627776 } };
    char *end;
    double n = strtod(text, &end);

    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (end > text && n > 0 && n * units[i].bytes < 1e18 && strcmp(end, units[i].unit) == 0) {
            *out = (uint64_t)(n * units[i].bytes);
            return EXIT_OK;
        }
    return fail_usage("as in memory=40GB", "\"%s\" is no amount of memory", text);
}

static int read_need(char *text, mlreg_variant_options *o)
{
    const struct { const char *key; const char **to; } keys[] = { { "platform", &o->platform }, { "accelerator", &o->accelerator }, { "compute", &o->compute },
        { "driver", &o->driver }, { "runtime", &o->runtime }, { "cpu", &o->cpu }, { "precision", &o->precision }, { "format", &o->format } };
    char *value = strchr(text, '=');

    if (value == NULL || value[1] == '\0')
        return fail_usage(VARIANT_HINT, "\"%s\" is no requirement", text);
    *value++ = '\0';
    if (strcmp(text, "memory") == 0)
        return read_memory(value, &o->memory_bytes);
    for (char *plus = value; (plus = strchr(plus, '+')) != NULL;)
        *plus = ' ';                   /* a list in one word of a shell: cpu=avx512f+amx_tile */
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(text, keys[i].key) == 0) {
            *keys[i].to = value;
            return EXIT_OK;
        }
    return fail_usage("there are platform, accelerator, compute, driver, runtime, cpu, memory, precision and format", "no variant has a \"%s\"", text);
}

static int read_entry(const char *text, entry *e)
{
    char *rest, *need;
    int status = EXIT_OK;

    MLREG_INIT(e->options);
    if ((e->text = strdup(text)) == NULL)
        return fail_plainly(NULL, "out of memory");
    if ((e->ref = strchr(e->text, '=')) == NULL || e->ref == e->text)
        return fail_usage(VARIANT_HINT, "\"%s\" names no variant", text);
    *e->ref++ = '\0';
    e->options.name = e->text;
    rest = e->ref;
    strsep(&rest, ",");
    while (status == EXIT_OK && (need = strsep(&rest, ",")) != NULL)
        status = read_need(need, &e->options);
    return status;
}

/* b NULL: only whether it is to be had. */
static int add_one(cli *c, mlreg_builder *b, const char *text)
{
    entry e = { 0 };
    spot from = { 0 };
    mlreg_artifact *a = NULL;
    mlreg_error *err = NULL;
    char hint[HINT_BYTES];
    int status = read_entry(text, &e);

    if (status == EXIT_OK && (status = spot_open(c, e.ref, SPOT_NEEDS_ONE, &from)) == EXIT_OK &&
        (mlreg_session_resolve(from.session, from.ref, NULL, op_quiet(), &a, &err) < 0 || (b != NULL && mlreg_builder_add_child(b, a, &e.options, &err) < 0)))
        status = fail(err, a == NULL ? spot_hint(&from, err, hint) : NULL, "add %s", e.ref);
    mlreg_artifact_free(a);
    spot_close(&from);
    free(e.text);
    return status;
}

static int add_all(cli *c, mlreg_builder *b, size_t first)
{
    int status = EXIT_OK;

    for (size_t i = first; i < c->n_words && status == EXIT_OK; i++)
        status = add_one(c, b, c->words[i]);
    return status;
}

/* `expect`: the digest that the tag must still be at; NULL: whatever the rules of tags allow. */
static int commit(cli *c, mlreg_builder *b, const spot *to, const char *expect)
{
    mlreg_commit_options o;
    mlreg_artifact *a = NULL;
    mlreg_error *err = NULL;
    char before[80];
    int status = EXIT_OK;

    MLREG_INIT(o);
    o.flags = expect != NULL || !to->remote || c->move ? MLREG_COPY_MOVE_TAG : 0;
    o.expect_digest = expect;
    digest_now(to, before);
    if (mlreg_builder_commit(b, to->ref, &o, op_quiet(), &a, &err) < 0) {
        const char *hint = mlreg_error_code(err) != MLREG_EEXISTS ? NULL : expect != NULL ? "somebody else changed it meanwhile: do it again" : "another tag, or --move";

        status = fail(err, hint, "write the index %s", to->shown);
    } else {
        say_moved(c, to, before, a);
        if (c->json) {
            printf("{");
            json_field("reference", to->shown, true);
            json_field("digest", digest_of(a), false);
            json_number("variants", mlreg_artifact_count(a, MLREG_PART_CHILD), false);
            printf("}\n");
        } else {
            size_t n = mlreg_artifact_count(a, MLREG_PART_CHILD);

            printf("%s\n  %s\n  %zu variant%s\n", to->shown, digest_of(a), n, n == 1 ? "" : "s");
        }
    }
    mlreg_artifact_free(a);
    return status;
}

static int create(cli *c)
{
    spot to;
    mlreg_builder *b = NULL;
    mlreg_error *err = NULL;
    int status;

    if (c->n_tags != 1 || c->n_words < 2)
        return fail_usage("mlreg index create -t REF cpu=REF cuda=REF", "an index needs one name and at least one variant");
    if ((status = spot_open(c, c->tags[0], SPOT_LATER | SPOT_NEEDS_TAG, &to)) == EXIT_OK && to.session == NULL && (status = add_all(c, NULL, 1)) == EXIT_OK)
        status = spot_make(c, &to);
    if (status == EXIT_OK && mlreg_builder_new(to.session, MLREG_BUILD_INDEX, NULL, &b, &err) < 0)
        status = fail(err, NULL, "begin an index in %s", to.shown);
    if (status == EXIT_OK && (status = add_all(c, b, 1)) == EXIT_OK)
        status = commit(c, b, &to, NULL);
    mlreg_builder_free(b);
    spot_close(&to);
    return status;
}

static int remove_all(cli *c, mlreg_builder *b)
{
    mlreg_error *err = NULL;

    for (size_t i = 2; i < c->n_words; i++)
        if (mlreg_builder_remove_child(b, c->words[i], &err) < 0)
            return fail(err, NULL, "remove %s", c->words[i]);
    return EXIT_OK;
}

/* The index is read, changed, and put back only if it still is what was read. */
static int change(cli *c, int (*edit)(cli *c, mlreg_builder *b))
{
    spot to;
    mlreg_artifact *now = NULL;
    mlreg_builder *b = NULL;
    mlreg_error *err = NULL;
    char hint[HINT_BYTES];
    int status;

    if (c->n_words < 3)
        return fail_usage("mlreg index add REF cuda=REF, mlreg index remove REF cuda", "say which index, and which variants");
    if ((status = spot_open(c, c->words[1], SPOT_NEEDS_TAG, &to)) == EXIT_OK &&
        (mlreg_session_resolve(to.session, to.ref, NULL, op_quiet(), &now, &err) < 0 || mlreg_builder_new(to.session, MLREG_BUILD_INDEX, NULL, &b, &err) < 0 ||
            mlreg_builder_add_children_of(b, now, &err) < 0))
        status = fail(err, now == NULL ? spot_hint(&to, err, hint) : NULL, "change %s", to.shown);
    if (status == EXIT_OK && (status = edit(c, b)) == EXIT_OK)
        status = commit(c, b, &to, digest_of(now));
    mlreg_builder_free(b);
    mlreg_artifact_free(now);
    spot_close(&to);
    return status;
}

static int add_more(cli *c, mlreg_builder *b)
{
    return add_all(c, b, 2);
}

int cmd_index(cli *c)
{
    if (strcmp(c->words[0], "create") == 0)
        return create(c);
    if (strcmp(c->words[0], "add") == 0)
        return change(c, add_more);
    if (strcmp(c->words[0], "remove") == 0)
        return change(c, remove_all);
    return fail_usage("there are create, add and remove", "\"%s\" is nothing to do with an index", c->words[0]);
}
