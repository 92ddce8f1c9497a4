/* cmd_show.c - ls, tags, inspect, cat: everything that only looks. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- ls and tags ---- */

typedef struct listing { cli *c; mlreg_session *s; size_t n; } listing;

static void print_one(listing *l, const char *name, const mlreg_artifact *a)
{
    const char *digest = mlreg_descriptor_digest(mlreg_artifact_at(a, MLREG_PART_SELF, 0));
    uint64_t bytes = artifact_bytes(a);
    char size[32];

    if (l->c->json) {
        printf("%s{", l->n > 0 ? "," : "");
        json_field("name", name, true);
        json_field("digest", digest, false);
        json_number("bytes", bytes, false);
        printf("}");
    } else {
        if (l->n == 0)
            printf("%-44s  %-21s  %s\n", "NAME", "DIGEST", "SIZE");
        printf("%-44s  %.19s…  %s\n", name, digest, human(bytes, size));
    }
    l->n++;
}

static int list_repository(listing *l, const char *repo)
{
    mlreg_list *tags = NULL;
    mlreg_error *err = NULL;
    char name[1024];

    if (mlreg_session_tags(l->s, repo, NULL, &tags, &err) < 0)
        return fail(err, "list tags");
    for (size_t i = 0; i < mlreg_list_count(tags); i++) {
        mlreg_artifact *a = NULL;

        snprintf(name, sizeof name, "%s:%s", repo, mlreg_list_name(tags, i));
        if (mlreg_session_resolve(l->s, name, NULL, NULL, &a, &err) < 0) {
            if (mlreg_error_code(err) != MLREG_ENOTFOUND) { /* removed meanwhile: passed over */
                mlreg_list_free(tags);
                return fail(err, "read an artifact");
            }
            mlreg_error_free(err);
            err = NULL;
            continue;
        }
        print_one(l, name, a);
        mlreg_artifact_free(a);
    }
    mlreg_list_free(tags);
    return EXIT_OK;
}

static int list_all(listing *l)
{
    mlreg_list *repos = NULL;
    mlreg_error *err = NULL;
    int status = EXIT_OK;

    if (mlreg_session_repositories(l->s, NULL, &repos, &err) < 0)
        return fail(err, "list the store");
    for (size_t i = 0; i < mlreg_list_count(repos) && status == EXIT_OK; i++)
        status = list_repository(l, mlreg_list_name(repos, i));
    mlreg_list_free(repos);
    return status;
}

int cmd_ls(cli *c)
{
    listing l = { .c = c };
    int status = store_open(c, false, &l.s);

    if (status != EXIT_OK)
        return status;
    if (c->json)
        printf("[");
    status = c->n_words > 0 ? list_repository(&l, c->words[0]) : list_all(&l);
    if (c->json)
        printf("]\n");
    mlreg_session_free(l.s);
    return status;
}

/* The repository within the session: of a store, host included. */
static const char *repository_of(spot *at)
{
    size_t n = strlen(at->ref);

    if (!at->in_store)
        return mlreg_name_repository(at->name);
    if (mlreg_name_digest(at->name) != NULL)
        n = (size_t)(strchr(at->ref, '@') - at->ref);
    if (mlreg_name_tag(at->name) != NULL)
        n -= strlen(mlreg_name_tag(at->name)) + 1;
    at->ref[n] = '\0';
    return at->ref;
}

int cmd_tags(cli *c)
{
    spot at = { 0 };
    mlreg_list *tags = NULL;
    mlreg_error *err = NULL;
    int status = spot_open(c, c->words[0], SPOT_READ, &at);

    if (status == EXIT_OK && mlreg_session_tags(at.session, repository_of(&at), NULL, &tags, &err) < 0)
        status = fail(err, "list tags");
    if (status == EXIT_OK && c->json)
        printf("[");
    for (size_t i = 0; i < mlreg_list_count(tags); i++) {
        if (c->json) {
            printf("%s", i > 0 ? "," : "");
            json_string(mlreg_list_name(tags, i));
        } else {
            printf("%s\n", mlreg_list_name(tags, i));
        }
    }
    if (status == EXIT_OK && c->json)
        printf("]\n");
    mlreg_list_free(tags);
    spot_close(&at);
    return status;
}

