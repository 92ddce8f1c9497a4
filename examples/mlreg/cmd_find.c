/* cmd_find.c - image find: which files of an image are models, or lie at a path, and in which layers. */
#include "cli.h"

#include <stdlib.h>

#define NOTE "io.github.libmlreg.image."

static uint64_t bytes_of(const mlreg_descriptor *d)
{
    const char *bytes = mlreg_descriptor_annotation(d, NOTE "bytes");

    return bytes != NULL ? strtoull(bytes, NULL, 10) : 0;
}

static void print_json(const mlreg_list *l)
{
    printf("[");
    for (size_t i = 0; i < mlreg_list_count(l); i++) {
        const mlreg_descriptor *d = mlreg_list_descriptor(l, i);

        printf("%s{", i > 0 ? "," : "");
        json_field("path", mlreg_list_name(l, i), true);
        json_number("bytes", bytes_of(d), false);
        json_field("format", mlreg_descriptor_annotation(d, NOTE "format"), false);
        json_field("layer", mlreg_descriptor_digest(d), false);
        json_number("layer_bytes", mlreg_descriptor_bytes(d), false);
        printf("}");
    }
    printf("]\n");
}

static void print_table(const mlreg_list *l)
{
    char size[32];

    for (size_t i = 0; i < mlreg_list_count(l); i++) {
        const mlreg_descriptor *d = mlreg_list_descriptor(l, i);
        const char *format = mlreg_descriptor_annotation(d, NOTE "format");

        if (i == 0)
            printf("%-12s  %10s  %-20s  %s\n", "FORMAT", "SIZE", "LAYER", "PATH");
        printf("%-12s  %10s  %.19s…  /", format != NULL ? format : "-", human(bytes_of(d), size), mlreg_descriptor_digest(d));
        print_text(mlreg_list_name(l, i));
        printf("\n");
    }
}

static int find(cli *c, const spot *at, mlreg_list **out)
{
    choice ch = { 0 };
    job j;
    mlreg_artifact *a = NULL;
    mlreg_error *err = NULL;
    char hint[HINT_BYTES];
    int rc, status = choice_open(c, true, at, &ch);

    if (status == EXIT_OK && (status = job_begin(&j, c, "find")) == EXIT_OK) {
        if ((rc = mlreg_session_resolve(at->session, at->ref, &ch.options, j.op, &a, &err)) == 0)
            rc = mlreg_image_find(a, c->path, j.op, out, &err);
        job_end(&j);
        if (rc < 0)
            status = fail(err, spot_hint(at, err, hint), "look into %s", at->shown);
        job_free(&j);
    }
    mlreg_artifact_free(a);
    choice_close(&ch);
    return status;
}

int cmd_image_find(cli *c)
{
    spot at;
    mlreg_list *l = NULL;
    int status = spot_open(c, c->words[0], SPOT_NEEDS_ONE, &at);

    if (status == EXIT_OK && (status = find(c, &at, &l)) == EXIT_OK) {
        if (c->json)
            print_json(l);
        else
            print_table(l);
        if (mlreg_list_count(l) == 0)
            note(c, c->path != NULL ? "%s has nothing there" : "%s has no file that is known as a model's; --path '/**' lists all", at.shown);
    }
    mlreg_list_free(l);
    spot_close(&at);
    return status;
}
