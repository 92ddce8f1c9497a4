/* cmd_cat.c - one file of an artifact, or a range of it, to stdout. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Digits alone: strtoull takes blanks and signs as well. */
static bool take_number(const char **at, uint64_t *out)
{
    char *end;

    if (**at < '0' || **at > '9')
        return false;
    *out = strtoull(*at, &end, 10);
    *at = end;
    return *out < UINT64_MAX;
}

/* "A-B", both included; "A-": to the end. */
static int parse_range(const char *text, mlreg_stream_options *o)
{
    const char *at = text;
    uint64_t last;

    if (text == NULL)
        return EXIT_OK;
    if (take_number(&at, &o->offset) && *at++ == '-') {
        if (*at == '\0')
            return EXIT_OK;
        if (take_number(&at, &last) && *at == '\0' && last >= o->offset) {
            o->bytes = last - o->offset + 1;
            return EXIT_OK;
        }
    }
    return fail_usage("write --range 0-99 for the first hundred bytes, --range 100- for the rest", "\"%s\" is no range", text);
}

/* By its name, or by the digest of its layer. */
static int find_layer(const mlreg_artifact *a, const char *name, const char *file, size_t *out)
{
    for (size_t i = 0; i < mlreg_artifact_count(a, MLREG_PART_LAYER); i++) {
        const mlreg_descriptor *d = mlreg_artifact_at(a, MLREG_PART_LAYER, i);
        const char *title = mlreg_descriptor_title(d);

        if ((title != NULL && strcmp(title, file) == 0) || strcmp(mlreg_descriptor_digest(d), file) == 0) {
            *out = i;
            return EXIT_OK;
        }
    }
    if (mlreg_artifact_count(a, MLREG_PART_CHILD) > 0)
        return fail_plainly("choose one of its variants: --variant NAME, or --platform OS/ARCH; `mlreg variants` lists them", "%s is an index, which has no files of its own", name);
    return fail_plainly("`mlreg inspect` lists its files", "there is no file \"%s\" in %s", file, name);
}

/* A range past the end is cut there, as in HTTP. */
static void cut_range(uint64_t size, mlreg_stream_options *o)
{
    if (o->bytes > 0 && o->offset < size && o->bytes > size - o->offset)
        o->bytes = 0;
}

static int write_out(mlreg_stream *s, const char *name)
{
    static char piece[256 << 10];
    mlreg_error *err = NULL;
    int64_t n;

    while ((n = mlreg_stream_read(s, piece, sizeof piece, &err)) > 0)
        if (fwrite(piece, 1, (size_t)n, stdout) != (size_t)n)
            return fail_stdout(errno);
    return n < 0 ? fail(err, NULL, "read %s to its end", name) : EXIT_OK;
}

static int open_and_write(mlreg_artifact *a, size_t layer, const mlreg_stream_options *o, const char *name)
{
    mlreg_stream *s = NULL;
    mlreg_error *err = NULL;
    int status = mlreg_stream_open(a, layer, o, op_quiet(), &s, &err) < 0 ? fail(err, NULL, "read %s", name) : write_out(s, name);

    mlreg_stream_free(s);
    return status;
}

int cmd_cat(cli *c)
{
    spot at = { 0 };
    mlreg_artifact *a = NULL;
    mlreg_stream_options o;
    mlreg_error *err = NULL;
    char hint[HINT_BYTES];
    size_t layer = 0;
    choice ch = { 0 };
    int status;

    MLREG_INIT(o);
    o.flags = c->unverified ? MLREG_STREAM_UNVERIFIED : 0;
    if ((status = parse_range(c->range, &o)) == EXIT_OK)
        status = spot_open(c, c->words[0], SPOT_NEEDS_ONE, &at);
    if (status == EXIT_OK)
        status = choice_open(c, false, &at, &ch);
    if (status == EXIT_OK && mlreg_session_resolve(at.session, at.ref, &ch.options, op_quiet(), &a, &err) < 0)
        status = fail(err, spot_hint(&at, err, hint), "read %s", at.shown);
    if (status == EXIT_OK && (status = find_layer(a, at.shown, c->words[1], &layer)) == EXIT_OK) {
        cut_range(mlreg_descriptor_bytes(mlreg_artifact_at(a, MLREG_PART_LAYER, layer)), &o);
        status = open_and_write(a, layer, &o, c->words[1]);
    }
    mlreg_artifact_free(a);
    choice_close(&ch);
    spot_close(&at);
    return status;
}
