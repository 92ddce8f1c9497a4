/* place/descriptor.c - descriptors in memory: made, copied, changed, and what they say. */
#include "place/descriptor_parts.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define MEDIA_TYPE_MAX_BYTES 255 /* RFC 6838 allows 127 on each side of the '/' */

int mlr_descriptor_text(const char *s, char **out, mlreg_error **err)
{
    return s != NULL && (*out = mlr_strdup(s)) == NULL ? mlr_error_nomem(err) : 0;
}

/* Media types travel in headers: printable ASCII, of bounded length. What else an unknown one is, is not our affair. */
static bool is_media_type(const char *s)
{
    size_t len = strlen(s);
    for (size_t i = 0; i < len; i++)
        if (s[i] < 0x20 || s[i] > 0x7e)
            return false;
    return len > 0 && len <= MEDIA_TYPE_MAX_BYTES;
}

int mlr_descriptor_set_platform(mlr_descriptor *d, const char *os, const char *arch, const char *variant, mlreg_error **err)
{
    bool has_variant = variant != NULL && variant[0] != 0;

    d->platform = mlr_asprintf("%s/%s%s%s", os, arch, has_variant ? "/" : "", has_variant ? variant : "");
    return d->platform == NULL ? mlr_error_nomem(err) : 0;
}

int mlr_descriptor_check_type(const char *type, const char *what, mlreg_error **err)
{
    int rc = is_media_type(type) ? 0 : mlr_error_set(err, MLREG_EINVAL, "%s '%.100s' is no media type", what, type);
    return mlr_error_hint(err, rc, "media types are printable ASCII of at most %d bytes: \"application/octet-stream\"", MEDIA_TYPE_MAX_BYTES);
}

int mlr_descriptor_make(const char *media_type, const mlr_digest *digest, uint64_t bytes, mlr_descriptor *out,
                        mlreg_error **err)
{
    mlr_descriptor d = { 0 };
    if ((d.media_type = mlr_strdup(media_type)) == NULL)
        return mlr_error_nomem(err);
    d.digest = *digest;
    d.bytes = bytes;
    *out = d;
    return 0;
}

static int copy_lists(const mlr_descriptor *d, mlr_descriptor *c, mlreg_error **err)
{
    int rc = 0;
    if ((c->annotations = mlr_alloc_array(d->n_annotations, sizeof(*c->annotations))) == NULL ||
        (c->urls = mlr_alloc_array(d->n_urls, sizeof(*c->urls))) == NULL)
        return mlr_error_nomem(err);
    for (size_t i = 0; rc == 0 && i < d->n_annotations; i++) {
        c->n_annotations++;
        if ((rc = mlr_descriptor_text(d->annotations[i].key, &c->annotations[i].key, err)) == 0)
            rc = mlr_descriptor_text(d->annotations[i].value, &c->annotations[i].value, err);
    }
    for (size_t i = 0; rc == 0 && i < d->n_urls; i++) {
        c->n_urls++;
        rc = mlr_descriptor_text(d->urls[i], &c->urls[i], err);
    }
    return rc;
}

int mlr_descriptor_copy(const mlr_descriptor *d, mlr_descriptor *out, mlreg_error **err)
{
    mlr_descriptor c = { 0 };
    int            rc;

    c.digest = d->digest;
    c.bytes = d->bytes;
    if ((rc = mlr_descriptor_text(d->media_type, &c.media_type, err)) < 0 ||
        (rc = mlr_descriptor_text(d->artifact_type, &c.artifact_type, err)) < 0 ||
        (rc = mlr_descriptor_text(d->platform, &c.platform, err)) < 0 || (rc = mlr_descriptor_text(d->raw, &c.raw, err)) < 0 ||
        (rc = copy_lists(d, &c, err)) < 0)
        goto out;
    *out = c;
    c = (mlr_descriptor){ 0 };
out:
    mlr_descriptor_done(&c);
    return rc;
}

static void drop_annotation(mlr_descriptor *d, size_t i)
{
    mlr_free(d->annotations[i].key);
    mlr_free(d->annotations[i].value);
    d->n_annotations--;
    memmove(&d->annotations[i], &d->annotations[i + 1], (d->n_annotations - i) * sizeof(*d->annotations));
}

static int append_annotation(mlr_descriptor *d, const char *key, const char *value, mlreg_error **err)
{
    mlr_pair  pair = { mlr_strdup(key), mlr_strdup(value) };
    mlr_pair *more = mlr_realloc_array(d->annotations, d->n_annotations + 1, sizeof(*more));
    if (more != NULL)
        d->annotations = more;
    if (more == NULL || pair.key == NULL || pair.value == NULL) {
        mlr_free(pair.key);
        mlr_free(pair.value);
        return mlr_error_nomem(err);
    }
    more[d->n_annotations++] = pair;
    return 0;
}

int mlr_descriptor_annotate(mlr_descriptor *d, const char *key, const char *value, mlreg_error **err)
{
    size_t i = 0;
    char  *copy;

    while (i < d->n_annotations && strcmp(d->annotations[i].key, key) != 0)
        i++;
    if (i == d->n_annotations) {
        int rc = value != NULL ? append_annotation(d, key, value, err) : 0;
        if (rc < 0)
            return rc;
    } else if (value == NULL) {
        drop_annotation(d, i);
    } else {
        if ((copy = mlr_strdup(value)) == NULL)
            return mlr_error_nomem(err);
        mlr_free(d->annotations[i].value);
        d->annotations[i].value = copy;
    }
    mlr_free(d->raw);
    d->raw = NULL;
    return 0;
}

void mlr_descriptor_done(mlr_descriptor *d)
{
    for (size_t i = 0; i < d->n_annotations; i++) {
        mlr_free(d->annotations[i].key);
        mlr_free(d->annotations[i].value);
    }
    for (size_t i = 0; i < d->n_urls; i++)
        mlr_free(d->urls[i]);
    mlr_free(d->annotations);
    mlr_free(d->urls);
    mlr_free(d->media_type);
    mlr_free(d->artifact_type);
    mlr_free(d->platform);
    mlr_free(d->raw);
    *d = (mlr_descriptor){ 0 };
}

const char *mlr_descriptor_annotation(const mlr_descriptor *d, const char *key)
{
    for (size_t i = 0; i < d->n_annotations; i++)
        if (strcmp(d->annotations[i].key, key) == 0)
            return d->annotations[i].value;
    return NULL;
}

const char *mlr_descriptor_title(const mlr_descriptor *d)
{
    static const char keys[][31] = { "org.opencontainers.image.title", "org.cncf.model.filepath",
                                     "org.cnai.model.filepath" };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const char *title = mlr_descriptor_annotation(d, keys[i]);
        if (title != NULL && title[0] != 0)
            return title;
    }
    return NULL;
}

bool mlr_descriptor_is_foreign(const mlr_descriptor *d)
{
    static const char types[][56] = { "application/vnd.oci.image.layer.nondistributable.v1.tar",
                                     "application/vnd.docker.image.rootfs.foreign.diff.tar" };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strncmp(d->media_type, types[i], strlen(types[i])) == 0)
            return d->n_urls > 0;
    return false;
}

int mlr_descriptor_retype(mlr_descriptor *d, const char *media_type, mlreg_error **err)
{
    char *copy = mlr_strdup(media_type);

    if (copy == NULL)
        return mlr_error_nomem(err);
    mlr_free(d->media_type);
    mlr_free(d->raw);
    d->media_type = copy;
    d->raw = NULL;
    return 0;
}