/* ---- inspect ---- */

static void print_json_annotations(const mlreg_descriptor *d)
{
    const char *key, *value;

    printf(",\"annotations\":{");
    for (size_t i = 0; mlreg_descriptor_annotation_at(d, i, &key, &value) == 0; i++)
        json_field(key, value, i == 0);
    printf("}");
}

static void print_json_parts(const char *name, const mlreg_artifact *a, int32_t part)
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
        print_json_annotations(d);
        printf("}");
    }
    printf("]");
}

static void print_json(const char *ref, const mlreg_artifact *a, const char *config, const mlreg_list *referrers)
{
    const mlreg_descriptor *self = mlreg_artifact_at(a, MLREG_PART_SELF, 0);

    printf("{");
    json_field("reference", ref, true);
    json_field("digest", mlreg_descriptor_digest(self), false);
    json_field("mediaType", mlreg_descriptor_media_type(self), false);
    json_field("artifactType", mlreg_descriptor_artifact_type(self), false);
    json_number("bytes", artifact_bytes(a), false);
    print_json_annotations(self);
    printf(",\"config\":%s", config != NULL && config[0] == '{' ? config : "null");
    print_json_parts("layers", a, MLREG_PART_LAYER);
    print_json_parts("manifests", a, MLREG_PART_CHILD);
    printf(",\"referrers\":[");
    for (size_t i = 0; i < mlreg_list_count(referrers); i++) {
        const mlreg_descriptor *d = mlreg_list_descriptor(referrers, i);

        printf("%s{", i > 0 ? "," : "");
        json_field("digest", mlreg_descriptor_digest(d), true);
        json_field("artifactType", mlreg_descriptor_artifact_type(d), false);
        printf("}");
    }
    printf("]}\n");
}

static const char *after_last(const char *text, char c)
{
    const char *at = strrchr(text, c);

    return at != NULL ? at + 1 : text;
}

static void print_part(const mlreg_descriptor *d)
{
    const char *title = mlreg_descriptor_title(d), *platform = mlreg_descriptor_platform(d);
    const char *name = title != NULL ? title : platform != NULL ? platform : "-", *type = after_last(mlreg_descriptor_media_type(d), '/');
    char size[32];

    printf("  %10s  %.19s…  ", human(mlreg_descriptor_bytes(d), size), mlreg_descriptor_digest(d));
    print_plain(name, strlen(name));
    printf("  (");
    print_plain(type, strlen(type));
    printf(")\n");
}

static void print_text(const char *ref, const mlreg_artifact *a, const char *config, const mlreg_list *referrers)
{
    const mlreg_descriptor *self = mlreg_artifact_at(a, MLREG_PART_SELF, 0);
    const char *type = mlreg_descriptor_artifact_type(self), *key, *value;
    char size[32];

    printf("%s\n  digest    %s\n  type      %s\n  size      %s\n", ref, mlreg_descriptor_digest(self),
        type != NULL ? type : mlreg_descriptor_media_type(self), human(artifact_bytes(a), size));
    for (size_t i = 0; mlreg_descriptor_annotation_at(self, i, &key, &value) == 0; i++)
        printf("  note      "), print_plain(key, strlen(key)), printf("="), print_plain(value, strlen(value)), printf("\n");
    if (config != NULL)
        print_config(config);
    if (mlreg_artifact_count(a, MLREG_PART_LAYER) > 0)
        printf("layers\n");
    for (size_t i = 0; i < mlreg_artifact_count(a, MLREG_PART_LAYER); i++)
        print_part(mlreg_artifact_at(a, MLREG_PART_LAYER, i));
    if (mlreg_artifact_count(a, MLREG_PART_CHILD) > 0)
        printf("manifests\n");
    for (size_t i = 0; i < mlreg_artifact_count(a, MLREG_PART_CHILD); i++)
        print_part(mlreg_artifact_at(a, MLREG_PART_CHILD, i));
    for (size_t i = 0; i < mlreg_list_count(referrers); i++)
        printf("%s  %s  %s\n", i == 0 ? "referrers\n" : "", mlreg_descriptor_digest(mlreg_list_descriptor(referrers, i)),
            mlreg_descriptor_artifact_type(mlreg_list_descriptor(referrers, i)));
}

