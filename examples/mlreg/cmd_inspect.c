/* cmd_inspect.c - what an artifact is made of. */
#include "cli.h"

#include <string.h>

typedef struct view {
    const char *name;
    mlreg_artifact *a;
    const char *config; size_t config_bytes;   /* NULL: it has none */
    mlreg_list *referrers, *variants;
} view;

/* ---- for programs ---- */

static void json_annotations(const mlreg_descriptor *d)
{
    const char *key, *value;

    printf(",\"annotations\":{");
    for (size_t i = 0; mlreg_descriptor_annotation_at(d, i, &key, &value) == 0; i++)
        json_field(key, value, i == 0);
    printf("}");
}

static void json_parts(const char *name, const mlreg_artifact *a, int32_t part)
{
    printf(",\"%s\":[", name);
    for (size_t i = 0; i < mlreg_artifact_count(a, part); i++) {
        const mlreg_descriptor *d = mlreg_artifact_at(a, part, i);

        printf("%s{", i > 0 ? "," : "");
        json_field("file", mlreg_descriptor_title(d), true);
        json_field("digest", mlreg_descriptor_digest(d), false);
        json_field("mediaType", mlreg_descriptor_media_type(d), false);
        json_field("platform", mlreg_descriptor_platform(d), false);
        json_number("bytes", mlreg_descriptor_bytes(d), false);
        json_annotations(d);
        printf("}");
    }
    printf("]");
}

static void json_referrers(const mlreg_list *l)
{
    printf(",\"referrers\":[");
    for (size_t i = 0; i < mlreg_list_count(l); i++) {
        printf("%s{", i > 0 ? "," : "");
        json_field("digest", mlreg_descriptor_digest(mlreg_list_descriptor(l, i)), true);
        json_field("artifactType", mlreg_descriptor_artifact_type(mlreg_list_descriptor(l, i)), false);
        printf("}");
    }
    printf("]");
}

/* A config that is JSON stands in it as it is; any other is null: `mlreg cat REF DIGEST` writes it out. */
static void show_json(const view *v)
{
    const mlreg_descriptor *self = mlreg_artifact_at(v->a, MLREG_PART_SELF, 0);
    bool whole = v->config != NULL && json_walk(v->config, v->config_bytes, NULL, NULL);

    printf("{");
    json_field("reference", v->name, true);
    json_field("digest", mlreg_descriptor_digest(self), false);
    json_field("mediaType", mlreg_descriptor_media_type(self), false);
    json_field("artifactType", mlreg_descriptor_artifact_type(self), false);
    json_number("bytes", artifact_bytes(v->a), false);
    json_annotations(self);
    printf(",\"config\":");
    json_raw(whole ? v->config : "null", whole ? v->config_bytes : 4);
    json_parts("layers", v->a, MLREG_PART_LAYER);
    json_parts("manifests", v->a, MLREG_PART_CHILD);
    printf(",\"variants\":");
    json_variants(v->variants);
    json_referrers(v->referrers);
    printf("}\n");
}

/* ---- for people ---- */

static void show_field(const char *name, const char *value)
{
    printf("  ");
    print_text(name);
    printf("%*s", (int)(strlen(name) < 14 ? 14 - strlen(name) : 1), "");
    print_text(value);
    printf("\n");
}

/* Of a ModelPack's config, what it says of the model. */
static void show_leaf(const char *path, const char *value, void *user)
{
    static const char *const parts[] = { "descriptor.", "config." };

    (void)user;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strncmp(path, parts[i], strlen(parts[i])) == 0)
            show_field(path + strlen(parts[i]), value);
}

static void show_parts(const char *head, const mlreg_artifact *a, int32_t part)
{
    char size[32];

    if (mlreg_artifact_count(a, part) > 0)
        printf("%s\n", head);
    for (size_t i = 0; i < mlreg_artifact_count(a, part); i++) {
        const mlreg_descriptor *d = mlreg_artifact_at(a, part, i);
        const char *title = mlreg_descriptor_title(d), *type = mlreg_descriptor_media_type(d);

        printf("  %.19s… %8s  ", mlreg_descriptor_digest(d), human(mlreg_descriptor_bytes(d), size));
        print_text(title != NULL ? title : mlreg_descriptor_platform(d));
        printf("  (");
        print_text(strchr(type, '/') != NULL ? strchr(type, '/') + 1 : type);
        printf(")\n");
    }
}

static void show_text(const view *v)
{
    const mlreg_descriptor *self = mlreg_artifact_at(v->a, MLREG_PART_SELF, 0);
    const char *type = mlreg_descriptor_artifact_type(self), *key, *value;
    char size[32];

    print_text(v->name);
    printf("\n");
    show_field("digest", mlreg_descriptor_digest(self));
    show_field("type", type != NULL ? type : mlreg_descriptor_media_type(self));
    show_field("size", human(artifact_bytes(v->a), size));
    if (v->config != NULL && json_walk(v->config, v->config_bytes, NULL, NULL))
        json_walk(v->config, v->config_bytes, show_leaf, NULL);
    for (size_t i = 0; mlreg_descriptor_annotation_at(self, i, &key, &value) == 0; i++)
        show_field(key, value);
    show_parts("files", v->a, MLREG_PART_LAYER);
    if (mlreg_list_count(v->variants) > 0)
        printf("variants (* is for this machine)\n");
    print_variants(v->variants, false);
    for (size_t i = 0; i < mlreg_list_count(v->referrers); i++) {
        printf("%s  %s  ", i == 0 ? "referrers\n" : "", mlreg_descriptor_digest(mlreg_list_descriptor(v->referrers, i)));
        print_text(mlreg_descriptor_artifact_type(mlreg_list_descriptor(v->referrers, i)));
        printf("\n");
    }
}

/* ---- the command ---- */

static int look(const spot *at, view *v, mlreg_error **err)
{
    int rc = mlreg_session_resolve(at->session, at->ref, NULL, op_quiet(), &v->a, err);

    if (rc == 0 && mlreg_artifact_count(v->a, MLREG_PART_CONFIG) > 0)
        rc = mlreg_artifact_config(v->a, op_quiet(), &v->config, &v->config_bytes, err);
    if (rc == 0 && mlreg_artifact_count(v->a, MLREG_PART_CHILD) > 0)
        rc = mlreg_session_variants(at->session, at->ref, NULL, op_quiet(), &v->variants, err);
    return rc < 0 ? rc : mlreg_session_referrers(at->session, at->ref, NULL, op_quiet(), &v->referrers, err);
}

int cmd_inspect(cli *c)
{
    spot at;
    view v = { 0 };
    mlreg_error *err = NULL;
    char hint[HINT_BYTES];
    int status = spot_open(c, c->words[0], SPOT_NEEDS_ONE, &at);

    v.name = at.shown;
    if (status == EXIT_OK && look(&at, &v, &err) < 0)
        status = fail(err, spot_hint(&at, err, hint), "inspect %s", at.shown);
    if (status == EXIT_OK)
        (c->json ? show_json : show_text)(&v);
    mlreg_list_free(v.referrers);
    mlreg_list_free(v.variants);
    mlreg_artifact_free(v.a);
    spot_close(&at);
    return status;
}
