/* place/descriptor_put.c - descriptors into JSON: those that were read byte for byte, others member by member. */
#include "place/descriptor.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

static size_t part_len(const char *s)
{
    return strcspn(s, "/");
}

static void put_platform(mlr_json_out *o, const char *platform)
{
    const char *arch = platform + part_len(platform) + (platform[part_len(platform)] == '/');
    const char *variant = arch + part_len(arch) + (arch[part_len(arch)] == '/');
    char       *os = mlr_strndup(platform, part_len(platform)), *cpu = mlr_strndup(arch, part_len(arch));

    if (os == NULL || cpu == NULL) {
        o->rc = o->rc != 0 ? o->rc : mlr_error_nomem(o->err);
    } else {
        mlr_json_open(o, "platform", '{');
        mlr_json_put_string(o, "architecture", cpu);
        mlr_json_put_string(o, "os", os);
        mlr_json_put_string(o, "variant", *variant != 0 ? variant : NULL);
        mlr_json_close(o, '}');
    }
    mlr_free(os);
    mlr_free(cpu);
}

static void put_urls(mlr_json_out *o, const mlr_descriptor *d)
{
    if (d->n_urls == 0)
        return;
    mlr_json_open(o, "urls", '[');
    for (size_t i = 0; i < d->n_urls; i++)
        mlr_json_put_string(o, NULL, d->urls[i]);
    mlr_json_close(o, ']');
}

static void put_annotations(mlr_json_out *o, const mlr_descriptor *d)
{
    if (d->n_annotations == 0)
        return;
    mlr_json_open(o, "annotations", '{');
    for (size_t i = 0; i < d->n_annotations; i++)
        mlr_json_put_string(o, d->annotations[i].key, d->annotations[i].value);
    mlr_json_close(o, '}');
}

void mlr_descriptor_put(mlr_json_out *o, const char *key, const mlr_descriptor *d)
{
    if (d->raw != NULL) {
        mlr_json_put_raw(o, key, d->raw, strlen(d->raw));
        return;
    }
    mlr_json_open(o, key, '{');
    mlr_json_put_string(o, "mediaType", d->media_type);
    mlr_json_put_string(o, "digest", d->digest.text);
    mlr_json_put_u64(o, "size", d->bytes);
    put_urls(o, d);
    put_annotations(o, d);
    if (d->platform != NULL)
        put_platform(o, d->platform);
    mlr_json_put_string(o, "artifactType", d->artifact_type);
    mlr_json_close(o, '}');
}
