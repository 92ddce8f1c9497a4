/* place/descriptor_read.c - descriptors read strictly from JSON. */
#include "place/descriptor_parts.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "codec/base64.h"

#define DATA_MAX_BYTES (4u << 20)  /* content carried inside a descriptor: never larger than the manifest around it */

static int refuse(mlreg_error **err, const char *what, const char *why)
{
    return mlr_error_set(err, MLREG_EPROTO, "%s: %s", what, why);
}

static int read_types(const mlr_json *v, const char *what, mlr_descriptor *d, mlreg_error **err)
{
    const mlr_json *artifact_type = mlr_json_get(v, "artifactType");
    const char     *media_type = mlr_json_string(mlr_json_get(v, "mediaType"));
    int             rc;

    if (media_type == NULL || mlr_descriptor_check_type(media_type, what, NULL) < 0)
        return refuse(err, what, "no mediaType");
    if (artifact_type != NULL && mlr_json_string(artifact_type) == NULL)
        return refuse(err, what, "artifactType is no string");
    if ((rc = mlr_descriptor_text(media_type, &d->media_type, err)) < 0)
        return rc;
    /* "" is how some writers say that there is none. */
    if (artifact_type == NULL || mlr_json_string(artifact_type)[0] == 0)
        return 0;
    return mlr_descriptor_text(mlr_json_string(artifact_type), &d->artifact_type, err);
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
        if ((rc = mlr_descriptor_text(mlr_json_key(a), &pair->key, err)) < 0 ||
            (rc = mlr_descriptor_text(mlr_json_string(a), &pair->value, err)) < 0)
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
        if ((rc = mlr_descriptor_text(mlr_json_string(u), &d->urls[d->n_urls++], err)) < 0)
            return rc;
    }
    return 0;
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
