/* place/descriptor.c - descriptors read strictly, written back byte for byte. */
#include "place/descriptor.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "codec/base64.h"

#define MEDIA_TYPE_MAX_BYTES 255   /* RFC 6838 allows 127 on each side of the '/' */
#define DATA_MAX_BYTES (4u << 20)  /* content carried inside a descriptor: never larger than the manifest around it */

static int refuse(mlreg_error **err, const char *what, const char *why)
{
    return mlr_error_set(err, MLREG_EPROTO, "%s: %s", what, why);
}

static int copy_text(const char *s, char **out, mlreg_error **err)
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

static int read_types(const mlr_json *v, const char *what, mlr_descriptor *d, mlreg_error **err)
{
    const mlr_json *artifact_type = mlr_json_get(v, "artifactType");
    const char     *media_type = mlr_json_string(mlr_json_get(v, "mediaType"));
    int             rc;

    if (media_type == NULL || !is_media_type(media_type))
        return refuse(err, what, "no mediaType");
    if (artifact_type != NULL && mlr_json_string(artifact_type) == NULL)
        return refuse(err, what, "artifactType is no string");
    if ((rc = copy_text(media_type, &d->media_type, err)) < 0)
        return rc;
    /* "" is how some writers say that there is none. */
    if (artifact_type == NULL || mlr_json_string(artifact_type)[0] == 0)
        return 0;
    return copy_text(mlr_json_string(artifact_type), &d->artifact_type, err);
}

static int read_digest(const mlr_json *v, const char *what, mlr_descriptor *d, mlreg_error **err)
{
    const char  *digest = mlr_json_string(mlr_json_get(v, "digest"));
    mlreg_error *why = NULL;
    int          rc;

    if (digest == NULL)
        return refuse(err, what, "no digest");
    if ((rc = mlr_digest_parse(digest, &d->digest, &why)) < 0) {
        if (rc == MLREG_EINVAL) /* not the caller's fault: it stood in a document */
            rc = MLREG_EPROTO;
        mlr_error_set(err, rc, "%s: %s", what, why->message);
        mlr_error_done(why);
    }
    return rc;
}

static int read_size(const mlr_json *v, const char *what, mlr_descriptor *d, mlreg_error **err)
{
    if (!mlr_json_u64(mlr_json_get(v, "size"), &d->bytes) || d->bytes > INT64_MAX)
        return refuse(err, what, "size is missing or no whole number of bytes");
    return 0;
}

int mlr_descriptor_read_annotations(const mlr_json *v, const char *what, mlr_descriptor *d, mlreg_error **err)
{
    const mlr_json *all = mlr_json_get(v, "annotations");
    int             rc;

    if (mlr_json_type_of(all) == MLR_JSON_MISSING || mlr_json_type_of(all) == MLR_JSON_NULL)
        return 0;
    if (mlr_json_type_of(all) != MLR_JSON_OBJECT)
        return refuse(err, what, "annotations is no object");
    if ((d->annotations = mlr_alloc_array(mlr_json_count(all), sizeof(*d->annotations))) == NULL)
        return mlr_error_nomem(err);
    for (const mlr_json *a = mlr_json_first(all); a != NULL; a = mlr_json_next(a)) {
        mlr_pair *pair = &d->annotations[d->n_annotations++];
        if (mlr_json_string(a) == NULL)
            return mlr_error_set(err, MLREG_EPROTO, "%s: annotation '%.100s' is no string", what, mlr_json_key(a));
        if ((rc = copy_text(mlr_json_key(a), &pair->key, err)) < 0 ||
            (rc = copy_text(mlr_json_string(a), &pair->value, err)) < 0)
            return rc;
    }
    return 0;
}

static int read_urls(const mlr_json *v, const char *what, mlr_descriptor *d, mlreg_error **err)
{
    const mlr_json *all = mlr_json_get(v, "urls");
    int             rc;

    if (mlr_json_type_of(all) == MLR_JSON_MISSING || mlr_json_type_of(all) == MLR_JSON_NULL)
        return 0;
    if (mlr_json_type_of(all) != MLR_JSON_ARRAY)
        return refuse(err, what, "urls is no array");
    if ((d->urls = mlr_alloc_array(mlr_json_count(all), sizeof(*d->urls))) == NULL)
        return mlr_error_nomem(err);
    for (const mlr_json *u = mlr_json_first(all); u != NULL; u = mlr_json_next(u)) {
        if (mlr_json_string(u) == NULL)
            return refuse(err, what, "a member of urls is no string");
        if ((rc = copy_text(mlr_json_string(u), &d->urls[d->n_urls++], err)) < 0)
            return rc;
    }
    return 0;
}

int mlr_descriptor_set_platform(mlr_descriptor *d, const char *os, const char *arch, const char *variant, mlreg_error **err)
{
    bool has_variant = variant != NULL && variant[0] != 0;

    d->platform = mlr_asprintf("%s/%s%s%s", os, arch, has_variant ? "/" : "", has_variant ? variant : "");
    return d->platform == NULL ? mlr_error_nomem(err) : 0;
}