int cmd_inspect(cli *c)
{
    spot at = { 0 };
    mlreg_artifact *a = NULL;
    mlreg_list *referrers = NULL;
    mlreg_error *err = NULL;
    const char *config = NULL;
    int status = spot_open(c, c->words[0], SPOT_NEEDS_TAG, &at);

    if (status == EXIT_OK &&
        (mlreg_session_resolve(at.session, at.ref, NULL, NULL, &a, &err) < 0 ||
         (mlreg_artifact_count(a, MLREG_PART_CONFIG) > 0 && mlreg_artifact_config(a, NULL, &config, NULL, &err) < 0) ||
         mlreg_session_referrers(at.session, at.ref, NULL, NULL, &referrers, &err) < 0))
        status = fail(err, "inspect it");
    if (status == EXIT_OK)
        (c->json ? print_json : print_text)(c->words[0], a, config, referrers);
    mlreg_list_free(referrers);
    mlreg_artifact_free(a);
    spot_close(&at);
    return status;
}

/* ---- cat ---- */

/* "A-B", both included; "A-": to the end. */
static int parse_range(const char *text, mlreg_stream_options *o)
{
    char *end;
    unsigned long long a, b;

    if (text == NULL)
        return EXIT_OK;
    a = strtoull(text, &end, 10);
    if (text[0] >= '0' && text[0] <= '9' && *end == '-') {
        o->offset = a;
        if (end[1] == '\0')
            return EXIT_OK;
        b = strtoull(end + 1, &end, 10);
        if (*end == '\0' && b >= a) {
            o->bytes = b - a + 1;
            return EXIT_OK;
        }
    }
    return fail_usage("write --range 0-99 for the first hundred bytes", "\"%s\" is no range", text);
}

static int find_layer(const mlreg_artifact *a, const char *file, size_t *out)
{
    for (size_t i = 0; i < mlreg_artifact_count(a, MLREG_PART_LAYER); i++) {
        const mlreg_descriptor *d = mlreg_artifact_at(a, MLREG_PART_LAYER, i);
        const char *title = mlreg_descriptor_title(d);

        if ((title != NULL && strcmp(title, file) == 0) || strcmp(mlreg_descriptor_digest(d), file) == 0) {
            *out = i;
            return EXIT_OK;
        }
    }
    fail_usage("`mlreg inspect REF` lists its files", "there is no file \"%s\" in it", file);
    return EXIT_FAILED;
}

static int write_out(mlreg_stream *s)
{
    static char piece[256 << 10];
    mlreg_error *err = NULL;
    int64_t n;

    while ((n = mlreg_stream_read(s, piece, sizeof piece, &err)) > 0)
        if (fwrite(piece, 1, (size_t)n, stdout) != (size_t)n)
            return EXIT_FAILED; /* main says why */
    return n < 0 ? fail(err, "read on") : EXIT_OK;
}

int cmd_cat(cli *c)
{
    spot at = { 0 };
    mlreg_artifact *a = NULL;
    mlreg_stream *s = NULL;
    mlreg_stream_options o;
    mlreg_error *err = NULL;
    size_t layer = 0;
    int status;

    MLREG_INIT(o);
    o.flags = c->unverified ? MLREG_STREAM_UNVERIFIED : 0;
    if ((status = parse_range(c->range, &o)) != EXIT_OK || (status = spot_open(c, c->words[0], SPOT_NEEDS_TAG, &at)) != EXIT_OK)
        goto out;
    if (mlreg_session_resolve(at.session, at.ref, NULL, NULL, &a, &err) < 0)
        status = fail(err, "find it");
    else if ((status = find_layer(a, c->words[1], &layer)) == EXIT_OK) {
        uint64_t size = mlreg_descriptor_bytes(mlreg_artifact_at(a, MLREG_PART_LAYER, layer));

        if (o.bytes > 0 && o.offset < size && o.bytes > size - o.offset)
            o.bytes = 0; /* past the end is to the end, as in HTTP */
        status = mlreg_stream_open(a, layer, &o, NULL, &s, &err) < 0 ? fail(err, "read it") : write_out(s);
    }
out:
    mlreg_stream_free(s);
    mlreg_artifact_free(a);
    spot_close(&at);
    return status;
}
