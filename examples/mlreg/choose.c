/* choose.c - which entry of an index is meant: options of the command line as the library takes them. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HOST_MAX_BYTES (1u << 20)

/* "-" is stdin. NULL, with the reason said. */
static char *read_file(const char *path)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char *text = malloc(HOST_MAX_BYTES + 1);
    size_t n = f != NULL && text != NULL ? fread(text, 1, HOST_MAX_BYTES, f) : 0;
    bool failed = f == NULL || text == NULL || ferror(f) != 0;
    int why = errno;

    if (f != NULL && f != stdin)
        fclose(f);
    if (!failed) {
        text[n] = '\0';
        return text;
    }
    free(text);
    fail_plainly("`mlreg host --json` on that machine prints one", "cannot read %s: %s", path, strerror(why));
    return NULL;
}

/* What is no index is taken as it is by whoever wishes for something; but a name means one variant and no other. What keeps it from being
 * read is said by whoever comes to read it. */
static int check_name(const cli *c, const spot *at)
{
    mlreg_artifact *a = NULL;
    int status = EXIT_OK;

    if (c->variant != NULL && mlreg_session_resolve(at->session, at->ref, NULL, op_quiet(), &a, NULL) == 0 &&
        mlreg_artifact_count(a, MLREG_PART_CHILD) == 0)
        status = fail_plainly("leave --variant out to take it as it is", "%s is no index: it has no variant \"%s\"", at->shown, c->variant);
    mlreg_artifact_free(a);
    return status;
}

int choice_open(const cli *c, bool by_default, const spot *at, choice *out)
{
    mlreg_resolve_options *o = &out->options;

    memset(out, 0, sizeof *out);
    MLREG_INIT(*o);
    o->platform = c->platform;
    o->variant = c->variant;
    o->accelerator = c->accelerator;
    o->precision = c->precision;
    out->any = c->one_variant || c->platform != NULL || c->variant != NULL || c->accelerator != NULL || c->precision != NULL || c->host != NULL;
    if (out->any && c->all_variants)
        return fail_usage("choose one of them, or leave --all-variants out", "--all-variants takes every variant");
    if (c->host != NULL && (out->host = read_file(c->host)) == NULL)
        return EXIT_FAILED;
    o->host = out->host;
    out->any = out->any || (by_default && !c->all_variants);
    o->flags = out->any ? MLREG_RESOLVE_VARIANT : 0;
    return check_name(c, at);
}

void choice_close(choice *ch)
{
    free(ch->host);
    ch->host = NULL;
}

/* ---- tables ---- */

#define PREFIX "io.github.libmlreg.variant."

const char *variant_note(const mlreg_descriptor *d, const char *key)
{
    char whole[100];

    snprintf(whole, sizeof whole, PREFIX "%s", key);
    return mlreg_descriptor_annotation(d, whole);
}

/* "cuda 8.0, driver 535, avx512f, 40.0 GB": what an entry needs. */
static void print_needs(const mlreg_descriptor *d)
{
    static const char *const keys[][2] = { { "accelerator", "" }, { "compute", " " }, { "driver", ", driver " }, { "runtime", ", runtime " }, { "cpu", ", " },
        { "precision", ", " }, { "format", ", " } };
    const char *memory = variant_note(d, "memory");
    char size[32];
    bool any = false;

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *value = variant_note(d, keys[i][0]);

        if (value == NULL)
            continue;
        printf("%s", any ? keys[i][1] : "");
        print_text(value);
        any = true;
    }
    if (memory != NULL)
        printf("%s%s", any ? ", " : "", human(strtoull(memory, NULL, 10), size));
    if (!any && memory == NULL)
        printf("-");
}

void print_variants(const mlreg_list *l, bool explain)
{
    for (size_t i = 0; i < mlreg_list_count(l); i++) {
        const mlreg_descriptor *d = mlreg_list_descriptor(l, i);
        const char *name = mlreg_list_name(l, i), *fit = variant_note(d, "fit");

        printf("%c %.19s… ", strncmp(fit, "chosen", 6) == 0 ? '*' : ' ', mlreg_descriptor_digest(d));
        print_text(name[0] != '\0' ? name : NULL);
        printf("  ");
        print_text(mlreg_descriptor_platform(d));
        printf("  ");
        print_needs(d);
        printf("%s", variant_note(d, "absent") != NULL ? "  (not here)" : "");
        if (explain) {
            printf("\n    ");
            print_text(fit);
        }
        printf("\n");
    }
}

void json_variants(const mlreg_list *l)
{
    static const char *const keys[] = { "accelerator", "compute", "driver", "runtime", "cpu", "precision", "format", "memory", "fit" };

    printf("[");
    for (size_t i = 0; i < mlreg_list_count(l); i++) {
        const mlreg_descriptor *d = mlreg_list_descriptor(l, i);

        printf("%s{", i > 0 ? "," : "");
        json_field("name", mlreg_list_name(l, i), true);
        json_field("digest", mlreg_descriptor_digest(d), false);
        json_field("mediaType", mlreg_descriptor_media_type(d), false);
        json_field("platform", mlreg_descriptor_platform(d), false);
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
            json_field(keys[k], variant_note(d, keys[k]), false);
        printf(",\"absent\":%s}", variant_note(d, "absent") != NULL ? "true" : "false");
    }
    printf("]");
}