static int read_platform(const mlr_json *v, const char *what, mlr_descriptor *d, mlreg_error **err)
{
    const mlr_json *p = mlr_json_get(v, "platform");
    const char     *os = mlr_json_string(mlr_json_get(p, "os"));
    const char     *arch = mlr_json_string(mlr_json_get(p, "architecture"));
    const char     *variant = mlr_json_string(mlr_json_get(p, "variant"));

    if (p != NULL && mlr_json_type_of(p) != MLR_JSON_OBJECT && mlr_json_type_of(p) != MLR_JSON_NULL)
        return refuse(err, what, "platform is no object");
    if (os == NULL || arch == NULL)
        return 0;
    return mlr_descriptor_set_platform(d, os, arch, variant, err);
}

/* Content that is carried along must be the content that is named: another tool may use it in place of the blob. */
static int check_data(const mlr_json *v, const char *what, const mlr_descriptor *d, mlreg_error **err)
{
    const mlr_json *data = mlr_json_get(v, "data");
    const char     *text = mlr_json_string(data);
    mlr_buf         bytes = MLR_BUF_INIT(DATA_MAX_BYTES);
    mlr_digest      got;
    int             rc = 0;

    if (mlr_json_type_of(data) == MLR_JSON_MISSING || mlr_json_type_of(data) == MLR_JSON_NULL)
        return 0;
    if (text == NULL || (rc = mlr_base64_decode(text, strlen(text), &bytes, NULL)) < 0) {
        rc = rc == MLREG_ENOMEM ? mlr_error_nomem(err) : refuse(err, what, "data is no base64");
        goto out;
    }
    mlr_digest_of(bytes.data, bytes.len, &got);
    if (bytes.len != d->bytes || !mlr_digest_equal(&got, &d->digest))
        rc = refuse(err, what, "data is not what its size and digest say");
out:
    mlr_buf_done(&bytes);
    return rc;
}

int mlr_descriptor_read(const mlr_json *v, const char *what, mlr_descriptor *out, mlreg_error **err)
{
    mlr_descriptor d = { 0 };
    const char    *raw;
    size_t         raw_len;
    int            rc;

    if (mlr_json_type_of(v) != MLR_JSON_OBJECT)
        return refuse(err, what, "no descriptor");
    if ((rc = read_types(v, what, &d, err)) < 0 || (rc = read_digest(v, what, &d, err)) < 0 ||
        (rc = read_size(v, what, &d, err)) < 0 || (rc = mlr_descriptor_read_annotations(v, what, &d, err)) < 0 ||
        (rc = read_urls(v, what, &d, err)) < 0 || (rc = read_platform(v, what, &d, err)) < 0 ||
        (rc = check_data(v, what, &d, err)) < 0)
        goto out;
    raw = mlr_json_raw(v, &raw_len);
    if ((d.raw = mlr_strndup(raw, raw_len)) == NULL) {
        rc = mlr_error_nomem(err);
        goto out;
    }
    *out = d;
    d = (mlr_descriptor){ 0 };
out:
    mlr_descriptor_done(&d);
    return rc;
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
        if ((rc = copy_text(d->annotations[i].key, &c->annotations[i].key, err)) == 0)
            rc = copy_text(d->annotations[i].value, &c->annotations[i].value, err);
    }
    for (size_t i = 0; rc == 0 && i < d->n_urls; i++) {
        c->n_urls++;
        rc = copy_text(d->urls[i], &c->urls[i], err);
    }
    return rc;
}

int mlr_descriptor_copy(const mlr_descriptor *d, mlr_descriptor *out, mlreg_error **err)
{
    mlr_descriptor c = { 0 };
    int            rc;

    c.digest = d->digest;
    c.bytes = d->bytes;
    if ((rc = copy_text(d->media_type, &c.media_type, err)) < 0 ||
        (rc = copy_text(d->artifact_type, &c.artifact_type, err)) < 0 ||
        (rc = copy_text(d->platform, &c.platform, err)) < 0 || (rc = copy_text(d->raw, &c.raw, err)) < 0 ||
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
    if (d->n_urls > 0) {
        mlr_json_open(o, "urls", '[');
        for (size_t i = 0; i < d->n_urls; i++)
            mlr_json_put_string(o, NULL, d->urls[i]);
        mlr_json_close(o, ']');
    }
    if (d->n_annotations > 0) {
        mlr_json_open(o, "annotations", '{');
        for (size_t i = 0; i < d->n_annotations; i++)
            mlr_json_put_string(o, d->annotations[i].key, d->annotations[i].value);
        mlr_json_close(o, '}');
    }
    if (d->platform != NULL)
        put_platform(o, d->platform);
    mlr_json_put_string(o, "artifactType", d->artifact_type);
    mlr_json_close(o, '}');
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
    static const char *const keys[] = { "org.opencontainers.image.title", "org.cncf.model.filepath",
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
    static const char *const types[] = { "application/vnd.oci.image.layer.nondistributable.v1.tar",
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
